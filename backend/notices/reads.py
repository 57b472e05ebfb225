"""What staff see of notices: lists, figures, who has read and who has not (I-23: reads take the communities)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.identity import people
from backend.kernel.crypto import Keyring
from backend.kernel.db import Reader, Record
from backend.kernel.errors import NotFound
from backend.messaging import figures
from backend.messaging.figures import Figures
from backend.notices.states import NoticeState

# Index notice_list, community by community.
LIST = """
    SELECT id, community_id, kind, title, state, urgent, pinned_until, expires_at, publish_at, created_at, published_at,
           person_count, house_count, withdrawn_at, withdrawn_why
      FROM notice
     WHERE community_id = ANY ($1::uuid[]) AND ($2::text IS NULL OR state = $2)
       AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))
     ORDER BY created_at DESC, id DESC
     LIMIT $5
"""
ONE = "SELECT * FROM notice WHERE id = $1 AND community_id = ANY ($2::uuid[])"
READ_COUNT = "SELECT count(*) FILTER (WHERE read_at IS NOT NULL) FROM notice_recipient WHERE notice_id = $1"
ROUNDS = """
    SELECT kind, begun_at, planned_count, done_at, event_key FROM notice_sending
     WHERE notice_id = $1
     ORDER BY begun_at, id
"""
# By the primary key.
RECIPIENTS = """
    SELECT r.person_id, r.read_at,
           (SELECT array_agg(h.label ORDER BY h.label) FROM notice_house h WHERE h.id = ANY (r.house_ids)) AS houses
      FROM notice_recipient r
     WHERE r.notice_id = $1 AND (r.read_at IS NOT NULL) = $2 AND ($3::uuid IS NULL OR r.person_id > $3)
     ORDER BY r.person_id
     LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody of the audience, name and phone masked."""

    person_id: UUID
    name: str | None
    phone: str | None
    houses: Sequence[str]
    read_at: datetime | None


async def list_in(
    db: Reader, communities: Sequence[UUID], *, state: NoticeState | None, before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Record]:  # fmt: skip
    """Notices of communities, the latest first."""
    at, last = before or (None, None)
    return await db.fetch(LIST, list(communities), state, at, last, limit)


async def one(db: Reader, notice_id: UUID, *, communities: Sequence[UUID]) -> Record:
    """A notice of one of these communities; NotFound."""
    row = await db.fetchrow(ONE, notice_id, list(communities))
    if row is None:
        raise NotFound
    return row


async def read_count(db: Reader, notice_id: UUID) -> int:
    """How many of the audience have read a notice that the caller has found in scope."""
    return int(await db.fetchval(READ_COUNT, notice_id))


async def rounds(db: Reader, notice_id: UUID) -> list[tuple[Record, Figures]]:
    """Each round of messages about a notice that the caller has found in scope, and what became of it."""
    rows = await db.fetch(ROUNDS, notice_id)
    found = await figures.of_events(db, [row["event_key"] for row in rows])
    return [(row, found.get(row["event_key"], Figures())) for row in rows]


async def audience(
    db: Reader, keyring: Keyring, notice_id: UUID, *, read: bool, after: UUID | None, limit: int
) -> list[Listener]:
    """Who has read a notice that the caller has found in scope, or who has not; masked."""
    rows = await db.fetch(RECIPIENTS, notice_id, read, after, limit)
    known = await people.masked(db, keyring, [row["person_id"] for row in rows])
    return [
        Listener(
            row["person_id"],
            known[row["person_id"]].name if row["person_id"] in known else None,
            known[row["person_id"]].phone if row["person_id"] in known else None,
            row["houses"] or [],
            row["read_at"],
        )
        for row in rows
    ]
