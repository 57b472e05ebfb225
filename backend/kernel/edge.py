"""The HTTP edge: limits, request ids, principals, parsing, errors. The one broad `except` of the API stands here.

Every answer is either a declared model, a `Reply`, or `{"error": {code, message, request_id, details}}`. Nothing that
fails before the commit is acknowledged; an unexpected error is logged with its request id and answered as 500.
"""

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel, ValidationError
from sanic import HTTPResponse, Request, Sanic
from sanic.exceptions import MethodNotAllowed, PayloadTooLarge, SanicException
from sanic.exceptions import NotFound as RouteNotFound
from sanic.response import raw as raw_response

from backend.kernel import cookies, log, metrics, multipart, problems
from backend.kernel.auth import ANONYMOUS, PUBLIC, Nonce, Principal, SignedRequest
from backend.kernel.errors import AppError, BadRequest, Forbidden, Invalid, NotFound, TooLarge, Unavailable
from backend.kernel.failpoints import failpoint
from backend.kernel.http import Call, Reply, Route, Stream
from backend.kernel.resources import Resources

Authenticate = Callable[[Resources, str, str], Awaitable[Principal]]
Verify = Callable[[Resources, SignedRequest, str], Awaitable[tuple[Principal, Nonce]]]
Spend = Callable[[Resources, Nonce], Awaitable[None]]
SIGNED_SCHEME = "linli-hmac-sha256"
MAX_BODY = 1 << 20
MAX_DEPTH = 20
_REQUEST_ID = re.compile(r"[0-9A-Za-z_.-]{8,64}")
_KEY = re.compile(r"[\x21-\x7e]{1,64}")
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Doors:
    """How a principal is known: by a token, in the header or in a browser's cookie, or by a request's signature.

    `spend` keeps the nonce of a signed request, or raises Unauthenticated where it has been heard before.
    """

    authenticate: Authenticate
    verify: Verify
    spend: Spend


_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
logger = log.get_logger("http")


def attach(app: Sanic[Any, Any], routes: Iterable[Route], res: Resources, doors: Doors) -> None:
    """Give every route to Sanic. A route without a permission does not start (ValueError)."""
    app.config.REQUEST_MAX_SIZE = MAX_BODY
    app.config.REQUEST_MAX_HEADER_SIZE = 16_384
    app.config.REQUEST_TIMEOUT = 30
    app.config.RESPONSE_TIMEOUT = 60
    app.config.KEEP_ALIVE_TIMEOUT = 30
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = 20.0
    app.config.AUTO_OPTIONS = False
    app.error_handler.add(Exception, _on_error)
    for route in routes:
        if not route.permission:
            raise ValueError(f"{route.method} {route.path} declares no permission")
        app.add_route(
            _handler_of(route, res, doors),
            route.template,
            methods=[route.method],
            name=re.sub(r"\W+", "_", f"{route.method}_{route.path}"),
            stream=route.upload_bytes is not None,
            # Errors are answered here; told nothing, Sanic reads and parses the handler's source for each route.
            error_format="json",
        )


def _handler_of(route: Route, res: Resources, doors: Doors) -> Callable[..., Coroutine[Any, Any, HTTPResponse | None]]:
    deadline_s = None if route.upload_bytes else res.settings.request_timeout_s

    async def handle(request: Request, **path: str) -> HTTPResponse | None:
        request_id = request_id_of(request)
        started = time.monotonic()
        status, response = 500, None
        with log.bound(request_id=request_id):
            try:
                async with asyncio.timeout(deadline_s):
                    answer = await _answer(route, res, doors, request, request_id, path)
                if isinstance(answer, Stream):
                    status = 200
                    await _send(request, answer, request_id)
                else:
                    response = _response(route, answer)
            except AppError as error:
                response = error_response(error, request_id)
            except TimeoutError:
                response = error_response(Unavailable("处理超时，请稍后再试。", code="timed_out"), request_id)
            except Exception:  # house: the HTTP edge
                logger.exception("request_failed", route=route.path)
                response = error_response(AppError(), request_id)
            status = status if response is None else response.status
            seconds = time.monotonic() - started
            metrics.http_request_s.labels(route.method, route.path, str(status)).observe(seconds)
            logger.info("request", method=route.method, route=route.path, status=status, ms=round(seconds * 1000, 1))
        return None if response is None else _finish(response, request_id)

    return handle


