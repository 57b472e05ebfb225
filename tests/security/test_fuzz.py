"""Hostile bodies, queries and headers on every route: refused or taken, never an error of ours (API4, V1).

Bounded and seeded: each valid body of the matrix is spoilt field by field with each hostile value, a failing case is
named in full.
"""

import base64
import json
import random
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from backend.composition import ROUTES
from tests.conftest import Answered
from tests.security.prepared import REQUESTS, Prepared
from tests.security.test_bodies import somebody_allowed
from tests.security.world import Who, World

SEED = 20260901
ROWS = {f"{route.method} {route.path}": route for route in ROUTES}
WITH_BODY = [key for key, route in ROWS.items() if route.body is not None]
WITH_QUERY = [key for key, route in ROWS.items() if route.query is not None]


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


# What stands here is a wrong value for some fields and a right one for others; a 500 it must never be.
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 1 << 31, 1 << 63, 10**30, -(10**30), 1e308,
    "", " ", "\x00", "a\x00b", "钱\x00", "\ufffe", "\u202e", "x" * 20_000, "'; DROP TABLE bill; --", "%", "_", "\\",
    "=cmd|' /C calc'!A0", "{x}", "{0.__class__}", "${jndi:ldap://x}", "../../etc/passwd", "<script>", "NaN", "Infinity",
    "1E+400", "-1E+400", "0001-01-01", "9999-12-31", "10000-01-01", "2026-02-30", "0" * 36, str(uuid4()).upper(),
    [], {}, [None], [[]], {"": ""}, deep(15), deep(40), ["x"] * 5_000, {str(n): "x" for n in range(2_000)},
)  # fmt: skip

RAW: tuple[bytes, ...] = (
    b"", b" ", b"null", b"true", b"0", b'""', b"[]", b"[{}]", b"{", b"}", b"{}{}", b"\xff\xfe{}", b"\x00", b"NaN",
    b'{"a": NaN}', b'{"a": 1e999}', b'{"a": ' + b"9" * 5_000 + b"}", b'{"a": "\xed\xa0\x80"}', b'{"a": "\\ud800"}',
    b'{"a":' * 500 + b"1" + b"}" * 500, b"[" * 20_000, b'{"a": 1, "a": 2}', b"a=1&b=2", b"<xml/>", b"\xef\xbb\xbf{}",
)  # fmt: skip


async def send(world: World, key: str, who: Who, sent: Prepared) -> Answered:
    client = world.client.of(sent.token or who.token)
    headers = {"Idempotency-Key": uuid4().hex, **sent.headers}
    return await client.call(ROWS[key].method, sent.path, sent.body, headers=headers, raw=sent.raw)


def check(answer: Answered, told: object) -> None:
    """No error of ours, and nothing that tells about our insides."""
    assert answer.status < 500, (told, answer.status, answer.body[:500])
    page = "/p/" in str(told) and answer.headers["Content-Type"].startswith("text/html")
    # What WeChat is told is one word.
    if answer.status >= 400 and not page and answer.body != b"failure":
        assert set(answer.json["error"]) == {"code", "message", "request_id", "details"}, told
    for trace in (b"Traceback", b'File "/', b"asyncpg", b"pydantic.dev", b"SELECT ", b"INSERT "):
        assert trace not in answer.body, (told, answer.body[:500])


