"""What there is to read of tickets (D9, I-23): for a resident by sight, for staff by communities, for a worker by hand.

A resident sees the tickets of the houses that are his or his family's; a tenant those that he reported there; everybody
his own of public areas, and his anonymous ones, where he lives. The lists take at most two statements each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import NotFound
from backend.tickets.dispatch import workers
from backend.tickets.screening import hiding
from backend.tickets.states import Kind, State
from backend.tickets.step import Sight, Who

Cursor = tuple[datetime, UUID]

_SEEN = """
    (t.house_id = ANY ($2::uuid[])
     OR (t.person_id = $3 AND (t.house_id = ANY ($4::uuid[])
                               OR (t.house_id IS NULL AND t.community_id = ANY ($5::uuid[]))))
     OR t.id = ANY (ARRAY(SELECT ticket_id FROM ticket_reporter
                           WHERE person_id = $3 AND community_id = ANY ($5::uuid[]))))
"""

LOCK_SEEN = f"SELECT t.* FROM ticket t WHERE t.id = $1 AND {_SEEN} FOR UPDATE"  # noqa: S608 - constants

LOCK_IN = "SELECT t.* FROM ticket t WHERE t.id = $1 AND t.community_id = ANY ($2::uuid[]) FOR UPDATE"

_TICKET = """
    SELECT t.id, t.no, t.community_id, t.category_id, c.name AS category, t.kind, t.state, t.channel, t.house_id,
           h.label AS house, {place} AS place, {words} AS description, {flag} AS flag,
           t.urgent, t.round, t.paused_until, t.merged_into, t.approved_at,
           t.warranty_until, t.anonymous, t.submitted_at, t.moved_at, t.done_at, t.building_id, t.outage_id,
           t.urged_times, t.urged_at, a.staff_id AS assignee_id, s.name AS assignee
      FROM ticket t
      JOIN ticket_category c ON c.id = t.category_id
      LEFT JOIN ticket_house h ON h.id = t.house_id
      LEFT JOIN ticket_assignment a ON a.ticket_id = t.id AND a.ended_at IS NULL
      LEFT JOIN ticket_staff_name s ON s.id = a.staff_id
"""

TICKET = _TICKET.format(place="t.place", words="t.description", flag=hiding.FLAG)
SHOWN = _TICKET.format(
    place=f"CASE WHEN NOT {hiding.HIDDEN} THEN t.place END",
    words=f"CASE WHEN {hiding.HIDDEN} THEN '{hiding.MASK}' ELSE t.description END",
    flag="NULL::text",
)

ONE_SEEN = f"{SHOWN} WHERE t.id = $1 AND {_SEEN}"

ONE_IN = f"{TICKET} WHERE t.id = $1 AND t.community_id = ANY ($2::uuid[])"

# Indexes ticket_by_house and ticket_by_person.
LIST_SEEN = f"""
    {SHOWN}
     WHERE {_SEEN} AND ($1::timestamptz IS NULL OR (t.submitted_at, t.id) < ($1, $6::uuid))
     ORDER BY t.submitted_at DESC, t.id DESC
     LIMIT $7
"""

# Indexes ticket_by_community, and ticket_by_state where states are asked for.
LIST_IN = f"""
    {TICKET}
     WHERE t.community_id = ANY ($1::uuid[])
       AND ($2::timestamptz IS NULL OR (t.submitted_at, t.id) < ($2, $3::uuid))
       AND ($4::text IS NULL OR t.state = $4) AND ($5::text IS NULL OR t.kind = $5)
       AND ($6::uuid IS NULL OR t.category_id = $6) AND ($7::uuid IS NULL OR t.house_id = $7)
       AND ($8::uuid IS NULL OR a.staff_id = $8) AND ($9::bigint IS NULL OR t.no = $9)
     ORDER BY t.submitted_at DESC, t.id DESC
     LIMIT $10
"""

# Index ticket_assignment_hand: as many rows as the worker has tickets in hand. What falls due first comes first.
IN_HAND = f"""
    {TICKET}
      LEFT JOIN LATERAL (
           SELECT min(k.due_at) AS due_at FROM ticket_clock k
            WHERE k.ticket_id = t.id AND k.round = t.round AND k.stopped_at IS NULL) AS next ON true
     WHERE a.staff_id = $1 AND a.ended_at IS NULL AND t.community_id = ANY ($2::uuid[])
     ORDER BY t.state = 'PAUSED', next.due_at NULLS LAST, t.submitted_at, t.id
     LIMIT 100
