"""F-14 to F-17: Redis lost, workers killed, late jobs, poison jobs. Each effect once, nothing left behind.

Few rounds here; the counts of reliability.md run with `-m long`.
"""

import asyncio
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backend.kernel import leases
from backend.kernel.clock import FrozenClock
from backend.kernel.config import Settings
from backend.kernel.embedded_redis import RedisServer, start_redis
from backend.kernel.outbox import Job
from backend.kernel.resources import Resources
from tests import workers_rig as rig
from tests.workers_rig import worker_process

pytestmark = pytest.mark.apart

LEASE_S = 2
JOB_TIMEOUT_S = 2


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Short leases, as `make test` runs these faults."""
    return settings.model_copy(update={"lease_s": LEASE_S, "job_timeout_s": JOB_TIMEOUT_S})


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that this test may kill."""
    server = start_redis(tmp_path / "own_redis")
    yield server
    if server.alive():
        server.stop()


async def _effect(job: Job) -> None:
    await job.transact(
        lambda tx: tx.execute(
            "INSERT INTO inbox (source, event_key, received_at) VALUES ('effect', $1, $2)",
            str(job.payload["n"]),
            tx.now,
        )
    )


HANDLERS = {"test.counted": _effect}


async def effects(res: Resources) -> int:
    return int(await res.db.fetchval("SELECT count(*) FROM inbox WHERE source = 'effect'"))


async def some_done(res: Resources, count: int) -> None:
    async def enough() -> bool:
        return (await rig.states(res.db)).get("DONE", 0) >= count

    await rig.until(enough)


async def assert_all_once(res: Resources, count: int, *, within_s: float) -> None:
    await rig.all_done(res.db, within_s=within_s)
    assert await effects(res) == count
    assert await res.db.fetchval("SELECT count(*) FROM outbox WHERE state = 'PARKED'") == 0


async def test_f14_redis_flushed_while_rows_flow(res: Resources) -> None:
    await rig.emit_many(res.db, "test.counted", 1_000)
    async with rig.running(res, HANDLERS):
        for done in (50, 400, 700):
            await some_done(res, done)
            await res.redis.flushall()
        await assert_all_once(res, 1_000, within_s=LEASE_S + 20)


async def test_f14_redis_killed_and_replaced_empty_while_rows_flow(
    res: Resources, own_redis: RedisServer, tmp_path: Path
) -> None:
    await rig.emit_many(res.db, "test.counted", 1_000)
    async with rig.running(res, HANDLERS, redis_url=own_redis.url):
        await some_done(res, 100)
        own_redis.process.kill()
        await asyncio.to_thread(own_redis.process.wait)
        held = await rig.states(res.db)
        assert held["DONE"] < 1_000
        await asyncio.sleep(1)
        replaced = await asyncio.to_thread(start_redis, tmp_path / "own_redis")
        try:
            assert replaced.url == own_redis.url
            await assert_all_once(res, 1_000, within_s=LEASE_S + 20)
        finally:
            replaced.process.kill()


async def test_f14_redis_frozen_while_rows_flow(res: Resources, own_redis: RedisServer) -> None:
    await rig.emit_many(res.db, "test.counted", 1_000)
    async with rig.running(res, HANDLERS, redis_url=own_redis.url):
        await some_done(res, 100)
        own_redis.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(4)
        own_redis.process.send_signal(signal.SIGCONT)
        await assert_all_once(res, 1_000, within_s=LEASE_S + 20)


POINTS = (
    "relay.after_claim=exit137",
    "relay.after_push=exit137",
    "job.before_handler=exit137@{n}",
    "test.in_transaction=exit137@{n}",
    "tx.before_commit=exit137@{n}",
    "tx.after_commit=exit137@{n}",
    "job.after_handler=exit137@{n}",
)


def _kill_plans(rounds: int) -> list[str]:
    chance = random.Random(15)
    return [chance.choice(POINTS).format(n=chance.randrange(2, 100)) for _ in range(rounds)]


