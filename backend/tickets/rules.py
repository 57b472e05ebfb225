"""What a company sets for all of its tickets (工单规则): working hours, how many tickets at most (D9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.clock import local_date
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Invalid
from backend.property import calendars
from backend.tickets import working_time
from backend.tickets.working_time import USUAL_HOURS, Schedule, Window

OF_COMPANY = "SELECT hours, resident_daily, worker_open FROM ticket_rule WHERE company_id = $1"

OF_COMMUNITY = """
    SELECT c.company_id, r.hours, r.resident_daily, r.worker_open
      FROM company_community c LEFT JOIN ticket_rule r ON r.company_id = c.company_id
     WHERE c.community_id = $1
"""

SET = """
    INSERT INTO ticket_rule (company_id, hours, resident_daily, worker_open, changed_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (company_id) DO UPDATE SET hours = $2, resident_daily = $3, worker_open = $4, changed_at = $5
"""

# A promise of so many working days may end in the year after the next.
YEARS_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Rules:
    """Working hours of a working day, tickets of one resident on a day, tickets that one worker may have in hand."""

    hours: tuple[Window, ...] = USUAL_HOURS
    resident_daily: int = 10
    worker_open: int = 20


USUAL = Rules()


async def of_company(db: Reader, company_id: UUID) -> Rules:
    """The rules of a company."""
    return _read(await db.fetchrow(OF_COMPANY, company_id))


async def of_community(db: Reader, community_id: UUID) -> Rules:
    """The rules of the company of a community."""
    return _read(await db.fetchrow(OF_COMMUNITY, community_id))


async def schedule(db: Reader, community_id: UUID, *, at: datetime) -> Schedule:
    """When the company of a community works, from that instant on."""
    year = local_date(at).year
    calendar = await calendars.of_community(db, community_id, years=range(year, year + YEARS_AHEAD + 1))
    return Schedule(calendar, (await of_community(db, community_id)).hours)


async def set_rules(tx: Tx, actor: Actor, *, company_id: UUID, new: Rules) -> None:
    """Set the rules of a company; promises that run keep the instant at which they fall due. Raises Invalid."""
    problem = working_time.problem_of_hours(new.hours)
    if problem is not None:
        raise Invalid(problem, fields=[{"field": "hours", "message": problem}])
    before = await of_company(tx, company_id)
    await tx.execute(SET, company_id, _kept(new.hours), new.resident_daily, new.worker_open, tx.now)
    audit.record(
        tx, actor, action="ticket_rule.changed", target=f"ticket_rule:{company_id}", community_id=company_id,
        before=_shown(before), after=_shown(new),
    )  # fmt: skip


def _shown(rules: Rules) -> dict[str, Any]:
    return {
        "hours": _kept(rules.hours),
        "resident_daily": rules.resident_daily,
        "worker_open": rules.worker_open,
    }


def _kept(hours: Sequence[Window]) -> list[list[str]]:
    return [[f"{opens:%H:%M}", f"{closes:%H:%M}"] for opens, closes in hours]


def _read(row: Record | None) -> Rules:
    if row is None or row["hours"] is None:
        return USUAL
    hours = tuple((time.fromisoformat(opens), time.fromisoformat(closes)) for opens, closes in row["hours"])
    return Rules(hours, row["resident_daily"], row["worker_open"])
