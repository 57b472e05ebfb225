"""Many at once, with real commits: I-09, the second person, one settlement of a refund (security: races)."""

import asyncio
from collections import Counter

import pytest

from backend.kernel.errors import AppError
from payments.refunds import Part
from payments.settlement import Outcome
from tests.conftest import Run
from tests.factories_payments import sound, stage
from tests.factories_refunds import Refunds, rig


@pytest.fixture
def world(sandbox_res, sandbox, run: Run, monkeypatch: pytest.MonkeyPatch) -> Refunds:  # type: ignore[no-untyped-def]
    return run(rig(run(stage(sandbox_res, sandbox)), monkeypatch))


async def _outcome(work: object) -> str:
    try:
        await work  # type: ignore[misc]
    except AppError as refused:
        return refused.code
    return "done"


async def test_i09_fifty_requests_at_once_never_ask_for_more_than_was_paid(world: Refunds) -> None:
    order_id = await world.paid_order(1_000)
    (line,) = await world.lines(order_id)
    told = await asyncio.gather(
        *(
            _outcome(world.request(order_id, Part(line["id"], 300), who=(world.asker, world.approver)[n % 2]))
            for n in range(50)
        )
    )
    assert Counter(told) == {"done": 3, "more_than_paid": 47}
    assert await world.refunding_fen(order_id) == 900
    await world.balanced()


async def test_i09_fifty_requests_for_money_in_suspense_never_ask_for_more_than_stands_there(world: Refunds) -> None:
    order_id = await world.play.ready(await world.play.bill())
    await world.channel.tell_paid(order_id, amount_fen=1_000)
    difference_id = (await world.difference("amount"))["id"]
    told = await asyncio.gather(*(_outcome(world.request_of_difference(difference_id, 300)) for _ in range(50)))
    assert Counter(told) == {"done": 3, "more_than_paid": 47}
    assert (await world.difference("amount"))["refunding_fen"] == 900


async def test_fifty_approvals_of_one_refund_are_one(world: Refunds) -> None:
    asked = await world.request(await world.paid_order())
    told = await asyncio.gather(*(_outcome(world.decide(asked)) for _ in range(50)))
    assert Counter(told) == {"done": 1, "approval_decided": 49}
    assert await world.play.count("outbox WHERE event = 'payments.refund_due'") == 1
    await world.work()
    assert (await world.state(), world.channel.calls.count("refund")) == ("SUCCEEDED", 1)
    await world.balanced()


async def test_one_success_told_fifty_times_at_once_is_posted_once(world: Refunds) -> None:
    world.channel.ends_at_once = False
    await world.refunded(await world.paid_order())
    told = world.channel.end_refund((await world.refund())["out_refund_no"])
    heard = await asyncio.gather(*(world.channel.tell_refund(told) for _ in range(50)))
    assert Counter(heard) == {Outcome.APPLIED: 1, Outcome.DUPLICATE: 49}
    assert await world.play.count("posting WHERE kind = 'bill.refunded'") == 1
    await world.balanced()


async def test_a_request_and_the_channels_next_word_about_suspense_never_both_win(world: Refunds) -> None:
    for _ in range(5):
        bill = await world.play.bill()
        order_id = await world.play.ready(bill)
        await world.channel.paid(order_id)
        await world.channel.tell_paid(order_id, amount_fen=26_804)
        difference_id = await world.play.res.db.fetchval("SELECT id FROM difference ORDER BY id DESC LIMIT 1")
        asked, heard = await asyncio.gather(
            _outcome(world.request_of_difference(difference_id)), world.channel.tell_paid(order_id)
        )
        paid = heard is Outcome.APPLIED
        assert paid is (await world.play.bill_state(bill) == "PAID")
        assert asked == ("nothing_to_refund" if paid else "done")
    await sound(world.play.res)
