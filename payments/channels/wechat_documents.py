"""What a merchant says to WeChat Pay: addresses and bodies, for a merchant and for a service provider (服务商) who acts
for its sub merchant (wechat-pay-v3.md sections 7, 8, 9, 13). Pure; only documented keys, never null.
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from backend.kernel.clock import SHANGHAI
from payments.channels.base import Method, PrepayRequest, RefundRequest
from payments.channels.wechat_merchant import Merchant
from payments.channels.wechat_reading import plain_text
from payments.channels.wechat_signing import encrypt_field, serial_key

DESCRIPTION_CHARS = 127
REASON_CHARS = 80
REFUNDS = "/v3/refund/domestic/refunds"
_DIRECT, _PARTNER = "/v3/pay/transactions", "/v3/pay/partner/transactions"
HANDLES = {Method.JSAPI: "prepay_id", Method.NATIVE: "code_url", Method.H5: "h5_url"}


def prepay_target(merchant: Merchant, method: Method) -> str:
    """Where an order of this method is created."""
    return f"{_orders(merchant)}/{method.value}"


def prepay(merchant: Merchant, request: PrepayRequest) -> dict[str, Any]:
    """The body that creates an order (sections 7.1, 7.3, 7.4)."""
    body: dict[str, Any] = {
        **_names(merchant, request.app_id),
        "description": plain_text(request.description)[:DESCRIPTION_CHARS],
        "out_trade_no": request.out_trade_no,
        "time_expire": request.expires_at.astimezone(SHANGHAI).isoformat(timespec="seconds"),
        "attach": plain_text(request.attach),
        "notify_url": request.notify_url,
        "amount": {"total": request.amount_fen, "currency": "CNY"},
    }
    if request.method is Method.JSAPI:
        body["payer"] = {_openid(merchant): request.payer_openid}
    elif request.method is Method.H5:
        body["scene_info"] = {"payer_client_ip": request.payer_ip, "h5_info": {"type": "Wap"}}
    return body


def handle(request: PrepayRequest, answered: str) -> str:
    """What the payer's device opens; an H5 address leads back to `return_url` (section 7.4)."""
    if request.method is Method.H5 and request.return_url:
        return f"{answered}&redirect_url={quote(request.return_url, safe='')}"
    return answered


def query_target(merchant: Merchant, out_trade_no: str) -> str:
    """Where the trade of our number is told (section 8)."""
    return f"{_orders(merchant)}/out-trade-no/{quote(out_trade_no, safe='')}?{urlencode(_asking(merchant))}"


def close_target(merchant: Merchant, out_trade_no: str) -> str:
    """Where the order of our number is closed."""
    return f"{_orders(merchant)}/out-trade-no/{quote(out_trade_no, safe='')}/close"


def close(merchant: Merchant) -> dict[str, str]:
    """The body that closes an order."""
    return _asking(merchant)


def refund(merchant: Merchant, request: RefundRequest) -> dict[str, Any]:
    """The body that gives money back (section 9.1)."""
    body: dict[str, Any] = {
        **sub(merchant),
        "transaction_id": request.transaction_no,
        "out_refund_no": request.out_refund_no,
        "notify_url": request.notify_url,
        "amount": {"refund": request.amount_fen, "total": request.total_fen, "currency": "CNY"},
    }
    if reason := plain_text(request.reason)[:REASON_CHARS]:
        body["reason"] = reason
    return body


@dataclass(frozen=True, slots=True)
class BankCard:
    """A payer's bank card as he told it; `bank_type` is the bank's word at WeChat Pay. Encrypted before it leaves."""

    bank_type: str
    account: str = field(repr=False)
    name: str = field(repr=False)


def abnormal_target(refund_no: str) -> str:
    """Where another way is asked for, by WeChat Pay's own number of the refund."""
    return f"{REFUNDS}/{quote(refund_no, safe='')}/apply-abnormal-refund"


def abnormal(merchant: Merchant, request: RefundRequest, card: BankCard | None) -> dict[str, Any]:
    """The body that sends an ABNORMAL refund to the payer's card, or without one to the merchant's own account."""
    body: dict[str, Any] = {**sub(merchant), "out_refund_no": request.out_refund_no}
    if card is None:
        return {**body, "type": "MERCHANT_BANK_CARD"}
    key = merchant.platform_keys[serial_key(merchant.field_serial or "")]
    return {
        **body,
        "type": "USER_BANK_CARD",
        "bank_type": card.bank_type,
        "bank_account": encrypt_field(key, card.account),
        "real_name": encrypt_field(key, card.name),
    }


def refund_target(merchant: Merchant, out_refund_no: str) -> str:
    """Where the refund of our number is told (section 9.2)."""
    return "?".join(filter(None, (f"{REFUNDS}/{quote(out_refund_no, safe='')}", urlencode(sub(merchant)))))


def sub(merchant: Merchant) -> dict[str, str]:
    """The sub merchant, where there is one."""
    return {} if merchant.sub_mchid is None else {"sub_mchid": merchant.sub_mchid}


def _orders(merchant: Merchant) -> str:
    return _DIRECT if merchant.sub_mchid is None else _PARTNER


def _names(merchant: Merchant, app_id: str) -> dict[str, str]:
    if merchant.sub_mchid is None:
        return {"appid": app_id, "mchid": merchant.mchid}
    names = {"sp_appid": merchant.appid, "sp_mchid": merchant.mchid, "sub_mchid": merchant.sub_mchid}
    return names if merchant.sub_appid is None else {**names, "sub_appid": merchant.sub_appid}


def _openid(merchant: Merchant) -> str:
    if merchant.sub_mchid is None:
        return "openid"
    return "sp_openid" if merchant.sub_appid is None else "sub_openid"


def _asking(merchant: Merchant) -> dict[str, str]:
    if merchant.sub_mchid is None:
        return {"mchid": merchant.mchid}
    return {"sp_mchid": merchant.mchid, "sub_mchid": merchant.sub_mchid}
