"""What residents see of notices (I-23): those to whose frozen audience they belong by a house in which they still are.

Who moves out loses the notices of that house; who moves in later sees those that follow (decision 0034).
"""

from datetime import datetime
from uuid import UUID

from backend.kernel.auth import HouseScope
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import NotFound
from backend.notices.words import SUMMARY_CHARACTERS

# $1 person, $2 the person's houses of today. Index notice_recipient_person.
_MINE = """
      FROM notice_recipient r JOIN notice n ON n.id = r.notice_id
     WHERE r.person_id = $1 AND r.house_ids && $2::uuid[]
"""
_SHOWN = f"""
      {_MINE} AND n.state = 'PUBLISHED' AND (n.expires_at IS NULL OR n.expires_at > $3)
"""
LIST = f"""
    WITH mine AS (
        SELECT n.id, n.community_id, n.kind, n.title, left(n.body, {4 * SUMMARY_CHARACTERS}) AS body, n.urgent,
               coalesce(n.pinned_until > $3, false) AS pinned, n.published_at, r.read_at,
               cardinality(n.media_ids) AS attachments
        {_SHOWN}
    )
    SELECT * FROM mine
     WHERE $4::boolean IS NULL OR (pinned, published_at, id) < ($4, $5::timestamptz, $6::uuid)
     ORDER BY pinned DESC, published_at DESC, id DESC
     LIMIT $7
"""  # noqa: S608 - constants
UNREAD = f"SELECT count(*) {_SHOWN} AND r.read_at IS NULL"
READ = f"""
    WITH mine AS (SELECT r.notice_id, r.person_id {_MINE} AND n.id = $4),
         marked AS (
        UPDATE notice_recipient r SET read_at = $3
          FROM mine
         WHERE r.notice_id = mine.notice_id AND r.person_id = mine.person_id AND r.read_at IS NULL)
    SELECT n.*, coalesce(n.pinned_until > $3, false) AS pinned, coalesce(r.read_at, $3) AS read_at
      FROM mine JOIN notice n ON n.id = mine.notice_id
      JOIN notice_recipient r ON r.notice_id = mine.notice_id AND r.person_id = mine.person_id
"""  # noqa: S608 - constants

Place = tuple[bool, datetime, UUID]


async def shown(db: Reader, scope: HouseScope, *, now: datetime, after: Place | None, limit: int) -> list[Record]:
    """The resident's notices, pinned ones first, then the newest, behind `after`."""
    pinned, at, last = after or (None, None, None)
    return await db.fetch(LIST, scope.person_id, _houses(scope), now, pinned, at, last, limit)


async def unread_count(db: Reader, scope: HouseScope, *, now: datetime) -> int:
    """How many of them wait to be read."""
    return int(await db.fetchval(UNREAD, scope.person_id, _houses(scope), now))


async def read(tx: Tx, scope: HouseScope, *, notice_id: UUID) -> Record:
    """One notice, marked as read; the first time counts. NotFound for those of others.

    One that is withdrawn or over by now comes back as well, to say so: a message may still lead to it.
    """
    row = await tx.fetchrow(READ, scope.person_id, _houses(scope), tx.now, notice_id)
    if row is None:
        raise NotFound
    return row


def _houses(scope: HouseScope) -> list[UUID]:
    return [*scope.full, *scope.tenant]
