"""What residents and staff see of passes."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from backend.kernel.auth import HouseScope
from backend.kernel.clock import start_of_day
from backend.kernel.db import Reader, Record
from backend.kernel.errors import NotFound

# note: what the property has said when it refused. Index approval_visitor.
_PASS = """
    SELECT p.*, h.label AS house,
           (SELECT a.decision FROM approval a
             WHERE a.kind = 'visitor.pass' AND a.target = 'visitor_pass:' || p.id AND a.state = 'REJECTED'
             ORDER BY a.id DESC LIMIT 1) AS note
      FROM visitor_pass p JOIN visitor_house h ON h.id = p.house_id
"""
_IN_SCOPE = "(p.house_id = ANY ($1::uuid[]) OR (p.house_id = ANY ($2::uuid[]) AND p.invited_by = $3))"

# Index visitor_pass_house.
OF_HOUSE = f"""{_PASS}
     WHERE {_IN_SCOPE} AND p.house_id = $4 AND ($5::uuid IS NULL OR p.id < $5)
     ORDER BY p.id DESC
     LIMIT $6
"""
ONE = f"{_PASS} WHERE {_IN_SCOPE} AND p.id = $4"

# Index visitor_pass_live; a day's passes, those that are open on it by their hours are the caller's to choose.
EXPECTED = f"""{_PASS}
     WHERE p.community_id = $1 AND p.state = 'ACTIVE' AND p.valid_from < $3 AND p.valid_until > $2
       AND ($4::bytea IS NULL OR p.phone_tail_blind = $4) AND ($5::uuid IS NULL OR p.id > $5)
     ORDER BY p.id
     LIMIT $6
"""


async def of_house(db: Reader, scope: HouseScope, *, house_id: UUID, before: UUID | None, limit: int) -> list[Record]:
    """The passes of one of the scope's houses, newest first."""
    return await db.fetch(OF_HOUSE, list(scope.full), list(scope.tenant), scope.person_id, house_id, before, limit)


async def one(db: Reader, pass_id: UUID, scope: HouseScope) -> Record:
    """A pass in a resident's scope; NotFound."""
    row = await db.fetchrow(ONE, list(scope.full), list(scope.tenant), scope.person_id, pass_id)
    if row is None:
        raise NotFound
    return row


async def expected(
    db: Reader,
    community_id: UUID,
    *,
    day: date,
    since: datetime,
    phone_tail: bytes | None,
    after: UUID | None,
    limit: int,
) -> Sequence[Record]:
    """The valid passes whose window meets a day, or what is left of it from `since` on, of a community in scope."""
    begins = start_of_day(day)
    ends = begins + timedelta(days=1)
    return await db.fetch(EXPECTED, community_id, max(begins, since), ends, phone_tail, after, limit)
