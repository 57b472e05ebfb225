"""The workers inside a test: relay, sweeper and consumer over the test's own database and Redis."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from backend.kernel import outbox
from backend.kernel.config import Settings
from backend.kernel.db import Database, Tx
from backend.kernel.leases import Lease
from backend.kernel.outbox import Handler, Lane
from backend.kernel.resources import Resources
from workers import edge, relay, sweeper
from workers.queue import Queue, consume

ROOT = Path(__file__).parents[1]


async def emit(db: Database, event: str, payload: Mapping[str, Any], **options: Any) -> None:
    """One event in a transaction of its own."""

    async def add(tx: Tx) -> None:
        outbox.emit(tx, event, payload, **options)

    await db.transact(add)


async def emit_many(db: Database, event: str, count: int) -> None:
    """`count` events numbered from 0 in `n`, in one transaction."""
    await emit_many_from(db, event, 0, count)


async def emit_many_from(db: Database, event: str, first: int, count: int) -> None:
    """The same, numbered from `first`."""

    async def add(tx: Tx) -> None:
        for number in range(first, first + count):
            outbox.emit(tx, event, {"n": number})

    await db.transact(add)


async def states(db: Database) -> dict[str, int]:
    """How many outbox rows are in each state."""
    rows = await db.fetch("SELECT state, count(*) AS n FROM outbox GROUP BY state")
    return {row["state"]: row["n"] for row in rows}


async def until(condition: Callable[[], Awaitable[bool]], *, within_s: float = 20.0, every_s: float = 0.02) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(every_s)


async def all_done(db: Database, *, within_s: float = 20.0) -> None:
    """Wait until every outbox row is done."""

    async def done() -> bool:
        found = await states(db)
        return set(found) <= {"DONE"}

    await until(done, within_s=within_s)


@dataclass
class Workers:
    """Running loops; `stop` ends them."""

    stop: asyncio.Event
    tasks: list[asyncio.Task[None]]


@asynccontextmanager
async def running(
    res: Resources, handlers: Mapping[str, Handler], *, redis_url: str | None = None, relays: int = 1
) -> AsyncIterator[Workers]:
    """Relay, sweeper and consumer as workers/main.py runs them."""
    url = redis_url or str(res.settings.redis_url)
    stop = asyncio.Event()
    queues = {lane: Queue(url, lane) for lane in Lane}
    lease_s, timeout_s = float(res.settings.lease_s), res.settings.job_timeout_s
    tasks = [
        asyncio.create_task(sweeper.run(res.db, stop=stop)),
    ]
    for lane, queue in queues.items():
        tasks += [
            asyncio.create_task(
                consume(url, partial(edge.work, res, handlers), job_timeout_s=timeout_s, stop=stop, lane=lane)
            ),
            *(
                asyncio.create_task(relay.run(res.db, queue, lane=lane, lease_s=lease_s, stop=stop))
                for _ in range(relays)
            ),
        ]
    try:
        yield Workers(stop, tasks)
    finally:
        stop.set()
        await asyncio.gather(*tasks)
        for queue in queues.values():
            await queue.close()


async def work_one(
    res: Resources, handlers: Mapping[str, Handler], lease: Lease, *, started_before: bool = False
) -> None:
    """One lease through the job edge, without Redis."""
    await edge.work(res, handlers, lease, started_before)


@contextmanager
def worker_process(settings: Settings, failpoints: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A worker as a process of its own, with the handlers of tests/faults/worker_process.py; killed at the end."""
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LINLI_")},
        "LINLI_DATABASE_URL": str(settings.database_url),
        "LINLI_REDIS_URL": str(settings.redis_url),
        "LINLI_DATA_DIR": str(settings.data_dir),
        "LINLI_LEASE_S": str(settings.lease_s),
        "LINLI_JOB_TIMEOUT_S": str(settings.job_timeout_s),
        "LINLI_WECHAT_API_URL": settings.wechat_api_url,
        "LINLI_LOG_LEVEL": "error",
        "LINLI_FAILPOINTS": failpoints,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.worker_process"], cwd=ROOT, env=env, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
