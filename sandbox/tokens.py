"""Server access tokens with their real semantics (protocols/wechat-miniprogram.md section 2).

Classic: every fetch makes a new token, the one before lives five minutes more. Stable: everybody gets the same
token with its remaining life, renewed five minutes before its end; `force_refresh` kills the one before, twenty
times a day and not twice within 30 seconds (within them it refreshes nothing). The two kinds know nothing of each
other.
"""

import secrets
from typing import Any

from aiohttp import web

from sandbox.api_edge import ApiCall, app_by_secret, spend_quota, text_of
from sandbox.errors import ApiError
from sandbox.store import Row
from sandbox.world import World

LIFE_S = 7200
OVERLAP_S = 300
FORCE_SPACING_S = 30
FORCED_PER_DAY = 20
CLASSIC_PER_DAY = 2000
STABLE_PER_DAY = 500_000

NEWEST = "SELECT * FROM tokens WHERE appid = ? AND source = ? AND dead_from_s IS NULL ORDER BY issued_s DESC LIMIT 1"
RETIRE = "UPDATE tokens SET dead_from_s = ? WHERE appid = ? AND source = ? AND dead_from_s IS NULL"
ISSUE = "INSERT INTO tokens (token, appid, source, issued_s, expires_s) VALUES (?, ?, ?, ?, ?)"
KILL = "UPDATE tokens SET dead_from_s = 0 WHERE appid = ?"


async def classic(call: ApiCall) -> dict[str, Any]:
    """GET /cgi-bin/token."""
    query = call.request.query
    if text_of(query, "grant_type") != "client_credential":
        raise ApiError(40002, "invalid grant_type")
    app = app_by_secret(call.world, text_of(query, "appid"), text_of(query, "secret"))
    spend_quota(call.world, app["appid"], "/cgi-bin/token", CLASSIC_PER_DAY)
    with call.world.store.change():
        call.world.store.run(RETIRE, call.world.now_s() + OVERLAP_S, app["appid"], "classic")
        return {"access_token": _issue(call.world, app["appid"], "classic"), "expires_in": LIFE_S}


async def stable(call: ApiCall) -> dict[str, Any]:
    """POST /cgi-bin/stable_token."""
    if text_of(call.body, "grant_type") != "client_credential":
        raise ApiError(40002, "invalid grant_type")
    app = app_by_secret(call.world, text_of(call.body, "appid"), text_of(call.body, "secret"))
    spend_quota(call.world, app["appid"], "/cgi-bin/stable_token", STABLE_PER_DAY)
    world, appid, now_s = call.world, app["appid"], call.world.now_s()
    newest = world.store.row(NEWEST, appid, "stable")
    with world.store.change():
        if newest is not None and call.body.get("force_refresh") is True:
            newest = _refreshed(world, newest)
        if newest is None or newest["expires_s"] - now_s <= OVERLAP_S:
            return {"access_token": _issue(world, appid, "stable"), "expires_in": LIFE_S}
    return {"access_token": newest["token"], "expires_in": int(newest["expires_s"] - now_s)}


async def stable_by_get(call: ApiCall) -> dict[str, Any]:
    """GET /cgi-bin/stable_token is refused."""
    raise ApiError(43002, "require POST method")


def _refreshed(world: World, newest: Row) -> Row | None:
    """None where `force_refresh` took the newest token away; the same token within 30 seconds of its issue."""
    if world.now_s() - newest["issued_s"] < FORCE_SPACING_S:
        return newest
    spend_quota(world, newest["appid"], "force_refresh", FORCED_PER_DAY)
    world.store.run(RETIRE, world.now_s(), newest["appid"], "stable")
    return None


def _issue(world: World, appid: str, source: str) -> str:
    token, now_s = "100_" + secrets.token_urlsafe(96), world.now_s()
    world.store.run(ISSUE, token, appid, source, now_s, now_s + LIFE_S)
    world.store.count("tokens issued")
    return token


def app_of(world: World, request: web.Request, *, kind: str) -> Row:
    """The app whose `access_token` the call carries; ApiError 41001, 40014, 40001, 42001; 48001 for a wrong kind."""
    token = request.query.get("access_token", "")
    if not token:
        raise ApiError(41001, "access_token missing")
    if len(token) < 20:
        raise ApiError(40014, "invalid access_token")
    row = world.store.row("SELECT * FROM tokens WHERE token = ?", token)
    now_s = world.now_s()
    if row is None or (row["dead_from_s"] is not None and row["dead_from_s"] <= now_s):
        raise ApiError(40001, "invalid credential, access_token is invalid or not latest")
    if row["expires_s"] <= now_s:
        raise ApiError(42001, "access_token expired")
    app = world.store.row("SELECT * FROM apps WHERE appid = ?", row["appid"])
    if app is None:
        raise ApiError(40001, "invalid credential, access_token is invalid or not latest")
    if app["kind"] != kind:
        raise ApiError(48001, "api unauthorized")
    return app


def invalidate(world: World, appid: str) -> int:
    """Kill every token of the app at once; returns how many there were."""
    return world.store.run(KILL, appid)
