"""Codes that stand printed at lanes (车道码): scanned at the exit to pay, at the entry by a car without a plate (D8).

Every lane has one code from the start, random and of 122 bits; a new one ends the old one at once. The code leads to
`<site>/p/lanes/<code>`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import NotFound
from backend.parking.states import Way

_LANE = """
    SELECT lane.id, lane.lot_id, lane.community_id, lot.name AS lot_name, lane.name, lane.direction,
           lane.camera_device_id, lane.barrier_device_id, lane.scan_code
      FROM parking_lane lane JOIN parking_lot lot ON lot.id = lane.lot_id
"""

# Index parking_lane_scan_code.
OF_CODE = f"{_LANE} WHERE lane.scan_code = $1"

ONE = f"{_LANE} WHERE lane.id = $1 AND lane.lot_id = $2 AND lane.community_id = ANY ($3::uuid[])"

REPLACE = """
    UPDATE parking_lane SET scan_code = DEFAULT
     WHERE id = $1 AND lot_id = $2 AND community_id = ANY ($3::uuid[])
 RETURNING community_id
"""


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane with its code."""

    id: UUID
    lot_id: UUID
    community_id: UUID
    lot_name: str
    name: str
    direction: Way
    camera_device_id: UUID
    barrier_device_id: UUID
    scan_code: str


async def of_code(db: Reader, scan_code: str) -> Lane:
    """The lane at which this code stands; NotFound for an unknown or a replaced one."""
    return _lane(await db.fetchrow(OF_CODE, scan_code))


async def one(db: Reader, lane_id: UUID, *, lot_id: UUID, communities: Sequence[UUID]) -> Lane:
    """A lane of a lot of these communities; NotFound."""
    return _lane(await db.fetchrow(ONE, lane_id, lot_id, list(communities)))


async def replace(
    tx: Tx, actor: Actor, *, lane_id: UUID, lot_id: UUID, communities: Sequence[UUID], reason: str
) -> Lane:
    """Give the lane another code; the old one leads nowhere from now on. NotFound."""
    community_id = await tx.fetchval(REPLACE, lane_id, lot_id, list(communities))
    if community_id is None:
        raise NotFound
    audit.record(
        tx, actor, action="parking.scan_code_replaced", target=f"parking_lane:{lane_id}", community_id=community_id,
        reason=reason,
    )  # fmt: skip
    return await one(tx, lane_id, lot_id=lot_id, communities=communities)


def address(site: str, scan_code: str) -> str:
    """Where the code leads."""
    return f"{site.rstrip('/')}/p/lanes/{scan_code}"


def _lane(row: Record | None) -> Lane:
    if row is None:
        raise NotFound
    return Lane(**{**dict(row.items()), "direction": Way(row["direction"])})
