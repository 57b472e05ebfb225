"""Billing runs (出账批次): draft → generating → ready → published, or cancelled, or failed (D3).

A run keeps its plan from the start, so that prices changed meanwhile do not reach it. Bills are generated chunk by
chunk: each chunk is one transaction that holds the run's row and moves `after_house` on, so a killed run resumes where
it was and two processes at once make the bills of one (F-18). Publishing is one transaction: it posts every bill, flips
the run's row, which makes all bills visible at once, and emits one event.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import asyncpg

from backend.fees import billing_sql, items, plan, prices
from backend.fees.periods import Anchor, Period
from backend.fees.plan import Item
from backend.fees.states import DEAD_RUNS, ItemState, RunState
from backend.kernel import audit, outbox
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.kernel.outbox import Lane
from backend.ledger import accounts

CHUNK = 10_000
LONG_S = 300
LOCK_S = 30


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it stands. Amounts in fen; `omitted_count` houses have a reason each."""

    id: UUID
    community_id: UUID
    item_id: UUID
    period: Period
    supplement: int
    only_house_id: UUID | None
    state: RunState
    due_on: date
    bill_count: int
    total_fen: int
    omitted_count: int


@dataclass(frozen=True, slots=True)
class Progress:
    """What a chunk did: whether the run needs no more of them, and how many rows it went through."""

    done: bool
    rows: int


# Without the plan, which may be large.
_COLUMNS = """id, community_id, item_id, period_start, period_end, supplement, state, only_house_id, due_on,
           after_house, bill_count, total_fen, omitted_count, cleared_at"""

LOCK = f"""
    SELECT {_COLUMNS}
      FROM billing_run WHERE id = $1 AND ($2::uuid[] IS NULL OR community_id = ANY ($2))
       FOR UPDATE
"""  # noqa: S608 - constants only

LOCK_ITEM = "SELECT id FROM fee_item WHERE id = $1 FOR NO KEY UPDATE"

# Runs of the item that touch the period, newest first. The caller holds the item's row.
TOUCHING = """
    SELECT id, period_start, supplement, state, only_house_id, cleared_at
      FROM billing_run
     WHERE item_id = $1 AND period_start < $3 AND period_end > $2
     ORDER BY id DESC
"""

# $6: any overlap counts; else, for years from handover, only a year that begins in the run's period.
LIVE_BILL = """
    SELECT h.no, EXISTS (SELECT FROM bill b WHERE b.item_id = $3 AND b.house_id = h.id AND b.state <> 'VOIDED'
                                              AND b.period_start < $5 AND b.period_end > $4
                                              AND ($6 OR b.period_start >= $4)) AS billed
      FROM billable_house h WHERE h.id = $1 AND h.community_id = $2
"""

INSERT = f"""
    INSERT INTO billing_run (id, community_id, item_id, period_start, period_end, supplement, state, plan,
                             only_house_id, after_house, due_on, created_by, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, 'DRAFT', $7, $8, $9, $10, $11, $12)
    RETURNING {_COLUMNS}
"""  # noqa: S608 - constants only

MOVE = "UPDATE billing_run SET state = $2 WHERE id = $1"

PUBLISH = f"""
    UPDATE billing_run SET state = 'PUBLISHED', published_by = $2, published_at = $3 WHERE id = $1
    RETURNING {_COLUMNS}
"""  # noqa: S608 - constants only

FAIL = "UPDATE billing_run SET state = 'FAILED', error = $2 WHERE id = $1"

CLEARED = "UPDATE billing_run SET cleared_at = $2 WHERE id = $1"


def of_row(row: Record) -> Run:
    """The run that a row of the table holds."""
    return Run(
        id=row["id"],
        community_id=row["community_id"],
        item_id=row["item_id"],
        period=Period(row["period_start"], row["period_end"]),
        supplement=row["supplement"],
        only_house_id=row["only_house_id"],
        state=RunState(row["state"]),
        due_on=row["due_on"],
        bill_count=row["bill_count"],
        total_fen=row["total_fen"],
        omitted_count=row["omitted_count"],
    )


