"""What there is to read of complaints (D9, R7): one, a list, the calls that are due; never whose they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.kernel.db import Reader, Record
from backend.tickets.complaints.words import Nature, Urgency
from backend.tickets.states import Kind

Cursor = tuple[datetime, UUID]

_COMPLAINT = """
    SELECT t.id, t.no, t.community_id, t.kind, t.state, t.channel, t.anonymous, t.description, t.submitted_at,
           c.name AS category, h.label AS house, t.place, q.nature, q.urgency, s.name AS taken_by, q.paper_no,
           q.bill_id, a.name AS cause, q.outcome,
           num_nonnulls(q.caller_name_sealed, q.caller_phone_sealed) > 0 AS has_caller,
           contact.due_at AS contact_due_at, contact.stopped_at AS contacted_at,
           answer.due_at AS answer_due_at, answer.stopped_at AS answered_at
      FROM ticket_complaint q
      JOIN ticket t ON t.id = q.ticket_id
      JOIN ticket_category c ON c.id = t.category_id
      LEFT JOIN ticket_house h ON h.id = t.house_id
      LEFT JOIN ticket_staff_name s ON s.id = q.taken_by
      LEFT JOIN ticket_cause a ON a.id = q.cause_id
      LEFT JOIN ticket_clock contact
        ON contact.ticket_id = t.id AND contact.round = t.round AND contact.kind = 'contact'
      LEFT JOIN ticket_clock answer ON answer.ticket_id = t.id AND answer.round = t.round AND answer.kind = 'answer'
"""

OF_TICKET = f"{_COMPLAINT} WHERE q.ticket_id = $1"

# Indexes ticket_by_community, and ticket_complaint_caller_phone where a phone is asked for.
LIST_IN = f"""
    {_COMPLAINT}
     WHERE t.community_id = ANY ($1::uuid[])
       AND ($2::timestamptz IS NULL OR (t.submitted_at, t.id) < ($2, $3::uuid))
       AND ($4::text IS NULL OR t.kind = $4) AND ($5::text IS NULL OR q.nature = $5)
       AND ($6::text IS NULL OR q.urgency = $6)
       AND ($7::timestamptz IS NULL OR (answer.stopped_at IS NULL AND answer.due_at < $7))
       AND ($8::bytea IS NULL OR q.caller_phone_blind = $8)
     ORDER BY t.submitted_at DESC, t.id DESC
     LIMIT $9
"""

# Index ticket_settling: what is settled and may not be closed without a call, the longest waiting first.
CALLS_DUE = """
    SELECT t.id, t.no, t.community_id, t.kind, t.state, t.anonymous, c.name AS category, h.label AS house, t.place,
           t.moved_at, r.stars, r.words
      FROM ticket t
      JOIN ticket_category c ON c.id = t.category_id
      LEFT JOIN ticket_house h ON h.id = t.house_id
      LEFT JOIN ticket_rating r ON r.ticket_id = t.id AND r.round = t.round
     WHERE t.community_id = ANY ($1::uuid[]) AND t.state IN ('SIGNED_OFF', 'AUTO_SIGNED_OFF', 'PAID', 'RATED')
       AND (t.kind = 'complaint' OR r.stars <= 2 OR c.follow_up = 'always'
            OR (c.follow_up = 'unrated' AND t.state <> 'RATED'))
     ORDER BY t.moved_at, t.id
     LIMIT 100
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which complaints; None does not narrow. `late_at`: the overdue then; `phone_blind`: the caller's."""

    kind: Kind | None = None
    nature: Nature | None = None
    urgency: Urgency | None = None
    late_at: datetime | None = None
    phone_blind: bytes | None = None


async def of_ticket(db: Reader, ticket_id: UUID) -> Record | None:
    """The complaint of a ticket that the caller has found in scope; None for other tickets."""
    return await db.fetchrow(OF_TICKET, ticket_id)


async def list_in(
    db: Reader, communities: Sequence[UUID], *, only: Filter, before: Cursor | None, limit: int
) -> list[Record]:
    """The complaints of communities, the newest first."""
    at, last = before or (None, None)
    return await db.fetch(
        LIST_IN, list(communities), at, last, only.kind, only.nature, only.urgency, only.late_at,
        only.phone_blind, limit,
    )  # fmt: skip


async def calls_due(db: Reader, communities: Sequence[UUID]) -> list[Record]:
    """The tickets about which somebody is to call; at most a hundred."""
    return await db.fetch(CALLS_DUE, list(communities))
