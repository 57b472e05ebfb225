"""Daily trade statements, byte for byte as the channel makes them, from its own books alone (section 11).

UTF-8 with BOM, CRLF after every line, headers bare, every value behind a back-tick. The hash is SHA-1 over the
uncompressed file. A day is ready at 10:00 of the next; a day without trades has no statement.
"""

import gzip
import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web

from sandbox import clock, pay_books
from sandbox.errors import PayError
from sandbox.pay_books import Order
from sandbox.pay_edge import Answer, PayCall
from sandbox.pay_fields import PARAMETER_NUMBER

READY_HOUR = 10
HISTORY_DAYS = 92
LINK_LIFE_S = 300
FEE_PER_10000 = 60

HEADER_START = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
    "应结订单金额,代金券金额,"
)
ALL_HEADER = HEADER_START + (
    "微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
SUCCESS_HEADER = HEADER_START + "商品名称,商户数据包,手续费,费率,订单金额,费率备注"
SUMMARY_HEADER = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"

SAVE_LINK = """
INSERT INTO statement_links (token, mchid, bill_date, bill_type, gzip, expires_s) VALUES (?, ?, ?, ?, ?, ?)
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """One type of statement: its header and how a payment fills it."""

    header: str
    payment: Callable[[Order], Sequence[str]]


def yuan(amount_fen: int) -> str:
    """Fen as yuan with two decimals."""
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"


def fee_fen(total_fen: int) -> int:
    """The channel's fee of 0.60 %, rounded half up to the fen."""
    return (total_fen * FEE_PER_10000 + 5000) // 10000


def _start(order: Order) -> list[str]:
    return [
        f"{clock.local(order.success_s or 0):%Y-%m-%d %H:%M:%S}",
        order.appid,
        order.mchid,
        "0",
        "",
        order.transaction_id or "",
        order.out_trade_no,
        order.payer_openid or "",
        order.trade_type,
        "SUCCESS",
        "OTHERS",
        order.currency,
        yuan(order.total_fen),
        "0.00",
    ]


def _fee(order: Order) -> list[str]:
    return [f"{yuan(fee_fen(order.total_fen))}000", "0.60%"]


def _names(order: Order) -> list[str]:
    return [_one_line(order.description), _one_line(order.attach)]


def _one_line(text: str) -> str:
    return text.replace("\x01", " ").replace("\r", "\\r").replace("\n", "\\n")


def _all_row(order: Order) -> list[str]:
    refund = ["0", "0", "0.00", "0.00", "", ""]
    return [*_start(order), *refund, *_names(order), *_fee(order), yuan(order.total_fen), "0.00", ""]


def _success_row(order: Order) -> list[str]:
    return [*_start(order), *_names(order), *_fee(order), yuan(order.total_fen), ""]


LAYOUTS = {"ALL": Layout(ALL_HEADER, _all_row), "SUCCESS": Layout(SUCCESS_HEADER, _success_row)}


def render(orders: Sequence[Order], bill_type: str) -> bytes:
    """The uncompressed file for these payments."""
    layout = LAYOUTS[bill_type]
    total_fen = sum(order.total_fen for order in orders)
    fees_fen = sum(fee_fen(order.total_fen) for order in orders)
    summary = [str(len(orders)), yuan(total_fen), "0.00", "0.00", f"{yuan(fees_fen)}000", yuan(total_fen), "0.00"]
    lines = [layout.header, *(_ticked(layout.payment(order)) for order in orders), SUMMARY_HEADER, _ticked(summary)]
    return "\ufeff".encode() + "".join(f"{line}\r\n" for line in lines).encode()


def _ticked(values: Sequence[str]) -> str:
    return ",".join(f"`{value}" for value in values)


async def apply_for_trade_bill(call: PayCall) -> Answer:
    """GET /v3/bill/tradebill: a link for five minutes and the hash of the file."""
    query, world = call.request.query, call.world
    bill_date, bill_type = query.get("bill_date", ""), query.get("bill_type", "ALL")
    compressed = _is_gzip(query.get("tar_type"))
    _check_day(call, bill_date)
    if bill_type not in (*LAYOUTS, "REFUND"):
        raise _parameter("bill_type", bill_type, "账单类型不支持")
    content = _content(call, bill_date, bill_type)
    token = secrets.token_urlsafe(48)
    expires_s = world.now_s() + LINK_LIFE_S
    world.store.run(SAVE_LINK, token, call.merchant.mchid, bill_date, bill_type, int(compressed), expires_s)
    link = f"{call.request.scheme}://{call.request.host}/v3/billdownload/file?token={token}"
    return Answer(
        {
            "hash_type": "SHA1",
            "hash_value": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
            "download_url": f"{link}&tartype=gzip" if compressed else link,
        }
    )


async def download(call: PayCall) -> web.Response:
    """GET /v3/billdownload/file?token=: the file itself, without a signature of the platform."""
    token = call.request.query.get("token", "")
    link = call.world.store.row("SELECT * FROM statement_links WHERE token = ?", token)
    if link is None or link["expires_s"] < call.world.now_s():
        raise PayError(400, "INVALID_REQUEST", "账单下载地址已失效，请重新申请")
    if link["mchid"] != call.merchant.mchid:
        raise PayError(403, "NO_AUTH", "无权下载该账单")
    content = _content(call, link["bill_date"], link["bill_type"])
    body = gzip.compress(content, mtime=0) if link["gzip"] else content
    return web.Response(body=body, content_type="application/octet-stream")


def _is_gzip(tar_type: str | None) -> bool:
    if tar_type not in (None, "GZIP"):
        raise _parameter("tar_type", tar_type, "压缩类型仅支持GZIP")
    return tar_type == "GZIP"


def _check_day(call: PayCall, bill_date: str) -> None:
    try:
        day = clock.parse_day(bill_date)
    except ValueError as error:
        raise _parameter("bill_date", bill_date, "账单日期格式错误，应为yyyy-MM-dd") from error
    now_s = call.world.now_s()
    today = clock.day_of(now_s)
    if day >= today or day < today - timedelta(days=HISTORY_DAYS):
        raise PayError(400, "INVALID_REQUEST", "账单日期超出可下载的范围")
    if now_s < clock.instant_of(day + timedelta(days=1), READY_HOUR):
        raise PayError(400, "STATEMENT_CREATING", "账单文件正在生成中，请稍后再试")


def _content(call: PayCall, bill_date: str, bill_type: str) -> bytes:
    paid = pay_books.paid_on(call.world.store, call.merchant.mchid, clock.parse_day(bill_date))
    if not paid or bill_type not in LAYOUTS:
        raise PayError(400, "NO_STATEMENT_EXIST", "账单文件不存在")
    return render(paid, bill_type)


def _parameter(field: str, value: str, message: str) -> PayError:
    detail = {"field": field, "value": value, "issue": message, "location": "query"}
    return PayError(400, "PARAM_ERROR", message, number=PARAMETER_NUMBER, detail=detail)
