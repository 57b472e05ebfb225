"""Calls of an official account: who a follower is, and codes that carry a scene (official account sections 3 and 7)."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from backend.kernel.config import Settings
from backend.kernel.egress import EgressError
from backend.wechat import answers
from backend.wechat.api import WechatApi
from backend.wechat.apps import App
from backend.wechat.errors import WechatSilent


@dataclass(frozen=True, slots=True)
class Follower:
    """Whether somebody follows now; `unionid` only where the account is bound to an Open Platform account (E15)."""

    follows: bool
    unionid: str | None


@dataclass(frozen=True, slots=True)
class Code:
    """A code with a scene: its ticket, and the content to draw."""

    ticket: str
    content: str


async def follower(api: WechatApi, app: App, *, openid: str) -> Follower:
    """What WeChat knows of an openid of the account; WechatError, Unavailable."""
    try:
        found = await api.ask(app, "/cgi-bin/user/info", {"openid": openid, "lang": "zh_CN"})
    except EgressError as error:
        raise WechatSilent(str(error)) from error
    unionid = found.get("unionid")
    return Follower(found.get("subscribe") == 1, unionid if isinstance(unionid, str) and unionid else None)


async def scene_code(api: WechatApi, app: App, *, scene: str, lifetime_s: int) -> Code:
    """A temporary code: whoever scans it brings `scene` (1 to 64 characters); WechatError, Unavailable."""
    wanted: dict[str, Any] = {
        "expire_seconds": lifetime_s,
        "action_name": "QR_STR_SCENE",
        "action_info": {"scene": {"scene_str": scene}},
    }
    try:
        made = await api.post(app, "/cgi-bin/qrcode/create", wanted)
    except EgressError as error:
        raise WechatSilent(str(error)) from error
    return Code(answers.text(made, "ticket"), answers.text(made, "url"))


def picture_url(settings: Settings, ticket: str) -> str:
    """Where WeChat shows the code of a ticket as a picture."""
    return f"{settings.wechat_mp_url.rstrip('/')}/cgi-bin/showqrcode?ticket={quote(ticket, safe='')}"
