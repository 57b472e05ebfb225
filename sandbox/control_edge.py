"""The edge of the control API: JSON without login, for callers on the loopback alone.

Refusals are `{"error": {"code", "message"}}` with 400, 403, 404 or 409; unknown keys are refused, so that a mistyped
switch does not look like a friendly channel.
"""

import ipaddress
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from sandbox.errors import ControlError
from sandbox.pay_edge import Handler
from sandbox.world import WORLD, World

Act = Callable[[World, web.Request, dict[str, Any]], Awaitable[Any]]


def control_route(act: Act) -> Handler:
    """A handler that lets loopback callers act."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            _check_caller(request)
            answer = await act(request.app[WORLD], request, await _body(request))
        except ControlError as error:
            failure = {"error": {"code": error.code, "message": error.message}}
            return web.json_response(failure, status=error.status, dumps=_dumps)
        return web.json_response(answer, dumps=_dumps)

    return handle


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _check_caller(request: web.Request) -> None:
    if request.remote is None or not ipaddress.ip_address(request.remote).is_loopback:
        raise ControlError(403, "not_local", "the control API answers callers on this machine only")


async def _body(request: web.Request) -> dict[str, Any]:
    raw = await request.read()
    if not raw:
        return {}
    try:
        value = json.loads(raw)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ControlError(400, "bad_json", f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ControlError(400, "bad_json", "the body is a JSON object")
    return value


def take(body: dict[str, Any], *required: str, **optional: Any) -> dict[str, Any]:
    """The body's values with defaults for what is optional; ControlError 400 for missing and unknown keys."""
    missing = [name for name in required if name not in body]
    unknown = sorted(set(body) - set(required) - set(optional))
    if missing or unknown:
        raise ControlError(400, "wrong_keys", f"missing: {missing}, unknown: {unknown}")
    return {**optional, **body}


def asked(request: web.Request, name: str) -> str:
    """A required query parameter; ControlError 400 where it is missing."""
    value = request.query.get(name, "")
    if not value:
        raise ControlError(400, "missing_query", f"query parameter {name} is missing")
    return value
