"""Y-7, from commit to handler on an idle system; Y-8, jobs per second through the queue of one worker.

The limit of Y-8 is arq alone, with the same settings and an empty function, draining jobs that lie in Redis already.
Ours starts from rows of the outbox: claim, push, take, a transaction that marks the row done.
"""

import asyncio
import random
import time
from pathlib import Path

from arq.constants import default_queue_name

from backend.kernel import outbox
from backend.kernel.config import Settings
from backend.kernel.db import Database, Tx
from backend.kernel.leases import Lease
from bench.figures import Figure, Latency
from bench.matching import match
from bench.rig import Process, Rig, pairs, progress
from bench.worker import EVENT
from bench.y6_relay import filled
from workers.queue import Queue

SAMPLES = 300
JOBS = 10_000
LIMIT_S = 120

Seen = list[tuple[int, float, float]]


async def y7(rig: Rig) -> Latency:
    """Rows emitted one by one, at uneven times, to a worker that has nothing else to do."""
    settings = await rig.fresh()
    samples = rig.size(SAMPLES)
    committed: dict[int, float] = {}
    async with rig.resources(settings) as res:
        process = _start(rig, settings)
        await _emit(res.db)
        await _until(res.db, "SELECT count(*) = 1 FROM outbox WHERE state = 'DONE'")
        for _ in range(samples):
            await asyncio.sleep(random.uniform(0.05, 0.15))
            row = await _emit(res.db)
            committed[row] = time.monotonic()
        await _until(res.db, "SELECT count(*) = 0 FROM outbox WHERE state <> 'DONE'")
        seen = await _seen(rig, process)
    found = match(dict.fromkeys(committed, True), ((row, True) for row, _, _ in seen if row in committed))
    progress(f"    {found.text()}")
    waits = tuple(max(0.0, started - committed[row]) for row, started, _ in seen if row in committed)
    return Latency(
        "Y-7",
        "from the commit to the start of the handler, idle system",
        waits if found.clean else (float("inf"),),
        250,
        "poll of 50 ms + poll of 20 ms + round trips",
    )


async def y8(rig: Rig) -> Figure:
    """One worker against arq alone."""
    jobs = rig.size(JOBS)
    full = await filled(rig, jobs)

    async def limit() -> float:
        async with rig.resources(full) as res:
            queue = Queue(str(full.redis_url))
            now = res.clock.now()
            await queue.push([Lease(row, 1, EVENT, {}, 0, now) for row in range(1, jobs + 1)])
            process = _start(rig, full, "bare")
            deadline = time.monotonic() + LIMIT_S
            while await res.redis.zcard(default_queue_name) and time.monotonic() < deadline:
                await asyncio.sleep(0.2)
            await queue.close()
            return _rate(await _seen(rig, process), range(1, jobs + 1))

    async def ours() -> float:
        async with rig.copy(full) as settings:
            async with rig.resources(settings) as res:
                process = _start(rig, settings)
                await _until(res.db, "SELECT NOT EXISTS (SELECT FROM outbox WHERE state IN ('READY', 'LEASED'))")
                seen = await _seen(rig, process)
                done = [row["id"] for row in await res.db.fetch("SELECT id FROM outbox WHERE state = 'DONE'")]
            await rig.sound(settings)
        return _rate(seen, done)

    limits, mine = await pairs(rig, limit, ours)
    return Figure(
        "Y-8",
        "jobs from outbox to done, each with a transaction, one worker",
        "jobs/s",
        "arq alone, empty function, jobs already in Redis",
        limits,
        mine,
        0.5,
        notes=(f"{jobs:,} jobs",),
    )


def _start(rig: Rig, settings: Settings, *arguments: str) -> Process:
    return rig.start("bench.worker", settings, arguments=arguments, BENCH_SEEN=str(rig.directory / "seen"))


async def _seen(rig: Rig, process: Process) -> Seen:
    """Stop the worker and read what it saw."""
    await rig.stop(process)
    lines = Path(rig.directory / "seen").read_text().splitlines()
    return [(int(row), float(begun), float(ended)) for row, begun, ended in (line.split() for line in lines)]


def _rate(seen: Seen, done: range | list[int]) -> float:
    """Jobs per second between the first start and the last end; every row of `done` was worked exactly once."""
    found = match(dict.fromkeys(done, True), ((row, True) for row, _, _ in seen))
    progress(f"    {found.text()}")
    return found.rate(max(ended for _, _, ended in seen) - min(begun for _, begun, _ in seen))


async def _emit(db: Database) -> int:
    """One event in a transaction of its own; its row, after the commit."""

    async def work(tx: Tx) -> int:
        outbox.emit(tx, EVENT, {})
        await tx.flush()
        row: int = await tx.fetchval("SELECT max(id) FROM outbox")
        return row

    return await db.transact(work)


async def _until(db: Database, sql: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not await db.fetchval(sql):
        if time.monotonic() > deadline:
            raise TimeoutError(sql)
        await asyncio.sleep(0.2)
