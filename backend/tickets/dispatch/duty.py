"""Who is on duty when (值班表): a plan for the week, and what differs from it (替班, 请假) (D9).

Promises: the plan of a community is replaced as a whole; a shift may end on the next day; of several exceptions for one
instant the one that was entered last counts, and it counts before the plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.clock import SHANGHAI
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.tickets.dispatch import workers

DAY_M = 1440
LONGEST = timedelta(days=90)

# Whether worker `s` is on duty in community $1 at instant $2, which is minute $4 of weekday $3.
ON_DUTY = """
    coalesce(
        (SELECT x.on_duty FROM ticket_duty_exception x
          WHERE x.community_id = $1 AND x.staff_id = s.id AND x.withdrawn_at IS NULL
            AND x.starts_at <= $2 AND $2 < x.ends_at
          ORDER BY x.entered_at DESC, x.id DESC LIMIT 1),
        EXISTS (SELECT FROM ticket_duty d
                 WHERE d.community_id = $1 AND d.staff_id = s.id
                   AND ((d.weekday = $3 AND d.opens_m <= $4 AND $4 < d.closes_m)
                        OR (d.weekday = ($3 + 5) % 7 + 1 AND $4 + 1440 < d.closes_m))))
"""

NOW = f"""
    SELECT s.id, s.name FROM ({workers.AT_WORK.replace("$2", "$5")}) s WHERE {ON_DUTY} ORDER BY s.name, s.id
"""  # noqa: S608 - constants

PLAN = (
    "SELECT staff_id, weekday, opens_m, closes_m FROM ticket_duty WHERE community_id = $1 ORDER BY weekday, opens_m, id"
)
FORGET = "DELETE FROM ticket_duty WHERE community_id = $1"
WRITE = """
    INSERT INTO ticket_duty (community_id, staff_id, weekday, opens_m, closes_m)
    SELECT $1, given.* FROM unnest($2::uuid[], $3::smallint[], $4::integer[], $5::integer[]) AS given
"""

# Index ticket_duty_exception_of.
EXCEPTIONS = """
    SELECT id, staff_id, starts_at, ends_at, on_duty, note FROM ticket_duty_exception
     WHERE community_id = $1 AND ends_at > $2 AND withdrawn_at IS NULL
     ORDER BY starts_at, id
     LIMIT 500
"""
EXCEPT = """
    INSERT INTO ticket_duty_exception (id, community_id, staff_id, starts_at, ends_at, on_duty, note, entered_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
LOCK = """
    SELECT id, community_id, withdrawn_at FROM ticket_duty_exception
     WHERE id = $1 AND community_id = ANY ($2::uuid[])
       FOR UPDATE
"""
WITHDRAW = "UPDATE ticket_duty_exception SET withdrawn_at = $2 WHERE id = $1"


class Shift(NamedTuple):
    """From `opens_m` to `closes_m` of a weekday (1: Monday), in minutes of the day; past 1440: of the next day."""

    staff_id: UUID
    weekday: int
    opens_m: int
    closes_m: int


@dataclass(frozen=True, slots=True)
class Exceptional:
    """Somebody is on duty, or off, whatever the plan says."""

    staff_id: UUID
    starts_at: datetime
    ends_at: datetime
    on_duty: bool
    note: str


def instant(now: datetime) -> tuple[datetime, int, int]:
    """An instant with its weekday and minute of the day, as ON_DUTY takes them."""
    local = now.astimezone(SHANGHAI)
    return now, local.isoweekday(), local.hour * 60 + local.minute


async def on_duty(db: Reader, community_id: UUID, *, now: datetime) -> list[Record]:
    """Who is on duty."""
    return await db.fetch(NOW, community_id, *instant(now), workers.ROLES)


async def plan(db: Reader, community_id: UUID) -> list[Shift]:
    """The weekly plan."""
    return [Shift(*row.values()) for row in await db.fetch(PLAN, community_id)]


async def exceptions(db: Reader, community_id: UUID, *, now: datetime) -> list[Record]:
    """What differs from the plan from now on."""
    return await db.fetch(EXCEPTIONS, community_id, now)


async def set_plan(tx: Tx, actor: Actor, *, community_id: UUID, shifts: Sequence[Shift]) -> None:
    """Replace the plan of a community; Invalid `shifts_overlap`, NotFound for who does not work there."""
    problem = overlap(shifts)
    if problem is not None:
        raise Invalid(problem, code="shifts_overlap", fields=[{"field": "shifts", "message": problem}])
    await tx.execute(workers.HOLD, community_id)
    await workers.require(tx, community_id, [shift.staff_id for shift in shifts])
    await tx.execute(FORGET, community_id)
    columns = [list(column) for column in zip(*shifts, strict=True)] or [[], [], [], []]
    await tx.execute(WRITE, community_id, *columns)
    audit.record(
        tx, actor, action="ticket_duty.changed", target=f"ticket_duty:{community_id}", community_id=community_id,
        after={"shifts": [[str(shift.staff_id), *shift[1:]] for shift in shifts]},
    )  # fmt: skip


def overlap(shifts: Sequence[Shift]) -> str | None:
    """What is wrong with a plan, as a sentence: two shifts of one worker at the same time; None where nothing is."""
    week_m = 7 * DAY_M
    spans: dict[UUID, list[tuple[int, int]]] = {}
    for staff_id, weekday, opens_m, closes_m in shifts:
        begins = (weekday - 1) * DAY_M + opens_m
        spans.setdefault(staff_id, []).append((begins, begins + closes_m - opens_m))
    for each in spans.values():
        each.sort()
        if each[-1][1] - week_m > each[0][0] or any(one[1] > two[0] for one, two in zip(each, each[1:], strict=False)):
            return "同一个人的班次不能互相重叠。"
    return None


async def add_exception(tx: Tx, actor: Actor, *, community_id: UUID, new: Exceptional) -> UUID:
    """Enter an exception; Invalid for its dates, NotFound for who does not work there."""
    if not new.starts_at < new.ends_at <= new.starts_at + LONGEST or new.ends_at <= tx.now:
        problem = f"结束时间须晚于开始时间和现在，最长 {LONGEST.days} 天。"
        raise Invalid(problem, fields=[{"field": "ends_at", "message": problem}])
    await workers.require(tx, community_id, [new.staff_id])
    made = uuid7(tx.now)
    await tx.execute(
        EXCEPT, made, community_id, new.staff_id, new.starts_at, new.ends_at, new.on_duty, new.note, tx.now
    )  # fmt: skip
    audit.record(
        tx, actor, action="ticket_duty.exception", target=f"staff:{new.staff_id}", community_id=community_id,
        reason=new.note,
        after={"on_duty": new.on_duty, "starts_at": new.starts_at.isoformat(), "ends_at": new.ends_at.isoformat()},
    )  # fmt: skip
    return made


async def withdraw_exception(tx: Tx, actor: Actor, *, exception_id: UUID, communities: Sequence[UUID]) -> None:
    """Take an exception back; NotFound, Conflict `exception_withdrawn`."""
    row = await tx.fetchrow(LOCK, exception_id, list(communities))
    if row is None:
        raise NotFound
    if row["withdrawn_at"] is not None:
        raise Conflict("这条调班已经撤销。", code="exception_withdrawn")
    await tx.execute(WITHDRAW, exception_id, tx.now)
    audit.record(
        tx, actor, action="ticket_duty.exception_withdrawn", target=f"ticket_duty_exception:{exception_id}",
        community_id=row["community_id"],
    )  # fmt: skip
