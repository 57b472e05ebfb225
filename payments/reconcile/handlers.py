"""What reconciliation does by events and by the clock: a day's statements from 10:00 of the next day on (D7, I-18)."""

from collections.abc import Mapping
from datetime import date, time, timedelta
from uuid import UUID

from backend.kernel.outbox import Handler, Job, Retry
from backend.kernel.periodic import Daily, Periodic
from backend.kernel.resources import Resources
from payments.channels.base import STATEMENT_CREATING, ChannelError, ChannelFailure, StatementKind
from payments.reconcile import runs
from payments.reconcile.reading import Refused
from payments.reconcile.runs import DUE, FOUND, LeaseLost, NothingThere, NotYet
from payments.reconcile.settling import on_found

READY = time(10, 0)
SOON_S, LATER_S, MUCH_LATER_S = 60, 300, 1800
# What waits for another run asks every minute at first; that there is no statement is believed after two hours.
SOON_TIMES, BELIEVED_AFTER = 5, 4


async def on_due(job: Job) -> None:
    """Make one run; what cannot be done now is tried again, at last put aside for a person."""
    given = job.payload
    try:
        await runs.reconcile(
            job.res,
            merchant_id=UUID(given["merchant_id"]),
            day=date.fromisoformat(given["day"]),
            kind=StatementKind(given["kind"]),
            force=given.get("force", False),
            empty_believed=job.failures >= BELIEVED_AFTER,
        )
    except (NotYet, LeaseLost) as error:
        after_s = SOON_S if job.failures < SOON_TIMES else MUCH_LATER_S
        raise Retry(str(error) or "the run was taken by another", after_s=after_s) from error
    except (Refused, NothingThere) as error:
        raise Retry(str(error), after_s=MUCH_LATER_S) from error
    except ChannelError as error:
        creating = error.code == STATEMENT_CREATING
        raise Retry(f"{error.code}", after_s=MUCH_LATER_S if creating else LATER_S) from error
    except ChannelFailure as error:
        raise Retry(str(error), after_s=LATER_S) from error


async def start_day(res: Resources, period: str) -> None:
    """At ten o'clock: yesterday's statements of every merchant, and once more what has moved since it was compared."""
    today = date.fromisoformat(period)
    await runs.plan(res, today - timedelta(days=1))
    await runs.plan_moved(res, today)


HANDLERS: Mapping[str, Handler] = {DUE: on_due, FOUND: on_found}
PERIODIC = (Periodic("payments.reconciliation", Daily(READY), start_day),)
