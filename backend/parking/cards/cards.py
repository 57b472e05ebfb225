"""Cards (停车卡) and lists (黑白名单) of a lot (D8).

A card's vehicles share its spaces: of more cars at once, those that come later are charged like anybody for their
stay. A vehicle has one card a day in a lot, and stands on one list (EXCLUDE in the database).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.clock import local_date
from backend.kernel.crypto import Keyring
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.parking import lots, vehicles
from backend.parking.states import CardKind, ListKind

INSERT = """
    INSERT INTO parking_card (id, community_id, lot_id, house_id, kind, spaces, starts_on, ends_on, state, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'ACTIVE', $9)
"""

# Held, so that of two cars that come at once for the last space of a card one is a guest.
LOCK_SPACES = "SELECT spaces FROM parking_card WHERE id = $1 FOR UPDATE"

# Read after the lock. Index parking_session_card.
INSIDE = "SELECT count(*) FROM parking_session WHERE card_id = $1 AND state IN ('IN', 'QUOTED', 'PAID')"

# Read after the lock. Indexes parking_session_card, parking_session_ended.
INSIDE_THEN = """
    SELECT count(*) FROM parking_session s JOIN parking_card c ON c.id = s.card_id AND c.lot_id = s.lot_id
     WHERE c.id = $1 AND s.entered_at <= $2
       AND (s.state IN ('IN', 'QUOTED', 'PAID') OR (s.state = 'OUT' AND s.left_at > $2))
"""

INSERT_VEHICLES = """
    INSERT INTO parking_card_vehicle (community_id, card_id, lot_no, vehicle_id, vehicle_no, period)
    SELECT $1, $2, $3, v.id, v.no, daterange($6, $7)
      FROM unnest($4::uuid[], $5::bigint[]) AS v (id, no)
"""

LOCK = """
    SELECT c.* FROM parking_card c WHERE c.id = $1 AND c.community_id = ANY ($2::uuid[]) FOR UPDATE
"""

# From today on nothing is covered; what was before stays, as stays refer to it.
CANCEL = """
    WITH card AS (UPDATE parking_card SET state = 'CANCELLED' WHERE id = $1),
         gone AS (DELETE FROM parking_card_vehicle WHERE card_id = $1 AND lower(period) >= $2::date)
    UPDATE parking_card_vehicle SET period = daterange(lower(period), $2::date)
     WHERE card_id = $1 AND lower(period) < $2::date AND (upper(period) IS NULL OR upper(period) > $2::date)
"""

OF_PLATE = """
    SELECT cv.card_id FROM parking_card_vehicle cv JOIN parking_vehicle v ON v.id = cv.vehicle_id
     WHERE v.community_id = $1 AND v.plate_blind = $2 AND cv.lot_no = $3 AND cv.period @> $4::date
       AND (cv.card_id = $6 OR linli_visitor_covers(cv.card_id, cv.vehicle_id, $5))
"""

OF_LOT = """
    SELECT c.id, c.kind, c.spaces, c.house_id, c.starts_on, c.ends_on, c.state,
           (SELECT count(*) FROM parking_session s
             WHERE s.card_id = c.id AND s.state IN ('IN', 'QUOTED', 'PAID'))::integer AS inside
      FROM parking_card c
     WHERE c.lot_id = $1 AND c.state <> 'UNPAID' AND ($2::uuid IS NULL OR c.id > $2)
     ORDER BY c.id
     LIMIT $3
"""

INSERT_ENTRY = """
    INSERT INTO parking_list_entry (id, community_id, lot_id, lot_no, kind, vehicle_id, vehicle_no, period, reason,
                                    created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, daterange($8, $9), $10, $11)
