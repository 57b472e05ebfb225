"""Promised times of a ticket (时限): started with a round, still in pauses, stopped by the moves that keep them (D9).

Promises: a clock runs, stands still or has stopped; `due_at` moves only by a pause (working_time.py), `paused_s` only
grows. The instants are those of the moves.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from backend.kernel.db import Reader, Record, Tx
from backend.tickets import categories, rules, working_time
from backend.tickets.complaints import policy
from backend.tickets.complaints.words import ANSWERED
from backend.tickets.states import ClockKind
from backend.tickets.working_time import Measure

START = """
    INSERT INTO ticket_clock (community_id, ticket_id, round, kind, measure, within, started_at, due_at)
    SELECT $1, $2, $3, given.kind, given.measure, given.within, $4, given.due_at
      FROM unnest($5::text[], $6::text[], $7::integer[], $8::timestamptz[]) AS given (kind, measure, within, due_at)
"""

STOPPED = "SELECT kind FROM ticket_clock WHERE ticket_id = $1 AND round = $2 AND stopped_at IS NOT NULL"

FORGET = "DELETE FROM ticket_clock WHERE ticket_id = $1 AND round = $2 AND stopped_at IS NULL"

STOP = """
    UPDATE ticket_clock SET stopped_at = $4
     WHERE ticket_id = $1 AND round = $2 AND kind = ANY ($3::text[]) AND stopped_at IS NULL
"""

PAUSE = """
    UPDATE ticket_clock SET paused_at = $3
     WHERE ticket_id = $1 AND round = $2 AND stopped_at IS NULL AND paused_at IS NULL
"""

STILL = "SELECT id, measure, due_at, paused_at FROM ticket_clock WHERE ticket_id = $1 AND paused_at IS NOT NULL"

RESUME = """
    UPDATE ticket_clock c
       SET paused_at = NULL, paused_s = paused_s + given.more_s, due_at = given.due_at
      FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) AS given (id, more_s, due_at)
     WHERE c.id = given.id
"""

OF_TICKETS = """
    SELECT c.ticket_id, c.kind, c.started_at, c.due_at, c.paused_at, c.paused_s, c.stopped_at,
           (SELECT a.level FROM ticket_alarm a WHERE a.clock_id = c.id ORDER BY a.id DESC LIMIT 1) AS alarm
      FROM ticket_clock c JOIN ticket t ON t.id = c.ticket_id AND t.round = c.round
     WHERE c.ticket_id = ANY ($1::uuid[]) AND t.id = ANY ($1::uuid[])
     ORDER BY c.ticket_id, array_position(ARRAY['respond', 'contact', 'arrive', 'answer', 'finish'], c.kind)
"""


async def start(tx: Tx, ticket: Mapping[str, object] | Record, category: Record, *, started_at: datetime) -> None:
    """Start what the category, or its nature and urgency, promise for the ticket's round; what has stopped stays."""
    ticket_id, number = ticket["id"], ticket["round"]
    community_id = ticket["community_id"]
    assert isinstance(community_id, UUID)
    stopped = {row["kind"] for row in await tx.fetch(STOPPED, ticket_id, number)}
    measure, of_category = Measure(category["measure"]), categories.promises(category)
    assert isinstance(ticket_id, UUID)
    answered = category["kind"] in ANSWERED
    of_complaint = await policy.promised(tx, ticket_id, community_id=community_id) if answered else {}
    promised = [
        *((kind, measure, n) for kind, n in of_category.items() if kind not in stopped),
        *((kind, Measure.WORKING_DAYS, n) for kind, n in of_complaint.items() if kind not in stopped),
    ]
    if not promised:
        return
    schedule = await rules.schedule(tx, community_id, at=started_at)
    due = [working_time.due(schedule, started_at, within=n, measure=measure) for _, measure, n in promised]
    kinds, measures, within = (list(each) for each in zip(*promised, strict=True))
    await tx.execute(START, community_id, ticket_id, number, started_at, kinds, measures, within, due)


async def restart(tx: Tx, ticket: Record, category: Record) -> None:
    """The ticket belongs to another category from now on: what runs is promised anew, from when the round began."""
    began: datetime | None = await tx.fetchval(
        "SELECT min(started_at) FROM ticket_clock WHERE ticket_id = $1 AND round = $2", ticket["id"], ticket["round"]
    )
    await tx.execute(FORGET, ticket["id"], ticket["round"])
    fallback = ticket["submitted_at"] if ticket["round"] == 1 else tx.now
    await start(tx, ticket, category, started_at=began or fallback)


async def stop(tx: Tx, ticket: Record, kinds: Iterable[ClockKind]) -> None:
    """Stop these clocks of the ticket's round; those that have stopped stay as they are."""
    await tx.execute(STOP, ticket["id"], ticket["round"], [kind.value for kind in kinds], tx.now)


async def pause(tx: Tx, ticket: Record) -> None:
    """Let every clock that runs stand still."""
    await tx.execute(PAUSE, ticket["id"], ticket["round"], tx.now)


async def resume(tx: Tx, ticket: Record) -> None:
    """Let every clock that stands still run on; its promise falls due later by the pause."""
    still = await tx.fetch(STILL, ticket["id"])
    if not still:
        return
    schedule = await rules.schedule(tx, ticket["community_id"], at=min(row["paused_at"] for row in still))
    due = [
        working_time.extended(
            schedule, row["due_at"], measure=Measure(row["measure"]), paused_at=row["paused_at"], resumed_at=tx.now
        )
        for row in still
    ]
    stood_s = [int((tx.now - row["paused_at"]).total_seconds()) for row in still]
    await tx.execute(RESUME, [row["id"] for row in still], stood_s, due)


async def of_tickets(db: Reader, ticket_ids: Iterable[UUID]) -> dict[UUID, list[Record]]:
    """The clocks of the present round of each ticket."""
    found: dict[UUID, list[Record]] = {}
    for row in await db.fetch(OF_TICKETS, list(ticket_ids)):
        found.setdefault(row["ticket_id"], []).append(row)
    return found
