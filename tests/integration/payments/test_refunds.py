"""Refunds: asked for, approved, sent, heard; what they do to bills, suspense and books (D6, I-04, I-09, I-10)."""

from dataclasses import replace
from uuid import uuid4

import asyncpg
import pytest

from backend.composition import APPROVALS
from backend.kernel import approvals
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from payments import refunds
from payments.channels.base import RefundState as Told
from payments.refunds import Limit, Part
from payments.settlement import Outcome
from payments.states import REFUND_MOVES, RefundState
from tests.conftest import Run
from tests.factories_payments import Stage
from tests.factories_refunds import Refunds, actor, rig


@pytest.fixture
def world(play: Stage, run: Run, monkeypatch: pytest.MonkeyPatch) -> Refunds:
    return run(rig(play, monkeypatch))


async def test_a_refund_of_all_takes_two_people_and_the_bills_are_owed_again(world: Refunds) -> None:
    order_id = await world.paid_order(26_805, 100)
    asked = await world.request(order_id)
    assert (asked.amount_fen, await world.state(), await world.refunding_fen(order_id)) == (26_905, "REQUESTED", 26_905)
    await world.work()
    assert world.channel.refunds == {}
    await world.decide(asked)
    assert await world.state() == "APPROVED"
    await world.work()
    assert (await world.state(), world.channel.books_fen) == ("SUCCEEDED", 0)
    states = await world.play.res.db.fetch("SELECT state, paid_fen - refunded_fen AS kept_fen FROM bill")
    assert [(row["state"], row["kept_fen"]) for row in states] == [("ISSUED", 0)] * 2
    assert await world.play.state(order_id) == "PAID"
    assert await world.play.count("posting WHERE kind = 'bill.refunded'") == 2
    assert await world.play.count("audit_entry WHERE action LIKE 'payments.refund_%'") == 3
    await world.balanced()


async def test_a_bill_that_was_given_back_can_be_paid_again(world: Refunds) -> None:
    order_id = await world.paid_order(26_805)
    await world.refunded(order_id)
    bill = (await world.lines(order_id))[0]["payable_id"]
    again = await world.play.ready(bill)
    await world.channel.tell_paid(again)
    assert await world.play.bill_state(bill) == "PAID"
    await world.balanced()


async def test_parts_are_bounded_by_their_lines_and_by_what_went_before(world: Refunds) -> None:
    order_id = await world.paid_order(1_000, 500)
    first, second = [line["id"] for line in await world.lines(order_id)]
    paid = {line["id"]: line["principal_fen"] for line in await world.lines(order_id)}
    await world.refunded(order_id, Part(first, paid[first] - 1))
    with pytest.raises(Invalid) as refused:
        await world.request(order_id, Part(first, 2))
    assert refused.value.code == "more_than_paid"
    with pytest.raises(Invalid):
        await world.request(order_id, Part(uuid4(), 1))
    with pytest.raises(Invalid):
        await world.request(order_id, Part(second, 1), Part(second, 1))
    rest = await world.request(order_id)
    assert rest.amount_fen == 1_500 - (paid[first] - 1)
    with pytest.raises(Conflict) as nothing:
        await world.request(order_id)
    assert nothing.value.code == "nothing_to_refund"
    assert await world.play.count("bill WHERE state = 'PARTLY_PAID'") == 1
    await world.balanced()


async def test_i09_the_database_itself_refuses_more_than_was_paid(world: Refunds) -> None:
    order_id = await world.paid_order()
    with pytest.raises(asyncpg.CheckViolationError):
        await world.play.res.db.execute(
            "UPDATE payment_attempt SET refunding_fen = amount_fen + 1 WHERE order_id = $1", order_id
        )


