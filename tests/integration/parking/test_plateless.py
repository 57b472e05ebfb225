"""Cars without a plate that come in by scanning: at once, one car and one driver make one stay (D8)."""

import asyncio
from uuid import UUID

import pytest

from backend.kernel.audit import SYSTEM
from backend.kernel.errors import Conflict
from backend.kernel.resources import Resources
from backend.parking.lanes import lane_codes, plateless
from backend.parking.lanes.plateless import Entered
from tests import factories, factories_devices, factories_parking
from tests.conftest import Run
from tests.factories_parking import Lot


@pytest.fixture
def lot(res: Resources, run: Run) -> Lot:
    async def make() -> Lot:
        return await factories_parking.lot(res, await factories.community(res))

    return run(make())


async def scan_in(lot: Lot, driver: bytes, lane_id: UUID | None = None) -> Entered | str:
    """A driver presses at an entry; the stay, or the code of the refusal."""
    lane = await lane_codes.one(lot.res.db, lane_id or lot.lane_in, lot_id=lot.id, communities=[lot.place.id])
    try:
        return await lot.res.db.transact(
            lambda tx: plateless.enter(tx, SYSTEM, lane, keyring=lot.res.keyring, driver=driver)
        )
    except Conflict as refused:
        return refused.code


def drivers(lot: Lot, count: int) -> list[bytes]:
    return [plateless.browser(lot.res.keyring, f"phone {n}") for n in range(count)]


@pytest.mark.parametrize("_round", range(3))
async def test_of_many_who_scan_for_one_car_at_once_one_comes_in(lot: Lot, _round: int) -> None:
    await lot.arrives(None)
    told = await asyncio.gather(*(scan_in(lot, driver) for driver in drivers(lot, 8)))
    assert sorted(each if isinstance(each, str) else "in" for each in told) == ["in"] + ["no_car_at_entry"] * 7
    assert len(await lot.stays()) == 1 and len(await lot.commands()) == 1


async def test_a_driver_who_presses_many_times_at_once_has_one_stay(lot: Lot) -> None:
    await lot.arrives(None)
    (driver,) = drivers(lot, 1)
    told = await asyncio.gather(*(scan_in(lot, driver) for _ in range(8)))
    (stay,) = await lot.stays()
    assert {each.session_id if isinstance(each, Entered) else each for each in told} == {stay["id"]}
    assert len(await lot.commands()) == 1


async def test_a_driver_at_two_entries_at_once_has_one_stay(lot: Lot) -> None:
    camera = await factories_devices.device(lot.res, lot.place, name="西门相机")
    west = await factories_parking.lane(lot, camera)
    await lot.arrives(None)
    await lot.see(camera, factories_parking.sighting(lot.res, None))
    (driver,) = drivers(lot, 1)
    told = await asyncio.gather(scan_in(lot, driver), scan_in(lot, driver, west))
    assert sorted(each if isinstance(each, str) else "in" for each in told) == ["already_inside", "in"]
    assert len(await lot.stays()) == 1


async def test_a_sighting_whose_stay_was_voided_lets_nobody_else_in(lot: Lot) -> None:
    await lot.arrives(None)
    first, second = drivers(lot, 2)
    assert isinstance(await scan_in(lot, first), Entered)
    await factories_parking.void(lot, (await lot.stay())["id"])
    assert await scan_in(lot, second) == "no_car_at_entry"


async def test_a_car_that_the_guard_has_let_in_by_hand_is_not_let_in_again(lot: Lot) -> None:
    await lot.arrives(None)
    await factories_parking.open_by_hand(lot)
    (driver,) = drivers(lot, 1)
    assert await scan_in(lot, driver) == "no_car_at_entry"
    assert len(await lot.stays()) == 1
