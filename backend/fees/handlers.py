"""Jobs of fees: generating a run and clearing one that was given up, as chains of committed chunks; the daily scan;
bills that settle by themselves out of prepaid money."""

import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from datetime import time as clock_time
from functools import partial
from uuid import UUID

import asyncpg

from backend.fees import billing_run, items, prepaid_uses, runs
from backend.fees.billing_run import Progress
from backend.fees.periods import Period
from backend.kernel import outbox
from backend.kernel.audit import SYSTEM
from backend.kernel.clock import local_date
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict
from backend.kernel.failpoints import failpoint
from backend.kernel.outbox import Handler, Job, Lane
from backend.kernel.periodic import Daily, Periodic
from backend.kernel.resources import Resources

# Well under the job's time-out of 60 s; a chunk takes about a second.
BUDGET_S = 20
SCAN_AT = clock_time(hour=1, minute=10)
SETTLE_AT = clock_time(hour=2, minute=10)
HOUSES = 100
FIRST = str(UUID(int=0))


async def on_run_requested(job: Job) -> None:
    """Generate the run; where the budget ends first, the event is emitted again to go on."""
    run_id = UUID(job.payload["run_id"])
    try:
        await _in_chunks(job, partial(billing_run.generate_chunk, run_id=run_id))
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        await job.transact(partial(billing_run.fail, run_id=run_id, error=f"{error.sqlstate}: {error}"))


async def on_run_given_up(job: Job) -> None:
    """Delete the drafts of a cancelled or failed run."""
    await _in_chunks(job, partial(billing_run.clear_chunk, run_id=UUID(job.payload["run_id"])))


async def _in_chunks(job: Job, chunk: Callable[[Tx], Awaitable[Progress]]) -> None:
    """Commit chunk after chunk; the row is marked done with the end, or with the event that goes on."""
    ends_at = time.monotonic() + BUDGET_S
    progress = await job.res.db.transact(chunk)
    await failpoint("billing_run.after_chunk")
    while not progress.done and time.monotonic() < ends_at:
        progress = await job.res.db.transact(chunk)
        await failpoint("billing_run.after_chunk")

    async def finish(tx: Tx) -> None:
        if not progress.done:
            outbox.emit(tx, job.event, job.payload)

    await job.transact(finish)


async def scan(res: Resources, period: str) -> None:
    """Make drafts of the runs that are due on the date `period` and do not exist (D3); nobody publishes by itself."""
    on = date.fromisoformat(period)
    for row in await runs.active_items(res.db):
        item = items.of_row(row)
        since = local_date(row["created_at"])
        known = await runs.known_periods(res.db, item.id)
        for due in item.cycle.to_be_issued(since=since, until=on):
            if due not in known:
                await _make_draft(res, item.id, due)


async def _make_draft(res: Resources, item_id: UUID, due: Period) -> None:
    async def work(tx: Tx) -> None:
        await billing_run.create(tx, SYSTEM, item_id=item_id, communities=None, day=due.starts_on)

    try:
        await res.db.transact(work)
    except Conflict:
        # Made or closed by somebody at the same moment, or old drafts are still there: tomorrow's scan looks again.
        return


async def settle_due(res: Resources, period: str) -> None:
    """Once a day all bills whose due day has passed settle by themselves, as far as prepaid money reaches (D4)."""

    async def work(tx: Tx) -> None:
        outbox.emit(tx, "fees.prepaid_due", {}, dedup_key=period, lane=Lane.BULK)

    await res.db.transact(work)


async def on_prepaid_due(job: Job) -> None:
    """House by house, each in a transaction of its own; where the budget ends first, a new event goes on."""
    ends_at = time.monotonic() + BUDGET_S
    after, more = UUID(job.payload.get("after", FIRST)), True
    while more and time.monotonic() < ends_at:
        today = local_date(job.res.clock.now())
        found = await prepaid_uses.houses_with_due_bills(job.res.db, on=today, after=after, limit=HOUSES)
        for house_id in found:
            await job.res.db.transact(partial(prepaid_uses.settle_house, house_id=house_id))
            await failpoint("prepaid.after_house")
        after, more = found[-1] if found else after, len(found) == HOUSES

    async def finish(tx: Tx) -> None:
        if more:
            outbox.emit(tx, job.event, {"after": str(after)}, lane=Lane.BULK)

    await job.transact(finish)


async def on_prepaid_topped_up(job: Job) -> None:
    """Money came in: what is overdue by now is paid from it."""

    async def settle(tx: Tx) -> None:
        await prepaid_uses.settle_house(tx, UUID(job.payload["house_id"]))

    await job.transact(settle)


HANDLERS: Mapping[str, Handler] = {
    "fees.run_requested": on_run_requested,
    "fees.run_given_up": on_run_given_up,
    "fees.prepaid_due": on_prepaid_due,
    "fees.prepaid_topped_up": on_prepaid_topped_up,
}

PERIODIC = (
    Periodic("fees.daily_scan", Daily(at=SCAN_AT), scan),
    Periodic("fees.prepaid_settlement", Daily(at=SETTLE_AT, catch_up=False), settle_due),
)
