"""Leases on rows of the outbox: what the workers need and no noun ever sees (I-16).

A row goes READY → LEASED → DONE, back to READY when it must run again, or PARKED for a person. `attempt` grows with
every lease and is the fence: whoever holds an older number changes nothing. `failures` counts handlers that raised or
died with their worker; a row that Redis lost is not a failure of its own.

Leases alone are measured by PostgreSQL's own clock, here and nowhere else: they must not depend on the movable clock.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from backend.kernel.db import Database
from backend.kernel.outbox import Job, Lane
from backend.kernel.resources import Resources

FAILURE_LIMIT = 8
RETRY_LIMIT = 40
BACKOFF_CAP_S = 600
ERROR_CHARACTERS = 500
SWEEP_BATCH = 1_000
FORGET_BATCH = 10_000
KEEP_DONE = timedelta(days=7)

# Uses outbox_due. Two relays skip each other's rows.
CLAIM = """
    WITH due AS (
        SELECT id
          FROM outbox
         WHERE state = 'READY' AND run_at <= $1 AND lane = ANY($4::text[])
         ORDER BY run_at, id
         LIMIT $2
           FOR UPDATE SKIP LOCKED
    )
    UPDATE outbox o
       SET state = 'LEASED', attempt = o.attempt + 1, lease_until = clock_timestamp() + make_interval(secs => $3)
      FROM due
     WHERE o.id = due.id
 RETURNING o.id, o.attempt, o.event, o.payload, o.failures
"""

RELEASE = """
    UPDATE outbox o
       SET state = 'READY', lease_until = NULL
      FROM unnest($1::bigint[], $2::integer[]) AS given (id, attempt)
     WHERE o.id = given.id AND o.attempt = given.attempt AND o.state = 'LEASED'
"""

# Uses outbox_leased.
SWEEP = """
    WITH expired AS (
        SELECT id
          FROM outbox
         WHERE state = 'LEASED' AND lease_until < clock_timestamp()
         ORDER BY lease_until
         LIMIT $1
           FOR UPDATE SKIP LOCKED
    ), freed AS (
        UPDATE outbox o SET state = 'READY', lease_until = NULL FROM expired WHERE o.id = expired.id RETURNING 1
    )
    SELECT count(*) FROM freed
"""

EXTEND = """
    UPDATE outbox
       SET lease_until = clock_timestamp() + make_interval(secs => $3), failures = failures + $4
     WHERE id = $1 AND attempt = $2 AND state = 'LEASED'
 RETURNING failures
"""

PUT_BACK = """
    UPDATE outbox
       SET state = 'READY', failures = failures + 1, run_at = $3, lease_until = NULL, last_error = $4
     WHERE id = $1 AND attempt = $2 AND state = 'LEASED'
"""

PARK = """
    UPDATE outbox
       SET state = 'PARKED', failures = failures + 1, lease_until = NULL, last_error = $3, finished_at = $4
     WHERE id = $1 AND attempt = $2 AND state = 'LEASED'
"""

# Uses outbox_finished.
FORGET = """
    WITH old AS (SELECT id FROM outbox WHERE state = 'DONE' AND finished_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED),
         gone AS (DELETE FROM outbox o USING old WHERE o.id = old.id RETURNING 1)
    SELECT count(*) FROM gone
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """One row that is ours for a while; `attempt` fences us from others."""

    id: int
    attempt: int
    event: str
    payload: Mapping[str, Any]
    failures: int
    claimed_at: datetime


async def claim(db: Database, *, limit: int, lease_s: float, lanes: Sequence[Lane] = tuple(Lane)) -> list[Lease]:
    """Lease up to `limit` rows of `lanes` that are due, oldest first, for `lease_s` seconds."""
    now = db.clock.now()
    return [
        Lease(row["id"], row["attempt"], row["event"], row["payload"], row["failures"], now)
        for row in await db.fetch(CLAIM, now, limit, lease_s, list(lanes))
    ]


async def release(db: Database, leases: Sequence[Lease]) -> None:
    """Give rows back that could not be handed on: they are due again at once."""
    await db.execute(RELEASE, [lease.id for lease in leases], [lease.attempt for lease in leases])


async def sweep(db: Database) -> int:
    """Free up to SWEEP_BATCH rows whose lease ran out; returns how many."""
    return int(await db.fetchval(SWEEP, SWEEP_BATCH))


async def take(res: Resources, lease: Lease, *, started_before: bool) -> Job | None:
    """The job of a lease, with enough of it left to finish in time; None when the row is no longer ours.

    A young lease is surely ours and costs no query; what waited long in the queue is asked for. `started_before`: this
    very attempt was begun once and never ended, so its worker died: that is a failure.
    """
    failures = lease.failures
    spare = timedelta(seconds=res.settings.lease_s - res.settings.job_timeout_s)
    if started_before or res.clock.now() >= lease.claimed_at + spare:
        lease_s = float(res.settings.lease_s)
        failures = await res.db.fetchval(EXTEND, lease.id, lease.attempt, lease_s, int(started_before))
        if failures is None:
            return None
    return Job(res, lease.id, lease.attempt, lease.event, lease.payload, failures)


async def put_back(job: Job, reason: str, *, after_s: float | None = None) -> None:
    """Let the row run again after `after_s` seconds, or by the back-off of its failures."""
    wait = timedelta(seconds=backoff_s(job.failures) if after_s is None else after_s)
    await job.res.db.execute(PUT_BACK, job.id, job.attempt, job.res.clock.now() + wait, reason[:ERROR_CHARACTERS])


async def park(job: Job, reason: str) -> None:
    """Put the row aside for a person."""
    await job.res.db.execute(PARK, job.id, job.attempt, reason[:ERROR_CHARACTERS], job.res.clock.now())


def backoff_s(failures: int) -> float:
    """Seconds to wait after `failures` earlier ones: doubling from 1 s, capped, ±20 % so that rows spread out."""
    return min(2.0**failures, BACKOFF_CAP_S) * random.uniform(0.8, 1.2)


async def forget(db: Database) -> int:
    """Delete up to FORGET_BATCH rows done more than KEEP_DONE ago; returns how many (retention)."""
    return int(await db.fetchval(FORGET, db.clock.now() - KEEP_DONE, FORGET_BATCH))
