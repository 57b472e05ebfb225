"""A worker process of Y-5, Y-7 and Y-8: all of `workers.serving`, with the handlers of messages, and with one that does
nothing in a transaction.

Run as `python -m bench.worker`; what it saw goes to the file BENCH_SEEN when it is told to stop, a line for each job:
outbox row, monotonic seconds at which its handler started, and at which its transaction was committed. With the
argument `bare` it is the peer of Y-8 instead: arq alone, the same settings, an empty function.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvloop
from arq.constants import default_queue_name
from arq.worker import Worker, func

from backend.composition import APPROVALS, MODELS
from backend.kernel.config import Settings
from backend.kernel.db import Tx
from backend.kernel.outbox import Job, Lane
from backend.kernel.resources import open_resources
from backend.messaging import handlers as message_handlers
from workers import queue
from workers.serving import serve

EVENT = "bench.nothing"
seen: list[tuple[int, float, float]] = []


async def nothing(tx: Tx) -> None:
    """The work of the handler."""


async def on_nothing(job: Job) -> None:
    started = time.monotonic()
    await job.transact(nothing)
    seen.append((job.id, started, time.monotonic()))


async def product(settings: Settings, stop: asyncio.Event) -> None:
    """The product's worker."""
    res = await open_resources(settings, models=MODELS, approval_kinds=APPROVALS)
    try:
        await serve(res, {EVENT: on_nothing, **message_handlers.HANDLERS}, (), stop=stop)
    finally:
        await res.close()


async def bare(settings: Settings, stop: asyncio.Event) -> None:
    """arq with nothing around it."""

    async def work(ctx: Mapping[str, Any], lease: list[Any]) -> None:
        now = time.monotonic()
        seen.append((lease[0], now, now))

    pool = queue.connect(str(settings.redis_url), timeout_s=None)
    worker = Worker(
        functions=[func(work, name="work")],
        redis_pool=pool,
        queue_name=default_queue_name,
        handle_signals=False,
        max_jobs=queue.MAX_JOBS[Lane.PROMPT],
        queue_read_limit=queue.READ_LIMIT,
        keep_result=0,
        poll_delay=queue.POLL_DELAY_S,
        job_serializer=pool.job_serializer,
        job_deserializer=pool.job_deserializer,
        log_results=False,
    )
    running = asyncio.create_task(worker.async_run())
    await stop.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def main() -> None:
    settings = Settings.from_env({name: value for name, value in os.environ.items() if name != "BENCH_SEEN"})
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await (bare if sys.argv[1:] == ["bare"] else product)(settings, stop)
    Path(os.environ["BENCH_SEEN"]).write_text("".join(f"{row} {begun} {ended}\n" for row, begun, ended in seen))


if __name__ == "__main__":
    uvloop.run(main())
