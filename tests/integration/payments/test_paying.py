"""The thin path of D6: place, prepay, pay, callback, settled; and its neighbours."""

import pytest

from backend.composition import HANDLERS
from backend.kernel import failpoints, leases
from backend.kernel.audit import Actor
from backend.kernel.errors import Conflict, NotFound
from backend.wechat import apps
from backend.wechat.apps import AppKind
from payments import asking, closing, prepay
from payments.asking import Said
from payments.orders import BeingPaid, MustCloseFirst
from payments.payables import Kind, Wish
from tests import factories, factories_prepaid, vectors
from tests.conftest import Client
from tests.factories_alipay import alipay
from tests.factories_payments import Stage
from workers import edge


async def work_all(play: Stage) -> None:
    """Run the jobs of payments that are due, without Redis."""
    while claimed := await leases.claim(play.res.db, limit=50, lease_s=30):
        for lease in claimed:
            await edge.work(play.res, HANDLERS, lease, False)


async def test_a_callback_settles_several_bills_of_one_order(play: Stage, sandbox_client: Client) -> None:
    first, second, third = await play.bill(26_805), await play.bill(100), await play.bill(7)
    created = await play.create(sandbox_client, first, second, third)
    assert created.status == 201, created.body
    order_id = created.json["payment_id"]
    assert created.json["amount_fen"] == 26_912
    assert await play.state(order_id) == "PAYING"

    await play.user_pays(order_id)
    await play.deliver()

    assert await play.state(order_id) == "PAID"
    assert [await play.bill_state(bill) for bill in (first, second, third)] == ["PAID"] * 3
    attempt = await play.attempt(order_id)
    assert (attempt["state"], attempt["settled_by"], attempt["ask_at"]) == ("PAID", "callback", None)
    assert await play.count("inbox WHERE outcome = 'applied'") == 1
    assert await play.count("outbox WHERE event = 'payments.paid'") == 1
    assert await play.count("audit_entry WHERE action = 'payments.settled'") == 1
    await play.balanced()


async def test_a3_a_callback_before_the_answer_of_prepay_wins(play: Stage, sandbox_client: Client) -> None:
    bill = await play.bill()
    await play.hostile(callback_before_answer=1)
    answer = await play.create(sandbox_client, bill)
    assert (answer.status, answer.code) == (409, "order_ended")
    assert await play.count("payment_order WHERE state = 'PAID'") == 1
    assert await play.bill_state(bill) == "PAID"
    await play.balanced()


async def test_the_same_wish_of_the_same_payer_is_the_same_order(play: Stage, sandbox_client: Client) -> None:
    first, second = await play.bill(), await play.bill()
    one = await play.create(sandbox_client, first, second)
    other = await play.create(sandbox_client, second, first)
    assert one.json["payment_id"] == other.json["payment_id"]
    assert one.json["request_payment"]["package"] == other.json["request_payment"]["package"]
    await play.balanced()


async def test_a_changed_mind_closes_the_old_order_at_its_channel_first(play: Stage, sandbox_client: Client) -> None:
    first, second = await play.bill(), await play.bill()
    old = (await play.create(sandbox_client, first)).json["payment_id"]
    new = (await play.create(sandbox_client, first, second)).json["payment_id"]
    assert old != new
    assert await play.state(old) == "CLOSED"
    number = (await play.attempt(old))["out_trade_no"]
    assert (await play.sandbox.ask("GET", f"/orders/{vectors.MCHID}/{number}"))["state"] == "CLOSED"
    assert await play.count("payment_hold") == 2
    await play.balanced()


async def test_a_changed_mind_after_paying_is_told_so(play: Stage, sandbox_client: Client) -> None:
    first, second = await play.bill(), await play.bill()
    old = (await play.create(sandbox_client, first)).json["payment_id"]
    await play.hostile(lose_callbacks=1)
    await play.user_pays(old)
    answer = await play.create(sandbox_client, first, second)
    assert (answer.status, answer.code) == (409, "already_paid")
    assert (await play.state(old), await play.bill_state(second)) == ("PAID", "ISSUED")
    await play.balanced()


async def test_another_member_of_the_family_is_told_who_is_paying(play: Stage, sandbox_client: Client) -> None:
    bill = await play.bill()
    await play.create(sandbox_client, bill)
    answer = await play.create(sandbox_client, bill, who=play.family)
    assert (answer.status, answer.code) == (409, "being_paid")
    assert "张" in answer.json["error"]["message"] and "张三" not in answer.json["error"]["message"]
    with pytest.raises(BeingPaid):
        await play.order(bill, who=play.family)


