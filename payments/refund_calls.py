"""What the channel does for refunds: submit, and ask until the end is known (D6).

Promises: our number is stored and committed before the channel hears of it, and everything is repeated with that
number and the same fields, so that a time-out never gives money back twice (F-06, pitfalls C10); a refund is FAILED
only after the channel refused it and, asked again, has never heard of it; what asks for patience is repeated later (B16
to B18). Refunds are asked about 1, 2, 5, 10 and 30 minutes after they were sent, then hourly, then daily. The network
is called outside any transaction.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from backend.kernel import audit, log
from backend.kernel.audit import Actor
from backend.kernel.db import Record, Tx
from backend.kernel.errors import NotFound
from backend.kernel.failpoints import failpoint
from backend.kernel.outbox import Job, Retry
from backend.kernel.resources import Resources
from payments import merchants, refund_sql, refunding, refunds
from payments.channels.base import Channel, ChannelError, ChannelFailure, ChannelRefund, RefundRequest
from payments.janitor import AT_ONCE, BATCH, BUDGET_S, next_ask
from payments.merchants import Merchant
from payments.settlement import Door
from payments.states import RefundState

UNDER_WAY = frozenset({RefundState.SUBMITTING, RefundState.PROCESSING, RefundState.ABNORMAL})
# Not known there after all: it is sent again. Alipay forgets a refund that failed (protocols/alipay.md section 8.2).
UNHEARD_OF = frozenset({RefundState.SUBMITTING, RefundState.PROCESSING})
FIRST_ASK = timedelta(minutes=1)
SPACING = {Channel.WECHAT: timedelta(seconds=60), Channel.ALIPAY: timedelta(seconds=3)}
# Refusals that only ask for patience: the same number is sent again later.
PATIENCE = frozenset({"NOTENOUGH", "SELLERBALANCENOTENOUGH", "FREQUENCYLIMITED", "RATELIMITEXCEEDED", "SYSTEMERROR"})
logger = log.get_logger("refunds")


async def on_refund_due(job: Job) -> None:
    """Submit an approved refund; what comes of it is heard now or asked about later. The counter pays out by hand."""
    refund_id = UUID(job.payload["refund_id"])
    row = await job.res.db.transact(lambda tx: _submitting(tx, refund_id))
    if row is not None:
        await failpoint("refund.before_call")
        await _submit(job.res, row)


async def _submitting(tx: Tx, refund_id: UUID) -> Record | None:
    """Move it to SUBMITTING, at a distance to the last refund of the same payment; None where nothing is to be done."""
    row = await refunds.lock(tx, refund_id)
    if row is None or row["channel"] == Channel.COUNTER:
        return None
    await tx.execute(refund_sql.LOCK_TRANSACTION, row["channel"], row["transaction_no"])
    last_at = await tx.fetchval(refund_sql.LAST_OF_TRANSACTION, row["channel"], row["transaction_no"], refund_id)
    wait = timedelta() if last_at is None else last_at + SPACING[Channel(row["channel"])] - tx.now
    if wait > timedelta() and row["state"] == RefundState.APPROVED:
        raise Retry("another refund of this payment has just been sent", after_s=int(wait.total_seconds()) + 1)
    return await tx.fetchrow(refund_sql.SUBMIT, refund_id, tx.now, tx.now + FIRST_ASK)


async def _submit(res: Resources, row: Record) -> None:
    merchant = await merchants.merchant(res, row["merchant_id"])
    try:
        told = await merchants.channel(res, merchant).refund(merchant.keys, request_of(res, row))
    except ChannelError as refused:
        await _refused(res, merchant, row, refused)
        return
    except ChannelFailure as failure:
        await _note(res, row, failure)
        return
    await failpoint("refund.after_call")
    await _hear(res, merchant, told)


async def _refused(res: Resources, merchant: Merchant, row: Record, refused: ChannelError) -> None:
    """Wait where patience is asked for; else it has failed, if the channel does not know it after all."""
    await _note(res, row, refused)
    if asks_for_patience(refused):
        return
    try:
        told = await merchants.channel(res, merchant).query_refund(merchant.keys, request_of(res, row))
    except ChannelFailure as failure:
        await _note(res, row, failure)
        return
    if told is not None:
        await _hear(res, merchant, told)
        return
    await res.db.transact(lambda tx: _fail(tx, row["id"], str(refused)))


def asks_for_patience(refused: ChannelError) -> bool:
    """Whether the same number may be sent again later."""
    return refused.code.rpartition(".")[2] in PATIENCE


async def _fail(tx: Tx, refund_id: UUID, error: str) -> None:
    row = await refunds.lock(tx, refund_id)
    if row is None or row["state"] not in UNHEARD_OF:
        return
    await tx.execute(refund_sql.END, refund_id, RefundState.FAILED.value, tx.now, error)
    await refunds.lower(tx, row)
    audit.record(
        tx, Actor("channel", row["merchant_id"]), action="payments.refund_failed", target=f"refund:{refund_id}",
        community_id=row["community_id"], reason=error, before={"state": row["state"]},
        after={"state": RefundState.FAILED.value},
    )  # fmt: skip


async def _hear(res: Resources, merchant: Merchant, told: ChannelRefund) -> None:
    await res.db.transact(lambda tx: refunding.hear(tx, merchant, refund=told, door=Door.QUERY))


async def _note(res: Resources, row: Record, failure: ChannelFailure) -> None:
    logger.warning("refund_not_answered", refund=str(row["id"]), error=repr(failure))
    await res.db.execute(refund_sql.NOTE, row["id"], str(failure))


def request_of(res: Resources, row: Record) -> RefundRequest:
    """What the channel is asked, the same however often."""
    channel = Channel(row["channel"])
    notify_url = merchants.notify_url(res.settings.public_url, channel, row["merchant_id"])
    return RefundRequest(
        out_refund_no=row["out_refund_no"],
        out_trade_no=row["out_trade_no"],
        transaction_no=row["transaction_no"],
        amount_fen=row["amount_fen"],
        total_fen=row["total_fen"],
        reason=row["reason"],
        notify_url=f"{notify_url}/refund" if channel is Channel.WECHAT else notify_url,
    )


async def tick(res: Resources, period: str) -> None:
    """Ask about every refund that is due, for BUDGET_S seconds at most; what is left is due in the next tick."""
    started_s = time.monotonic()
    while time.monotonic() - started_s < BUDGET_S:
        due = await res.db.transact(_claim)
        await _look_at(res, due)
        if len(due) < BATCH:
            return


async def _claim(tx: Tx) -> list[Record]:
    due = await tx.fetch(refund_sql.DUE, tx.now, BATCH)
    plan = [next_ask(row["submitted_at"], tx.now, asked_count=row["asked_count"] + 1) for row in due]
    await tx.execute(refund_sql.CLAIM, [row["id"] for row in due], plan, tx.now)
    return due


async def _look_at(res: Resources, due: Sequence[Record]) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(row: Record) -> None:
        async with gate:
            await ask(res, row)

    outcomes = await asyncio.gather(*(one(row) for row in due), return_exceptions=True)
    for unforeseen in filter(None, outcomes):
        raise unforeseen


async def ask(res: Resources, row: Record) -> None:
    """Ask about one refund; one that the channel has never heard of is sent again, under its number."""
    merchant = await merchants.merchant(res, row["merchant_id"])
    try:
        told = await merchants.channel(res, merchant).query_refund(merchant.keys, request_of(res, row))
    except ChannelFailure as failure:
        await _note(res, row, failure)
        return
    await failpoint("refund.after_query")
    if told is not None:
        await _hear(res, merchant, told)
    elif row["state"] in UNHEARD_OF:
        await _submit(res, row)


async def ask_now(res: Resources, refund_id: UUID) -> None:
    """Ask now, because a person wants to know. NotFound for an unknown id."""
    row = await res.db.fetchrow(refund_sql.ONE, refund_id)
    if row is None:
        raise NotFound
    if row["state"] in UNDER_WAY and row["channel"] != Channel.COUNTER:
        await res.db.execute(refund_sql.COUNT, refund_id, res.clock.now())
        await ask(res, row)
