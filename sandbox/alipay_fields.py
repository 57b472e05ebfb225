"""`biz_content`: which fields a method knows and what they may hold (protocols/alipay.md section 6).

Undocumented fields are stopped by the guard, and so are values that hold the name of a field.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox import clock
from sandbox.alipay_errors import AlipayError, attack, parameter

RESERVED_NAMES = ("out_trade_no", "total_fee", "total_amount", "trade_no=", "seller_id", "biz_content", "notify_url")
AMOUNT = re.compile(r"(?!0\.00\Z)(0|[1-9]\d{0,8})\.\d{2}")
TIMEOUT = re.compile(r"([1-9]\d{0,4})([mhd])|1c")
MOMENT = "%Y-%m-%d %H:%M:%S"
LARGEST_FEN = 100_000_000_00
LONGEST_TIMEOUT_S = 15 * 86_400
UNIT_S = {"m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Text:
    """A string of at most `longest` characters, of that form."""

    longest: int
    required: bool = False
    pattern: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these values."""

    of: frozenset[str | bool]
    required: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """A list of strings out of these (`query_options`)."""

    of: frozenset[str]


@dataclass(frozen=True, slots=True)
class Free:
    """An object or a list that the sandbox takes as it is."""

    kind: type


Rule = Text | Choice | Options | Free
Fields = Mapping[str, Rule]

NUMBER = Text(64, pattern=re.compile(r"[0-9A-Za-z_]+"))
OUR_NUMBER = Text(64, required=True, pattern=NUMBER.pattern)
REFUND_NUMBER = Text(64, pattern=re.compile(r"[!-~]+"))
MONEY = Text(12, required=True, pattern=AMOUNT)
PAYMENT: Fields = {
    "out_trade_no": OUR_NUMBER,
    "total_amount": MONEY,
    "subject": Text(256, required=True, pattern=re.compile(r"[^/=&]+")),
    "body": Text(128),
    "timeout_express": Text(6, pattern=TIMEOUT),
    "time_expire": Text(19),
    "seller_id": Text(28),
    "operator_id": Text(28),
    "store_id": Text(32),
    "terminal_id": Text(32),
    "goods_detail": Free(list),
    "extend_params": Free(dict),
    "passback_params": Text(512),
    "merchant_order_no": Text(32),
    "query_options": Options(frozenset({"hyb_amount", "enterprise_pay_info"})),
    "business_params": Free(dict),
}
PRECREATE: Fields = {
    **PAYMENT,
    "product_code": Choice(frozenset({"QR_CODE_OFFLINE", "FACE_TO_FACE_PAYMENT"})),
    "qr_code_timeout_express": Text(6, pattern=TIMEOUT),
}
WAP: Fields = {
    **PAYMENT,
    "product_code": Choice(frozenset({"QUICK_WAP_WAY"}), required=True),
    "quit_url": Text(400),
}
PAGE: Fields = {
    **PAYMENT,
    "product_code": Choice(frozenset({"FAST_INSTANT_TRADE_PAY"}), required=True),
    "qr_pay_mode": Choice(frozenset("01234")),
    "qrcode_width": Text(4),
    "integration_type": Choice(frozenset({"ALIAPP", "PCWEB"})),
    "request_from_url": Text(256),
}
EITHER_NUMBER: Fields = {"out_trade_no": NUMBER, "trade_no": NUMBER}
QUERY: Fields = {
    **EITHER_NUMBER,
    "query_options": Options(
        frozenset(
            {"fund_bill_list", "voucher_detail_list", "trade_settle_info", "discount_goods_detail", "mdiscount_amount"}
        )
    ),
}
CLOSE: Fields = {**EITHER_NUMBER, "operator_id": Text(28)}
REFUND: Fields = {
    **EITHER_NUMBER,
    "refund_amount": MONEY,
    "out_request_no": REFUND_NUMBER,
    "refund_reason": Text(256),
    "query_options": Options(frozenset({"refund_detail_item_list", "deposit_back_info"})),
}
REFUND_QUERY: Fields = {
    **EITHER_NUMBER,
    "out_request_no": Text(64, required=True, pattern=REFUND_NUMBER.pattern),
    "query_options": Options(
        frozenset({"gmt_refund_pay", "refund_detail_item_list", "deposit_back_info", "refund_voucher_detail_list"})
    ),
}
BILL: Fields = {
    "bill_type": Text(32, required=True),
    "bill_date": Text(15, required=True),
    "smid": Text(20),
    "secure": Choice(frozenset({"true", "false", True, False})),
}
CERTIFICATE: Fields = {"alipay_cert_sn": Text(64, required=True)}


