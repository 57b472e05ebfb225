"""The list for lanes without a network: versions that commit in order, tags, what is given to whom (D8)."""

import asyncio
from datetime import date, timedelta

import pytest

from backend.kernel.db import Tx
from backend.kernel.errors import NotFound
from backend.kernel.resources import Resources
from backend.parking import retention
from tests import factories, factories_devices, factories_parking
from tests.factories_gate_list import Keeper, fetch
from tests.factories_parking import CAR, Lot
from tests.factories_payments import sound

OTHER = "粤B54321"


@pytest.fixture
def lot(res: Resources, run: object) -> Lot:
    async def make() -> Lot:
        return await factories_parking.lot(res, await factories.community(res), prices=None)

    return run(make())  # type: ignore[operator]


async def test_a_card_is_given_with_its_days_and_gone_when_it_is_cancelled(lot: Lot) -> None:
    lane = Keeper(lot, lot.camera_in)
    await lane.ask()
    assert (lane.version, lane.entries, lane.wholes) == ("0", {}, 1)
    card = await factories_parking.card(lot, [CAR, OTHER], starts_on=date(2026, 8, 1), ends_on=date(2026, 10, 1))
    await lane.ask()
    assert [(each.plate, each.kind, each.card_id, each.spaces) for each in lane.entries.values()] == [
        (CAR, "card", card, 1), (OTHER, "card", card, 1)
    ]  # fmt: skip
    assert {(each.starts_on, each.ends_on) for each in lane.entries.values()} == {(date(2026, 8, 1), date(2026, 10, 1))}
    await factories_parking.cancel(lot, card)
    given = await fetch(lot, lot.camera_in, since=lane.version)
    assert (given.version.full, given.entries, len(given.removed)) == (False, (), 2)
    await sound(lot.res)


async def test_who_has_the_version_of_the_day_is_told_so_and_nothing_more(lot: Lot) -> None:
    await factories_parking.card(lot)
    first = await fetch(lot, lot.camera_in)
    again = await fetch(lot, lot.camera_in, have=f'"older", {first.version.tag}')
    assert (first.version.full, again.entries, again.version) == (True, None, first.version)
    lot.res.clock.advance(timedelta(days=1))
    assert (await fetch(lot, lot.camera_in, have=first.version.tag)).entries == first.entries
    given = await lot.res.db.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'parking.gate_list_given'")
    assert given == 2, "who is given plates is written down"


@pytest.mark.parametrize("since", ["7-0123456789abcdef", "nonsense", "1-0000000000000000", "0"])
async def test_an_unknown_version_is_given_the_whole_list(lot: Lot, since: str) -> None:
    await factories_parking.card(lot)
    given = await fetch(lot, lot.camera_in, since=since)
    assert given.version.full and given.entries is not None and len(given.entries) == 1


async def test_who_is_too_far_behind_is_given_the_whole_list(lot: Lot, monkeypatch: pytest.MonkeyPatch) -> None:
    await factories_parking.card(lot)
    old = (await fetch(lot, lot.camera_in)).version.text
    await factories_parking.card(lot, [OTHER])
    new = (await fetch(lot, lot.camera_in)).version.text
    monkeypatch.setattr("backend.parking.lanes.gate_list.KEPT_CHANGES", 1)
    await retention.forget(lot.res, "")
    assert (await fetch(lot, lot.camera_in, since=old)).version.full
    assert not (await fetch(lot, lot.camera_in, since=new)).version.full


async def test_a_version_is_not_seen_before_an_earlier_one(lot: Lot) -> None:
    """Two changes at once: what a lane fetches between their commits is not missing from what it fetches after."""
    lane, waiting, go_on = Keeper(lot, lot.camera_in), asyncio.Event(), asyncio.Event()
    await factories_parking.card(lot)
    await lane.ask()

    async def slow(tx: Tx) -> None:
        await tx.execute("UPDATE parking_card_vehicle SET period = daterange('2026-01-01', '2026-12-01')")
        waiting.set()
        await go_on.wait()

    async def fast() -> None:
        await waiting.wait()
        await lot.res.db.execute(
            """WITH car AS (INSERT INTO parking_vehicle (id, community_id, plate_sealed, plate_blind, created_at)
                            SELECT gen_random_uuid(), community_id, plate_sealed, '\\x000102030405060708090a0b0c0d0e0f',
                                   created_at FROM parking_vehicle RETURNING id, no)
               INSERT INTO parking_list_entry (id, community_id, lot_id, lot_no, kind, vehicle_id, vehicle_no, period,
                                               reason, created_at)
               SELECT gen_random_uuid(), l.community_id, l.id, l.no, 'black', car.id, car.no,
                      daterange('2026-01-01', '2026-01-02'), '测试', l.created_at FROM parking_lot l, car"""
        )

    first, second = asyncio.ensure_future(lot.res.db.transact(slow)), asyncio.ensure_future(fast())
    await waiting.wait()
    done, _ = await asyncio.wait([second], timeout=1)
    await lane.ask()
    go_on.set()
    await asyncio.gather(first, second)
    await lane.ask()
    assert [each.ends_on for each in lane.entries.values()] == [date(2026, 12, 1)]
    assert not done, "the second change waits for the first"


async def test_a_camera_knows_its_own_lot_alone_and_a_device_without_a_lane_none(lot: Lot) -> None:
    other = await factories_parking.lot(lot.res, lot.place, code="P2", prices=None)
    await factories_parking.card(lot)
    await factories_parking.card(other, [OTHER])
    for at, plate in ((lot, CAR), (other, OTHER)):
        given = await fetch(at, at.camera_out)
        assert given.entries is not None and [each.plate for each in given.entries] == [plate]
    stray = await factories_devices.device(lot.res, lot.place)
    with pytest.raises(NotFound):
        await fetch(lot, stray)