async def _answer(
    route: Route,
    res: Resources,
    doors: Doors,
    request: Request,
    request_id: str,
    path: Mapping[str, str],
) -> BaseModel | Reply | Stream:
    client_ip = client_ip_of(request, res.settings.trusted_proxies)
    principal, nonce = await _principal(route, res, doors, request, request_id)
    if route.rate is not None:
        await res.limiter.check(route.rate, str(principal.id or client_ip))
    principal.may(route.permission)
    if route.creates and not _KEY.fullmatch(request.headers.get("idempotency-key", "")):
        raise BadRequest("缺少 Idempotency-Key 请求头（1 到 64 个可见字符）。", code="idempotency_key_required")
    raw = await _body(route, request)
    call: Call[Any, Any] = Call(
        principal=principal,
        res=res,
        route=route,
        ids={name: _uuid(value) for name, value in path.items() if name.endswith("_id")},
        path=path,
        body=_parse_body(route, raw),
        query=_parse_query(route, request),
        raw=raw,
        headers=request.headers,
        client_ip=client_ip,
        request_id=request_id,
        nonce=nonce,
    )
    answer = await route.handler(call)
    if nonce is not None and not nonce.spent:
        raise RuntimeError(f"{route.path} has not kept the nonce of its request")
    await failpoint("http.before_answer")
    return answer


async def _principal(
    route: Route, res: Resources, doors: Doors, request: Request, request_id: str
) -> tuple[Principal, Nonce | None]:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == SIGNED_SCHEME:
        if route.upload_bytes is not None:
            # What streams in is not read before it is known who sends it.
            raise Forbidden
        target = request.path + (f"?{request.query_string}" if request.query_string else "")
        signed = SignedRequest(request.method, target, given.strip(), request.body or b"")
        principal, nonce = await doors.verify(res, signed, request_id)
        if not route.spends_nonce:
            await doors.spend(res, nonce)
        return principal, nonce
    token = given.strip() if scheme.lower() == "bearer" else ""
    if not scheme and route.permission != PUBLIC:
        token = cookies.session_token(res.settings, request.method, request.path, request.headers)
    return (await doors.authenticate(res, token, request_id) if token else ANONYMOUS), None


async def _body(route: Route, request: Request) -> bytes:
    if route.upload_bytes is None:
        return request.body or b""
    bound = route.upload_bytes + (multipart.OVERHEAD_BYTES if route.form else 0)
    chunks, size = [], 0
    while (chunk := await request.stream.read()) is not None:  # type: ignore[union-attr]
        size += len(chunk)
        if size > bound:
            raise TooLarge(f"文件太大，最多 {route.upload_bytes >> 20} MB。", code="file_too_large")
        chunks.append(chunk)
    body = b"".join(chunks)
    return multipart.the_file(request.headers.get("content-type", ""), body) if route.form else body


def _parse_body(route: Route, raw: bytes) -> BaseModel | None:
    if route.body is None:
        if raw.strip() and not route.raw and route.upload_bytes is None and raw.strip() != b"{}":
            raise BadRequest("此操作不需要请求内容。", code="unexpected_body")
        return None
    try:
        value = orjson.loads(raw or b"{}")
    except orjson.JSONDecodeError as error:
        raise BadRequest("请求内容不是有效的 JSON。", code="malformed_json") from error
    if not _shallow(value):
        raise BadRequest("请求内容的嵌套层数太多。", code="json_too_deep")
    if b"\\u0000" in raw:
        raise _nul_character()
    try:
        return route.body.model_validate_json(raw or b"{}")
    except ValidationError as error:
        raise Invalid(fields=_problems(error)) from error