async def create(
    tx: Tx,
    actor: Actor,
    *,
    item_id: UUID,
    communities: Sequence[UUID] | None,
    day: date,
    house_id: UUID | None = None,
) -> Run:
    """Make a draft of the item's period in which `day` lies, for all houses or for one, and have it generated.

    Over a published period it is a supplement: houses that have a bill are left out. Raises NotFound, Invalid for a
    period outside the item's validity, Conflict `item_closed`, `run_exists`, `run_clearing`, and for a single house
    `bill_exists` while it has a live bill of the period.
    """
    item = await items.lock(tx, item_id, communities=communities)
    if item.state != ItemState.ACTIVE:
        raise Conflict("该收费项目已停用。", code="item_closed")
    period = item.cycle.containing(day)
    if not item.cycle.covers(period):
        raise Invalid("所选周期不在收费项目的有效期内。", fields=[{"field": "day"}])
    supplement = await _free_supplement(tx, item, period, house_id)
    after_house = 0 if house_id is None else await _unbilled_house(tx, item, period, house_id) - 1
    planned = plan.build(item, period, await prices.of_item(tx, item_id), liable_on=tx.today)
    due_on = item.cycle.due_on(period, made_on=tx.today)
    row = await tx.fetchrow(
        INSERT, uuid7(tx.now), item.community_id, item_id, period.starts_on, period.ends_on, supplement, planned,
        house_id, after_house, due_on, actor.id if actor.kind == "staff" else None, tx.now,
    )  # fmt: skip
    assert row is not None
    outbox.emit(tx, "fees.run_requested", {"run_id": str(row["id"])}, community_id=item.community_id)
    audit.record(
        tx, actor, action="fees.run_created", target=f"billing_run:{row['id']}", community_id=item.community_id,
        after={"item_id": str(item_id), "period_start": period.starts_on.isoformat(), "supplement": supplement},
    )  # fmt: skip
    return of_row(row)


async def _free_supplement(tx: Tx, item: Item, period: Period, house_id: UUID | None) -> int:
    """The number of the next run of the period; Conflict while the period is not free."""
    touching = await tx.fetch(TOUCHING, item.id, period.starts_on, period.ends_on)
    for row in touching:
        if row["state"] in DEAD_RUNS and row["cleared_at"] is None:
            raise Conflict("上一个批次的草稿还在清理，请稍后再试。", code="run_clearing")
        unpublished = row["state"] not in DEAD_RUNS and row["state"] != RunState.PUBLISHED
        if unpublished and row["only_house_id"] == house_id:
            raise Conflict("本期已有未发布的批次，请先发布或取消它。", code="run_exists", run_id=str(row["id"]))
    same = [row["supplement"] for row in touching if row["period_start"] == period.starts_on]
    return max(same, default=-1) + 1


async def _unbilled_house(tx: Tx, item: Item, period: Period, house_id: UUID) -> int:
    """The house's number; NotFound outside the community, Conflict `bill_exists` while a live bill stands."""
    overlap = item.cycle.anchor is Anchor.CALENDAR
    house = await tx.fetchrow(
        LIVE_BILL, house_id, item.community_id, item.id, period.starts_on, period.ends_on, overlap
    )
    if house is None:
        raise NotFound
    if house["billed"]:
        raise Conflict("该房屋在本期已有有效账单，请先作废原账单。", code="bill_exists")
    return int(house["no"])


async def generate_chunk(tx: Tx, run_id: UUID, *, houses: int = CHUNK) -> Progress:
    """Make the bills of the next `houses` houses; the run is READY after the last. Does nothing in other states."""
    row = await tx.fetchrow(LOCK, run_id, None)
    if row is None or row["state"] not in (RunState.DRAFT, RunState.GENERATING):
        return Progress(done=True, rows=0)
    await tx.execute(LOCK_ITEM, row["item_id"])
    await tx.allow(statement_s=LONG_S, lock_s=LOCK_S)
    if row["state"] == RunState.DRAFT:
        await tx.execute(MOVE, run_id, RunState.GENERATING)
    until, rows = await _chunk_end(tx, row, houses)
    if rows:
        await _bill(tx, run_id, until)
    done = rows < houses
    if done:
        await tx.execute(MOVE, run_id, RunState.READY)
    return Progress(done=done, rows=rows)


async def _bill(tx: Tx, run_id: UUID, until: int | None) -> None:
    """The chunk's one statement; where a run of another item has just opened the same accounts, all is done again."""
    try:
        await tx.fetchrow(billing_sql.GENERATE_CHUNK, run_id, until, tx.now)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "account_once":
            raise
        raise asyncpg.SerializationError("accounts opened by another run") from error


async def _chunk_end(tx: Tx, row: Record, houses: int) -> tuple[int | None, int]:
    """The number of the chunk's last house, and how many houses it has."""
    if row["only_house_id"] is not None:
        found = await tx.fetchrow(billing_sql.SINGLE_CHUNK_END, row["only_house_id"], row["after_house"])
    else:
        found = await tx.fetchrow(billing_sql.CHUNK_END, row["community_id"], row["after_house"], houses)
    return (None, 0) if found is None else (found["until"], found["houses"])


