"""How long it is kept who was told of a notice and has read it: two years, as the inbox is. The notice itself stays."""

import time
from datetime import timedelta

from backend.kernel.resources import Resources

KEPT = timedelta(days=730)
BATCH = 10_000
BUDGET_S = 20.0

# Index notice_kept.
MARK = "UPDATE notice SET forgotten_at = $2 WHERE published_at < $1 AND forgotten_at IS NULL"
FORGET = """
    WITH old AS (
        SELECT r.notice_id, r.person_id
          FROM notice n JOIN notice_recipient r ON r.notice_id = n.id
         WHERE n.forgotten_at IS NOT NULL
         LIMIT $1
           FOR UPDATE OF r SKIP LOCKED
    ), gone AS (
        DELETE FROM notice_recipient r USING old
         WHERE r.notice_id = old.notice_id AND r.person_id = old.person_id
     RETURNING 1
    )
    SELECT count(*) FROM gone
"""


async def forget(res: Resources, _period: str) -> None:
    """Delete what has been kept long enough, BUDGET_S seconds at most; the rest goes tomorrow."""
    began, now = time.monotonic(), res.clock.now()
    await res.db.execute(MARK, now - KEPT, now)
    while time.monotonic() - began < BUDGET_S:
        if await res.db.fetchval(FORGET, BATCH) < BATCH:
            break