async def test_the_one_who_asks_never_approves_and_the_database_agrees(world: Refunds) -> None:
    asked = await world.request(await world.paid_order())
    with pytest.raises(Forbidden):
        await world.decide(asked, who=world.asker)
    with pytest.raises(asyncpg.CheckViolationError):
        await world.play.res.db.execute(
            "UPDATE refund SET state = 'APPROVED', approved_by = requested_by WHERE id = $1", asked.refund_id
        )
    await world.work()
    assert (await world.state(), world.channel.calls) == ("REQUESTED", [])


@pytest.mark.parametrize("how", ["rejected", "withdrawn", "expired"])
async def test_what_nobody_approved_may_be_asked_for_again(world: Refunds, how: str) -> None:
    order_id = await world.paid_order()
    asked, db = await world.request(order_id), world.play.res.db
    if how == "rejected":
        await world.decide(asked, approve=False)
    elif how == "withdrawn":
        await db.transact(lambda tx: approvals.withdraw(tx, actor(world.asker), asked.approval_id, kinds=APPROVALS))
    else:
        await world.play.later(days=8)
        await db.transact(lambda tx: approvals.expire(tx, APPROVALS))
    assert (await world.state(), await world.refunding_fen(order_id)) == ("REJECTED", 0)
    assert (await world.request(order_id)).amount_fen == asked.amount_fen
    await world.balanced()


async def test_an_approval_of_what_has_changed_is_stale(world: Refunds) -> None:
    asked = await world.request(await world.paid_order())
    await world.play.res.db.execute("UPDATE refund SET reason = 'x' WHERE id = $1", asked.refund_id)
    with pytest.raises(approvals.Stale):
        await world.decide(asked)
    assert await world.state() == "REQUESTED"


async def test_one_person_asks_for_no_more_than_his_limit_of_a_day(world: Refunds) -> None:
    order_id = await world.paid_order(10_000, 10_001)
    first, second = [line["id"] for line in await world.lines(order_id)]
    limit = Limit(a_day_fen=10_000)
    asked = await world.request(order_id, Part(first, 6_000), limit=limit)
    with pytest.raises(Conflict) as refused:
        await world.request(order_id, Part(second, 4_001), limit=limit)
    assert refused.value.code == "refund_limit"
    await world.request(order_id, Part(second, 4_001), who=world.approver, limit=limit)
    await world.decide(asked, approve=False)
    await world.request(order_id, Part(second, 4_001), limit=limit)
    await world.play.later(days=1)
    await world.request(order_id, Part(first, 6_000), limit=limit)


async def test_what_is_not_paid_foreign_or_too_old_is_not_refunded(world: Refunds) -> None:
    unpaid = await world.play.ready(await world.play.bill())
    with pytest.raises(Conflict) as refused:
        await world.request(unpaid)
    assert refused.value.code == "order_not_paid"
    order_id = await world.paid_order()
    with pytest.raises(NotFound):
        await world.play.res.db.transact(
            lambda tx: refunds.request(
                tx, actor(world.asker), order_id=order_id, limits={uuid4(): Limit(1)}, parts=None, reason="多收了"
            )
        )
    await world.play.later(days=366)
    with pytest.raises(Conflict) as late:
        await world.request(order_id)
    assert late.value.code == "too_late_to_refund"


async def test_processing_is_not_success_until_the_callback_says_so(world: Refunds) -> None:
    world.channel.ends_at_once = False
    order_id = await world.paid_order()
    await world.refunded(order_id)
    row = await world.refund()
    assert (row["state"], row["finished_at"]) == ("PROCESSING", None)
    assert await world.play.count("posting WHERE kind = 'bill.refunded'") == 0
    told = world.channel.end_refund(row["out_refund_no"])
    assert await world.channel.tell_refund(told, event="one") is Outcome.APPLIED
    assert await world.channel.tell_refund(told, event="one") is Outcome.DUPLICATE
    assert await world.channel.tell_refund(told, event="two") is Outcome.DUPLICATE
    row = await world.refund()
    assert (row["state"], row["channel_refund_no"], row["ask_at"]) == ("SUCCEEDED", told.refund_no, None)
    assert await world.play.count("posting WHERE kind = 'bill.refunded'") == 1
    assert await world.play.count("inbox WHERE outcome = 'applied' AND reason LIKE 'refund:%'") == 1
    await world.balanced()


