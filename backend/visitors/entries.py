"""Who came in and who went out (出入记录): by a pass or as a walk-in, who is inside, who stays too long (R8, D10).

Promises: every use of a pass has one entry, in the transaction of the use; the resident is told of it by an event. An
overstay is named once. A stay that nobody checked out is taken to be over some hours after its end, and says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.kernel import outbox
from backend.kernel.auth import HouseScope
from backend.kernel.crypto import Keyring
from backend.kernel.db import Batch, Reader, Record, Tx, Write
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.ids import uuid7
from backend.messaging.meanings import VISITOR_ENTERED, VISITOR_OVERSTAYED
from backend.visitors import guests, hosts, telling
from backend.visitors.rules import USUAL
from backend.visitors.states import EntryWay, LeftWay

ENTERED = "visitors.entered"
OVERSTAY_LIMIT = 200

ROW = Batch(
    table="visitor_entry",
    columns=(
        ("id", "uuid"),
        ("community_id", "uuid"),
        ("house_id", "uuid"),
        ("pass_id", "uuid"),
        ("walk_in_id", "uuid"),
        ("gate_id", "uuid"),
        ("way", "text"),
        ("staff_id", "uuid"),
        ("device_event_id", "uuid"),
        ("entered_at", "timestamptz"),
        ("due_out_at", "timestamptz"),
    ),
)

# A visit with its visitor's sealed columns, those of the pass or those of the walk-in.
_VISIT = """
    SELECT e.id, e.community_id, e.house_id, h.label AS house, e.pass_id, e.walk_in_id, e.gate_id, d.name AS gate,
           e.way, e.entered_at, e.due_out_at, e.overstayed_at, e.left_at, e.left_way,
           coalesce(p.name_sealed, w.name_sealed) AS name_sealed,
           coalesce(p.phone_sealed, w.phone_sealed) AS phone_sealed,
           coalesce(p.plate_sealed, w.plate_sealed) AS plate_sealed,
           coalesce(p.companions, w.companions) AS companions, p.invited_by, w.answered_by
      FROM visitor_entry e
      JOIN visitor_house h ON h.id = e.house_id
      LEFT JOIN visitor_gate d ON d.id = e.gate_id
      LEFT JOIN visitor_pass p ON p.id = e.pass_id
      LEFT JOIN visitor_walk_in w ON w.id = e.walk_in_id
"""
ONE = f"{_VISIT} WHERE e.id = $1"

# Index visitor_entry_inside.
INSIDE = f"""{_VISIT}
     WHERE e.community_id = $1 AND e.left_at IS NULL
       AND ($2::timestamptz IS NULL OR (e.entered_at, e.id) > ($2, $3::uuid))
     ORDER BY e.entered_at, e.id
     LIMIT $4
"""

# Index visitor_entry_community.
RECORDS = f"""{_VISIT}
     WHERE e.community_id = $1 AND ($2::timestamptz IS NULL OR (e.entered_at, e.id) < ($2, $3::uuid))
     ORDER BY e.entered_at DESC, e.id DESC
     LIMIT $4
"""

# Index visitor_entry_house. A tenant sees whom the tenant has invited, and who came without a pass.
OF_HOUSE = f"""{_VISIT}
     WHERE e.house_id = $4
       AND (e.house_id = ANY ($1::uuid[])
            OR (e.house_id = ANY ($2::uuid[]) AND (p.invited_by = $3 OR e.walk_in_id IS NOT NULL)))
       AND ($5::timestamptz IS NULL OR (e.entered_at, e.id) < ($5, $6::uuid))
     ORDER BY e.entered_at DESC, e.id DESC
     LIMIT $7
"""

CHECK_OUT = """
    UPDATE visitor_entry SET left_at = $3, left_way = $4
     WHERE id = $1 AND community_id = ANY ($2::uuid[]) AND left_at IS NULL
 RETURNING id
"""

KNOWN = "SELECT 1 FROM visitor_entry WHERE id = $1 AND community_id = ANY ($2::uuid[])"

# Index visitor_entry_inside. $2: the usual number of minutes; a rule that says NULL names nobody.
OVERSTAY = """
    WITH due AS (
        SELECT e.id FROM visitor_entry e LEFT JOIN visitor_rule r ON r.community_id = e.community_id
         WHERE e.left_at IS NULL AND e.overstayed_at IS NULL
           AND e.due_out_at + make_interval(
                   mins => CASE WHEN r.community_id IS NULL THEN $2 ELSE r.overstay_minutes END) <= $1
         ORDER BY e.id LIMIT $3 FOR UPDATE OF e SKIP LOCKED)
    UPDATE visitor_entry e SET overstayed_at = $1 FROM due WHERE e.id = due.id
 RETURNING e.id
