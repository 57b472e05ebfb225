"""A lane that fetches changes knows what one that fetches the whole list knows, whatever has happened between (D8).

Random changes of a lot's cards and lists, seeded: issued, cancelled, listed, taken off, given more spaces, undone by a
failed transaction, and days that pass. Several lanes ask now and then; each has what is given whole at that moment.
"""

import random
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from uuid import UUID

import pytest

from backend.kernel.audit import SYSTEM
from backend.kernel.clock import local_date
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict
from backend.kernel.resources import Resources
from backend.parking.cards import cards
from backend.parking.lanes import gate_list
from backend.parking.states import ListKind
from tests import factories, factories_parking
from tests.factories_gate_list import Keeper
from tests.factories_parking import Lot
from tests.factories_payments import sound

STEPS = 40


class Undone(Exception):
    """A transaction that fails at its end."""


class Office:
    """Staff who change cards and lists at random."""

    def __init__(self, lot: Lot, chosen: random.Random) -> None:
        self.lot, self.chosen, self.issued = lot, chosen, list[UUID]()

    def _plate(self) -> str:
        return f"粤B7{self.chosen.randrange(12):04d}"

    def _days(self) -> tuple[date, date | None]:
        starts_on = local_date(self.lot.res.clock.now()) + timedelta(days=self.chosen.randint(-3, 3))
        return starts_on, self.chosen.choice([None, starts_on + timedelta(days=self.chosen.randint(1, 5))])

    async def issue(self) -> None:
        starts_on, ends_on = self._days()
        plates = sorted({self._plate() for _ in range(self.chosen.randint(1, 3))})
        card = await factories_parking.card(self.lot, plates, starts_on=starts_on, ends_on=ends_on)
        self.issued.append(card)

    async def cancel(self) -> None:
        if self.issued:
            await factories_parking.cancel(self.lot, self.issued.pop(self.chosen.randrange(len(self.issued))))

    async def enlist(self, *, undo: bool = False) -> None:
        starts_on, ends_on = self._days()
        kind, plate, lot = self.chosen.choice(list(ListKind)), self._plate(), self.lot

        async def work(tx: Tx) -> None:
            await cards.put_on_list(
                tx, SYSTEM, keyring=lot.res.keyring, lot_id=lot.id, communities=[lot.place.id], kind=kind, plate=plate,
                starts_on=starts_on, ends_on=ends_on, reason="测试",
            )  # fmt: skip
            if undo:
                raise Undone

        await lot.res.db.transact(work)

    async def undone(self) -> None:
        with pytest.raises((Undone, Conflict)):
            await self.enlist(undo=True)

    async def take_off(self) -> None:
        await self.lot.res.db.execute(
            "DELETE FROM parking_list_entry WHERE id = (SELECT id FROM parking_list_entry ORDER BY id LIMIT 1)"
        )

    async def more_spaces(self) -> None:
        if self.issued:
            await self.lot.res.db.execute(
                "UPDATE parking_card SET spaces = spaces + 1 WHERE id = $1", self.chosen.choice(self.issued)
            )

    async def a_day_passes(self) -> None:
        self.lot.res.clock.advance(timedelta(days=1))

    async def tidied(self) -> None:
        await self.lot.res.db.transact(gate_list.forget)

    async def does_something(self) -> None:
        acts: list[Callable[[], Awaitable[None]]] = [
            self.issue, self.issue, self.cancel, self.enlist, self.enlist, self.undone, self.take_off,
            self.more_spaces, self.a_day_passes, self.tidied,
        ]  # fmt: skip
        try:
            await self.chosen.choice(acts)()
        except Conflict:
            return  # that plate has a card, or stands on a list


@pytest.mark.parametrize("seed", range(8))
async def test_changes_and_the_whole_list_give_the_same_set(
    res: Resources, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_list, "KEPT_CHANGES", 12)
    chosen = random.Random(f"gate list {seed}")
    lot = await factories_parking.lot(res, await factories.community(res), prices=None)
    other = await factories_parking.lot(res, lot.place, code="P2", prices=None)
    office, elsewhere = Office(lot, chosen), Office(other, chosen)
    lanes = [Keeper(lot, lot.camera_in), Keeper(lot, lot.camera_out)]
    for _ in range(STEPS):
        await (office if chosen.random() < 0.8 else elsewhere).does_something()
        whole = Keeper(lot, lot.camera_in)
        await whole.ask()
        asking = [lane for lane in lanes if chosen.random() < 0.4]
        for lane in asking:
            await lane.ask()
            today = local_date(res.clock.now())
            assert lane.known(today) == whole.known(today), f"seed {seed}"
    assert all(lane.wholes < STEPS // 4 for lane in lanes), "most of the time the changes are enough"
    await sound(res)
