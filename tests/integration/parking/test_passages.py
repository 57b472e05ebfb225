"""Cars come and go: what the barrier does, and which stays are left (D8)."""

import asyncio
from datetime import date, timedelta
from uuid import uuid4

import pytest

from backend.kernel.resources import Resources
from tests import factories, factories_parking
from tests.factories_parking import CAR, Lot
from tests.factories_payments import sound

OTHER = "粤B54321"


@pytest.fixture
def lot(res: Resources, run) -> Lot:
    async def make() -> Lot:
        return await factories_parking.lot(res, await factories.community(res))

    return run(make())


async def test_a_guest_who_stays_within_the_free_time_comes_and_goes(res: Resources, lot: Lot) -> None:
    came = await lot.arrives()
    assert (came.open, came.lines) == (True, ("欢迎光临",))
    assert await lot.free_spaces() == 99
    res.clock.advance(timedelta(minutes=29))
    assert (await lot.leaves()).open
    stay = await lot.stay()
    assert (stay["state"], stay["flags"], stay["paid_fen"]) == ("OUT", [], 0)
    assert await lot.free_spaces() == 100
    assert await lot.events() == ["entered", "left"]
    await sound(res)


async def test_a_guest_who_owes_is_asked_and_the_barrier_stays_shut(res: Resources, lot: Lot) -> None:
    await lot.arrives()
    res.clock.advance(timedelta(minutes=61))
    gone = await lot.leaves()
    assert (gone.open, gone.lines[0]) == (False, "请缴费10.00元")
    stay = await lot.stay()
    assert (stay["state"], stay["waiting_lane_id"]) == ("QUOTED", lot.lane_out)
    await sound(res)


async def test_a_card_comes_and_goes_free(res: Resources, lot: Lot) -> None:
    await factories_parking.card(lot)
    assert (await lot.arrives()).lines == ("欢迎回家",)
    res.clock.advance(timedelta(days=3))
    assert (await lot.leaves()).open
    assert (await lot.stay())["state"] == "OUT"
    await sound(res)


async def test_of_two_cars_of_one_space_the_second_pays(res: Resources, lot: Lot) -> None:
    await factories_parking.card(lot, (CAR, OTHER))
    await lot.arrives()
    assert (await lot.arrives(OTHER)).lines == ("欢迎光临", "车位已占用，按临时车收费")
    res.clock.advance(timedelta(hours=1))
    assert not (await lot.leaves(OTHER)).open
    assert (await lot.leaves(CAR)).open
    assert [row["flags"] for row in await lot.stays()] == [[], ["over_spaces"]]
    await sound(res)


async def test_two_cars_of_one_space_at_once_make_one_covered(res: Resources, lot: Lot) -> None:
    await factories_parking.card(lot, (CAR, OTHER))
    await asyncio.gather(lot.arrives(CAR), lot.arrives(OTHER))
    assert sorted(row["card_id"] is not None for row in await lot.stays()) == [False, True]
    await sound(res)


async def test_a_card_that_ends_during_the_stay_covers_the_days_that_it_reaches(res: Resources, lot: Lot) -> None:
    # START is 10:00 on the 1st in Shanghai; the card's last day is the 1st.
    await factories_parking.card(lot, ends_on=date(2026, 9, 2))
    await lot.arrives()
    res.clock.advance(timedelta(hours=16))  # 02:00 on the 2nd: two hours that nothing covers
    assert (await lot.leaves()).lines[0] == "请缴费10.00元"
    await sound(res)


async def test_the_same_event_fifty_times_at_once_makes_one_stay_and_one_answer(res: Resources, lot: Lot) -> None:
    told = factories_parking.sighting(res)
    answers = await asyncio.gather(*(lot.see(lot.camera_in, told) for _ in range(50)))
    assert {(answer.open, answer.lines) for answer in answers} == {(True, ("欢迎光临",))}
    assert len(await lot.stays()) == 1
    assert await res.db.fetchval("SELECT count(*) FROM device_event") == 1
    await sound(res)


async def test_fifty_cameras_that_see_one_car_make_one_stay(res: Resources, lot: Lot) -> None:
    await asyncio.gather(*(lot.arrives() for _ in range(20)))
    assert len(await lot.stays()) == 1
    await sound(res)


async def test_a_late_repeat_is_answered_without_opening(res: Resources, lot: Lot) -> None:
    told = factories_parking.sighting(res)
    assert (await lot.see(lot.camera_in, told)).open
    res.clock.advance(timedelta(seconds=4))
    assert (await lot.see(lot.camera_in, told)).open
    res.clock.advance(timedelta(seconds=4))
    again = await lot.see(lot.camera_in, told)
    assert (again.open, again.lines, again.voice) == (False, (), "")
    assert len(await lot.stays()) == 1


async def test_two_readings_of_one_passage_are_one_entry(res: Resources, lot: Lot) -> None:
    await lot.arrives()
    res.clock.advance(timedelta(seconds=3))
    assert (await lot.arrives()).open
    assert await lot.events() == ["entered"]


