"""The fund flow of a day (资金账单): every movement of the account with the balance after it (section 11.2).

Fees stand in rows of their own. A refund goes out when it is accepted; what it brings back of the fee is an income of
the kind 扣除交易手续费. A refund that is closed later comes back as an income of the kind 退款.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sandbox import clock, pay_books, refund_books, settlements
from sandbox.amounts import fee_fen, yuan
from sandbox.refund_books import Refund, RefundState
from sandbox.statement_lines import one_line
from sandbox.world import World

TRADE = "交易"
REFUND = "退款"
FEE = "扣除交易手续费"
PAYOUT = "提现"

HEADER = [
    "记账时间",
    "微信支付业务单号",
    "资金流水单号",
    "业务名称",
    "业务类型",
    "收支类型",
    "收支金额(元)",
    "账户结余(元)",
    "资金变更提交申请人",
    "备注",
    "业务凭证号",
]
SUMMARY_HEADER = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"


@dataclass(frozen=True, slots=True)
class FundLine:
    """One movement: what is positive came in. `business_no` is the number of the payment, the refund or the payout."""

    at_s: float
    business_no: str
    name: str
    kind: str
    change_fen: int
    remark: str
    voucher: str

    @property
    def is_income(self) -> bool:
        """Whether money came in."""
        return self.change_fen > 0

    @property
    def subject(self) -> str:
        """WeChat's own number of what moved the money."""
        return self.business_no


def of_day(world: World, mchid: str, sub_mchid: str, day: date) -> list[FundLine]:
    """The movements of an account's day, in order of time."""
    start_s, end_s = clock.instant_of(day), clock.instant_of(day + timedelta(days=1))
    lines: list[FundLine] = []
    for order in pay_books.paid_on(world.store, mchid, day):
        if order.sub_mchid == sub_mchid:
            at_s, number, fee = order.success_s or 0, order.transaction_id or "", fee_fen(order.total_fen)
            lines.append(FundLine(at_s, number, TRADE, TRADE, order.total_fen, "", order.out_trade_no))
            lines.append(FundLine(at_s, number, FEE, FEE, -fee, "", order.out_trade_no))
    for refund in refund_books.asked_between(world, mchid, start_s, end_s):
        if refund.sub_mchid == sub_mchid:
            lines += _refund_lines(refund, refund.created_s, -1, refund.reason)
    for refund in refund_books.ended_between(world, mchid, start_s, end_s):
        if refund.sub_mchid == sub_mchid and refund.state is RefundState.CLOSED:
            lines += _refund_lines(refund, refund.ended_s or 0, 1, "退款关闭，资金退回")
    for payout in settlements.payouts(world, mchid, sub_mchid, day, day):
        lines.append(
            FundLine(payout.at_s, payout.number, "自动提现", PAYOUT, -payout.amount_fen, "", f"TX{payout.number}")
        )
    moved = [line for line in lines if line.change_fen != 0]
    return sorted(moved, key=lambda line: line.at_s)


def _refund_lines(refund: Refund, at_s: float, sign: int, remark: str) -> list[FundLine]:
    number, voucher = refund.refund_id, refund.out_refund_no
    return [
        FundLine(at_s, number, REFUND, REFUND, sign * refund.amount_fen, remark, voucher),
        FundLine(at_s, number, FEE, FEE, -sign * refund.fee_fen, remark, voucher),
    ]


def table(lines: Sequence[FundLine], opening_fen: int) -> tuple[list[str], list[list[str]]]:
    """The header and the values of the lines, with the balance running from what the day began with."""
    rows, balance_fen = [], opening_fen
    for line in lines:
        balance_fen += line.change_fen
        rows.append(
            [
                f"{clock.local(line.at_s):%Y-%m-%d %H:%M:%S}",
                line.business_no,
                _flow_no(line),
                line.name,
                line.kind,
                "收入" if line.is_income else "支出",
                yuan(abs(line.change_fen)),
                yuan(balance_fen),
                "system",
                one_line(line.remark),
                line.voucher,
            ]
        )
    return list(HEADER), rows


def summary(lines: Sequence[FundLine], *, off_fen: int = 0) -> list[str]:
    """The values of the summary; `off_fen` makes the income wrong. Counts have a decimal, as in the real file."""
    incomes = [line.change_fen for line in lines if line.is_income]
    spendings = [-line.change_fen for line in lines if not line.is_income]
    return [
        f"{len(lines)}.0",
        f"{len(incomes)}.0",
        yuan(sum(incomes) + off_fen),
        f"{len(spendings)}.0",
        yuan(sum(spendings)),
    ]


def _flow_no(line: FundLine) -> str:
    digest = hashlib.sha256(f"{line.business_no}|{line.kind}|{line.at_s}".encode()).hexdigest()
    return f"1{clock.local(line.at_s):%Y%m%d}{int(digest[:16], 16) % 10**19:019d}"
