"""What guards open by hand (人工放行): who, why, for which car, and what was due for it and was not paid (D8)."""

from datetime import datetime
from uuid import UUID

from backend.kernel.audit import Actor
from backend.kernel.db import Batch, Reader, Record, Tx
from backend.kernel.ids import uuid7
from backend.parking.stays import Place

ROW = Batch(
    table="parking_hand_opening",
    columns=(
        ("id", "uuid"),
        ("community_id", "uuid"),
        ("lot_id", "uuid"),
        ("lane_id", "uuid"),
        ("direction", "text"),
        ("session_id", "uuid"),
        ("open_fen", "bigint"),
        ("staff_id", "uuid"),
        ("reason", "text"),
        ("opened_at", "timestamptz"),
    ),
)

# Index parking_hand_opening_lot.
EXITS = """
    SELECT o.id, o.opened_at, lane.name AS lane_name, o.session_id, o.open_fen, o.staff_id,
           staff.name AS staff_name, o.reason, s.entered_at, s.plate_sealed
      FROM parking_hand_opening o
      JOIN parking_lane lane ON lane.id = o.lane_id
      LEFT JOIN parking_session s ON s.id = o.session_id
      LEFT JOIN parking_staff staff ON staff.id = o.staff_id
     WHERE o.lot_id = $1 AND o.direction = 'out' AND o.opened_at >= $2 AND o.opened_at < $3
       AND ($4::timestamptz IS NULL OR (o.opened_at, o.id) > ($4, $5::uuid))
     ORDER BY o.opened_at, o.id
     LIMIT $6
"""


def record(
    tx: Tx, actor: Actor, place: Place, *, direction: str, session_id: UUID | None, open_fen: int, reason: str
) -> None:
    """Keep an opening; `open_fen`: what was due for the car."""
    tx.add(
        ROW, uuid7(tx.now), place.community_id, place.lot_id, place.lane_id, direction, session_id, open_fen,
        actor.id, reason, tx.now,
    )  # fmt: skip


async def exits(
    db: Reader,
    lot_id: UUID,
    *,
    starts_at: datetime,
    ends_at: datetime,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Record]:
    """The exits of a lot in the caller's scope that were opened by hand, in order of time."""
    at, opening_id = after or (None, None)
    return await db.fetch(EXITS, lot_id, starts_at, ends_at, at, opening_id, limit)