async def publish(tx: Tx, actor: Actor, *, run_id: UUID, communities: Sequence[UUID]) -> Run:
    """Make every bill of a READY run visible and post it, in this transaction. NotFound, Conflict `run_not_ready`."""
    row = await _locked(tx, run_id, communities)
    if row["state"] != RunState.READY:
        raise Conflict("批次还没有准备好，不能发布。", code="run_not_ready", state=row["state"])
    await tx.allow(statement_s=LONG_S, lock_s=LOCK_S)
    income = await accounts.ensure(tx, accounts.Key(row["community_id"], accounts.Code.INCOME, row["item_id"]))
    posted = await tx.execute(billing_sql.POST_ISSUED, run_id, income, tx.now, tx.today)
    if int(posted.split()[-1]) != row["bill_count"]:
        raise RuntimeError(f"run {run_id}: {posted}, but {row['bill_count']} bills")
    published = await tx.fetchrow(PUBLISH, run_id, actor.id, tx.now)
    assert published is not None
    outbox.emit(tx, "fees.run_published", {"run_id": str(run_id)}, community_id=row["community_id"])
    if row["due_on"] < tx.today:
        outbox.emit(tx, "fees.prepaid_due", {}, community_id=row["community_id"], lane=Lane.BULK)
    audit.record(
        tx, actor, action="fees.run_published", target=f"billing_run:{run_id}", community_id=row["community_id"],
        before={"state": row["state"]},
        after={"state": "PUBLISHED", "bill_count": row["bill_count"], "total_fen": row["total_fen"]},
    )  # fmt: skip
    return of_row(published)


async def cancel(tx: Tx, actor: Actor, *, run_id: UUID, communities: Sequence[UUID], reason: str) -> Run:
    """Give up a run that is not published; its drafts are cleared by a job. NotFound, Conflict `run_not_open`."""
    row = await _locked(tx, run_id, communities)
    if row["state"] == RunState.PUBLISHED or row["state"] in DEAD_RUNS:
        raise Conflict("批次已经发布或取消，不能再取消。", code="run_not_open", state=row["state"])
    await tx.execute(MOVE, run_id, RunState.CANCELLED)
    outbox.emit(tx, "fees.run_given_up", {"run_id": str(run_id)}, community_id=row["community_id"])
    audit.record(
        tx, actor, action="fees.run_cancelled", target=f"billing_run:{run_id}", community_id=row["community_id"],
        reason=reason, before={"state": row["state"]}, after={"state": RunState.CANCELLED.value},
    )  # fmt: skip
    return of_row(await _locked(tx, run_id, communities))


async def fail(tx: Tx, run_id: UUID, *, error: str) -> None:
    """Mark a run that cannot be generated; its drafts are cleared and the period may be run again."""
    row = await tx.fetchrow(LOCK, run_id, None)
    if row is None or row["state"] not in (RunState.DRAFT, RunState.GENERATING):
        return
    if row["state"] == RunState.DRAFT:
        await tx.execute(MOVE, run_id, RunState.GENERATING)
    await tx.execute(FAIL, run_id, error)
    outbox.emit(tx, "fees.run_given_up", {"run_id": str(run_id)}, community_id=row["community_id"])
    audit.record(
        tx, SYSTEM, action="fees.run_failed", target=f"billing_run:{run_id}", community_id=row["community_id"],
        after={"error": error},
    )  # fmt: skip


async def clear_chunk(tx: Tx, run_id: UUID, *, rows: int = CHUNK) -> Progress:
    """Delete up to `rows` drafts and omissions of a run that was given up."""
    row = await tx.fetchrow(LOCK, run_id, None)
    if row is None or row["state"] not in DEAD_RUNS or row["cleared_at"] is not None:
        return Progress(done=True, rows=0)
    await tx.allow(statement_s=LONG_S)
    gone = int(await tx.fetchval(billing_sql.CLEAR_CHUNK, run_id, rows))
    if gone == 0:
        await tx.execute(CLEARED, run_id, tx.now)
    return Progress(done=gone == 0, rows=gone)


async def _locked(tx: Tx, run_id: UUID, communities: Sequence[UUID] | None) -> Record:
    row = await tx.fetchrow(LOCK, run_id, None if communities is None else list(communities))
    if row is None:
        raise NotFound
    return row
