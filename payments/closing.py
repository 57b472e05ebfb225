"""Closing an order: only after the channel has said that it is not paid (D6, pitfalls A8).

Query, close, query again: someone may sit in the cashier while we close. A payment that comes even later is not lost, a
closed order may still become paid by `settle`.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.db import Record, Tx
from backend.kernel.errors import ChannelUnknown, Conflict, NotFound
from backend.kernel.failpoints import failpoint
from backend.kernel.resources import Resources
from payments import asking, merchants
from payments.asking import Said
from payments.channels.base import ChannelError, ChannelFailure
from payments.orders import MustCloseFirst
from payments.states import OrderState

T = TypeVar("T")
ROUNDS = 3

# Order first, then attempt and holds; a row that was paid meanwhile is left alone. An ended attempt is asked about once
# more, for whoever still sat in the cashier.
CLOSE = """
    WITH closed AS (
        UPDATE payment_order SET state = 'CLOSED', closed_at = $2, close_reason = $3
         WHERE id = $1 AND state IN ('CREATED', 'PAYING')
     RETURNING id, community_id),
    ended AS (
        UPDATE payment_attempt a SET state = 'CLOSED', ask_at = $2 + interval '10 minutes'
          FROM closed
         WHERE a.order_id = closed.id AND a.state IN ('CREATED', 'SENT', 'UNKNOWN')),
    released AS (DELETE FROM payment_hold h USING closed WHERE h.order_id = closed.id)
    SELECT id, community_id FROM closed
"""

STATE = "SELECT state FROM payment_order WHERE id = $1"


async def close(res: Resources, order_id: UUID, *, reason: str, actor: Actor = SYSTEM) -> OrderState:
    """Close a live order and return its state then: CLOSED, or PAID where the channel said so.

    Raises ChannelUnknown where the channel's word is missing, Conflict `payment_disputed` while its money is a person's
    case; nothing is closed then.
    """
    state = await _state(res, order_id)
    attempt = await asking.latest_attempt(res, order_id)
    if attempt is None or state in (OrderState.PAID, OrderState.CLOSED):
        return state
    said = await asking.ask(res, attempt)
    if said in (Said.WAITING, Said.NEVER_HEARD):
        await _close_at_channel(res, attempt)
        said = await asking.ask(res, attempt)
    if said is Said.DISPUTED:
        raise Conflict("这笔款项正在核对，请不要重复支付，物业会尽快与您联系。", code="payment_disputed")
    if said in (Said.ENDED, Said.NEVER_HEARD, Said.DECIDED):
        await res.db.transact(lambda tx: _close_rows(tx, order_id, reason=reason, actor=actor))
    elif said is not Said.PAID:
        raise ChannelUnknown(order_id=order_id)
    return await _state(res, order_id)


async def _close_at_channel(res: Resources, attempt: Record) -> None:
    """Tell the channel; whatever it answers, the next query says how things stand (pitfalls B13)."""
    merchant = await merchants.merchant(res, attempt["merchant_id"])
    await failpoint("close.before_call")
    try:
        await merchants.channel(res, merchant).close(merchant.keys, attempt["out_trade_no"])
    except ChannelError:
        return
    except ChannelFailure as failure:
        raise ChannelUnknown(order_id=attempt["order_id"]) from failure
    await failpoint("close.after_call")


async def _close_rows(tx: Tx, order_id: UUID, *, reason: str, actor: Actor) -> None:
    row = await tx.fetchrow(CLOSE, order_id, tx.now, reason)
    if row is not None:
        audit.record(
            tx, actor, action="payments.order_closed", target=f"payment_order:{order_id}",
            community_id=row["community_id"], reason=reason,
        )  # fmt: skip


async def _state(res: Resources, order_id: UUID) -> OrderState:
    state = await res.db.fetchval(STATE, order_id)
    if state is None:
        raise NotFound
    return OrderState(state)


async def make_room(res: Resources, actor: Actor, *, place: Callable[[], Awaitable[T]]) -> T:
    """Run `place` (which opens an order); where others must be closed first, close them at their channel and try again.

    Raises what `close` raises, and Conflict `already_paid` where one of the others turns out to be paid.
    """
    for _ in range(ROUNDS):
        try:
            return await place()
        except MustCloseFirst as held:
            for order_id in held.order_ids:
                if await close(res, order_id, reason="replaced", actor=actor) is OrderState.PAID:
                    raise Conflict("其中的账单刚刚已经支付成功，请刷新后查看。", code="already_paid") from held
    raise Conflict("这些账单正在被支付，请稍后再试。", code="being_paid")
