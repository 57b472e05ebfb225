"""The counter over HTTP: a day of a cashier, codes, papers, who may see receipts."""

import asyncio
from typing import Any

from tests import factories
from tests.conftest import Answered, Client
from tests.factories_alipay import alipay
from tests.factories_counter import Counter, counter, voucher_no, work_all
from tests.factories_payments import Stage, sound


def taking(bill: object, amount_fen: int, **more: Any) -> dict[str, Any]:
    line = {"id": str(bill)}
    return {"lines": [line], "method": "cash", "voucher_no": voucher_no(), "amount_fen": amount_fen, **more}


async def test_a_cashiers_day(play: Stage, sandbox_client: Client) -> None:
    cashier = await factories.staff(play.res, play.place, "cashier")
    manager = await factories.staff(play.res, play.place, "manager")
    desk, boss = sandbox_client.of(cashier.token), sandbox_client.of(manager.token)
    opened = await desk.post("/admin/v1/counter/shifts", {"community_id": str(play.place.id), "float_fen": 50_000})
    assert opened.status == 201, opened.body
    shift = f"/admin/v1/counter/shifts/{opened.json['id']}"
    first, second = await play.bill(26_805), await play.bill(10_000)

    due = await desk.get(f"/admin/v1/counter/due?house_id={play.house_id}")
    assert [(each["due_fen"], each["being_paid_online"]) for each in due.json["items"]] == [
        (26_805, False), (10_000, False),
    ]  # fmt: skip
    assert due.json["total_fen"] == 36_805

    taken = await desk.post("/admin/v1/counter/takings", taking(first, 26_805, received_fen=27_000))
    assert (taken.status, taken.json["change_fen"]) == (201, 195), taken.body
    part = taking(second, 4_000)
    part["lines"][0]["amount_fen"] = 4_000
    assert (await desk.post("/admin/v1/counter/takings", part)).status == 201
    left = await desk.get(f"/admin/v1/counter/due?house_id={play.house_id}")
    assert left.json["total_fen"] == 6_000

    vouchers = (await desk.get(f"{shift}/vouchers")).json["items"]
    assert [each["amount_fen"] for each in vouchers] == [4_000, 26_805]
    void = await desk.post(f"/admin/v1/counter/vouchers/{vouchers[0]['id']}/void", {"reason": "收错房号"})
    assert void.status == 201, void.body
    approved = await boss.post(
        f"/admin/v1/approvals/{void.json['approval_id']}/decision", {"approve": True, "note": "同意"}
    )
    assert approved.status == 200, approved.body
    waiting = (await desk.get("/admin/v1/counter/refunds")).json["items"]
    assert [(each["refund_id"], each["amount_fen"]) for each in waiting] == [(void.json["refund_id"], 4_000)]
    paid = await desk.post(f"/admin/v1/counter/refunds/{void.json['refund_id']}/pay-out", {"voucher_no": voucher_no()})
    assert (paid.status, paid.json["amount_fen"]) == (201, 4_000), paid.body

    deposit = {"shift_id": opened.json["id"], "amount_fen": 20_000, "deposited_on": "2026-09-01", "slip_no": "0901-1"}
    assert (await desk.post("/admin/v1/counter/deposits", deposit)).status == 201
    assert [each["slip_no"] for each in (await boss.get("/admin/v1/counter/deposits")).json["items"]] == ["0901-1"]

    refused = await desk.post(f"{shift}/close", {"counted_fen": 56_800})
    assert (refused.status, refused.code) == (422, "note_required")
    closed = await desk.post(f"{shift}/close", {"counted_fen": 56_800, "note": "找零少收五分"})
    assert closed.status == 200, closed.body
    assert (closed.json["expected_fen"], closed.json["over_fen"]) == (56_805, -5)
    assert closed.json["methods"] == [
        {"method": "cash", "takings": 2, "taken_fen": 30_805, "returns": 1, "returned_fen": 4_000}
    ]
    paper = await boss.get(f"{shift}/paper")
    assert paper.status == 200 and "短款 0.05 元" in paper.body.decode()
    listed = (await boss.get("/admin/v1/counter/shifts?state=CLOSED")).json["items"]
    assert [each["id"] for each in listed] == [opened.json["id"]]
    await work_all(play)
    await sound(play.res)


