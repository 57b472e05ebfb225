"""What changes while a car is inside: prices, its plate, its card, and money that goes back (D6, D8)."""

import asyncio
from copy import deepcopy
from datetime import date, timedelta

import pytest

from backend.kernel.errors import Conflict
from backend.kernel.resources import Resources
from backend.parking.states import Basis
from tests import factories, factories_devices, factories_parking, factories_refunds
from tests.conftest import Run
from tests.factories_parking import PRICES
from tests.factories_payments import sound
from tests.integration.parking.conftest import Garage

DEARER = deepcopy(PRICES)
DEARER["days"][0]["windows"][0]["segments"][0]["price_fen"] = 800


@pytest.mark.parametrize(("basis", "asked"), [(Basis.ENTRY, "请缴费10.00元"), (Basis.EXIT, "请缴费16.00元")])
async def test_prices_that_change_during_the_stay_count_as_the_lot_says(
    res: Resources, basis: Basis, asked: str
) -> None:
    lot = await factories_parking.lot(res, await factories.community(res), basis=basis)
    await lot.arrives()
    res.clock.advance(timedelta(hours=1))
    await factories_parking.tariff(lot, DEARER, effective_from=res.clock.now())
    res.clock.advance(timedelta(hours=1))
    assert (await lot.leaves()).lines[0] == asked
    await sound(res)


async def test_a_card_cancelled_during_the_stay_is_charged_from_that_day_on(res: Resources) -> None:
    lot = await factories_parking.lot(res, await factories.community(res))
    card_id = await factories_parking.card(lot)
    await lot.arrives()
    res.clock.advance(timedelta(days=1))
    await factories_parking.cancel(lot, card_id)
    res.clock.advance(timedelta(hours=3))  # 13:00 on the 2nd, in Shanghai; charged since midnight: the day's cap
    assert (await lot.leaves()).lines[0] == "请缴费20.00元"
    await sound(res)


@pytest.mark.parametrize("exit_first", [False, True])
async def test_a_card_covers_a_stay_that_was_told_late(res: Resources, *, exit_first: bool) -> None:
    lot = await factories_parking.lot(res, await factories.community(res))
    await factories_parking.card(lot)
    res.clock.advance(timedelta(hours=9))
    told = [
        (lot.camera_in, factories_parking.sighting(res, ago=timedelta(hours=8))),
        (lot.camera_out, factories_parking.sighting(res, ago=timedelta(hours=1))),
    ]
    for camera, one in reversed(told) if exit_first else told:
        await lot.see(camera, factories_parking.replayed(one))
    stay = await lot.stay()
    assert (stay["state"], "left_unpaid" in stay["flags"]) == ("OUT", False)
    assert stay["card_id"] is not None
    await sound(res)


async def test_cars_that_were_told_late_share_the_spaces_of_their_card(res: Resources) -> None:
    lot = await factories_parking.lot(res, await factories.community(res))
    await factories_parking.card(lot, ("粤B12345", "粤B54321"))
    res.clock.advance(timedelta(hours=2))
    for plate in ("粤B12345", "粤B54321"):
        await lot.see(
            lot.camera_in, factories_parking.replayed(factories_parking.sighting(res, plate, ago=timedelta(hours=1)))
        )
    first, second = await lot.stays()
    assert first["card_id"] is not None and second["card_id"] is None
    assert sorted(second["flags"]) == ["late", "over_spaces"]
    await sound(res)


async def test_a_card_of_tomorrow_does_not_cover_today(res: Resources) -> None:
    lot = await factories_parking.lot(res, await factories.community(res))
    await factories_parking.card(lot, starts_on=date(2026, 9, 2))
    assert (await lot.arrives()).lines == ("欢迎光临",)


async def test_a_plate_corrected_after_the_payment_leaves_as_paid(garage: Garage) -> None:
    await garage.lot.arrives("粤B12845")
    await garage.later(minutes=61)
    asked = await garage.lot.quote("粤B12845")
    await garage.pays(asked.session_id)
    await factories_parking.correct(garage.lot, asked.session_id, "粤B12345")
    assert (await garage.lot.leaves("粤B12345")).open
    stay = await garage.lot.stay()
    assert (stay["state"], stay["paid_fen"]) == ("OUT", 1000)
    await garage.play.balanced()


async def test_money_that_went_back_is_owed_again_by_a_car_that_is_still_inside(
    garage: Garage, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await factories_refunds.rig(garage.play, monkeypatch)
    await garage.lot.arrives()
    await garage.later(minutes=61)
    asked = await garage.lot.quote()
    order_id = await garage.order(asked.session_id)
    await rig.channel.tell_paid(order_id)
    assert (await garage.lot.stay())["state"] == "PAID"
    await rig.refunded(order_id)
    stay = await garage.lot.stay()
    assert (await rig.state(), stay["state"], stay["refunded_fen"]) == ("SUCCEEDED", "IN", 1000)
    assert await garage.income_fen() == 0
    again = await garage.lot.quote()
    assert again.quote is not None and again.quote["amount_fen"] == 1000
    await rig.balanced()


async def test_a_wrong_charge_is_given_back_after_the_car_has_left(
    garage: Garage, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await factories_refunds.rig(garage.play, monkeypatch)
    await garage.lot.arrives()
    await garage.later(minutes=61)
    asked = await garage.lot.quote()
    order_id = await garage.order(asked.session_id)
    await rig.channel.tell_paid(order_id)
    await garage.lot.leaves()
    await rig.refunded(order_id)
    stay = await garage.lot.stay()
    assert (stay["state"], stay["paid_fen"], stay["refunded_fen"]) == ("OUT", 1000, 1000)
    await rig.balanced()


async def test_two_guards_who_end_one_stay_at_once_end_it_once(res: Resources, run: Run) -> None:
    lot = await factories_parking.lot(res, await factories.community(res))
    await lot.arrives()
    stay = await lot.stay()
    ended = await asyncio.gather(*(factories_parking.void(lot, stay["id"]) for _ in range(10)), return_exceptions=True)
    assert sorted(str(each) for each in ended if each is not None).count("voided: 这条停车记录已经作废。") == 9
    assert await lot.events() == ["entered", "voided"]
    await sound(res)


@pytest.mark.parametrize("vendor", ["dahua", "hikvision"])
async def test_a_camera_that_does_not_open_by_our_answer_needs_a_barrier(res: Resources, vendor: str) -> None:
    place = await factories.community(res)
    lot = await factories_parking.lot(res, place)
    camera = await factories_devices.device(res, place, vendor=vendor)
    with pytest.raises(Conflict) as refused:
        await factories_parking.lane(lot, camera)
    assert refused.value.code == "barrier_needed"
    assert await factories_parking.lane(lot, camera, barrier=lot.camera_in)
