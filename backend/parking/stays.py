"""Stays (停车记录): the rows of cars that come and go (D8).

Promises: a car stands in a lot once (unique key), so that two cameras that see it at once make one stay; every change
of a stay is an event that is never changed; a plate is sealed, and its wildcards are gone when the car is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from backend.kernel.audit import Actor
from backend.kernel.clock import local_date
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Again, Batch, Record, Tx
from backend.kernel.errors import NotFound
from backend.kernel.ids import uuid7
from backend.parking.prices.classes import PriceClass
from backend.parking.states import INSIDE, EventKind, Flag, SessionState
from backend.parking.vehicles import Blinds

EVENT = Batch(
    table="parking_event",
    columns=(
        ("community_id", "uuid"),
        ("session_id", "uuid"),
        ("kind", "text"),
        ("at", "timestamptz"),
        ("recorded_at", "timestamptz"),
        ("device_event_id", "uuid"),
        ("actor_kind", "text"),
        ("actor_id", "uuid"),
        ("detail", "jsonb"),
    ),
)

WILDCARD = Batch(
    table="parking_wildcard",
    columns=(("lot_id", "uuid"), ("blind", "bytea"), ("session_id", "uuid")),
    on_conflict="ON CONFLICT DO NOTHING",
)

OPEN = """
    INSERT INTO parking_session (id, community_id, lot_id, state, flags, plate_sealed, plate_blind, tail_blind,
                                 vehicle_id, card_id, entry_tariff_id, entered_at, entry_lane_id, left_at, exit_lane_id,
                                 created_at, vehicle_class)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        ON CONFLICT (lot_id, plate_blind) WHERE state IN ('IN', 'QUOTED', 'PAID') DO NOTHING
 RETURNING id
"""

# The stay, held, with what its price depends on: the version of the tariff by the lot's rule, the day on which the card
# that covered its entry ends and that on which it begins again, a white list, whether it has coupons.
LOCK = """
    SELECT s.*, lot.name AS lot_name, lot.no AS lot_no, lot.basis, lot.quote_minutes, t.id AS tariff_id, t.document,
           card.ends_on AS card_ends_on, coalesce(card.known, false) AS card_known, card.next_on AS card_next_on,
           EXISTS (SELECT FROM parking_coupon_use u WHERE u.session_id = s.id AND u.returned_at IS NULL)
           AS with_coupons,
           visitor.ends_at AS visitor_ends_at, lot.visitor_overstay,
           EXISTS (SELECT FROM parking_list_entry e
                    WHERE e.lot_no = lot.no AND e.vehicle_id = s.vehicle_id AND e.kind = 'white'
                      AND e.period @> $3::date) AS white
      FROM parking_session s
      JOIN parking_lot lot ON lot.id = s.lot_id
      LEFT JOIN parking_visitor visitor ON visitor.card_id = s.card_id
      LEFT JOIN LATERAL (
           SELECT bool_or(v.period @> d.entered_on) AS known,
                  max(upper(v.period)) FILTER (WHERE v.period @> d.entered_on) AS ends_on,
                  min(lower(v.period)) FILTER (WHERE lower(v.period) > d.entered_on) AS next_on
             FROM parking_card_vehicle v,
                  (SELECT (s.entered_at AT TIME ZONE 'Asia/Shanghai')::date AS entered_on) AS d
            WHERE v.card_id = s.card_id AND v.vehicle_id = s.vehicle_id) AS card ON true
      LEFT JOIN LATERAL (
           SELECT v.id, v.document FROM parking_tariff v
            WHERE v.lot_id = s.lot_id
              AND CASE WHEN lot.basis = 'entry' AND s.entry_tariff_id IS NOT NULL THEN v.id = s.entry_tariff_id
                       ELSE v.effective_from <= $2
                        AND (v.vehicle_class IS NULL OR v.vehicle_class = s.vehicle_class) END
            ORDER BY v.vehicle_class IS NULL, v.effective_from DESC LIMIT 1) AS t ON true
     WHERE s.id = $1
       FOR UPDATE OF s
"""

# Coupons of a stay that never was, and those that took nothing off, are given back.
LEAVE = """
    WITH gone AS (DELETE FROM parking_wildcard WHERE session_id = $1),
         back AS (UPDATE parking_coupon_use SET returned_at = $3
                   WHERE session_id = $1 AND returned_at IS NULL
                     AND ($2 = 'VOIDED' OR off_fen IS NULL AND NOT 'left_unpaid' = ANY ($5::text[])))
    UPDATE parking_session
       SET state = $2, left_at = greatest($3, entered_at), exit_lane_id = $4, waiting_lane_id = NULL,
           waiting_since = NULL, flags = ARRAY(SELECT DISTINCT f FROM unnest(flags || $5::text[]) AS f ORDER BY f)
     WHERE id = $1
"""

# Its money, where it has any, is of a stay that was seen and paid then.
GIVE_UP = """
    WITH gone AS (DELETE FROM parking_wildcard WHERE session_id = $1),
         back AS (UPDATE parking_coupon_use u SET returned_at = $2
                    FROM parking_session s
                   WHERE s.id = $1 AND u.session_id = s.id AND u.returned_at IS NULL
                     AND (s.paid_fen <= s.refunded_fen OR u.off_fen IS NULL))
    UPDATE parking_session
       SET state = CASE WHEN paid_fen > refunded_fen THEN 'OUT' ELSE 'VOIDED' END,
           left_at = CASE WHEN paid_fen > refunded_fen THEN greatest($2, entered_at) END,
           waiting_lane_id = NULL, waiting_since = NULL,
           flags = ARRAY(SELECT DISTINCT f FROM unnest(flags || '{entered_twice}') AS f ORDER BY f)
     WHERE id = $1
