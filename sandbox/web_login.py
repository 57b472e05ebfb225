"""Web login of an official account (OAuth 2, protocols/wechat-official-account.md section 4).

The real page is open inside WeChat, which knows its user. Here a cookie says who holds the phone; without one the page
asks. The address to return to has to be on the account's web domain, or, where none is set, on this machine.
"""

import ipaddress
import secrets
from html import escape
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from aiohttp import web

from sandbox import users
from sandbox.api_edge import ApiCall, app_by_secret, text_of
from sandbox.cashier import page, text
from sandbox.errors import ApiError
from sandbox.store import Row
from sandbox.world import WORLD, World

COOKIE = "sandbox_user"
ORDER = ["appid", "redirect_uri", "response_type", "scope", "state"]
BASE = "snsapi_base"
SCOPES = (BASE, "snsapi_userinfo")
SNAPSHOT = "snapshot"
TOKEN_LIFE_S = 7200


async def authorize(request: web.Request) -> web.StreamResponse:
    """GET /connect/oauth2/authorize: sends the browser back with a code, silently once it is known who holds it."""
    world = request.app[WORLD]
    query = request.query
    app = world.store.row("SELECT * FROM apps WHERE appid = ? AND kind = 'official'", query.get("appid", ""))
    if app is None:
        return page(400, "无法登录", text("appid 参数错误：没有这个公众号。"))
    if [name for name in query if name in ORDER] != ORDER[: 5 if "state" in query else 4]:
        return page(400, "无法登录", text("参数缺失，或次序不是 appid、redirect_uri、response_type、scope、state。"))
    if query["response_type"] != "code" or query["scope"] not in SCOPES:
        return page(400, "无法登录", text("scope 参数错误，或没有 scope 权限。"))
    back = query["redirect_uri"]
    if not _may_return(request, app, back):
        return page(400, "无法登录", text("redirect_uri 域名与后台配置不一致，错误码：10003。"))
    user_id = request.cookies.get(COOKIE, "")
    if world.store.row("SELECT 1 FROM users WHERE user_id = ?", user_id) is None:
        return page(200, "谁在用这部手机？", _everybody(world, request))
    code = users.new_code(world, user_id, app["appid"], query["scope"])
    joint = "&" if urlsplit(back).query else "?"
    raise web.HTTPFound(f"{back}{joint}{urlencode({'code': code, 'state': query.get('state', '')})}")


def _may_return(request: web.Request, app: Row, back: str) -> bool:
    parts = urlsplit(back)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return False
    if app["web_domain"]:
        return parts.netloc == str(app["web_domain"])
    return parts.hostname in ("localhost", urlsplit(f"//{request.host}").hostname) or _is_loopback(parts.hostname)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _everybody(world: World, request: web.Request) -> str:
    back = quote(request.path_qs, safe="")
    links = [
        f'<p><a class="button cancel" href="/connect/oauth2/user?user_id={quote(row["user_id"])}&amp;next={back}">'
        f"{escape(row['nickname'])}　{escape(row['phone'])}</a></p>"
        for row in world.store.rows("SELECT * FROM users ORDER BY nickname, user_id")
    ]
    return "".join(links) or text("沙箱里还没有微信用户。")


async def choose(request: web.Request) -> web.StreamResponse:
    """GET /connect/oauth2/user?user_id=&next=: from now on this browser is that user's."""
    target = request.query.get("next", "")
    if not target.startswith("/connect/"):
        target = "/connect/oauth2/authorize"
    answer = web.HTTPFound(target)
    answer.set_cookie(COOKIE, request.query.get("user_id", ""), httponly=True, samesite="Lax")
    raise answer


async def access_token(call: ApiCall) -> dict[str, Any]:
    """GET /sns/oauth2/access_token: who it is; the token is not the one of the server's API."""
    query, world = call.request.query, call.world
    app = app_by_secret(world, text_of(query, "appid"), text_of(query, "secret"))
    if text_of(query, "grant_type") != "authorization_code":
        raise ApiError(40002, "invalid grant_type")
    if not text_of(query, "code"):
        raise ApiError(41008, "missing code")
    code = world.store.row("SELECT * FROM codes WHERE code = ?", text_of(query, "code"))
    if code is None or code["appid"] != app["appid"] or code["purpose"] not in (*SCOPES, SNAPSHOT):
        raise ApiError(40029, "invalid code")
    if code["used_s"] is not None:
        raise ApiError(40163, "code been used")
    if world.now_s() - code["created_s"] > users.CODE_LIFE_S:
        raise ApiError(42003, "code expired")
    users.use_up(world, code)
    return {
        "access_token": "90_" + secrets.token_urlsafe(64),
        "expires_in": TOKEN_LIFE_S,
        "refresh_token": "90_" + secrets.token_urlsafe(64),
        **_identity(world, app, code),
    }


def _identity(world: World, app: Row, code: Row) -> dict[str, Any]:
    if code["purpose"] == SNAPSHOT:
        return {"openid": "o" + secrets.token_urlsafe(21)[:27], "scope": BASE, "is_snapshotuser": 1}
    openid = users.openid_of(world, code["user_id"], app["appid"])
    unionid = users.unionid_of(app, code["user_id"]) if code["purpose"] != BASE else None
    return {"openid": openid, "scope": code["purpose"], **({"unionid": unionid} if unionid else {})}
