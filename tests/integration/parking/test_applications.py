"""Residents apply for spaces and vehicles, staff decide, and what was approved is given if it is still there (D8)."""

import asyncio
from datetime import date
from uuid import UUID, uuid4

import pytest

from backend.kernel.approvals import Approval, Stale
from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid
from backend.parking import plates
from backend.parking.cards import applications
from backend.parking.cards.applications import ForSpace, ForVehicle, Rule
from backend.parking.cards.states import Audience, OutsideVehicles
from tests import factories, factories_cards, factories_parking
from tests.factories_parking import CAR
from tests.integration.parking.conftest import Garage

UNTIL = date(2026, 12, 1)
WAITING = "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def ask_vehicle(
    garage: Garage, plate: str = CAR, *, until: date | None = None, house_id: UUID | None = None
) -> Approval:
    """The owner applies for a vehicle."""
    lot, res = garage.lot, garage.play.res
    asked = ForVehicle(house_id or garage.play.house_id, lot.id, plate, until, "新购车辆")
    return await res.db.transact(
        lambda tx: applications.for_vehicle(
            tx, Actor("resident", garage.play.owner.id), keyring=res.keyring, communities=(lot.place.id,), asked=asked
        )
    )


async def ask_space(
    garage: Garage, space_id: UUID, *, months: int | None = 12, house_id: UUID | None = None
) -> Approval:
    """The owner applies for a space."""
    asked = ForSpace(house_id or garage.play.house_id, space_id, months, "新购车辆")
    return await garage.play.res.db.transact(
        lambda tx: applications.for_space(
            tx, Actor("resident", garage.play.owner.id), communities=(garage.lot.place.id,), asked=asked
        )
    )


async def decide(garage: Garage, asked: Approval, *, approve: bool = True, note: str = "同意") -> None:
    await factories_cards.decide(garage.play.res, asked.id, approve=approve, note=note)


async def rules(garage: Garage, outside: OutsideVehicles, max_open: int = 3) -> None:
    await garage.play.res.db.transact(
        lambda tx: applications.set_rule(
            tx, Actor("staff", uuid4()), lot_id=garage.lot.id, communities=[garage.lot.place.id],
            new=Rule(outside, max_open),
        )
    )  # fmt: skip


async def shown(garage: Garage) -> list[tuple[str, str | None]]:
    rows = await applications.of_houses(garage.play.res.db, [garage.play.house_id])
    return [(row["state"], row["decision"]) for row in rows]


async def free_space(garage: Garage, number: str = "A1") -> UUID:
    return await factories_cards.space(garage.lot, None, number, state="free", starts_on=None)


async def test_an_own_vehicle_is_registered_and_a_card_bought_for_it(garage: Garage) -> None:
    asked = await ask_vehicle(garage)
    assert asked.shown["after"]["车牌"] == plates.mask(CAR) and CAR not in str(asked.payload)
    await decide(garage, asked)
    row = await garage.play.res.db.fetchrow("SELECT * FROM parking_vehicle")
    assert row is not None and (row["house_id"], row["outside_until"]) == (garage.play.house_id, None)
    product = await factories_cards.product(garage.lot)
    await factories_cards.pays(
        garage.play, await factories_cards.order_card(garage.play, garage.lot, product, [row["id"]])
    )  # fmt: skip
    assert (await garage.lot.arrives()).lines == ("欢迎回家",)
    assert await shown(garage) == [("APPROVED", "同意")]
    with pytest.raises(Conflict) as again:
        await ask_vehicle(garage)
    assert again.value.code == "vehicle_known"
    await garage.play.balanced()


async def test_an_outside_vehicle_may_be_bought_for_until_its_leave_ends(garage: Garage) -> None:
    await decide(garage, await ask_vehicle(garage, until=UNTIL))
    car = await garage.play.res.db.fetchval("SELECT id FROM parking_vehicle")
    usual = await factories_cards.product(garage.lot)
    short = await factories_cards.product(garage.lot, audience=Audience.OUTSIDE, months=3)
    long = await factories_cards.product(garage.lot, audience=Audience.OUTSIDE, months=4)
    codes = []
    for product in (usual, long):
        with pytest.raises(Conflict) as refused:
            await factories_cards.order_card(garage.play, garage.lot, product, [car])
        codes.append(refused.value.code)
    assert codes == ["not_for_this_vehicle", "beyond_leave"]
    await factories_cards.pays(garage.play, await factories_cards.order_card(garage.play, garage.lot, short, [car]))
    card = await factories_cards.card(garage.lot)
    assert card["ends_on"] == UNTIL
    with pytest.raises(Conflict) as beyond:
        await factories_cards.order_renewal(garage.play, card["id"], short)
    assert beyond.value.code == "beyond_leave"
    await garage.play.balanced()


async def test_where_the_lot_says_so_an_outside_vehicle_gets_its_card_at_once(garage: Garage) -> None:
    await rules(garage, OutsideVehicles.CARD)
    await decide(garage, await ask_vehicle(garage, until=UNTIL))
    card = await factories_cards.card(garage.lot)
    assert (card["kind"], card["house_id"], card["ends_on"]) == ("visitor", garage.play.house_id, UNTIL)
    assert (await garage.lot.arrives()).lines == ("欢迎回家",)
    await garage.play.balanced()


