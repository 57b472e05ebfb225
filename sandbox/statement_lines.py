"""The lines of a day's trade statement, from the channel's own books (protocols/wechat-pay-v3.md section 11.2).

A payment stands on the day it was paid, a refund on the day it was asked for, with its state at the end of that day.
UTF-8 with BOM, CRLF after every line, headers bare, every value behind a back-tick.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sandbox import clock, pay_books, refund_books
from sandbox.amounts import fee_fen, yuan
from sandbox.pay_books import Order
from sandbox.refund_books import Refund, RefundState
from sandbox.world import World


@dataclass(frozen=True, slots=True)
class TradeLine:
    """One line: a payment, or a refund where `refund_id` is not empty. Amounts in fen, the fee with its sign."""

    at_s: float
    appid: str
    mchid: str
    sub_mchid: str
    transaction_id: str
    out_trade_no: str
    openid: str
    trade_type: str
    state: str
    currency: str
    paid_fen: int
    refund_id: str
    out_refund_no: str
    refund_fen: int
    refund_channel: str
    refund_state: str
    refund_success_s: float | None
    description: str
    attach: str
    fee_fen: int

    @property
    def is_refund(self) -> bool:
        """Whether money went out by this line."""
        return bool(self.refund_id)

    @property
    def subject(self) -> str:
        """WeChat's own number of what the line is about."""
        return self.refund_id or self.transaction_id


def of_payment(order: Order) -> TradeLine:
    """The line of a paid order."""
    return TradeLine(
        at_s=order.success_s or 0,
        appid=order.appid,
        mchid=order.mchid,
        sub_mchid=order.sub_mchid,
        transaction_id=order.transaction_id or "",
        out_trade_no=order.out_trade_no,
        openid=order.payer_openid or "",
        trade_type=order.trade_type,
        state="SUCCESS",
        currency=order.currency,
        paid_fen=order.total_fen,
        refund_id="",
        out_refund_no="",
        refund_fen=0,
        refund_channel="",
        refund_state="",
        refund_success_s=None,
        description=order.description,
        attach=order.attach,
        fee_fen=fee_fen(order.total_fen),
    )


def of_refund(order: Order, refund: Refund, frozen_s: float) -> TradeLine:
    """The line of a refund as it was at an instant."""
    state = refund.state_at(frozen_s)
    return TradeLine(
        at_s=refund.created_s,
        appid=order.appid,
        mchid=order.mchid,
        sub_mchid=order.sub_mchid,
        transaction_id=refund.transaction_id,
        out_trade_no=order.out_trade_no,
        openid=order.payer_openid or "",
        trade_type=order.trade_type,
        state="REFUND",
        currency=order.currency,
        paid_fen=0,
        refund_id=refund.refund_id,
        out_refund_no=refund.out_refund_no,
        refund_fen=refund.amount_fen,
        refund_channel=refund.channel,
        refund_state=str(state),
        refund_success_s=refund.success_s if state is RefundState.SUCCESS else None,
        description=order.description,
        attach=order.attach,
        fee_fen=-refund.fee_fen,
    )


def of_day(world: World, mchid: str, day: date) -> list[TradeLine]:
    """All lines of a merchant's day, in order of time. A refund that was closed on its own day has none."""
    start_s, end_s = clock.instant_of(day), clock.instant_of(day + timedelta(days=1))
    lines = [of_payment(order) for order in pay_books.paid_on(world.store, mchid, day)]
    for refund in refund_books.asked_between(world, mchid, start_s, end_s):
        order = pay_books.find(world, mchid, refund.out_trade_no)
        if order is not None and refund.state_at(end_s) is not RefundState.CLOSED:
            lines.append(of_refund(order, refund, end_s))
    return sorted(lines, key=lambda line: (line.at_s, line.subject))


def _moment(instant_s: float | None) -> str:
    return "" if instant_s is None else f"{clock.local(instant_s):%Y-%m-%d %H:%M:%S}"


