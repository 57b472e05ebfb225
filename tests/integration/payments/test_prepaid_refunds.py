"""Prepaid money on its way back: held for the refund, bounded by the balance, posted when the channel has done it."""

import pytest

from backend.kernel.errors import Conflict
from backend.kernel.resources import Resources
from payments.payables import Kind, Wish
from payments.refunds import Part
from tests.conftest import Run, Sandbox
from tests.factories_payments import stage
from tests.factories_prepaid import account, balance_fen, bill, order, settle, state
from tests.factories_refunds import Refunds, rig


@pytest.fixture
def refunds(sandbox_res: Resources, sandbox: Sandbox, run: Run, monkeypatch: pytest.MonkeyPatch) -> Refunds:
    return run(rig(run(stage(sandbox_res, sandbox)), monkeypatch))


async def test_a_top_up_goes_back_in_part_and_no_more_than_is_there(refunds: Refunds) -> None:
    play = refunds.play
    await play.later(days=31)
    mine, owed = await account(play), await bill(play, 30_000)
    order_id = await order(play, Wish(Kind.PREPAID, mine, 50_000))
    await refunds.channel.tell_paid(order_id)
    (line,) = await refunds.lines(order_id)
    asked = await refunds.request(order_id, Part(line["id"], 10_000, 0))
    assert ((await state(play, mine)).balance_fen, (await state(play, mine)).available_fen) == (50_000, 40_000)
    await settle(play)
    assert await play.bill_state(owed) == "PAID"
    with pytest.raises(Conflict) as refused:
        await refunds.request(order_id, Part(line["id"], 10_001, 0))
    assert refused.value.code == "not_refundable"
    await refunds.decide(asked)
    await refunds.work()
    assert await refunds.state() == "SUCCEEDED"
    assert await balance_fen(play, mine) == 10_000
    await refunds.balanced()


async def test_a_refused_request_frees_the_money_again(refunds: Refunds) -> None:
    play = refunds.play
    mine = await account(play)
    order_id = await order(play, Wish(Kind.PREPAID, mine, 50_000))
    await refunds.channel.tell_paid(order_id)
    asked = await refunds.request(order_id)
    assert (await state(play, mine)).available_fen == 0
    await refunds.decide(asked, approve=False)
    assert (await state(play, mine)).available_fen == 50_000
    await refunds.balanced()
