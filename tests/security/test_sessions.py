"""Sessions and secrets that are typed: what is stolen, planted, repeated or guessed opens nothing (API2, V6, V7)."""

import asyncio
from typing import Any

import pytest

from backend.kernel import passwords
from backend.kernel.crypto import Context
from backend.kernel.resources import Resources
from tests import factories
from tests.conftest import Client

PASSWORD = "correct-horse-8"


async def member(res: Resources, role: str = "manager", *, secret: str | None = None) -> tuple[factories.Staff, str]:
    """A member of staff with PASSWORD, and a second factor where a secret is given; the login."""
    staff = await factories.staff(res, await factories.community(res), role)
    hashed = await passwords.hash_password(PASSWORD)
    sealed = res.keyring.seal(secret, Context("staff", "totp_secret_sealed", staff.id)) if secret else None
    login = await res.db.fetchval(
        "UPDATE staff SET password_hash = $2, totp_secret_sealed = $3 WHERE id = $1 RETURNING login",
        staff.id, hashed, sealed,
    )  # fmt: skip
    return staff, login


@pytest.mark.parametrize(("kind", "logout", "probe"), [
    ("resident", "/api/v1/logout", "/api/v1/me"),
    ("staff", "/admin/v1/logout", "/admin/v1/me"),
])  # fmt: skip
async def test_a_stolen_token_opens_nothing_after_logout(
    res: Resources, client: Client, kind: str, logout: str, probe: str
) -> None:
    staff, _ = await member(res)
    resident = await factories.person(res)
    token = staff.token if kind == "staff" else resident.token
    thief = client.of(token)
    assert (await thief.get(probe)).status == 200
    assert (await client.of(token).post(logout)).status == 200
    assert (await thief.get(probe)).status == 401
    assert (await thief.post(logout)).status == 401


async def test_a_token_of_one_kind_is_none_of_another(res: Resources, client: Client) -> None:
    staff, _ = await member(res)
    resident = await factories.person(res)
    rest_s, rest_r = staff.token[2:], resident.token[2:]
    for token in (f"r_{rest_s}", f"d_{rest_s}", f"s_{rest_r}", f"d_{rest_r}", rest_s, rest_r, staff.token.upper(),
                  f"{staff.token} ", f"{staff.token}\t x", staff.token[:-1]):  # fmt: skip
        for probe in ("/api/v1/me", "/admin/v1/me"):
            if token.strip() == staff.token and probe == "/admin/v1/me":
                continue
            assert (await client.of(token).get(probe)).status in (401, 403), (token[:4], probe)


async def test_a_login_makes_a_token_of_its_own_whatever_is_sent_along(res: Resources, client: Client) -> None:
    """Fixation: a session that was there before the login gains nothing by it."""
    staff, login = await member(res, "engineer")
    planted = client.of(staff.token)
    before = await res.db.fetchval("SELECT count(*) FROM session")
    told = (await planted.post("/admin/v1/login", {"login": login, "password": PASSWORD})).json
    assert told["token"] != staff.token
    assert len(told["token"]) >= 43
    assert await res.db.fetchval("SELECT count(*) FROM session") == before + 1
    hashes = await res.db.fetch("SELECT token_hash FROM session")
    assert all(told["token"].encode() != bytes(row["token_hash"]) for row in hashes)


async def test_a_code_of_the_second_factor_works_once(res: Resources, client: Client) -> None:
    secret = passwords.new_totp_secret()
    _, login = await member(res, secret=secret)
    code = passwords.totp_code(secret, at=res.clock.now())
    body = {"login": login, "password": PASSWORD, "totp": code}
    first = await client.post("/admin/v1/login", body)
    assert (first.status, first.json["second_factor"]) == (200, True)
    replayed = await client.post("/admin/v1/login", body)
    assert (replayed.status, replayed.code) == (401, "login_refused")
    without = await client.post("/admin/v1/login", {"login": login, "password": PASSWORD})
    assert without.json["error"]["message"] == replayed.json["error"]["message"]


async def test_guesses_in_parallel_are_counted_one_by_one(res: Resources, client: Client) -> None:
    _, login = await member(res, "engineer")
    wrong = [client.post("/admin/v1/login", {"login": login, "password": f"guess-{n}"}) for n in range(15)]
    answers = await asyncio.gather(*wrong)
    assert sum(answer.status == 401 for answer in answers) == 5
    assert sum(answer.status == 429 for answer in answers) == 10
    right = await client.post("/admin/v1/login", {"login": login, "password": PASSWORD})
    assert (right.status, right.code) == (429, "login_locked")


@pytest.mark.parametrize(("path", "limit"), [("/api/v1/houses/join", 10), ("/api/v1/staff-binding", 10)])
async def test_codes_that_are_typed_cannot_be_guessed_at(res: Resources, client: Client, path: str, limit: int) -> None:
    guesser = client.of((await factories.person(res)).token)
    answers: list[Any] = [await guesser.post(path, {"code": f"AAAA{n:04}"}) for n in range(limit + 3)]
    assert [answer.status for answer in answers[:limit]] == [403] * limit
    assert {answer.code for answer in answers[:limit]} == {"code_refused"}
    assert all(answer.status == 429 for answer in answers[limit:])


async def test_who_moves_out_is_out_with_the_next_request(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    house = await factories.house(res, place)
    tenant = await factories.person(res)
    await factories.occupy(res, tenant, house, "tenant")
    mine = client.of(tenant.token)
    assert len((await mine.get("/api/v1/houses")).json["items"]) == 1
    clerk = client.of((await factories.staff(res, place, "customer_service")).token)
    tie = await res.db.fetchval("SELECT id FROM occupancy")
    assert (await clerk.post(f"/admin/v1/occupancies/{tie}/end", {"reason": "租约到期"})).status == 200
    assert (await mine.get("/api/v1/houses")).json["items"] == []
