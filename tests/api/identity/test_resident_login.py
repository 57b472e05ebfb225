"""A resident's login: codes are WeChat's, tokens are ours, sessions end (security: authentication)."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from backend.kernel.audit import SYSTEM
from backend.kernel.resources import Resources
from backend.wechat import apps
from tests import factories
from tests.conftest import Client, Sandbox

APPID = factories.APPID
SECRET = "0123456789abcdef0123456789abcdef"


async def prepare(res: Resources, sandbox: Sandbox, phone: str = "13800000001") -> tuple[factories.Community, str]:
    """A company with a mini-program that the sandbox knows, and a user of WeChat; returns the user's id there."""
    place = await factories.community(res)
    await res.db.transact(
        lambda tx: apps.register(
            tx, res.keyring, actor=SYSTEM, company_id=place.company_id, kind=apps.AppKind.MINIPROGRAM, appid=APPID,
            secret=SECRET,
        )
    )  # fmt: skip
    await sandbox.ask("PUT", f"/apps/{APPID}", {"secret": SECRET, "kind": "miniprogram"})
    user = await sandbox.ask("POST", "/users", {"phone": phone})
    return place, user["user_id"]


async def code_of(sandbox: Sandbox, user_id: str, kind: str = "login") -> str:
    answer = await sandbox.ask("POST", f"/users/{user_id}/{kind}-code", {"appid": APPID})
    return str(answer["code"])


async def log_in(client: Client, sandbox: Sandbox, user_id: str) -> Any:
    code = await code_of(sandbox, user_id)
    answer = await client.post("/api/v1/login", {"appid": APPID, "code": code})
    assert answer.status == 200, answer.json
    return answer.json


async def test_login_binds_the_phone_and_finds_the_house_of_the_roster(
    sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client
) -> None:
    place, user_id = await prepare(sandbox_res, sandbox, "13900000009")
    house_id = await factories.house(sandbox_res, place)
    listed = await factories.person(sandbox_res, "13900000009", "李四")
    await factories.occupy(sandbox_res, listed, house_id)

    done = await log_in(sandbox_client, sandbox, user_id)
    assert done["phone_bound"] is False
    mine = sandbox_client.of(done["token"])
    assert (await mine.get("/api/v1/houses")).json == {"items": []}
    assert (await mine.get("/api/v1/applications")).code == "phone_required"
    bound = await mine.post("/api/v1/phone", {"code": await code_of(sandbox, user_id, "phone")})
    assert bound.json == {"phone": "139****0009"}
    me = (await mine.get("/api/v1/me")).json
    assert me["person_id"] == str(listed.id)
    assert me["name"] == "李*"
    assert [house["house_id"] for house in me["houses"]] == [str(house_id)]
    assert await sandbox_res.db.fetchval("SELECT count(*) FROM person") == 1
    audited = await sandbox_res.db.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'wechat_user.phone_bound'")
    assert audited == 1


async def test_a_code_logs_in_once(sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client) -> None:
    _, user_id = await prepare(sandbox_res, sandbox)
    code = await code_of(sandbox, user_id)
    first = await sandbox_client.post("/api/v1/login", {"appid": APPID, "code": code})
    assert first.status == 200
    replayed = await sandbox_client.post("/api/v1/login", {"appid": APPID, "code": code})
    assert replayed.status in (403, 422)
    assert await sandbox_res.db.fetchval("SELECT count(*) FROM session") == 1


async def test_an_unknown_app_is_refused_before_wechat_is_asked(
    sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client
) -> None:
    answer = await sandbox_client.post("/api/v1/login", {"appid": "wx0000", "code": "x"})
    assert answer.status == 404


async def test_login_fails_cleanly_while_wechat_is_away(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    await res.db.transact(
        lambda tx: apps.register(
            tx, res.keyring, actor=SYSTEM, company_id=place.company_id, kind=apps.AppKind.MINIPROGRAM, appid=APPID,
            secret=SECRET,
        )
    )  # fmt: skip
    answer = await client.post("/api/v1/login", {"appid": APPID, "code": "x"})
    assert answer.status == 503
    assert await res.db.fetchval("SELECT count(*) FROM session") == 0


async def test_only_the_hash_of_a_token_and_a_sealed_session_key_are_kept(
    sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client
) -> None:
    _, user_id = await prepare(sandbox_res, sandbox)
    done = await log_in(sandbox_client, sandbox, user_id)
    kept = await sandbox_res.db.fetchrow("SELECT * FROM session")
    assert kept is not None
    assert bytes(kept["token_hash"]) == sha256(done["token"].encode()).digest()
    assert "session_key" not in str(done)
    sealed = await sandbox_res.db.fetchval("SELECT session_key_sealed FROM wechat_user")
    assert sealed[0] == 1


async def test_a_token_opens_nothing_after_logout(res: Resources, client: Client) -> None:
    who = await factories.person(res)
    mine = client.of(who.token)
    assert (await mine.get("/api/v1/me")).status == 200
    assert (await mine.post("/api/v1/logout")).status == 200
    assert (await mine.get("/api/v1/me")).code == "unauthenticated"


async def test_a_session_slides_and_ends_after_seven_idle_days(res: Resources, client: Client) -> None:
    who = await factories.person(res)
    mine = client.of(who.token)
    for _ in range(4):
        res.clock.advance(timedelta(days=5))  # type: ignore[attr-defined]
        assert (await mine.get("/api/v1/me")).status == 200
    res.clock.advance(timedelta(days=7, seconds=1))  # type: ignore[attr-defined]
    assert (await mine.get("/api/v1/me")).code == "unauthenticated"


@pytest.mark.parametrize("token", ["", "r_", "r_planted", "s_planted", "d_planted", "planted", "r_" + "A" * 4000])
async def test_a_token_that_we_did_not_make_opens_nothing(client: Client, token: str) -> None:
    assert (await client.of(token).get("/api/v1/me")).status == 401


async def test_login_never_takes_over_a_token_that_the_client_sends(
    sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client
) -> None:
    _, user_id = await prepare(sandbox_res, sandbox)
    other = await factories.person(sandbox_res)
    code = await code_of(sandbox, user_id)
    done = await sandbox_client.of(other.token).post("/api/v1/login", {"appid": APPID, "code": code})
    assert done.json["token"] != other.token
    assert (await sandbox_client.of(other.token).get("/api/v1/me")).json["person_id"] == str(other.id)


async def test_consents_are_kept_with_version_and_can_be_taken_back(res: Resources, client: Client) -> None:
    mine = client.of((await factories.person(res)).token)
    for version in (1, 1, 2):
        assert (await mine.post("/api/v1/consents", {"purpose": "service", "version": version})).status == 200
    assert (await mine.call("DELETE", "/api/v1/consents/service")).status == 200
    assert (await mine.call("DELETE", "/api/v1/consents/service")).status == 404
    assert (await mine.call("DELETE", "/api/v1/consents/nonsense")).status == 404
    rows = await res.db.fetch("SELECT version, revoked_at IS NULL AS live FROM personal_consent ORDER BY id")
    assert [(row["version"], row["live"]) for row in rows] == [(1, False), (2, False)]
