"""Stays (停车记录): the rows of cars that come and go, and what is due for one (D8).

Promises: a car stands in a lot once (unique key), so that two cameras that see it at once make one stay; every change
of a stay is an event that is never changed; a plate is sealed, and its wildcards are gone when the car is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from backend.kernel.audit import Actor
from backend.kernel.clock import local_date, start_of_day
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Again, Batch, Record, Tx
from backend.kernel.errors import NotFound
from backend.kernel.ids import uuid7
from backend.parking import pricing, tariffs
from backend.parking.pricing import Price
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
                                 created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        ON CONFLICT (lot_id, plate_blind) WHERE state IN ('IN', 'QUOTED', 'PAID') DO NOTHING
 RETURNING id
"""

# The stay, held, with what its price depends on: the version of the tariff by the lot's rule, the day on which its card
# ends, a white list.
LOCK = """
    SELECT s.*, lot.name AS lot_name, lot.no AS lot_no, lot.basis, lot.quote_minutes, t.id AS tariff_id, t.document,
           card.ends_on AS card_ends_on, card.id IS NOT NULL AS card_known,
           EXISTS (SELECT FROM parking_list_entry e
                    WHERE e.lot_no = lot.no AND e.vehicle_id = s.vehicle_id AND e.kind = 'white'
                      AND e.period @> $3::date) AS white
      FROM parking_session s
      JOIN parking_lot lot ON lot.id = s.lot_id
      LEFT JOIN LATERAL (
           SELECT v.id, upper(v.period) AS ends_on FROM parking_card_vehicle v
            WHERE v.card_id = s.card_id AND v.vehicle_id = s.vehicle_id
            ORDER BY v.id DESC LIMIT 1) AS card ON true
      LEFT JOIN LATERAL (
           SELECT v.id, v.document FROM parking_tariff v
            WHERE v.lot_id = s.lot_id
              AND CASE WHEN lot.basis = 'entry' AND s.entry_tariff_id IS NOT NULL THEN v.id = s.entry_tariff_id
                       ELSE v.effective_from <= $2 END
            ORDER BY v.effective_from DESC LIMIT 1) AS t ON true
     WHERE s.id = $1
       FOR UPDATE OF s
"""

LEAVE = """
    WITH gone AS (DELETE FROM parking_wildcard WHERE session_id = $1)
    UPDATE parking_session
       SET state = $2, left_at = greatest($3, entered_at), exit_lane_id = $4, waiting_lane_id = NULL,
           waiting_since = NULL, flags = ARRAY(SELECT DISTINCT f FROM unnest(flags || $5::text[]) AS f ORDER BY f)
     WHERE id = $1
"""

# Its money, where it has any, is of a stay that was seen and paid then.
GIVE_UP = """
    WITH gone AS (DELETE FROM parking_wildcard WHERE session_id = $1)
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


@dataclass(frozen=True, slots=True)
class Place:
    """Where it happens."""

    community_id: UUID
    lot_id: UUID
    lane_id: UUID | None


@dataclass(frozen=True, slots=True)
class Car:
    """What is known of a car: its plate (None: it has none), the vehicle and the card that covers it."""

    plate: str | None
    blinds: Blinds | None
    vehicle_id: UUID | None = None
    card_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """What is due for a stay at an instant: nothing of `total_fen` where a card or a list covers it."""

    total_fen: int
    paid_fen: int
    price: Price | None
    tariff_id: UUID | None

    @property
    def open_fen(self) -> int:
        """What is still to be paid."""
        return max(0, self.total_fen - self.paid_fen)


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
        place.lane_id if left_at is not None else None, tx.now,
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


def due(stay: Record, *, at: datetime) -> Due:
    """What is due for a locked stay if the car leaves at `at`.

    A card covers the days that it reaches; what comes after is priced like any stay that begins then. A lot without a
    tariff costs nothing.
    """
    kept_fen = stay["paid_fen"] - stay["refunded_fen"]
    since = _charged_since(stay)
    if since is None or stay["white"] or stay["tariff_id"] is None or since >= at:
        return Due(0, kept_fen, None, stay["tariff_id"])
    tariff = tariffs.parsed(stay["tariff_id"], stay["document"])
    price = pricing.price(tariff, entered_at=since, left_at=at, day_kind=tariffs.day_kind)
    return Due(price.amount_fen, kept_fen, price, stay["tariff_id"])


def _charged_since(stay: Record) -> datetime | None:
    """From when on a stay is charged; None where its card has no end or no entry is known."""
    entered: datetime | None = stay["entered_at"]
    if stay["card_id"] is None or entered is None:
        return entered
    ends_on: date | None = stay["card_ends_on"]
    if not stay["card_known"]:
        return entered
    return None if ends_on is None else max(entered, start_of_day(ends_on))


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


async def join_entry(
    tx: Tx, session_id: UUID, *, at: datetime, lane_id: UUID, tariff_id: UUID | None, card_id: UUID | None
) -> None:
    """An entry that was told late belongs to a stay that began without one."""
    await tx.execute(JOIN_ENTRY, session_id, at, lane_id, tariff_id, card_id)