def places(body: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a body where a value stands."""
    entries = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for name, value in entries:
        yield (*at, name)
        yield from places(value, (*at, name))


def spoilt(body: Any, at: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(body))
    target = copy
    for step in at[:-1]:
        target = target[step]
    target[at[-1]] = value
    return copy


@pytest.mark.parametrize("key", WITH_BODY)
async def test_no_value_in_a_body_makes_an_error_of_ours(world: World, key: str) -> None:
    await world.res.redis.flushdb()
    who = somebody_allowed(world, key)
    chosen = random.Random(f"{SEED}{key}")
    prepared = await REQUESTS[key](world, who)
    found = list(places(prepared.body))
    for at in found:
        always = [value for value in VALUES if isinstance(value, str) and "\x00" in value]
        for value in [*always[:1], *chosen.sample(VALUES, max(6, min(12, 60 // len(found))))]:
            sent = Prepared(prepared.path, spoilt(prepared.body, at, value), None, prepared.token)
            answer = await send(world, key, who, sent)
            if answer.status == 429:
                await world.res.redis.flushdb()
            check(answer, (key, at, repr(value)[:80]))


@pytest.mark.parametrize("key", WITH_BODY)
async def test_no_bytes_in_place_of_a_body_make_an_error_of_ours(world: World, key: str) -> None:
    await world.res.redis.flushdb()
    who = somebody_allowed(world, key)
    prepared = await REQUESTS[key](world, who)
    chosen = random.Random(f"{SEED}{key}")
    await world.witness.take()
    for raw in chosen.sample(RAW, 10):
        headers = {"Content-Type": chosen.choice(("application/json", "text/plain", "multipart/form-data"))}
        answer = await send(world, key, who, Prepared(prepared.path, None, raw, prepared.token, headers))
        check(answer, (key, raw[:60]))
        if raw.strip() not in (b"", b"{}"):
            assert answer.status in (400, 413, 422, 429), (key, raw[:60], answer.status)


def cursors() -> Iterator[str]:
    for values in ([], [1], ["x"], [10**30], [-1], ["\x00"], ["9" * 400], ["9999-12-31", str(uuid4())],
                   ["0001-01-01T00:00:00", str(uuid4())], ["2026-09-01T02:00:00", "x"], [str(uuid4())], {"a": 1},
                   ["infinity"], ["2026-09-01", str(uuid4()), 1]):  # fmt: skip
        yield base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
    yield from ("%00", "=", "a", "%FF%FE", "x" * 501, "%F0%9F%98%80")


@pytest.mark.parametrize("key", WITH_QUERY)
async def test_no_value_in_a_query_makes_an_error_of_ours(world: World, key: str) -> None:
    await world.res.redis.flushdb()
    who = somebody_allowed(world, key)
    prepared = await REQUESTS[key](world, who)
    query = ROWS[key].query
    assert query is not None
    bare, _, given = prepared.path.partition("?")
    hostile = ("", "%00", "a%00b", "-1", "0", "101", "99999999999999999999", "1e5", "NaN", "%27%3B--", "9999-12-31",
               "0001-01-01", "10000-01-01", "true", "null", "x" * 3_000, "%FF", "%ED%A0%80")  # fmt: skip
    for name in query.model_fields:
        kept = "&".join(part for part in given.split("&") if part and not part.startswith(f"{name}="))
        for value in cursors() if name == "cursor" else hostile:
            path = f"{bare}?{kept}{'&' if kept else ''}{name}={value}"
            check(await send(world, key, who, Prepared(path, prepared.body, prepared.raw, prepared.token)), path[:200])


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer " + "x" * 8_000},
        {"Authorization": "Bearer s_\u00ff"},
        {"Authorization": "Bearer r_' OR 1=1"},
        {"X-Request-ID": "x" * 5_000},
        {"X-Request-ID": "<script>"},
        {"X-Forwarded-For": "1.2.3.4, " * 200},
        {"Accept": "image/png"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Host": "evil.example"},
    ],
)
async def test_no_header_makes_an_error_of_ours(world: World, headers: dict[str, str]) -> None:
    for path in ("/api/v1/bills", "/admin/v1/me", "/healthz"):
        answer = await world.client.get(path, headers=headers)
        check(answer, (path, headers))
        assert answer.headers["X-Request-ID"] != headers.get("X-Request-ID")


@pytest.mark.parametrize("number", ["0", "-1", "x", "99999999999999999999", "1.0", "%00", "٣", "1_0"])
async def test_numbers_in_paths_are_unknown_when_they_are_none(world: World, number: str) -> None:
    answer = await world.client.of(world.who["admin"].token).post(f"/admin/v1/outbox/{number}/retry")
    assert answer.status == 404
