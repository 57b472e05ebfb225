"""Root of the worker process: settings → resources → relay, sweeper, schedule and jobs, until told to stop.

Several may run at once; they share the work by the database (SKIP LOCKED, leases). Run as `python -m workers.main`;
exit codes as in `backend.kernel.root`.
"""

import asyncio
import logging
import sys

from backend.composition import APPROVALS, HANDLERS, MODELS, PERIODIC
from backend.kernel import root, seals
from backend.kernel.config import Settings
from backend.kernel.log import get_logger
from backend.kernel.resources import open_resources
from workers.serving import serve

logger = get_logger("worker")


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; jobs under way have half a minute to end."""
    res = await open_resources(settings, models=MODELS, approval_kinds=APPROVALS)
    logging.getLogger("arq").setLevel(logging.WARNING)
    logger.info("worker_started", events=len(HANDLERS), periodic=len(PERIODIC))
    stop = root.told_to_stop()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(seals.follow(res, stop))
            group.create_task(serve(res, HANDLERS, PERIODIC, stop=stop))
    finally:
        await res.close()
    logger.info("worker_stopped")


if __name__ == "__main__":
    sys.exit(root.run(run))
