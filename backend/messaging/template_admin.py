"""Staff routes of templates: saving them, holding them against WeChat's list, a sample to oneself (D11)."""

from uuid import UUID

from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid, NotFound, TooMany
from backend.kernel.http import Call, Route
from backend.kernel.ratelimit import Rule
from backend.messaging import registry, samples, templates
from backend.messaging.template_schemas import ListingAnswer, SampleAnswer, TemplateBody, TemplatesAnswer

TEMPLATES = "message_template.manage"
# WeChat counts both; a person needs a few.
ASKING = Rule("messages.templates", 30, 60)
SAMPLES = Rule("messages.samples", 10, 600)


async def list_templates(call: Call[None, None]) -> TemplatesAnswer:
    """Templates of the company, with what was wrong when they were last checked."""
    company_id = call.principal.require_company(TEMPLATES)
    return TemplatesAnswer.of(await templates.of_companies(call.res.db, [company_id]))


async def save_template(call: Call[TemplateBody, None]) -> TemplatesAnswer:
    """Add or replace one, unless WeChat's list says that it cannot work; unheard, where WeChat cannot be asked now."""
    company_id, body = call.principal.require_company(TEMPLATES), call.body
    await templates.require_app(call.res.db, company_id=company_id, appid=body.appid, channel=body.channel)
    templates.refuse(templates.wrong_fields(body.meaning, body.fields))
    listed = await registry.listing(call.res, body.appid)
    if listed.asked:
        templates.refuse(registry.problems_of(listed, body.template_id, body.fields, body.allowed))

    async def work(tx: Tx) -> TemplatesAnswer:
        await templates.save(
            tx,
            call.principal.actor,
            company_id=company_id,
            appid=body.appid,
            channel=body.channel,
            meaning=body.meaning,
            template_id=body.template_id,
            fields=body.fields,
            allowed={**body.allowed, **listed.choices_of(body.template_id)},
            checked_at=tx.now if listed.asked else None,
        )
        return TemplatesAnswer.of(await templates.of_companies(tx, [company_id]))

    return await call.transact(work)


async def check_templates(call: Call[None, None]) -> TemplatesAnswer:
    """Hold all of them against WeChat's lists now; every day it is done anyway."""
    company_id = call.principal.require_company(TEMPLATES)
    return TemplatesAnswer.of(await registry.check_company(call.res, company_id))


async def list_of_app(call: Call[None, None]) -> ListingAnswer:
    """What WeChat has for one app of the company."""
    company_id, appid = call.principal.require_company(TEMPLATES), call.path["appid"]
    await registry.require_app(call.res.db, company_id=company_id, appid=appid)
    return ListingAnswer.of(await registry.listing(call.res, appid))


async def send_sample(call: Call[None, None]) -> SampleAnswer:
    """Send a sample to whoever asks."""
    company_id, staff_id = call.principal.require_company(TEMPLATES), call.principal.id
    assert isinstance(staff_id, UUID)
    told = await samples.send_to_oneself(
        call.res, call.principal.actor, staff_id=staff_id, company_id=company_id, template=call.ids["template_id"]
    )
    return SampleAnswer(accepted=told.accepted, errcode=told.errcode, words=told.words)


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/admin/v1/message-templates",
        handler=list_templates,
        permission=TEMPLATES,
        summary="公司的消息模板和可用的消息种类",
        answer=TemplatesAnswer,
        errors=(NotFound,),
    ),
    Route(
        method="PUT",
        path="/admin/v1/message-templates",
        handler=save_template,
        permission=TEMPLATES,
        summary="保存一个消息模板",
        body=TemplateBody,
        answer=TemplatesAnswer,
        errors=(NotFound, Invalid, TooMany),
        rate=ASKING,
    ),
    Route(
        method="POST",
        path="/admin/v1/message-templates/check",
        handler=check_templates,
        permission=TEMPLATES,
        summary="与微信核对所有消息模板",
        answer=TemplatesAnswer,
        errors=(NotFound, TooMany),
        rate=ASKING,
    ),
    Route(
        method="POST",
        path="/admin/v1/message-templates/{template_id}/test",
        handler=send_sample,
        permission=TEMPLATES,
        summary="给自己的微信发送一条测试消息",
        answer=SampleAnswer,
        errors=(NotFound, Conflict, TooMany),
        rate=SAMPLES,
    ),
    Route(
        method="GET",
        path="/admin/v1/message-apps/{appid}/templates",
        handler=list_of_app,
        permission=TEMPLATES,
        summary="微信里这个小程序或公众号现有的模板",
        answer=ListingAnswer,
        errors=(NotFound, TooMany),
        rate=ASKING,
    ),
)
