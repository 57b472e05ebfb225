"""Ties of people to houses: the database keeps one at a time, whatever the code does (D1, I-22, I-23)."""

import asyncio
from datetime import date

import asyncpg
import pytest

from backend.identity import people
from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.ids import uuid7
from backend.kernel.resources import Resources
from backend.property import houses, occupancy
from backend.property.checks import CHECKS
from tests import factories
from tests.soundness import broken


async def test_of_fifty_parallel_binds_of_one_person_to_one_house_one_is_kept(res: Resources) -> None:
    place = await factories.community(res)
    house_id = await factories.house(res, place)
    who = await factories.person(res)
    person = await people.one(res.db, who.id)

    async def bind(tx: Tx) -> object:
        return await occupancy.bind(
            tx, Actor("staff", uuid7(tx.now)), house_id=house_id, person_id=person.id, person_no=person.no,
            role="owner", source="staff",
        )  # fmt: skip

    outcomes = await asyncio.gather(*(res.db.transact(bind) for _ in range(50)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert len(refused) == 49
    assert {error.code for error in refused} == {"already_bound"}
    assert await res.db.fetchval("SELECT count(*) FROM occupancy") == 1
    assert await res.db.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'occupancy.bound'") == 1
    assert await broken(res.db, CHECKS) == []


async def test_the_database_refuses_an_overlapping_tie(res: Resources) -> None:
    place = await factories.community(res)
    house_id = await factories.house(res, place)
    who = await factories.person(res)
    await factories.occupy(res, who, house_id, "owner", ends_on=date(2027, 1, 1))
    with pytest.raises(asyncpg.ExclusionViolationError):
        await factories.occupy(res, who, house_id, "tenant", starts_on=date(2026, 12, 31))
    await factories.occupy(res, who, house_id, "tenant", starts_on=date(2027, 1, 1))


async def test_the_database_refuses_numbers_that_are_not_those_of_house_and_person(res: Resources) -> None:
    place = await factories.community(res)
    await factories.occupy(res, await factories.person(res), await factories.house(res, place))
    for wrong in ("house_no = house_no + 1", "person_no = person_no + 1"):
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await res.db.execute(f"UPDATE occupancy SET {wrong}")


async def test_who_moves_out_and_in_again_on_one_day_has_one_open_tie(res: Resources) -> None:
    place = await factories.community(res)
    house_id = await factories.house(res, place)
    who = await factories.person(res)
    person = await people.one(res.db, who.id)
    actor = Actor("staff", uuid7(res.clock.now()))
    for _ in range(3):
        occupancy_id = await res.db.transact(
            lambda tx: occupancy.bind(
                tx, actor, house_id=house_id, person_id=person.id, person_no=person.no, role="owner", source="staff"
            )
        )
        await res.db.transact(lambda tx, tie=occupancy_id: occupancy.end(tx, actor, occupancy_id=tie))
    assert await res.db.fetchval("SELECT count(*) FROM occupancy WHERE ends_on = starts_on") == 3
    assert await res.db.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'occupancy.ended'") == 3


async def test_an_unknown_house_cannot_be_bound(res: Resources) -> None:
    person = await people.one(res.db, (await factories.person(res)).id)
    nowhere = uuid7(res.clock.now())
    with pytest.raises(NotFound):
        await res.db.transact(
            lambda tx: occupancy.bind(
                tx, Actor("system"), house_id=nowhere, person_id=person.id, person_no=person.no, role="owner",
                source="staff",
            )
        )  # fmt: skip


async def test_a_name_that_means_two_houses_is_unclear_until_it_is_whole(res: Resources) -> None:
    place = await factories.community(res)
    first = await factories.house(res, place, "101")
    second_unit = uuid7(res.clock.now())
    await res.db.execute(
        "INSERT INTO unit (id, community_id, building_id, code) VALUES ($1, $2, $3, '2')",
        second_unit, place.id, place.building_id,
    )  # fmt: skip
    await res.db.transact(
        lambda tx: houses.create(
            tx, Actor("system"), community_id=place.id, unit_id=second_unit, door="101", features=houses.Features()
        )
    )
    with pytest.raises(Exception, match="house_unclear"):
        await houses.named(res.db, place.id, "1栋101")
    assert (await houses.named(res.db, place.id, "1栋1单元101")).id == first
    labels = [house.label for house in await houses.matching(res.db, [place.id], "1栋101")]
    assert labels == ["1栋1单元101", "1栋2单元101"]
