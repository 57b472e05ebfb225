"""Prepay: an order that is stored is made known to its channel, outside any transaction (design principle 3).

Promises: the channel is asked with what is stored, word for word, however often (pitfalls B1); its handle is used again
while it lives; a time-out leaves the attempt UNKNOWN, not failed, and the janitor finds out (F-06); a payment heard of
before the channel's answer wins (pitfalls A3).
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from backend.kernel import log
from backend.kernel.db import Record, Tx
from backend.kernel.errors import AppError, ChannelUnknown, Conflict, NotFound, Unavailable
from backend.kernel.failpoints import failpoint
from backend.kernel.resources import Resources
from payments import closing, merchants, orders
from payments.channels.base import (
    ORDER_CLOSED,
    ORDER_PAID,
    ChannelError,
    ChannelOutcomeUnknown,
    ChannelRateLimited,
    Method,
)
from payments.channels.wechat_signing import RequestPayment
from payments.merchants import Merchant
from payments.states import AttemptState

# How long a handle may be given out again; WeChat Pay's H5 address lives five minutes, everything else two hours.
LIFETIME = timedelta(minutes=110)
H5_LIFETIME = timedelta(minutes=4)
CODES = frozenset({Method.NATIVE, Method.PRECREATE})
logger = log.get_logger("prepay")

LOAD = """
    SELECT a.id, a.merchant_id, a.method, a.state, a.request, a.prepay_id, a.prepaid_at, o.id AS order_id,
           o.state AS order_state, o.expires_at
      FROM payment_attempt a
      JOIN payment_order o ON o.id = a.order_id
     WHERE o.id = $1
     ORDER BY a.id DESC
     LIMIT 1
"""

# The order is locked before its attempt, as everywhere. No row: it was paid or closed while the channel was asked.
SENT = """
    WITH moved AS (
        UPDATE payment_order SET state = 'PAYING' WHERE id = $1 AND state IN ('CREATED', 'PAYING') RETURNING id)
    UPDATE payment_attempt a
       SET state = 'SENT', prepay_id = $3, prepaid_at = $4, error = NULL
      FROM moved
     WHERE a.id = $2 AND a.order_id = moved.id AND a.state IN ('CREATED', 'UNKNOWN', 'SENT')
 RETURNING a.id
"""

UNKNOWN = """
    UPDATE payment_attempt SET state = 'UNKNOWN', error = $2 WHERE id = $1 AND state IN ('CREATED', 'UNKNOWN')
"""

REFUSED = """
    WITH locked AS (
        SELECT id FROM payment_order WHERE id = $1 AND state IN ('CREATED', 'PAYING') FOR UPDATE),
    failed AS (
        UPDATE payment_attempt a SET state = 'FAILED', error = $3, ask_at = $4::timestamptz + interval '10 minutes'
          FROM locked
         WHERE a.id = $2 AND a.order_id = locked.id AND a.state = 'CREATED'
     RETURNING a.order_id),
    released AS (DELETE FROM payment_hold h USING failed WHERE h.order_id = failed.order_id)
    UPDATE payment_order o SET state = 'CLOSED', closed_at = $4, close_reason = 'refused'
      FROM failed
     WHERE o.id = failed.order_id
"""


@dataclass(frozen=True, slots=True)
class Cashier:
    """What opens the channel's cashier: a prepay id, the text of a QR code, or an address, by method."""

    method: Method
    handle: str
    merchant: Merchant
    app_id: str


@dataclass(frozen=True, slots=True)
class Opening:
    """What the payer's device does next, one of three: call `wx.requestPayment`, show a code, open an address."""

    request_payment: RequestPayment | None = None
    qr_text: str | None = None
    open_url: str | None = None


async def opening(res: Resources, order_id: UUID) -> Opening:
    """How the payer gets to the cashier of this order. Raises as `cashier` does."""
    opened = await cashier(res, order_id)
    if opened.method is Method.JSAPI:
        return Opening(request_payment=_request_payment(res, opened))
    if opened.method in CODES:
        return Opening(qr_text=opened.handle)
    return Opening(open_url=opened.handle)


