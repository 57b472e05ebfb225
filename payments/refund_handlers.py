"""What refunds do by events and by the clock (I-16, I-18)."""

from collections.abc import Mapping
from uuid import UUID

from backend.kernel.clock import SHANGHAI
from backend.kernel.db import Tx
from backend.kernel.money import yuan_text
from backend.kernel.outbox import Handler, Job
from backend.kernel.periodic import Minutes, Periodic
from backend.messaging import intents
from backend.messaging.intents import Recipient
from backend.messaging.meanings import PAYMENT_REFUNDED
from payments import refund_calls, refund_redirects
from payments.automatic_refunds import on_difference_opened, on_refund_unexplained
from payments.refund_calls import on_refund_due

# Money of an unknown order has no payer whom we could tell.
TOLD = """
    SELECT r.id, r.community_id, r.amount_fen, r.reason, r.out_trade_no, r.finished_at, o.payer_person_id, o.description
      FROM refund r
      LEFT JOIN difference d ON d.id = r.difference_id
      JOIN payment_attempt a ON a.id = coalesce(r.attempt_id, d.attempt_id)
      JOIN payment_order o ON o.id = a.order_id
     WHERE r.id = $1 AND r.state = 'SUCCEEDED' AND o.payer_person_id IS NOT NULL
"""


async def on_refund_told(job: Job) -> None:
    """Money went back: who paid it is told."""
    await job.transact(lambda tx: _tell(tx, UUID(job.payload["refund_id"])))


async def _tell(tx: Tx, refund_id: UUID) -> None:
    row = await tx.fetchrow(TOLD, refund_id)
    if row is None:
        return
    values = {
        "subject": row["description"],
        "amount": f"{yuan_text(row['amount_fen'])}元",
        "reason": row["reason"],
        "refunded_at": row["finished_at"].astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M"),
        "order_no": row["out_trade_no"],
    }
    await intents.plan(
        tx,
        PAYMENT_REFUNDED,
        event_key=f"payments.refunded:{row['id']}",
        community_id=row["community_id"],
        recipients=[Recipient(row["payer_person_id"], values)],
    )


HANDLERS: Mapping[str, Handler] = {
    "payments.refund_due": on_refund_due,
    "payments.refund_told": on_refund_told,
    refund_redirects.DUE: refund_redirects.on_redirect_due,
    "payments.difference_opened": on_difference_opened,
    "payments.refund_unexplained": on_refund_unexplained,
}

PERIODIC = (Periodic("payments.refunds_tick", Minutes(1), refund_calls.tick),)
