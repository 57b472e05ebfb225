"""A channel that is silent, refuses, or asks for patience during a refund, and crashes in between: F-05 to F-07."""

import pytest

from backend.kernel import failpoints
from payments.channels.base import RefundState as Told
from payments.refunds import Part
from tests.conftest import Run
from tests.factories_payments import stage
from tests.factories_refunds import Refunds, rig


@pytest.fixture
def world(sandbox_res, sandbox, run: Run, monkeypatch: pytest.MonkeyPatch) -> Refunds:  # type: ignore[no-untyped-def]
    return run(rig(run(stage(sandbox_res, sandbox)), monkeypatch))


async def test_f06_a_refund_that_timed_out_though_the_channel_did_it_is_found_and_not_repeated(world: Refunds) -> None:
    world.channel.next_refund.append("act_then_silence")
    order_id = await world.paid_order()
    await world.refunded(order_id)
    assert (await world.state(), await world.refunding_fen(order_id)) == ("SUBMITTING", 26_805)
    await world.play.later(minutes=1)
    await world.tick()
    assert (await world.state(), world.channel.calls.count("refund"), len(world.channel.refunds)) == ("SUCCEEDED", 1, 1)
    await world.balanced()


async def test_f06_a_refund_that_never_arrived_is_sent_again_word_for_word(world: Refunds) -> None:
    world.channel.next_refund.extend(["silence", "silence"])
    await world.refunded(await world.paid_order())
    for _ in range(2):
        assert await world.state() == "SUBMITTING"
        await world.play.later(minutes=1)
        await world.tick()
    assert await world.state() == "SUCCEEDED"
    assert len(world.channel.requests) == 3 and len(set(world.channel.requests)) == 1
    await world.balanced()


async def test_f06_while_nothing_is_known_the_money_cannot_be_asked_for_again(world: Refunds) -> None:
    world.channel.next_refund.append("silence")
    order_id = await world.paid_order()
    await world.refunded(order_id)
    left = await world.play.res.db.fetchval("SELECT amount_fen - refunding_fen FROM payment_attempt")
    assert left == 0
    await world.balanced()


@pytest.mark.parametrize("behaviour", ["limited", "NOTENOUGH", "FREQUENCYLIMITED", "ACQ.SELLERBALANCENOTENOUGH"])
async def test_b16_b17_what_asks_for_patience_is_repeated_under_the_same_number(world: Refunds, behaviour: str) -> None:
    world.channel.next_refund.append(behaviour)
    order_id = await world.paid_order()
    await world.refunded(order_id)
    row = await world.refund()
    assert (row["state"], row["error"] is not None) == ("SUBMITTING", True)
    await world.play.later(minutes=1)
    await world.tick()
    assert await world.state() == "SUCCEEDED"
    assert {each.out_refund_no for each in world.channel.requests} == {row["out_refund_no"]}
    await world.balanced()


async def test_a_definitive_refusal_fails_with_its_reason_and_frees_the_money(world: Refunds) -> None:
    world.channel.next_refund.append("NOTALLOWED")
    order_id = await world.paid_order()
    await world.refunded(order_id)
    row = await world.refund()
    assert row["state"] == "FAILED" and "NOTALLOWED" in row["error"]
    assert await world.refunding_fen(order_id) == 0
    await world.play.later(minutes=2)
    await world.refunded(order_id)
    assert await world.state() == "SUCCEEDED"
    await world.balanced()


async def test_f06_a_refusal_of_what_was_done_after_all_is_no_failure(world: Refunds) -> None:
    world.channel.next_refund.append("act_then_refuse")
    await world.refunded(await world.paid_order())
    assert await world.state() == "SUCCEEDED"
    await world.balanced()


async def test_f07_a_refusal_while_the_question_stays_unanswered_decides_nothing(world: Refunds) -> None:
    world.channel.next_refund.append("act_then_refuse")
    world.channel.next_refund_query.append("silence")
    order_id = await world.paid_order()
    await world.refunded(order_id)
    assert (await world.state(), await world.refunding_fen(order_id)) == ("SUBMITTING", 26_805)
    await world.play.later(minutes=1)
    await world.tick()
    assert await world.state() == "SUCCEEDED"
    await world.balanced()


@pytest.mark.parametrize(
    "point", ["refund.before_call", "refund.after_call", "refund.after_lock", "refund.before_commit"]
)
async def test_f05_a_crash_anywhere_is_resumed_from_what_is_stored(world: Refunds, point: str) -> None:
    order_id = await world.paid_order()
    asked = await world.request(order_id)
    await world.decide(asked)
    failpoints.arm(point, "raise", times=1)
    await world.work()
    assert await world.state() == "SUBMITTING"
    await world.play.later(minutes=1)
    await world.work()
    await world.tick()
    assert (await world.state(), len(world.channel.refunds)) == ("SUCCEEDED", 1)
    assert await world.play.count("posting WHERE kind = 'bill.refunded'") == 1
    await world.balanced()


async def test_b18_refunds_of_one_payment_keep_their_distance(world: Refunds) -> None:
    order_id = await world.paid_order(1_000, 1_000)
    first, second = [line["id"] for line in await world.lines(order_id)]
    one, other = await world.request(order_id, Part(first, 1)), await world.request(order_id, Part(second, 1))
    await world.decide(one)
    await world.decide(other)
    await world.work()
    assert sorted([await world.state(one.refund_id), await world.state(other.refund_id)]) == ["APPROVED", "SUCCEEDED"]
    await world.play.later(seconds=62)
    await world.work()
    assert [await world.state(one.refund_id), await world.state(other.refund_id)] == ["SUCCEEDED"] * 2
    await world.balanced()


async def test_f08_a_refund_nobody_tells_about_is_found_by_asking_and_asked_ever_less_often(world: Refunds) -> None:
    world.channel.ends_at_once = False
    await world.refunded(await world.paid_order())
    row = await world.refund()
    for minutes in (1, 1, 3, 5, 20, 30, 60):
        await world.play.later(minutes=minutes)
        await world.tick()
    assert world.channel.calls.count("query_refund") == 7
    assert (await world.refund())["ask_at"] > row["submitted_at"]
    world.channel.end_refund(row["out_refund_no"], Told.SUCCESS)
    await world.play.later(days=1)
    await world.tick()
    assert await world.state() == "SUCCEEDED"
    await world.balanced()


async def test_c12_a_refund_that_the_channel_has_forgotten_is_sent_again_under_its_number(world: Refunds) -> None:
    world.channel.ends_at_once = False
    await world.refunded(await world.paid_order())
    assert await world.state() == "PROCESSING"
    world.channel.refunds.clear()
    world.channel.ends_at_once = True
    await world.play.later(minutes=1)
    await world.tick()
    assert await world.state() == "SUCCEEDED"
    assert len({each.out_refund_no for each in world.channel.requests}) == 1 and len(world.channel.requests) == 2
    await world.balanced()
