"""Template messages of the official account and subscription messages of the mini-program (模板消息、订阅消息).

One call, one outcome, as data: accepted, refused with what that means, or unknown. Nothing is repeated here but the one
repetition after a refused token, which WeChat had not acted upon. A template message carries our key as `client_msg_id`
and may be repeated within ten minutes; a subscription message has no such key.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from backend.kernel.egress import EgressError
from backend.wechat.api import WechatApi
from backend.wechat.apps import App
from backend.wechat.errcodes import Meaning
from backend.wechat.errors import (
    Outcome,
    Refused,
    Sent,
    TokenUnavailable,
    Unknown,
    WechatError,
    WechatUnreadable,
)


class Page(NamedTuple):
    """Where a tap leads: a page of a mini-program that is linked to the account."""

    appid: str
    path: str


async def send_template(
    api: WechatApi,
    app: App,
    *,
    openid: str,
    template_id: str,
    data: Mapping[str, str],
    client_msg_id: str,
    page: Page | None = None,
) -> Outcome:
    """Send to a follower of the official account `app` (wechat-official-account.md section 2)."""
    document: dict[str, Any] = {
        "touser": openid,
        "template_id": template_id,
        "data": _values(data),
        "client_msg_id": client_msg_id,
    }
    if page is not None:
        document["miniprogram"] = {"appid": page.appid, "pagepath": page.path}
    return await outcome_of(api, app, "/cgi-bin/message/template/send", document)


async def send_subscription(
    api: WechatApi, app: App, *, openid: str, template_id: str, data: Mapping[str, str], page: str | None = None
) -> Outcome:
    """Send to a user of the mini-program `app` who has a subscription left (wechat-miniprogram.md section 4.2)."""
    document: dict[str, Any] = {"touser": openid, "template_id": template_id, "data": _values(data)}
    if page is not None:
        document["page"] = page
    return await outcome_of(api, app, "/cgi-bin/message/subscribe/send", document)


async def token_refusal(api: WechatApi, app: App) -> Refused | None:
    """Why no call can be made for the account at present; None when it has a token."""
    try:
        await api.prepare(app)
    except WechatError as error:
        return Refused(error.meaning, error.errcode, error.text)
    except TokenUnavailable as error:
        return Refused(Meaning.RETRY, None, str(error))
    return None


async def outcome_of(api: WechatApi, app: App, path: str, document: dict[str, Any]) -> Outcome:
    """Make one sending call and say what became of it; never raises for what WeChat does or leaves undone."""
    try:
        answer = await api.post(app, path, document)
    except WechatError as error:
        return Refused(error.meaning, error.errcode, error.text)
    except TokenUnavailable as error:
        return Refused(Meaning.RETRY, None, str(error))
    except EgressError as error:
        return Unknown(str(error)) if error.sent else Refused(Meaning.RETRY, None, str(error))
    except WechatUnreadable as error:
        return Unknown(str(error))
    msgid = answer.get("msgid")
    return Sent(str(msgid) if msgid is not None else None)


def _values(data: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {key: {"value": value} for key, value in data.items()}
