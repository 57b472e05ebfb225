"""Duty, rules and outages around a desk of tickets."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from backend.kernel.db import Tx
from backend.kernel.ids import uuid7
from backend.kernel.resources import Resources
from backend.tickets.dispatch import duty, handling, outages, workers
from backend.tickets.dispatch.duty import Exceptional, Shift
from backend.tickets.dispatch.handling import USUAL
from backend.tickets.dispatch.workers import Fields
from tests.factories import Community, Staff
from tests.factories_tickets import Desk

EVERY_DAY = range(1, 8)


async def on_duty(desk: Desk, *people: Staff, opens_m: int = 8 * 60, closes_m: int = 20 * 60) -> None:
    """These are on duty on every day at these hours; the plan that was is gone."""
    shifts = [Shift(who.id, weekday, opens_m, closes_m) for who in people for weekday in EVERY_DAY]
    await desk.res.db.transact(
        lambda tx: duty.set_plan(tx, desk.desk().actor, community_id=desk.place.id, shifts=shifts)
    )  # fmt: skip


async def exception(desk: Desk, who: Staff, *, on_duty: bool, **hours: Any) -> UUID:
    """Somebody is on duty, or off, from now on."""
    now = desk.res.clock.now()
    new = Exceptional(who.id, now, now + timedelta(**hours), on_duty, "调班")
    return await desk.res.db.transact(
        lambda tx: duty.add_exception(tx, desk.desk().actor, community_id=desk.place.id, new=new)
    )


async def fields(desk: Desk, who: Staff, skills: Sequence[UUID] = (), buildings: Sequence[UUID] = ()) -> None:
    """What a worker does, and where."""
    new = Fields(skills, buildings)
    await desk.res.db.transact(
        lambda tx: workers.set_fields(tx, desk.desk().actor, community_id=desk.place.id, staff_id=who.id, new=new)
    )


async def handle(desk: Desk, category_id: UUID | None = None, **settings: Any) -> None:
    """Set the rule of the company, or of a category."""
    new = replace(USUAL, **settings)
    await desk.res.db.transact(
        lambda tx: handling.set_rule(
            tx, desk.desk().actor, company_id=desk.place.company_id, category_id=category_id, new=new
        )
    )


async def bare_outage(res: Resources, place: Community) -> UUID:
    """An outage of a community, without anything else."""
    outage_id, now = uuid7(res.clock.now()), res.clock.now()
    await res.db.execute(
        """INSERT INTO ticket_outage (id, community_id, title, words, state, began_at)
           VALUES ($1, $2, '停水', '水泵故障，正在抢修', 'OPEN', $3)""",
        outage_id, place.id, now,
    )  # fmt: skip
    return outage_id


async def outage(desk: Desk, **more: Any) -> UUID:
    """An outage of the community."""
    known = {
        "category_id": None, "building_id": None, "title": "2栋停水", "words": "水泵故障，正在抢修",
        "began_at": desk.res.clock.now(), "expected_at": None,
    }  # fmt: skip
    new = outages.New(**{**known, **more})

    async def work(tx: Tx) -> UUID:
        return await outages.begin(tx, desk.desk().actor, community_id=desk.place.id, new=new)

    return await desk.res.db.transact(work)
