"""What WeChat Pay's documents mean: trades, refunds, refusals, certificates (wechat-pay-v3.md sections 8 to 13).

Pure. A document that is not what it should be raises KeyError, TypeError or ValueError (`UNREADABLE`): the caller says
whether that is an outcome nobody knows or data for a person. New keys may appear at any time and are ignored. A service
provider's documents (服务商) name its sub merchant, and that is who the money belongs to.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

import orjson

from backend.kernel.egress import Answer
from payments.channels import wechat_signing as signing
from payments.channels.base import (
    PAID_STATES,
    ChannelError,
    ChannelFailure,
    ChannelOutcomeUnknown,
    ChannelRateLimited,
    ChannelRefund,
    RefundState,
    Trade,
    TradeState,
)
from payments.channels.wechat_merchant import Merchant, PlatformCertificate

CIPHER = "AEAD_AES_256_GCM"
PAYMENT_EVENTS = "TRANSACTION."
REFUND_EVENTS = "REFUND."
ORDER_NOT_EXIST = "ORDERNOTEXIST"
RESOURCE_NOT_EXISTS = "RESOURCENOTEXISTS"
NO_STATEMENT = "NOSTATEMENTEXIST"
UNREADABLE = (KeyError, TypeError, ValueError)
_RATE_CODES = frozenset({"FREQUENCYLIMITED", "RATELIMITEXCEEDED"})
_BEYOND_BASIC_PLANE = re.compile("[^\u0000-\ud7ff\ue000-\uffff]")


def plain_text(text: str) -> str:
    """`text` without the characters that WeChat Pay refuses: those of four bytes in UTF-8 (pitfalls B23)."""
    return _BEYOND_BASIC_PLANE.sub("", text)


def trade_of(document: Mapping[str, Any]) -> Trade:
    """The trade in an answer or a decrypted notification, of a merchant or of a service provider's sub merchant."""
    state = TradeState(document["trade_state"])
    amount = _part(document, "amount")
    total_fen = _fen(amount, "total") if state in PAID_STATES or "total" in amount else 0
    partner = "sp_mchid" in document
    appid = optional_text(document, "sub_appid") or text(document, "sp_appid") if partner else text(document, "appid")
    payer = _part(document, "payer")
    return Trade(
        out_trade_no=text(document, "out_trade_no"),
        transaction_no=text(document, "transaction_id") if state in PAID_STATES else None,
        state=state,
        amount_fen=total_fen,
        currency=optional_text(amount, "currency") or "CNY",
        mchid=text(document, "sub_mchid" if partner else "mchid"),
        appid=appid,
        payer_openid=next(filter(None, (optional_text(payer, key) for key in _OPENIDS)), None),
        success_at=_instant(optional_text(document, "success_time")),
        attach=optional_text(document, "attach") or "",
        trade_type=optional_text(document, "trade_type"),
    )


_OPENIDS = ("openid", "sub_openid", "sp_openid")


def refund_of(document: Mapping[str, Any], mchid: str) -> ChannelRefund:
    """The refund in an answer, which names no merchant and so is `mchid`'s, or in a decrypted notification."""
    return ChannelRefund(
        out_refund_no=text(document, "out_refund_no"),
        out_trade_no=text(document, "out_trade_no"),
        transaction_no=text(document, "transaction_id"),
        refund_no=text(document, "refund_id"),
        state=RefundState(document["refund_status"] if "refund_status" in document else document["status"]),
        amount_fen=_fen(_part(document, "amount"), "refund"),
        mchid=optional_text(document, "sub_mchid") or optional_text(document, "mchid") or mchid,
        success_at=_instant(optional_text(document, "success_time")),
    )


def payment_in(event_type: str, plaintext: bytes) -> Trade | None:
    """The trade of a payment event, None when it cannot be read: verified but wrong stays data, it never loops."""
    if not event_type.startswith(PAYMENT_EVENTS):
        return None
    try:
        return trade_of(document_of(plaintext))
    except UNREADABLE:
        return None


def refund_in(event_type: str, plaintext: bytes, mchid: str) -> ChannelRefund | None:
    """The refund of a refund event, None when it cannot be read."""
    if not event_type.startswith(REFUND_EVENTS):
        return None
    try:
        return refund_of(document_of(plaintext), mchid)
    except UNREADABLE:
        return None


def refusal_of(answer: Answer) -> ChannelFailure:
    """What an answer other than success means (section 12)."""
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return ChannelRateLimited("HTTP 429")
    if not 400 <= answer.status < 500:
        return ChannelOutcomeUnknown(f"HTTP {answer.status}")
    try:
        error = document_of(answer.body)
    except ValueError:
        return ChannelOutcomeUnknown(f"HTTP {answer.status} without a document")
    code = str(error.get("code") or "").replace("_", "")
    if code in _RATE_CODES:
        return ChannelRateLimited(code)
    if not code:
        return ChannelOutcomeUnknown(f"HTTP {answer.status} without a code")
    return ChannelError(code, str(error.get("message") or ""), answer.status)


def resource_in(merchant: Merchant, resource: Mapping[str, Any]) -> bytes:
    """The plaintext of an encrypted resource (section 6)."""
    if resource["algorithm"] != CIPHER:
        raise ValueError("unknown algorithm")
    return signing.open_resource(
        merchant.api_v3_key,
        nonce=text(resource, "nonce"),
        associated_data=optional_text(resource, "associated_data") or "",
        ciphertext=text(resource, "ciphertext"),
    )


def certificate_of(merchant: Merchant, entry: Mapping[str, Any]) -> PlatformCertificate:
    """One entry of `GET /v3/certificates` (section 4.1)."""
    return PlatformCertificate(
        serial_no=text(entry, "serial_no"),
        effective_at=datetime.fromisoformat(entry["effective_time"]),
        expires_at=datetime.fromisoformat(entry["expire_time"]),
        pem=resource_in(merchant, entry["encrypt_certificate"]).decode(),
    )


def document_of(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; ValueError when it holds none."""
    document = orjson.loads(body)
    if not isinstance(document, dict):
        raise ValueError("the body is not a JSON object")
    return document


def text(document: Mapping[str, Any], key: str) -> str:
    """A text that must be there."""
    value = document[key]
    if not isinstance(value, str) or not value:
        raise TypeError(f"{key} is not a text")
    return value


def optional_text(document: Mapping[str, Any], key: str) -> str | None:
    """A text that may be missing or empty."""
    return text(document, key) if document.get(key) else None


def _fen(amount: Mapping[str, Any], key: str) -> int:
    fen = amount[key]
    if type(fen) is not int:
        raise TypeError(f"amount.{key} is not a number of fen")
    return fen


def _part(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under `key`, empty where there is none."""
    part = document.get(key) or {}
    if not isinstance(part, dict):
        raise TypeError(f"{key} is not an object")
    return part


def _instant(text: str | None) -> datetime | None:
    """An aware instant of RFC 3339, with or without fractions, `Z` or offset."""
    if not text:
        return None
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("a time without a zone")
    return instant
