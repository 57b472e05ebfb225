"""Prepaid money against a plain-Python model: top-ups, bills, settlement by itself, payments, refunds, in any order.

After every story: each balance and each bill is what the model says, no account is below zero, every invariant holds.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from backend.fees.prepaid import Purpose
from backend.kernel.errors import Conflict, Invalid
from backend.kernel.resources import Resources
from payments.payables import Kind, Wish
from payments.refunds import Part
from tests import factories
from tests.conftest import Run, Sandbox
from tests.factories_payments import sound, stage
from tests.factories_prepaid import account, bill, item_of_type, order, settle, state
from tests.factories_refunds import Refunds, rig

TYPES = ("property", "water", "parking")
AMOUNT = st.integers(100, 30_000)
TOP_UP = st.tuples(st.just("top_up"), st.sampled_from(list(Purpose)), AMOUNT)
BILL = st.tuples(st.just("bill"), st.sampled_from(TYPES), AMOUNT)
OTHER = st.one_of(
    st.tuples(st.just("settle"), st.none(), st.none()),
    st.tuples(st.just("hold"), st.integers(0, 9), st.none()),
    st.tuples(st.just("pay"), st.integers(0, 9), st.none()),
)
REFUND = st.tuples(st.just("refund"), st.integers(0, 9), AMOUNT)
STEPS = st.one_of(TOP_UP, BILL, OTHER, REFUND)
FITTING = {
    "property": (Purpose.PROPERTY, Purpose.GENERAL),
    "water": (Purpose.UTILITY, Purpose.GENERAL),
    "parking": (Purpose.GENERAL,),
}


@dataclass
class Owed:
    """A bill of the model."""

    id: UUID
    type: str
    due_fen: int
    order_id: UUID | None = None


@dataclass
class Story:
    """One example: a house of its own, its accounts, and what a child would say that they hold."""

    refunds: Refunds
    items: dict[str, UUID]
    accounts: dict[Purpose, UUID]
    balance: dict[Purpose, int] = field(default_factory=lambda: dict.fromkeys(Purpose, 0))
    bills: list[Owed] = field(default_factory=list)
    top_ups: list[tuple[UUID, UUID, Purpose, int]] = field(default_factory=list)

    async def step(self, name: str, argument: Any, amount_fen: Any) -> None:
        await getattr(self, name)(argument, amount_fen)

    async def top_up(self, purpose: Purpose, amount_fen: int) -> None:
        """Money comes in; what is overdue is settled at once."""
        order_id = await order(self.refunds.play, Wish(Kind.PREPAID, self.accounts[purpose], amount_fen))
        await self.refunds.channel.tell_paid(order_id)
        (line,) = await self.refunds.lines(order_id)
        self.top_ups.append((order_id, line["id"], purpose, amount_fen))
        await self.refunds.work()
        self.balance[purpose] += amount_fen
        self._settle()

    async def bill(self, kind: str, amount_fen: int) -> None:
        made = await bill(self.refunds.play, amount_fen, item_id=self.items[kind])
        self.bills.append(Owed(made, kind, amount_fen))

    async def settle(self, _: None, __: None) -> None:
        settled = await settle(self.refunds.play)
        assert settled.amount_fen == self._settle()

    async def hold(self, which: int, _: None) -> None:
        """Somebody is about to pay one of the bills."""
        if (one := self._open(which)) is not None:
            one.order_id = await self.refunds.play.order(one.id)

    async def pay(self, which: int, _: None) -> None:
        """Somebody pays it in full."""
        if (one := self._open(which)) is not None:
            await self.refunds.channel.tell_paid(one.order_id or await self.refunds.play.order(one.id))
            one.due_fen, one.order_id = 0, None

    async def refund(self, which: int, amount_fen: int) -> None:
        """A part of a top-up goes back, when it is still there."""
        if not self.top_ups:
            return
        number = which % len(self.top_ups)
        order_id, line_id, purpose, left_fen = self.top_ups[number]
        possible = amount_fen <= min(left_fen, self.balance[purpose])
        try:
            asked = await self.refunds.refunded(order_id, Part(line_id, amount_fen, 0))
        except (Conflict, Invalid) as refused:
            assert not possible, refused
            return
        assert possible
        for _ in range(3):
            # The channel takes one refund of an order a minute.
            if await self.refunds.state(asked.refund_id) != "SUCCEEDED":
                await self.refunds.play.later(minutes=2)
                await self.refunds.work()
        self.balance[purpose] -= amount_fen
        self.top_ups[number] = (order_id, line_id, purpose, left_fen - amount_fen)

    def _open(self, which: int) -> Owed | None:
        found = [one for one in self.bills if one.due_fen]
        return found[which % len(found)] if found else None

    def _settle(self) -> int:
        """The model's settlement: bills in the order in which they came, whatever is not held."""
        before = sum(self.balance.values())
        for one in self.bills:
            for purpose in FITTING[one.type] if one.order_id is None else ():
                taken = min(one.due_fen, self.balance[purpose])
                one.due_fen -= taken
                self.balance[purpose] -= taken
        return before - sum(self.balance.values())

    async def ends_well(self) -> None:
        play = self.refunds.play
        for purpose, account_id in self.accounts.items():
            found = await state(play, account_id)
            assert (found.balance_fen, found.promised_fen) == (self.balance[purpose], 0), purpose
        for one in self.bills:
            due_fen = await play.res.db.fetchval(
                "SELECT principal_fen - paid_fen + refunded_fen FROM bill WHERE id = $1", one.id
            )
            assert due_fen == one.due_fen
        await sound(play.res)


@pytest.fixture
def refunds(sandbox_res: Resources, sandbox: Sandbox, run: Run, monkeypatch: pytest.MonkeyPatch) -> Refunds:
    return run(rig(run(stage(sandbox_res, sandbox)), monkeypatch))


async def _begin(refunds: Refunds, items: dict[str, UUID], number: int) -> Story:
    play = refunds.play
    play.house_id = await factories.house(play.res, play.place, f"9{number:04}")
    await factories.occupy(play.res, play.owner, play.house_id)
    return Story(refunds, items, {purpose: await account(play, purpose) for purpose in Purpose})


def _tell(refunds: Refunds, run: Run, examples: int) -> None:
    play = refunds.play
    items = {"property": play.item_id, **{kind: run(item_of_type(play, kind)) for kind in TYPES[1:]}}
    run(play.later(days=31))
    told = iter(range(10_000))

    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        derandomize=True,
    )
    @given(st.lists(STEPS, min_size=8, max_size=20))
    def stories(steps: list[tuple[str, Any, Any]]) -> None:
        async def story() -> None:
            one = await _begin(refunds, items, next(told))
            for name, argument, amount_fen in steps:
                await one.step(name, argument, amount_fen)
            await one.ends_well()

        run(story())

    stories()


def test_prepaid_money_is_what_the_model_says(refunds: Refunds, run: Run) -> None:
    _tell(refunds, run, 15)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_prepaid_money_for_longer(refunds: Refunds, run: Run) -> None:
    _tell(refunds, run, 400)
