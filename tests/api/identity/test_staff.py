"""Staff: login, brute force, second factor, roles and what their change ends (S2, D12, I-22)."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pyotp

from backend.identity import staff
from backend.identity.checks import CHECKS
from backend.identity.roles import Role
from backend.kernel import passwords
from backend.kernel.audit import SYSTEM
from backend.kernel.resources import Resources
from tests import factories
from tests.conftest import Answered, Client
from tests.soundness import broken

PASSWORD = "correct-horse-8"


async def member(res: Resources, place: factories.Community, login: str = "wangfang", role: Role | None = None) -> UUID:
    """An account with PASSWORD, and `role` for all of the company."""
    password_hash = await passwords.hash_password(PASSWORD)
    staff_id = await res.db.transact(
        lambda tx: staff.create(
            tx, SYSTEM, company_id=place.company_id, login=login, name="王芳", password_hash=password_hash
        )
    )
    if role is not None:
        await res.db.transact(
            lambda tx: staff.grant(
                tx, SYSTEM, staff_id=staff_id, company_id=place.company_id, role=role, community_id=None
            )
        )
    return staff_id


async def log_in(
    client: Client, login: str = "wangfang", password: str = PASSWORD, totp: str | None = None
) -> Answered:
    return await client.post("/admin/v1/login", {"login": login, "password": password, "totp": totp})


async def holds(res: Resources) -> None:
    assert await broken(res.db, CHECKS) == []


async def test_a_wrong_login_and_a_wrong_password_get_the_same_answer(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    await member(res, place)
    unknown, wrong = await log_in(client, "nobody"), await log_in(client, password="wrong-password")
    assert (unknown.status, unknown.code) == (wrong.status, wrong.code) == (401, "login_refused")
    assert unknown.json["error"]["message"] == wrong.json["error"]["message"]
    assert (await log_in(client)).status == 200


async def test_guessing_is_stopped_whether_the_login_exists_or_not(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    await member(res, place)
    for login in ("wangfang", "nobody"):
        guesses = await asyncio.gather(*(log_in(client, login, f"guess-number-{n}") for n in range(12)))
        assert sorted(guess.code for guess in guesses) == ["login_locked"] * 7 + ["login_refused"] * 5
    assert (await log_in(client)).code == "login_locked"
    res.clock.advance(timedelta(minutes=16))  # type: ignore[attr-defined]
    assert (await log_in(client)).status == 200


async def test_money_roles_give_nothing_without_a_second_factor(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    await member(res, place, role=Role.ADMINISTRATOR)
    token = (await log_in(client)).json["token"]
    mine = client.of(token)
    assert (await mine.get("/admin/v1/me")).json["permissions"].keys() == {"staff.self"}
    assert (await mine.get("/admin/v1/staff")).status == 403

    offer = (await mine.post("/admin/v1/me/totp")).json
    totp = pyotp.TOTP(offer["secret"])
    assert (await mine.post("/admin/v1/me/totp/confirm", {"code": "000000"})).code == "wrong_totp"
    now = res.clock.now()
    assert (await mine.post("/admin/v1/me/totp/confirm", {"code": totp.at(now)})).status == 200
    assert (await mine.get("/admin/v1/me")).status == 401

    res.clock.advance(timedelta(seconds=30))  # type: ignore[attr-defined]
    code = totp.at(res.clock.now())
    assert (await log_in(client)).code == "login_refused"
    done = await log_in(client, totp=code)
    assert done.json["second_factor"] is True
    assert (await client.of(done.json["token"]).get("/admin/v1/staff")).status == 200
    assert (await log_in(client, totp=code)).code == "login_refused"
    await holds(res)


async def administrator(res: Resources, place: factories.Community, client: Client) -> Client:
    return client.of((await factories.staff(res, place, "administrator", all_communities=True)).token)


async def test_a_change_of_roles_ends_the_sessions_and_is_audited(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    boss = await administrator(res, place, client)
    made = await boss.post("/admin/v1/staff", {"login": "lina", "name": "李娜", "password": PASSWORD})
    assert made.status == 201
    roles = f"/admin/v1/staff/{made.json['id']}/roles"
    hers = client.of((await log_in(client, "lina")).json["token"])
    assert (await hers.get("/admin/v1/communities")).status == 403

    assert (await boss.post(roles, {"role": "engineer", "community_id": str(place.id)})).status == 200
    assert (await hers.get("/admin/v1/me")).status == 401
    hers = client.of((await log_in(client, "lina")).json["token"])
    listed = (await hers.get("/admin/v1/communities")).json
    assert [item["id"] for item in listed["items"]] == [str(place.id)]
    assert (await boss.post(roles, {"role": "engineer", "community_id": str(place.id)})).code == "role_held"

    assert (await boss.post(f"{roles}/revoke", {"role": "engineer", "community_id": str(place.id)})).status == 200
    assert (await hers.get("/admin/v1/me")).status == 401
    actions = [row["action"] for row in await res.db.fetch("SELECT action FROM audit_entry ORDER BY id")]
    assert [action for action in actions if "role" in action] == ["staff.role_granted", "staff.role_revoked"]
    await holds(res)


async def test_a_disabled_account_is_out_at_once(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    boss = await administrator(res, place, client)
    staff_id = await member(res, place, role=Role.ENGINEER)
    token = (await log_in(client)).json["token"]
    changed = await boss.call("PUT", f"/admin/v1/staff/{staff_id}", {"name": "王芳", "state": "DISABLED"})
    assert changed.json["state"] == "DISABLED"
    assert (await client.of(token).get("/admin/v1/me")).status == 401
    assert (await log_in(client)).code == "login_refused"
    await holds(res)


async def test_nobody_changes_their_own_roles_or_state(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    boss = await administrator(res, place, client)
    me = (await boss.get("/admin/v1/me")).json["member"]["id"]
    role = {"role": "cashier", "community_id": None}
    assert (await boss.post(f"/admin/v1/staff/{me}/roles", role)).code == "own_account"
    disabled = await boss.call("PUT", f"/admin/v1/staff/{me}", {"name": "我", "state": "DISABLED"})
    assert disabled.code == "own_account"
    assert await res.db.fetchval("SELECT state FROM staff WHERE id = $1", UUID(me)) == "ACTIVE"


async def test_staff_and_communities_of_another_company_are_unknown(res: Resources, client: Client) -> None:
    here, there = await factories.community(res), await factories.community(res, "LL02")
    boss = await administrator(res, here, client)
    stranger = await factories.staff(res, there, "engineer")
    role = {"role": "engineer", "community_id": str(there.id)}
    own = await member(res, here)
    answers = [
        await boss.get(f"/admin/v1/staff/{stranger.id}"),
        await boss.call("PUT", f"/admin/v1/staff/{stranger.id}", {"name": "x", "state": "DISABLED"}),
        await boss.post(f"/admin/v1/staff/{stranger.id}/password", {"password": PASSWORD}),
        await boss.post(f"/admin/v1/staff/{stranger.id}/roles", role),
        await boss.post(f"/admin/v1/staff/{own}/roles", role),
        await boss.get("/admin/v1/staff/not-an-id"),
    ]
    assert [answer.status for answer in answers] == [404] * 6


async def test_an_administrator_of_one_community_does_not_manage_staff(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    local = client.of((await factories.staff(res, place, "administrator")).token)
    assert (await local.get("/admin/v1/staff")).status == 404


async def test_a_password_change_ends_every_session(res: Resources, client: Client) -> None:
    await member(res, await factories.community(res), role=Role.ENGINEER)
    mine = client.of((await log_in(client)).json["token"])
    body = {"old_password": "wrong-password", "new_password": "battery-staple-9"}
    assert (await mine.post("/admin/v1/me/password", body)).code == "wrong_password"
    assert (await mine.post("/admin/v1/me/password", {**body, "old_password": PASSWORD})).status == 200
    assert (await mine.get("/admin/v1/me")).status == 401
    assert (await log_in(client, password="battery-staple-9")).status == 200


async def test_a_binding_code_ties_one_wechat_once(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    her = await factories.staff(res, place, "engineer")
    code = (await client.of(her.token).post("/admin/v1/me/wechat-code")).json["code"]
    people = [await factories.person(res, f"1380000000{n}") for n in range(5)]
    answers = await asyncio.gather(
        *(client.of(who.token).post("/api/v1/staff-binding", {"code": code}) for who in people)
    )
    assert sorted(answer.status for answer in answers) == [200, 403, 403, 403, 403]
    bound = await res.db.fetchval("SELECT count(*) FROM wechat_user WHERE staff_id = $1", her.id)
    assert bound == 1


async def test_a_stale_binding_code_is_refused(res: Resources, client: Client) -> None:
    her = await factories.staff(res, await factories.community(res), "engineer")
    code = (await client.of(her.token).post("/admin/v1/me/wechat-code")).json["code"]
    res.clock.advance(timedelta(minutes=10, seconds=1))  # type: ignore[attr-defined]
    who = await factories.person(res)
    assert (await client.of(who.token).post("/api/v1/staff-binding", {"code": code})).code == "code_refused"


async def test_the_audit_shows_only_what_the_scope_holds(res: Resources, client: Client) -> None:
    here, there = await factories.community(res), await factories.community(res, "LL02")
    for place in (here, there):
        boss = await administrator(res, place, client)
        await boss.post(
            "/admin/v1/staff", {"login": f"lina-{place.code.lower()}", "name": "李娜", "password": PASSWORD}
        )
    found = (await boss.get("/admin/v1/audit?action=staff.created")).json["items"]
    assert [item["community_id"] for item in found] == [str(there.company_id)]
