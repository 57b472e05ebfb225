"""What the counter does by events: receipts after settlement, receipts voided when all of the money went back."""

from collections.abc import Mapping
from uuid import UUID

from backend.kernel.audit import SYSTEM
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict
from backend.kernel.outbox import Handler, Job
from payments.counter import receipts

OF_REFUND = """
    SELECT a.order_id FROM refund r JOIN payment_attempt a ON a.id = r.attempt_id WHERE r.id = $1
"""


async def on_receipt_due(job: Job) -> None:
    """An order was settled: it gets its receipt, unless it has one or its money has gone back already."""
    order_id = UUID(job.payload["order_id"])

    async def give(tx: Tx) -> None:
        try:
            await receipts.give(tx, SYSTEM, order_id=order_id)
        except Conflict as refused:
            if refused.code != "all_refunded":
                raise

    await job.transact(give)


async def on_refunded(job: Job) -> None:
    """Money went back: where that was all of it, the receipt is void."""
    refund_id = UUID(job.payload["refund_id"])

    async def void(tx: Tx) -> None:
        order_id = await tx.fetchval(OF_REFUND, refund_id)
        if order_id is not None:
            await receipts.void_refunded(tx, order_id=order_id)

    await job.transact(void)


HANDLERS: Mapping[str, Handler] = {
    "payments.receipt_due": on_receipt_due,
    "payments.refunded": on_refunded,
}