"""

# Index visitor_entry_inside.
ASSUME_LEFT = """
    UPDATE visitor_entry e SET left_at = $1, left_way = 'assumed'
     WHERE e.left_at IS NULL
       AND e.due_out_at + make_interval(hours => coalesce(
               (SELECT r.assume_left_hours FROM visitor_rule r WHERE r.community_id = e.community_id), $2)) <= $1
"""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody who comes in now, by a pass or as a walk-in. `due_out_at`: until when the stay is allowed."""

    community_id: UUID
    house_id: UUID
    gate_id: UUID
    way: EntryWay
    entered_at: datetime
    due_out_at: datetime
    pass_id: UUID | None = None
    walk_in_id: UUID | None = None


def add(tx: Write, arrival: Arrival, *, staff_id: UUID | None = None, device_event_id: UUID | None = None) -> UUID:
    """Record an arrival and have the resident told; the entry's id."""
    entry_id = uuid7(tx.now)
    tx.add(
        ROW, entry_id, arrival.community_id, arrival.house_id, arrival.pass_id, arrival.walk_in_id, arrival.gate_id,
        arrival.way.value, staff_id, device_event_id, arrival.entered_at, arrival.due_out_at,
    )  # fmt: skip
    outbox.emit(tx, ENTERED, {"entry_id": str(entry_id)}, community_id=arrival.community_id)
    return entry_id


async def check_out(tx: Tx, *, entry_id: UUID, communities: Sequence[UUID], way: LeftWay = LeftWay.GUARD) -> None:
    """The visitor has left; NotFound, Conflict `left_already`."""
    if await tx.fetchval(CHECK_OUT, entry_id, list(communities), tx.now, way.value) is None:
        if await tx.fetchval(KNOWN, entry_id, list(communities)) is None:
            raise NotFound
        raise Conflict("这位访客已经登记离开。", code="left_already")


async def tell_entered(tx: Tx, entry_id: UUID, *, keyring: Keyring) -> None:
    """Tell who has invited or admitted the visitor, or else who lives there."""
    visit = await tx.fetchrow(ONE, entry_id)
    assert visit is not None, "emitted with the entry"
    await telling.tell(
        tx, VISITOR_ENTERED, event_key=f"visitor.entered:{entry_id}", community_id=visit["community_id"],
        people=await _hosts(tx, visit),
        values={
            "visitor": _name(keyring, visit), "gate": visit["gate"] or "大门", "house": visit["house"],
            "entered_at": telling.minute(visit["entered_at"]),
        },
    )  # fmt: skip


async def name_overstays(tx: Tx, *, keyring: Keyring) -> int:
    """Name stays that last too long, once each, and tell the residents; how many."""
    rows = await tx.fetch(OVERSTAY, tx.now, USUAL.overstay_minutes, OVERSTAY_LIMIT)
    for row in rows:
        visit = await tx.fetchrow(ONE, row["id"])
        assert visit is not None
        await telling.tell(
            tx, VISITOR_OVERSTAYED, event_key=f"visitor.overstayed:{row['id']}", community_id=visit["community_id"],
            people=await _hosts(tx, visit),
            values={
                "visitor": _name(keyring, visit), "house": visit["house"],
                "due_out_at": telling.minute(visit["due_out_at"]),
            },
        )  # fmt: skip
    return len(rows)


async def assume_left(tx: Tx) -> None:
    """Take stays to be over that ended long ago without a check-out."""
    await tx.execute(ASSUME_LEFT, tx.now, USUAL.assume_left_hours)


async def inside(db: Reader, community_id: UUID, *, after: tuple[datetime, UUID] | None, limit: int) -> list[Record]:
    """Who is in a community that the caller has found in scope, who has been in for longest first."""
    return await db.fetch(INSIDE, community_id, *(after or (None, None)), limit)


async def records(db: Reader, community_id: UUID, *, before: tuple[datetime, UUID] | None, limit: int) -> list[Record]:
    """All visits of a community that the caller has found in scope, newest first."""
    return await db.fetch(RECORDS, community_id, *(before or (None, None)), limit)


async def of_house(
    db: Reader, scope: HouseScope, *, house_id: UUID, before: tuple[datetime, UUID] | None, limit: int
) -> list[Record]:
    """The visits of one of the scope's houses, newest first."""
    return await db.fetch(
        OF_HOUSE, list(scope.full), list(scope.tenant), scope.person_id, house_id, *(before or (None, None)), limit
    )


async def _hosts(tx: Tx, visit: Record) -> list[UUID]:
    host = visit["invited_by"] or visit["answered_by"]
    return [host] if host is not None else await hosts.living_in(tx, visit["house_id"], today=tx.today)


def _name(keyring: Keyring, visit: Record) -> str:
    return guests.of_visit(keyring, visit).name or "访客"
