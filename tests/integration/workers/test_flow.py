"""I-16: each outbox row ends done or parked, with its effect in the database exactly once."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from backend.kernel import leases, outbox
from backend.kernel.clock import FrozenClock
from backend.kernel.db import Tx
from backend.kernel.leases import FAILURE_LIMIT, RETRY_LIMIT, Lease
from backend.kernel.outbox import Fenced, Job, Lane, Park, Retry
from backend.kernel.resources import Resources
from tests import workers_rig as rig
from workers.relay import DEPTH_LIMIT

pytestmark = pytest.mark.apart


async def _effect(tx: Tx, number: int) -> None:
    await tx.execute(
        "INSERT INTO inbox (source, event_key, received_at) VALUES ('effect', $1, $2)", str(number), tx.now
    )


async def on_counted(job: Job) -> None:
    await job.transact(lambda tx: _effect(tx, job.payload["n"]))


async def on_poison(job: Job) -> None:
    raise ValueError("poison")


async def on_transient(job: Job) -> None:
    raise Retry("the channel is busy")


async def on_impossible(job: Job) -> None:
    raise Park("the template is unknown")


async def on_nothing(job: Job) -> None:
    """No effect inside the database."""


HANDLERS = {
    "test.counted": on_counted,
    "test.poison": on_poison,
    "test.transient": on_transient,
    "test.impossible": on_impossible,
    "test.nothing": on_nothing,
}


async def effects(res: Resources) -> int:
    return int(await res.db.fetchval("SELECT count(*) FROM inbox WHERE source = 'effect'"))


async def claim_one(res: Resources) -> Lease:
    claimed = await leases.claim(res.db, limit=1, lease_s=60)
    assert len(claimed) == 1
    return claimed[0]


async def test_every_row_is_worked_once_through_redis(res: Resources) -> None:
    await rig.emit_many(res.db, "test.counted", 1_200)
    async with rig.running(res, HANDLERS):
        await rig.all_done(res.db)
    assert await effects(res) == 1_200
    assert await res.redis.keys("arq:job:*") == []
    assert await res.db.fetchval("SELECT count(*) FROM outbox WHERE attempt <> 1 OR failures <> 0") == 0


async def test_two_relays_share_the_rows(res: Resources) -> None:
    await rig.emit_many(res.db, "test.counted", 1_000)
    async with rig.running(res, HANDLERS, relays=2):
        await rig.all_done(res.db)
    assert await effects(res) == 1_000
    assert await res.db.fetchval("SELECT max(attempt) FROM outbox") == 1


async def test_a_row_is_not_worked_before_its_time(res: Resources, clock: FrozenClock) -> None:
    await rig.emit(res.db, "test.nothing", {}, run_at=clock.now() + timedelta(hours=1))
    assert await leases.claim(res.db, limit=10, lease_s=60) == []
    clock.advance(timedelta(hours=1))
    assert len(await leases.claim(res.db, limit=10, lease_s=60)) == 1


async def test_a_repeated_dedup_key_is_one_row(res: Resources) -> None:
    await rig.emit(res.db, "test.nothing", {}, dedup_key="k")
    await rig.emit(res.db, "test.nothing", {}, dedup_key="k")
    assert await rig.states(res.db) == {"READY": 1}


async def test_a_handler_without_a_transaction_is_marked_done(res: Resources) -> None:
    await rig.emit(res.db, "test.nothing", {})
    await rig.work_one(res, HANDLERS, await claim_one(res))
    assert await rig.states(res.db) == {"DONE": 1}


async def test_a_failing_job_backs_off_and_is_parked_with_its_reason(res: Resources, clock: FrozenClock) -> None:
    await rig.emit(res.db, "test.poison", {})
    for failures in range(1, FAILURE_LIMIT):
        await rig.work_one(res, HANDLERS, await claim_one(res))
        row = await res.db.fetchrow("SELECT state, failures, run_at, last_error FROM outbox")
        assert row is not None
        assert (row["state"], row["failures"]) == ("READY", failures)
        assert "poison" in row["last_error"]
        wait_s = (row["run_at"] - clock.now()).total_seconds()
        assert 0.8 * 2 ** (failures - 1) <= wait_s <= 1.2 * 2 ** (failures - 1)
        clock.advance(timedelta(seconds=wait_s))
    await rig.work_one(res, HANDLERS, await claim_one(res))
    assert await rig.states(res.db) == {"PARKED": 1}


async def test_transient_trouble_is_given_more_patience(res: Resources, clock: FrozenClock) -> None:
    await rig.emit(res.db, "test.transient", {})
    for _ in range(RETRY_LIMIT - 1):
        await rig.work_one(res, HANDLERS, await claim_one(res))
        assert await rig.states(res.db) == {"READY": 1}
        clock.advance(timedelta(seconds=leases.BACKOFF_CAP_S * 1.2))
    await rig.work_one(res, HANDLERS, await claim_one(res))
    assert await rig.states(res.db) == {"PARKED": 1}


@pytest.mark.parametrize("event", ["test.impossible", "test.unheard_of"])
async def test_permanent_trouble_is_parked_at_once(res: Resources, event: str) -> None:
    await rig.emit(res.db, event, {})
    await rig.work_one(res, HANDLERS, await claim_one(res))
    assert await rig.states(res.db) == {"PARKED": 1}


async def test_a_job_that_hangs_is_ended_in_time_and_counts_as_a_failure(res: Resources) -> None:
    async def on_hang(job: Job) -> None:
        await asyncio.sleep(60)

    short = replace(res, settings=res.settings.model_copy(update={"job_timeout_s": 1}))
    await rig.emit(res.db, "test.hang", {})
    began = time.monotonic()
    await rig.work_one(short, {"test.hang": on_hang}, await claim_one(res))
    assert time.monotonic() - began < 2
    assert await res.db.fetchval("SELECT failures FROM outbox WHERE state = 'READY'") == 1


async def test_a_job_whose_worker_died_counts_a_failure_and_is_parked_at_the_limit(res: Resources) -> None:
    await rig.emit(res.db, "test.counted", {"n": 1})
    lease = await claim_one(res)
    await res.db.execute("UPDATE outbox SET failures = $1", FAILURE_LIMIT - 1)
    await rig.work_one(res, HANDLERS, lease, started_before=True)
    assert await rig.states(res.db) == {"PARKED": 1}
    assert await effects(res) == 0


async def test_the_outbox_row_and_the_effect_commit_together(res: Resources) -> None:
    await rig.emit(res.db, "test.counted", {"n": 7})
    lease = await claim_one(res)
    await res.db.transact(lambda tx: _effect(tx, 7))
    await rig.work_one(res, HANDLERS, lease)
    row = await res.db.fetchrow("SELECT state, failures FROM outbox")
    assert row is not None
    assert (row["state"], row["failures"]) == ("READY", 1)


async def test_a_job_given_to_another_attempt_cannot_mark_the_row_done(res: Resources, clock: FrozenClock) -> None:
    await rig.emit(res.db, "test.counted", {"n": 1})
    first = await claim_one(res)
    late = await leases.take(res, first, started_before=False)
    assert late is not None
    await leases.release(res.db, [first])
    second = await claim_one(res)
    assert second.attempt == first.attempt + 1
    with pytest.raises(Fenced):
        await late.transact(lambda tx: _effect(tx, 1))
    assert await effects(res) == 0
    await rig.work_one(res, HANDLERS, second)
    assert await effects(res) == 1
    clock.advance(timedelta(seconds=res.settings.lease_s - res.settings.job_timeout_s))
    assert await leases.take(res, first, started_before=False) is None


async def test_done_rows_are_forgotten_after_their_period(res: Resources, clock: FrozenClock) -> None:
    await rig.emit(res.db, "test.nothing", {})
    await rig.work_one(res, HANDLERS, await claim_one(res))
    assert await leases.forget(res.db) == 0
    clock.advance(leases.KEEP_DONE + timedelta(seconds=1))
    assert await leases.forget(res.db) == 1
    assert await rig.states(res.db) == {}


async def test_slow_bulk_jobs_do_not_hold_up_the_others(res: Resources) -> None:
    """What many messages to a slow WeChat must not do to the janitor."""
    gate = asyncio.Event()

    async def on_slow(job: Job) -> None:
        await gate.wait()

    for number in range(100):
        await rig.emit(res.db, "test.slow", {"n": number}, lane=Lane.BULK)
    async with rig.running(res, {**HANDLERS, "test.slow": on_slow}):
        await rig.emit(res.db, "test.counted", {"n": 1})

        async def counted() -> bool:
            return await effects(res) == 1

        await rig.until(counted, within_s=5)
        assert (await rig.states(res.db)).get("LEASED", 0) <= DEPTH_LIMIT[Lane.BULK]
        gate.set()
        await rig.all_done(res.db)


async def test_emit_needs_a_commit(res: Resources) -> None:
    async def fail(tx: Tx) -> None:
        outbox.emit(tx, "test.nothing", {})
        await tx.flush()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await res.db.transact(fail)
    assert await rig.states(res.db) == {}
