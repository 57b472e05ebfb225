"""Importing a roster: upload, check, look at it, confirm, all or nothing (S1, D1).

`CHECKING → READY | REFUSED`, `READY → IMPORTING | CANCELLED`, `IMPORTING → IMPORTED | REFUSED`. The file is kept and
read again when it is imported; what was shown is checked once more under the community's lock. The import is one
transaction; its progress is written beside it. The same file again changes nothing.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, TypeVar, cast
from uuid import UUID

from backend.identity import people
from backend.identity.people import Person
from backend.kernel import audit, outbox
from backend.kernel.audit import Actor
from backend.kernel.auth import TieRole
from backend.kernel.clock import local_date
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.ids import uuid7
from backend.kernel.outbox import Job
from backend.kernel.resources import Resources
from backend.property import house_rows, occupancy, search
from backend.property.house_rows import HouseRow
from backend.property.kinds import HouseKind
from backend.roster import files
from backend.roster.columns import OWNER_PHONE, TENANT_PHONE, ParsedRow, Problem
from backend.roster.files import Roster

T = TypeVar("T")
UPLOADED, CONFIRMED = "roster.uploaded", "roster.confirmed"
CHUNK = 2_000
FILES_KEPT = timedelta(days=7)


class ImportState(StrEnum):
    """States of an import; the table of moves stands in the database's trigger `roster_import_moves`."""

    CHECKING = "CHECKING"
    READY = "READY"
    REFUSED = "REFUSED"
    IMPORTING = "IMPORTING"
    IMPORTED = "IMPORTED"
    CANCELLED = "CANCELLED"


INSERT = """
    INSERT INTO roster_import (id, community_id, file_sha256, file_name, state, file_key, created_by, created_at)
    VALUES ($1, $2, $3, $4, 'CHECKING', $5, $6, $7)
        ON CONFLICT (community_id, file_sha256) WHERE state IN ('CHECKING', 'READY', 'IMPORTING') DO NOTHING
    RETURNING id
"""
LIVE = """
    SELECT id FROM roster_import
     WHERE community_id = $1 AND file_sha256 = $2 AND state IN ('CHECKING', 'READY', 'IMPORTING')
"""
_SHOWN = """
    id, community_id, file_name, state, row_count, done_rows, error_count, summary, created_by, created_at, finished_at
"""
ONE = f"SELECT {_SHOWN}, file_key FROM roster_import WHERE id = $1"  # noqa: S608 - columns are constants
LIST = f"""
    SELECT {_SHOWN}, file_key FROM roster_import WHERE community_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2
"""  # noqa: S608 - columns are constants
LOCK = "SELECT state, community_id FROM roster_import WHERE id = $1 FOR UPDATE"
MOVE = "UPDATE roster_import SET state = $2, done_rows = 0 WHERE id = $1"
CHECKED = """
    UPDATE roster_import
       SET state = $2, row_count = $3, errors = $4, error_count = $5, summary = $6, finished_at = $7
     WHERE id = $1 AND state = $8
"""
PROGRESS = "UPDATE roster_import SET done_rows = $2 WHERE id = $1 AND state = 'IMPORTING'"
FINISH = """
    UPDATE roster_import SET state = 'IMPORTED', done_rows = row_count, summary = $2, finished_at = $3
     WHERE id = $1 AND state = 'IMPORTING'
"""
ERRORS = """
    SELECT e.value FROM roster_import i, jsonb_array_elements(i.errors) WITH ORDINALITY AS e (value, n)
     WHERE i.id = $1 AND e.n > $2 ORDER BY e.n LIMIT $3
"""
# Uploaded files hold plain names and phones: they go a week after the upload, whatever became of it.
OLD_FILES = """
    SELECT id, file_key FROM roster_import
     WHERE created_at < $1 AND file_key <> '' AND state NOT IN ('CHECKING', 'IMPORTING')
     LIMIT 1000
"""
FORGET_FILE = """
    UPDATE roster_import SET file_key = '', state = CASE state WHEN 'READY' THEN 'CANCELLED' ELSE state END
     WHERE id = $1 AND state NOT IN ('CHECKING', 'IMPORTING')
"""
# One import of a community at a time.
LOCK_COMMUNITY = "SELECT pg_advisory_xact_lock(hashtextextended('roster:' || $1::uuid::text, 0))"


@dataclass(frozen=True, slots=True)
class RosterImport:
    """An import as staff see it."""

    id: UUID
    community_id: UUID
    file_name: str
    state: ImportState
    row_count: int
    done_rows: int
    error_count: int
    summary: dict[str, int]
    created_by: UUID
    created_at: datetime
    finished_at: datetime | None
    file_key: str


