"""Root of the worker process: settings → resources → relay, sweeper, schedule and jobs, until told to stop.

Several may run at once; they share the work by the database (SKIP LOCKED, leases). Run as `python -m workers.main`.
"""

import asyncio
import logging
import os
import signal
import sys

import uvloop

from backend.composition import APPROVALS, HANDLERS, MODELS, PERIODIC
from backend.kernel.config import ConfigError, Settings
from backend.kernel.errors import AppError
from backend.kernel.log import get_logger
from backend.kernel.resources import open_resources
from workers.serving import serve

logger = get_logger("worker")


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; jobs under way have half a minute to end."""
    res = await open_resources(settings, models=MODELS, approval_kinds=APPROVALS)
    logging.getLogger("arq").setLevel(logging.WARNING)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    logger.info("worker_started", events=len(HANDLERS), periodic=len(PERIODIC))
    try:
        await serve(res, HANDLERS, PERIODIC, stop=stop)
    finally:
        await res.close()
    logger.info("worker_stopped")


def main() -> int:
    """Exit code 2 for settings that do not allow a start, 3 where a needed part is away."""
    try:
        settings = Settings.from_env(os.environ)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(settings))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except AppError as error:
        print(f"无法启动：{error.message}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
