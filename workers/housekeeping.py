"""What keeps a running system clean and watched: retention, expiry, the invariants once an hour (design section 4).

How long things are kept: idempotency answers 7 days, bodies of callbacks 90 days (their outcome stays), sessions 30
days after their end, rows of periodic runs 400 days.
"""

from collections.abc import Sequence
from datetime import time, timedelta

from backend.kernel import approvals, audit, checks, idempotency, log, metrics
from backend.kernel.checks import Check
from backend.kernel.db import Tx
from backend.kernel.periodic import Daily, Minutes, Periodic
from backend.kernel.resources import Resources

ANSWERS_KEPT = timedelta(days=7)
BODIES_KEPT = timedelta(days=90)
SESSIONS_KEPT = timedelta(days=30)
PERIODS_KEPT = timedelta(days=400)

FORGET_BODIES = "UPDATE inbox SET body = NULL WHERE received_at < $1 AND body IS NOT NULL AND outcome IS NOT NULL"
FORGET_SESSIONS = "DELETE FROM session WHERE expires_at < $1"
FORGET_PERIODS = "DELETE FROM periodic_run WHERE finished_at < $1 AND state = 'DONE'"

logger = log.get_logger("housekeeping")


async def expire_approvals(res: Resources, _period: str) -> None:
    """Mark approvals that nobody decided in time."""
    await res.db.transact(lambda tx: approvals.expire(tx, res.approval_kinds))


async def forget(res: Resources, _period: str) -> None:
    """Remove what has been kept long enough."""

    async def work(tx: Tx) -> None:
        await tx.allow(statement_s=50)
        await tx.execute(idempotency.FORGET, tx.now - ANSWERS_KEPT)
        await tx.execute(FORGET_BODIES, tx.now - BODIES_KEPT)
        await tx.execute(FORGET_SESSIONS, tx.now - SESSIONS_KEPT)
        await tx.execute(FORGET_PERIODS, tx.now - PERIODS_KEPT)

    await res.db.transact(work)


def periodic(invariants: Sequence[Check]) -> tuple[Periodic, ...]:
    """The housekeeping of a worker; `invariants` are those of all nouns, handed down by the root."""

    async def look(res: Resources, _period: str) -> None:
        """Run every invariant, set the figures, and say in the log which is broken."""
        for found in await checks.run(res.db, invariants):
            metrics.invariant_failures.labels(found.check.code).set(found.offenders)
            if found.offenders:
                logger.error("invariant_broken", invariant=found.check.code, offenders=found.offenders)
        broken = await audit.first_broken_entry(res.db)
        if broken is not None:
            logger.error("audit_chain_broken", entry=broken)

    return (
        Periodic("approvals.expire", Minutes(30), expire_approvals),
        Periodic("retention.forget", Daily(at=time(hour=4), catch_up=False), forget),
        Periodic("invariants.check", Minutes(60), look),
    )
