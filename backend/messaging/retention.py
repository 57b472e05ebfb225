"""How long messages are kept: intents half a year after their end, withdrawals too, the inbox two years."""

import time
from collections.abc import Mapping
from datetime import time as clock_time
from datetime import timedelta

from backend.kernel.periodic import Daily, Periodic
from backend.kernel.resources import Resources

BATCH = 10_000
BUDGET_S = 20.0

INTENTS = """
    WITH old AS (SELECT id FROM message_intent WHERE finished_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED),
         gone AS (DELETE FROM message_intent i USING old WHERE i.id = old.id RETURNING 1)
    SELECT count(*) FROM gone
"""
INBOX = """
    WITH old AS (SELECT id FROM inbox_message WHERE created_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED),
         gone AS (DELETE FROM inbox_message m USING old WHERE m.id = old.id RETURNING 1)
    SELECT count(*) FROM gone
"""
WITHDRAWN = """
    WITH old AS (SELECT event_key FROM message_withdrawn WHERE withdrawn_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED),
         gone AS (DELETE FROM message_withdrawn w USING old WHERE w.event_key = old.event_key RETURNING 1)
    SELECT count(*) FROM gone
"""
KEPT: Mapping[str, timedelta] = {
    INTENTS: timedelta(days=180),
    INBOX: timedelta(days=730),
    WITHDRAWN: timedelta(days=180),
}


async def forget(res: Resources, _period: str) -> None:
    """Delete what has been kept long enough, BUDGET_S seconds at most; the rest goes tomorrow."""
    began = time.monotonic()
    for statement, kept in KEPT.items():
        before = res.clock.now() - kept
        while time.monotonic() - began < BUDGET_S:
            if await res.db.fetchval(statement, before, BATCH) < BATCH:
                break


PERIODIC: tuple[Periodic, ...] = (Periodic("messaging.forget", Daily(clock_time(3, 50), catch_up=False), forget),)
