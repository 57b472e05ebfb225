"""Figures of tickets (工单统计): punctuality, first-time fix, reopening, load, satisfaction (D13, S7).

Basis, of a period in Asia/Shanghai whose last day is the day before `ends_on`:

- a promise counts when it was decided: kept by then, or its time over; not of tickets that came to nothing;
- work counts when it was finished, load when it was handed out, what is in hand as it is now;
- a first-time fix is a ticket whose first work was its only one: nobody else had it, and it was never reopened;
- a rating counts when it was given, for who had finished the work.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from backend.kernel.clock import start_of_day
from backend.kernel.db import Reader, Record
from backend.kernel.errors import Invalid
from backend.tickets.states import ClockKind

LONGEST = timedelta(days=366)


class By(StrEnum):
    """What a line of the figures is."""

    ENGINEER = "engineer"
    CATEGORY = "category"
    BUILDING = "building"


_KEY: Mapping[By, str] = {By.ENGINEER: "staff_id", By.CATEGORY: "category_id", By.BUILDING: "building_id"}
_NAMES: Mapping[By, str] = {
    By.ENGINEER: "SELECT id, name FROM ticket_staff_name WHERE id = ANY ($1::uuid[])",
    By.CATEGORY: "SELECT id, name FROM ticket_category WHERE id = ANY ($1::uuid[])",
    By.BUILDING: "SELECT id, name FROM ticket_building WHERE id = ANY ($1::uuid[])",
}
UNNAMED: Mapping[By, str] = {By.ENGINEER: "未派单", By.CATEGORY: "未分类", By.BUILDING: "楼栋以外"}

# Index ticket_clock_by_due: what is decided from an instant on falls due from then on.
PROMISES: Mapping[By, str] = {
    by: f"""
    SELECT {key} AS key, kind, count(*) FILTER (WHERE kept) AS kept, count(*) FILTER (WHERE NOT kept) AS broken
      FROM ticket_promise_fact
     WHERE community_id = ANY ($1::uuid[]) AND due_at >= $2 AND at >= $2 AND at < $3 AND (stopped OR at <= $4)
     GROUP BY 1, 2
    """  # noqa: S608 - columns are constants
    for by, key in _KEY.items()
}

# Indexes ticket_assignment_ended, ticket_assignment_begun; what is in hand has no end.
WORK: Mapping[By, str] = {
    by: f"""
    SELECT {key} AS key,
           count(*) FILTER (WHERE assigned_at >= $2 AND assigned_at < $3) AS assigned,
           count(*) FILTER (WHERE ended_as = 'done' AND ended_at >= $2 AND ended_at < $3) AS done,
           count(*) FILTER (WHERE ended_at IS NULL) AS in_hand,
           count(*) FILTER (WHERE first_done AND ended_at >= $2 AND ended_at < $3) AS finished,
           count(*) FILTER (WHERE first_done AND ended_at >= $2 AND ended_at < $3 AND alone AND NOT reopened) AS fixed,
           count(*) FILTER (WHERE first_done AND ended_at >= $2 AND ended_at < $3 AND reopened) AS reopened
      FROM ticket_work_fact
     WHERE community_id = ANY ($1::uuid[])
       AND (ended_at IS NULL OR (ended_at >= $2 AND ended_at < $3) OR (assigned_at >= $2 AND assigned_at < $3))
     GROUP BY 1
    """  # noqa: S608 - columns are constants
    for by, key in _KEY.items()
}

# Index ticket_rating_at.
RATINGS: Mapping[By, str] = {
    by: f"""
    SELECT {key} AS key, count(*) AS ratings, sum(stars) AS stars
      FROM ticket_rating_fact
     WHERE community_id = ANY ($1::uuid[]) AND at >= $2 AND at < $3
     GROUP BY 1
    """  # noqa: S608 - columns are constants
    for by, key in _KEY.items()
}


@dataclass(slots=True)
class Line:
    """The counts of an engineer, a category or a building; `key` None: of nobody, of no building.

    `finished`: tickets that were first finished; of these `fixed` at the first time, and `reopened`.
    """

    key: UUID | None
    name: str
    kept: dict[ClockKind, int] = field(default_factory=lambda: dict.fromkeys(ClockKind, 0))
    broken: dict[ClockKind, int] = field(default_factory=lambda: dict.fromkeys(ClockKind, 0))
    assigned: int = 0
    done: int = 0
    in_hand: int = 0
    finished: int = 0
    fixed: int = 0
    reopened: int = 0
    ratings: int = 0
    stars: int = 0


COUNTS = ("assigned", "done", "in_hand", "finished", "fixed", "reopened", "ratings", "stars")


def permille(part: int, whole: int) -> int | None:
    """Thousandths, rounded half up; None of nothing."""
    return None if whole == 0 else (2000 * part + whole) // (2 * whole)


async def lines(
    db: Reader, communities: Sequence[UUID], *, starts_on: date, ends_on: date, by: By, now: datetime
) -> list[Line]:
    """The figures of a period; Invalid for its dates."""
    if not starts_on < ends_on <= starts_on + LONGEST:
        problem = f"截止日期须晚于开始日期，最长 {LONGEST.days} 天。"
        raise Invalid(problem, fields=[{"field": "ends_on", "message": problem}])
    period = (list(communities), start_of_day(starts_on), start_of_day(ends_on))
    promises = await db.fetch(PROMISES[by], *period, now)
    counts = [*await db.fetch(WORK[by], *period), *await db.fetch(RATINGS[by], *period)]
    keys = {row["key"] for row in (*promises, *counts)}
    names = {row["id"]: row["name"] for row in await db.fetch(_NAMES[by], list(keys - {None}))}
    made = {key: Line(key, names.get(key, UNNAMED[by])) for key in keys}
    for row in promises:
        kind = ClockKind(row["kind"])
        made[row["key"]].kept[kind], made[row["key"]].broken[kind] = row["kept"], row["broken"]
    for row in counts:
        _count(made[row["key"]], row)
    return sorted(made.values(), key=lambda line: (line.key is None, line.name, str(line.key)))


def total(found: Sequence[Line]) -> Line:
    """All lines together."""
    whole = Line(None, "合计")
    for line in found:
        for kind in ClockKind:
            whole.kept[kind] += line.kept[kind]
            whole.broken[kind] += line.broken[kind]
        for name in COUNTS:
            setattr(whole, name, getattr(whole, name) + getattr(line, name))
    return whole


def _count(line: Line, row: Record) -> None:
    for name, value in row.items():
        if name != "key":
            setattr(line, name, value)