async def test_a12_an_older_word_changes_nothing(world: Refunds) -> None:
    await world.refunded(await world.paid_order())
    told = world.channel.refunds[(await world.refund())["out_refund_no"]]
    assert await world.channel.tell_refund(told, state=Told.PROCESSING) is Outcome.DUPLICATE
    assert await world.state() == "SUCCEEDED"


async def test_a_final_word_against_another_one_is_a_difference(world: Refunds) -> None:
    await world.refunded(await world.paid_order())
    told = world.channel.refunds[(await world.refund())["out_refund_no"]]
    assert await world.channel.tell_refund(told, state=Told.CLOSED) is Outcome.DIFFERENCE
    assert (await world.state(), await world.play.differences()) == ("SUCCEEDED", [("refund", "OPEN", 0)])
    await world.balanced()


async def test_b15_abnormal_is_a_persons_case_under_the_same_number_until_it_succeeds(world: Refunds) -> None:
    world.channel.ends_at_once = False
    order_id = await world.paid_order()
    await world.refunded(order_id)
    number = (await world.refund())["out_refund_no"]
    await world.channel.tell_refund(world.channel.end_refund(number, Told.ABNORMAL))
    row = await world.refund()
    assert (row["state"], await world.refunding_fen(order_id)) == ("ABNORMAL", 26_805)
    assert "银行卡" in row["error"]
    with pytest.raises(Conflict):
        await world.request(order_id)
    world.channel.end_refund(number)
    await world.play.later(days=1)
    await world.tick()
    assert (await world.state(), world.channel.calls.count("refund")) == ("SUCCEEDED", 1)
    await world.balanced()


async def test_a_closed_refund_gives_nothing_back_and_a_new_one_has_a_new_number(world: Refunds) -> None:
    world.channel.ends_at_once = False
    order_id = await world.paid_order()
    await world.refunded(order_id)
    old = await world.refund()
    await world.channel.tell_refund(world.channel.end_refund(old["out_refund_no"], Told.CLOSED))
    assert (await world.state(old["id"]), await world.refunding_fen(order_id)) == ("CLOSED", 0)
    world.channel.ends_at_once = True
    await world.play.later(minutes=2)
    await world.refunded(order_id)
    new = await world.refund()
    assert (new["state"], new["out_refund_no"] == old["out_refund_no"]) == ("SUCCEEDED", False)
    await world.balanced()


@pytest.mark.parametrize(
    ("lie", "problem"),
    [({"amount_fen": 1}, "amount"), ({"mchid": "1999999999"}, "merchant"), ({"transaction_no": "4200"}, "transaction")],
)
async def test_a_verified_word_that_does_not_fit_is_a_difference_until_the_truth_is_told(
    world: Refunds, lie: dict[str, object], problem: str
) -> None:
    world.channel.ends_at_once = False
    await world.refunded(await world.paid_order())
    told = world.channel.end_refund((await world.refund())["out_refund_no"])
    assert await world.channel.tell_refund(told, **lie) is Outcome.DIFFERENCE
    assert await world.state() == "PROCESSING"
    found = await world.difference("refund")
    assert (found["subject"], found["detail"]["problem"]) == (told.out_refund_no, problem)
    assert await world.channel.tell_refund(told) is Outcome.APPLIED
    assert await world.state() == "SUCCEEDED"
    expected = "OPEN" if problem == "transaction" else "AUTO_RESOLVED"
    assert (await world.difference("refund"))["state"] == expected
    await world.balanced()


