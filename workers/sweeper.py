"""The sweeper: frees rows whose lease ran out, so that the relay pushes them again (F-14, F-15).

A lease runs out when its worker was killed, when Redis lost the job, or when a relay died between claim and push. The
late worker, should it come back, is fenced by the attempt number (F-16).
"""

import asyncio
from contextlib import suppress

from backend.kernel import leases, log
from backend.kernel.db import Database

PERIOD_S = 1.0
logger = log.get_logger("sweeper")


async def run(db: Database, *, stop: asyncio.Event) -> None:
    """Sweep until `stop`, whatever happens to PostgreSQL."""
    while not stop.is_set():
        try:
            freed = await leases.sweep(db)
            if freed:
                logger.warning("leases_expired", rows=freed)
        except Exception as error:  # house: the sweeper loop
            logger.warning("sweeper_paused", error=log.redact_text(repr(error)))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), PERIOD_S)
