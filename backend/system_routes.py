"""Routes of the system itself: health, readiness, metrics, the API's own description."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from ipaddress import ip_address

import orjson
from pydantic import BaseModel
from redis.exceptions import RedisError

from backend.kernel import metrics, openapi
from backend.kernel.auth import PUBLIC
from backend.kernel.config import Mode
from backend.kernel.errors import NotFound, Unavailable
from backend.kernel.figures import Measure
from backend.kernel.http import Call, Handler, Reply, Route, Strict, example

VERSION = "0.1.0"


class Health(Strict):
    """The process answers and its pool reaches PostgreSQL."""

    model_config = example(status="ok")

    status: str


class Readiness(Strict):
    """What is reached: PostgreSQL must be, Redis only makes things fast."""

    model_config = example(status="ok", postgres=True, redis=True)

    status: str
    postgres: bool
    redis: bool


async def health(call: Call[None, None]) -> Health:
    async with asyncio.timeout(2):
        await call.res.db.fetchval("SELECT 1")
    return Health(status="ok")


async def readiness(call: Call[None, None]) -> Readiness:
    await call.res.db.fetchval("SELECT 1 FROM tortoise_migrations LIMIT 1")
    try:
        redis = bool(await call.res.redis.ping())
    except (OSError, TimeoutError, RedisError):
        redis = False
    return Readiness(status="ok" if redis else "degraded", postgres=True, redis=redis)


def routes(described: Callable[[], Sequence[Route]], figures: Sequence[Measure]) -> tuple[Route, ...]:
    """The system's routes; `described` gives all routes of the API for the document, `figures` set what is watched."""

    async def show_metrics(call: Call[None, None]) -> Reply:
        if not _from_inside(call.client_ip):
            _only_in_sandbox(call)
        # Without PostgreSQL the figures of this process are still worth having.
        with suppress(Unavailable):
            for measure in figures:
                await measure(call.res.db)
        return Reply(body=metrics.render(), content_type=metrics.CONTENT_TYPE)

    @cache
    def described_for(server: str) -> bytes:
        return orjson.dumps(openapi.describe(described(), version=VERSION, server=server))

    async def document(call: Call[None, None]) -> Reply:
        _only_in_sandbox(call)
        return Reply(body=described_for(call.res.settings.public_url), content_type="application/json")

    async def page(call: Call[None, None]) -> Reply:
        _only_in_sandbox(call)
        return Reply(body=openapi.page(described()).encode(), content_type="text/html; charset=utf-8")

    def route(path: str, handler: Handler, summary: str, answer: type[BaseModel] | None = None) -> Route:
        return Route("GET", path, handler, PUBLIC, summary, answer=answer)

    return (
        route("/healthz", health, "The process answers and reaches PostgreSQL.", Health),
        route("/readyz", readiness, "Whether requests should be sent here.", Readiness),
        route("/metrics", show_metrics, "Figures for Prometheus; in live mode for private networks only."),
        route("/openapi.json", document, "This document; off in live mode."),
        route("/docs", page, "All operations as a page; off in live mode."),
    )


def _only_in_sandbox(call: Call[None, None]) -> None:
    if call.res.settings.mode is Mode.LIVE:
        raise NotFound("没有这个地址。", code="no_such_route")


def _from_inside(client_ip: str) -> bool:
    """Whether a request comes from a private network; an address that cannot be read does not."""
    try:
        return ip_address(client_ip).is_private
    except ValueError:
        return False
