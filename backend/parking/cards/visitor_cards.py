"""Visitors' vehicles (访客车辆): a card of the kind `visitor` with a window, a number of entries and a host (D8).

Promises: it is a card like any other (one a day for a vehicle in a lot, its space, its place in the list for lanes); it
covers a car that comes in within the window while it has entries left; who stays beyond the window is charged as the
lot says. A host's house announces no more vehicles for a day than the lot allows, counted while the lot is held. The
vehicle does not become one of the host's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.clock import local_date, start_of_day
from backend.kernel.crypto import Keyring
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.parking import lots, vehicles
from backend.parking.cards import cards
from backend.parking.cards.cards import Issued, NewCard
from backend.parking.states import CardKind

LONGEST = timedelta(days=30)
DAY = timedelta(days=1)

INSERT = """
    INSERT INTO parking_visitor (card_id, community_id, lot_id, house_id, starts_at, ends_at, entries, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""

# Read while the lot is held. Index parking_visitor_house.
ANNOUNCED = """
    SELECT count(*) FROM parking_visitor p JOIN parking_card c ON c.id = p.card_id AND c.state = 'ACTIVE'
     WHERE p.house_id = $1 AND p.lot_id = $2 AND p.starts_at >= $3 AND p.starts_at < $4
"""

# Index parking_visitor_house.
OF_HOUSE = """
    SELECT p.card_id AS id, p.lot_id, l.name AS lot_name, p.starts_at, p.ends_at, p.entries, c.state,
           v.id AS vehicle_id, v.plate_sealed
      FROM parking_visitor p
      JOIN parking_card c ON c.id = p.card_id
      JOIN parking_lot l ON l.id = p.lot_id
      LEFT JOIN LATERAL (
           SELECT v.id, v.plate_sealed FROM parking_card_vehicle cv JOIN parking_vehicle v ON v.id = cv.vehicle_id
            WHERE cv.card_id = c.id LIMIT 1) AS v ON true
     WHERE p.house_id = $1 AND p.ends_at > $2
     ORDER BY p.starts_at, p.card_id
     LIMIT 100
"""


@dataclass(frozen=True, slots=True)
class Announced:
    """A visitor's vehicle: when it may come in, how often, and to whom."""

    plate: str
    starts_at: datetime
    ends_at: datetime
    entries: int
    house_id: UUID | None


async def issue(
    tx: Tx, actor: Actor, *, keyring: Keyring, lot_id: UUID, communities: Sequence[UUID], new: Announced
) -> Issued:
    """Issue a visitor's card; NotFound, Invalid for the plate and the window, Conflict `has_card`."""
    lot = await lots.lock(tx, lot_id, communities=communities)
    _require_window(tx, new)
    if new.house_id is not None and await tx.fetchval(vehicles.HOUSE, new.house_id, lot["community_id"]) is None:
        raise NotFound
    card = NewCard(
        kind=CardKind.VISITOR,
        plates=(new.plate,),
        spaces=1,
        starts_on=local_date(new.starts_at),
        ends_on=local_date(new.ends_at - timedelta(microseconds=1)) + DAY,
        house_id=None,
    )
    issued = await cards.issue(tx, actor, keyring=keyring, lot_id=lot_id, communities=communities, new=card)
    await tx.execute(
        INSERT, issued.id, lot["community_id"], lot_id, new.house_id, new.starts_at, new.ends_at, new.entries, tx.now
    )
    audit.record(
        tx, actor, action="parking.visitor_announced", target=f"parking_card:{issued.id}",
        community_id=lot["community_id"],
        after={"house_id": new.house_id and str(new.house_id), "starts_at": new.starts_at.isoformat(),
               "ends_at": new.ends_at.isoformat(), "entries": new.entries},
    )  # fmt: skip
    return issued


async def announce(
    tx: Tx, actor: Actor, *, keyring: Keyring, lot_id: UUID, community_id: UUID, house_id: UUID, new: Announced
) -> Issued:
    """A resident of the house announces a vehicle, within the lot's limits; the caller has found the house in scope.

    Raises like `issue`, Conflict `visitors_off` where the lot lets residents announce none, `visitors_used_up` for a
    day on which the house has announced as many as it may, and Invalid for a window that is too long.
    """
    lot = await lots.lock(tx, lot_id, communities=(community_id,))
    if not lot["visitors_per_day"]:
        raise Conflict("这个停车场暂不支持住户登记访客车辆，请联系物业服务中心。", code="visitors_off")
    if new.ends_at - new.starts_at > timedelta(hours=lot["visitor_hours"]):
        raise Invalid(f"访客车辆一次最多停放 {lot['visitor_hours']} 小时。", fields=[{"field": "ends_at"}])
    begins = start_of_day(local_date(new.starts_at))
    if await tx.fetchval(ANNOUNCED, house_id, lot_id, begins, begins + DAY) >= lot["visitors_per_day"]:
        raise Conflict(
            f"您家当天登记的访客车辆已达 {lot['visitors_per_day']} 辆，不能再登记。", code="visitors_used_up"
        )
    return await issue(tx, actor, keyring=keyring, lot_id=lot_id, communities=(community_id,), new=new)


async def of_house(db: Reader, house_id: UUID, *, at: datetime) -> list[Record]:
    """The visitors' vehicles of a house in the caller's scope whose window has not ended."""
    return await db.fetch(OF_HOUSE, house_id, at)


def _require_window(tx: Tx, new: Announced) -> None:
    if new.ends_at <= new.starts_at or new.ends_at <= tx.now:
        raise Invalid("结束时间必须晚于开始时间，也必须晚于现在。", fields=[{"field": "ends_at"}])
    if new.ends_at - new.starts_at > LONGEST:
        raise Invalid(f"访客车辆一次最多登记 {LONGEST.days} 天。", fields=[{"field": "ends_at"}])
