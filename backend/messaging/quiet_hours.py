"""Quiet hours (免打扰时段): when messages that can wait do wait, by company or by community (D11, R3).

Clock times of Asia/Shanghai. Waiting is decided where a message is about to be sent and nowhere else (preparing.py), so
that a repetition at night waits as well. The inbox holds everything at once.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.clock import SHANGHAI
from backend.kernel.db import Reader, Tx
from backend.kernel.errors import NotFound
from backend.kernel.ids import uuid7

OURS = "SELECT FROM company_community WHERE company_id = $1 AND community_id = $2"
OF_COMPANY = """
    SELECT community_id, begins, ends FROM message_quiet_hours
     WHERE company_id = $1
     ORDER BY community_id NULLS FIRST
"""
SET = """
    INSERT INTO message_quiet_hours (id, company_id, community_id, begins, ends, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT ON CONSTRAINT message_quiet_hours_once DO UPDATE
       SET begins = EXCLUDED.begins, ends = EXCLUDED.ends, updated_at = EXCLUDED.updated_at
"""
CLEAR = "DELETE FROM message_quiet_hours WHERE company_id = $1 AND community_id IS NOT DISTINCT FROM $2"


@dataclass(frozen=True, slots=True)
class Hours:
    """From `begins` up to, and not including, `ends`, over midnight where that is earlier; equal: no quiet hours."""

    begins: time
    ends: time

    def end_after(self, now: datetime) -> datetime | None:
        """When the quiet hours in which `now` lies are over; None outside of them."""
        local = now.astimezone(SHANGHAI)
        clock = local.time().replace(tzinfo=None)
        if self.begins <= self.ends:
            quiet, next_day = self.begins <= clock < self.ends, False
        else:
            quiet, next_day = clock >= self.begins or clock < self.ends, clock >= self.begins
        if not quiet:
            return None
        return datetime.combine(local.date() + timedelta(days=next_day), self.ends, tzinfo=SHANGHAI)


USUAL = Hours(time(21, 30), time(8, 0))


@dataclass(frozen=True, slots=True)
class Setting:
    """What is set for the company (`community_id` None) or for one community."""

    community_id: UUID | None
    hours: Hours


async def of_company(db: Reader, company_id: UUID) -> list[Setting]:
    """What the company has set, its own first; where nothing is set, USUAL holds."""
    rows = await db.fetch(OF_COMPANY, company_id)
    return [Setting(row["community_id"], Hours(row["begins"], row["ends"])) for row in rows]


async def save(tx: Tx, actor: Actor, *, company_id: UUID, community_id: UUID | None, hours: Hours | None) -> None:
    """Set the quiet hours of the company or of a community of it; None goes back to what holds above it.

    Raises NotFound for a community that is not the company's.
    """
    if community_id is not None and await tx.fetchrow(OURS, company_id, community_id) is None:
        raise NotFound
    if hours is None:
        await tx.execute(CLEAR, company_id, community_id)
    else:
        await tx.execute(SET, uuid7(tx.now), company_id, community_id, hours.begins, hours.ends, tx.now)
    scope = community_id or company_id
    audit.record(
        tx, actor, action="message_quiet_hours.saved", target=f"message_quiet_hours:{scope}", community_id=scope,
        after=None if hours is None else {"begins": f"{hours.begins:%H:%M}", "ends": f"{hours.ends:%H:%M}"},
    )  # fmt: skip