@dataclass(frozen=True, slots=True)
class Looked:
    """What the database says to the rows of a file: counts for the preview, and further problems."""

    summary: dict[str, int]
    problems: tuple[Problem, ...]


async def upload(res: Resources, actor: Actor, *, community_id: UUID, file_name: str, body: bytes) -> UUID:
    """Keep a file and have it checked; the id of the import. The same file while one is under way is that import."""
    digest = sha256(body).digest()
    known: UUID | None = await res.db.fetchval(LIVE, community_id, digest)
    if known is not None:
        return known
    import_id = uuid7(res.clock.now())
    key = f"rosters/{import_id.hex}.xlsx"
    await res.storage.put(key, body)

    async def work(tx: Tx) -> UUID:
        made: UUID | None = await tx.fetchval(INSERT, import_id, community_id, digest, file_name, key, actor.id, tx.now)
        if made is None:
            existing: UUID = await tx.fetchval(LIVE, community_id, digest)
            return existing
        outbox.emit(tx, UPLOADED, {"import_id": str(made)}, community_id=community_id)
        return made

    made = await res.db.transact(work)
    if made != import_id:
        await res.storage.delete(key)
    return made


async def check(job: Job) -> None:
    """Handler of `roster.uploaded`: read the file, compare it with the database, and store the preview."""
    res, import_id = job.res, UUID(job.payload["import_id"])
    found = await one(res.db, import_id)
    roster = await files.read(await res.storage.get(found.file_key))
    looked = await _look(res, res.db, found.community_id, roster)
    problems = (*roster.problems, *looked.problems)
    state = ImportState.REFUSED if problems else ImportState.READY

    async def work(tx: Tx) -> None:
        await tx.execute(
            CHECKED, import_id, state, len(roster.rows), [_problem(problem) for problem in problems],
            roster.problem_count + len(looked.problems), looked.summary, tx.now if problems else None,
            ImportState.CHECKING,
        )  # fmt: skip

    await job.transact(work)


async def confirm(tx: Tx, actor: Actor, *, import_id: UUID) -> None:
    """Import what the preview showed; Conflict `not_ready`."""
    row = await _lock(tx, import_id)
    if row["state"] != ImportState.READY:
        raise Conflict("这份名册现在不能导入，请先查看检查结果。", code="not_ready")
    await tx.execute(MOVE, import_id, ImportState.IMPORTING)
    outbox.emit(tx, CONFIRMED, {"import_id": str(import_id)}, community_id=row["community_id"])
    audit.record(
        tx, actor, action="roster.confirmed", target=f"roster_import:{import_id}", community_id=row["community_id"]
    )


async def cancel(tx: Tx, actor: Actor, *, import_id: UUID) -> None:
    """Put an import aside that was checked and not confirmed; Conflict `not_ready`."""
    row = await _lock(tx, import_id)
    if row["state"] != ImportState.READY:
        raise Conflict("这份名册现在不能取消。", code="not_ready")
    await tx.execute(MOVE, import_id, ImportState.CANCELLED)
    audit.record(
        tx, actor, action="roster.cancelled", target=f"roster_import:{import_id}", community_id=row["community_id"]
    )


async def carry_out(job: Job) -> None:
    """Handler of `roster.confirmed`: put every row there in one transaction, or none."""
    res, import_id = job.res, UUID(job.payload["import_id"])
    found = await one(res.db, import_id)
    roster = await files.read(await res.storage.get(found.file_key))
    phones = {person.phone: person.name for row in roster.rows for person in row.people}
    entries = await asyncio.to_thread(people.seal, res.keyring, phones.items(), at=res.clock.now())

    async def work(tx: Tx) -> None:
        await tx.allow(statement_s=55, lock_s=30)
        await tx.execute(LOCK_COMMUNITY, found.community_id)
        if (await one(tx, import_id)).state != ImportState.IMPORTING:
            return
        looked = await _look(res, tx, found.community_id, roster)
        if roster.problems or looked.problems:
            errors = [_problem(problem) for problem in (*roster.problems, *looked.problems)]
            await tx.execute(
                CHECKED, import_id, ImportState.REFUSED, len(roster.rows), errors, len(errors), looked.summary, tx.now,
                ImportState.IMPORTING,
            )  # fmt: skip
            return
        persons: dict[str, Person] = {}
        for chunk in _chunks(entries):
            persons |= await people.ensure_many(tx, res.keyring, chunk)
        summary = await _put(res, tx, found, roster.rows, persons)
        await tx.execute(FINISH, import_id, summary, tx.now)
        audit.record(
            tx, Actor("staff", found.created_by), action="roster.imported", target=f"roster_import:{import_id}",
            community_id=found.community_id, after=dict(summary),
        )  # fmt: skip

    await job.transact(work)


