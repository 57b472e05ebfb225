"""Retention, expiry and the hourly look at the invariants."""

from datetime import timedelta

from backend.composition import CHECKS
from backend.kernel import approvals, metrics
from backend.kernel.audit import Actor
from backend.kernel.clock import FrozenClock
from backend.kernel.ids import uuid7
from backend.kernel.resources import Resources
from workers import housekeeping


async def test_what_has_been_kept_long_enough_is_forgotten(res: Resources, clock: FrozenClock) -> None:
    await res.db.execute(
        "INSERT INTO idempotency (principal, route, key, body_hash, created_at) VALUES ('p', 'r', 'k', '\\x00', $1)",
        clock.now(),
    )
    await res.db.execute(
        "INSERT INTO inbox (source, event_key, received_at, body, outcome) VALUES ('s', 'e', $1, '\\x01', 'applied')",
        clock.now(),
    )
    await housekeeping.forget(res, "")
    assert await res.db.fetchval("SELECT count(*) FROM idempotency") == 1
    clock.advance(timedelta(days=91))
    await housekeeping.forget(res, "")
    assert await res.db.fetchval("SELECT count(*) FROM idempotency") == 0
    assert await res.db.fetchval("SELECT count(*) FROM inbox WHERE body IS NULL") == 1


async def test_an_approval_that_nobody_decides_expires(res: Resources, clock: FrozenClock) -> None:
    actor = Actor("staff", uuid7(clock.now()))
    await res.db.transact(
        lambda tx: approvals.propose(tx, actor, kind="t", target="t:1", payload={}, shown={}, reason="r")
    )
    await housekeeping.expire_approvals(res, "")
    assert await res.db.fetchval("SELECT state FROM approval") == "PENDING"
    clock.advance(approvals.LIFETIME)
    await housekeeping.expire_approvals(res, "")
    assert await res.db.fetchval("SELECT state FROM approval") == "EXPIRED"


async def test_the_hourly_look_counts_offenders(res: Resources) -> None:
    (look,) = [job for job in housekeeping.periodic(CHECKS) if job.name == "invariants.check"]
    await look.run(res, "")
    values = [
        sample.value
        for family in metrics.REGISTRY.collect()
        for sample in family.samples
        if sample.name == "linli_invariant_failures"
    ]
    assert values
    assert set(values) == {0.0}
