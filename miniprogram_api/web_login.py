"""Logging in silently on a page that is open in the official account (网页授权登录), and going on to the page (R10).

`GET /p/login/{appid}?back=…` sends the browser to WeChat; what comes back is bound to that browser, that account and
that page. Snapshot pages stand for nobody (pitfalls E16). The session is kept by a cookie that no script reads; the API
takes it as it takes the mini-program's token (backend/kernel/cookies.py). `POST /api/v1/logout` ends it.
"""

import asyncio
import re
from urllib.parse import quote, urlencode

from pydantic import Field

from backend.identity import sessions, web_logins
from backend.identity.web_logins import Ended, NotLinked
from backend.kernel import cookies
from backend.kernel.auth import PUBLIC
from backend.kernel.db import Tx
from backend.kernel.errors import BadRequest, Forbidden, Invalid, NotFound, TooMany, Unavailable
from backend.kernel.http import Reply, Route
from backend.kernel.ratelimit import Rule
from backend.wechat import api, apps, official
from backend.wechat.apps import App, AppKind
from backend.wechat.errors import CodeUsed
from miniprogram_api import scanning
from miniprogram_api.scan_views import Words
from miniprogram_api.scanning import Browser, Handler, Scan, WechatReturn

# Residents of one telephone company share addresses.
RATE = Rule("web.login", count=300, period_s=60, strict=True)
ADDRESS = re.compile(r"[!-\[\]-~]{1,1000}")
WAITS, WAIT_S = 30, 0.1
WORDS = Words(
    title="微信登录",
    back="重新登录",
    paid="",
    trouble="暂时不能登录",
    unknown_code="这个登录入口已失效，请从公众号菜单重新进入。",
    being_paid="",
)


class NotInWechat(Forbidden):
    """WeChat logs in its own browser alone."""

    code = "not_in_wechat"
    message = "请在微信里打开这个页面：从公众号的菜单或消息进入。"


class BackQuery(WechatReturn):
    """`back`: the page to be sent on to, as an address of this site or as its path."""

    back: str = Field("/", max_length=1000)


async def leave(call: Scan) -> Reply:
    """GET /p/login/{appid}: to WeChat."""
    if scanning.browser(call) is not Browser.WECHAT:
        raise NotInWechat
    app, back = await _account(call), _back(call)
    address = f"{cookies.site(call.res.settings, call.headers)}/p/login/{app.appid}/return?{urlencode({'back': back})}"
    return scanning.to_wechat(call, app, back=address, code=_page(app, back))


async def come_back(call: Scan) -> Reply:
    """GET /p/login/{appid}/return: WeChat says who it is, to the browser that we have sent there."""
    app, back = await _account(call), _back(call)
    given = scanning.came_back(call, code=_page(app, back))
    ended = await _again(call, given)
    if ended is None:
        try:
            ended = await _ask(call, app, given)
        except CodeUsed:
            ended = await _first(call, given)
    if ended.session is None:
        raise NotLinked
    lifetime_s = int(sessions.LIFETIME["resident"].total_seconds())
    kept = cookies.setting(
        call.res.settings, call.headers, cookies.SESSION_COOKIE, ended.session.token, path=cookies.SESSION_PATH,
        max_age_s=lifetime_s,
    )  # fmt: skip
    return Reply(302, headers={"Location": back, "Set-Cookie": kept})


async def _again(call: Scan, given: WechatReturn) -> Ended | None:
    async def work(tx: Tx) -> Ended | None:
        return await web_logins.again(tx, state=given.state)

    return await call.res.db.transact(work)


async def _ask(call: Scan, app: App, given: WechatReturn) -> Ended:
    who = await official.visitor_of(api.of(call.res), app, code=given.code)

    async def work(tx: Tx) -> Ended:
        return await web_logins.finish(
            tx, state=given.state, appid=app.appid, openid=who.openid, unionid=who.unionid
        )  # fmt: skip

    return await call.res.db.transact(work)


async def _first(call: Scan, given: WechatReturn) -> Ended:
    """What the request has come to that used the code before this one; CodeUsed where none is known of."""
    for _ in range(WAITS):
        ended = await _again(call, given)
        if ended is not None:
            return ended
        await asyncio.sleep(WAIT_S)
    raise CodeUsed


async def _account(call: Scan) -> App:
    app = await apps.app_by_appid(call.res.db, call.res.keyring, call.path["appid"])
    if app.kind is not AppKind.OFFICIAL:
        raise NotFound
    return app


def _back(call: Scan) -> str:
    """The whole address of the page, which is of the site by which the browser came; BadRequest for any other."""
    site, wanted = cookies.site(call.res.settings, call.headers), _wanted(call)
    address = site + wanted if wanted.startswith("/") and not wanted.startswith("//") else wanted
    if not ADDRESS.fullmatch(wanted) or not address.startswith(f"{site}/"):
        raise BadRequest("登录后只能回到本站的页面。", code="foreign_page")
    return address


def _page(app: App, back: str) -> str:
    """What a state is good for."""
    return f"login {app.appid} {back}"


def _wanted(call: Scan) -> str:
    assert isinstance(call.query, BackQuery)
    return call.query.back


def _path(call: Scan) -> str:
    return f"/p/login/{quote(call.path['appid'], safe='')}?{urlencode({'back': _wanted(call)})}"


def _handled(handler: Handler) -> Handler:
    return scanning.page(RATE, handler, words=WORDS, back=_path)


_LOGIN = "/p/login/{appid}"
_ERRORS = (BadRequest, Forbidden, Invalid, NotFound, TooMany, Unavailable)

ROUTES: tuple[Route, ...] = (
    Route("GET", _LOGIN, _handled(leave), PUBLIC, "公众号网页登录：去微信授权", query=BackQuery, status=302,
          errors=_ERRORS, raw=True),
    Route("GET", f"{_LOGIN}/return", _handled(come_back), PUBLIC, "公众号网页登录：从微信返回", query=BackQuery,
          status=302, errors=_ERRORS, raw=True),
)  # fmt: skip
