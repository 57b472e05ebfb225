"""People (住户): one row per verified or listed phone, name and phone sealed, found by blind index (I-24, D12).

Answers show masked forms. The one way to a whole name and phone is `reveal`, which takes a reason and leaves an entry
in the audit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.kernel.personal import mask_name, mask_phone, normalise_phone

TAIL_DIGITS = 4

INSERT = """
    INSERT INTO person (id, name_sealed, phone_sealed, phone_blind, phone_tail_blind, created_at)
    SELECT *, $6 FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[])
        ON CONFLICT (phone_blind) WHERE removed_at IS NULL AND phone_blind IS NOT NULL DO NOTHING
"""
BY_PHONE = """
    SELECT id, no, phone_blind, name_sealed IS NULL AS nameless
      FROM person
     WHERE phone_blind = ANY($1::bytea[]) AND removed_at IS NULL
"""
BY_TAIL = "SELECT id FROM person WHERE phone_tail_blind = $1 AND removed_at IS NULL LIMIT 1000"
NAME = """
    UPDATE person p SET name_sealed = n.name_sealed
      FROM unnest($1::uuid[], $2::bytea[]) AS n (id, name_sealed)
     WHERE p.id = n.id AND p.removed_at IS NULL
"""
SEALED = "SELECT id, name_sealed, phone_sealed FROM person WHERE id = ANY($1::uuid[]) AND removed_at IS NULL"


@dataclass(frozen=True, slots=True)
class Person:
    """Who someone is to the database: the id, and the number that exclusion constraints need."""

    id: UUID
    no: int


@dataclass(frozen=True, slots=True)
class Details:
    """Name and phone of a person, whole or masked; None where unknown."""

    name: str | None
    phone: str | None

    def masked(self) -> "Details":
        """The form that answers show: 张*, 138****6666."""
        return Details(
            mask_name(self.name) if self.name else None,
            mask_phone(self.phone) if self.phone else None,
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """A listed person, sealed and ready to be inserted under the id that the seals are bound to."""

    id: UUID
    phone: str
    name: str | None
    name_sealed: bytes | None
    phone_sealed: bytes
    phone_blind: bytes
    phone_tail_blind: bytes


def phone_of(text: str) -> str:
    """The normal form of a phone that someone typed; raises Invalid."""
    try:
        return normalise_phone(text)
    except ValueError as error:
        raise Invalid("手机号格式不正确，请检查后重新填写。", code="bad_phone") from error


def seal(keyring: Keyring, listed: Iterable[tuple[str, str | None]], *, at: datetime) -> list[Entry]:
    """Entries for (normalised phone, name or None): pure CPU, some 25 µs each, so large lists belong in a thread."""
    return [_entry(keyring, phone, name, uuid7(at)) for phone, name in listed]


def _entry(keyring: Keyring, phone: str, name: str | None, person_id: UUID) -> Entry:
    return Entry(
        id=person_id,
        phone=phone,
        name=name,
        name_sealed=keyring.seal(name, Context("person", "name_sealed", person_id)) if name else None,
        phone_sealed=keyring.seal(phone, Context("person", "phone_sealed", person_id)),
        phone_blind=blind_phone(keyring, phone),
        phone_tail_blind=keyring.blind(phone[-TAIL_DIGITS:], "phone_tail"),
    )


def blind_phone(keyring: Keyring, phone: str) -> bytes:
    """The blind index of a normalised phone."""
    return keyring.blind(phone, "phone")


async def ensure(tx: Tx, keyring: Keyring, *, phone: str, name: str | None = None) -> Person:
    """The person of a normalised phone, made where there is none; a name is kept only where none was known."""
    people = await ensure_many(tx, keyring, seal(keyring, [(phone, name)], at=tx.now))
    return people[phone]


async def ensure_many(tx: Tx, keyring: Keyring, entries: Sequence[Entry]) -> dict[str, Person]:
    """Phone → person for every entry, set-based; existing people keep their names."""
    ordered = sorted(entries, key=lambda entry: entry.phone_blind)
    await tx.execute(
        INSERT,
        [entry.id for entry in ordered],
        [entry.name_sealed for entry in ordered],
        [entry.phone_sealed for entry in ordered],
        [entry.phone_blind for entry in ordered],
        [entry.phone_tail_blind for entry in ordered],
        tx.now,
    )
    rows = await tx.fetch(BY_PHONE, [entry.phone_blind for entry in ordered])
    found = {bytes(row["phone_blind"]): row for row in rows}
    await _name_the_nameless(tx, keyring, ordered, found)
    return {entry.phone: Person(found[entry.phone_blind]["id"], found[entry.phone_blind]["no"]) for entry in ordered}


async def _name_the_nameless(tx: Tx, keyring: Keyring, entries: Sequence[Entry], found: Mapping[bytes, Record]) -> None:
    named = [
        (row["id"], keyring.seal(entry.name, Context("person", "name_sealed", row["id"])))
        for entry in entries
        if entry.name is not None and (row := found[entry.phone_blind])["nameless"]
    ]
    if named:
        await tx.execute(NAME, [person_id for person_id, _ in named], [sealed for _, sealed in named])


async def one(db: Reader, person_id: UUID) -> Person:
    """The person of an id; raises NotFound."""
    row = await db.fetchrow("SELECT id, no FROM person WHERE id = $1 AND removed_at IS NULL", person_id)
    if row is None:
        raise NotFound
    return Person(row["id"], row["no"])


async def ensure_named(tx: Tx, keyring: Keyring, *, person_id: UUID, name: str) -> None:
    """Keep the name that someone gave of themselves where none is known."""
    if await tx.fetchval("SELECT name_sealed IS NULL FROM person WHERE id = $1", person_id):
        await tx.execute(NAME, [person_id], [keyring.seal(name, Context("person", "name_sealed", person_id))])


async def by_phone(db: Reader, keyring: Keyring, phones: Iterable[str]) -> dict[str, Person]:
    """Those of the normalised phones that belong to a known person."""
    blinds = {blind_phone(keyring, phone): phone for phone in phones}
    rows = await db.fetch(BY_PHONE, list(blinds))
    return {blinds[bytes(row["phone_blind"])]: Person(row["id"], row["no"]) for row in rows}


async def ids_by_phone_tail(db: Reader, keyring: Keyring, tail: str) -> list[UUID]:
    """People whose phone ends in these four digits; at most 1000."""
    return [row["id"] for row in await db.fetch(BY_TAIL, keyring.blind(tail, "phone_tail"))]


async def masked(db: Reader, keyring: Keyring, person_ids: Iterable[UUID]) -> dict[UUID, Details]:
    """Masked name and phone by person id."""
    return {person_id: known.masked() for person_id, known in (await _open(db, keyring, person_ids)).items()}


async def reveal(
    tx: Tx, keyring: Keyring, actor: Actor, *, person_ids: Iterable[UUID], community_id: UUID, reason: str
) -> dict[UUID, Details]:
    """Whole names and phones; each reading is recorded with its reason (D12)."""
    found = await _open(tx, keyring, person_ids)
    for person_id in found:
        audit.record(
            tx, actor, action="person.revealed", target=f"person:{person_id}", community_id=community_id, reason=reason
        )
    return found


async def rename(tx: Tx, keyring: Keyring, actor: Actor, *, person_id: UUID, name: str) -> None:
    """Set the name; raises NotFound. The audit holds masked names only."""
    before = (await _open(tx, keyring, [person_id])).get(person_id)
    if before is None:
        raise NotFound
    await tx.execute(NAME, [person_id], [keyring.seal(name, Context("person", "name_sealed", person_id))])
    audit.record(
        tx, actor, action="person.renamed", target=f"person:{person_id}",
        before={"name": before.masked().name}, after={"name": mask_name(name)},
    )  # fmt: skip


async def sealed(db: Reader, person_ids: Iterable[UUID]) -> list[Record]:
    """Names and phones as they are kept, for `opened`."""
    return await db.fetch(SEALED, list(person_ids))


def opened(keyring: Keyring, rows: Iterable[Record]) -> dict[UUID, Details]:
    """Whole names and phones, for work approved and audited as a whole: pure CPU, so large lists in a thread."""
    return {row["id"]: _details(keyring, row) for row in rows}


async def _open(db: Reader, keyring: Keyring, person_ids: Iterable[UUID]) -> dict[UUID, Details]:
    return opened(keyring, await sealed(db, person_ids))


def _details(keyring: Keyring, row: Record) -> Details:
    def whole(column: str) -> str | None:
        kept = row[column]
        return None if kept is None else keyring.open(bytes(kept), Context("person", column, row["id"]))

    return Details(whole("name_sealed"), whole("phone_sealed"))