async def test_a_refusal_says_why_and_changes_nothing(garage: Garage) -> None:
    asked = await ask_vehicle(garage)
    with pytest.raises(Invalid) as silent:
        await decide(garage, asked, approve=False, note=" ")
    assert silent.value.code == "reason_required"
    await decide(garage, asked, approve=False, note="请先缴清物业费")
    assert await shown(garage) == [("REJECTED", "请先缴清物业费")]
    assert await garage.play.res.db.fetchval("SELECT house_id FROM parking_vehicle") is None


async def test_a_vehicle_of_another_house_is_not_given_away(garage: Garage) -> None:
    neighbour = await factories.house(garage.play.res, garage.lot.place, "909")
    await factories_cards.vehicle(garage.lot, neighbour)
    asked = await ask_vehicle(garage)
    with pytest.raises(Conflict) as refused:
        await decide(garage, asked)
    assert refused.value.code == "vehicle_of_another_house"
    assert await garage.play.res.db.fetchval("SELECT house_id FROM parking_vehicle") == neighbour
    assert await shown(garage) == [("PENDING", None)]


@pytest.mark.parametrize("until", [date(2026, 9, 1), date(2027, 9, 2)])
async def test_leave_is_for_a_day_to_come_and_a_year_at_most(garage: Garage, until: date) -> None:
    with pytest.raises(Invalid):
        await ask_vehicle(garage, until=until)


async def test_a_leave_that_has_passed_before_it_is_approved_is_stale(garage: Garage) -> None:
    asked = await ask_vehicle(garage, until=date(2026, 9, 3))
    await garage.later(days=2)
    with pytest.raises(Stale):
        await decide(garage, asked)


async def test_a_space_is_rented_out_from_the_day_of_the_approval(garage: Garage) -> None:
    space = await free_space(garage)
    asked = await ask_space(garage, space)
    await garage.later(days=1)
    await decide(garage, asked)
    row = await garage.play.res.db.fetchrow("SELECT * FROM parking_space WHERE id = $1", space)
    assert row is not None
    assert (row["state"], row["house_id"], row["starts_on"], row["ends_on"]) == (
        "rented", garage.play.house_id, date(2026, 9, 2), date(2027, 9, 2),
    )  # fmt: skip
    await garage.play.balanced()


async def test_a_space_to_be_bought_is_kept_for_the_house(garage: Garage) -> None:
    space = await free_space(garage)
    await decide(garage, await ask_space(garage, space, months=None))
    row = await garage.play.res.db.fetchrow("SELECT * FROM parking_space WHERE id = $1", space)
    assert row is not None and (row["state"], row["house_id"]) == ("reserved", garage.play.house_id)


async def test_of_two_houses_who_want_a_space_the_first_approved_has_it(garage: Garage) -> None:
    neighbour = await factories.house(garage.play.res, garage.lot.place, "909")
    space = await free_space(garage)
    asked = [await ask_space(garage, space), await ask_space(garage, space, house_id=neighbour)]
    decided = await asyncio.gather(*(decide(garage, each) for each in asked), return_exceptions=True)
    assert [type(each) for each in decided if each is not None] == [Stale]
    with pytest.raises(Conflict) as taken:
        await ask_space(garage, space)
    assert taken.value.code == "space_taken"
    await garage.play.balanced()


async def test_of_many_applications_at_once_no_more_wait_than_the_lot_allows(garage: Garage) -> None:
    await rules(garage, OutsideVehicles.BUY, 2)
    db = garage.play.res.db

    async def all_at_once(tx: Tx) -> list[asyncio.Task[Approval]]:
        """Nobody writes before all have counted, or wait for the lot."""
        await tx.execute("LOCK TABLE approval IN SHARE MODE")
        asking = [asyncio.create_task(ask_vehicle(garage, f"粤B1000{number}")) for number in range(6)]
        async with asyncio.timeout(20):
            while await db.fetchval(f"SELECT count(*) FROM {WAITING}") < len(asking):
                await asyncio.sleep(0.01)
        return asking

    asked = await asyncio.gather(*await db.transact(all_at_once), return_exceptions=True)
    assert sum(isinstance(each, Approval) for each in asked) == 2
    refused = [each for each in asked if isinstance(each, Conflict)]
    assert {each.code for each in refused} == {"too_many_applications"} and len(refused) == 4
    first = next(each for each in asked if isinstance(each, Approval))
    await decide(garage, first, approve=False, note="资料不全")
    assert await ask_vehicle(garage, "粤B20000")


async def test_the_same_application_does_not_wait_twice(garage: Garage) -> None:
    await ask_vehicle(garage)
    with pytest.raises(Conflict) as refused:
        await ask_vehicle(garage)
    assert refused.value.code == "approval_pending"


async def test_without_a_registered_car_a_stay_is_a_guests(garage: Garage) -> None:
    """Having applied changes nothing at the barrier."""
    await ask_vehicle(garage)
    assert (await garage.lot.arrives()).lines == ("欢迎光临",)
    assert (await garage.lot.stay())["card_id"] is None
    assert factories_parking.plate_of(garage.lot, await garage.lot.stay()) == CAR
