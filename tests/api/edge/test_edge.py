"""The HTTP edge: one shape of error, nothing changed by bad input, nothing acknowledged before the commit."""

from typing import Any

import pytest

from backend.kernel.auth import PUBLIC
from backend.kernel.db import Tx
from backend.kernel.http import Call, Route, Strict, decode_cursor, encode_cursor
from tests.conftest import Client

pytestmark = pytest.mark.apart


class Thing(Strict):
    name: str
    amount_fen: int


class Made(Strict):
    id: int


class Filter(Strict):
    limit: int = 20


async def make(call: Call[Thing, None]) -> Made:
    async def work(tx: Tx) -> Made:
        await tx.execute(
            "INSERT INTO company (id, name, created_at) VALUES (gen_random_uuid(), $1, $2)", call.body.name, tx.now
        )
        return Made(id=await tx.fetchval("SELECT count(*) FROM company"))

    return await call.once(work, Made)


async def explode(_call: Call[None, None]) -> Made:
    raise RuntimeError("secret=hunter2")


async def show(call: Call[None, Filter]) -> Made:
    return Made(id=call.query.limit)


ROUTES = (
    Route("POST", "/t/things", make, PUBLIC, "make", body=Thing, answer=Made, status=201, creates=True),
    Route("GET", "/t/explode", explode, PUBLIC, "explode", answer=Made),
    Route("GET", "/t/things/{thing_id}", show, PUBLIC, "show", query=Filter, answer=Made),
    Route("GET", "/t/staff", show, "staff.self", "staff", query=Filter, answer=Made),
    Route("POST", "/t/upload", explode, PUBLIC, "upload", answer=Made, upload_bytes=1000),
)


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.composition.ROUTES", ROUTES)


@pytest.fixture
def api(routes: None, client: Client) -> Client:
    return client


async def test_the_same_key_and_body_get_the_stored_answer(api: Client) -> None:
    body = {"name": "甲", "amount_fen": 5}
    first = await api.post("/t/things", body, key="k1")
    again = await api.post("/t/things", body, key="k1")
    assert (first.status, first.json, again.json) == (201, {"id": 1}, {"id": 1})
    other = await api.post("/t/things", {"name": "乙", "amount_fen": 5}, key="k1")
    assert (other.status, other.code) == (409, "idempotency_key_reused")
    assert (await api.post("/t/things", body, key="k2")).json == {"id": 2}


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"{", 400, "malformed_json"),
        (b'{"name": "x", "amount_fen": "5"}', 422, "invalid"),
        (b'{"name": "x", "amount_fen": 5.0}', 422, "invalid"),
        (b'{"name": "x", "amount_fen": true}', 422, "invalid"),
        (b'{"name": "x", "amount_fen": 5, "extra": 1}', 422, "invalid"),
        (b'{"name": "x"}', 422, "invalid"),
        (b"[]", 422, "invalid"),
        (b'{"name": ' + b"[" * 30 + b"]" * 30 + b', "amount_fen": 5}', 400, "json_too_deep"),
        (b'{"name": "' + b"x" * (1 << 20) + b'", "amount_fen": 5}', 413, "too_large"),
    ],
)
async def test_bad_bodies_get_one_clear_error_and_change_nothing(
    api: Client, db: Any, raw: bytes, status: int, code: str
) -> None:
    answer = await api.call("POST", "/t/things", raw=raw, headers={"Idempotency-Key": "k"})
    assert (answer.status, answer.code) == (status, code)
    assert await db.fetchval("SELECT count(*) FROM company") == 0
    assert await db.fetchval("SELECT count(*) FROM idempotency") == 0


async def test_a_missing_key_is_refused(api: Client) -> None:
    answer = await api.call("POST", "/t/things", {"name": "x", "amount_fen": 1})
    assert (answer.status, answer.code) == (400, "idempotency_key_required")


async def test_an_unexpected_error_tells_nothing(api: Client) -> None:
    answer = await api.get("/t/explode")
    assert (answer.status, answer.code) == (500, "internal")
    assert b"hunter2" not in answer.body
    assert answer.headers["X-Request-ID"] == answer.json["error"]["request_id"]


@pytest.mark.parametrize("thing_id", ["1", "x" * 40, "00000000-0000-0000-0000-00000000000g"])
async def test_malformed_ids_are_unknown_ids(api: Client, thing_id: str) -> None:
    answer = await api.get(f"/t/things/{thing_id}")
    assert (answer.status, answer.code) == (404, "not_found")


async def test_queries_are_parsed_strictly(api: Client) -> None:
    path = "/t/things/01a05a43-fc00-7ced-82aa-8aa1cd3abbe4"
    assert (await api.get(f"{path}?limit=7")).json == {"id": 7}
    assert (await api.get(f"{path}?limit=x")).status == 422
    assert (await api.get(f"{path}?other=1")).status == 422
    assert (await api.get(f"{path}?limit=1&limit=2")).code == "repeated_parameter"


async def test_nobody_and_strangers_are_refused(api: Client) -> None:
    assert (await api.get("/t/staff")).status == 401
    assert (await api.of("no-such-token").get("/t/staff")).status == 401


async def test_unknown_paths_and_methods_have_the_same_shape(api: Client) -> None:
    assert (await api.get("/nowhere")).code == "no_such_route"
    answer = await api.call("DELETE", "/t/things")
    assert (answer.status, answer.code) == (405, "method_not_allowed")


async def test_an_upload_over_its_limit_is_cut_off(api: Client) -> None:
    answer = await api.call("POST", "/t/upload", raw=b"x" * 5000)
    assert (answer.status, answer.code) == (413, "file_too_large")


def test_cursors_round_trip_and_refuse_nonsense() -> None:
    assert decode_cursor(encode_cursor(5, "x"), (int, str)) == (5, "x")
    for text in ("", "%%%", "AAAA", encode_cursor("a", "b")):
        with pytest.raises(Exception, match="bad_cursor"):
            decode_cursor(text, (int, str))