"""  # noqa: S608 - constants

# Index ticket_by_state.
TO_GRAB = f"""
    {TICKET}
     WHERE t.community_id = ANY ($1::uuid[]) AND t.state IN ('TRIAGED', 'RETURNED') AND c.dispatch = 'grab'
       AND t.outage_id IS NULL AND (SELECT {workers.FITS} FROM (SELECT $2::uuid AS id) s)
     ORDER BY t.urgent DESC, t.submitted_at, t.id
     LIMIT 100
"""  # noqa: S608 - constants

EVENTS = """
    SELECT e.id, e.move, e.from_state, e.to_state, e.at, e.actor_kind, e.actor_id, e.reason, e.details, e.media_ids,
           s.name AS actor
      FROM ticket_event e LEFT JOIN ticket_staff_name s ON s.id = e.actor_id AND e.actor_kind = 'staff'
     WHERE e.ticket_id = $1
     ORDER BY e.id
     LIMIT 500
"""

RATINGS = """
    SELECT r.round, r.stars, r.tags, r.words, r.rated_at, a.words AS reply, a.replied_at
      FROM ticket_rating r LEFT JOIN ticket_rating_reply a ON a.rating_id = r.id
     WHERE r.ticket_id = $1
     ORDER BY r.round
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which tickets of the communities; None does not narrow."""

    state: State | None = None
    kind: Kind | None = None
    category_id: UUID | None = None
    house_id: UUID | None = None
    staff_id: UUID | None = None
    no: int | None = None


async def lock(tx: Tx, who: Who, ticket_id: UUID) -> Record:
    """The ticket's row, held, where there is one for `who`; NotFound."""
    if who.sight is not None:
        row = await tx.fetchrow(LOCK_SEEN, ticket_id, *_sight(who.sight))
    else:
        row = await tx.fetchrow(LOCK_IN, ticket_id, list(who.communities))
    if row is None:
        raise NotFound
    return row


async def seen(db: Reader, ticket_id: UUID, *, sight: Sight) -> Record:
    """A ticket of a resident's; NotFound."""
    return _found(await db.fetchrow(ONE_SEEN, ticket_id, *_sight(sight)))


async def one(db: Reader, ticket_id: UUID, *, communities: Sequence[UUID]) -> Record:
    """A ticket of these communities; NotFound."""
    return _found(await db.fetchrow(ONE_IN, ticket_id, list(communities)))


async def list_seen(db: Reader, sight: Sight, *, before: Cursor | None, limit: int) -> list[Record]:
    """A resident's tickets, the newest first."""
    at, last = before or (None, None)
    return await db.fetch(LIST_SEEN, at, *_sight(sight), last, limit)


async def list_in(
    db: Reader, communities: Sequence[UUID], *, only: Filter, before: Cursor | None, limit: int
) -> list[Record]:
    """The tickets of communities, the newest first."""
    at, last = before or (None, None)
    return await db.fetch(
        LIST_IN, list(communities), at, last, only.state, only.kind, only.category_id, only.house_id, only.staff_id,
        only.no, limit,
    )  # fmt: skip


async def in_hand(db: Reader, staff_id: UUID, *, communities: Sequence[UUID]) -> list[Record]:
    """What a worker has in hand, by what falls due first; at most a hundred."""
    return await db.fetch(IN_HAND, staff_id, list(communities))


async def to_grab(db: Reader, staff_id: UUID, *, communities: Sequence[UUID]) -> list[Record]:
    """What a worker may grab of what he does, the urgent and the oldest first; at most a hundred."""
    return await db.fetch(TO_GRAB, list(communities), staff_id)


async def events(db: Reader, ticket_id: UUID) -> list[Record]:
    """What happened to a ticket that the caller has found in scope, in order."""
    return await db.fetch(EVENTS, ticket_id)


async def ratings(db: Reader, ticket_id: UUID) -> list[Record]:
    """What residents said of a ticket that the caller has found in scope."""
    return await db.fetch(RATINGS, ticket_id)


def _sight(sight: Sight) -> tuple[list[UUID], UUID, list[UUID], list[UUID]]:
    scope = sight.scope
    return list(scope.full), scope.person_id, list(scope.tenant), list(sight.communities)


def _found(row: Record | None) -> Record:
    if row is None:
        raise NotFound
    return row
