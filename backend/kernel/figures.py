"""What operators watch, measured when it is asked for (reliability section 5): inbox, outbox, parked rows, periods.

Figures of other nouns are functions of the same shape, collected by the root.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from backend.kernel import metrics
from backend.kernel.db import Database

Measure = Callable[[Database], Awaitable[None]]

# A period that was begun so long ago and is not complete counts as missed.
PERIOD_LATE = timedelta(minutes=15)

KERNEL = """
    SELECT (SELECT count(*) FROM inbox WHERE outcome IS NULL) AS unhandled,
           (SELECT min(received_at) FROM inbox WHERE outcome IS NULL) AS unhandled_since,
           (SELECT count(*) FROM outbox WHERE state = 'READY' AND run_at <= $1)
         + (SELECT count(*) FROM outbox WHERE state = 'LEASED') AS waiting,
           least((SELECT min(run_at) FROM outbox WHERE state = 'READY'),
                 (SELECT min(run_at) FROM outbox WHERE state = 'LEASED')) AS waiting_since,
           (SELECT count(*) FROM outbox WHERE state = 'PARKED') AS parked,
           (SELECT count(*) FROM periodic_run WHERE state <> 'DONE' AND started_at < $2) AS missed
"""


async def measure(db: Database) -> None:
    """Set the kernel's figures from the database."""
    now = db.clock.now()
    row = await db.fetchrow(KERNEL, now, now - PERIOD_LATE)
    assert row is not None
    metrics.inbox_unhandled_rows.set(row["unhandled"])
    metrics.inbox_unhandled_age_s.set(_age_s(row["unhandled_since"], now))
    metrics.outbox_waiting_rows.set(row["waiting"])
    metrics.outbox_age_s.set(_age_s(row["waiting_since"], now))
    metrics.parked_rows.set(row["parked"])
    metrics.missed_periods.set(row["missed"])


def _age_s(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
