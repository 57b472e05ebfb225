"""Personal data: sealed in the database, absent from logs, masked in answers, revealed for a reason (I-24, V14)."""

import json
import re
from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from backend.composition import HANDLERS
from backend.identity import consents
from backend.kernel import failpoints, log, passwords
from backend.kernel.audit import SYSTEM
from backend.kernel.crypto import Context, SealError
from backend.kernel.resources import Resources
from backend.visitors import short_codes
from backend.visitors.states import BanKind
from backend.wechat import apps
from tests import factories, factories_account, factories_parking, factories_payments, factories_visitors
from tests.conftest import Client, Sandbox
from tests.factories_messaging import work_due
from tests.factories_roster import row, workbook
from tests.security.world import MINI, PASSWORD, SECRET
from tests.worker_database import Urls

PHONES = ("13777770001", "13777770002", "13777770003", "13777770004", "13777770005", "13777770006")
NAMES = ("欧阳砺锋", "司徒静姝", "诸葛听澜", "慕容望舒", "上官云笺")
EVERY_TABLE = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')
"""
SEALED_COLUMNS = """
    SELECT table_name, column_name FROM information_schema.columns
     WHERE table_schema = 'public' AND data_type = 'bytea' AND column_name LIKE '%sealed' ORDER BY 1, 2
