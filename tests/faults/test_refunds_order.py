"""F-02: whatever the order in which things are heard, a bill keeps its money once, and all else goes back.

Two orders of one bill: the payer sat in the cashier of A while A was closed, then B was placed. Five events, each once:
A's payment is told, B's payment is told, a refund is told, B is cancelled, A is asked about. The refund that is told is
the one we had asked for; where we had not asked for any yet, it is that of B's payment, as if all we knew of it had
been lost with a restored backup. Jobs run after each event, or only at the end.
"""

from itertools import permutations
from uuid import UUID

import pytest

from backend.kernel.errors import AppError
from payments import asking, closing
from payments.channels.base import RefundState
from payments.foreign_refunds import automatic_number
from tests.conftest import Run
from tests.factories_payments import Stage, stage
from tests.factories_refunds import Refunds, rig

EVENTS = ("paid_a", "paid_b", "refunded", "cancel_b", "ask_a")
ALL = tuple(permutations(EVENTS))
FEW = ALL[::12]
AMOUNT_FEN = 26_805


@pytest.fixture
def world(sandbox_res, sandbox, run: Run, monkeypatch: pytest.MonkeyPatch) -> Refunds:  # type: ignore[no-untyped-def]
    play: Stage = run(stage(sandbox_res, sandbox))
    return run(rig(play, monkeypatch))


class Script:
    """One bill with its two orders, and what can happen to them."""

    def __init__(self, world: Refunds, bill: UUID, a: UUID, b: UUID) -> None:
        self.world, self.bill, self.a, self.b = world, bill, a, b

    async def paid_a(self) -> None:
        await self.world.channel.tell_paid(self.a)

    async def paid_b(self) -> None:
        await self.world.channel.tell_paid(self.b)

    async def refunded(self) -> None:
        channel = self.world.channel
        under_way = [each for each in channel.refunds.values() if each.state is RefundState.PROCESSING]
        for each in under_way:
            await channel.tell_refund(channel.end_refund(each.out_refund_no))
        if not under_way:
            trade = await channel.paid(self.b)
            number = automatic_number(channel.merchant.channel, trade.transaction_no or "")
            await channel.tell_refund(channel.refund_elsewhere(trade, number))

    async def cancel_b(self) -> None:
        try:
            await closing.close(self.world.play.res, self.b, reason="cancelled")
        except AppError as refused:
            assert refused.code == "payment_disputed"

    async def ask_a(self) -> None:
        await asking.ask_now(self.world.play.res, self.a)


async def _play(world: Refunds, order: tuple[str, ...], *, promptly: bool) -> None:
    play = world.play
    bill = await play.bill(AMOUNT_FEN)
    a = await play.ready(bill)
    await closing.close(play.res, a, reason="cancelled")
    script = Script(world, bill, a, await play.ready(bill))
    world.channel.ends_at_once = False
    for event in order:
        await getattr(script, event)()
        if promptly:
            await world.work()
    await world.work()
    for number in list(world.channel.refunds):
        await world.channel.tell_refund(world.channel.end_refund(number))
    await world.work()
    await play.later(minutes=31)
    await play.janitor()
    await world.tick()
    await world.work()
    assert await play.bill_state(bill) == "PAID", order
    kept = await play.res.db.fetchval("SELECT paid_fen - refunded_fen FROM bill WHERE id = $1", bill)
    assert kept == AMOUNT_FEN, order
    trades = [await world.channel.paid(order_id) for order_id in (script.a, script.b)]
    assert sorted(world.channel.gone_fen(trade.out_trade_no) for trade in trades) == [0, AMOUNT_FEN], order
    left = await play.res.db.fetch("SELECT class, state FROM difference WHERE state IN ('OPEN', 'ESCALATED')")
    assert left == [], order
    assert await world.suspense_fen() == 0, order


async def _play_all(world: Refunds, orders: tuple[tuple[str, ...], ...], *, promptly: bool) -> None:
    for order in orders:
        await _play(world, order, promptly=promptly)
    receivable = await world.play.res.db.fetchval(
        """SELECT coalesce(sum(CASE p.debit_account WHEN a.id THEN amount_fen ELSE -amount_fen END), 0)::bigint
             FROM account a JOIN posting p ON a.id IN (p.debit_account, p.credit_account)
            WHERE a.code = 'receivable' AND a.subject_id = $1""",
        world.play.house_id,
    )
    assert (receivable, world.channel.books_fen) == (0, AMOUNT_FEN * len(orders))
    await world.balanced()


@pytest.mark.parametrize("promptly", [True, False], ids=["jobs at once", "jobs at the end"])
async def test_f02_ten_orders_of_five_events_end_alike(world: Refunds, promptly: bool) -> None:
    await _play_all(world, FEW, promptly=promptly)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("promptly", [True, False], ids=["jobs at once", "jobs at the end"])
async def test_f02_all_120_orders_of_five_events_end_alike(world: Refunds, promptly: bool) -> None:
    assert len(ALL) == 120
    await _play_all(world, ALL, promptly=promptly)
