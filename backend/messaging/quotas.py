"""WeChat's limits, counted in PostgreSQL so that all processes keep them together (D11, F-22).

A reservation counts against the date on which it is sent and takes the next free slots of the second hand: `start_at`
is the first, one message every `interval_s` after it. Reserved and not sent is counted all the same: never above.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from backend.kernel.clock import start_of_day
from backend.kernel.db import Tx
from backend.messaging.templates import Channel

PER_DAY = {Channel.TEMPLATE: 100_000, Channel.SUBSCRIPTION: 10_000_000}
PER_SECOND = 200
WINDOW_S = 10

OPEN = """
    INSERT INTO send_quota (appid, kind, sent_on, next_slot_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (appid, kind, sent_on) DO NOTHING
"""
LOOK = """
    SELECT q.used, q.next_slot_at, coalesce(l.per_day, $4) AS per_day, coalesce(l.per_second, $5) AS per_second
      FROM send_quota q LEFT JOIN send_limit l ON l.appid = q.appid AND l.kind = q.kind
     WHERE q.appid = $1 AND q.kind = $2 AND q.sent_on = $3
       FOR UPDATE OF q
"""
TAKE = """
    UPDATE send_quota SET used = used + $4, next_slot_at = $5 WHERE appid = $1 AND kind = $2 AND sent_on = $3
"""
CLOSE_DAY = """
    INSERT INTO send_quota AS q (appid, kind, sent_on, used, next_slot_at)
    VALUES ($1, $2, $3, coalesce((SELECT per_day FROM send_limit WHERE appid = $1 AND kind = $2), $4), $5)
        ON CONFLICT (appid, kind, sent_on) DO UPDATE SET used = greatest(q.used, EXCLUDED.used)
"""


@dataclass(frozen=True, slots=True)
class Slots:
    """What was granted: `count` sends, from `start_at` on, `interval_s` apart."""

    count: int
    start_at: datetime
    interval_s: float


async def reserve(tx: Tx, appid: str, channel: Channel, wanted: int) -> Slots:
    """Reserve up to `wanted` sends of today, WINDOW_S seconds' worth at most; none once the day's limit is reached."""
    await tx.execute(OPEN, appid, channel, tx.today, tx.now)
    row = await tx.fetchrow(LOOK, appid, channel, tx.today, PER_DAY[channel], PER_SECOND)
    assert row is not None
    start_at = max(tx.now, row["next_slot_at"])
    interval = timedelta(seconds=1) / row["per_second"]
    before_midnight = (start_of_day(tx.today + timedelta(days=1)) - start_at) // interval
    count = max(0, min(wanted, row["per_day"] - row["used"], row["per_second"] * WINDOW_S, before_midnight))
    await tx.execute(TAKE, appid, channel, tx.today, count, start_at + count * interval)
    return Slots(count, start_at, interval.total_seconds())


async def close_day(tx: Tx, appid: str, channel: Channel) -> None:
    """WeChat says that today's limit is reached: nothing more is sent today."""
    await tx.execute(CLOSE_DAY, appid, channel, tx.today, PER_DAY[channel], tx.now)
