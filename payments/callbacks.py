"""Callbacks of WeChat Pay: verify the raw bytes, one transaction, commit, only then acknowledge (I-14, I-15).

What is not proven to be the channel's is refused and leaves no trace; what fails before the commit is answered with a
failure, and the channel repeats it for a day; whatever is proven is acknowledged, be it applied, a repetition, a
difference, or of no use to us (protocols/wechat-pay-v3.md section 10).
"""

import orjson

from backend.kernel import log
from backend.kernel.auth import PUBLIC
from backend.kernel.db import Batch, Tx
from backend.kernel.errors import AppError, NotFound
from backend.kernel.failpoints import failpoint
from backend.kernel.http import Call, Reply, Route
from payments import merchants, settlement
from payments.channels.base import Callback, CallbackRefused
from payments.merchants import Merchant
from payments.settlement import Door, Heard

logger = log.get_logger("callbacks")

ACKNOWLEDGED = Reply(status=204)

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
    """POST /pay/notify/wechat/{merchant_id}: what WeChat Pay tells about a payment."""
    try:
        merchant = await merchants.merchant(call.res, call.ids["merchant_id"])
        callback = merchants.channel(call.res, merchant).read_callback(merchant.keys, call.headers, call.raw)
        await call.res.db.transact(lambda tx: _receive(tx, merchant, callback=callback, body=call.raw))
    except CallbackRefused as refused:
        logger.warning("callback_refused", reason=refused.reason, merchant=str(call.ids["merchant_id"]))
        return _failure(401)
    except NotFound:
        return _failure(404)
    except AppError as error:
        logger.error("callback_failed", error=repr(error))
        return _failure(error.status)
    await failpoint("callback.before_answer")
    return ACKNOWLEDGED


async def _receive(tx: Tx, merchant: Merchant, *, callback: Callback, body: bytes) -> None:
    heard = Heard(source=f"wechat:{merchant.id}", event_key=callback.event_id, body=body)
    trade = callback.trade
    if trade is None or not trade.paid:
        reason = f"{callback.event_type} is not a payment that can be read"
        tx.add(IGNORED, heard.source, heard.event_key, heard.body, tx.now, "ignored", reason)
        return
    await settlement.settle(tx, merchant, trade=trade, door=Door.CALLBACK, heard=heard)


def _failure(status: int) -> Reply:
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
)