async def test_the_same_taking_sent_again_is_one_taking(play: Stage, desk: Counter, sandbox_client: Client) -> None:
    client, bill = sandbox_client.of(desk.cashier.token), await play.bill(1_000)
    body = taking(bill, 1_000)
    answers = await asyncio.gather(
        *(client.post("/admin/v1/counter/takings", body, key="once-0001-taking") for _ in range(5))
    )
    assert {answer.status for answer in answers} == {201}
    assert len({answer.json["voucher_id"] for answer in answers}) == 1
    assert await play.count("counter_voucher") == 1
    other = await client.post("/admin/v1/counter/takings", {**body, "voucher_no": "X1"}, key="once-0001-taking")
    assert other.status == 409


async def test_a_used_voucher_number_is_told_in_words(play: Stage, desk: Counter, sandbox_client: Client) -> None:
    client, body = sandbox_client.of(desk.cashier.token), taking(await play.bill(1_000), 1_000)
    assert (await client.post("/admin/v1/counter/takings", body)).status == 201
    again = await client.post(
        "/admin/v1/counter/takings", {**taking(await play.bill(500), 500), "voucher_no": body["voucher_no"]}
    )
    assert (again.status, again.code) == (409, "voucher_taken")
    assert body["voucher_no"] in again.json["error"]["message"]


async def test_what_is_due_is_found_by_house_code_and_person(
    play: Stage, desk: Counter, sandbox_client: Client
) -> None:
    client = sandbox_client.of(desk.cashier.token)
    await play.bill(1_000)
    code = await play.res.db.fetchval("SELECT pay_code FROM house WHERE id = $1", play.house_id)
    for query in (f"house_id={play.house_id}", f"pay_code={code}", f"person_id={play.owner.id}"):
        found = await client.get(f"/admin/v1/counter/due?{query}")
        assert (found.status, found.json["total_fen"]) == (200, 1_000), found.body
    assert (await client.get("/admin/v1/counter/due?pay_code=NOSUCHCODE")).status == 404
    assert (await client.get("/admin/v1/counter/due")).status in (400, 422)
    elsewhere = await factories.community(play.res, "LL02", company_id=play.place.company_id)
    stranger = sandbox_client.of((await factories.staff(play.res, elsewhere, "cashier")).token)
    assert (await stranger.get(f"/admin/v1/counter/due?pay_code={code}")).status == 404
    assert (await stranger.get(f"/admin/v1/counter/due?house_id={play.house_id}")).json["items"] == []


async def test_a_code_is_shown_scanned_paid_and_asked_about(play: Stage, desk: Counter, sandbox_client: Client) -> None:
    client, bill = sandbox_client.of(desk.cashier.token), await play.bill(1_000)
    online = await play.ready(bill)
    shown = await client.post("/admin/v1/counter/codes", {"lines": [{"id": str(bill)}], "channel": "wechat"})
    assert shown.status == 201, shown.body
    assert await play.state(online) == "CLOSED"
    assert shown.json["qr_text"].startswith("weixin://") and shown.json["svg"].startswith("<svg")
    order_id = shown.json["order_id"]
    due = await client.get(f"/admin/v1/counter/due?house_id={play.house_id}")
    assert due.json["items"][0]["being_paid_online"] is True
    await play.user_pays(order_id)
    await play.deliver()
    order = await client.get(f"/admin/v1/orders/{order_id}")
    assert (order.json["state"], order.json["payer_person_id"]) == ("PAID", None)
    assert await play.bill_state(bill) == "PAID"
    await work_all(play)
    await play.balanced()


async def test_a_code_of_alipay_is_scanned_and_paid(play: Stage, desk: Counter, sandbox_client: Client) -> None:
    pay, bill = await alipay(play), await play.bill(1_000)
    client = sandbox_client.of(desk.cashier.token)
    shown = await client.post("/admin/v1/counter/codes", {"lines": [{"id": str(bill)}], "channel": "alipay"})
    assert shown.status == 201, shown.body
    assert shown.json["qr_text"].startswith("http")
    await pay.scans(shown.json["order_id"])
    await pay.pays(shown.json["order_id"])
    await pay.deliver()
    assert await play.bill_state(bill) == "PAID"
    await work_all(play)
    await sound(play.res)


