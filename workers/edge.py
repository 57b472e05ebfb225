"""The job edge: one lease, one handler, one outcome. The one broad `except` of the workers' jobs stands here.

Done, put back with a back-off, or parked: whatever a handler does, its row goes on (I-16). A row that was given to
another attempt meanwhile is left alone. A poison job is parked after FAILURE_LIMIT failures (F-17).
"""

import asyncio
import time
from collections.abc import Mapping

from backend.kernel import leases, log, metrics
from backend.kernel.errors import AppError, Unavailable
from backend.kernel.failpoints import failpoint
from backend.kernel.leases import FAILURE_LIMIT, RETRY_LIMIT, Lease
from backend.kernel.outbox import Fenced, Handler, Job, Park, Retry
from backend.kernel.resources import Resources

TIMEOUT_SHARE = 0.9
logger = log.get_logger("jobs")


async def work(res: Resources, handlers: Mapping[str, Handler], lease: Lease, started_before: bool) -> None:
    """Work one lease to one of its outcomes; raises nothing but cancellation.

    PostgreSQL away leaves the row leased: the sweeper frees it once the lease has run out.
    """
    try:
        job = await leases.take(res, lease, started_before=started_before)
        if job is not None:
            await _settle(job, handlers, started_before)
    except Unavailable as error:
        logger.warning("job_interrupted", row=lease.id, attempt=lease.attempt, error=repr(error))


async def _settle(job: Job, handlers: Mapping[str, Handler], started_before: bool) -> None:
    handler = handlers.get(job.event)
    if handler is None:
        await leases.park(job, f"no handler for {job.event}")
        return
    if started_before and job.failures >= FAILURE_LIMIT:
        await leases.park(job, "its worker died again and again during this job")
        return
    started = time.monotonic()
    with log.bound(event_name=job.event, row=job.id, attempt=job.attempt):
        outcome = await _attempt(job, handler)
    metrics.job_s.labels(job.event, outcome).observe(time.monotonic() - started)


async def _attempt(job: Job, handler: Handler) -> str:
    """Run the handler and put its row where it belongs; returns the outcome's name."""
    try:
        async with asyncio.timeout(job.res.settings.job_timeout_s * TIMEOUT_SHARE):
            await failpoint("job.before_handler")
            await handler(job)
            if not job.done:
                await job.finish_alone()
        await failpoint("job.after_handler")
    except Fenced:
        logger.info("job_fenced")
        return "fenced"
    except Park as error:
        logger.warning("job_parked", reason=str(error))
        await leases.park(job, str(error))
        return "parked"
    except Retry as error:
        return await _again(job, str(error), RETRY_LIMIT, error.after_s)
    except Exception as error:  # house: the job edge
        logger.exception("job_failed")
        transient = isinstance(error, AppError) and error.retryable
        return await _again(job, log.redact_text(repr(error)), RETRY_LIMIT if transient else FAILURE_LIMIT, None)
    return "done"


async def _again(job: Job, reason: str, limit: int, after_s: float | None) -> str:
    if job.failures + 1 >= limit:
        logger.error("job_parked", reason=reason)
        await leases.park(job, reason)
        return "parked"
    logger.warning("job_retried", reason=reason)
    await leases.put_back(job, reason, after_s=after_s)
    return "retried"