def parse(text: str, fields: Fields) -> dict[str, Any]:
    """The JSON object in `text` with these fields alone; AlipayError otherwise."""
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()
    except (json.JSONDecodeError, UnicodeEncodeError, RecursionError) as error:
        raise AlipayError("40002", "isv.illegal-json", "biz_content不是合法的JSON") from error
    if not isinstance(value, dict):
        raise AlipayError("40002", "isv.illegal-json", "biz_content不是JSON对象")
    for name in value:
        if name not in fields:
            raise attack(f"未定义的字段{name}")
    for name, rule in fields.items():
        if name in value:
            _check(name, value[name], rule)
        elif not isinstance(rule, Options | Free) and rule.required:
            raise parameter(f"{name}不能为空")
    return value


def _check(name: str, value: object, rule: Rule) -> None:
    match rule:
        case Free(kind):
            fits = isinstance(value, kind)
        case Options(allowed):
            fits = isinstance(value, list) and all(item in allowed for item in value)
        case Choice(allowed):
            fits = isinstance(value, str | bool) and value in allowed
        case Text():
            fits = isinstance(value, str) and 0 < len(value) <= rule.longest
            fits = fits and (rule.pattern is None or rule.pattern.fullmatch(str(value)) is not None)
    if not fits:
        raise parameter(f"{name}不合法")
    if isinstance(value, str) and any(reserved in value for reserved in RESERVED_NAMES):
        raise attack(f"{name}含有保留字")


def fen(amount: str) -> int:
    """A yuan text with two decimals in fen; ACQ.TOTAL_FEE_EXCEED beyond a hundred million yuan."""
    value = int(amount.replace(".", ""))
    if value > LARGEST_FEN:
        raise AlipayError("40004", "ACQ.TOTAL_FEE_EXCEED", "订单总金额超过限额")
    return value


def yuan(amount_fen: int) -> str:
    """Fen as yuan with two decimals, minus sign in front."""
    sign, rest = ("-", -amount_fen) if amount_fen < 0 else ("", amount_fen)
    return f"{sign}{rest // 100}.{rest % 100:02d}"


def moment(instant_s: float) -> str:
    """An instant as Alipay writes it, in Beijing time."""
    return f"{clock.local(instant_s):%Y-%m-%d %H:%M:%S}"


def instant(text: str) -> float:
    """A moment that a merchant wrote; AlipayError for another form."""
    try:
        return datetime.strptime(text, MOMENT).replace(tzinfo=clock.SHANGHAI).timestamp()
    except ValueError as error:
        raise parameter("时间格式错误，应为yyyy-MM-dd HH:mm:ss") from error


def timeout_end(text: str, start_s: float) -> float:
    """When `timeout_express`, begun at `start_s`, is over; `1c` is the end of the day."""
    match = TIMEOUT.fullmatch(text)
    if match is None:
        raise parameter("timeout_express不合法")
    if text == "1c":
        end = clock.local(start_s).replace(hour=23, minute=59, second=59)
        return end.timestamp()
    length_s = int(match[1]) * UNIT_S[match[2]]
    if length_s > LONGEST_TIMEOUT_S:
        raise parameter("timeout_express最长15d")
    return start_s + length_s
