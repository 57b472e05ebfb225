"""What a merchant says to Alipay: methods and their `biz_content` (protocols/alipay.md sections 6 to 8, 10). Pure.

The fields are those of alipay-sdk-python's request models, so that a field which Alipay does not know cannot be sent:
an undocumented one gets a request blocked, or a refund doubled (pitfalls C18, section 8.1). Signing, transport and
verification are ours (protocols/sdk-notes.md section 3).
"""

import re
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from alipay.aop.api.domain.AlipayDataDataserviceBillDownloadurlQueryModel import (
    AlipayDataDataserviceBillDownloadurlQueryModel,
)
from alipay.aop.api.domain.AlipayTradeCancelModel import AlipayTradeCancelModel
from alipay.aop.api.domain.AlipayTradeCloseModel import AlipayTradeCloseModel
from alipay.aop.api.domain.AlipayTradeFastpayRefundQueryModel import AlipayTradeFastpayRefundQueryModel
from alipay.aop.api.domain.AlipayTradePagePayModel import AlipayTradePagePayModel
from alipay.aop.api.domain.AlipayTradePrecreateModel import AlipayTradePrecreateModel
from alipay.aop.api.domain.AlipayTradeQueryModel import AlipayTradeQueryModel
from alipay.aop.api.domain.AlipayTradeRefundModel import AlipayTradeRefundModel
from alipay.aop.api.domain.AlipayTradeWapPayModel import AlipayTradeWapPayModel

from backend.kernel.clock import SHANGHAI
from backend.kernel.money import yuan_text
from payments.channels.base import Method, PrepayRequest, RefundRequest

PRECREATE = "alipay.trade.precreate"
QUERY = "alipay.trade.query"
CLOSE = "alipay.trade.close"
CANCEL = "alipay.trade.cancel"
REFUND = "alipay.trade.refund"
REFUND_QUERY = "alipay.trade.fastpay.refund.query"
BILL = "alipay.data.dataservice.bill.downloadurl.query"

SUBJECT_CHARS = 256
REASON_CHARS = 256
TIME = "%Y-%m-%d %H:%M:%S"
_FORBIDDEN = re.compile("[/=&\ud800-\udfff]")

_PAYMENTS: Mapping[Method, tuple[str, str, Any]] = MappingProxyType(
    {
        Method.PRECREATE: (PRECREATE, "QR_CODE_OFFLINE", AlipayTradePrecreateModel),
        Method.WAP: ("alipay.trade.wap.pay", "QUICK_WAP_WAY", AlipayTradeWapPayModel),
        Method.PAGE: ("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY", AlipayTradePagePayModel),
    }
)


def prepay(request: PrepayRequest) -> tuple[str, dict[str, Any]]:
    """Method and content of an order (section 6); `attach` comes back in the notification alone."""
    method, product, model = _PAYMENTS[request.method]
    fields: dict[str, Any] = {
        "out_trade_no": request.out_trade_no,
        "total_amount": yuan_text(request.amount_fen),
        "subject": plain_text(request.description)[:SUBJECT_CHARS],
        "product_code": product,
        "time_expire": request.expires_at.astimezone(SHANGHAI).strftime(TIME),
        "passback_params": quote(request.attach, safe=""),
    }
    if request.method is not Method.PRECREATE and request.payer_ip:
        fields["business_params"] = {"mc_create_trade_ip": request.payer_ip}
    if request.method is Method.WAP:
        fields["quit_url"] = request.return_url
    return method, _content(model, fields)


def query(out_trade_no: str) -> dict[str, Any]:
    """Content that asks for a trade by our number (section 7.1)."""
    return _content(AlipayTradeQueryModel, {"out_trade_no": out_trade_no})


def close(out_trade_no: str) -> dict[str, Any]:
    """Content that closes an unpaid trade (section 7.2)."""
    return _content(AlipayTradeCloseModel, {"out_trade_no": out_trade_no})


def cancel(out_trade_no: str) -> dict[str, Any]:
    """Content that undoes a trade, paid or not (section 7.3)."""
    return _content(AlipayTradeCancelModel, {"out_trade_no": out_trade_no})


def refund(request: RefundRequest) -> dict[str, Any]:
    """Content that gives money back (section 8.1)."""
    fields = {
        "trade_no": request.transaction_no,
        "refund_amount": yuan_text(request.amount_fen),
        "out_request_no": request.out_refund_no,
        "refund_reason": plain_text(request.reason)[:REASON_CHARS],
    }
    return _content(AlipayTradeRefundModel, fields)


def refund_query(request: RefundRequest) -> dict[str, Any]:
    """Content that asks for a refund by our number (section 8.2)."""
    fields = {
        "trade_no": request.transaction_no,
        "out_request_no": request.out_refund_no,
        "query_options": ["gmt_refund_pay"],
    }
    return _content(AlipayTradeFastpayRefundQueryModel, fields)


def bill(kind: str, on: date) -> dict[str, Any]:
    """Content that asks where a day's bill lies, by https (section 10)."""
    fields = {"bill_type": kind, "bill_date": on.isoformat(), "secure": True}
    return _content(AlipayDataDataserviceBillDownloadurlQueryModel, fields)


def plain_text(text: str) -> str:
    """`text` without the characters that Alipay blocks (pitfalls C18)."""
    return _FORBIDDEN.sub("-", text)


def _content(model: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What the SDK's model makes of `fields`: those it knows, without the empty ones."""
    content: dict[str, Any] = model.from_alipay_dict(fields).to_alipay_dict()
    return content
