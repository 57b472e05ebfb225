"""Web login of an official account (网页授权, wechat-official-account.md section 4): who opens our page inside WeChat.

Silent (`snsapi_base`): the openid and nothing else. The state comes back from WeChat unchanged and is bound to the
browser that was sent away: it is signed, short-lived, and worth nothing without the cookie of that browser.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode

from backend.kernel import crypto
from backend.kernel.config import Settings
from backend.kernel.crypto import Keyring
from backend.kernel.egress import EgressError
from backend.kernel.errors import Forbidden
from backend.kernel.ids import random_text
from backend.wechat import answers
from backend.wechat.api import WechatApi
from backend.wechat.apps import App
from backend.wechat.errors import WechatError, WechatSilent, for_people
from backend.wechat.sites import is_below

LIFETIME = timedelta(minutes=10)
NONCE_LENGTH = 32


class StateRefused(Forbidden):
    """The state is not ours, too old, or of another browser or page."""

    code = "oauth_state"
    message = "页面已过期，请重新扫码打开。"


class Virtual(Forbidden):
    """WeChat showed a snapshot page: the openid stands for nobody and must not be used to pay or bind."""

    code = "oauth_snapshot"
    message = "请在右下角点“使用完整服务”后再继续。"


@dataclass(frozen=True, slots=True)
class Departure:
    """A browser that is sent to WeChat: where to, and the nonce that its cookie keeps."""

    url: str
    nonce: str


def depart(settings: Settings, keyring: Keyring, app: App, *, back: str, page: str, now: datetime) -> Departure:
    """Send a browser to log in, to come back to the address `back`; `page` is what the state is good for.

    ValueError for an address that is not of this site: a code must never be carried elsewhere.
    """
    if not is_below(back, settings.sites):
        raise ValueError("an address that is not of this site")
    nonce = random_text(NONCE_LENGTH)
    until_s = int((now + LIFETIME).timestamp())
    state = f"{until_s:x}{_seal(keyring, page, nonce, until_s)}"
    # The parameters in this very order: the client wants it.
    query = {
        "appid": app.appid, "redirect_uri": back, "response_type": "code", "scope": "snsapi_base", "state": state,
    }  # fmt: skip
    door = f"{settings.wechat_open_url.rstrip('/')}/connect/oauth2/authorize"
    return Departure(f"{door}?{urlencode(query, quote_via=quote, safe='')}#wechat_redirect", nonce)


def check_state(keyring: Keyring, state: str, *, nonce: str, page: str, now: datetime) -> None:
    """StateRefused unless `state` was given to the browser with this nonce, for this page, within LIFETIME."""
    try:
        until_s = int(state[:8], 16)
    except ValueError as error:
        raise StateRefused from error
    if not crypto.equal(state[8:], _seal(keyring, page, nonce, until_s)) or now.timestamp() > until_s:
        raise StateRefused


def _seal(keyring: Keyring, page: str, nonce: str, until_s: int) -> str:
    return keyring.blind(f"{page}\0{nonce}\0{until_s}", "oauth_state").hex()


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who has opened a page; `unionid` only where WeChat tells it."""

    openid: str
    unionid: str | None


async def visitor_of(api: WechatApi, app: App, *, code: str) -> Visitor:
    """Who is behind a code of the web login: single use, five minutes.

    CodeUsed, CodeRefused, Virtual, TooMany, Unavailable.
    """
    query = {"appid": app.appid, "secret": app.secret, "code": code, "grant_type": "authorization_code"}
    try:
        document = await api.get("/sns/oauth2/access_token", query)
    except WechatError as error:
        raise for_people(error) from error
    except EgressError as error:
        raise WechatSilent(str(error)) from error
    if document.get("is_snapshotuser") == 1:
        raise Virtual
    unionid = document.get("unionid")
    return Visitor(answers.text(document, "openid"), unionid if isinstance(unionid, str) and unionid else None)
