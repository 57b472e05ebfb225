"""Runs of reconciliation (对账): one per merchant, day and kind of statement, leased and fenced (D7, F-21).

Promises: a day's statement is read from 10:00 of the next day on; a day without trades is success; a file that cannot
be believed is refused whole, leaves nothing behind but its reason, and is tried again; a run that was made again keeps
what people have decided. Whoever lost the lease changes nothing: `attempt` is the fence. The file is downloaded outside
any transaction; everything that it brings about is one transaction.
"""

import asyncio
import hashlib
import tempfile
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import BinaryIO, cast
from uuid import UUID

from backend.kernel import audit, outbox
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict
from backend.kernel.failpoints import failpoint
from backend.kernel.ids import uuid7
from backend.kernel.resources import Resources
from payments import merchants
from payments.channels.base import Channel, ChannelFailure, StatementKind
from payments.merchants import Merchant
from payments.reconcile import bank, checks, fees, fund_flow, loading, matching, reading_alipay, reading_wechat, sql
from payments.reconcile.matching import Matched, Side
from payments.reconcile.reading import Reader, Refused, Told

DUE, FOUND = "payments.reconcile_due", "payments.reconcile_found"
LEASE = timedelta(minutes=5)
STATEMENT_S = 600
RETIRED_FOR = timedelta(days=32)
LOOK_BACK = timedelta(days=30)
ERROR_CHARACTERS = 300
DIRECTORY = "statements"
# A statement of so many bytes needs no file: most days of most merchants.
SMALL = 1 << 20

# Rows of one number at one channel are one merchant there; the oldest stands for all.
ACCOUNTS = """
    SELECT (array_agg(id ORDER BY id))[1] AS id, bool_or(sub_mchid IS NOT NULL) AS sub
      FROM merchant
     WHERE channel IN ('wechat', 'alipay') AND (retired_at IS NULL OR retired_at > $1)
     GROUP BY channel, mchid, coalesce(sub_mchid, '')
"""

# A run is taken when nobody holds it; a finished one only when it is forced. All rows with the merchant's number at the
# channel come with it.
TAKE = """
    INSERT INTO reconciliation_run (id, merchant_id, company_id, channel, day, kind, state, lease_until, started_at)
    VALUES ($1, $2, $3, $4, $5, $6, 'RUNNING', $8::timestamptz + $9, $8)
        ON CONFLICT (merchant_id, day, kind) DO UPDATE
       SET state = 'RUNNING', attempt = reconciliation_run.attempt + 1, started_at = excluded.started_at,
           lease_until = excluded.lease_until, error = NULL
     WHERE CASE reconciliation_run.state WHEN 'DONE' THEN $7
                                         WHEN 'RUNNING' THEN reconciliation_run.lease_until < $8
                                         ELSE true END
 RETURNING id, attempt,
           (SELECT array_agg(other.id ORDER BY other.id)
              FROM merchant m
              JOIN merchant other ON (other.channel, other.mchid) = (m.channel, m.mchid)
                                 AND coalesce(other.sub_mchid, '') = coalesce(m.sub_mchid, '')
             WHERE m.id = $2) AS merchants
"""

STATE = "SELECT state FROM reconciliation_run WHERE merchant_id = $1 AND day = $2 AND kind = $3"

FINISH = """
    UPDATE reconciliation_run
       SET state = 'DONE', finished_at = $3, lease_until = NULL, file_sha256 = $4, lines = $5, amount_fen = $6,
           refund_fen = $7, fee_mfen = $8, fee_fen = $9, matched = $10
     WHERE id = $1 AND attempt = $2 AND state = 'RUNNING'
 RETURNING id
"""

FAIL = """
    UPDATE reconciliation_run SET state = 'FAILED', finished_at = $3, lease_until = NULL, error = $4
     WHERE id = $1 AND attempt = $2 AND state = 'RUNNING'
 RETURNING id
"""

OURS = """
    SELECT CASE $4 WHEN 'trades' THEN
                   (SELECT count(*) FROM payment_attempt
                     WHERE state = 'PAID' AND merchant_id = ANY($1::uuid[]) AND paid_at >= $2 AND paid_at < $3)
                   WHEN 'refunds' THEN
                   (SELECT count(*) FROM refund
                     WHERE state = 'SUCCEEDED' AND merchant_id = ANY($1::uuid[])
                       AND CASE channel WHEN 'alipay' THEN finished_at ELSE submitted_at END >= $2
                       AND CASE channel WHEN 'alipay' THEN finished_at ELSE submitted_at END < $3)
                   ELSE 0 END
"""

BEFORE = """
    SELECT count(*) FROM reconciliation_run
     WHERE merchant_id = $1 AND day = $2 AND kind IN ('trades', 'refunds') AND state = 'DONE'
"""


class LeaseLost(Exception):
    """Somebody else has taken the run: nothing of ours is kept."""


class NotYet(Exception):
    """The run cannot be made now: somebody is at it, or what comes before it is not done."""


