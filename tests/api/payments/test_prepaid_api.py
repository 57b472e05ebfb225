"""Prepaid accounts through HTTP: balances, top up, statement (R4)."""

import pytest

from tests import factories
from tests.conftest import Client
from tests.factories_payments import Stage


def _body(play: Stage, **over: object) -> dict[str, object]:
    return {"house_id": str(play.house_id), "purpose": "property", "amount_fen": 50_000, **over}


async def test_a_resident_tops_up_sees_the_balance_and_the_statement(play: Stage, sandbox_client: Client) -> None:
    phone = sandbox_client.of(play.owner.token)
    created = await phone.post("/api/v1/prepaid/top-ups", _body(play))
    assert created.status == 201 and created.json["amount_fen"] == 50_000
    assert set(created.json["request_payment"]) == {"timeStamp", "nonceStr", "package", "signType", "paySign"}
    await play.user_pays(created.json["payment_id"])
    await play.deliver()
    shown = await phone.get(f"/api/v1/payments/{created.json['payment_id']}")
    assert shown.json["state"] == "PAID" and shown.json["lines"][0]["bill_id"] is None
    (account,) = (await phone.get("/api/v1/prepaid")).json["items"]
    assert (account["purpose"], account["balance_fen"], account["available_fen"]) == ("property", 50_000, 50_000)
    entries = (await phone.get(f"/api/v1/prepaid/{account['id']}/entries")).json
    assert [(each["title"], each["amount_fen"], each["balance_fen"]) for each in entries["items"]] == [
        ("存入", 50_000, 50_000)
    ]
    assert (await sandbox_client.of(play.family.token).get("/api/v1/prepaid")).json["items"] == [account]
    await play.balanced()


async def test_the_same_top_up_twice_at_once_is_one_order_and_family_waits(play: Stage, sandbox_client: Client) -> None:
    first = await sandbox_client.of(play.owner.token).post("/api/v1/prepaid/top-ups", _body(play))
    again = await sandbox_client.of(play.owner.token).post("/api/v1/prepaid/top-ups", _body(play))
    assert first.json["payment_id"] == again.json["payment_id"]
    theirs = await sandbox_client.of(play.family.token).post("/api/v1/prepaid/top-ups", _body(play))
    assert (theirs.status, theirs.code) == (409, "being_paid")
    more = await sandbox_client.of(play.owner.token).post("/api/v1/prepaid/top-ups", _body(play, amount_fen=60_000))
    assert more.status == 201 and more.json["payment_id"] != first.json["payment_id"]
    assert await play.state(first.json["payment_id"]) == "CLOSED"
    await play.balanced()


@pytest.mark.parametrize(
    "over", [{"amount_fen": 99}, {"amount_fen": 5_000_001}, {"amount_fen": "500"}, {"purpose": "x"}]
)
async def test_a_top_up_out_of_bounds_changes_nothing(
    play: Stage, sandbox_client: Client, over: dict[str, object]
) -> None:
    answer = await sandbox_client.of(play.owner.token).post("/api/v1/prepaid/top-ups", _body(play, **over))
    assert answer.status == 422
    assert await play.count("payment_order") == await play.count("prepaid_account") == 0


async def test_a_tenant_neither_sees_nor_fills_the_account_of_the_house(play: Stage, sandbox_client: Client) -> None:
    tenant = await factories.person(play.res, "13800000009", "王五")
    await factories.occupy(play.res, tenant, play.house_id, "tenant")
    phone = sandbox_client.of(tenant.token)
    assert (await phone.post("/api/v1/prepaid/top-ups", _body(play))).status == 404
    assert (await phone.get("/api/v1/prepaid")).json["items"] == []


async def test_staff_open_an_account_once_and_read_its_statement(play: Stage, sandbox_client: Client) -> None:
    desk = sandbox_client.of((await factories.staff(play.res, play.place, "cashier")).token)
    body = {"house_id": str(play.house_id), "purpose": "utility"}
    opened = await desk.post("/admin/v1/prepaid-accounts", body)
    again = await desk.post("/admin/v1/prepaid-accounts", body)
    assert (opened.status, opened.json) == (again.status, again.json) == (201, opened.json)
    listed = await desk.get(f"/admin/v1/prepaid-accounts?house_id={play.house_id}")
    assert listed.json["items"] == [opened.json]
    entries = await desk.get(f"/admin/v1/prepaid-accounts/{opened.json['id']}/entries")
    assert entries.json == {"account": opened.json, "items": [], "next_cursor": None}
