"""Second and late payments go back by themselves, within a limit; what nobody here let go is seen (D6, principle 9)."""

from dataclasses import replace
from uuid import UUID

import pytest

from payments import closing
from payments.channels.base import TradeState
from payments.foreign_refunds import automatic_number
from payments.settlement import Outcome
from tests.conftest import Run
from tests.factories_payments import Stage
from tests.factories_refunds import Refunds, rig


@pytest.fixture
def world(play: Stage, run: Run, monkeypatch: pytest.MonkeyPatch) -> Refunds:
    return run(rig(play, monkeypatch))


async def two_orders(world: Refunds, amount_fen: int = 26_805) -> tuple[UUID, UUID, UUID]:
    """A bill, an order that was closed while someone sat in its cashier, and the order that took its place."""
    bill = await world.play.bill(amount_fen)
    old = await world.play.ready(bill)
    await closing.close(world.play.res, old, reason="cancelled")
    return bill, old, await world.play.ready(bill)


async def test_a7_the_second_payment_goes_back_by_itself(world: Refunds) -> None:
    bill, old, new = await two_orders(world)
    assert await world.channel.tell_paid(old) is Outcome.APPLIED
    assert await world.channel.tell_paid(new) is Outcome.DIFFERENCE
    assert await world.suspense_fen() == 26_805
    await world.work()
    row = await world.refund()
    assert (row["state"], row["automatic"], row["requested_by"], row["amount_fen"]) == ("SUCCEEDED", True, None, 26_805)
    assert "重复支付" in row["reason"]
    assert await world.play.differences() == [("second_payment", "AUTO_RESOLVED", 26_805)]
    assert (await world.suspense_fen(), world.channel.books_fen) == (0, 26_805)
    assert (await world.play.bill_state(bill), await world.play.state(old)) == ("PAID", "PAID")
    audited = await world.play.res.db.fetchval(
        "SELECT actor_kind FROM audit_entry WHERE action = 'payments.refund_automatic'"
    )
    assert audited == "system"
    await world.balanced()


async def test_a8_a_late_payment_of_a_paid_bill_goes_back_by_itself(world: Refunds) -> None:
    _, old, new = await two_orders(world)
    await world.channel.tell_paid(new)
    await world.channel.tell_paid(old)
    assert await world.play.differences() == [("late_payment", "OPEN", 26_805)]
    await world.work()
    assert await world.play.differences() == [("late_payment", "AUTO_RESOLVED", 26_805)]
    await world.channel.tell_paid(old)
    await world.play.later(minutes=31)
    await world.play.janitor()
    assert await world.play.count("refund") == 1
    await world.balanced()


async def test_what_went_back_holds_its_order_no_longer(world: Refunds) -> None:
    _, old, new = await two_orders(world)
    await world.channel.tell_paid(old)
    await world.channel.tell_paid(new)
    await world.work()
    await world.play.later(minutes=31)
    await world.play.janitor()
    assert await world.play.state(new) == "CLOSED"
    await world.balanced()


async def test_a_lie_about_a_second_payment_gives_nothing_back(world: Refunds) -> None:
    _, old, new = await two_orders(world)
    await world.channel.tell_paid(old)
    await world.channel.tell_paid(new)
    number = (await world.play.attempt(new))["out_trade_no"]
    world.channel.trades[number] = replace(world.channel.trades[number], state=TradeState.NOTPAY)
    await world.work()
    assert await world.play.count("refund") == 0
    assert await world.play.differences() == [("second_payment", "OPEN", 26_805)]


async def test_a_second_payment_is_settled_instead_where_its_bill_is_owed_again(world: Refunds) -> None:
    bill, old, new = await two_orders(world)
    await world.channel.tell_paid(old)
    await world.channel.tell_paid(new)
    await world.play.res.db.execute("UPDATE outbox SET run_at = run_at + interval '1 day' WHERE state = 'READY'")
    await world.refunded(old)
    await world.play.later(days=1)
    await world.work()
    assert (await world.play.state(new), await world.play.bill_state(bill)) == ("PAID", "PAID")
    assert await world.play.differences() == [("second_payment", "AUTO_RESOLVED", 0)]
    assert await world.play.count("refund WHERE automatic") == 0
    await world.balanced()


