"""What payments does by events and by the clock (I-16, I-18)."""

from collections.abc import Mapping
from uuid import UUID

from backend.kernel import outbox
from backend.kernel.db import Tx
from backend.kernel.errors import AppError
from backend.kernel.outbox import Handler, Job, Retry
from backend.kernel.periodic import Minutes, Periodic
from backend.kernel.resources import Resources
from payments import closing, janitor, merchants
from payments.channels.base import ChannelFailure
from payments.shipping import on_shipping_due


async def on_paid(job: Job) -> None:
    """An order was settled: its shipping report is due."""
    attempt_id = job.payload["attempt_id"]

    async def follow(tx: Tx) -> None:
        outbox.emit(tx, "payments.shipping_due", {"attempt_id": attempt_id}, dedup_key=attempt_id)

    await job.transact(follow)


async def on_overtaken(job: Job) -> None:
    """What an order asks for was paid by another one after all: close it before somebody pays twice."""
    try:
        await closing.close(job.res, UUID(job.payload["order_id"]), reason="overtaken")
    except AppError as error:
        raise Retry(error.message) from error


async def _refresh_certificates(res: Resources, period: str) -> None:
    try:
        await merchants.refresh_certificates(res)
    except ChannelFailure as failure:
        raise Retry(str(failure)) from failure


HANDLERS: Mapping[str, Handler] = {
    "payments.paid": on_paid,
    "payments.shipping_due": on_shipping_due,
    "payments.overtaken": on_overtaken,
}

PERIODIC = (
    Periodic("payments.janitor_tick", Minutes(1), janitor.tick),
    Periodic("payments.platform_certificates", Minutes(720), _refresh_certificates),
)
