"""Refunds over HTTP, at the sandbox: two people, the callback, what staff and the payer see."""

from typing import Any
from uuid import UUID

import pytest

from backend.composition import HANDLERS
from backend.kernel import leases
from payments import closing, merchants, refund_calls
from payments.channels.wechat_v3 import WechatPayV3
from tests import factories, vectors
from tests.conftest import Answered, Client
from tests.factories_payments import Stage, sound
from workers import edge


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second for the channel, so that its silence is a short one."""
    monkeypatch.setattr(
        merchants,
        "channel",
        lambda res, merchant: WechatPayV3(res.egress, res.clock, res.settings.wechat_pay_url, total_s=0.5),
    )


async def work(play: Stage) -> None:
    while claimed := await leases.claim(play.res.db, limit=50, lease_s=30):
        for lease in claimed:
            await edge.work(play.res, HANDLERS, lease, False)


async def paid(play: Stage, *amounts_fen: int) -> UUID:
    order_id = await play.ready(*[await play.bill(amount_fen) for amount_fen in amounts_fen or (26_805,)])
    await play.user_pays(order_id)
    await play.deliver()
    assert await play.state(order_id) == "PAID"
    return order_id


async def staff(play: Stage, client: Client, role: str) -> Client:
    return client.of((await factories.staff(play.res, play.place, role)).token)


async def approve(office: Client, asked: Answered) -> Answered:
    body = {"approve": True, "note": "同意"}
    return await office.call("POST", f"/admin/v1/approvals/{asked.json['approval_id']}/decision", body)


async def truth(play: Stage) -> Any:
    return (await play.sandbox.ask("GET", "/truth"))["merchants"][vectors.MCHID]


async def balanced(play: Stage) -> None:
    """Our clearing accounts hold what the channel has, less what went back."""
    await sound(play.res)
    there = await truth(play)
    assert await play.clearing_fen() == there["paid_fen"] - there["refunded_fen"]


async def test_a_refund_from_asking_to_the_callback(play: Stage, sandbox_client: Client) -> None:
    order_id = await paid(play, 26_805, 100)
    cashier, manager = await staff(play, sandbox_client, "cashier"), await staff(play, sandbox_client, "manager")
    detail = (await cashier.get(f"/admin/v1/orders/{order_id}")).json
    line = next(each for each in detail["lines"] if each["principal_fen"] == 26_805)
    body = {"lines": [{"line_id": line["id"], "principal_fen": 6_805}], "reason": "多收了一个月"}
    asked = await cashier.post(f"/admin/v1/orders/{order_id}/refunds", body, key="once")
    assert asked.status == 201, asked.body
    again = await cashier.post(f"/admin/v1/orders/{order_id}/refunds", body, key="once")
    assert again.json == asked.json
    assert (await approve(cashier, asked)).status == 404
    assert (await approve(manager, asked)).status == 200
    path = f"/admin/v1/refunds/{asked.json['refund_id']}"
    assert (await cashier.get(path)).json["state"] == "APPROVED"
    await work(play)
    shown = (await cashier.get(path)).json
    assert (shown["state"], shown["amount_fen"], len(shown["lines"])) == ("PROCESSING", 6_805, 1)
    mine = await sandbox_client.of(play.owner.token).get("/api/v1/refunds")
    assert [each["state"] for each in mine.json["items"]] == ["PROCESSING"]
    await play.later(seconds=5)
    await play.deliver()
    shown = (await cashier.get(path)).json
    assert (shown["state"], shown["error"]) == ("SUCCEEDED", None)
    assert await play.count("inbox WHERE reason LIKE 'refund:%' AND outcome = 'applied'") == 1
    payment = (await sandbox_client.of(play.owner.token).get(f"/api/v1/payments/{order_id}")).json
    assert payment["refunded_fen"] == 6_805 and "68.05元已原路退回" in payment["state_text"]
    assert (await sandbox_client.of(play.family.token).get("/api/v1/refunds")).json["items"] == []
    await balanced(play)


async def test_a_refund_must_have_a_reason_and_keeps_to_the_limit_of_the_role(
    play: Stage, sandbox_client: Client
) -> None:
    order_id = await paid(play, 500_001)
    cashier, manager = await staff(play, sandbox_client, "cashier"), await staff(play, sandbox_client, "manager")
    path = f"/admin/v1/orders/{order_id}/refunds"
    assert (await cashier.post(path, {})).status == 422
    assert (await cashier.post(path, {"reason": "退", "lines": None})).status == 422
    refused = await cashier.post(path, {"reason": "业主退房"})
    assert (refused.status, refused.code) == (409, "refund_limit")
    assert (await manager.post(path, {"reason": "业主退房"})).status == 201


@pytest.mark.parametrize("behaviour", ["act_then_hang", "act_then_500"])
async def test_f06_a_refund_call_that_times_out_though_the_channel_did_it(
    play: Stage, sandbox_client: Client, behaviour: str
) -> None:
    order_id = await paid(play)
    cashier, manager = await staff(play, sandbox_client, "cashier"), await staff(play, sandbox_client, "manager")
    asked = await cashier.post(f"/admin/v1/orders/{order_id}/refunds", {"reason": "重复缴费"})
    await approve(manager, asked)
    await play.hostile(refund=[behaviour], lose_callbacks=5)
    await work(play)
    assert await play.res.db.fetchval("SELECT state FROM refund") == "SUBMITTING"
    await play.later(minutes=1)
    await refund_calls.tick(play.res, "")
    assert await play.res.db.fetchval("SELECT state FROM refund") == "SUCCEEDED"
    there = await truth(play)
    assert there["refunded_fen"] == 26_805
    await balanced(play)


@pytest.mark.parametrize("behaviour", ["500", "429", "bad_signature", "truncated", "old_serial"])
async def test_f07_an_answer_that_cannot_be_believed_neither_succeeds_nor_fails(
    play: Stage, sandbox_client: Client, behaviour: str
) -> None:
    order_id = await paid(play)
    cashier, manager = await staff(play, sandbox_client, "cashier"), await staff(play, sandbox_client, "manager")
    asked = await cashier.post(f"/admin/v1/orders/{order_id}/refunds", {"reason": "重复缴费"})
    await approve(manager, asked)
    await play.hostile(refund=[behaviour])
    await work(play)
    assert await play.res.db.fetchval("SELECT state FROM refund") == "SUBMITTING"
    for _ in range(3):
        await play.later(minutes=2)
        await refund_calls.tick(play.res, "")
    assert await play.res.db.fetchval("SELECT state FROM refund") == "SUCCEEDED"
    assert (await truth(play))["refunded_fen"] == 26_805
    await balanced(play)


@pytest.mark.parametrize("behaviour", ["NOT_ENOUGH", "FREQUENCY_LIMITED"])
async def test_b16_b17_patience_at_the_sandbox(play: Stage, sandbox_client: Client, behaviour: str) -> None:
    order_id = await paid(play)
    cashier, manager = await staff(play, sandbox_client, "cashier"), await staff(play, sandbox_client, "manager")
    await approve(manager, await cashier.post(f"/admin/v1/orders/{order_id}/refunds", {"reason": "重复缴费"}))
    await play.hostile(refund=[behaviour])
    await work(play)
    row = await play.res.db.fetchrow("SELECT state, error FROM refund")
    assert row is not None and row["state"] == "SUBMITTING" and row["error"]
    await play.later(minutes=1)
    await refund_calls.tick(play.res, "")
    await play.later(minutes=1)
    await refund_calls.tick(play.res, "")
    assert await play.res.db.fetchval("SELECT state FROM refund") == "SUCCEEDED"
    await balanced(play)


async def test_the_second_payment_goes_back_by_itself_at_the_sandbox(play: Stage, sandbox_client: Client) -> None:
    bill = await play.bill(26_805)
    old = await play.ready(bill)
    await play.hostile(pay_after_close=1)
    await closing.close(play.res, old, reason="cancelled")
    new = await play.ready(bill)
    await play.user_pays(new)
    await play.deliver()
    await play.user_pays(old)
    await play.deliver()
    await work(play)
    await play.later(seconds=5)
    await play.deliver()
    assert await play.differences() == [("late_payment", "AUTO_RESOLVED", 26_805)]
    assert (await play.bill_state(bill), (await truth(play))["refunded_fen"]) == ("PAID", 26_805)
    shown = await sandbox_client.of(play.owner.token).get(f"/api/v1/payments/{old}")
    assert "已原路退回" in shown.json["state_text"]
    await balanced(play)


async def test_a_refund_callback_that_lies_about_the_amount_is_a_difference(
    play: Stage, sandbox_client: Client
) -> None:
    order_id = await paid(play)
    cashier, manager = await staff(play, sandbox_client, "cashier"), await staff(play, sandbox_client, "manager")
    await approve(manager, await cashier.post(f"/admin/v1/orders/{order_id}/refunds", {"reason": "重复缴费"}))
    await work(play)
    number = await play.res.db.fetchval("SELECT out_refund_no FROM refund")
    await play.forge("wrong_amount", order_id, out_refund_no=number, amount_fen=1)
    assert await play.res.db.fetchval("SELECT state FROM refund") == "PROCESSING"
    assert await play.differences() == [("refund", "OPEN", 0)]
    await play.later(seconds=5)
    await play.deliver()
    assert await play.res.db.fetchval("SELECT state FROM refund") == "SUCCEEDED"
    assert await play.differences() == [("refund", "AUTO_RESOLVED", 0)]
    await balanced(play)


async def test_the_limit_of_automatic_refunds_is_changed_by_two_people(play: Stage, sandbox_client: Client) -> None:
    one = sandbox_client.of((await factories.staff(play.res, play.place, "administrator", all_communities=True)).token)
    other = sandbox_client.of(
        (await factories.staff(play.res, play.place, "administrator", all_communities=True)).token
    )
    path = f"/admin/v1/merchants/{play.merchant_id}/automatic-refunds"
    asked = await one.post(path, {"a_day_fen": 100, "reason": "降低限额"})
    assert asked.status == 201, asked.body
    assert (await approve(one, asked)).status == 403
    assert (await approve(other, asked)).status == 200
    assert (
        await play.res.db.fetchval("SELECT automatic_refund_fen FROM merchant WHERE id = $1", play.merchant_id) == 100
    )
