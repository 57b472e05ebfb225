"""A card car that was misread at its entry and leaves correctly read: the guard makes one stay of its halves (D8)."""

from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest

from backend.kernel.audit import Actor
from backend.kernel.errors import Conflict
from backend.kernel.resources import Resources
from backend.parking.lanes import guard
from tests import factories, factories_parking
from tests.conftest import Run
from tests.factories_parking import Lot
from tests.factories_payments import sound
from tests.integration.parking.conftest import Garage

RIGHT, WRONG = "粤B12345", "粤B12845"


@pytest.fixture
def lot(res: Resources, run: Run) -> Lot:
    async def make() -> Lot:
        return await factories_parking.lot(res, await factories.community(res))

    return run(make())


async def match(of: Lot, unseen: UUID, candidate: UUID) -> None:
    """The guard says that the car that left is this one."""
    await of.res.db.transact(
        lambda tx: guard.match(
            tx, Actor("staff", uuid4()), key=of.key, session_id=unseen, candidate_id=candidate,
            communities=[of.place.id], reason="入口识别错一位",
        )
    )  # fmt: skip


async def misread_then_gone(lot: Lot) -> tuple[UUID, UUID]:
    """The stay that left, and the one that its wrong plate has left inside."""
    await lot.arrives(WRONG)
    lot.res.clock.advance(timedelta(hours=3))
    assert (await lot.leaves(RIGHT)).open
    inside, gone = await lot.stays()
    assert (inside["state"], gone["state"], set(gone["flags"])) == ("IN", "OUT", {"no_entry", "misread"})
    return gone["id"], inside["id"]


async def test_the_two_halves_become_one_stay_and_nobody_is_left_inside(res: Resources, lot: Lot) -> None:
    card_id = await factories_parking.card(lot)
    gone, inside = await misread_then_gone(lot)
    await match(lot, gone, inside)
    voided, stay = await lot.stays()
    assert (voided["state"], stay["state"], stay["flags"], stay["card_id"]) == ("VOIDED", "OUT", ["corrected"], card_id)
    assert stay["left_at"] - stay["entered_at"] == timedelta(hours=3)
    assert await lot.free_spaces() == 100
    assert await res.db.fetchval("SELECT count(*) FROM parking_quote") == 0
    assert await res.db.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'parking.stay_matched'") == 2
    await sound(res)


async def test_what_its_card_does_not_cover_is_flagged_and_not_charged(res: Resources, lot: Lot) -> None:
    await factories_parking.card(lot, starts_on=date(2026, 9, 2))
    await lot.arrives(WRONG)
    res.clock.advance(timedelta(days=1))
    assert (await lot.leaves(RIGHT)).open
    inside, gone = await lot.stays()
    await match(lot, gone["id"], inside["id"])
    _, stay = await lot.stays()
    assert (stay["state"], set(stay["flags"]), stay["paid_fen"]) == ("OUT", {"corrected", "left_unpaid"}, 0)
    await sound(res)


async def test_another_car_that_only_looks_alike_stays_inside_until_the_guard_says_so(res: Resources, lot: Lot) -> None:
    await factories_parking.card(lot)
    _, inside = await misread_then_gone(lot)
    assert (await lot.leaves(WRONG)).lines[0] == "请缴费15.00元", "it was another car after all"
    row = await res.db.fetchrow("SELECT state FROM parking_session WHERE id = $1", inside)
    assert row is not None and row["state"] == "QUOTED"
    await sound(res)


async def test_a_car_that_came_in_later_is_not_the_one_that_had_left(res: Resources, lot: Lot) -> None:
    await factories_parking.card(lot)
    gone, _ = await misread_then_gone(lot)
    res.clock.advance(timedelta(hours=1))
    await lot.arrives("粤B99999")
    later = (await lot.stays())[-1]
    with pytest.raises(Conflict) as refused:
        await match(lot, gone, later["id"])
    assert refused.value.code == "entry_was_seen"


async def test_twice_the_same_match_is_refused(res: Resources, lot: Lot) -> None:
    await factories_parking.card(lot)
    gone, inside = await misread_then_gone(lot)
    await match(lot, gone, inside)
    with pytest.raises(Conflict) as refused:
        await match(lot, gone, inside)
    assert refused.value.code == "not_inside"
    await sound(res)


async def test_a_stay_that_was_paid_is_not_swallowed(garage: Garage) -> None:
    lot = garage.lot
    await factories_parking.card(lot)
    await lot.arrives(WRONG)
    await garage.later(minutes=61)
    asked = await lot.quote(WRONG)
    await garage.pays(asked.session_id)
    await lot.leaves(RIGHT)
    inside, gone = await lot.stays()
    with pytest.raises(Conflict) as refused:
        await match(lot, gone["id"], inside["id"])
    assert refused.value.code == "stay_paid"
    assert (await lot.stays())[0]["state"] == "PAID"
    await garage.play.balanced()