"""


@dataclass(frozen=True, slots=True)
class NewCard:
    """A card to be issued: for these plates, which share `spaces`. `ends_on`: the first day without it."""

    kind: CardKind
    plates: tuple[str, ...]
    spaces: int
    starts_on: date
    ends_on: date | None
    house_id: UUID | None


@dataclass(frozen=True, slots=True)
class Issued:
    """A card, or an entry of a list, that has come into being."""

    id: UUID


async def issue(
    tx: Tx, actor: Actor, *, keyring: Keyring, lot_id: UUID, communities: Sequence[UUID], new: NewCard
) -> Issued:
    """Issue a card; NotFound, Invalid for plates and days, Conflict `has_card` for a plate that has one on a day."""
    lot = await lots.lock(tx, lot_id, communities=communities)
    _require_forward(new.starts_on, new.ends_on)
    texts = sorted({vehicles.required(text) for text in new.plates})
    found = [
        await vehicles.ensure(tx, keyring=keyring, community_id=lot["community_id"], house_id=new.house_id, text=text)
        for text in texts
    ]
    return await issue_for(tx, actor, lot=lot, new=new, found=found)


async def issue_for(tx: Tx, actor: Actor, *, lot: Record, new: NewCard, found: Sequence[vehicles.Vehicle]) -> Issued:
    """Issue a card of a lot that the caller holds, for vehicles that it knows; Conflict `has_card`."""
    card_id = uuid7(tx.now)
    await tx.execute(
        INSERT, card_id, lot["community_id"], lot["id"], new.house_id, new.kind.value, new.spaces, new.starts_on,
        new.ends_on, tx.now,
    )  # fmt: skip
    try:
        await tx.execute(
            INSERT_VEHICLES, lot["community_id"], card_id, lot["no"], [each.id for each in found],
            [each.no for each in found], new.starts_on, new.ends_on,
        )  # fmt: skip
    except asyncpg.ExclusionViolationError as error:
        raise Conflict("其中有车辆在这段时间已有停车卡。", code="has_card") from error
    audit.record(
        tx, actor, action="parking.card_issued", target=f"parking_card:{card_id}", community_id=lot["community_id"],
        after={"kind": new.kind.value, "vehicles": [str(each.id) for each in found], "spaces": new.spaces,
               "starts_on": new.starts_on.isoformat(), "ends_on": new.ends_on and new.ends_on.isoformat()},
    )  # fmt: skip
    return Issued(card_id)


async def cancel(tx: Tx, actor: Actor, *, card_id: UUID, communities: Sequence[UUID], reason: str) -> None:
    """End a card today; cars inside are charged from now on. NotFound, Conflict `card_cancelled`."""
    row = await tx.fetchrow(LOCK, card_id, list(communities))
    if row is None:
        raise NotFound
    if row["state"] == "CANCELLED":
        raise Conflict("这张停车卡已经作废。", code="card_cancelled")
    await tx.execute(CANCEL, card_id, tx.today)
    audit.record(
        tx, actor, action="parking.card_cancelled", target=f"parking_card:{card_id}",
        community_id=row["community_id"], reason=reason,
    )  # fmt: skip


async def has_space(tx: Tx, card_id: UUID) -> bool:
    """Whether one more car may come in under a card; the card is held, so that the answer stays true."""
    spaces: int = await tx.fetchval(LOCK_SPACES, card_id)
    inside: int = await tx.fetchval(INSIDE, card_id)
    return inside < spaces


async def had_space(tx: Tx, card_id: UUID, *, at: datetime) -> bool:
    """Whether one more car could have come in under a card at `at`; the card is held."""
    spaces: int = await tx.fetchval(LOCK_SPACES, card_id)
    inside: int = await tx.fetchval(INSIDE_THEN, card_id, at)
    return inside < spaces


async def of_plate(
    db: Reader, community_id: UUID, *, plate_blind: bytes, lot_no: int, came_at: datetime, has: UUID | None = None
) -> UUID | None:
    """The card that covers a plate which came in at an instant; `has`: the one under which the car stands already."""
    card_id: UUID | None = await db.fetchval(
        OF_PLATE, community_id, plate_blind, lot_no, local_date(came_at), came_at, has
    )
    return card_id


async def of_lot(db: Reader, lot_id: UUID, *, after: UUID | None, limit: int) -> list[Record]:
    """The cards of a lot that the caller has found in scope."""
    return await db.fetch(OF_LOT, lot_id, after, limit)


async def put_on_list(
    tx: Tx,
    actor: Actor,
    *,
    keyring: Keyring,
    lot_id: UUID,
    communities: Sequence[UUID],
    kind: ListKind,
    plate: str,
    starts_on: date,
    ends_on: date | None,
    reason: str,
) -> Issued:
    """Put a plate on a lot's black or white list; NotFound, Invalid, Conflict `on_a_list`."""
    lot = await lots.lock(tx, lot_id, communities=communities)
    _require_forward(starts_on, ends_on)
    text = vehicles.required(plate)
    vehicle = await vehicles.ensure(tx, keyring=keyring, community_id=lot["community_id"], house_id=None, text=text)
    entry_id = uuid7(tx.now)
    try:
        await tx.execute(
            INSERT_ENTRY, entry_id, lot["community_id"], lot_id, lot["no"], kind.value, vehicle.id, vehicle.no,
            starts_on, ends_on, reason, tx.now,
        )  # fmt: skip
    except asyncpg.ExclusionViolationError as error:
        raise Conflict("这辆车在这段时间已经在名单上。", code="on_a_list") from error
    audit.record(
        tx, actor, action="parking.listed", target=f"parking_list_entry:{entry_id}",
        community_id=lot["community_id"], reason=reason,
        after={"kind": kind.value, "vehicle": str(vehicle.id), "starts_on": starts_on.isoformat(),
               "ends_on": ends_on and ends_on.isoformat()},
    )  # fmt: skip
    return Issued(entry_id)


def _require_forward(starts_on: date, ends_on: date | None) -> None:
    if ends_on is not None and ends_on <= starts_on:
        raise Invalid("结束日期必须晚于开始日期。", fields=[{"field": "ends_on"}])