async def test_prepaid_money_is_taken_in_cash_and_given_back(
    play: Stage, desk: Counter, sandbox_client: Client
) -> None:
    client = sandbox_client.of(desk.cashier.token)
    body = {"house_id": str(play.house_id), "purpose": "property"}
    account = (await client.post("/admin/v1/prepaid-accounts", body)).json["id"]
    topped = taking(account, 5_000)
    topped["lines"] = [{"kind": "prepaid", "id": account, "amount_fen": 5_000}]
    taken = await client.post("/admin/v1/counter/takings", topped)
    assert taken.status == 201, taken.body
    await work_all(play)
    void = await client.post(f"/admin/v1/counter/vouchers/{taken.json['voucher_id']}/void", {"reason": "住户退租"})
    manager = sandbox_client.of((await factories.staff(play.res, play.place, "manager")).token)
    decision = {"approve": True, "note": "同意"}
    assert (await manager.post(f"/admin/v1/approvals/{void.json['approval_id']}/decision", decision)).status == 200
    path = f"/admin/v1/counter/refunds/{void.json['refund_id']}/pay-out"
    elsewhere = await factories.community(play.res, "LL02", company_id=play.place.company_id)
    stranger = sandbox_client.of((await factories.staff(play.res, elsewhere, "cashier")).token)
    await stranger.post("/admin/v1/counter/shifts", {"community_id": str(elsewhere.id), "float_fen": 50_000})
    assert (await stranger.get("/admin/v1/counter/refunds")).json["items"] == []
    assert (await stranger.post(path, {"voucher_no": voucher_no()})).status == 404
    assert (await stranger.post("/admin/v1/counter/takings", {**topped, "voucher_no": voucher_no()})).status == 404
    paid = await client.post(path, {"voucher_no": voucher_no()})
    assert (paid.status, paid.json["amount_fen"]) == (201, 5_000), paid.body
    await work_all(play)
    await sound(play.res)


async def test_a_code_that_nobody_scanned_gives_way_to_cash(play: Stage, desk: Counter, sandbox_client: Client) -> None:
    client, bill = sandbox_client.of(desk.cashier.token), await play.bill(1_000)
    shown = await client.post("/admin/v1/counter/codes", {"lines": [{"id": str(bill)}], "channel": "wechat"})
    taken = await client.post("/admin/v1/counter/takings", taking(bill, 1_000))
    assert taken.status == 201, taken.body
    assert await play.state(shown.json["order_id"]) == "CLOSED"
    await sound(play.res)


async def test_receipts_are_printed_listed_and_shown_to_whose_they_are(
    play: Stage, desk: Counter, sandbox_client: Client
) -> None:
    client = sandbox_client.of(desk.cashier.token)
    orders = [(await desk.take(await play.bill(100), amount_fen=100)).order_id for _ in range(3)]
    first = await client.post(f"/admin/v1/orders/{orders[0]}/receipt")
    again = await client.post(f"/admin/v1/orders/{orders[0]}/receipt")
    assert (first.status, first.json["number"], again.json["id"]) == (200, "00000001", first.json["id"])
    await work_all(play)
    numbers: list[str] = []
    path = "/admin/v1/receipts?limit=2"
    while path:
        page = (await client.get(path)).json
        numbers += [each["number"] for each in page["items"]]
        path = f"/admin/v1/receipts?limit=2&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert numbers == ["00000003", "00000002", "00000001"]

    html = await client.get(f"/admin/v1/receipts/{first.json['id']}/paper?size=241")
    assert html.status == 200 and "壹元整" in html.body.decode()
    assert html.headers["Content-Security-Policy"].startswith("default-src 'none'")
    await _pdf_or_package(await client.get(f"/admin/v1/receipts/{first.json['id']}/paper?form=pdf"))

    mine = f"/api/v1/payments/{orders[0]}/receipt"
    assert (await sandbox_client.of(play.owner.token).get(mine)).json["number"] == "00000001"
    assert (await sandbox_client.of(play.family.token).get(f"{mine}/paper")).status == 200
    stranger = await factories.person(play.res, "13800000066", "王五")
    assert (await sandbox_client.of(stranger.token).get(mine)).status == 404
    assert (await sandbox_client.of(stranger.token).get(f"{mine}/paper")).status == 404


async def _pdf_or_package(answer: Answered) -> None:
    if answer.status == 200:
        assert answer.body.startswith(b"%PDF") and answer.headers["Content-Type"] == "application/pdf"
    else:
        assert (answer.status, answer.code) == (503, "pdf_font_missing")


async def test_only_a_manager_closes_the_shift_of_somebody_else(
    play: Stage, desk: Counter, sandbox_client: Client
) -> None:
    colleague = (await counter(play)).cashier
    path, body = f"/admin/v1/counter/shifts/{desk.shift.id}/close", {"counted_fen": 50_000}
    assert (await sandbox_client.of(colleague.token).post(path, body)).status == 404
    manager = await factories.staff(play.res, play.place, "manager")
    assert (await sandbox_client.of(manager.token).post(path, body)).status == 200
