"""Callbacks of the channels: verify the raw bytes, one transaction, commit, only then acknowledge (I-14, I-15).

What is not proven to be the channel's is refused and leaves no trace; what fails before the commit is answered with a
failure, and the channel repeats it for a day; whatever is proven is acknowledged, be it applied, a repetition, a
difference, or of no use to us (protocols/wechat-pay-v3.md section 10, protocols/alipay.md section 9).

WeChat Pay tells payments and refunds at addresses of their own, within a window of time. Alipay tells both at the one
address of the payment, for a day and without a window; of a refund it tells no amount, so that it is asked about.
"""

import orjson

from backend.kernel import log, outbox
from backend.kernel.auth import PUBLIC
from backend.kernel.db import Batch, Database, Tx
from backend.kernel.errors import AppError, NotFound
from backend.kernel.failpoints import failpoint
from backend.kernel.http import Call, Reply, Route
from payments import merchants, refund_hints, refunding, settlement
from payments.channels.base import Callback, CallbackRefused, Channel
from payments.merchants import Merchant
from payments.settlement import Door, Heard

logger = log.get_logger("callbacks")

WECHAT_ACKNOWLEDGED = Reply(status=204)
ALIPAY_ACKNOWLEDGED = Reply(body=b"success")
OK = 204

IGNORED = Batch(
    table="inbox",
    columns=(
        ("source", "text"),
        ("event_key", "text"),
        ("body", "bytea"),
        ("received_at", "timestamptz"),
        ("outcome", "text"),
        ("reason", "text"),
    ),
    on_conflict="ON CONFLICT (source, event_key) DO NOTHING",
)


async def wechat_notify(call: Call[None, None]) -> Reply:
    """POST /pay/notify/wechat/{merchant_id}, and the same with /refund: what WeChat Pay tells about either."""
    status = await _take(call, Channel.WECHAT)
    return WECHAT_ACKNOWLEDGED if status == OK else _wechat_failure(status)


async def alipay_notify(call: Call[None, None]) -> Reply:
    """POST /pay/notify/alipay/{merchant_id}: what Alipay tells about a trade; it wants the one word `success`."""
    status = await _take(call, Channel.ALIPAY)
    return ALIPAY_ACKNOWLEDGED if status == OK else Reply(status=status, body=b"failure")


async def _take(call: Call[None, None], channel: Channel) -> int:
    """Take one message; OK once all that came of it is committed, else the status of a failure."""
    merchant_id = call.ids["merchant_id"]
    try:
        merchant = await merchants.merchant(call.res, merchant_id)
        if merchant.channel is not channel:
            raise NotFound
        callback = merchants.channel(call.res, merchant).read_callback(merchant.keys, call.headers, call.raw)
        heard = Heard(source=f"{merchant.channel}:{merchant.id}", event_key=callback.event_id, body=call.raw)
        if not await _settled_at_once(call.res.db, merchant, callback=callback, heard=heard):
            await call.res.db.transact(lambda tx: _receive(tx, merchant, callback=callback, heard=heard))
    except CallbackRefused as refused:
        logger.warning("callback_refused", reason=refused.reason, merchant=str(merchant_id))
        return 401
    except NotFound:
        return 404
    except AppError as error:
        logger.error("callback_failed", error=repr(error))
        return error.status
    await failpoint("callback.before_answer")
    return OK


async def _settled_at_once(db: Database, merchant: Merchant, *, callback: Callback, heard: Heard) -> bool:
    trade = callback.trade
    if trade is None or not trade.paid or callback.refund is not None:
        return False
    return await settlement.settle_at_once(db, merchant, trade=trade, heard=heard) is not None


async def _receive(tx: Tx, merchant: Merchant, *, callback: Callback, heard: Heard) -> None:
    trade, refund = callback.trade, callback.refund
    if trade is not None and trade.paid:
        if refund is not None:
            hint = refund_hints.payload(merchant.id, refund)
            outbox.emit(tx, refund_hints.HINTED, hint, dedup_key=callback.event_id, run_at=refund_hints.due(tx.now))
        await settlement.settle(tx, merchant, trade=trade, door=Door.CALLBACK, heard=heard)
    elif refund is not None:
        await refunding.hear(tx, merchant, refund=refund, door=Door.CALLBACK, heard=heard)
    else:
        reason = f"{callback.event_type} moves no money"
        tx.add(IGNORED, heard.source, heard.event_key, heard.body, tx.now, "ignored", reason)


def _wechat_failure(status: int) -> Reply:
    """The plain failure; it never says what was wrong (pitfalls G)."""
    body = orjson.dumps({"code": "FAIL", "message": "失败"})
    return Reply(status=status, body=body, content_type="application/json")


ROUTES = (
    Route(
        "POST",
        "/pay/notify/wechat/{merchant_id}",
        wechat_notify,
        PUBLIC,
        "微信支付结果通知",
        status=204,
        raw=True,
    ),
    Route(
        "POST",
        "/pay/notify/wechat/{merchant_id}/refund",
        wechat_notify,
        PUBLIC,
        "微信退款结果通知",
        status=204,
        raw=True,
    ),
    Route(
        "POST",
        "/pay/notify/alipay/{merchant_id}",
        alipay_notify,
        PUBLIC,
        "支付宝支付和退款结果通知",
        raw=True,
    ),
)
