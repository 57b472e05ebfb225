"""The relay: claims rows that are due and hands them to the queue, as many as its workers can soon take.

Redis is asked first, so that nothing is claimed while it is away; what was claimed and could not be pushed is given
back. A relay killed between claim and push leaves leases that run out (F-15). Two relays share the work (SKIP LOCKED).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from backend.kernel import leases, log
from backend.kernel.db import Database
from backend.kernel.failpoints import failpoint
from backend.kernel.outbox import Lane
from workers.queue import MAX_JOBS, REDIS_AWAY, TOGETHER, Queue

BATCH = 500
# As many as workers can take well within a lease, even when each job takes its time.
DEPTH_LIMIT = {Lane.PROMPT: 200, Lane.BULK: 32}
FEW = MAX_JOBS[Lane.PROMPT]
POLL_S = 0.05
PAUSE_S = 1.0
logger = log.get_logger("relay")


async def turn(
    db: Database, queue: Queue, *, lease_s: float, depth_limit: int, lanes: Sequence[Lane] = tuple(Lane)
) -> int:
    """Claim and push one batch of `lanes`; returns its size, 0 when nothing is due or the queue is full."""
    room = depth_limit - await queue.depth()
    if room <= 0:
        return 0
    most = min(BATCH, room * TOGETHER[queue.lane])
    claimed = await leases.claim(db, limit=most, lease_s=lease_s, lanes=lanes)
    if not claimed:
        return 0
    await failpoint("relay.after_claim")
    try:
        await queue.push(claimed, together=TOGETHER[queue.lane] if len(claimed) > FEW else 1)
    except REDIS_AWAY:
        await leases.release(db, claimed)
        raise
    await failpoint("relay.after_push")
    return len(claimed)


async def run(db: Database, queue: Queue, *, lane: Lane, lease_s: float, stop: asyncio.Event) -> None:
    """Relay the rows of one lane until `stop`, whatever happens to Redis and PostgreSQL."""
    while not stop.is_set():
        wait_s = POLL_S
        try:
            if await turn(db, queue, lease_s=lease_s, depth_limit=DEPTH_LIMIT[lane], lanes=[lane]) == BATCH:
                continue
        except Exception as error:  # house: the relay loop
            logger.warning("relay_paused", error=log.redact_text(repr(error)))
            wait_s = PAUSE_S
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait_s)