async def test_a_car_that_was_just_let_out_is_let_out_again(res: Resources, lot: Lot) -> None:
    await lot.arrives()
    await lot.leaves()
    res.clock.advance(timedelta(seconds=10))
    assert (await lot.leaves()).open
    assert len(await lot.stays()) == 1


async def test_a_car_that_enters_twice_is_the_guards_case_and_pays_for_the_second_stay(
    res: Resources, lot: Lot
) -> None:
    await lot.arrives()
    res.clock.advance(timedelta(days=2))
    assert (await lot.arrives()).open
    assert [(row["state"], row["flags"]) for row in await lot.stays()] == [
        ("VOIDED", ["entered_twice"]), ("IN", ["entered_twice"]),
    ]  # fmt: skip
    res.clock.advance(timedelta(minutes=40))
    assert (await lot.leaves()).lines[0] == "请缴费5.00元"
    await sound(res)


async def test_a_misread_at_the_exit_names_the_candidates_and_charges_nobody(res: Resources, lot: Lot) -> None:
    await lot.arrives("粤B12345")
    await lot.arrives("粤B99999")
    res.clock.advance(timedelta(hours=2))
    gone = await lot.leaves("粤B12845")
    assert (gone.open, gone.lines) == (False, ("没有入场记录", "请联系保安"))
    first, _, unseen = await lot.stays()
    assert (unseen["state"], set(unseen["flags"])) == ("IN", {"no_entry", "misread"})
    seen = await res.db.fetchval("SELECT detail FROM parking_event WHERE session_id = $1", unseen["id"])
    assert seen["candidates"] == [str(first["id"])]
    assert first["state"] == "IN" and await lot.free_spaces() == 98
    assert await res.db.fetchval("SELECT count(*) FROM parking_quote") == 0
    await sound(res)


async def test_an_offline_hour_told_in_the_wrong_order_ends_in_the_same_stay(res: Resources, lot: Lot) -> None:
    res.clock.advance(timedelta(hours=3))
    gone = await lot.leaves(ago=timedelta(hours=1), sequence=8)
    came = await lot.arrives(ago=timedelta(hours=2), sequence=7)
    assert not gone.open and not came.open, "nobody stands there any more"
    stay = await lot.stay()
    assert (stay["state"], set(stay["flags"])) == ("OUT", {"late", "left_unpaid"})
    assert stay["left_at"] - stay["entered_at"] == timedelta(hours=1)
    assert await lot.free_spaces() == 100
    await sound(res)


async def test_an_offline_hour_told_in_order_leaves_what_was_not_paid_to_the_guard(res: Resources, lot: Lot) -> None:
    res.clock.advance(timedelta(hours=3))
    await lot.arrives(ago=timedelta(hours=2))
    await lot.leaves(ago=timedelta(minutes=10))
    stay = await lot.stay()
    assert (stay["state"], set(stay["flags"])) == ("OUT", {"late", "left_unpaid"})
    assert stay["paid_fen"] == 0
    await sound(res)


async def test_an_earlier_stay_that_is_told_after_the_present_one_is_kept_beside_it(res: Resources, lot: Lot) -> None:
    res.clock.advance(timedelta(hours=5))
    await lot.arrives()
    await lot.arrives(ago=timedelta(hours=4))
    await lot.leaves(ago=timedelta(hours=3))
    present, before = await lot.stays()
    assert (present["state"], before["state"]) == ("IN", "OUT")
    assert before["left_at"] - before["entered_at"] == timedelta(hours=1)
    await sound(res)


async def test_a_clock_that_is_wrong_counts_by_the_arrival(res: Resources, lot: Lot) -> None:
    await lot.arrives(at=res.clock.now() + timedelta(hours=1))
    stay = await lot.stay()
    assert (stay["entered_at"], stay["flags"]) == (res.clock.now(), ["clock_skew"])


async def test_a_car_without_a_plate_is_left_to_the_guard(res: Resources, lot: Lot) -> None:
    assert (await lot.arrives(None)).lines == ("未识别到车牌", "无牌车请扫码", "有牌车请联系保安")
    assert await lot.stays() == []


async def test_a_full_lot_takes_cards_alone(res: Resources) -> None:
    place = await factories.community(res)
    lot = await factories_parking.lot(res, place, spaces=1)
    await factories_parking.card(lot, (OTHER,))
    await lot.arrives("粤B00001")
    assert (await lot.arrives("粤B00002")).lines == ("车位已满",)
    assert (await lot.arrives(OTHER)).open
    assert await lot.free_spaces() == 0
    await sound(res)


async def test_a_read_that_can_be_no_plate_comes_in_with_a_flag(res: Resources, lot: Lot) -> None:
    assert (await lot.arrives("粤B1234")).open
    assert (await lot.stay())["flags"] == ["misread"]


async def test_a_camera_without_a_lane_is_refused_and_keeps_nothing(res: Resources, lot: Lot) -> None:
    spare = await factories_parking.factories_devices.device(res, lot.place)
    with pytest.raises(Exception, match="not_found"):
        await lot.see(spare, factories_parking.sighting(res, key=uuid4().hex))
    assert await res.db.fetchval("SELECT count(*) FROM device_event") == 0
