"""Spaces as rows: added, given to houses, freed; one house has a space at a time (D8)."""

import asyncio
from datetime import date
from uuid import UUID, uuid4

import pytest

from backend.kernel.audit import Actor
from backend.kernel.db import Record
from backend.kernel.errors import AppError, Conflict, Invalid, NotFound
from backend.kernel.resources import Resources
from backend.parking.cards import spaces
from backend.parking.cards.spaces import FREE, Holding
from backend.parking.cards.states import SpaceKind, SpaceState
from tests import factories, factories_parking
from tests.conftest import Run
from tests.factories_parking import Lot
from tests.factories_payments import sound

TODAY = date(2026, 9, 1)
SOLD, RENTED, RESERVED = SpaceState.SOLD, SpaceState.RENTED, SpaceState.RESERVED


@pytest.fixture
def lot(res: Resources, run: Run) -> Lot:
    async def make() -> Lot:
        return await factories_parking.lot(res, await factories.community(res))

    return run(make())


async def added(lot: Lot, *numbers: str) -> int:
    actor, places = Actor("staff", uuid4()), [lot.place.id]
    return await lot.res.db.transact(
        lambda tx: spaces.add(tx, actor, lot_id=lot.id, communities=places, kind=SpaceKind.STANDARD, numbers=numbers)
    )


async def assigned(lot: Lot, space_id: UUID, holding: Holding) -> Record:
    actor, places = Actor("staff", uuid4()), [lot.place.id]
    return await lot.res.db.transact(
        lambda tx: spaces.assign(tx, actor, space_id=space_id, communities=places, holding=holding, reason="合同变更")
    )


async def one(lot: Lot, number: str = "A1") -> UUID:
    await added(lot, number)
    (row,) = await spaces.of_lot(lot.res.db, lot.id, state=None, after=None, limit=10)
    space_id: UUID = row["id"]
    return space_id


async def test_numbers_are_added_all_or_none(res: Resources, lot: Lot) -> None:
    assert await added(lot, "A1", "A2", "A2", "A3") == 3
    with pytest.raises(Conflict) as refused:
        await added(lot, "A3", "A4")
    assert (refused.value.code, "A3" in refused.value.message) == ("space_number_taken", True)
    rows = await spaces.of_lot(res.db, lot.id, state=SpaceState.FREE, after="A1", limit=10)
    assert [row["number"] for row in rows] == ["A2", "A3"]
    await sound(res)


async def test_a_space_goes_from_hand_to_hand_and_each_time_is_audited(res: Resources, lot: Lot) -> None:
    house = await factories.house(res, lot.place)
    space = await one(lot)
    for holding in (
        Holding(RESERVED),
        Holding(RENTED, house, TODAY, date(2027, 9, 1)),
        Holding(RENTED, house, TODAY, date(2028, 9, 1)),
        Holding(SOLD, house, TODAY),
        FREE,
    ):
        row = await assigned(lot, space, holding)
        assert (row["state"], row["house_id"], row["starts_on"], row["ends_on"]) == (
            holding.state, holding.house_id, holding.starts_on, holding.ends_on,
        )  # fmt: skip
    told = await res.db.fetch("SELECT after FROM audit_entry WHERE action = 'parking.space_changed' ORDER BY id")
    assert [row["after"]["state"] for row in told] == ["reserved", "rented", "rented", "sold", "free"]
    await sound(res)


async def test_a_space_that_somebody_has_is_not_given_to_another(res: Resources, lot: Lot) -> None:
    mine, theirs = await factories.house(res, lot.place), await factories.house(res, lot.place, "102")
    space = await one(lot)
    await assigned(lot, space, Holding(RENTED, mine, TODAY))
    for holding in (Holding(RENTED, theirs, TODAY), Holding(SOLD, theirs, TODAY), Holding(RESERVED)):
        with pytest.raises(Conflict) as refused:
            await assigned(lot, space, holding)
        assert refused.value.code == "space_taken"
    await assigned(lot, space, FREE)
    await assigned(lot, space, Holding(SOLD, theirs, TODAY))
    await sound(res)


@pytest.mark.parametrize(
    "holding",
    [
        Holding(SOLD), Holding(RENTED, uuid4()), Holding(SOLD, uuid4(), TODAY, date(2027, 1, 1)),
        Holding(RENTED, uuid4(), TODAY, TODAY), Holding(RESERVED, None, TODAY),
    ],
)  # fmt: skip
async def test_what_is_not_whole_is_refused(lot: Lot, holding: Holding) -> None:
    space = await one(lot)
    with pytest.raises(Invalid):
        await assigned(lot, space, holding)


async def test_a_house_of_another_community_is_not_found(res: Resources, lot: Lot) -> None:
    elsewhere = await factories.house(res, await factories.community(res, "ZZ"))
    space = await one(lot)
    with pytest.raises(NotFound):
        await assigned(lot, space, Holding(SOLD, elsewhere, TODAY))


async def test_five_houses_who_get_one_space_at_once_leave_it_to_one(res: Resources, lot: Lot) -> None:
    houses = [await factories.house(res, lot.place, f"20{n}") for n in range(5)]
    await added(lot, *(f"A{n}" for n in range(8)))
    for row in await spaces.of_lot(res.db, lot.id, state=None, after=None, limit=10):
        made = await asyncio.gather(
            *(assigned(lot, row["id"], Holding(SOLD, house, TODAY)) for house in houses), return_exceptions=True
        )
        refused = [each for each in made if isinstance(each, AppError)]
        assert len(refused) == 4 and {each.code for each in refused} == {"space_taken"}
    assert await res.db.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'parking.space_changed'") == 8
    await sound(res)
