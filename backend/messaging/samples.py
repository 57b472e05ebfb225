"""A sample of a template, sent by a member of staff to himself (测试发送): what WeChat says of it, in Chinese (D11).

The quota and an audit row are committed before the call (I-16). A sample has no intent: whoever waits for it sees the
outcome, and nothing repeats it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.clock import SHANGHAI
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, TooMany
from backend.kernel.ids import uuid7
from backend.kernel.resources import Resources
from backend.messaging import quotas, templates
from backend.messaging.templates import FIXED, Channel, Template
from backend.wechat import api, apps, errcodes, fields, messages
from backend.wechat.errors import Outcome, Refused, Sent

PATIENCE = timedelta(seconds=5)
OWN_ADDRESS = """
    SELECT openid FROM message_address WHERE person_id = $1 AND appid = $2 AND is_staff ORDER BY openid LIMIT 1
"""
# By the kind in the key; dates and times are those of the moment.
VALUES: Mapping[str, str] = {
    "thing": "这是一条测试消息",
    "short_thing": "测试",
    "number": "1",
    "letter": "TEST",
    "symbol": "*",
    "character_string": "TEST-0001",
    "time": "{now:%Y-%m-%d %H:%M}",
    "date": "{now:%Y-%m-%d}",
    "amount": "0.01元",
    "phone_number": "13800000000",
    "car_number": "京A12345",
    "name": "测试",
    "phrase": "测试",
    "enum": "测试",
    "const": "测试",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What WeChat said of the sample; `words` for the person who has sent it."""

    accepted: bool
    errcode: int | None
    words: str


async def send_to_oneself(res: Resources, actor: Actor, *, staff_id: UUID, company_id: UUID, template: UUID) -> Told:
    """Send a sample to the WeChat account that the member of staff has bound in the template's app.

    NotFound for a template that is not the company's, Conflict where no account is bound or the day's quota is used up,
    TooMany while many messages are going out.
    """

    async def reserve(tx: Tx) -> tuple[Template, str, float]:
        found = await templates.one(tx, template=template, company_id=company_id)
        openid = await tx.fetchval(OWN_ADDRESS, staff_id, found.appid)
        if openid is None:
            raise Conflict(
                "您还没有绑定这个账号里的微信。请先用绑定码在微信里绑定，再测试发送。", code="wechat_not_bound"
            )
        slots = await quotas.reserve(tx, found.appid, found.channel, 1)
        if slots.count == 0:
            raise Conflict("今天的发送次数已用完，请明天再试。", code="send_quota_used_up")
        if slots.start_at > tx.now + PATIENCE:
            raise TooMany("正在群发消息，请过几分钟再试。")
        audit.record(
            tx, actor, action="message_template.tested", target=f"message_template:{found.id}",
            community_id=company_id, after={"appid": found.appid, "template_id": found.template_id},
        )  # fmt: skip
        return found, openid, (slots.start_at - tx.now).total_seconds()

    found, openid, wait_s = await res.db.transact(reserve)
    await asyncio.sleep(wait_s)
    return _told(await _send(res, found, openid))


async def _send(res: Resources, template: Template, openid: str) -> Outcome:
    app = await apps.app_by_appid(res.db, res.keyring, template.appid)
    wechat, data = api.of(res), data_of(res, template)
    if template.channel is Channel.SUBSCRIPTION:
        return await messages.send_subscription(wechat, app, openid=openid, template_id=template.template_id, data=data)
    key = uuid7(res.clock.now()).hex
    return await messages.send_template(
        wechat, app, openid=openid, template_id=template.template_id, data=data, client_msg_id=key
    )


def data_of(res: Resources, template: Template) -> dict[str, str]:
    """A value for every field: the fixed text, the first that WeChat allows, or one that fits the kind of the key."""
    now = res.clock.now().astimezone(SHANGHAI)
    data = {}
    for key, source in template.fields.items():
        choices, kind = template.allowed.get(key), fields.kind_of(key)
        if source.startswith(FIXED):
            data[key] = source.removeprefix(FIXED)
        elif choices:
            data[key] = choices[0]
        else:
            data[key] = VALUES[kind].format(now=now) if kind else ""
    return data


def _told(outcome: Outcome) -> Told:
    match outcome:
        case Sent():
            return Told(True, None, "微信已接受，请在手机上查看。")
        case Refused(errcode=None):
            return Told(False, None, "没有连上微信，消息没有发出，请稍后再试。")
        case Refused(errcode=int(errcode), text=text):
            return Told(False, errcode, f"{errcodes.advice_of(errcode)}（微信的说明：{errcode} {text}）")
        case _:
            return Told(False, None, "微信没有回答，消息可能已经发出，请在手机上查看。")
