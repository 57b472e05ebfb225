"""Who visits: name, phone, plate and number of the identity card, sealed at rest and found by blind indexes (I-24).

The number of an identity card is kept as its blind index alone: it is compared with the bans, and never shown.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from backend.identity.people import TAIL_DIGITS, blind_phone, phone_of
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Record
from backend.kernel.errors import Invalid
from backend.kernel.personal import mask_name, mask_phone
from backend.parking import plates, vehicles

_ID_NUMBER = re.compile(r"[0-9A-Z]{6,18}")


@dataclass(frozen=True, slots=True)
class Guest:
    """A visitor as somebody typed it, in the one written form of each part. `name` is never empty."""

    name: str
    phone: str | None = None
    plate: str | None = None
    id_number: str | None = None


@dataclass(frozen=True, slots=True)
class Sealed:
    """A guest as the columns of a row hold it."""

    name_sealed: bytes
    phone_sealed: bytes | None
    phone_blind: bytes | None
    phone_tail_blind: bytes | None
    plate_sealed: bytes | None
    plate_blind: bytes | None
    id_number_blind: bytes | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A guest as answers show it: masked unless somebody may see all; None where erased or unknown."""

    name: str | None
    phone: str | None
    plate: str | None


class Where(NamedTuple):
    """The row that a guest is sealed for."""

    table: str
    row_id: UUID


def typed(name: str, *, phone: str | None = None, plate: str | None = None, id_number: str | None = None) -> Guest:
    """What somebody typed; Invalid for a name without a letter, `bad_phone`, `bad_plate`, `bad_id_number`."""
    if not name.strip():
        raise Invalid("请填写访客姓名或称呼。", fields=[{"field": "name"}])
    return Guest(
        name=name.strip(),
        phone=None if phone is None else phone_of(phone),
        plate=None if plate is None else vehicles.required(plate),
        id_number=None if id_number is None else id_number_of(id_number),
    )


def id_number_of(text: str) -> str:
    """The one written form of the number of an identity card or passport; Invalid `bad_id_number`."""
    number = re.sub(r"[\s-]", "", text).upper()
    if _ID_NUMBER.fullmatch(number) is None:
        raise Invalid("证件号码格式不正确，请检查后重新填写。", code="bad_id_number", fields=[{"field": "id_number"}])
    return number


def blind_id_number(keyring: Keyring, number: str) -> bytes:
    """The blind index of an identity card's number."""
    return keyring.blind(number, "id_number")


def seal(keyring: Keyring, guest: Guest, *, table: str, row_id: UUID) -> Sealed:
    """A guest sealed for a row of `table`."""

    def sealed(column: str, text: str | None) -> bytes | None:
        return None if text is None else keyring.seal(text, Context(table, column, row_id))

    phone, plate, number = guest.phone, guest.plate, guest.id_number
    return Sealed(
        name_sealed=keyring.seal(guest.name, Context(table, "name_sealed", row_id)),
        phone_sealed=sealed("phone_sealed", phone),
        phone_blind=None if phone is None else blind_phone(keyring, phone),
        phone_tail_blind=None if phone is None else tail_blind(keyring, phone),
        plate_sealed=sealed("plate_sealed", plate),
        plate_blind=None if plate is None else vehicles.blinds(keyring, plate).whole,
        id_number_blind=None if number is None else blind_id_number(keyring, number),
    )


def tail_blind(keyring: Keyring, phone: str) -> bytes:
    """The blind index of a phone's last four digits, by which guards search."""
    return keyring.blind(phone[-TAIL_DIGITS:], "phone_tail")


def shown(keyring: Keyring, row: Record, *, table: str, whole: bool = False) -> Shown:
    """The guest of a row, masked unless `whole`: for who has typed it, and nobody else."""
    return _shown(keyring, row, Where(table, row["id"]), whole=whole)


def of_visit(keyring: Keyring, row: Record, *, at_home: bool = False) -> Shown:
    """The guest of a row that carries the columns of its pass or of its walk-in, masked.

    `at_home`: for who lives in the house: whom somebody of it has invited is shown whole, whom a guard registered not.
    """
    by_pass = row["pass_id"] is not None
    where = Where("visitor_pass", row["pass_id"]) if by_pass else Where("visitor_walk_in", row["walk_in_id"])
    return _shown(keyring, row, where, whole=at_home and by_pass)


def _shown(keyring: Keyring, row: Record, where: Where, *, whole: bool) -> Shown:
    def opened(column: str) -> str | None:
        sealed = row[column]
        return None if sealed is None else keyring.open(bytes(sealed), Context(where.table, column, where.row_id))

    name, phone, plate = opened("name_sealed"), opened("phone_sealed"), opened("plate_sealed")
    if whole:
        return Shown(name, phone, plate)
    return Shown(name and mask_name(name), phone and mask_phone(phone), plate and plates.mask(plate))
