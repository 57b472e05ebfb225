"""The edge of WeChat Pay v3: authenticate, act, answer signed, and misbehave where a script says so.

Every answer is signed with the key that the merchant's mode and the request's `Wechatpay-Serial` ask for. A
truncated answer is signed over the bytes that are sent, so that only its JSON is broken; one with yesterday's
serial is signed with the right key, so that only the serial is wrong.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sandbox import merchants, pay_auth
from sandbox.errors import PayError
from sandbox.merchants import Merchant
from sandbox.pay_books import to_json
from sandbox.world import WORLD, World

HANG_AT_MOST_S = 30.0
YESTERDAYS_SERIAL = "2000000000000000000000000000000000000E57"
FIXED_HEADERS = {
    "Content-Language": "zh-CN",
    "Cache-Control": "no-cache, must-revalidate",
    "X-Content-Type-Options": "nosniff",
    "Server": "nginx",
}


REFUSALS = {
    "500": (500, "SYSTEM_ERROR", "系统异常，请稍后重试", 0),
    "429": (429, "FREQUENCY_LIMITED", "频率超限，请降低请求频率后重试", 268447840),
    "FREQUENCY_LIMITED": (429, "FREQUENCY_LIMITED", "频率超限，请稍后用原参数重试", 268447840),
    "NOT_ENOUGH": (403, "NOT_ENOUGH", "基本账户余额不足，请充值后重新发起", 0),
    "USER_ACCOUNT_ABNORMAL": (403, "USER_ACCOUNT_ABNORMAL", "用户账户异常或已注销", 0),
}


@dataclass(frozen=True, slots=True)
class PayCall:
    """One authenticated request."""

    world: World
    request: web.Request
    merchant: Merchant
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answers; `payload` None is an empty body (204)."""

    payload: dict[str, Any] | None
    status: int = 200
    number: int = 0


Act = Callable[[PayCall], Awaitable[Answer | web.Response]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def pay_route(act: Act, *, script: str | None = None) -> Handler:
    """A handler that authenticates, acts and signs; `script` names the list of scripted behaviours it follows."""

    async def handle(request: web.Request) -> web.StreamResponse:
        world = request.app[WORLD]
        body = await request.read()
        merchant: Merchant | None = None
        behaviour: Any = None
        try:
            merchant = pay_auth.authenticate(world, request, body)
            behaviour = world.hostile.next_behaviour(script, request.path) if script else None
            if behaviour == "hang":
                return await hang(request)
            if behaviour == "cut":
                return cut(request)
            _refuse_as_scripted(behaviour)
            answer = await act(PayCall(world, request, merchant, body))
            if behaviour == "act_then_500":
                raise PayError(500, "SYSTEM_ERROR", "系统异常，请稍后重试")
        except PayError as error:
            answer = _refusal(error)
        if behaviour == "act_then_hang":
            return await hang(request)
        if behaviour == "act_then_cut":
            return cut(request)
        if behaviour == "late":
            await asyncio.sleep(world.hostile.scenario.late_s)
        if isinstance(answer, web.Response):
            return answer
        return _signed(world, request, merchant, answer, behaviour)

    return handle


def _refuse_as_scripted(behaviour: Any) -> None:
    if behaviour in REFUSALS:
        status, code, message, number = REFUSALS[behaviour]
        raise PayError(status, code, message, number=number)


def _refusal(error: PayError) -> Answer:
    payload: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.detail is not None:
        payload["detail"] = error.detail
    return Answer(payload, error.status, error.number)


def _signed(
    world: World, request: web.Request, merchant: Merchant | None, answer: Answer, behaviour: object
) -> web.Response:
    body = b"" if answer.payload is None else to_json(answer.payload).encode()
    if behaviour == "truncated":
        body = body[: len(body) // 2]
    signer = merchants.response_signer(world.keys, merchant, request.headers.get("Wechatpay-Serial"))
    headers = pay_auth.signed_headers(signer, world.now_s(), body, probe=world.hostile.wants_signtest())
    if behaviour == "bad_signature":
        headers["Wechatpay-Signature"] = pay_auth.spoiled(headers["Wechatpay-Signature"])
    if behaviour == "old_serial":
        headers["Wechatpay-Serial"] = YESTERDAYS_SERIAL
    headers["Request-ID"] = f"08{secrets.token_hex(16).upper()}-{answer.number}"
    response = web.Response(status=answer.status, body=body, headers={**FIXED_HEADERS, **headers})
    if body:
        response.content_type = "application/json"
        response.charset = "utf-8"
    return response


def cut(request: web.BaseRequest) -> web.Response:
    """Break the connection off without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def hang(request: web.BaseRequest) -> web.Response:
    """Hold the connection without a word until the client leaves, or for 30 seconds; then cut it."""
    until = time.monotonic() + HANG_AT_MOST_S
    while time.monotonic() < until:
        if request.transport is None or request.transport.is_closing():
            break
        await asyncio.sleep(0.05)
    return cut(request)
