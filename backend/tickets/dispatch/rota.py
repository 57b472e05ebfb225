"""Round-robin among those on duty who fit (轮值派单), by the system (D9).

Promises: of those who fit and have room, the one whose turn is the longest ago gets the ticket; turns of a community
are drawn one after the other. Who gave a ticket back does not get it again. Where nobody is, the ticket stays for the
desk. A ticket that an outage has bound waits for its end.
"""

from dataclasses import dataclass
from uuid import UUID

from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict
from backend.tickets import categories, machine, reads, rules
from backend.tickets.dispatch import duty, handling, workers
from backend.tickets.moves import Move
from backend.tickets.states import Dispatch, State
from backend.tickets.step import Asked, the_system

# Held to the commit, and taken before the ticket's row.
HOLD = "SELECT pg_advisory_xact_lock(hashtextextended('linli.ticket.rota:' || $1::uuid::text, 0))"

CATEGORY = f"SELECT {categories.COLUMNS} FROM ticket_category WHERE id = $1"  # noqa: S608 - columns are constants

# $5: roles that work; $6: the ticket; $7: tickets that one worker may have in hand. Indexes ticket_assignment_hand,
# ticket_assignment_ticket.
CANDIDATES = f"""
    SELECT s.id
      FROM ticket t
      JOIN ticket_category c ON c.id = t.category_id
     CROSS JOIN ({workers.AT_WORK.replace("$2", "$5")}) s
      LEFT JOIN ticket_turn u ON u.community_id = $1 AND u.staff_id = s.id
     WHERE t.id = $6 AND {duty.ON_DUTY} AND {workers.FITS}
       AND (SELECT count(*) FROM ticket_assignment a WHERE a.staff_id = s.id AND a.ended_at IS NULL) < $7
       AND NOT EXISTS (SELECT FROM ticket_assignment a
                        WHERE a.ticket_id = t.id AND a.staff_id = s.id AND a.ended_as = 'returned')
     ORDER BY u.turn NULLS FIRST, s.id
     LIMIT 20
"""  # noqa: S608 - constants

DRAW = """
    INSERT INTO ticket_turn (community_id, staff_id, turn)
    SELECT $1, $2, coalesce(max(turn), 0) + 1 FROM ticket_turn WHERE community_id = $1
        ON CONFLICT (community_id, staff_id) DO UPDATE SET turn = excluded.turn
"""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """Who got the ticket; None: nobody who fits is on duty, and it stays for the desk."""

    staff_id: UUID | None


async def dispatch(tx: Tx, *, ticket_id: UUID, community_id: UUID) -> Dispatched | None:
    """Give a ticket to whose turn it is; None where there is nothing to dispatch (any more)."""
    await tx.execute(HOLD, community_id)
    system = the_system(community_id)
    ticket = await reads.lock(tx, system, ticket_id)
    if not await _waits(tx, ticket):
        return None
    limit = (await rules.of_community(tx, community_id)).worker_open
    found = await tx.fetch(CANDIDATES, community_id, *duty.instant(tx.now), workers.ROLES, ticket_id, limit)
    if found and ticket["state"] in (State.SUBMITTED, State.REOPENED):
        await machine.move(tx, system, ticket_id=ticket_id, name=Move.TRIAGE)
    for row in found:
        if await _assign(tx, ticket_id, community_id, row["id"]):
            await tx.execute(DRAW, community_id, row["id"])
            return Dispatched(row["id"])
    return Dispatched(None)


async def _waits(tx: Tx, ticket: Record) -> bool:
    """Whether the system is to find the worker."""
    category = await tx.fetchrow(CATEGORY, ticket["category_id"])
    assert category is not None
    if category["dispatch"] != Dispatch.ROTA or ticket["outage_id"] is not None:
        return False
    if ticket["state"] in (State.TRIAGED, State.RETURNED):
        return True
    fresh = ticket["state"] in (State.SUBMITTED, State.REOPENED)
    return fresh and (await handling.of_category(tx, category["id"])).at_once


async def _assign(tx: Tx, ticket_id: UUID, community_id: UUID, staff_id: UUID) -> bool:
    """Whether the worker, who had room a moment ago, still has."""
    try:
        async with tx.savepoint():
            await machine.move(
                tx, the_system(community_id), ticket_id=ticket_id, name=Move.ASSIGN, asked=Asked(staff_id=staff_id)
            )  # fmt: skip
    except Conflict:
        return False
    return True
