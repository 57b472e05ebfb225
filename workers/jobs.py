"""Reactions that need several nouns, which none of them may import: messages about bills; housekeeping.

Each is repeatable: a message's key (event, person) keeps it single (I-16).
"""

import time
from collections.abc import Mapping
from datetime import time as clock_time
from uuid import UUID

from backend.fees import audience, periods
from backend.fees.audience import PublishedRun, Told
from backend.kernel import audit, leases, outbox
from backend.kernel.db import Tx
from backend.kernel.failpoints import failpoint
from backend.kernel.money import yuan_text
from backend.kernel.outbox import Handler, Job, Lane
from backend.kernel.periodic import Daily, Minutes, Periodic
from backend.kernel.resources import Resources
from backend.messaging import intents, meanings
from backend.messaging.intents import Recipient

HOUSES_PER_CHUNK = 2_000
BUDGET_S = 20.0


async def on_run_published(job: Job) -> None:
    """Tell everybody whom a published run concerns, chunk after committed chunk, in several jobs if need be."""
    run = await audience.published_run(job.res.db, UUID(job.payload["run_id"]))
    began = time.monotonic()
    after_no: int | None = job.payload.get("after_no", 0)
    while run is not None and after_no is not None and time.monotonic() - began < BUDGET_S:
        after_no = await _tell_chunk(job.res, run, after_no)
        await failpoint("bill_messages.after_chunk")

    async def finish(tx: Tx) -> None:
        if run is not None and after_no is not None:
            outbox.emit(
                tx, job.event, {**job.payload, "after_no": after_no}, community_id=run.community_id, lane=Lane.BULK
            )

    await job.transact(finish)


async def _tell_chunk(res: Resources, run: PublishedRun, after_no: int) -> int | None:
    async def tell(tx: Tx) -> int | None:
        told, last_no = await audience.audience(tx, run, after_no=after_no, houses=HOUSES_PER_CHUNK)
        recipients = [Recipient(one.person_id, _bill_values(run, one)) for one in told]
        event_key = f"bill_issued:{run.id}"
        await intents.plan(
            tx, meanings.BILL_ISSUED, event_key=event_key, community_id=run.community_id, recipients=recipients
        )
        return last_no

    return await res.db.transact(tell)


def _bill_values(run: PublishedRun, told: Told) -> dict[str, str]:
    more = f"等{told.house_count}套" if told.house_count > 1 else ""
    return {
        "houses": told.first_label + more,
        "item": run.item_name,
        "period": periods.text(run.period_start, run.period_end),
        "amount": f"{yuan_text(told.total_fen)}元",
        "due_on": run.due_on.isoformat(),
    }


async def forget_done_rows(res: Resources, period: str) -> None:
    """Retention of the outbox: rows done a week ago."""
    began = time.monotonic()
    while await leases.forget(res.db) == leases.FORGET_BATCH and time.monotonic() - began < BUDGET_S:
        continue


async def seal_audit(res: Resources, period: str) -> None:
    """Chain the audit entries of the last minutes (S4)."""
    began = time.monotonic()
    while await res.db.transact(audit.seal) == audit.SEAL_CHUNK and time.monotonic() - began < BUDGET_S:
        continue


HANDLERS: Mapping[str, Handler] = {"fees.run_published": on_run_published}

PERIODIC = (
    Periodic("audit.seal", Minutes(5), seal_audit),
    Periodic("outbox.forget", Daily(at=clock_time(hour=3, minute=30), catch_up=False), forget_done_rows),
)