"""

WAIT = """
    UPDATE parking_session
       SET state = $2, quote_id = coalesce($3, quote_id), waiting_lane_id = coalesce($4, waiting_lane_id),
           waiting_since = CASE WHEN $4::uuid IS NULL THEN waiting_since ELSE $5 END
     WHERE id = $1
"""

NAME = """
    UPDATE parking_session
       SET flags = ARRAY(SELECT DISTINCT f FROM unnest(flags || $2::text[]) AS f ORDER BY f)
     WHERE id = $1
"""

JOIN_ENTRY = """
    UPDATE parking_session
       SET entered_at = least($2, left_at), entry_lane_id = $3, entry_tariff_id = $4, card_id = $5,
           flags = array_append(array_remove(flags, 'no_entry'), 'late')
     WHERE id = $1
"""

# The version that counted at the entry, for the new class.
RECLASS = """
    UPDATE parking_session s
       SET vehicle_class = $2,
           entry_tariff_id = (SELECT v.id FROM parking_tariff v
                               WHERE v.lot_id = s.lot_id AND v.effective_from <= s.entered_at
                                 AND (v.vehicle_class IS NULL OR v.vehicle_class = $2)
                               ORDER BY v.vehicle_class IS NULL, v.effective_from DESC LIMIT 1)
     WHERE s.id = $1
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where it happens."""

    community_id: UUID
    lot_id: UUID
    lane_id: UUID | None


@dataclass(frozen=True, slots=True)
class Car:
    """What is known of a car: its plate (None: it has none), the vehicle, the card that covers it, its class."""

    plate: str | None
    blinds: Blinds | None
    vehicle_id: UUID | None = None
    card_id: UUID | None = None
    vehicle_class: PriceClass | None = None


async def begin(
    tx: Tx,
    place: Place,
    car: Car,
    *,
    keyring: Keyring,
    state: SessionState = SessionState.IN,
    entered_at: datetime | None,
    left_at: datetime | None = None,
    tariff_id: UUID | None = None,
    flags: frozenset[Flag] = frozenset(),
) -> UUID:
    """A new stay; raises Again when another transaction has just begun one for the same plate in this lot."""
    session_id = uuid7(tx.now)
    sealed = car.plate and keyring.seal(car.plate, Context("parking_session", "plate_sealed", session_id))
    begun = await tx.fetchval(
        OPEN, session_id, place.community_id, place.lot_id, state.value, sorted(flags), sealed,
        car.blinds and car.blinds.whole, car.blinds and car.blinds.tail, car.vehicle_id, car.card_id, tariff_id,
        entered_at, place.lane_id if entered_at is not None else None, left_at,
        place.lane_id if left_at is not None else None, tx.now, car.vehicle_class,
    )  # fmt: skip
    if begun is None:
        raise Again
    if car.blinds is not None and state in INSIDE:
        for blind in car.blinds.wildcards:
            tx.add(WILDCARD, place.lot_id, blind, session_id)
    return session_id


def note(
    tx: Tx,
    actor: Actor,
    *,
    community_id: UUID,
    session_id: UUID,
    kind: EventKind,
    at: datetime | None = None,
    device_event_id: UUID | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add what happened to a stay; `detail` holds no plate."""
    tx.add(
        EVENT, community_id, session_id, kind.value, at or tx.now, tx.now, device_event_id, actor.kind, actor.id,
        dict(detail or {}),
    )  # fmt: skip


async def lock(tx: Tx, session_id: UUID, *, at: datetime) -> Record:
    """A stay with what its price at `at` depends on, held to the end of the transaction; NotFound."""
    row = await tx.fetchrow(LOCK, session_id, at, local_date(at))
    if row is None:
        raise NotFound
    return row


async def leave(
    tx: Tx,
    session_id: UUID,
    *,
    at: datetime,
    lane_id: UUID | None,
    state: SessionState = SessionState.OUT,
    flags: frozenset[Flag] = frozenset(),
) -> None:
    """The car is gone (or, VOIDED, was never here): the stay ends."""
    await tx.execute(LEAVE, session_id, state.value, at, lane_id, sorted(flags))


async def give_up(tx: Tx, session_id: UUID, *, at: datetime) -> None:
    """The car is gone, and nobody saw when; one that had paid counts as gone at `at`."""
    await tx.execute(GIVE_UP, session_id, at)


async def wait(
    tx: Tx, session_id: UUID, *, state: SessionState, quote_id: UUID | None = None, lane_id: UUID | None = None
) -> None:
    """The stay is asked to pay; `lane_id`: the car stands at this exit."""
    await tx.execute(WAIT, session_id, state.value, quote_id, lane_id, tx.now)


async def name(tx: Tx, session_id: UUID, flags: frozenset[Flag]) -> None:
    """Keep what was unusual about a sighting that ended nothing; most are not."""
    if flags:
        await tx.execute(NAME, session_id, sorted(flags))


async def reclass(tx: Tx, session_id: UUID, vehicle_class: PriceClass) -> None:
    """The stay's vehicle is of this class."""
    await tx.execute(RECLASS, session_id, vehicle_class.value)


async def join_entry(
    tx: Tx, session_id: UUID, *, at: datetime, lane_id: UUID, tariff_id: UUID | None, card_id: UUID | None
) -> None:
    """An entry that was told late belongs to a stay that began without one."""
    await tx.execute(JOIN_ENTRY, session_id, at, lane_id, tariff_id, card_id)
