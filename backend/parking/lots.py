"""Lots (停车场), their lanes, and how many spaces are free (D8).

Free spaces are counted from the rows of cars inside, never kept: what repeats or is corrected cannot bend the count.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID
from weakref import WeakKeyDictionary

from backend.devices import registry
from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Database, Reader, Record, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.ids import uuid7
from backend.parking.cameras import vendors
from backend.parking.states import Basis, Way

FRESH_S = 1

INSERT = """
    INSERT INTO parking_lot (id, community_id, code, name, spaces, basis, quote_minutes, arrears_days, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (community_id, code) DO NOTHING
 RETURNING id
"""

LOCK = "SELECT * FROM parking_lot WHERE id = $1 AND community_id = ANY ($2::uuid[]) FOR UPDATE"

CHANGE = """
    UPDATE parking_lot SET name = $2, spaces = $3, basis = $4, quote_minutes = $5, arrears_days = $6 WHERE id = $1
"""

# Cars whose entry nobody saw stand at the exit and take no space. Index parking_session_inside.
_LISTED = """
    SELECT l.id, l.no, l.community_id, l.code, l.name, l.spaces, l.basis, l.quote_minutes, l.arrears_days,
           greatest(0, l.spaces - (SELECT count(*) FROM parking_session s
                                    WHERE s.lot_id = l.id AND s.state IN ('IN', 'QUOTED', 'PAID')
                                      AND s.entered_at IS NOT NULL))::integer AS free_spaces
      FROM parking_lot l
"""

IN_COMMUNITIES = f"{_LISTED} WHERE l.community_id = ANY ($1::uuid[]) ORDER BY l.community_id, l.code LIMIT 200"

ONE = f"{_LISTED} WHERE l.id = $1 AND l.community_id = ANY ($2::uuid[])"

INSERT_LANE = """
    INSERT INTO parking_lane (id, community_id, lot_id, direction, name, camera_device_id, barrier_device_id,
                              created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT DO NOTHING
 RETURNING id
"""

LANES = """
    SELECT id, lot_id, direction, name, camera_device_id, barrier_device_id
      FROM parking_lane WHERE lot_id = $1 ORDER BY direction, name
"""

LANE = """
    SELECT id, community_id, lot_id, direction, name, barrier_device_id
      FROM parking_lane WHERE id = $1 AND lot_id = $2
"""


@dataclass(frozen=True, slots=True)
class Rules:
    """What staff set for a lot. `arrears_days`: a house with a bill overdue for longer is not let in; None: all are."""

    name: str
    spaces: int
    basis: Basis
    quote_minutes: int
    arrears_days: int | None


@dataclass(frozen=True, slots=True)
class Added:
    """A lot or a lane that has come into being."""

    id: UUID


async def create(tx: Tx, actor: Actor, *, community_id: UUID, code: str, rules: Rules) -> Added:
    """Add a lot to a community; Conflict `lot_code_taken`."""
    lot_id = uuid7(tx.now)
    added = await tx.fetchval(
        INSERT, lot_id, community_id, code, rules.name, rules.spaces, rules.basis.value, rules.quote_minutes,
        rules.arrears_days, tx.now,
    )  # fmt: skip
    if added is None:
        raise Conflict("本小区已有这个编号的停车场。", code="lot_code_taken")
    audit.record(
        tx, actor, action="parking.lot_added", target=f"parking_lot:{lot_id}", community_id=community_id,
        after=_shown(rules),
    )  # fmt: skip
    return Added(lot_id)


async def change(tx: Tx, actor: Actor, *, lot_id: UUID, communities: Sequence[UUID], rules: Rules) -> None:
    """Set a lot's rules; NotFound."""
    row = await lock(tx, lot_id, communities=communities)
    before = Rules(
        row["name"], row["spaces"], Basis(row["basis"]), row["quote_minutes"], row["arrears_days"]
    )  # fmt: skip
    await tx.execute(
        CHANGE, lot_id, rules.name, rules.spaces, rules.basis.value, rules.quote_minutes, rules.arrears_days
    )
    audit.record(
        tx, actor, action="parking.lot_changed", target=f"parking_lot:{lot_id}", community_id=row["community_id"],
        before=_shown(before), after=_shown(rules),
    )  # fmt: skip


async def lock(tx: Tx, lot_id: UUID, *, communities: Sequence[UUID]) -> Record:
    """The row of a lot of these communities, held; NotFound."""
    row = await tx.fetchrow(LOCK, lot_id, list(communities))
    if row is None:
        raise NotFound
    return row


async def in_communities(db: Reader, communities: Sequence[UUID]) -> list[Record]:
    """The lots of these communities with their free spaces."""
    return await db.fetch(IN_COMMUNITIES, list(communities))


async def free_spaces(db: Database, lot_id: UUID, *, communities: Sequence[UUID]) -> int:
    """The free spaces of a lot, at most FRESH_S behind its rows; NotFound.

    However many phones look at a lot, its cars are counted once a second by each process.
    """
    kept = _counted.setdefault(db, {})
    counted, now_s = kept.get(lot_id), time.monotonic()
    if counted is None or now_s - counted.looked_s >= FRESH_S:
        row = await one(db, lot_id, communities=communities)
        counted = kept[lot_id] = _Counted(row["community_id"], row["free_spaces"], now_s)
    if counted.community_id not in communities:
        raise NotFound
    return counted.free


@dataclass(frozen=True, slots=True)
class _Counted:
    community_id: UUID
    free: int
    looked_s: float


_counted: WeakKeyDictionary[Database, dict[UUID, _Counted]] = WeakKeyDictionary()


async def one(db: Reader, lot_id: UUID, *, communities: Sequence[UUID]) -> Record:
    """A lot of these communities; NotFound."""
    row = await db.fetchrow(ONE, lot_id, list(communities))
    if row is None:
        raise NotFound
    return row


async def add_lane(
    tx: Tx,
    actor: Actor,
    *,
    lot_id: UUID,
    communities: Sequence[UUID],
    direction: Way,
    name: str,
    camera_device_id: UUID,
    barrier_device_id: UUID,
) -> Added:
    """Add a lane with devices of the lot's community.

    Raises NotFound, Conflict `device_revoked`, `lane_taken`, and `barrier_needed` for a camera that does not open by
    our answer and is to be its own barrier: nothing would open it (decision 0015).
    """
    lot = await lock(tx, lot_id, communities=communities)
    vendor = await registry.require(tx, community_id=lot["community_id"], device_id=camera_device_id)
    await registry.require(tx, community_id=lot["community_id"], device_id=barrier_device_id)
    if camera_device_id == barrier_device_id and not vendors.opens_by_answer(vendor):
        raise Conflict("这个品牌的相机不能按应答抬杆，请为车道另外登记一台道闸设备。", code="barrier_needed")
    lane_id = uuid7(tx.now)
    added = await tx.fetchval(
        INSERT_LANE, lane_id, lot["community_id"], lot_id, direction.value, name, camera_device_id, barrier_device_id,
        tx.now,
    )  # fmt: skip
    if added is None:
        raise Conflict("车道名称已用过，或者这台相机已经属于另一条车道。", code="lane_taken")
    audit.record(
        tx, actor, action="parking.lane_added", target=f"parking_lane:{lane_id}", community_id=lot["community_id"],
        after={"direction": direction.value, "name": name, "camera": str(camera_device_id),
               "barrier": str(barrier_device_id)},
    )  # fmt: skip
    return Added(lane_id)


async def lanes(db: Reader, lot_id: UUID) -> list[Record]:
    """The lanes of a lot that the caller has found in scope."""
    return await db.fetch(LANES, lot_id)


async def lane(db: Reader, lot_id: UUID, *, lane_id: UUID) -> Record:
    """A lane of a lot that the caller has found in scope; NotFound."""
    row = await db.fetchrow(LANE, lane_id, lot_id)
    if row is None:
        raise NotFound
    return row


def _shown(rules: Rules) -> dict[str, object]:
    return {
        "name": rules.name,
        "spaces": rules.spaces,
        "basis": rules.basis.value,
        "quote_minutes": rules.quote_minutes,
        "arrears_days": rules.arrears_days,
    }
