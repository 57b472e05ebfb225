"""What Alipay's documents mean: trades, refunds, refusals (protocols/alipay.md sections 3, 7 to 9, 12). Pure.

A document that is not what it should be raises KeyError, TypeError or ValueError (`UNREADABLE`). Money is text in yuan
and becomes fen without ever being a fraction. Times are Beijing's. `code` 10000 means processed, not paid or refunded.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from backend.kernel.clock import SHANGHAI
from payments.channels.alipay_keys import Merchant
from payments.channels.base import (
    NOT_ENOUGH,
    ORDER_CLOSED,
    ORDER_PAID,
    ChannelError,
    ChannelFailure,
    ChannelOutcomeUnknown,
    ChannelRateLimited,
    ChannelRefund,
    RefundRequest,
    RefundState,
    Trade,
    TradeState,
)

UNREADABLE = (KeyError, TypeError, ValueError)
PROCESSED = "10000"
TRADE_NOT_EXIST = "TRADENOTEXIST"
CURRENCY = "CNY"
_UNKNOWN_CODES = frozenset({"10003", "20000"})
_LIMITED_CODES = frozenset({"40005"})
_UNKNOWN_WORDS = ("SYSTEM_ERROR", "UNKNOW-ERROR", "DISCORDANT_REPEAT_REQUEST")
_LIMITED_WORDS = ("RATE_LIMIT", "CALL-LIMITED")
_WORDS = {
    "TRADEHASSUCCESS": ORDER_PAID,
    "TRADEHASCLOSE": ORDER_CLOSED,
    "SELLERBALANCENOTENOUGH": NOT_ENOUGH,
}
_YUAN = re.compile(r"([0-9]{1,11})(?:\.([0-9]{1,2}))?")
_CHARSETS = {"utf-8": "utf-8", "gbk": "gb18030", "gb2312": "gb18030", "gb18030": "gb18030"}
_BUYERS = ("buyer_open_id", "buyer_user_id", "buyer_id")
_PAID_AT = ("gmt_payment", "send_pay_date")


def fen_of(yuan: object) -> int:
    """Fen of a text in yuan (`0.10`, `123.45`); ValueError for anything else, such as a sign, `1e-2` or `0.105`."""
    found = _YUAN.fullmatch(yuan) if isinstance(yuan, str) else None
    if found is None:
        raise ValueError("not an amount in yuan")
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))


def fields_of(form: Mapping[str, bytes]) -> dict[str, str]:
    """The fields of a notification as texts, by the charset that it names (section 9.2)."""
    charset = _CHARSETS[form.get("charset", b"utf-8").decode("ascii").lower()]
    return {name: value.decode(charset) for name, value in form.items()}


def trade_of(document: Mapping[str, Any], *, app_id: str, seller_id: str) -> Trade:
    """The trade in an answer or a notification; an answer names neither app nor seller."""
    state = _state(document)
    paid = state in (TradeState.SUCCESS, TradeState.REFUND)
    told_fen = fen_of(document["total_amount"]) if paid or document.get("total_amount") else 0
    return Trade(
        out_trade_no=_text(document, "out_trade_no"),
        transaction_no=_text(document, "trade_no") if paid else None,
        state=state,
        amount_fen=told_fen,
        currency=CURRENCY,
        mchid=seller_id,
        appid=app_id,
        payer_openid=_first(document, _BUYERS),
        success_at=_instant(_first(document, _PAID_AT)) if paid else None,
        attach=unquote(_first(document, ("passback_params",)) or ""),
        trade_type=None,
    )


def trade_in(document: Mapping[str, str]) -> Trade:
    """The trade that a notification is about; it names app and seller itself."""
    return trade_of(document, app_id=_text(document, "app_id"), seller_id=_text(document, "seller_id"))


def _state(document: Mapping[str, Any]) -> TradeState:
    """`TRADE_CLOSED` is an order that ended unpaid, or one that was paid and wholly refunded (pitfalls C6)."""
    status = document["trade_status"]
    if status == "WAIT_BUYER_PAY":
        return TradeState.NOTPAY
    if status == "TRADE_CLOSED":
        return TradeState.REFUND if _refunded(document) or _first(document, _PAID_AT) else TradeState.CLOSED
    if status in ("TRADE_SUCCESS", "TRADE_FINISHED"):
        return TradeState.REFUND if _refunded(document) else TradeState.SUCCESS
    raise ValueError("an unknown state of a trade")


def _refunded(document: Mapping[str, Any]) -> bool:
    return bool(document.get("gmt_refund")) or fen_of(document.get("refund_fee") or "0") > 0


def refund_in(document: Mapping[str, str]) -> ChannelRefund | None:
    """The refund that a notification is about (section 9.4), None when it is about none.

    It tells the sum of all refunds of the trade (pitfalls C9), and so is but a hint: `amount_fen` is 0.
    """
    if not document.get("out_biz_no") or not _refunded(document):
        return None
    return ChannelRefund(
        out_refund_no=document["out_biz_no"],
        out_trade_no=_text(document, "out_trade_no"),
        transaction_no=_text(document, "trade_no"),
        refund_no=None,
        state=RefundState.PROCESSING,
        amount_fen=0,
        mchid=_text(document, "seller_id"),
        success_at=None,
    )


def refunded(merchant: Merchant, request: RefundRequest, document: Mapping[str, Any]) -> ChannelRefund | None:
    """The refund in an answer to `refund`, None unless it says that money moved (section 8.1, pitfalls C8)."""
    if document.get("fund_change") != "Y":
        return None
    success_at = _instant(_first(document, ("gmt_refund_pay",)))
    return _refund(merchant, request, state=RefundState.SUCCESS, amount_fen=request.amount_fen, success_at=success_at)


def refund_found(merchant: Merchant, request: RefundRequest, document: Mapping[str, Any]) -> ChannelRefund | None:
    """The refund in an answer to a refund query, None when Alipay tells nothing about the number (section 8.2)."""
    if not document.get("refund_status"):
        return None
    if _text(document, "out_request_no") != request.out_refund_no:
        raise ValueError("the answer is about another refund")
    done = document["refund_status"] == "REFUND_SUCCESS"
    told_fen = fen_of(document["refund_amount"]) if document.get("refund_amount") else request.amount_fen
    return _refund(
        merchant,
        request,
        state=RefundState.SUCCESS if done else RefundState.PROCESSING,
        amount_fen=told_fen,
        success_at=_instant(_first(document, ("gmt_refund_pay",))) if done else None,
    )


def _refund(
    merchant: Merchant, request: RefundRequest, *, state: RefundState, amount_fen: int, success_at: datetime | None
) -> ChannelRefund:
    return ChannelRefund(
        out_refund_no=request.out_refund_no,
        out_trade_no=request.out_trade_no,
        transaction_no=request.transaction_no,
        refund_no=None,
        state=state,
        amount_fen=amount_fen,
        mchid=merchant.seller_id,
        success_at=success_at,
    )


def refusal_of(document: Mapping[str, Any], status: int) -> ChannelFailure | None:
    """What a signed answer refuses and how surely (sections 3 and 12), None when it was processed."""
    code, word = document.get("code"), document.get("sub_code") or ""
    if not isinstance(code, str) or not isinstance(word, str):
        return ChannelOutcomeUnknown("the answer has no code")
    if code == PROCESSED:
        return None
    loud = word.upper()
    if code in _UNKNOWN_CODES or any(each in loud for each in _UNKNOWN_WORDS):
        return ChannelOutcomeUnknown(f"{code} {word}")
    if code in _LIMITED_CODES or any(each in loud for each in _LIMITED_WORDS):
        return ChannelRateLimited(f"{code} {word}")
    plain = word.removeprefix("ACQ.").removeprefix("AQC.").replace("_", "") or code
    return ChannelError(_WORDS.get(plain, plain), str(document.get("sub_msg") or document.get("msg") or ""), status)


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document[key]
    if not isinstance(value, str) or not value:
        raise TypeError(f"{key} is not a text")
    return value


def _first(document: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    """The first of `keys` that has a value."""
    return next((_text(document, key) for key in keys if document.get(key)), None)


def _instant(text: str | None) -> datetime | None:
    """The instant of a Beijing time, with or without milliseconds."""
    if text is None:
        return None
    told = datetime.fromisoformat(text)
    if told.tzinfo is not None:
        raise ValueError("a time with a zone")
    return told.replace(tzinfo=SHANGHAI).astimezone(UTC)