def _parse_query(route: Route, request: Request) -> BaseModel | None:
    if not request.query_string and route.query is None:
        return None
    given = {name: values[0] for name, values in request.args.items()}
    if any(len(values) > 1 for values in request.args.values()):
        raise BadRequest("同一个查询参数只能出现一次。", code="repeated_parameter")
    if any("\0" in value for value in given.values()):
        raise _nul_character()
    if route.query is None:
        if given and not route.raw:
            raise BadRequest("此操作没有查询参数。", code="unexpected_parameter")
        return None
    try:
        return route.query.model_validate_strings(given)
    except ValidationError as error:
        raise Invalid(fields=_problems(error)) from error


def _nul_character() -> BadRequest:
    """PostgreSQL keeps no text with a NUL in it."""
    return BadRequest("请求内容里有不能保存的控制字符。", code="nul_character")


def _shallow(value: Any) -> bool:
    """Whether `value` is nested at most MAX_DEPTH levels; iterative, so that depth cannot exhaust the stack."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return True
    return False


def _problems(error: ValidationError) -> list[dict[str, str]]:
    """Field, kind and text of every problem; never the value, which may be personal data."""
    return [
        {"field": ".".join(map(str, item["loc"])), "kind": item["type"], "message": problems.sentence(item)}
        for item in error.errors(include_input=False, include_url=False)[:50]
    ]


def _uuid(text: str) -> UUID:
    try:
        value = UUID(text)
    except ValueError as error:
        raise NotFound from error
    if str(value) != text.lower():
        raise NotFound
    return value


async def _send(request: Request, stream: Stream, request_id: str) -> None:
    """Send a stream to its end; a client that hangs up ends it by cancelling the handler."""
    response = await request.respond(
        content_type=stream.content_type, headers={**_SECURITY_HEADERS, "X-Request-ID": request_id}
    )
    async for chunk in stream.chunks:
        await response.send(chunk)
    await response.eof()


def _response(route: Route, answer: BaseModel | Reply) -> HTTPResponse:
    if isinstance(answer, Reply):
        return raw_response(
            answer.body, status=answer.status, content_type=answer.content_type, headers=dict(answer.headers)
        )
    return raw_response(answer.model_dump_json().encode(), status=route.status, content_type=_JSON)


def _finish(response: HTTPResponse, request_id: str) -> HTTPResponse:
    response.headers["X-Request-ID"] = request_id
    for name, value in _SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def error_response(error: AppError, request_id: str) -> HTTPResponse:
    """The one shape of every failure; `details.retryable` tells programs that trying again may help."""
    body = {
        "error": {
            "code": error.code,
            "message": error.message,
            "request_id": request_id,
            "details": {**error.details, "retryable": error.retryable},
        }
    }
    return raw_response(orjson.dumps(body, default=str), status=error.status, content_type=_JSON)


def request_id_of(request: Request) -> str:
    """The caller's X-Request-ID where it is well formed, else a new one."""
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)


def client_ip_of(request: Request, trusted_proxies: int) -> str:
    """The peer's address, or the one that the outermost trusted proxy saw (explicit trust, security: API8)."""
    if trusted_proxies:
        hops = [hop.strip() for hop in request.headers.get("x-forwarded-for", "").split(",") if hop.strip()]
        if len(hops) >= trusted_proxies:
            return hops[-trusted_proxies]
    return request.ip


async def _on_error(request: Request, exception: Exception) -> HTTPResponse:
    """What happens before or outside a route: unknown paths, wrong methods, bodies that are too large."""
    request_id = request_id_of(request)
    if isinstance(exception, RouteNotFound):
        error: AppError = NotFound("没有这个地址。", code="no_such_route")
    elif isinstance(exception, MethodNotAllowed):
        error = AppError("此地址不支持这种请求方法。", code="method_not_allowed")
        error.status = 405
    elif isinstance(exception, PayloadTooLarge):
        error = TooLarge()
    elif isinstance(exception, SanicException):
        error = BadRequest() if exception.status_code < 500 else AppError()
        error.status = exception.status_code
    else:
        logger.error("request_failed", exc_info=exception)
        error = AppError()
    return _finish(error_response(error, request_id), request_id)
