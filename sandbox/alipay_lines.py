"""The lines of Alipay's bills, from the books alone: 业务明细 (trades, refunds) and 账务明细 (the account).

A payment stands on the day it was paid, a refund on the day it was carried out. Fees are rows of their own in the
account. The whole balance of a day is paid out to the bank the next morning; what is below zero stays. Amounts in fen.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import date, timedelta

from sandbox import alipay_books, clock
from sandbox.alipay_notices import logon_id
from sandbox.store import Row
from sandbox.world import World

PAYOUT_AT_S = 6 * 3600
PAYMENT, REFUND = "交易", "退款"
PAID_IN, REFUNDED, FEE, PAYOUT = "在线支付", "交易退款", "收费", "提现"
EPOCH = date(1970, 1, 1)

PAYMENTS_BETWEEN = """
SELECT * FROM alipay_orders WHERE app_id = ? AND paid_s >= ? AND paid_s < ? ORDER BY paid_s, trade_no
"""
REFUNDS_BETWEEN = """
SELECT r.out_request_no, r.amount_fen, r.fee_fen, r.done_s,
    o.trade_no, o.out_trade_no, o.subject, o.created_s, o.buyer_id
FROM alipay_refunds r JOIN alipay_orders o USING (app_id, out_trade_no)
WHERE r.app_id = ? AND r.done_s >= ? AND r.done_s < ? ORDER BY r.done_s, r.out_request_no
"""
NET_BY_DAY = """
SELECT day, sum(fen) AS fen FROM (
    SELECT CAST((paid_s + 28800) / 86400 AS INTEGER) AS day, total_fen - (total_fen * 60 + 5000) / 10000 AS fen
    FROM alipay_orders WHERE app_id = ?1 AND paid_s IS NOT NULL
    UNION ALL
    SELECT CAST((done_s + 28800) / 86400 AS INTEGER), fee_fen - amount_fen
    FROM alipay_refunds WHERE app_id = ?1 AND done_s <= ?2
)
GROUP BY day ORDER BY day
"""


@dataclass(frozen=True, slots=True)
class TradeLine:
    """A row of 业务明细. Refunds have negative amounts; charged fees are negative, returned ones positive."""

    trade_no: str
    out_trade_no: str
    kind: str
    subject: str
    created_s: float
    done_s: float
    account: str
    amount_fen: int
    request_no: str
    fee_fen: int

    @property
    def subject_key(self) -> str:
        """What the row is about: a trade, or one refund of it."""
        return f"{self.trade_no}/{self.request_no}"

    def moved(self, by_fen: int) -> "TradeLine":
        """The same with another amount."""
        return replace(self, amount_fen=self.amount_fen + by_fen)

    def charged(self, by_fen: int) -> "TradeLine":
        """The same with a higher fee."""
        return replace(self, fee_fen=self.fee_fen - by_fen)


@dataclass(frozen=True, slots=True)
class AccountLine:
    """A row of 账务明细: positive came in, negative went out. `business_no` is the trade's or the payout's number."""

    flow_no: str
    business_no: str
    out_trade_no: str
    subject: str
    at_s: float
    account: str
    change_fen: int
    kind: str
    remark: str

    @property
    def subject_key(self) -> str:
        """What the row is about: itself."""
        return self.flow_no

    def moved(self, by_fen: int) -> "AccountLine":
        """The same with another amount."""
        return replace(self, change_fen=self.change_fen + by_fen)

    def charged(self, by_fen: int) -> "AccountLine":
        """The same with more taken."""
        return self.moved(-by_fen)


@dataclass(frozen=True, slots=True)
class Payout:
    """Money on its way to the bank account on the morning of a day (提现)."""

    on: date
    flow_no: str
    amount_fen: int

    @property
    def at_s(self) -> float:
        """When it leaves, and for the bank arrives."""
        return clock.instant_of(self.on) + PAYOUT_AT_S


def trade_lines(world: World, app_id: str, day: date) -> list[TradeLine]:
    """Payments and refunds of a day, in order of time."""
    return lines_between(world, app_id, day, day)


def lines_between(world: World, app_id: str, first: date, last: date) -> list[TradeLine]:
    """Payments and refunds of these days, `last` included, in order of time."""
    start_s, end_s = clock.instant_of(first), clock.instant_of(last + timedelta(days=1))
    paid = world.store.rows(PAYMENTS_BETWEEN, app_id, start_s, end_s)
    refunded = world.store.rows(REFUNDS_BETWEEN, app_id, start_s, end_s)
    lines = [_payment(row) for row in paid] + [_refund(row) for row in refunded]
    return sorted(lines, key=lambda line: (line.done_s, line.trade_no, line.request_no))


def _payment(row: Row) -> TradeLine:
    fee_fen = alipay_books.fee_fen(row["total_fen"])
    return _line(row, PAYMENT, row["paid_s"], row["total_fen"], "", -fee_fen)


def _refund(row: Row) -> TradeLine:
    return _line(row, REFUND, row["done_s"], -row["amount_fen"], row["out_request_no"], row["fee_fen"])


def _line(row: Row, kind: str, done_s: float, amount_fen: int, request_no: str, fee_fen: int) -> TradeLine:
    return TradeLine(
        trade_no=row["trade_no"],
        out_trade_no=row["out_trade_no"],
        kind=kind,
        subject=row["subject"],
        created_s=row["created_s"],
        done_s=done_s,
        account=f"*某({logon_id(row['buyer_id'])})",
        amount_fen=amount_fen,
        request_no=request_no,
        fee_fen=fee_fen,
    )


def account_lines(world: World, app_id: str, day: date) -> list[AccountLine]:
    """The movements of a day, in order of time; the payout of the day before comes first."""
    lines = [
        AccountLine(
            payout.flow_no, payout.flow_no, "", "提现", payout.at_s, "中国银行(0156)", -payout.amount_fen, PAYOUT, ""
        )
        for payout in payouts(world, app_id, day, day)
    ]
    for line in trade_lines(world, app_id, day):
        is_refund = line.kind == REFUND
        lines.append(_movement(line, line.amount_fen, REFUNDED if is_refund else PAID_IN, line.request_no))
        if line.fee_fen:
            lines.append(_movement(line, line.fee_fen, FEE, "服务费退回" if is_refund else "服务费"))
    return sorted(lines, key=lambda line: line.at_s)


def _movement(line: TradeLine, change_fen: int, kind: str, remark: str) -> AccountLine:
    return AccountLine(
        flow_no=flow_no(line.done_s, line.trade_no, line.request_no, kind),
        business_no=line.trade_no,
        out_trade_no=line.out_trade_no,
        subject=line.subject,
        at_s=line.done_s,
        account=line.account,
        change_fen=change_fen,
        kind=kind,
        remark=remark,
    )


def flow_no(at_s: float, *what: str) -> str:
    """Number of a movement, always the same for the same one: the date and sixteen digits."""
    digest = hashlib.sha256("|".join(what).encode()).hexdigest()
    return f"{clock.local(at_s):%Y%m%d}{int(digest[:16], 16) % 10**16:016d}"


def _opening_balances(world: World, app_id: str, until: date) -> list[tuple[date, int]]:
    """What the account holds as each day begins, from the first day with a movement on."""
    rows = world.store.rows(NET_BY_DAY, app_id, world.now_s())
    if not rows:
        return []
    net_fen = {EPOCH + timedelta(days=row["day"]): row["fen"] for row in rows}
    day, balance_fen, found = min(net_fen), 0, []
    while day <= until:
        found.append((day, balance_fen))
        balance_fen = min(0, balance_fen) + net_fen.get(day, 0)
        day += timedelta(days=1)
    return found


def opening_balance_fen(world: World, app_id: str, day: date) -> int:
    """What the account holds as the day begins, before its payout."""
    return next((fen for on, fen in reversed(_opening_balances(world, app_id, day)) if on == day), 0)


def payouts(world: World, app_id: str, first: date, last: date) -> list[Payout]:
    """The payouts of these days, those in the future left out."""
    made = (
        Payout(on, flow_no(clock.instant_of(on), app_id, "payout"), fen)
        for on, fen in _opening_balances(world, app_id, last)
        if fen > 0 and on >= first
    )
    return [payout for payout in made if payout.at_s <= world.now_s()]