async def test_an_expired_order_of_somebody_else_is_closed_first(play: Stage, sandbox_client: Client) -> None:
    bill = await play.bill()
    old = (await play.create(sandbox_client, bill)).json["payment_id"]
    await play.later(minutes=31)
    with pytest.raises(MustCloseFirst):
        await play.order(bill, who=play.family)
    assert (await play.create(sandbox_client, bill, who=play.family)).status == 201
    assert await play.state(old) == "CLOSED"
    await play.balanced()


async def test_a_bill_is_paid_once_whoever_asks(play: Stage, sandbox_client: Client) -> None:
    bill = await play.bill()
    order_id = await play.ready(bill)
    await play.user_pays(order_id)
    await play.deliver()
    answer = await play.create(sandbox_client, bill, who=play.family)
    assert (answer.status, answer.code) == (409, "already_paid")


async def test_a_payment_after_close_settles_when_its_bill_is_still_open(play: Stage, sandbox_client: Client) -> None:
    bill = await play.bill()
    order_id = await play.ready(bill)
    await _pay_late(play, order_id)
    assert (await play.state(order_id), await play.bill_state(bill)) == ("PAID", "PAID")
    assert await play.differences() == []
    await play.balanced()


async def _pay_late(play: Stage, order_id: object) -> None:
    """The payer sat in the cashier while the order was closed, and pays after that."""
    await play.hostile(pay_after_close=1)
    assert await closing.close(play.res, order_id, reason="cancelled") == "CLOSED"  # type: ignore[arg-type]
    await play.user_pays(str(order_id))
    await play.deliver()


async def test_a_late_payment_closes_the_order_that_took_its_place(play: Stage, sandbox_client: Client) -> None:
    bill = await play.bill()
    old = await play.ready(bill)
    await play.hostile(pay_after_close=1)
    new = (await play.create(sandbox_client, bill, who=play.owner)).json["payment_id"]
    if new == str(old):
        await closing.close(play.res, old, reason="cancelled")
        new = (await play.create(sandbox_client, bill)).json["payment_id"]
    await play.user_pays(old)
    await play.deliver()
    assert (await play.state(old), await play.state(new)) == ("PAID", "PAYING")
    await work_all(play)
    assert await play.state(new) == "CLOSED"
    await play.balanced()


async def test_two_payments_of_one_bill_the_second_stands_in_suspense(play: Stage, sandbox_client: Client) -> None:
    bill = await play.bill(26_805)
    old = await play.ready(bill)
    await play.hostile(pay_after_close=1)
    await closing.close(play.res, old, reason="cancelled")
    new = await play.ready(bill)
    await play.user_pays(new)
    await play.deliver()
    await play.user_pays(old)
    await play.deliver()
    assert (await play.state(new), await play.state(old)) == ("PAID", "CLOSED")
    assert await play.differences() == [("late_payment", "OPEN", 26_805)]
    await play.repeat((await play.notification(old))["id"])
    assert await asking.ask_now(play.res, old) is Said.DISPUTED
    assert await play.differences() == [("late_payment", "OPEN", 26_805)]
    await play.balanced()


async def test_a_lie_about_a_late_payment_is_replaced_by_the_truth_in_suspense(
    play: Stage, sandbox_client: Client
) -> None:
    bill = await play.bill(26_805)
    old = await play.ready(bill)
    await play.hostile(pay_after_close=1, lose_callbacks=1)
    await closing.close(play.res, old, reason="cancelled")
    new = await play.ready(bill)
    await play.user_pays(old)
    await play.deliver()
    await play.user_pays(new)
    await play.deliver()
    await play.forge("wrong_amount", old, amount_fen=3)
    assert await play.differences() == [("amount", "OPEN", 3)]
    await play.repeat((await play.notification(old))["id"])
    await play.forge("wrong_amount", old, amount_fen=4)
    assert await play.differences() == [("amount", "AUTO_RESOLVED", 0), ("late_payment", "OPEN", 26_805)]
    await play.balanced()


async def test_a_late_payment_overtakes_a_live_order_whose_payment_becomes_the_second(
    play: Stage, sandbox_client: Client
) -> None:
    bill = await play.bill(26_805)
    old = await play.ready(bill)
    await play.hostile(pay_after_close=1)
    await closing.close(play.res, old, reason="cancelled")
    new = await play.ready(bill)
    await play.user_pays(old)
    await play.deliver()
    await play.user_pays(new)
    await play.deliver()
    assert (await play.state(old), await play.state(new)) == ("PAID", "PAYING")
    assert await play.differences() == [("second_payment", "OPEN", 26_805)]
    shown = await sandbox_client.of(play.owner.token).get(f"/api/v1/payments/{new}")
    assert "核对" in shown.json["state_text"] and not shown.json["can_cancel"]
    with pytest.raises(Conflict):
        await closing.close(play.res, new, reason="cancelled")
    await play.balanced()


