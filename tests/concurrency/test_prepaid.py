"""Prepaid money when many take at once, with real commits: a bill is paid once, no account goes below zero (I-04)."""

import asyncio
from functools import partial
from uuid import uuid4

import pytest

from backend.fees import prepaid
from backend.fees.payable import AlreadyPaid
from backend.kernel.errors import Conflict
from backend.kernel.resources import Resources
from payments import closing
from payments.settlement import Outcome
from tests.conftest import Client, Run, Sandbox
from tests.factories_payments import Stage, sound, stage
from tests.factories_prepaid import account, balance_fen, bill, settle, success, top_up


@pytest.fixture
def play(sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client, run: Run) -> Stage:
    made = run(stage(sandbox_res, sandbox))
    run(made.later(days=31))
    return made


async def test_fifty_settlements_and_a_late_success_of_the_channel_pay_a_bill_once(play: Stage) -> None:
    mine, outcomes = await account(play), set()
    await top_up(play, mine, 100_000)
    for _ in range(6):
        before_fen, owed = await balance_fen(play, mine), await bill(play, 10_000)
        order_id = await play.ready(owed)
        await closing.close(play.res, order_id, reason="cancelled")
        told, *settled = await asyncio.gather(success(play, order_id), *(settle(play) for _ in range(50)))
        outcomes.add(told)
        used_fen = sum(each.amount_fen for each in settled)
        assert used_fen == (0 if told is Outcome.APPLIED else 10_000)
        assert await balance_fen(play, mine) == before_fen - used_fen
        assert await play.bill_state(owed) == "PAID"
        assert await play.count("posting WHERE kind = 'bill.paid' AND bill_id = $1", owed) == 1
    assert outcomes <= {Outcome.APPLIED, Outcome.DIFFERENCE}
    await sound(play.res)


async def test_a_bill_is_held_by_an_order_or_settled_never_both(play: Stage) -> None:
    mine = await account(play)
    await top_up(play, mine, 500_000)
    for _ in range(15):
        owed = await bill(play, 10_000)
        placed, *_ = await asyncio.gather(play.order(owed), *(settle(play) for _ in range(5)), return_exceptions=True)
        settled = await play.count("prepaid_use WHERE bill_id = $1", owed)
        held = await play.count("payment_hold WHERE payable_id = $1", owed)
        assert (settled, held) == ((1, 0) if isinstance(placed, AlreadyPaid) else (0, 1)), placed
        if held:
            assert await success(play, placed) is Outcome.APPLIED
    await sound(play.res)


async def test_of_many_refunds_and_settlements_at_once_none_takes_what_is_not_there(play: Stage) -> None:
    mine = await account(play)
    order_id = await top_up(play, mine, 10_500)
    clearing = (await play.attempt(order_id))["clearing_account"]

    async def take_back() -> int:
        lines = [(uuid4(), mine, 1_000, 0)]
        try:
            await play.res.db.transact(partial(prepaid.apply_refunded, lines=lines, clearing_account=clearing))
        except Conflict:
            return 0
        return 1_000

    await bill(play, 3_700)
    taken = await asyncio.gather(*(take_back() for _ in range(40)), *(settle(play) for _ in range(10)))
    refunded_fen = sum(each for each in taken if isinstance(each, int))
    used_fen = sum(each.amount_fen for each in taken if not isinstance(each, int))
    left_fen = await balance_fen(play, mine)
    assert left_fen == 10_500 - refunded_fen - used_fen
    assert 0 <= left_fen < 1_000
