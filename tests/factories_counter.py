"""Builders of the counter: a cashier with an open shift who takes money by the product's own code."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID

from backend.composition import HANDLERS
from backend.kernel import leases
from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from payments import closing
from payments.channels.base import Method
from payments.counter import shifts, takings
from payments.counter.shifts import Report, Shift
from payments.counter.takings import Paper, Taken
from payments.payables import Kind, Wish
from tests import factories
from tests.factories_payments import Stage
from workers import edge

_numbers = count(1)


def voucher_no() -> str:
    """The number of a paper that no test has used."""
    return f"SJ{next(_numbers):06d}"


@dataclass
class Counter:
    """A cashier of the stage's community, at work."""

    play: Stage
    cashier: factories.Staff
    shift: Shift
    papers: list[str] = field(default_factory=list)

    @property
    def actor(self) -> Actor:
        return Actor("staff", self.cashier.id)

    @property
    def communities(self) -> tuple[UUID, ...]:
        return (self.play.place.id,)

    async def take(
        self,
        *bill_ids: UUID,
        amount_fen: int,
        received_fen: int | None = None,
        method: Method = Method.CASH,
        part: bool = False,
        no: str | None = None,
    ) -> Taken:
        """Take money for bills, by the route's own steps; `part`: the sum pays a part of the one bill."""
        paper = Paper(no or voucher_no(), method, amount_fen, received_fen or amount_fen)
        wishes = [Wish(Kind.BILL, each, amount_fen if part else None) for each in bill_ids]
        res = self.play.res

        async def work(tx: Tx) -> Taken:
            return await takings.take(tx, self.actor, res=res, communities=self.communities, wishes=wishes, paper=paper)

        return await closing.make_room(res, self.actor, place=lambda: res.db.transact(work))

    async def close(self, counted_fen: int, note: str | None = None) -> Report:
        return await self.play.res.db.transact(
            lambda tx: shifts.close(
                tx, self.actor, communities=self.communities, shift_id=self.shift.id, counted_fen=counted_fen, note=note
            )
        )

    async def report(self) -> Report:
        return await shifts.report(self.play.res.db, self.communities, shift_id=self.shift.id)


async def counter(play: Stage, *, float_fen: int = 50_000, role: str = "cashier") -> Counter:
    """A cashier who has just opened a shift."""
    cashier = await factories.staff(play.res, play.place, role)
    shift = await play.res.db.transact(
        lambda tx: shifts.open_shift(tx, Actor("staff", cashier.id), community_id=play.place.id, float_fen=float_fen)
    )
    return Counter(play, cashier, shift)


async def work_all(play: Stage, events: Sequence[str] = ()) -> None:
    """Run the jobs that are due, without Redis; all of them, whatever they emit."""
    while claimed := await leases.claim(play.res.db, limit=50, lease_s=30):
        for lease in claimed:
            await edge.work(play.res, HANDLERS, lease, False)
