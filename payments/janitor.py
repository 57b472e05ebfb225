"""The janitor: asks the channel about attempts nobody told us about, and closes orders that have expired (D6).

Promises: every attempt is asked about 1, 2, 5, 10 and 30 minutes after it was made, then hourly for a day, then daily,
until its end is known (I-17, F-06, F-08); an order is closed only after the channel has said that it is not paid. Two
janitors share the work (SKIP LOCKED); the network is called outside any transaction. The counter is never asked.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from backend.kernel import log
from backend.kernel.db import Record, Tx
from backend.kernel.errors import AppError
from backend.kernel.resources import Resources
from payments import asking, closing
from payments.asking import Said
from payments.channels.base import Channel
from payments.states import LIVE_ORDER

MINUTES = (1, 2, 5, 10, 30, *range(60, 24 * 60 + 1, 60))
DAY = timedelta(days=1)
LEAST_ASKS = 4
# A code of Alipay's lives two hours, whatever we wish (protocols/alipay.md section 6.1, pitfalls C14).
ALIPAY_WATCH = timedelta(hours=3)
BATCH = 20
AT_ONCE = 10
BUDGET_S = 20
logger = log.get_logger("janitor")

DUE = """
    SELECT a.id, a.order_id, a.merchant_id, a.channel, a.out_trade_no, a.asked_count, a.created_at,
           o.state AS order_state, o.expires_at
      FROM payment_attempt a
      JOIN payment_order o ON o.id = a.order_id
     WHERE a.ask_at <= $1
     ORDER BY a.ask_at
     LIMIT $2
       FOR UPDATE OF a SKIP LOCKED
"""

CLAIM = """
    UPDATE payment_attempt a
       SET ask_at = plan.ask_at, asked_at = $3, asked_count = asked_count + 1
      FROM unnest($1::uuid[], $2::timestamptz[]) AS plan (id, ask_at)
     WHERE a.id = plan.id
"""


def next_ask(created_at: datetime, now: datetime, *, asked_count: int) -> datetime:
    """When an attempt made at `created_at` is asked about again; `asked_count` includes the question of `now`."""
    if now - created_at >= DAY:
        return now + (timedelta(minutes=1) if asked_count < LEAST_ASKS else DAY)
    return next(at for minutes in MINUTES if (at := created_at + timedelta(minutes=minutes)) > now)


async def tick(res: Resources, period: str) -> None:
    """Ask about everything that is due, for BUDGET_S seconds at most; what is left is due in the next tick."""
    started_s = time.monotonic()
    while time.monotonic() - started_s < BUDGET_S:
        due = await res.db.transact(_claim)
        await _look_at(res, due)
        if len(due) < BATCH:
            return


async def _claim(tx: Tx) -> list[Record]:
    due = await tx.fetch(DUE, tx.now, BATCH)
    await tx.execute(CLAIM, [row["id"] for row in due], [_plan(row, tx.now) for row in due], tx.now)
    return due


def _plan(row: Record, now: datetime) -> datetime | None:
    """An ended order is asked about once more; at Alipay, which cannot close what was never scanned, for some hours."""
    if row["order_state"] not in LIVE_ORDER:
        watched = row["channel"] == Channel.ALIPAY and now - row["created_at"] < ALIPAY_WATCH
        return next_ask(row["created_at"], now, asked_count=row["asked_count"] + 1) if watched else None
    return next_ask(row["created_at"], now, asked_count=row["asked_count"] + 1)


async def _look_at(res: Resources, due: Sequence[Record]) -> None:
    """Look at all of them; one that fails in an unforeseen way fails the job, after the others had their turn."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(row: Record) -> None:
        async with gate:
            try:
                await resolve(res, row)
            except AppError as error:
                logger.warning("attempt_unresolved", attempt=str(row["id"]), error=repr(error))

    outcomes = await asyncio.gather(*(one(row) for row in due), return_exceptions=True)
    for unforeseen in filter(None, outcomes):
        raise unforeseen


async def resolve(res: Resources, row: Record) -> None:
    """Ask about one attempt; close its order where it has expired or has ended at the channel."""
    live = row["order_state"] in LIVE_ORDER
    if live and row["expires_at"] <= res.clock.now():
        await closing.close(res, row["order_id"], reason="expired")
        return
    if await asking.ask(res, row) is Said.ENDED and live:
        await closing.close(res, row["order_id"], reason="ended_at_channel")
