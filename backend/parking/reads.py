"""What is read of stays: who is in, one stay with its story, the stays of a resident's vehicles (I-23)."""

from collections.abc import Sequence
from uuid import UUID

from backend.kernel.db import Reader, Record
from backend.kernel.errors import NotFound

_STAY = """
    SELECT s.id, s.community_id, s.lot_id, l.name AS lot_name, s.state, s.flags, s.plate_sealed, s.card_id,
           s.vehicle_class,
           s.entered_at, s.left_at, s.waiting_lane_id, s.paid_fen, s.refunded_fen, s.grace_until, s.quote_id
      FROM parking_session s
      JOIN parking_lot l ON l.id = s.lot_id
"""

# Indexes parking_session_inside and parking_session_tail. $4: only cars inside; $5: only what is unusual.
OF_LOT = f"""{_STAY}
     WHERE s.lot_id = $1 AND ($2::uuid IS NULL OR s.id < $2)
       AND ($4::boolean IS NOT TRUE OR s.state IN ('IN', 'QUOTED', 'PAID'))
       AND ($5::boolean IS NOT TRUE OR s.flags <> '{{}}')
       AND ($6::bytea IS NULL OR s.tail_blind = $6)
     ORDER BY s.id DESC
     LIMIT $3
"""

ONE = f"{_STAY} WHERE s.id = $1 AND s.community_id = ANY ($2::uuid[])"

# Index parking_session_vehicle.
OF_HOUSES = f"""{_STAY}
      JOIN parking_vehicle v ON v.id = s.vehicle_id AND v.house_id = ANY ($1::uuid[])
     WHERE ($2::uuid IS NULL OR s.id < $2)
     ORDER BY s.id DESC
     LIMIT $3
"""

HERE = "SELECT count(*) FROM parking_session WHERE id = ANY ($1::uuid[]) AND community_id = $2"

# Index parking_quote_session.
PAYMENTS = """
    SELECT paid_line_id AS line_id, amount_fen, paid_at FROM parking_quote
     WHERE session_id = $1 AND paid_line_id IS NOT NULL
     ORDER BY paid_at
"""

EVENTS = """
    SELECT kind, at, recorded_at, actor_kind, detail FROM parking_event WHERE session_id = $1 ORDER BY id LIMIT 200
"""


async def of_lot(
    db: Reader,
    lot_id: UUID,
    *,
    before: UUID | None,
    limit: int,
    inside: bool,
    unusual: bool,
    tail_blind: bytes | None,
) -> list[Record]:
    """The stays of a lot that the caller has found in scope, the newest first."""
    return await db.fetch(OF_LOT, lot_id, before, limit, inside, unusual, tail_blind)


async def one(db: Reader, session_id: UUID, *, communities: Sequence[UUID]) -> Record:
    """A stay of these communities; NotFound."""
    row = await db.fetchrow(ONE, session_id, list(communities))
    if row is None:
        raise NotFound
    return row


async def require_in(db: Reader, community_id: UUID, *, session_ids: Sequence[UUID]) -> None:
    """NotFound unless all of these are stays of this community."""
    if session_ids and await db.fetchval(HERE, list(session_ids), community_id) != len(set(session_ids)):
        raise NotFound


async def events(db: Reader, session_id: UUID) -> list[Record]:
    """What happened to a stay that the caller has found in scope."""
    return await db.fetch(EVENTS, session_id)


async def payments(db: Reader, session_id: UUID) -> list[Record]:
    """What was paid for a stay that the caller has found in scope, the first payment first."""
    return await db.fetch(PAYMENTS, session_id)


async def of_houses(db: Reader, house_ids: Sequence[UUID], *, before: UUID | None, limit: int) -> list[Record]:
    """The stays of the vehicles of these houses, the newest first."""
    return await db.fetch(OF_HOUSES, list(house_ids), before, limit)
