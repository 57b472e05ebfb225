"""The edge of api.weixin.qq.com: refusals are HTTP 200 with `errcode`, `errmsg` ends in a rid, quotas are counted.

Scripted behaviour, of the lists `messages` and `token` or of a path in `calls`: {"errcode": n} refuses, "500" fails,
"hang" keeps silent, "cut" breaks off; "act_then_hang" and "act_then_cut" act first.
"""

import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sandbox import clock
from sandbox.errors import ApiError
from sandbox.pay_edge import Handler, cut, hang
from sandbox.store import Row
from sandbox.world import WORLD, World

OK = {"errcode": 0, "errmsg": "ok"}
ERROR_TEXTS = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest",
    40014: "invalid access_token",
    40164: "invalid ip 127.0.0.1, not in whitelist",
    42001: "access_token expired",
    43004: "require subscribe",
    43101: "user refuse to accept the msg",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
}


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One call with its JSON body (empty for GET)."""

    world: World
    request: web.Request
    body: dict[str, Any]


Act = Callable[[ApiCall], Awaitable[dict[str, Any] | web.StreamResponse]]


def api_route(act: Act, *, script: str | None = None) -> Handler:
    """A handler that parses, acts and puts refusals into WeChat's form."""

    async def handle(request: web.Request) -> web.StreamResponse:
        world = request.app[WORLD]
        scripted = world.hostile.next_behaviour(script) if script else None
        behaviour = scripted or world.hostile.next_call(request.path)
        if behaviour == "hang":
            return await hang(request)
        if behaviour == "cut":
            return cut(request)
        if behaviour == "500":
            return web.Response(status=500, text="system error")
        answer: dict[str, Any] | web.StreamResponse
        try:
            if isinstance(behaviour, dict):
                errcode = behaviour["errcode"]
                raise ApiError(errcode, behaviour.get("errmsg") or ERROR_TEXTS.get(errcode, "scripted refusal"))
            answer = await act(ApiCall(world, request, await _body(request)))
        except ApiError as error:
            answer = {"errcode": error.errcode, "errmsg": f"{error.errmsg} rid: {_rid(world)}"}
        if behaviour == "act_then_hang":
            return await hang(request)
        if behaviour == "act_then_cut":
            return cut(request)
        if isinstance(answer, web.StreamResponse):
            return answer
        return web.json_response(answer, dumps=_dumps)

    return handle


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _rid(world: World) -> str:
    return f"{int(world.now_s()):08x}-{secrets.token_hex(4)}-{secrets.token_hex(4)}"


async def _body(request: web.Request) -> dict[str, Any]:
    if request.method != "POST":
        return {}
    try:
        value = json.loads(await request.read())
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ApiError(47001, "data format error") from error
    if not isinstance(value, dict):
        raise ApiError(47001, "data format error")
    return value


def text_of(values: Any, name: str) -> str:
    """A parameter as text; empty where it is missing or no text."""
    value = values.get(name)
    return value if isinstance(value, str) else ""


def app_by_secret(world: World, appid: str, secret: str) -> Row:
    """The app with these credentials; ApiError 41002, 41004, 40013 or 40125 otherwise."""
    if not appid:
        raise ApiError(41002, "appid missing")
    if not secret:
        raise ApiError(41004, "appsecret missing")
    app = world.store.row("SELECT * FROM apps WHERE appid = ?", appid)
    if app is None:
        raise ApiError(40013, "invalid appid")
    if app["secret"] != secret:
        raise ApiError(40125, "invalid appsecret")
    return app


def spend_quota(world: World, appid: str, api: str, most_per_day: int) -> None:
    """Count one call of the app's day (Asia/Shanghai); ApiError 45009 above the quota."""
    used = world.store.count(f"quota {clock.day_of(world.now_s())} {appid} {api}")
    if used > world.hostile.quota(api, most_per_day):
        raise ApiError(45009, "reach max api daily quota limit")