async def pay_parameters(res: Resources, order_id: UUID) -> RequestPayment:
    """What `wx.requestPayment` takes for an order paid inside of WeChat. Raises as `cashier` does."""
    return _request_payment(res, await cashier(res, order_id))


def _request_payment(res: Resources, opened: Cashier) -> RequestPayment:
    return merchants.wechat(res).request_payment(opened.merchant.keys, opened.app_id, opened.handle)


async def cashier(res: Resources, order_id: UUID) -> Cashier:
    """Make the order known to its channel, or find the handle that still lives.

    Raises NotFound, Conflict `order_ended` for an order that waits no more, ChannelUnknown while the channel's outcome
    is not known (asking again is safe), Conflict `channel_refused`.
    """
    row = await res.db.fetchrow(LOAD, order_id)
    if row is None:
        raise NotFound
    merchant = await merchants.merchant(res, row["merchant_id"])
    _check_usable(row, res)
    handle = _living_handle(row, res) or await _ask(res, merchant, row)
    return Cashier(Method(row["method"]), handle, merchant, row["request"]["app_id"])


def _check_usable(row: Record, res: Resources) -> None:
    live = row["state"] in (AttemptState.CREATED, AttemptState.SENT, AttemptState.UNKNOWN)
    if not live or row["expires_at"] <= res.clock.now():
        raise ended()


def ended() -> Conflict:
    """The order waits for no payment any more."""
    return Conflict("这笔支付已经结束，请刷新后查看结果。", code="order_ended")


def _living_handle(row: Record, res: Resources) -> str | None:
    lifetime = H5_LIFETIME if row["method"] == Method.H5 else LIFETIME
    if row["prepaid_at"] is None or res.clock.now() - row["prepaid_at"] >= lifetime:
        return None
    handle: str | None = row["prepay_id"]
    return handle


async def _ask(res: Resources, merchant: Merchant, row: Record) -> str:
    await failpoint("prepay.before_call")
    try:
        request = orders.request_of(row["request"])
        prepaid = await merchants.channel(res, merchant).prepay(merchant.keys, request)
    except ChannelOutcomeUnknown as unknown:
        raise await _unknown(res, row, unknown.reason, sent=unknown.sent) from unknown
    except ChannelRateLimited as limited:
        raise await _unknown(res, row, str(limited), sent=True) from limited
    except ChannelError as refused:
        raise await _refused(res, row, refused) from refused
    await failpoint("prepay.after_call")
    if await res.db.fetchval(SENT, row["order_id"], row["id"], prepaid.handle, res.clock.now()) is None:
        raise ended()
    return prepaid.handle


async def _unknown(res: Resources, row: Record, reason: str, *, sent: bool) -> AppError:
    if not sent:
        return Unavailable("暂时连接不上支付渠道，请稍后再试。", code="channel_unavailable")
    await res.db.execute(UNKNOWN, row["id"], reason)
    return ChannelUnknown(order_id=row["order_id"])


async def _refused(res: Resources, row: Record, refused: ChannelError) -> AppError:
    """A number that ended at the channel is asked about; any other refusal means that nothing happened there."""
    logger.error("prepay_refused", error_code=refused.code, status=refused.status, order=str(row["order_id"]))
    if refused.code in (ORDER_PAID, ORDER_CLOSED) or row["state"] != AttemptState.CREATED:
        await closing.close(res, row["order_id"], reason="ended_at_channel")
        return ended()

    async def fail(tx: Tx) -> None:
        await tx.execute(REFUSED, row["order_id"], row["id"], str(refused), tx.now)

    await res.db.transact(fail)
    return Conflict(
        "支付渠道没有接受这笔支付，请稍后再试；如仍不行，请联系物业服务中心。",
        code="channel_refused",
        channel_code=refused.code,
    )