async def test_the_payer_is_told_that_money_went_back(world: Refunds) -> None:
    await world.refunded(await world.paid_order())
    row = await world.play.res.db.fetchrow("SELECT * FROM message_intent WHERE meaning = 'payment_refunded'")
    assert row is not None and row["person_id"] == world.play.owner.id
    assert row["values_shown"]["amount"] == "268.05元"


async def test_money_in_suspense_goes_back_by_two_people_and_the_difference_is_decided(world: Refunds) -> None:
    order_id = await world.play.ready(await world.play.bill(26_805))
    await world.channel.paid(order_id)
    number = (await world.play.attempt(order_id))["out_trade_no"]
    world.channel.trades[number] = lie = replace(world.channel.trades[number], amount_fen=100)
    await world.channel.tell_paid(order_id)
    assert await world.play.differences() == [("amount", "OPEN", 100)]
    found = await world.difference("amount")
    first = await world.request_of_difference(found["id"], 40)
    with pytest.raises(Invalid):
        await world.request_of_difference(found["id"], 61)
    rest = await world.request_of_difference(found["id"])
    assert rest.amount_fen == 60
    await world.decide(first)
    await world.work()
    assert (await world.difference("amount"))["state"] == "OPEN"
    await world.play.later(minutes=2)
    await world.decide(rest)
    await world.work()
    found = await world.difference("amount")
    assert (found["state"], found["refunded_fen"], found["resolved_by"]) == ("RESOLVED", 100, world.approver.id)
    assert (await world.suspense_fen(), world.channel.gone_fen(lie.out_trade_no)) == (0, 100)
    with pytest.raises(Conflict):
        await world.request_of_difference(found["id"])
    await world.balanced()


async def test_what_is_going_back_stays_in_suspense_though_its_bill_is_open(world: Refunds) -> None:
    bill = await world.play.bill(26_805)
    order_id = await world.play.ready(bill)
    await world.channel.paid(order_id)
    await world.channel.tell_paid(order_id, amount_fen=26_804)
    assert await world.play.differences() == [("amount", "OPEN", 26_804)]
    world.channel.ends_at_once = False
    asked = await world.request_of_difference((await world.difference("amount"))["id"], 4)
    assert await world.channel.tell_paid(order_id) is Outcome.DIFFERENCE
    assert (await world.play.bill_state(bill), await world.suspense_fen()) == ("ISSUED", 26_804)
    await world.decide(asked, approve=False)
    assert await world.channel.tell_paid(order_id) is Outcome.APPLIED
    assert (await world.play.bill_state(bill), await world.suspense_fen()) == ("PAID", 0)
    assert await world.play.differences() == [("amount", "AUTO_RESOLVED", 0)]
    await world.balanced()


async def test_money_that_went_out_for_what_is_no_longer_there_stands_in_suspense(world: Refunds) -> None:
    world.channel.ends_at_once = False
    order_id = await world.paid_order(500)
    await world.refunded(order_id)
    bill = (await world.lines(order_id))[0]["payable_id"]
    await world.play.res.db.execute("UPDATE bill SET state = 'ISSUED' WHERE id = $1", bill)
    await world.channel.tell_refund(world.channel.end_refund((await world.refund())["out_refund_no"]))
    await world.play.res.db.execute("UPDATE bill SET state = 'PAID' WHERE id = $1", bill)
    row = await world.refund()
    assert (row["state"], row["unapplied"], await world.suspense_fen()) == ("SUCCEEDED", True, -500)
    await world.balanced()


def test_the_moves_of_refunds_are_those_of_the_database(world: Refunds, run: Run) -> None:
    arguments = run(
        world.play.res.db.fetchval("SELECT encode(tgargs, 'escape') FROM pg_trigger WHERE tgname = 'refund_moves'")
    )
    moves = {text for text in arguments.replace("\\000", "\n").split("\n") if text}
    assert moves == {f"{one}>{other}" for one in RefundState for other in REFUND_MOVES[one]}