async def _killed_and_recovered(res: Resources, plan: str) -> None:
    """One worker dies at the point of `plan` among 200 rows; its successor ends the work in time."""
    before = await effects(res)
    await rig.emit_many_from(res.db, "test.counted", before, 200)
    with worker_process(res.settings, plan) as doomed:
        await asyncio.to_thread(doomed.wait, 30)
        assert doomed.returncode == 137
    with worker_process(res.settings):
        began = time.monotonic()
        await assert_all_once(res, before + 200, within_s=JOB_TIMEOUT_S + 15)
        assert time.monotonic() - began <= JOB_TIMEOUT_S + 15


async def test_f15_worker_killed_at_seeded_points(res: Resources) -> None:
    for plan in _kill_plans(5):
        await _killed_and_recovered(res, plan)


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_f15_worker_killed_at_fifty_seeded_points(res: Resources) -> None:
    for plan in _kill_plans(50):
        await _killed_and_recovered(res, plan)


async def test_f15_two_workers_one_of_them_killed(res: Resources) -> None:
    await rig.emit_many(res.db, "test.counted", 500)
    with worker_process(res.settings), worker_process(res.settings) as doomed:
        await some_done(res, 100)
        doomed.kill()
        await assert_all_once(res, 500, within_s=JOB_TIMEOUT_S + 15)


async def test_f15_sigterm_lets_jobs_end_and_leaves_none_leased(res: Resources) -> None:
    await rig.emit_many(res.db, "test.counted", 2_000)
    with worker_process(res.settings) as process:
        await some_done(res, 200)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 10) == 0
        assert await res.db.fetchval("SELECT count(*) FROM outbox WHERE failures > 0") == 0
    with worker_process(res.settings):
        await assert_all_once(res, 2_000, within_s=JOB_TIMEOUT_S + 20)


async def test_f16_a_job_that_returns_after_its_lease_went_to_another_changes_nothing(res: Resources) -> None:
    """Two worker processes that cannot see each other's Redis: the lease alone decides."""
    begun, gate = asyncio.Event(), asyncio.Event()
    outcomes: list[int] = []

    async def on_slow(job: Job) -> None:
        if job.attempt == 1:
            begun.set()
            await gate.wait()
        await _effect(job)
        outcomes.append(job.attempt)

    patient = replace(res, settings=res.settings.model_copy(update={"job_timeout_s": 30}))
    await rig.emit(res.db, "test.slow", {"n": 1})
    first = (await leases.claim(res.db, limit=1, lease_s=LEASE_S))[0]
    await res.db.execute("UPDATE outbox SET lease_until = clock_timestamp() + interval '31 seconds'")
    late = asyncio.create_task(rig.work_one(patient, {"test.slow": on_slow}, first))
    await begun.wait()
    await res.db.execute("UPDATE outbox SET lease_until = clock_timestamp()")
    async with rig.running(res, {"test.slow": on_slow}):
        await rig.all_done(res.db)
    gate.set()
    await late
    assert outcomes == [2]
    assert await effects(res) == 1
    assert await res.db.fetchval("SELECT attempt FROM outbox") == 2


async def test_f17_a_poison_job_is_parked_and_the_queue_keeps_its_rate(res: Resources, clock: FrozenClock) -> None:
    async def on_poison(job: Job) -> None:
        raise ValueError("poison")

    handlers = {**HANDLERS, "test.poison": on_poison}

    async def rate(poisoned: int) -> float:
        before = await effects(res)
        for _ in range(poisoned):
            await rig.emit(res.db, "test.poison", {})
        await rig.emit_many_from(res.db, "test.counted", before, 400)
        began = time.monotonic()
        await some_done(res, before + 400)
        return 400 / (time.monotonic() - began)

    async def parked() -> bool:
        clock.advance(leases.KEEP_DONE / 700)
        return (await rig.states(res.db)).get("PARKED", 0) == 5

    async with rig.running(res, handlers):
        clean = await rate(0)
        poisoned = await rate(5)
        await rig.until(parked)
    assert poisoned > clean / 3
    assert await rig.states(res.db) == {"DONE": 800, "PARKED": 5}
    assert await res.db.fetchval("SELECT min(failures) FROM outbox WHERE state = 'PARKED'") == leases.FAILURE_LIMIT
