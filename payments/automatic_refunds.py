"""Refunds by rule (design principle 9): money that came in a second time, or too late, goes back by itself.

Promises: the channel itself confirms, asked anew, that it has this money, before anything is given back; if what it
paid for is open again by then, it is settled instead. A merchant gives back by rule at most `automatic_refund_fen` on
one day; above that the difference stays open for a person. One automatic refund per difference, to where the money came
from, audited.
"""

from uuid import UUID

from backend.kernel import approvals, audit, log
from backend.kernel.approvals import Approval, Stale
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.db import Record, Tx
from backend.kernel.errors import NotFound
from backend.kernel.ids import uuid7
from backend.kernel.outbox import Job, Retry
from backend.ledger import accounts
from backend.ledger.accounts import Code, Key
from payments import foreign_refunds, merchants, refund_sql, refunding, refunds, settlement
from payments.channels.base import Channel, ChannelFailure, Trade
from payments.merchants import Merchant
from payments.settlement import Door, Outcome
from payments.states import DifferenceClass, DifferenceState, RefundState

LIMIT_KIND = "payments.automatic_refunds"
REASONS = {
    DifferenceClass.SECOND_PAYMENT: "重复支付，自动原路退回",
    DifferenceClass.LATE_PAYMENT: "账单已由其他方式缴清，自动原路退回",
}
logger = log.get_logger("refunds")

OPEN = """
    SELECT id, class, merchant_id, channel, out_trade_no, transaction_no
      FROM difference
     WHERE id = $1 AND state = 'OPEN' AND booked_fen > 0 AND refunding_fen = 0
"""


async def on_difference_opened(job: Job) -> None:
    """A difference was opened: money that came twice, or too late, is given back."""
    row = await job.res.db.fetchrow(OPEN, UUID(job.payload["difference_id"]))
    if row is None or row["class"] not in REASONS or row["channel"] == Channel.COUNTER:
        return
    merchant = await merchants.merchant(job.res, row["merchant_id"])
    try:
        trade = await merchants.channel(job.res, merchant).query(merchant.keys, row["out_trade_no"])
    except ChannelFailure as failure:
        raise Retry(str(failure)) from failure
    if trade is None or not trade.paid or trade.transaction_no != row["transaction_no"]:
        logger.error("difference_not_confirmed", difference=str(row["id"]))
        return
    await job.transact(lambda tx: _settle_or_give_back(tx, merchant, row["id"], trade=trade))


async def _settle_or_give_back(tx: Tx, merchant: Merchant, difference_id: UUID, *, trade: Trade) -> None:
    settled = await settlement.settle(tx, merchant, trade=trade, door=Door.QUERY)
    if settled.outcome is Outcome.DIFFERENCE:
        await give_back(tx, difference_id)


async def give_back(tx: Tx, difference_id: UUID) -> UUID | None:
    """Let an automatic refund of the whole difference go; its id, None where a person must see to it."""
    found = await refunds.lock_difference(tx, difference_id)
    if found is None or found["state"] != DifferenceState.OPEN or found["refunding_fen"] or not found["booked_fen"]:
        return None
    if found["class"] not in REASONS or not await _within_limit(tx, found):
        return None
    channel, turn = Channel(found["channel"]), await tx.fetchval(refund_sql.REFUNDS_OF_DIFFERENCE, difference_id)
    clearing = await accounts.ensure(tx, Key(found["community_id"], Code.CLEARING, found["merchant_id"]))
    refund_id, reason = uuid7(tx.now), REASONS[DifferenceClass(found["class"])]
    await tx.execute(refund_sql.RAISE_DIFFERENCE, difference_id, found["booked_fen"])
    await tx.execute(
        refund_sql.INSERT, refund_id, found["community_id"], found["merchant_id"], channel.value, None, difference_id,
        found["out_trade_no"], found["transaction_no"],
        foreign_refunds.automatic_number(channel, found["transaction_no"], turn=turn), found["booked_fen"],
        found["actual_fen"], clearing, True, reason, RefundState.APPROVED.value, None, tx.now, None, None,
    )  # fmt: skip
    refunds.let_go(tx, refund_id, community_id=found["community_id"])
    audit.record(
        tx, SYSTEM, action="payments.refund_automatic", target=f"refund:{refund_id}",
        community_id=found["community_id"], reason=reason,
        after={"difference_id": str(difference_id), "amount_fen": found["booked_fen"]},
    )  # fmt: skip
    return refund_id


async def _within_limit(tx: Tx, found: Record) -> bool:
    """The merchant's limit of today; one refund after the other counts itself in."""
    await tx.execute(refund_sql.LOCK_AUTOMATIC, str(found["merchant_id"]))
    today = await tx.fetchrow(refund_sql.AUTOMATIC_TODAY, found["merchant_id"], refunds.day_start(tx))
    within = bool(today and today["given_fen"] + found["booked_fen"] <= today["automatic_refund_fen"])
    if not within:
        logger.error("automatic_refund_limit", merchant=str(found["merchant_id"]), difference=str(found["id"]))
    return within


async def propose_limit(
    tx: Tx, actor: Actor, *, company_id: UUID, merchant_id: UUID, a_day_fen: int, reason: str
) -> Approval:
    """Propose another limit of a merchant, in fen a day; NotFound for another company's merchant."""
    row = await tx.fetchrow(refund_sql.MERCHANT_LIMIT, merchant_id, company_id)
    if row is None:
        raise NotFound
    before, after = {"a_day_fen": row["automatic_refund_fen"]}, {"a_day_fen": a_day_fen}
    return await approvals.propose(
        tx, actor, kind=LIMIT_KIND, target=f"merchant:{merchant_id}", community_id=row["scope_id"],
        payload={"merchant_id": str(merchant_id), "before_fen": row["automatic_refund_fen"], "after_fen": a_day_fen},
        shown={"before": before, "after": after}, reason=reason,
    )  # fmt: skip


async def apply_limit(tx: Tx, approval: Approval, actor: Actor) -> None:
    """Take the approved limit into use; Stale when it has changed since."""
    new = approval.payload
    row = await tx.fetchrow(
        refund_sql.SET_MERCHANT_LIMIT, UUID(new["merchant_id"]), new["before_fen"], new["after_fen"]
    )
    if row is None:
        raise Stale
    audit.record(
        tx, actor, action="payments.automatic_refund_limit", target=approval.target, community_id=row["scope_id"],
        reason=approval.reason, before=approval.shown["before"], after=approval.shown["after"],
    )  # fmt: skip


async def on_refund_unexplained(job: Job) -> None:
    """A refund was heard of before its payment (F-02): ask about the payment, then hear the refund again."""
    told = foreign_refunds.told_of(dict(job.payload["told"]))
    merchant = await merchants.merchant(job.res, UUID(job.payload["merchant_id"]))
    try:
        trade = await merchants.channel(job.res, merchant).query(merchant.keys, told.out_trade_no)
    except ChannelFailure as failure:
        raise Retry(str(failure)) from failure

    async def settle_and_hear(tx: Tx) -> None:
        if trade is not None and trade.paid:
            await settlement.settle(tx, merchant, trade=trade, door=Door.QUERY)
        await refunding.hear(tx, merchant, refund=told, door=Door.QUERY)

    await job.transact(settle_and_hear)
