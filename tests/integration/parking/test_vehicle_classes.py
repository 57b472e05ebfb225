"""Prices by class of vehicle (D8): its own versions, else the lot's; what the guard corrects is priced anew."""

from copy import deepcopy
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from backend.kernel.approvals import Approval
from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict
from backend.kernel.resources import Resources
from backend.parking.lanes.sighting import VehicleClass
from backend.parking.plates import Colour
from backend.parking.prices import reclassing, tariffs
from backend.parking.prices.classes import PriceClass
from backend.parking.prices.reclassing import Reclassed
from backend.parking.states import Basis
from tests import factories, factories_parking
from tests.factories_parking import PRICES, Lot
from tests.factories_payments import sound

LARGE: dict[str, Any] = deepcopy(PRICES)
LARGE["days"][0]["windows"][0]["segments"][0]["price_fen"] = 900
NEW_ENERGY: dict[str, Any] = deepcopy(PRICES) | {"free": {"minutes": 120, "kind": "threshold"}}
GREEN = "粤BD12345"


@pytest.fixture
def lot(res: Resources, run: Any) -> Lot:
    """A lot with prices of its own for large vehicles and for new-energy cars."""

    async def make() -> Lot:
        made = await factories_parking.lot(res, await factories.community(res))
        await factories_parking.tariff(made, LARGE, vehicle_class=PriceClass.LARGE)
        await factories_parking.tariff(made, NEW_ENERGY, vehicle_class=PriceClass.NEW_ENERGY)
        return made

    return run(make())


async def correct(lot: Lot, vehicle_class: PriceClass) -> Reclassed:
    stay = await lot.stay()
    return await lot.res.db.transact(
        lambda tx: reclassing.correct(
            tx, Actor("staff", uuid4()), key=lot.key, session_id=stay["id"], communities=[lot.place.id],
            vehicle_class=vehicle_class, reason="相机认错车型",
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("plate", "colour", "vehicle_class", "shown"),
    [
        ("粤B12345", Colour.BLUE, "small", "请缴费10.00元"),
        ("粤B12345", Colour.YELLOW, "large", "请缴费18.00元"),
        (GREEN, Colour.GREEN, "new_energy", "一路平安"),
    ],
)
@pytest.mark.parametrize("basis", [Basis.ENTRY, Basis.EXIT])
async def test_d8_each_class_pays_by_its_own_prices_or_the_general_ones(
    res: Resources, lot: Lot, plate: str, colour: Colour, vehicle_class: str, shown: str, basis: Basis
) -> None:
    await res.db.execute("UPDATE parking_lot SET basis = $1", basis.value)
    await lot.arrives(plate, colour=colour)
    res.clock.advance(timedelta(minutes=61))
    assert (await lot.leaves(plate, colour=colour)).lines[0] == shown
    assert (await lot.stay())["vehicle_class"] == vehicle_class
    await sound(res)


async def test_d8_a_later_general_version_does_not_replace_the_one_of_a_class(res: Resources, lot: Lot) -> None:
    await factories_parking.tariff(lot, PRICES, effective_from=res.clock.now())
    await lot.arrives(colour=Colour.YELLOW)
    res.clock.advance(timedelta(minutes=61))
    assert (await lot.quote()).due.total_fen == 1_800


async def test_d8_the_camera_tells_a_motorcycle(res: Resources, lot: Lot) -> None:
    await lot.arrives(vehicle_class=VehicleClass.MOTORCYCLE)
    assert (await lot.stay())["vehicle_class"] == "motorcycle"
    res.clock.advance(timedelta(minutes=61))
    assert (await lot.quote()).due.total_fen == 1_000, "no prices of its own: the general ones"


async def test_d8_the_guard_corrects_a_class_and_the_quote_is_made_anew(res: Resources, lot: Lot) -> None:
    await lot.arrives()
    res.clock.advance(timedelta(minutes=61))
    assert (await lot.leaves()).lines[0] == "请缴费10.00元"
    found = await correct(lot, PriceClass.LARGE)
    assert found.quote is not None and found.quote["amount_fen"] == 1_800
    stay = await lot.stay()
    assert (stay["vehicle_class"], stay["quote_id"], stay["waiting_lane_id"]) == (
        "large", found.quote["id"], lot.lane_out,
    )  # fmt: skip
    assert (await lot.leaves()).lines[0] == "请缴费18.00元"
    row = await res.db.fetchrow("SELECT * FROM audit_entry WHERE action = 'parking.class_corrected'")
    assert row is not None
    assert (row["before"], row["after"], row["reason"]) == (
        {"vehicle_class": "small"}, {"vehicle_class": "large"}, "相机认错车型",
    )  # fmt: skip
    await sound(res)


async def test_d8_a_corrected_class_has_the_version_of_the_entry(res: Resources, lot: Lot) -> None:
    await lot.arrives()
    res.clock.advance(timedelta(minutes=30))
    dearer = deepcopy(LARGE)
    dearer["days"][0]["windows"][0]["segments"][0]["price_fen"] = 2_000
    await factories_parking.tariff(lot, dearer, effective_from=res.clock.now(), vehicle_class=PriceClass.LARGE)
    res.clock.advance(timedelta(minutes=31))
    await correct(lot, PriceClass.LARGE)
    assert (await lot.quote()).due.total_fen == 1_800


async def test_d8_a_car_that_is_gone_keeps_its_class(res: Resources, lot: Lot) -> None:
    await lot.arrives()
    await lot.leaves()
    with pytest.raises(Conflict) as refused:
        await correct(lot, PriceClass.LARGE)
    assert refused.value.code == "not_inside"
    assert (await lot.stay())["vehicle_class"] == "small"


async def test_d8_a_corrected_plate_brings_the_class_that_it_says(res: Resources, lot: Lot) -> None:
    await lot.arrives()
    stay = await lot.stay()
    await factories_parking.correct(lot, stay["id"], GREEN)
    assert (await lot.stay())["vehicle_class"] == "new_energy"
    res.clock.advance(timedelta(minutes=61))
    assert (await lot.quote(GREEN)).due.total_fen == 0
    await sound(res)


async def test_d8_a_version_of_a_class_comes_after_the_last_of_that_class_alone(res: Resources, lot: Lot) -> None:
    starts = res.clock.now() + timedelta(days=2)
    await factories_parking.tariff(lot, PRICES, effective_from=starts + timedelta(days=1))

    async def propose(tx: Tx) -> Approval:
        return await tariffs.propose(
            tx, Actor("staff", uuid4()), lot_id=lot.id, communities=[lot.place.id], given=LARGE, effective_from=starts,
            reason="大型车调价", vehicle_class=PriceClass.LARGE,
        )  # fmt: skip

    asked = await res.db.transact(propose)
    assert asked.payload["vehicle_class"] == "large"
    row = await res.db.fetchrow("SELECT shown FROM approval WHERE id = $1", asked.id)
    assert row is not None and row["shown"]["车型"] == "大型车"

    async def apply(tx: Tx) -> None:
        await tariffs.apply(tx, asked, Actor("staff", uuid4()))

    await res.db.transact(apply)
    versions = await res.db.fetch("SELECT vehicle_class FROM parking_tariff WHERE effective_from = $1", starts)
    assert [row["vehicle_class"] for row in versions] == ["large"]
