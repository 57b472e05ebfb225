"""Categories of tickets (工单类别), a tree of two levels per company, with what is promised for each (D9).

Promises: a ticket keeps its category whatever becomes of it: one that is withdrawn takes no new tickets. A category of
one community is seen there alone. Changed promises count for tickets that come in, or are triaged, from then on.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import asyncpg

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.tickets.states import OF_CATEGORY, ClockKind, Dispatch, FollowUp, Kind
from backend.tickets.working_time import Measure

SETTINGS = """
    name, kind, dispatch, measure, respond_within, arrive_within, finish_within, follow_up, paid, needs_approval,
    warranty_days, auto_sign_off_days, reopen_days, daily
"""

COLUMNS = f"id, company_id, community_id, parent_id, withdrawn_at, {SETTINGS}"

OF_COMPANY = f"""
    SELECT {COLUMNS} FROM ticket_category
     WHERE company_id = $1 AND ($2 OR withdrawn_at IS NULL)
     ORDER BY community_id NULLS FIRST, kind, name, id
     LIMIT 500
"""  # noqa: S608 - columns are constants

OF_COMMUNITY = f"""
    SELECT {COLUMNS} FROM ticket_category
     WHERE company_id = (SELECT company_id FROM company_community WHERE community_id = $1)
       AND (community_id IS NULL OR community_id = $1) AND withdrawn_at IS NULL
     ORDER BY kind, name, id
     LIMIT 500
"""  # noqa: S608 - columns are constants

OPEN_IN = f"""
    SELECT {COLUMNS} FROM ticket_category
     WHERE id = $1 AND company_id = (SELECT company_id FROM company_community WHERE community_id = $2)
       AND (community_id IS NULL OR community_id = $2) AND withdrawn_at IS NULL
"""  # noqa: S608 - columns are constants

LOCK = f"SELECT {COLUMNS} FROM ticket_category WHERE id = $1 AND company_id = $2 FOR UPDATE"  # noqa: S608 - constants

INSERT = f"""
    INSERT INTO ticket_category (id, company_id, community_id, parent_id, created_at, {SETTINGS})
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
"""  # noqa: S608 - columns are constants

CHANGE = f"""
    UPDATE ticket_category
       SET ({SETTINGS}) = ROW ($2::text, $3::text, $4::text, $5::text, $6::integer, $7::integer, $8::integer, $9::text,
                               $10::boolean, $11::boolean, $12::integer, $13::integer, $14::integer, $15::integer)
     WHERE id = $1
"""  # noqa: S608 - columns are constants

WITHDRAW = "UPDATE ticket_category SET withdrawn_at = $2 WHERE id = $1"

HAS_CHILDREN = "SELECT 1 FROM ticket_category WHERE parent_id = $1 AND withdrawn_at IS NULL LIMIT 1"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a category promises. `*_within`: so many of `measure`, None where nothing is promised."""

    name: str
    kind: Kind
    dispatch: Dispatch = Dispatch.ASSIGN
    measure: Measure = Measure.WORKING_MINUTES
    respond_within: int | None = None
    arrive_within: int | None = None
    finish_within: int | None = None
    follow_up: FollowUp = FollowUp.NONE
    paid: bool = False
    needs_approval: bool = False
    warranty_days: int = 0
    auto_sign_off_days: int = 7
    reopen_days: int = 7
    daily: int | None = None


async def of_company(db: Reader, company_id: UUID, *, with_withdrawn: bool = False) -> list[Record]:
    """The categories of a company."""
    return await db.fetch(OF_COMPANY, company_id, with_withdrawn)


async def of_community(db: Reader, community_id: UUID) -> list[Record]:
    """The categories in which tickets of a community may come in."""
    return await db.fetch(OF_COMMUNITY, community_id)


async def open_in(db: Reader, category_id: UUID, *, community_id: UUID) -> Record:
    """A category in which a ticket of the community may come in; NotFound."""
    row = await db.fetchrow(OPEN_IN, category_id, community_id)
    if row is None:
        raise NotFound
    return row


async def create(
    tx: Tx, actor: Actor, *, company_id: UUID, community_id: UUID | None, parent_id: UUID | None, new: Settings
) -> UUID:
    """A new category; the caller has checked that the community is one of the company's.

    Raises NotFound for the parent, Invalid `too_deep`, `other_kind`, Conflict `name_taken`.
    """
    if parent_id is not None:
        parent = await _lock(tx, parent_id, company_id)
        if parent["parent_id"] is not None:
            raise Invalid("工单类别最多两级，请选择一级类别作为上级。", code="too_deep")
        if parent["kind"] != new.kind or parent["community_id"] not in (None, community_id):
            raise Invalid("下级类别须与上级同一性质、同一小区。", code="other_kind")
    category_id = uuid7(tx.now)
    await _write(tx, INSERT, category_id, company_id, community_id, parent_id, tx.now, *_values(new))
    audit.record(
        tx, actor, action="ticket_category.created", target=f"ticket_category:{category_id}",
        community_id=community_id or company_id, after=asdict(new),
    )  # fmt: skip
    return category_id


async def change(tx: Tx, actor: Actor, *, category_id: UUID, company_id: UUID, new: Settings) -> None:
    """Replace what a category promises; NotFound, Conflict `name_taken`, Invalid `other_kind`: its kind stays."""
    before = await _lock(tx, category_id, company_id)
    if before["kind"] != new.kind:
        raise Invalid("工单类别的性质不能修改，请停用后新建一个。", code="other_kind")
    await _write(tx, CHANGE, category_id, *_values(new))
    audit.record(
        tx, actor, action="ticket_category.changed", target=f"ticket_category:{category_id}",
        community_id=before["community_id"] or company_id,
        before={name: before[name] for name in asdict(new)}, after=asdict(new),
    )  # fmt: skip


async def withdraw(tx: Tx, actor: Actor, *, category_id: UUID, company_id: UUID, reason: str) -> None:
    """Take no new tickets in a category; NotFound, Conflict `category_withdrawn`, `has_children`."""
    row = await _lock(tx, category_id, company_id)
    if row["withdrawn_at"] is not None:
        raise Conflict("这个工单类别已经停用。", code="category_withdrawn")
    if await tx.fetchval(HAS_CHILDREN, category_id) is not None:
        raise Conflict("请先停用它的下级类别。", code="has_children")
    await tx.execute(WITHDRAW, category_id, tx.now)
    audit.record(
        tx, actor, action="ticket_category.withdrawn", target=f"ticket_category:{category_id}",
        community_id=row["community_id"] or company_id, reason=reason, before={"name": row["name"]},
    )  # fmt: skip


def promises(category: Record) -> dict[ClockKind, int]:
    """Clock → so many of the category's measure, where something is promised."""
    found = {kind: category[f"{kind}_within"] for kind in OF_CATEGORY}
    return {kind: within for kind, within in found.items() if within is not None}


async def _lock(tx: Tx, category_id: UUID, company_id: UUID) -> Record:
    row = await tx.fetchrow(LOCK, category_id, company_id)
    if row is None:
        raise NotFound
    return row


async def _write(tx: Tx, sql: str, *values: Any) -> None:
    try:
        async with tx.savepoint():
            await tx.execute(sql, *values)
    except asyncpg.UniqueViolationError as error:
        raise Conflict("同一级已有这个名称的工单类别，请换一个。", code="name_taken") from error


def _values(new: Settings) -> Sequence[Any]:
    return list(asdict(new).values())
