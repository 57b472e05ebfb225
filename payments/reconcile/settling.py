"""What a statement knows and we do not: asked at the channel, and settled by itself where the channel says so (D7).

The third door of `settle` (design principle 4): a line that is missing here is only a reason to ask; what the channel
answers goes through the same `settle` and `hear` as a callback, and the difference of the statement is resolved by
itself once the money stands in our books, in its bill or in suspense. The network is called outside any transaction.
"""

import time
from uuid import UUID

from backend.kernel import log, outbox
from backend.kernel.db import Record, Tx
from backend.kernel.outbox import Job, Retry
from backend.kernel.resources import Resources
from payments import merchants, refunding, settlement
from payments.channels.base import ChannelFailure, ChannelRefund, RefundRequest, Trade
from payments.merchants import Merchant
from payments.reconcile.runs import FOUND
from payments.settlement import Door, Outcome

BATCH = 20
BUDGET_S = 20
AGAIN_S = 300
logger = log.get_logger("reconcile")

NEXT = """
    SELECT f.id AS finding_id, d.id AS difference_id, d.out_trade_no, d.transaction_no, d.subject, d.actual_fen,
           a.id AS attempt_id, coalesce(a.merchant_id, d.merchant_id) AS merchant_id,
           coalesce(r.total_fen, a.amount_fen) AS total_fen
      FROM reconciliation_finding f
      JOIN difference d ON d.id = f.difference_id
      LEFT JOIN payment_attempt a ON a.id = d.attempt_id
      LEFT JOIN refund r ON d.subject <> '' AND r.out_refund_no = d.subject
     WHERE f.run_id = $1 AND f.asked_at IS NULL AND d.state = 'OPEN' AND f.statement_fen > 0
       AND (d.class = 'missing_here' OR d.class IN ('refund', 'status') AND d.subject <> '')
     ORDER BY f.id
     LIMIT $2
"""

ASKED = "UPDATE reconciliation_finding SET asked_at = $2 WHERE id = $1"

# The channel contradicts its own statement.
CONTRADICTED = """
    UPDATE difference SET class = 'status', detail = detail || jsonb_build_object('channel_said', $2::text)
     WHERE id = $1 AND class = 'missing_here' AND state IN ('OPEN', 'ESCALATED')
       AND NOT EXISTS (SELECT FROM difference d
                        WHERE (d.channel, d.transaction_no, d.subject)
                            = (difference.channel, difference.transaction_no, difference.subject)
                          AND d.class = 'status')
"""

RESOLVE = """
    UPDATE difference SET state = 'AUTO_RESOLVED', resolved_at = $2, note = $3
     WHERE id = $1 AND state IN ('OPEN', 'ESCALATED')
"""


async def on_found(job: Job) -> None:
    """Ask about what a run found missing here, for BUDGET_S seconds at most; the rest is the next job's."""
    run_id, started_s = UUID(job.payload["run_id"]), time.monotonic()
    left = await job.res.db.fetch(NEXT, run_id, BATCH)
    while left and time.monotonic() - started_s < BUDGET_S:
        for row in left:
            try:
                await _ask(job.res, row)
            except ChannelFailure as failure:
                raise Retry(f"the channel says nothing: {failure}", after_s=AGAIN_S) from failure
        left = await job.res.db.fetch(NEXT, run_id, BATCH)

    async def go_on(tx: Tx) -> None:
        if left:
            outbox.emit(tx, FOUND, {"run_id": str(run_id)}, lane=outbox.Lane.BULK)

    await job.transact(go_on)


async def _ask(res: Resources, row: Record) -> None:
    merchant = await merchants.merchant(res, row["merchant_id"])
    channel = merchants.channel(res, merchant)
    if row["subject"]:
        told = await channel.query_refund(merchant.keys, _request(row))
        await res.db.transact(lambda tx: _hear(tx, merchant, row, told))
    else:
        trade = await channel.query(merchant.keys, row["out_trade_no"])
        await res.db.transact(lambda tx: _settle(tx, merchant, row, trade))


async def _settle(tx: Tx, merchant: Merchant, row: Record, trade: Trade | None) -> None:
    """Settle what the channel says is paid under the very number of the statement; else it stays a person's case."""
    await tx.execute(ASKED, row["finding_id"], tx.now)
    if trade is None or not trade.paid or trade.transaction_no != row["transaction_no"]:
        if row["attempt_id"] is not None and (trade is None or not trade.paid):
            said = "NEVER_HEARD" if trade is None else trade.state.value
            await tx.execute(CONTRADICTED, row["difference_id"], said)
        return
    settled = await settlement.settle(tx, merchant, trade=trade, door=Door.STATEMENT)
    note = "渠道确认已支付，系统已按账单补记。"
    if settled.outcome is Outcome.DIFFERENCE:
        note = "渠道确认已支付，但与支付单不符，款项已挂待查，请看这笔交易的另一条差异。"
    await tx.execute(RESOLVE, row["difference_id"], tx.now, note)


async def _hear(tx: Tx, merchant: Merchant, row: Record, told: ChannelRefund | None) -> None:
    await tx.execute(ASKED, row["finding_id"], tx.now)
    if told is None or told.amount_fen != row["actual_fen"]:
        return
    outcome = await refunding.hear(tx, merchant, refund=told, door=Door.STATEMENT)
    if outcome is not Outcome.DIFFERENCE:
        await tx.execute(RESOLVE, row["difference_id"], tx.now, "渠道确认了这笔退款，系统已补记。")


def _request(row: Record) -> RefundRequest:
    return RefundRequest(
        out_refund_no=row["subject"],
        out_trade_no=row["out_trade_no"],
        transaction_no=row["transaction_no"],
        amount_fen=row["actual_fen"],
        total_fen=row["total_fen"] or row["actual_fen"],
        reason="",
        notify_url="",
    )