async def test_money_that_a_person_has_decided_about_no_longer_holds_the_order(
    play: Stage, sandbox_client: Client
) -> None:
    bill = await play.bill(26_805)
    old = await play.ready(bill)
    await play.hostile(pay_after_close=1)
    await closing.close(play.res, old, reason="cancelled")
    new = await play.ready(bill)
    await play.user_pays(old)
    await play.deliver()
    await play.user_pays(new)
    await play.deliver()
    cashier = await factories.staff(play.res, play.place, "cashier")
    found = (await sandbox_client.of(cashier.token).get("/admin/v1/differences")).json["items"]
    assert [(each["kind"], each["state"]) for each in found] == [("second_payment", "OPEN")]
    path = f"/admin/v1/differences/{found[0]['id']}/resolve"
    answer = await sandbox_client.of(cashier.token).post(path, {"note": "重复支付，线下退款"})
    assert (answer.status, answer.json["state"]) == (200, "RESOLVED")
    again = await sandbox_client.of(cashier.token).post(path, {"note": "重复支付，线下退款"})
    assert (again.status, again.code) == (409, "difference_closed")
    await work_all(play)
    assert await play.state(new) == "CLOSED"
    assert await play.count("audit_entry WHERE action = 'payments.difference_resolved' AND reason IS NOT NULL") == 1
    await play.balanced()


async def test_a_payment_is_reported_to_wechat_and_the_payer_is_told(play: Stage, sandbox_client: Client) -> None:
    await _register_app(play)
    order_id = await play.ready(await play.bill())
    await play.user_pays(order_id)
    await play.deliver()
    await work_all(play)
    attempt = await play.attempt(order_id)
    assert await play.count("shipping_report WHERE state = 'REPORTED' AND attempt_id = $1", attempt["id"]) == 1
    uploads = (await play.sandbox.ask("GET", "/shipping"))["uploads"]
    assert [upload["transaction_id"] for upload in uploads] == [attempt["transaction_no"]]
    assert await play.count("inbox_message WHERE person_id = $1 AND title = '缴费成功'", play.owner.id) == 1
    assert await play.count("message_intent WHERE event_key = $1", f"payments.paid:{order_id}") == 1


async def _register_app(play: Stage) -> None:
    await play.res.db.transact(
        lambda tx: apps.register(
            tx, play.res.keyring, actor=Actor("system"), company_id=play.place.company_id, kind=AppKind.MINIPROGRAM,
            appid=factories.APPID, secret="s" * 32,
        )
    )  # fmt: skip


async def test_foreign_bills_cannot_be_paid(play: Stage, sandbox_client: Client) -> None:
    other_house = await factories.house(play.res, play.place, "102")
    foreign = await play.bill(house_id=other_house)
    answer = await play.create(sandbox_client, foreign)
    assert answer.status == 404
    with pytest.raises(NotFound):
        await play.order(foreign)


async def test_a_forced_failure_while_settling_by_query_leaves_the_door_open(play: Stage) -> None:
    order_id = await play.ready(await play.bill())
    await play.hostile(lose_callbacks=1)
    await play.user_pays(order_id)
    failpoints.arm("settle.before_commit", "raise", times=1)
    with pytest.raises(failpoints.FailpointError):
        await asking.ask_now(play.res, order_id)
    assert await play.state(order_id) == "PAYING"
    assert await asking.ask_now(play.res, order_id) is Said.PAID
    await play.balanced()


async def test_a_late_payment_of_several_kinds_is_applied_whole_or_not_at_all(
    play: Stage, sandbox_client: Client
) -> None:
    bill = await play.bill(26_805)
    account_id = await factories_prepaid.account(play)
    mixed = await factories_prepaid.order(play, Wish(Kind.PREPAID, account_id, 10_000), Wish(Kind.BILL, bill))
    await prepay.pay_parameters(play.res, mixed)
    await play.hostile(pay_after_close=1)
    await closing.close(play.res, mixed, reason="cancelled")
    # The top-up is met first when the lines are read.
    await play.res.db.execute("UPDATE payment_line SET title = title WHERE order_id = $1 AND kind = 'bill'", mixed)
    other = await play.ready(bill)
    await play.hostile(lose_callbacks=1)
    await play.user_pays(other)
    assert await asking.ask_now(play.res, other) is Said.PAID
    await play.user_pays(mixed)
    await play.deliver()
    assert await play.differences() == [("late_payment", "OPEN", 36_805)]
    assert await play.count("posting WHERE kind = 'prepaid.topped_up'") == 0
    await play.balanced()


async def test_only_what_is_paid_inside_of_wechat_is_reported_to_wechat(play: Stage, sandbox_client: Client) -> None:
    till = await alipay(play)
    by_alipay = await till.ready(await play.bill())
    await till.pays(by_alipay)
    await till.deliver()
    await work_all(play)
    assert await play.state(by_alipay) == "PAID"
    assert await play.count("outbox WHERE event = 'payments.shipping_due'") == 0