async def test_above_the_merchants_limit_of_a_day_a_person_must_see_to_it(world: Refunds) -> None:
    await world.play.res.db.execute("UPDATE merchant SET automatic_refund_fen = 30000")
    for _ in range(2):
        _, old, new = await two_orders(world)
        await world.channel.tell_paid(old)
        await world.channel.tell_paid(new)
    await world.work()
    assert await world.play.count("refund") == 1
    assert sorted(state for _, state, _ in await world.play.differences()) == ["AUTO_RESOLVED", "OPEN"]
    open_id = await world.play.res.db.fetchval("SELECT id FROM difference WHERE state = 'OPEN'")
    asked = await world.request_of_difference(open_id)
    await world.decide(asked)
    await world.work()
    assert await world.suspense_fen() == 0
    await world.balanced()


@pytest.mark.parametrize("class_", ["amount", "app"])
async def test_what_else_does_not_fit_waits_for_a_person(world: Refunds, class_: str) -> None:
    order_id = await world.play.ready(await world.play.bill())
    await world.channel.tell_paid(order_id, **({"amount_fen": 5} if class_ == "amount" else {"appid": "wx0"}))
    await world.work()
    assert await world.play.count("refund") == 0
    assert [(kind, state) for kind, state, _ in await world.play.differences()] == [(class_, "OPEN")]


async def test_a_difference_that_a_person_has_decided_is_not_refunded_by_rule(world: Refunds) -> None:
    _, old, new = await two_orders(world)
    await world.channel.tell_paid(old)
    await world.channel.tell_paid(new)
    await world.play.res.db.execute("UPDATE difference SET state = 'RESOLVED', resolved_at = opened_at")
    await world.work()
    assert await world.play.count("refund") == 0


async def test_a_refund_that_nobody_here_made_is_taken_over_and_shown_to_a_person(world: Refunds) -> None:
    order_id = await world.paid_order(26_805)
    trade = await world.channel.paid(order_id)
    told = world.channel.refund_elsewhere(trade, "CONSOLE1")
    assert await world.channel.tell_refund(told) is Outcome.APPLIED
    bill = (await world.lines(order_id))[0]["payable_id"]
    assert (await world.play.bill_state(bill), await world.refunding_fen(order_id)) == ("ISSUED", 26_805)
    assert await world.play.differences() == [("refund", "OPEN", 0)]
    assert await world.channel.tell_refund(told) is Outcome.DUPLICATE
    await world.balanced()


async def test_a_part_that_nobody_here_gave_back_is_a_difference_alone(world: Refunds) -> None:
    order_id = await world.paid_order(26_805)
    told = world.channel.refund_elsewhere(await world.channel.paid(order_id), "CONSOLE1", 5)
    assert await world.channel.tell_refund(told) is Outcome.DIFFERENCE
    assert await world.play.count("refund") == 0
    found = await world.difference("refund")
    assert (found["subject"], found["actual_fen"], found["detail"]["problem"]) == ("CONSOLE1", 5, "unknown_refund")


async def test_f02_a_refund_heard_of_before_its_payment_ends_right(world: Refunds) -> None:
    bill = await world.play.bill(26_805)
    order_id = await world.play.ready(bill)
    told = world.channel.refund_elsewhere(await world.channel.paid(order_id), "CONSOLE1")
    assert await world.channel.tell_refund(told) is Outcome.DIFFERENCE
    await world.work()
    assert (await world.play.state(order_id), await world.play.bill_state(bill)) == ("PAID", "ISSUED")
    assert await world.channel.tell_paid(order_id) is Outcome.DUPLICATE
    assert (await world.play.clearing_fen(), await world.state()) == (0, "SUCCEEDED")
    await world.balanced()


async def test_an_automatic_refund_that_was_lost_with_a_backup_is_found_again_not_repeated(world: Refunds) -> None:
    _, old, new = await two_orders(world)
    trade = await world.channel.paid(new)
    world.channel.refund_elsewhere(trade, automatic_number(world.channel.merchant.channel, trade.transaction_no or ""))
    await world.channel.tell_paid(old)
    await world.channel.tell_paid(new)
    await world.work()
    assert (await world.state(), len(world.channel.refunds)) == ("SUCCEEDED", 1)
    assert await world.play.differences() == [("second_payment", "AUTO_RESOLVED", 26_805)]
    await world.balanced()
