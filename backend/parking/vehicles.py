"""Vehicles (车辆) and their plates: sealed at rest, found by blind indexes (I-24, D8).

One purpose each: the whole plate, the last five characters by which guards search, and the plate with one character
left open, for what an exit misread.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.parking import plates

# The row is updated so that it is returned, and held, when it is there already.
ENSURE = """
    INSERT INTO parking_vehicle (id, community_id, house_id, plate_sealed, plate_blind, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (community_id, plate_blind) DO UPDATE SET house_id = coalesce($3, parking_vehicle.house_id)
 RETURNING id, no, house_id
"""

OF_HOUSES = """
    SELECT v.id, v.community_id, v.house_id, v.plate_sealed, v.outside_until,
           (SELECT max(upper(c.period)) FROM parking_card_vehicle c WHERE c.vehicle_id = v.id AND c.period @> $2::date)
           AS card_ends_on,
           EXISTS (SELECT FROM parking_card_vehicle c WHERE c.vehicle_id = v.id AND c.period @> $2::date) AS has_card
      FROM parking_vehicle v
     WHERE v.house_id = ANY ($1::uuid[])
     ORDER BY v.house_id, v.id
     LIMIT 100
"""

HOUSE = "SELECT id FROM parking_house WHERE id = $1 AND community_id = $2"


class Blinds(NamedTuple):
    """What a plate is found by."""

    whole: bytes
    tail: bytes
    wildcards: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A vehicle of a community."""

    id: UUID
    no: int
    house_id: UUID | None


def blinds(keyring: Keyring, text: str) -> Blinds:
    """The blind indexes of a plate in its one written form."""
    return Blinds(
        keyring.blind(text, "plate"),
        tail_blind(keyring, plates.last_five(text)),
        tuple(keyring.blind(each, "plate_wildcard") for each in plates.wildcards(text)),
    )


def tail_blind(keyring: Keyring, tail: str) -> bytes:
    """The blind index of a plate's last five characters."""
    return keyring.blind(tail, "plate_tail")


def typed_tail(keyring: Keyring, text: str) -> bytes:
    """The same of what a guard has typed."""
    return tail_blind(keyring, plates.last_five(text))


def opened(keyring: Keyring, table: str, row: Record) -> str | None:
    """The plate of a row of `parking_vehicle` or `parking_session`; None for a car without one."""
    return _opened(keyring, table, row["id"], row["plate_sealed"])


def of_stay(keyring: Keyring, session_id: UUID, sealed: bytes | None) -> str | None:
    """The plate of a stay; None for a car without one."""
    return _opened(keyring, "parking_session", session_id, sealed)


def of_vehicle(keyring: Keyring, vehicle_id: UUID, sealed: bytes | None) -> str | None:
    """The plate of a vehicle; None where there is none."""
    return _opened(keyring, "parking_vehicle", vehicle_id, sealed)


def _opened(keyring: Keyring, table: str, row_id: UUID, sealed: bytes | None) -> str | None:
    return None if sealed is None else keyring.open(bytes(sealed), Context(table, "plate_sealed", row_id))


def required(text: str) -> str:
    """The one written form of a plate that somebody typed; Invalid `bad_plate`, also for the words of no plate."""
    return typed(text).text


def typed(text: str) -> plates.Plate:
    """The plate that somebody typed; Invalid `bad_plate`, also for the words of no plate."""
    plate = plates.read(text)
    if plate.kind is plates.Kind.NONE:
        raise Invalid("请填写车牌号。", code="bad_plate")
    return plate


def as_read(text: str, colour: plates.Colour) -> plates.Plate | None:
    """The plate that a camera read; None where what it read can be none."""
    try:
        return plates.read(text, colour=colour)
    except Invalid:
        return None


async def ensure(tx: Tx, *, keyring: Keyring, community_id: UUID, house_id: UUID | None, text: str) -> Vehicle:
    """The vehicle with this plate, made known now if need be, held; NotFound for a house of another community."""
    if house_id is not None and await tx.fetchval(HOUSE, house_id, community_id) is None:
        raise NotFound
    vehicle_id = uuid7(tx.now)
    row = await tx.fetchrow(
        ENSURE, vehicle_id, community_id, house_id,
        keyring.seal(text, Context("parking_vehicle", "plate_sealed", vehicle_id)), keyring.blind(text, "plate"),
        tx.now,
    )  # fmt: skip
    assert row is not None
    return Vehicle(row["id"], row["no"], row["house_id"])


async def of_houses(db: Reader, house_ids: Sequence[UUID], *, today: date) -> list[Record]:
    """The vehicles of these houses, and whether a card covers each today."""
    return await db.fetch(OF_HOUSES, list(house_ids), today)
