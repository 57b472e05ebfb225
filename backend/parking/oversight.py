"""What staff look after in a lot: cars that stay very long, how long pictures are kept, visitors' limits (D8)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import NotFound
from backend.parking import lots
from backend.parking.states import Overstay

ONE = """
    SELECT id, long_stay_days, picture_days, visitors_per_day, visitor_hours, visitor_overstay
      FROM parking_lot WHERE id = $1 AND community_id = ANY ($2::uuid[])
"""

CHANGE = """
    UPDATE parking_lot
       SET long_stay_days = $2, picture_days = $3, visitors_per_day = $4, visitor_hours = $5, visitor_overstay = $6
     WHERE id = $1
"""

# Index parking_session_inside.
LONG = """
    SELECT s.id, s.community_id, s.lot_id, l.name AS lot_name, s.state, s.flags, s.plate_sealed, s.card_id,
           s.entered_at, s.left_at, s.paid_fen, s.refunded_fen, s.vehicle_class
      FROM parking_session s
      JOIN parking_lot l ON l.id = s.lot_id
     WHERE s.lot_id = $1 AND s.state IN ('IN', 'QUOTED', 'PAID') AND s.entered_at < $2
       AND ($3::timestamptz IS NULL OR (s.entered_at, s.id) > ($3, $4::uuid))
     ORDER BY s.entered_at, s.id
     LIMIT $5
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """A stay of more than `long_stay_days` is shown to the guard; a picture is deleted after `picture_days`.

    A house may announce `visitors_per_day` vehicles for a day (0: none), each for `visitor_hours` at most; one that
    stays longer than announced is charged from then on, or from its entry.
    """

    long_stay_days: int
    picture_days: int
    visitors_per_day: int
    visitor_hours: int
    visitor_overstay: Overstay


async def limits(db: Reader, lot_id: UUID, *, communities: Sequence[UUID]) -> Limits:
    """The limits of a lot of these communities; NotFound."""
    row = await db.fetchrow(ONE, lot_id, list(communities))
    if row is None:
        raise NotFound
    return _of(row)


async def set_limits(tx: Tx, actor: Actor, *, lot_id: UUID, communities: Sequence[UUID], new: Limits) -> None:
    """Set the limits of a lot; NotFound."""
    row = await lots.lock(tx, lot_id, communities=communities)
    await tx.execute(
        CHANGE, lot_id, new.long_stay_days, new.picture_days, new.visitors_per_day, new.visitor_hours,
        new.visitor_overstay.value,
    )  # fmt: skip
    audit.record(
        tx, actor, action="parking.limits_changed", target=f"parking_lot:{lot_id}", community_id=row["community_id"],
        before=asdict(_of(row)), after=asdict(new),
    )  # fmt: skip


async def long_stays(
    db: Reader, lot_id: UUID, *, since: datetime, after: tuple[datetime, UUID] | None, limit: int
) -> list[Record]:
    """Cars inside a lot in the caller's scope that came in before `since`, the oldest first."""
    at, session_id = after or (None, None)
    return await db.fetch(LONG, lot_id, since, at, session_id, limit)


def too_long_since(limits: Limits, now: datetime) -> datetime:
    """Who came in before this instant stays very long."""
    return now - timedelta(days=limits.long_stay_days)


def _of(row: Record) -> Limits:
    return Limits(
        row["long_stay_days"], row["picture_days"], row["visitors_per_day"], row["visitor_hours"],
        Overstay(row["visitor_overstay"]),
    )  # fmt: skip