def one_line(text: str) -> str:
    """Control characters made harmless, as the channel does."""
    return text.replace("\x01", " ").replace("\r", "\\r").replace("\n", "\\n")


COLUMNS: Mapping[str, Callable[[TradeLine], str]] = {
    "交易时间": lambda line: _moment(line.at_s),
    "公众账号ID": lambda line: line.appid,
    "商户号": lambda line: line.mchid,
    "特约商户号": lambda line: line.sub_mchid or "0",
    "设备号": lambda line: "",
    "微信订单号": lambda line: line.transaction_id,
    "商户订单号": lambda line: line.out_trade_no,
    "用户标识": lambda line: line.openid,
    "交易类型": lambda line: line.trade_type,
    "交易状态": lambda line: line.state,
    "付款银行": lambda line: "OTHERS",
    "货币种类": lambda line: line.currency,
    "应结订单金额": lambda line: yuan(line.paid_fen),
    "代金券金额": lambda line: "0.00",
    "退款申请时间": lambda line: _moment(line.at_s),
    "退款成功时间": lambda line: _moment(line.refund_success_s),
    "微信退款单号": lambda line: line.refund_id or "0",
    "商户退款单号": lambda line: line.out_refund_no or "0",
    "退款金额": lambda line: yuan(line.refund_fen),
    "充值券退款金额": lambda line: "0.00",
    "退款类型": lambda line: line.refund_channel,
    "退款状态": lambda line: line.refund_state,
    "商品名称": lambda line: one_line(line.description),
    "商户数据包": lambda line: one_line(line.attach),
    "手续费": lambda line: f"{yuan(line.fee_fen)}000",
    "费率": lambda line: "0.60%",
    "订单金额": lambda line: yuan(line.paid_fen),
    "申请退款金额": lambda line: yuan(line.refund_fen),
    "费率备注": lambda line: "",
}
_REFUND_TIMES = {"退款申请时间", "退款成功时间"}
_REFUND_PART = {"微信退款单号", "商户退款单号", "退款金额", "充值券退款金额", "退款类型", "退款状态", "申请退款金额"}
HEADERS: Mapping[str, Sequence[str]] = {
    "ALL": [name for name in COLUMNS if name not in _REFUND_TIMES],
    "SUCCESS": [name for name in COLUMNS if name not in _REFUND_TIMES | _REFUND_PART],
    "REFUND": list(COLUMNS),
}
SUMMARY_HEADER = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"


def of_type(lines: Sequence[TradeLine], bill_type: str) -> list[TradeLine]:
    """The lines that a type of statement shows."""
    return [line for line in lines if bill_type == "ALL" or line.is_refund == (bill_type == "REFUND")]


def table(lines: Sequence[TradeLine], bill_type: str) -> tuple[list[str], list[list[str]]]:
    """The header and the values of the lines."""
    header = list(HEADERS[bill_type])
    return header, [[COLUMNS[name](line) for name in header] for line in lines]


def summary(lines: Sequence[TradeLine], *, off_fen: int = 0) -> list[str]:
    """The values of the summary; `off_fen` makes the total wrong."""
    paid_fen = sum(line.paid_fen for line in lines) + off_fen
    refund_fen = sum(line.refund_fen for line in lines)
    fees_fen = sum(line.fee_fen for line in lines)
    counted, fees = str(len(lines)), f"{yuan(fees_fen)}000"
    return [counted, yuan(paid_fen), yuan(refund_fen), "0.00", fees, yuan(paid_fen), yuan(refund_fen)]


def render(header: Sequence[str], rows: Sequence[Sequence[str]], summary_header: str, sums: Sequence[str]) -> bytes:
    """The uncompressed file."""
    lines = [",".join(header), *(_ticked(row) for row in rows), summary_header, _ticked(sums)]
    return "\ufeff".encode() + "".join(f"{line}\r\n" for line in lines).encode()


def _ticked(values: Sequence[str]) -> str:
    return ",".join(f"`{value}" for value in values)
