"""Orders as a state machine: whatever happens in whatever order, and however often, the books equal the channel's.

A model remembers what the payer was charged; the rules place, pay, close, deliver, repeat, lose, ask and forge. After
every example: all invariants, and money stands once, in a bill or in suspense.
"""

import itertools
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from backend.kernel.audit import SYSTEM
from backend.kernel.errors import AppError
from backend.kernel.resources import Resources
from payments import asking, closing, prepay
from payments.orders import MustCloseFirst
from tests import vectors
from tests.conftest import Client, Run, Sandbox
from tests.factories_payments import Stage, stage

BILLS = 3
PLACE = st.tuples(st.just("place"), st.sets(st.integers(0, BILLS - 1), min_size=1), st.booleans())
PAY = st.tuples(st.just("pay"), st.integers(0, 5), st.booleans())
CLOSE = st.tuples(st.just("close"), st.integers(0, 5), st.booleans())
OTHER = st.one_of(
    st.tuples(st.sampled_from(["deliver", "repeat", "ask", "lie"]), st.integers(0, 5), st.booleans()),
    st.tuples(st.just("wait"), st.integers(1, 40), st.booleans()),
)
STEPS = st.one_of(PLACE, PLACE, PAY, PAY, CLOSE, OTHER, OTHER)


@pytest.fixture
def play(sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client, run: Run) -> Stage:
    return run(stage(sandbox_res, sandbox))


class Story:
    """One example: fresh bills on the same stage."""

    def __init__(self, play: Stage, bills: list[UUID]) -> None:
        self.play = play
        self.bills = bills
        self.orders: list[UUID] = []
        self.forged_fen = 0

    async def step(self, name: str, argument: Any, flag: bool) -> None:
        await getattr(self, name)(argument, flag)

    async def place(self, which: set[int], by_family: bool) -> None:
        who = self.play.family if by_family else self.play.owner

        async def place() -> UUID:
            return await self.play.order(*(self.bills[n] for n in which), who=who)

        try:
            order_id = await closing.make_room(self.play.res, SYSTEM, place=place)
            if order_id not in self.orders:
                self.orders.append(order_id)
            await prepay.pay_parameters(self.play.res, order_id)
        except (AppError, MustCloseFirst):
            return

    async def pay(self, which: int, lose: bool) -> None:
        """The payer pays, if need be after the order was closed; the callback may get lost."""
        if order_id := self._one(which):
            await self.play.hostile(lose_callbacks=int(lose), pay_after_close=1)
            try:
                await self.play.user_pays(order_id)
            except OSError:
                return
            finally:
                await self.play.hostile(lose_callbacks=0, pay_after_close=0)

    async def deliver(self, _: int, __: bool) -> None:
        await self.play.deliver()

    async def repeat(self, which: int, _: bool) -> None:
        if order_id := self._one(which):
            attempt = await self.play.attempt(order_id)
            found = await self.play.sandbox.ask("GET", f"/notifications?out_trade_no={attempt['out_trade_no']}")
            for told in found["notifications"]:
                assert (await self.play.repeat(told["id"]))["status"] == 204

    async def ask(self, which: int, _: bool) -> None:
        if order_id := self._one(which):
            await asking.ask_now(self.play.res, order_id)

    async def close(self, which: int, _: bool) -> None:
        if order_id := self._one(which):
            try:
                await closing.close(self.play.res, order_id, reason="cancelled")
            except AppError:
                return

    async def wait(self, minutes: int, _: bool) -> None:
        await self.play.later(minutes=minutes)
        await self.play.janitor()

    async def lie(self, which: int, _: bool) -> None:
        """A signed message with a wrong amount, about a real payment or one that never was."""
        if order_id := self._one(which):
            try:
                assert (await self.play.forge("wrong_amount", order_id, amount_fen=3))["status"] == 204
            except OSError:
                return

    def _one(self, which: int) -> UUID | None:
        return self.orders[which % len(self.orders)] if self.orders else None


async def _ends_well(story: Story) -> None:
    """Everything that was lost is found, and each transaction of the channel stands in our books once."""
    play = story.play
    await play.deliver()
    for order_id in story.orders:
        await asking.ask_now(play.res, order_id)
    booked = await play.res.db.fetch("SELECT transaction_no, booked_fen FROM difference WHERE booked_fen > 0")
    paid = await play.res.db.fetch("SELECT transaction_no, amount_fen FROM payment_attempt WHERE state = 'PAID'")
    ours = {row["transaction_no"]: row[1] for row in itertools.chain(booked, paid)}
    assert len(ours) == len(booked) + len(paid)
    theirs = await play.sandbox.ask("GET", f"/books?mchid={vectors.MCHID}")
    for transaction in theirs["transactions"]:
        assert ours.pop(transaction["transaction_id"]) == transaction["total_fen"]
    assert set(ours.values()) <= {3}
    await play.balanced(forged_fen=sum(ours.values()))


def _tell(play: Stage, run: Run, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        derandomize=True,
    )
    @given(st.lists(STEPS, min_size=10, max_size=24))
    def stories(steps: list[tuple[str, Any, bool]]) -> None:
        async def story() -> None:
            told = Story(play, await play.bills(BILLS))
            for name, argument, flag in steps:
                await told.step(name, argument, flag)
            await _ends_well(told)

        run(story())

    stories()


def test_orders_whatever_happens_the_books_equal_the_channels(play: Stage, run: Run) -> None:
    _tell(play, run, 25)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_orders_for_longer(play: Stage, run: Run) -> None:
    _tell(play, run, 1000)