async def _put(
    res: Resources, tx: Tx, found: RosterImport, rows: Sequence[ParsedRow], persons: dict[str, Person]
) -> dict[str, int]:
    """Put houses and ties there, chunk by chunk; the progress is seen at once, the rows all at the end."""
    summary = {"new_houses": 0, "changed_houses": 0, "new_ties": 0}
    done = 0
    for chunk in _chunks(rows):
        put = await house_rows.put(tx, found.community_id, [_house_row(row) for row in chunk])
        listed = [
            occupancy.Listed(house_id, house_no, who.id, who.no, cast(TieRole, person.role))
            for row, (house_id, house_no) in zip(chunk, put.houses, strict=True)
            for person in row.people
            for who in (persons[person.phone],)
        ]
        summary["new_houses"] += put.created
        summary["changed_houses"] += put.changed
        summary["new_ties"] += await occupancy.bind_many(tx, community_id=found.community_id, listed=listed)
        done += len(chunk)
        await res.db.execute(PROGRESS, found.id, done)
    return summary


async def _look(res: Resources, db: Reader, community_id: UUID, roster: Roster) -> Looked:
    """What importing the rows would do, and which rows the database contradicts."""
    summary = {"new_houses": 0, "changed_houses": 0, "same_houses": 0, "new_ties": 0}
    problems: list[Problem] = []
    today = db.today if isinstance(db, Tx) else local_date(res.clock.now())
    for chunk in _chunks(roster.rows):
        known = await house_rows.compare(db, community_id, [_house_row(row) for row in chunk])
        phones = {person.phone for row in chunk for person in row.people}
        persons = await people.by_phone(db, res.keyring, phones)
        house_ids = [one.house_id for one in known if one.house_id is not None]
        roles = await occupancy.roles(db, house_ids, today=today)
        for row, house in zip(chunk, known, strict=True):
            state = "new_houses" if house.house_id is None else "changed_houses" if house.differs else "same_houses"
            summary[state] += 1
            for person in row.people:
                who = persons.get(person.phone)
                held = None if who is None or house.house_id is None else roles.get((house.house_id, who.id))
                if held is None:
                    summary["new_ties"] += 1
                elif held != person.role:
                    problems.append(_other_role(row, person.role, held))
    return Looked(summary, tuple(problems))


def _other_role(row: ParsedRow, wanted: str, held: str) -> Problem:
    names = {"owner": "业主", "family": "家人", "tenant": "租户"}
    column = OWNER_PHONE if wanted == "owner" else TENANT_PHONE
    return Problem(row.row, column, f"此人目前登记为这套房屋的{names[held]}，请先办理迁出再改为{names[wanted]}。")


def _house_row(row: ParsedRow) -> HouseRow:
    return HouseRow(
        building=row.building,
        building_name=row.building_name,
        unit=row.unit,
        door=row.door,
        search_key=search.key_of(row.building, row.unit, row.door),
        kind=HouseKind(row.kind),
        gross_area_cm2=row.gross_area_cm2,
        inner_area_cm2=row.inner_area_cm2,
        floor=row.floor,
        handover_on=None if row.handover_on is None else date.fromisoformat(row.handover_on),
    )


async def one(db: Reader, import_id: UUID) -> RosterImport:
    """The import of an id; raises NotFound."""
    row = await db.fetchrow(ONE, import_id)
    if row is None:
        raise NotFound
    return RosterImport(**row)


async def of_community(db: Reader, community_id: UUID, *, limit: int = 20) -> list[RosterImport]:
    """The latest imports of a community."""
    return [RosterImport(**row) for row in await db.fetch(LIST, community_id, limit)]


async def problems(db: Reader, import_id: UUID, *, after: int = 0, limit: int = 20) -> list[Problem]:
    """The problems of an import in the order of the rows, from the one after number `after`."""
    rows = await db.fetch(ERRORS, import_id, after, limit)
    return [Problem(row["value"]["row"], row["value"]["column"], row["value"]["message"]) for row in rows]


def _chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))


async def forget_files(res: Resources, _period: str) -> None:
    """Delete uploaded files after a week; what was never confirmed is cancelled."""
    for row in await res.db.fetch(OLD_FILES, res.clock.now() - FILES_KEPT):
        await res.db.execute(FORGET_FILE, row["id"])
        await res.storage.delete(row["file_key"])


def _problem(problem: Problem) -> dict[str, Any]:
    return problem._asdict()


async def _lock(tx: Tx, import_id: UUID) -> Record:
    row = await tx.fetchrow(LOCK, import_id)
    if row is None:
        raise NotFound
    return row
