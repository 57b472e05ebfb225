"""Staff routes of messaging: templates, refused messages, parked jobs (D11, I-16)."""

from typing import Any
from uuid import UUID

from backend.kernel import parked as parked_rows
from backend.kernel.db import Tx
from backend.kernel.errors import Invalid, NotFound
from backend.kernel.http import Call, Page, Route, decode_cursor, encode_cursor
from backend.messaging import parked, templates
from backend.messaging.schemas import (
    ParkedMessageAnswer,
    ParkedMessagesAnswer,
    ParkedRowAnswer,
    ParkedRowsAnswer,
    RetriedAnswer,
    RetryBody,
    TemplateBody,
    TemplatesAnswer,
)

TEMPLATES, MESSAGES, RETRY, JOBS, JOBS_RETRY = (
    "message_template.manage",
    "message.read",
    "message.retry",
    "outbox.read",
    "outbox.retry",
)


async def list_templates(call: Call[None, None]) -> TemplatesAnswer:
    """Templates of the company."""
    company_id = _company(call, TEMPLATES)
    return TemplatesAnswer.of(await templates.of_companies(call.res.db, [company_id]))


async def save_template(call: Call[TemplateBody, None]) -> TemplatesAnswer:
    """Add or replace one."""
    company_id, body = _company(call, TEMPLATES), call.body

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
        )
        return TemplatesAnswer.of(await templates.of_companies(tx, [company_id]))

    return await call.transact(work)


async def list_parked_messages(call: Call[None, Page]) -> ParkedMessagesAnswer:
    """Messages that WeChat refused for content or configuration."""
    after = None if call.query.cursor is None else decode_cursor(call.query.cursor, (UUID,))[0]
    communities, limit = call.principal.communities(MESSAGES), call.query.limit
    found = await parked.messages(call.res.db, communities, after=after, limit=limit)
    return ParkedMessagesAnswer(
        items=[ParkedMessageAnswer.of(message) for message in found],
        next_cursor=encode_cursor(found[-1].id) if len(found) == limit else None,
    )


async def retry_messages(call: Call[RetryBody, None]) -> RetriedAnswer:
    """Send them again, after the template was put right."""
    community_id = call.ids["community_id"]
    call.principal.require_community(RETRY, community_id)

    async def work(tx: Tx) -> RetriedAnswer:
        count = await parked.retry(tx, call.principal.actor, community_id=community_id, message_id=call.body.message_id)
        return RetriedAnswer(count=count)

    return await call.transact(work)


async def list_parked_rows(call: Call[None, Page]) -> ParkedRowsAnswer:
    """Jobs that were put aside."""
    after = 0 if call.query.cursor is None else decode_cursor(call.query.cursor, (int,))[0]
    found = await parked_rows.rows(
        call.res.db,
        call.principal.communities(JOBS),
        company_wide=_is_company_wide(call, JOBS),
        after=after,
        limit=call.query.limit,
    )
    return ParkedRowsAnswer(
        items=[ParkedRowAnswer.of(row) for row in found],
        next_cursor=encode_cursor(found[-1].id) if len(found) == call.query.limit else None,
    )


async def retry_row(call: Call[None, None]) -> RetriedAnswer:
    """Let one run again."""
    try:
        number = int(call.path["number"])
    except ValueError:
        raise NotFound from None
    if not 0 < number < 1 << 63:
        raise NotFound

    async def work(tx: Tx) -> RetriedAnswer:
        await parked_rows.retry(
            tx,
            call.principal.actor,
            number=number,
            communities=call.principal.communities(JOBS_RETRY),
            company_wide=_is_company_wide(call, JOBS_RETRY),
        )
        return RetriedAnswer(count=1)

    return await call.transact(work)


def _company(call: Call[Any, Any], permission: str) -> UUID:
    """The company, for whoever holds `permission` in all of it; NotFound otherwise."""
    return call.principal.require_company(permission)


def _is_company_wide(call: Call[Any, Any], permission: str) -> bool:
    return call.principal.company_id in call.principal.communities(permission)


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
        errors=(NotFound, Invalid),
    ),
    Route(
        method="GET",
        path="/admin/v1/messages/parked",
        handler=list_parked_messages,
        permission=MESSAGES,
        summary="被微信拒绝、等待处理的消息",
        query=Page,
        answer=ParkedMessagesAnswer,
    ),
    Route(
        method="POST",
        path="/admin/v1/communities/{community_id}/messages/retry",
        handler=retry_messages,
        permission=RETRY,
        summary="重新发送被微信拒绝的消息",
        body=RetryBody,
        answer=RetriedAnswer,
        errors=(NotFound,),
    ),
    Route(
        method="GET",
        path="/admin/v1/outbox/parked",
        handler=list_parked_rows,
        permission=JOBS,
        summary="等待人工处理的后台任务",
        query=Page,
        answer=ParkedRowsAnswer,
    ),
    Route(
        method="POST",
        path="/admin/v1/outbox/{number}/retry",
        handler=retry_row,
        permission=JOBS_RETRY,
        summary="让一个后台任务重新执行",
        answer=RetriedAnswer,
        errors=(NotFound,),
    ),
)