class NothingThere(Exception):
    """The channel knows of nothing on a day on which we have something: it is tried again, at last believed."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A run in our hands."""

    side: Side
    attempt: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to."""

    run_id: UUID
    told: Told
    matched: int
    fee_fen: int


async def plan(res: Resources, day: date) -> int:
    """Emit a job for every merchant and kind of statement of a day, each once; how many merchants there are."""

    async def work(tx: Tx) -> int:
        accounts = await tx.fetch(ACCOUNTS, tx.now - RETIRED_FOR)
        for row in accounts:
            for kind in StatementKind:
                # The account of a sub merchant is its own: its service provider does not get its fund flow.
                if kind is StatementKind.FUND_FLOW and row["sub"]:
                    continue
                payload = {"merchant_id": str(row["id"]), "day": day.isoformat(), "kind": kind.value}
                key = f"{row['id']}:{day}:{kind}"
                outbox.emit(tx, DUE, payload, dedup_key=key, lane=outbox.Lane.BULK)
        return len(accounts)

    return await res.db.transact(work)


async def plan_moved(res: Resources, today: date) -> int:
    """Emit a forced job for every day of late whose books have moved since it was compared; how many."""

    async def work(tx: Tx) -> int:
        await tx.allow(statement_s=STATEMENT_S)
        moved = await checks.moved(tx, since=today - LOOK_BACK, until=today)
        for row in moved:
            day, kind = row["day"].isoformat(), row["kind"]
            payload = {"merchant_id": str(row["merchant_id"]), "day": day, "kind": kind, "force": True}
            key = f"{row['merchant_id']}:{day}:{kind}:{today}"
            outbox.emit(tx, DUE, payload, dedup_key=key, lane=outbox.Lane.BULK)
        return len(moved)

    return await res.db.transact(work)


async def again(tx: Tx, actor: Actor, *, merchant: Merchant, day: date, kind: StatementKind, reason: str) -> None:
    """Ask for a forced run; what people have decided stays. Conflict `day_not_over` before the day is over."""
    if day >= tx.today:
        raise Conflict("这一天还没有结束，渠道要到次日十点才出账单。", code="day_not_over")
    payload = {"merchant_id": str(merchant.id), "day": day.isoformat(), "kind": kind.value, "force": True}
    outbox.emit(tx, DUE, payload, lane=outbox.Lane.BULK)
    audit.record(
        tx, actor, action="payments.reconciliation_forced", target=f"merchant:{merchant.id}",
        community_id=merchant.book, reason=reason, after={"day": day.isoformat(), "kind": kind.value},
    )  # fmt: skip


async def reconcile(
    res: Resources, *, merchant_id: UUID, day: date, kind: StatementKind, force: bool = False,
    empty_believed: bool = False,
) -> Result | None:  # fmt: skip
    """Make a run; None where it is done already.

    `empty_believed`: the channel has said often enough that it has no statement, so that what we have of the day is
    a difference each; a forced run believes it at once.

    Raises NotYet, NothingThere, Refused (the run has failed then, and says why), LeaseLost, what the channel raises.
    """
    taken = await take(res, merchant_id=merchant_id, day=day, kind=kind, force=force)
    if taken is None:
        return None
    # Files without a name: nothing of them is left, however the process ends.
    with _file(res) as file, _file(res) as trades:
        try:
            there = await _download(res, taken.side, file)
            if not (there or force or empty_believed) and await _ours(res, taken.side):
                raise NothingThere("渠道没有这一天的账单，但我们这一天有成功的交易。")
            beside = False
            if there and kind is StatementKind.FUND_FLOW:
                beside = await _download(res, replace(taken.side, kind=StatementKind.TRADES), trades)
            return await apply(res, taken, file if there else None, trades=trades if beside else None)
        except (Refused, NothingThere) as reason:
            await fail(res, taken, str(reason))
            raise
        except ChannelFailure:
            await fail(res, taken, "暂时取不到渠道的账单，稍后会自动重试。")
            raise


async def take(res: Resources, *, merchant_id: UUID, day: date, kind: StatementKind, force: bool) -> Taken | None:
    """Take the lease of a run; None where it is done. Raises NotYet."""
    merchant = await merchants.merchant(res, merchant_id)
    if kind is StatementKind.FUND_FLOW and await res.db.fetchval(BEFORE, merchant_id, day) < 2:
        raise NotYet("the trades and refunds of the day come first")
    now = res.clock.now()
    row = await res.db.fetchrow(
        TAKE, uuid7(now), merchant_id, merchant.company_id, merchant.channel.value, day, kind.value, force, now, LEASE
    )
    if row is not None:
        return Taken(Side(row["id"], merchant, tuple(row["merchants"]), day, kind), row["attempt"])
    if await res.db.fetchval(STATE, merchant_id, day, kind.value) == "DONE":
        return None
    raise NotYet("somebody is at it")


async def apply(res: Resources, taken: Taken, file: BinaryIO | None, *, trades: BinaryIO | None = None) -> Result:
    """Everything that a file brings about, in one transaction; `file` None: an empty day.

    `trades`: the day's trade bill, beside a fund flow, for its fees.
    """
    digest = None if file is None else await asyncio.to_thread(_sha256, file)

    async def work(tx: Tx) -> Result:
        side, told, fee_fen = taken.side, Told(), 0
        funds = side.kind is StatementKind.FUND_FLOW
        quiet = file is None and await _quiet(tx, side)
        if not quiet:
            await tx.allow(statement_s=STATEMENT_S)
            told = await _load(tx, side, file, trades)
        await failpoint("reconcile.loaded")
        found = await (_pass(tx, side) if quiet else fund_flow.match(tx, side) if funds else matching.match(tx, side))
        fee_mfen = sum(share.fee_mfen for share in found.shares)
        if not quiet:
            fee_fen = await fees.post(tx, run_id=side.run_id, attempt=taken.attempt, shares=found.shares)
        _tell(tx, side, told, found.lines, quiet=quiet)
        done = await tx.fetchrow_and_flush(
            FINISH, side.run_id, taken.attempt, tx.now, digest, told.lines, told.amount_fen, told.refund_fen, fee_mfen,
            fee_fen, found.lines,
        )  # fmt: skip
        if done is None:
            raise LeaseLost
        if funds:
            await bank.rematch(tx, side.merchant.company_id)
        return Result(side.run_id, told, found.lines, fee_fen)

    return await res.db.transact(work)


async def _quiet(tx: Tx, side: Side) -> bool:
    """Whether a day without a file has nothing to be compared either: most days of a small merchant."""
    statement = fund_flow.QUIET if side.kind is StatementKind.FUND_FLOW else matching.QUIET[side.kind]
    return bool(await tx.fetchval(statement, list(side.merchants), side.starts_at, side.ends_at, side.run_id))


async def _pass(tx: Tx, side: Side) -> Matched:
    """A quiet day needs no staging tables; but it is the day after another one."""
    await matching.pass_day(tx, side)
    return Matched(0, ())


async def _load(tx: Tx, side: Side, file: BinaryIO | None, trades: BinaryIO | None) -> Told:
    """Staging tables with what the files tell."""
    told, funds = Told(), side.kind is StatementKind.FUND_FLOW
    await tx.execute(sql.ROOM)
    await tx.execute(sql.STAGE)
    if funds:
        await tx.execute(fund_flow.STAGE)
    if file is not None:
        told = await loading.load(tx, file, _reader(side), table="fund_line" if funds else "statement_line")
    if trades is not None:
        await loading.load(tx, trades, _reader(replace(side, kind=StatementKind.TRADES)), table="statement_line")
    return told


def _tell(tx: Tx, side: Side, told: Told, matched: int, *, quiet: bool) -> None:
    """What is missing here is asked about by a job; the run itself stands in the audit."""
    if not quiet and side.kind is not StatementKind.FUND_FLOW:
        outbox.emit(tx, FOUND, {"run_id": str(side.run_id)}, lane=outbox.Lane.BULK)
    audit.record(
        tx, SYSTEM, action="payments.reconciled", target=f"reconciliation_run:{side.run_id}",
        community_id=side.merchant.book,
        after={"day": side.day.isoformat(), "kind": side.kind.value, "lines": told.lines, "matched": matched},
    )  # fmt: skip


async def fail(res: Resources, taken: Taken, reason: str) -> None:
    async def work(tx: Tx) -> None:
        await tx.execute(FAIL, taken.side.run_id, taken.attempt, tx.now, reason[:ERROR_CHARACTERS])

    await res.db.transact(work)


async def _download(res: Resources, side: Side, sink: BinaryIO) -> bool:
    channel = merchants.channel(res, side.merchant)
    return await channel.statement(side.merchant.keys, side.day, sink, kind=side.kind)


async def _ours(res: Resources, side: Side) -> int:
    found = await res.db.fetchval(OURS, list(side.merchants), side.starts_at, side.ends_at, side.kind.value)
    return int(found)


def _reader(side: Side) -> Reader:
    mchid, funds = side.merchant.mchid, side.kind is StatementKind.FUND_FLOW
    if side.merchant.channel is Channel.WECHAT:
        return reading_wechat.FundFlow() if funds else reading_wechat.TradeBill(mchid)
    return reading_alipay.FundFlow(mchid, side.day) if funds else reading_alipay.TradeBill(mchid, side.day)


def _file(res: Resources) -> BinaryIO:
    directory = res.settings.data_dir / DIRECTORY
    directory.mkdir(parents=True, exist_ok=True)
    return cast(BinaryIO, tempfile.SpooledTemporaryFile(SMALL, dir=str(directory)))


def _sha256(file: BinaryIO) -> bytes:
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(1 << 20):
        digest.update(piece)
    return digest.digest()
