"""Exporting a roster: everything that can be imported, whole names and phones, so two people and a reason (S1, D12).

The file is made by a job after the approval, is read by the person who asked for it, and is deleted after a week.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from backend.identity import people
from backend.identity.people import Details
from backend.kernel import approvals, audit, outbox
from backend.kernel.approvals import Approval, ApprovalKind
from backend.kernel.audit import Actor
from backend.kernel.clock import local_date
from backend.kernel.db import Database, Reader, Record, Tx
from backend.kernel.errors import NotFound
from backend.kernel.ids import uuid7
from backend.kernel.outbox import Job
from backend.kernel.resources import Resources
from backend.property import houses, occupancy
from backend.property.houses import House
from backend.property.occupancy import Occupancy
from backend.roster import files
from backend.roster.columns import KIND_NAMES

KIND = "roster.export"
APPROVED = "roster.export_approved"
KEPT = timedelta(days=7)
ADDRESS_S = 600
PAGE = 1_000


class ExportState(StrEnum):
    """States of an export's file."""

    WRITING = "WRITING"
    READY = "READY"
    EXPIRED = "EXPIRED"


INSERT = """
    INSERT INTO roster_export (id, community_id, approval_id, state, created_by, created_at)
    VALUES ($1, $2, $3, 'WRITING', $4, $5)
"""
_SHOWN = "id, community_id, state, row_count, file_key, created_by, created_at, finished_at"
ONE = f"SELECT {_SHOWN} FROM roster_export WHERE id = $1"  # noqa: S608 - columns are constants
LIST = f"""
    SELECT {_SHOWN} FROM roster_export WHERE community_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2
"""  # noqa: S608 - columns are constants
READY = """
    UPDATE roster_export SET state = 'READY', file_key = $2, row_count = $3, finished_at = $4
     WHERE id = $1 AND state = 'WRITING'
"""
OLD = "SELECT id, file_key FROM roster_export WHERE state = 'READY' AND finished_at < $1 LIMIT 1000"
EXPIRE = "UPDATE roster_export SET state = 'EXPIRED', file_key = NULL WHERE id = $1"


@dataclass(frozen=True, slots=True)
class RosterExport:
    """An approved export."""

    id: UUID
    community_id: UUID
    state: ExportState
    row_count: int
    file_key: str | None
    created_by: UUID
    created_at: datetime
    finished_at: datetime | None


async def propose(tx: Tx, actor: Actor, *, community_id: UUID, reason: str) -> Approval:
    """Ask for the export of a community's roster; Conflict `approval_pending` while another one waits."""
    return await approvals.propose(
        tx,
        actor,
        kind=KIND,
        target=f"community:{community_id}",
        community_id=community_id,
        payload={"community_id": str(community_id)},
        shown={"before": {}, "after": {"houses": await houses.count(tx, community_id)}},
        reason=reason,
    )


async def apply(tx: Tx, approval: Approval, actor: Actor) -> None:
    """Start the export that was approved."""
    export_id, community_id = uuid7(tx.now), UUID(approval.payload["community_id"])
    await tx.execute(INSERT, export_id, community_id, approval.id, approval.proposed_by, tx.now)
    outbox.emit(tx, APPROVED, {"export_id": str(export_id)}, community_id=community_id)


async def write(job: Job) -> None:
    """Handler of `roster.export_approved`: make the file and say that it is there."""
    res, export_id = job.res, UUID(job.payload["export_id"])
    export = await one(res.db, export_id)
    rows: list[list[Any]] = []
    after_no, today = 0, local_date(res.clock.now())
    while page := await houses.page(res.db, export.community_id, after_no=after_no, limit=PAGE):
        rows += await _rows(res, page, today)
        after_no = page[-1].no
    key = f"roster-exports/{export_id.hex}.xlsx"
    await res.storage.put(key, await files.write(rows))

    async def work(tx: Tx) -> None:
        await tx.execute(READY, export_id, key, len(rows), tx.now)

    await job.transact(work)


async def _rows(res: Resources, page: Sequence[House], today: date) -> list[list[Any]]:
    """The rows of some houses in the order of the columns."""
    house_ids = [house.id for house in page]
    places = await _places(res.db, house_ids)
    living: dict[UUID, list[Occupancy]] = {}
    for tie in await occupancy.of_houses(res.db, house_ids, today=today):
        living.setdefault(tie.house_id, []).append(tie)
    person_ids = {tie.person_id for ties in living.values() for tie in ties if tie.role != "family"}
    sealed = await people.sealed(res.db, person_ids)
    known = await asyncio.to_thread(people.opened, res.keyring, sealed)
    return [_row(house, places[house.id], living.get(house.id, []), known) for house in page]


async def _places(db: Database, house_ids: Sequence[UUID]) -> dict[UUID, tuple[str, str]]:
    return {house_id: (building, unit) for house_id, building, unit in await houses.places(db, house_ids)}


def _row(house: House, place: tuple[str, str], living: Sequence[Occupancy], known: Mapping[UUID, Details]) -> list[Any]:
    features = house.features
    cells: list[Any] = [
        place[0],
        place[1],
        house.code,
        KIND_NAMES[features.kind],
        _square_metres(features.gross_area_cm2),
        _square_metres(features.inner_area_cm2),
        features.floor,
        None if features.handover_on is None else features.handover_on.isoformat(),
    ]
    for role in ("owner", "tenant"):
        listed = [known[tie.person_id] for tie in living if tie.role == role and tie.person_id in known]
        cells.append("、".join(person.name or "未登记" for person in listed) or None)
        cells.append("、".join(person.phone or "" for person in listed) or None)
    return cells


def _square_metres(area_cm2: int | None) -> str | None:
    if area_cm2 is None:
        return None
    text = f"{Decimal(area_cm2) / 10_000:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


async def one(db: Reader, export_id: UUID) -> RosterExport:
    """The export of an id; raises NotFound."""
    row = await db.fetchrow(ONE, export_id)
    if row is None:
        raise NotFound
    return RosterExport(**row)


async def of_community(db: Reader, community_id: UUID, *, limit: int = 20) -> list[RosterExport]:
    """The latest exports of a community."""
    return [RosterExport(**row) for row in await db.fetch(LIST, community_id, limit)]


async def open_address(res: Resources, actor: Actor, export: RosterExport) -> str:
    """An address at which the file can be read for ten minutes; each is recorded. NotFound unless it is ready."""
    if export.file_key is None:
        raise NotFound

    async def work(tx: Tx) -> None:
        audit.record(
            tx, actor, action="roster.downloaded", target=f"roster_export:{export.id}",
            community_id=export.community_id,
        )  # fmt: skip

    await res.db.transact(work)
    return res.storage.url(export.file_key, ADDRESS_S)


async def expire(res: Resources, period: str) -> None:
    """Delete the files of exports older than a week."""
    old: list[Record] = await res.db.fetch(OLD, res.clock.now() - KEPT)
    for row in old:
        await res.storage.delete(row["file_key"])
        await res.db.execute(EXPIRE, row["id"])


APPROVALS: Mapping[str, ApprovalKind] = {KIND: ApprovalKind("roster.release", apply)}
