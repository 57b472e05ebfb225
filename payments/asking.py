"""Asking the channel about an attempt: the door by which a payment is found that nobody told us about (F-06, F-08).

The network is called outside any transaction; a success goes through the same `settle` as a callback. What the channel
says is one of `Said`; a channel that does not answer, or not believably, has said nothing (F-07).
"""

from enum import StrEnum
from uuid import UUID

from backend.kernel import log
from backend.kernel.db import Record
from backend.kernel.failpoints import failpoint
from backend.kernel.resources import Resources
from payments import merchants, settlement
from payments.channels.base import ChannelFailure, Trade, TradeState
from payments.settlement import Door, Outcome

logger = log.get_logger("asking")
ENDED_STATES = frozenset({TradeState.CLOSED, TradeState.REVOKED, TradeState.PAYERROR})
CLIENT_PAUSE_S = 3

ATTEMPT = """
    SELECT id, order_id, merchant_id, out_trade_no FROM payment_attempt WHERE order_id = $1 ORDER BY id DESC LIMIT 1
"""

# One question per order and pause, whoever polls.
TAKE_TURN = """
    UPDATE payment_attempt
       SET asked_at = $2, asked_count = asked_count + 1
     WHERE order_id = $1 AND state IN ('CREATED', 'SENT', 'UNKNOWN')
       AND (asked_at IS NULL OR asked_at <= $2::timestamptz - make_interval(secs => $3))
 RETURNING id, order_id, merchant_id, out_trade_no
"""

COUNT = "UPDATE payment_attempt SET asked_at = $2, asked_count = asked_count + 1 WHERE id = $1"


class Said(StrEnum):
    """What the channel said about one attempt."""

    PAID = "paid"
    DISPUTED = "disputed"
    DECIDED = "decided"
    WAITING = "waiting"
    ENDED = "ended"
    NEVER_HEARD = "never_heard"
    NOTHING = "nothing"


async def ask(res: Resources, attempt: Record) -> Said:
    """Query one attempt (`id`, `merchant_id`, `out_trade_no`) and settle it if the channel says that it is paid."""
    merchant = await merchants.merchant(res, attempt["merchant_id"])
    try:
        trade = await merchants.channel(res, merchant).query(merchant.keys, attempt["out_trade_no"])
    except ChannelFailure as failure:
        logger.warning("channel_said_nothing", attempt=str(attempt["id"]), error=repr(failure))
        return Said.NOTHING
    await failpoint("query.after_call")
    if trade is None:
        return Said.NEVER_HEARD
    if not trade.paid:
        return Said.ENDED if trade.state in ENDED_STATES else Said.WAITING
    return await _settle(res, merchant, trade)


async def _settle(res: Resources, merchant: merchants.Merchant, trade: Trade) -> Said:
    settled = await res.db.transact(lambda tx: settlement.settle(tx, merchant, trade=trade, door=Door.QUERY))
    if settled.outcome is not Outcome.DIFFERENCE:
        return Said.PAID
    return Said.DECIDED if settled.decided else Said.DISPUTED


async def ask_now(res: Resources, order_id: UUID) -> Said:
    """Ask about the order's attempt now, because a person wants to know."""
    attempt = await latest_attempt(res, order_id)
    if attempt is None:
        return Said.NOTHING
    await res.db.execute(COUNT, attempt["id"], res.clock.now())
    return await ask(res, attempt)


async def ask_for_client(res: Resources, order_id: UUID) -> Said:
    """The same for a phone that waits: at most every CLIENT_PAUSE_S seconds per order, else nothing is said."""
    attempt = await res.db.fetchrow(TAKE_TURN, order_id, res.clock.now(), CLIENT_PAUSE_S)
    return Said.NOTHING if attempt is None else await ask(res, attempt)


async def latest_attempt(res: Resources, order_id: UUID) -> Record | None:
    """The newest attempt of an order."""
    return await res.db.fetchrow(ATTEMPT, order_id)
