"""Hints about refunds: Alipay tells that a trade was refunded, and not by how much (protocols/alipay.md section 9.4).

So it is asked by the refund's number, no sooner than ten seconds after (section 8.2), and what it answers goes through
`refunding.hear` like every other word about a refund.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from backend.kernel.db import Tx
from backend.kernel.outbox import Handler, Job, Retry
from payments import merchants, refunding
from payments.channels.base import ChannelFailure, ChannelRefund, RefundRequest
from payments.settlement import Door

HINTED = "payments.refund_hinted"
PAUSE = timedelta(seconds=15)


def payload(merchant_id: UUID, refund: ChannelRefund) -> dict[str, Any]:
    """What the job needs to ask about a refund that was hinted at."""
    return {
        "merchant_id": str(merchant_id),
        "out_refund_no": refund.out_refund_no,
        "out_trade_no": refund.out_trade_no,
        "transaction_no": refund.transaction_no,
    }


def due(now: datetime) -> datetime:
    """When to ask."""
    return now + PAUSE


async def on_refund_hinted(job: Job) -> None:
    """Handler of `payments.refund_hinted`."""
    hint = job.payload
    merchant = await merchants.merchant(job.res, UUID(hint["merchant_id"]))
    request = RefundRequest(
        out_refund_no=hint["out_refund_no"],
        out_trade_no=hint["out_trade_no"],
        transaction_no=hint["transaction_no"],
        amount_fen=0,
        total_fen=0,
        reason="",
        notify_url="",
    )
    try:
        told = await merchants.channel(job.res, merchant).query_refund(merchant.keys, request)
    except ChannelFailure as failure:
        raise Retry(str(failure)) from failure
    if told is None:
        raise Retry("the channel does not know the refund that it hinted at")

    async def take(tx: Tx) -> None:
        await refunding.hear(tx, merchant, refund=told, door=Door.QUERY)

    await job.transact(take)


HANDLERS: Mapping[str, Handler] = {HINTED: on_refund_hinted}
