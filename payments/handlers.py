"""What payments does by events and by the clock (I-16, I-18)."""

from collections.abc import Mapping
from uuid import UUID

from backend.kernel import outbox
from backend.kernel.clock import SHANGHAI
from backend.kernel.db import Record, Tx
from backend.kernel.errors import AppError
from backend.kernel.money import yuan_text
from backend.kernel.outbox import Handler, Job, Retry
from backend.kernel.periodic import Minutes, Periodic
from backend.kernel.resources import Resources
from backend.messaging import intents
from backend.messaging.intents import Recipient
from backend.messaging.meanings import PAYMENT_RECEIVED
from payments import closing, janitor, merchants, refund_hints
from payments.channels.base import Channel, ChannelFailure, Method
from payments.shipping import on_shipping_due

PAID = """
    SELECT o.id, o.community_id, o.payer_person_id, o.amount_fen, o.description, o.paid_at, a.out_trade_no,
           a.channel, a.method
      FROM payment_order o
      JOIN payment_attempt a ON a.order_id = o.id
     WHERE a.id = $1 AND a.state = 'PAID'
"""


async def on_paid(job: Job) -> None:
    """An order was settled: its receipt is due, its shipping report if paid inside of WeChat, and the payer is told."""
    order_id, attempt_id = job.payload["order_id"], job.payload["attempt_id"]

    async def follow(tx: Tx) -> None:
        outbox.emit(tx, "payments.receipt_due", {"order_id": order_id}, dedup_key=order_id)
        row = await tx.fetchrow(PAID, UUID(attempt_id))
        if row is None:
            return
        if (row["channel"], row["method"]) == (Channel.WECHAT, Method.JSAPI):
            outbox.emit(tx, "payments.shipping_due", {"attempt_id": attempt_id}, dedup_key=attempt_id)
        if row["payer_person_id"] is not None:
            await _thank(tx, row)

    await job.transact(follow)


async def _thank(tx: Tx, row: Record) -> None:
    values = {
        "subject": row["description"],
        "amount": f"{yuan_text(row['amount_fen'])}元",
        "paid_at": row["paid_at"].astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M"),
        "order_no": row["out_trade_no"],
    }
    await intents.plan(
        tx,
        PAYMENT_RECEIVED,
        event_key=f"payments.paid:{row['id']}",
        community_id=row["community_id"],
        recipients=[Recipient(row["payer_person_id"], values)],
    )


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
    **refund_hints.HANDLERS,
}

PERIODIC = (
    Periodic("payments.janitor_tick", Minutes(1), janitor.tick),
    Periodic("payments.platform_certificates", Minutes(720), _refresh_certificates),
)