"""


async def dump(admin_url: str) -> str:
    """Every row of every table as text; bytes stand there in hex."""
    connection = await asyncpg.connect(admin_url)
    try:
        tables = [record["relname"] for record in await connection.fetch(EVERY_TABLE)]
        assert len(tables) > 30
        rows = [await connection.fetch(f'SELECT t::text AS row FROM public."{table}" t') for table in tables]
    finally:
        await connection.close()
    return "\n".join(record["row"] for found in rows for record in found)


def found_in(text: str, secrets: Iterable[str]) -> list[str]:
    """Which of `secrets` stand in `text`, as they are, escaped, or as the hex of their bytes."""
    return [
        secret
        for secret in secrets
        if secret in text or json.dumps(secret)[1:-1] in text or secret.encode().hex() in text
    ]


async def known_app(res: Resources, sandbox: Sandbox, company_id: UUID) -> None:
    await res.db.transact(
        lambda tx: apps.register(
            tx, res.keyring, actor=SYSTEM, company_id=company_id, kind=apps.AppKind.MINIPROGRAM, appid=MINI,
            secret=SECRET,
        )
    )  # fmt: skip
    await sandbox.ask("PUT", f"/apps/{MINI}", {"secret": SECRET, "kind": "miniprogram"})


async def resident(client: Client, sandbox: Sandbox, phone: str) -> tuple[Client, dict[str, str]]:
    """Log in and bind a phone as the mini-program does; the client, and every secret that was seen on the way."""
    user = (await sandbox.ask("POST", "/users", {"phone": phone}))["user_id"]
    login = (await sandbox.ask("POST", f"/users/{user}/login-code", {"appid": MINI}))["code"]
    token = (await client.post("/api/v1/login", {"appid": MINI, "code": login})).json["token"]
    code = (await sandbox.ask("POST", f"/users/{user}/phone-code", {"appid": MINI}))["code"]
    mine = client.of(token)
    assert (await mine.post("/api/v1/phone", {"code": code})).status == 200
    openid = (await sandbox.ask("GET", f"/users/{user}/openid?appid={MINI}"))["openid"]
    return mine, {"token": token, "login code": login, "phone code": code, "openid": openid, "phone": phone}


async def test_a_dump_of_the_database_holds_no_name_and_no_phone(
    sandbox_res: Resources, sandbox_client: Client, sandbox: Sandbox, urls: Urls
) -> None:
    """People come in by every door: WeChat, an application, staff, a roster that is right and one that is wrong."""
    res, client = sandbox_res, sandbox_client
    place = await factories.community(res)
    await factories.house(res, place)
    await known_app(res, sandbox, place.company_id)
    manager = client.of((await factories.staff(res, place, "manager")).token)
    second = client.of((await factories.staff(res, place, "manager")).token)

    mine, _ = await resident(client, sandbox, PHONES[0])
    assert (await mine.call("PUT", "/api/v1/me/name", {"name": NAMES[0]})).status == 200
    body = {"community_id": str(place.id), "house": "1-1-101", "role": "owner", "name": NAMES[0], "reason": "购房"}
    application = (await mine.post("/api/v1/applications", body)).json
    decision = f"/admin/v1/approvals/{application['id']}/decision"
    assert (await manager.post(decision, {"approve": True})).status == 200
    house = (await mine.get("/api/v1/houses")).json["items"][0]["house_id"]

    proposed = {"phone": PHONES[1], "name": NAMES[1], "role": "tenant", "reason": "租赁合同已核对"}
    asked = (await manager.post(f"/admin/v1/houses/{house}/residents", proposed)).json
    assert (await second.post(f"/admin/v1/approvals/{asked['approval_id']}/decision", {"approve": True})).status == 200
    living = (await manager.get(f"/admin/v1/houses/{house}/residents")).json["items"]
    assert len(living) == 2
    reveal = f"/admin/v1/communities/{place.id}/people/{living[0]['person_id']}/reveal"
    assert (await manager.post(reveal, {"reason": "电话回访"})).json["name"] in NAMES
    assert len((await manager.get(f"/admin/v1/residents?phone={PHONES[1]}")).json["items"]) == 1

    uploads = f"/admin/v1/communities/{place.id}/roster-imports"
    people = {"业主姓名": f"{NAMES[2]}、{NAMES[3]}", "业主手机": f"{PHONES[2]}、{PHONES[3]}"}
    right = await manager.call("POST", uploads, raw=workbook([row(房号="201", **people)]))
    headless = workbook([], headers=["2栋", "1", "301", "住宅", "80", "70", "3", "2020-01-01", NAMES[4], PHONES[4]])
    await manager.call("POST", uploads, raw=headless)
    twice = row(房号="302", 业主姓名=NAMES[4], 业主手机=PHONES[5], 租户姓名=NAMES[4], 租户手机=PHONES[5])
    await manager.call("POST", uploads, raw=workbook([twice]))
    while await work_due(res, HANDLERS):
        pass
    assert (await manager.post(f"/admin/v1/roster-imports/{right.json['id']}/confirm")).status == 202
    export = (await manager.post(f"/admin/v1/communities/{place.id}/roster-exports", {"reason": "年度核对"})).json
    assert (await second.post(f"/admin/v1/approvals/{export['approval_id']}/decision", {"approve": True})).status == 200
    while await work_due(res, HANDLERS):
        pass
    assert await res.db.fetchval("SELECT count(*) FROM roster_import WHERE state = 'IMPORTED'") == 1
    assert await res.db.fetchval("SELECT count(*) FROM roster_import WHERE state = 'REFUSED'") == 2
    assert await res.db.fetchval("SELECT count(*) FROM roster_export WHERE state = 'READY'") == 1
    assert await res.db.fetchval("SELECT count(*) FROM person") == 4

    text = await dump(urls.admin)
    assert found_in(text, (*PHONES, *NAMES)) == []
    assert await res.db.fetchval("SELECT count(*) FROM outbox WHERE state = 'PARKED'") == 0


async def test_a_dump_of_the_database_holds_nothing_of_visitors(res: Resources, urls: Urls) -> None:
    """Through an invitation with a car, six digits, an entry, a walk-in, goods that leave, and a ban."""
    yard = await factories_visitors.yard(res)
    lot = await factories_parking.lot(res, yard.place)
    await res.db.execute("UPDATE parking_lot SET visitors_per_day = 1")
    made = await yard.invite(plate="粤B77771", lot_id=lot.id)
    code = await res.db.transact(
        lambda tx: short_codes.give(
            tx, keyring=res.keyring, pass_id=made.id, gate_id=yard.gate_id, on=tx.today, scope=yard.scope
        )
    )  # fmt: skip
    await yard.redeem(made.id)
    await yard.register()
    await yard.permit(approved=False)
    await yard.ban(BanKind.ID_NUMBER, "440301199001010017")
    await factories_parking.work_all(res)
    secrets = (factories_visitors.NAME, factories_visitors.PHONE, "粤B77771", "王师傅", "赵师傅", "440301199001010017")
    assert len(code) == 6 and found_in(await dump(urls.admin), secrets) == []


async def test_a_dump_of_the_database_holds_no_secret_of_the_account_and_no_word_of_a_follower(
    res: Resources, client: Client, urls: Urls
) -> None:
    """What somebody writes to the account stands in a ticket, or nowhere; of who has gone only that."""
    place = await factories.community(res)
    await factories_account.account(res, place)
    await factories_account.reply(res, place, "contains", "电话", "0755")
    wechat = factories_account.Wechat(client, res.clock)
    words = ("我家电话坏了欧阳", "在吗诸葛")
    for text in words:
        assert await wechat.text("oSecretFollower", text)
    secrets = (factories_account.TOKEN, factories_account.ENCODING_KEY, factories_account.SECRET)
    assert found_in(await dump(urls.admin), (*words, *secrets)) == []
    await wechat.event("oSecretFollower", "unsubscribe")
    await res.db.execute("DELETE FROM outbox")
    (left,) = [line for line in (await dump(urls.admin)).splitlines() if "oSecretFollower" in line]
    assert f",{factories_account.OFFICIAL},oSecretFollower,,,,,f," in left


async def test_every_sealed_column_opens_in_its_own_row_alone(res: Resources, urls: Urls) -> None:
    """Swapped between two rows, or between two columns of a row, a sealed text does not open."""
    connection = await asyncpg.connect(urls.admin)
    columns = [tuple(record) for record in await connection.fetch(SEALED_COLUMNS)]
    await connection.close()
    assert {f"{table}.{column}" for table, column in columns} == {
        "device.previous_sealed", "device.secret_sealed", "device_event.body_sealed", "goods_permit.name_sealed",
        "goods_permit.plate_sealed", "parking_session.plate_sealed",
        "parking_vehicle.plate_sealed", "merchant.api_v3_key_sealed",
        "merchant.private_key_sealed", "person.name_sealed", "person.phone_sealed",
        "refund.redirect_sealed", "staff.totp_pending_sealed", "staff.totp_secret_sealed",
        "ticket_complaint.caller_name_sealed", "ticket_complaint.caller_phone_sealed",
        "ticket_signature.signature_sealed", "visitor_ban.value_sealed",
        "visitor_code.code_sealed", "visitor_key.private_sealed", "visitor_pass.name_sealed",
        "visitor_pass.phone_sealed", "visitor_pass.plate_sealed", "visitor_walk_in.name_sealed",
        "visitor_walk_in.phone_sealed", "visitor_walk_in.plate_sealed", "wechat_app.secret_sealed",
        "wechat_app.push_token_sealed", "wechat_app.push_key_sealed", "wechat_user.session_key_sealed",
    }  # fmt: skip
    one, other, ring = uuid4(), uuid4(), res.keyring
    for table, column in columns:
        sealed = ring.seal("13777770001", Context(table, column, one))
        assert ring.open(sealed, Context(table, column, one)) == "13777770001"
        for context in (Context(table, column, other), Context(table, f"{column}x", one), Context("x", column, one)):
            with pytest.raises(SealError):
                ring.open(sealed, context)
        for position in range(0, len(sealed), 3):
            spoilt = bytearray(sealed)
            spoilt[position] ^= 1
            with pytest.raises(SealError):
                ring.open(bytes(spoilt), Context(table, column, one))


async def test_a_sealed_phone_moved_to_another_person_is_not_shown(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    house = await factories.house(res, place)
    owner = await factories.person(res, PHONES[0], NAMES[0])
    thief = await factories.person(res, PHONES[1], NAMES[1])
    await factories.occupy(res, owner, house)
    await res.db.execute(
        "UPDATE person SET phone_sealed = (SELECT phone_sealed FROM person WHERE id = $2) WHERE id = $1",
        thief.id, owner.id,
    )  # fmt: skip
    answer = await client.of(thief.token).get("/api/v1/me")
    assert answer.status == 500
    assert found_in(answer.body.decode(), (*PHONES, *NAMES, "0001")) == []


async def test_the_log_of_login_binding_and_paying_holds_no_secret(
    sandbox_res: Resources, sandbox_client: Client, sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    res, client = sandbox_res, sandbox_client
    stage = await factories_payments.stage(res, sandbox)
    await known_app(res, sandbox, stage.place.company_id)
    capfd.readouterr()
    log.configure("debug")
    try:
        secrets = await _a_busy_morning(stage, client, sandbox)
    finally:
        log.configure("error")
    written = capfd.readouterr().err
    assert written.count("\n") > 15
    assert '"route":"/api/v1/payments"' in written
    assert "Traceback" in written
    assert found_in(written, secrets) == []


async def _a_busy_morning(stage: Any, client: Client, sandbox: Sandbox) -> list[str]:
    """Everything that handles secrets, going well and going wrong; the secrets."""
    res = stage.res
    mine, seen = await resident(client, sandbox, PHONES[0])
    await mine.call("PUT", "/api/v1/me/name", {"name": NAMES[0]})
    await mine.get("/api/v1/me")
    await mine.post("/api/v1/phone", {"code": seen["phone code"]})
    await client.post("/api/v1/login", {"appid": MINI, "code": seen["login code"]})
    await client.of(seen["token"] + "x").get("/api/v1/me")
    created = (await stage.create(client, await stage.bill())).json
    await stage.user_pays(created["payment_id"])
    await stage.deliver()
    assert await stage.state(created["payment_id"]) == "PAID"
    await stage.hostile(prepay=["act_then_500"])
    with_error = await stage.create(client, await stage.bill())
    assert with_error.status in (201, 409, 422, 503)

    staff = await factories.staff(res, stage.place, "manager")
    login = await res.db.fetchval("SELECT login FROM staff WHERE id = $1", staff.id)
    hashed = await passwords.hash_password(PASSWORD)
    await res.db.execute("UPDATE staff SET password_hash = $2 WHERE id = $1", staff.id, hashed)
    told = (await client.post("/admin/v1/login", {"login": login, "password": PASSWORD})).json
    await client.post("/admin/v1/login", {"login": login, "password": f"{PASSWORD}-wrong"})
    totp = (await client.of(told["token"]).post("/admin/v1/me/totp")).json["secret"]
    boss = client.of(staff.token)
    house = stage.house_id
    await boss.post(
        f"/admin/v1/houses/{house}/residents",
        {"phone": PHONES[1], "name": NAMES[1], "role": "tenant", "reason": "合同"},
    )
    await boss.get(f"/admin/v1/residents?phone={PHONES[1]}")
    await boss.get(f"/admin/v1/residents?phone={PHONES[1]}9999999")
    await boss.post(
        f"/admin/v1/communities/{stage.place.id}/people/{stage.owner.id}/reveal", {"reason": f"回访 {PHONES[2]}"}
    )
    failpoints.arm("order.before_commit", "raise", times=1)
    assert (await stage.create(client, await stage.bill())).status == 500
    failpoints.disarm_all()
    while await work_due(res, HANDLERS):
        pass
    key = await res.db.fetchrow("SELECT id, session_key_sealed FROM wechat_user WHERE openid = $1", seen["openid"])
    session_key = res.keyring.open(key["session_key_sealed"], Context("wechat_user", "session_key_sealed", key["id"]))
    master = (res.settings.data_dir / "master.key").read_text().strip()
    return [
        *seen.values(), session_key, told["token"], totp, PASSWORD, hashed, staff.token, stage.owner.token,
        stage.owner.openid, SECRET, factories_payments.API_V3_KEY, master, *PHONES, "13800000001", *NAMES,
    ]  # fmt: skip


# What answers about people show, role by role, written by hand: a field more is a decision, not an accident.
PERSON = {"name", "phone"}
RESIDENT = {
    "occupancy_id", "house_id", "person_id", "name", "phone", "role", "starts_on", "ends_on", "source",
}  # fmt: skip
FIELDS: list[tuple[str, tuple[str, ...], str, set[str]]] = [
    ("/api/v1/me", ("owner", "family", "tenant"), "", {"person_id", "name", "phone", "is_staff", "houses", "consents"}),
    (
        "/api/v1/me", ("owner", "family", "tenant"), "houses",
        {"house_id", "community_id", "community", "label", "kind", "gross_area_cm2", "role", "rights", "pay_code"},
    ),
    ("/api/v1/houses/{house}/members", ("owner",), "items", {"occupancy_id", "name", "phone", "role", "starts_on"}),
    ("/admin/v1/houses/{house}/residents", ("customer_service", "read_only", "cashier", "manager"), "items", RESIDENT),
    ("/admin/v1/residents?phone=13777770001", ("customer_service", "read_only", "manager"), "items", RESIDENT),
    ("/admin/v1/residents?phone=0001", ("customer_service", "read_only", "manager"), "items", RESIDENT),
]  # fmt: skip
MASKED_PHONE = re.compile(r"\d{3}\*{4}\d{4}")
MASKED_NAME = re.compile(r".\*+")


async def test_people_are_shown_field_by_field_and_masked(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    house = await factories.house(res, place)
    tokens: dict[str, str] = {}
    for role, phone, name in zip(("owner", "family", "tenant"), PHONES, NAMES, strict=False):
        who = await factories.person(res, phone, name)
        await factories.occupy(res, who, house, role)
        tokens[role] = who.token
        await res.db.transact(
            lambda tx, person_id=who.id: consents.grant(
                tx, SYSTEM, person_id=person_id, purpose=consents.Purpose.SERVICE, version=1
            )
        )
    for role in ("customer_service", "read_only", "cashier", "manager"):
        tokens[role] = (await factories.staff(res, place, role)).token
    for path, roles, part, fields in FIELDS:
        for role in roles:
            answer = await client.of(tokens[role]).get(path.format(house=house))
            assert answer.status == 200, (path, role, answer.body)
            shown = answer.json[part] if part else [answer.json]
            assert shown, (path, role)
            for one in shown:
                assert set(one) == fields, (path, role)
                if "phone" in one:
                    assert MASKED_PHONE.fullmatch(one["phone"]), (path, role)
                    assert MASKED_NAME.fullmatch(one["name"]), (path, role)
            assert found_in(answer.body.decode(), (*PHONES, *NAMES)) == [], (path, role)
    tenant = (await client.of(tokens["tenant"]).get("/api/v1/houses")).json["items"]
    assert [one["pay_code"] for one in tenant] == [None]


async def test_whole_names_and_phones_take_a_reason_and_are_recorded(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    house = await factories.house(res, place)
    owner = await factories.person(res, PHONES[0], NAMES[0])
    await factories.occupy(res, owner, house)
    staff = await factories.staff(res, place, "customer_service")
    path = f"/admin/v1/communities/{place.id}/people/{owner.id}/reveal"
    for body in ({}, {"reason": ""}, {"reason": "x"}, {"reason": None}):
        assert (await client.of(staff.token).post(path, body)).status == 422
    assert await res.db.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'person.revealed'") == 0
    told = await client.of(staff.token).post(path, {"reason": "电话回访"})
    assert (told.json["name"], told.json["phone"]) == (NAMES[0], PHONES[0])
    entry = await res.db.fetchrow("SELECT * FROM audit_entry WHERE action = 'person.revealed'")
    assert entry is not None
    assert (entry["actor_id"], entry["target"], entry["reason"]) == (staff.id, f"person:{owner.id}", "电话回访")
    assert found_in(str(dict(entry.items())), (PHONES[0], NAMES[0])) == []
