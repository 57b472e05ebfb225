"""The schedule: makes a row per (name, period) and an outbox event with it, in one transaction (I-18).

Any number of schedules may run at once: the row's key decides who makes it. What fails is retried and parked like any
job; a period that was missed while nothing ran is made as soon as something does.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

from backend.kernel import log, outbox
from backend.kernel.db import Database, Tx
from backend.kernel.outbox import Handler, Job, Park
from backend.kernel.periodic import Periodic, due_periods

DUE = "periodic.due"
PERIOD_S = 1.0
logger = log.get_logger("schedule")

LAST = """
    SELECT name, (SELECT max(period) FROM periodic_run r WHERE r.name = given.name) AS period
      FROM unnest($1::text[]) AS given (name)
"""

MAKE = """
    INSERT INTO periodic_run (name, period, state, started_at)
    SELECT name, period, 'RUNNING', $3
      FROM unnest($1::text[], $2::text[]) AS due (name, period)
        ON CONFLICT (name, period) DO NOTHING
 RETURNING name, period
"""

# The job's row and its period, one not without the other.
COMPLETE = f"""
    WITH done AS ({outbox.DONE}),
    completed AS (
        UPDATE periodic_run SET state = 'DONE', finished_at = $3
          FROM done WHERE name = $4 AND period = $5 AND state <> 'DONE')
    SELECT id FROM done
"""  # noqa: S608 - constants only


async def tick(db: Database, periodic: Sequence[Periodic]) -> int:
    """Make every period that is due and not made; returns how many were."""

    async def make(tx: Tx) -> int:
        last = {row["name"]: row["period"] for row in await tx.fetch(LAST, [work.name for work in periodic])}
        due = [(work.name, period) for work in periodic for period in due_periods(work.every, last[work.name], tx.now)]
        if not due:
            return 0
        made = await tx.fetch(MAKE, [name for name, _ in due], [period for _, period in due], tx.now)
        for row in made:
            payload = {"name": row["name"], "period": row["period"]}
            outbox.emit(tx, DUE, payload, dedup_key=f"{row['name']}:{row['period']}")
        return len(made)

    return await db.transact(make)


def handlers(periodic: Sequence[Periodic]) -> Mapping[str, Handler]:
    """The handler that runs what is due and completes its row with the outbox row."""
    by_name = {work.name: work for work in periodic}

    async def on_due(job: Job) -> None:
        name, period = job.payload["name"], job.payload["period"]
        if name not in by_name:
            raise Park(f"no periodic job is called {name}")
        await by_name[name].run(job.res, period)
        await job.finish_alone(COMPLETE, name, period)

    return {DUE: on_due}


async def run(db: Database, periodic: Sequence[Periodic], *, stop: asyncio.Event) -> None:
    """Tick until `stop`, whatever happens to PostgreSQL."""
    while not stop.is_set():
        try:
            await tick(db, periodic)
        except Exception as error:  # house: the schedule loop outlives its periods
            logger.warning("schedule_paused", error=log.redact_text(repr(error)))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), PERIOD_S)
