"""Alipay's own books: orders, the trades that payers made of them, and refunds.

Written by the sandbox's endpoints alone. An order becomes a trade when a payer scans its code or reaches the cashier; a
trade waits, is paid, finished, or closed (timed out, closed by the merchant, or fully refunded). Money and the
notification that tells of it are committed together. Amounts in fen.
"""

import secrets
from dataclasses import dataclass, replace
from enum import StrEnum

from sandbox import alipay_fields, alipay_hostile, alipay_merchants, alipay_notices, clock
from sandbox.errors import ControlError
from sandbox.store import Row
from sandbox.world import World

TOKEN_LIFE_S = 2 * 3600
REFUND_WINDOW_S = 365 * 86_400
FEE_PER_10000 = 60


class Product(StrEnum):
    """The ways to pay; each has its time-out and its notifications."""

    PRECREATE = "precreate"
    WAP = "wap"
    PAGE = "page"


class Status(StrEnum):
    """`trade_status`; NONE is an order without a trade, which Alipay does not know."""

    NONE = "NONE"
    WAIT = "WAIT_BUYER_PAY"
    SUCCESS = "TRADE_SUCCESS"
    FINISHED = "TRADE_FINISHED"
    CLOSED = "TRADE_CLOSED"


# Section 9.4: which statuses are told besides TRADE_SUCCESS.
TELLS_CLOSED = frozenset({Product.WAP})
DEFAULT_TIMEOUT = {Product.PRECREATE: "3h", Product.WAP: "15d", Product.PAGE: "15d"}

LOAD = "SELECT * FROM alipay_orders WHERE app_id = ? AND out_trade_no = ?"
LOAD_BY_TRADE = "SELECT * FROM alipay_orders WHERE app_id = ? AND trade_no = ?"
LOAD_BY_TOKEN = "SELECT * FROM alipay_orders WHERE token = ?"
OVERDUE = "SELECT * FROM alipay_orders WHERE status = 'WAIT_BUYER_PAY' AND expires_s <= ?"
BEGIN = """
UPDATE alipay_orders SET trade_no = ?, created_s = ?, expires_s = ?, status = 'WAIT_BUYER_PAY', buyer_id = ?
WHERE app_id = ? AND out_trade_no = ?
"""
RENEW = "UPDATE alipay_orders SET token = ?, token_expires_s = ? WHERE app_id = ? AND out_trade_no = ?"
PAY = """
UPDATE alipay_orders SET status = 'TRADE_SUCCESS', paid_s = ?, buyer_id = ?, closed_s = NULL
WHERE app_id = ? AND out_trade_no = ?
"""
CLOSE = "UPDATE alipay_orders SET status = 'TRADE_CLOSED', closed_s = ? WHERE app_id = ? AND out_trade_no = ?"
CLOSE_REFUNDED = """
UPDATE alipay_orders AS o SET status = 'TRADE_CLOSED', closed_s = ?1
WHERE status = 'TRADE_SUCCESS'
  AND (app_id, out_trade_no) IN (
      SELECT app_id, out_trade_no FROM alipay_refunds WHERE asked_s < done_s AND done_s <= ?1)
  AND total_fen = (
      SELECT sum(amount_fen) FROM alipay_refunds r
      WHERE r.app_id = o.app_id AND r.out_trade_no = o.out_trade_no AND r.done_s <= ?1)
"""
FINISH = "UPDATE alipay_orders SET status = 'TRADE_FINISHED' WHERE app_id = ? AND out_trade_no = ?"
REFUSE = "UPDATE alipay_orders SET refused = refused + 1 WHERE app_id = ? AND out_trade_no = ?"
REFUNDS = "SELECT * FROM alipay_refunds WHERE app_id = ? AND out_trade_no = ? ORDER BY asked_s, out_request_no"
ADD_REFUND = "INSERT INTO alipay_refunds VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Order:
    """One number of a merchant. `request` is the canonical first request, for repetitions under the same number."""

    app_id: str
    out_trade_no: str
    product: Product
    request: str
    total_fen: int
    subject: str
    body: str
    passback_params: str
    charset: str
    notify_url: str
    return_url: str
    token: str
    token_expires_s: float
    timeout: str
    pay_before_s: float | None
    asked_s: float
    trade_no: str | None
    created_s: float | None
    expires_s: float | None
    status: Status
    buyer_id: str | None
    paid_s: float | None
    closed_s: float | None
    refused: int

    @property
    def is_paid(self) -> bool:
        """Whether money came in, refunded later or not."""
        return self.paid_s is not None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back; before `done_s` nobody knows of it."""

    app_id: str
    out_trade_no: str
    out_request_no: str
    amount_fen: int
    fee_fen: int
    reason: str
    asked_s: float
    done_s: float


def _order(row: Row | None) -> Order | None:
    if row is None:
        return None
    return Order(**{**dict(row), "product": Product(row["product"]), "status": Status(row["status"])})


def find(world: World, app_id: str, out_trade_no: str) -> Order | None:
    """The order as it stands now: what has timed out is closed first."""
    close_overdue(world)
    return _order(world.store.row(LOAD, app_id, out_trade_no))


def find_by_trade(world: World, app_id: str, trade_no: str) -> Order | None:
    """The order by Alipay's own number."""
    close_overdue(world)
    return _order(world.store.row(LOAD_BY_TRADE, app_id, trade_no))


def find_by_token(world: World, token: str) -> Order | None:
    """The order behind a QR code or a cashier's address."""
    close_overdue(world)
    return _order(world.store.row(LOAD_BY_TOKEN, token))


def orders_of(world: World, app_id: str) -> list[Order]:
    """All orders of a merchant, oldest first."""
    close_overdue(world)
    rows = world.store.rows("SELECT * FROM alipay_orders WHERE app_id = ? ORDER BY asked_s, out_trade_no", app_id)
    return [found for row in rows if (found := _order(row))]


def insert(world: World, order: Order) -> None:
    """Write down a new order."""
    places = ", ".join("?" * len(Order.__slots__))
    values = (getattr(order, name) for name in Order.__slots__)
    world.store.run(f"INSERT INTO alipay_orders VALUES ({places})", *values)  # noqa: S608 - question marks alone


def renewed(world: World, order: Order) -> Order:
    """The order with a living code: a dead one that nobody scanned is replaced when it is asked for again."""
    now_s = world.now_s()
    if order.status is not Status.NONE or now_s < order.token_expires_s:
        return order
    world.store.run(RENEW, new_token(), now_s + TOKEN_LIFE_S, order.app_id, order.out_trade_no)
    return _again(world, order)


def _again(world: World, order: Order) -> Order:
    fresh = _order(world.store.row(LOAD, order.app_id, order.out_trade_no))
    assert fresh is not None
    return fresh


def close_overdue(world: World) -> None:
    """Waiting trades close by themselves when their time is over; products that tell TRADE_CLOSED tell it.

    So do trades whose last refund was accepted earlier and is carried out by now.
    """
    now_s = world.now_s()
    world.store.run(CLOSE_REFUNDED, now_s)
    for row in world.store.rows(OVERDUE, now_s):
        overdue = _order(row)
        if overdue is not None:
            close(world, overdue, at_s=overdue.expires_s)


def scan(world: World, order: Order, *, buyer_id: str | None = None) -> Order:
    """A payer scans the code or reaches the cashier: the trade comes into being.

    ControlError 409 where the payer would see a refusal: the code is older than two hours, the time to pay is over.
    """
    if order.status is not Status.NONE:
        return order
    now_s = world.now_s()
    if order.product is Product.PRECREATE and now_s >= order.token_expires_s:
        raise ControlError(409, "qr_expired", "二维码已超过两小时，请让商家重新出示")
    if order.pay_before_s is not None and now_s >= order.pay_before_s:
        raise ControlError(409, "too_late", "订单已超过支付时间，请返回商家重新发起支付")
    expires_s = order.pay_before_s or alipay_fields.timeout_end(order.timeout, now_s)
    buyer = buyer_id or new_buyer_id()
    world.store.run(BEGIN, new_trade_no(now_s), now_s, expires_s, buyer, order.app_id, order.out_trade_no)
    return _again(world, order)


def pay(world: World, order: Order, *, buyer_id: str | None = None) -> Order:
    """The payer pays: one commit moves the trade and plans its notification. ControlError 409 where it is refused."""
    waiting = scan(world, order, buyer_id=buyer_id)
    if waiting.is_paid:
        raise ControlError(409, "already_paid", "该订单已支付")
    if waiting.status is Status.CLOSED and not alipay_hostile.spend(world, "pay_after_close"):
        raise ControlError(409, "closed", "该订单已关闭")
    if buyer_id is not None and buyer_id != waiting.buyer_id:
        raise ControlError(409, "other_buyer", "该订单已被另一位用户扫描")
    with world.store.change():
        world.store.run(PAY, world.now_s(), waiting.buyer_id, order.app_id, order.out_trade_no)
        paid = _again(world, order)
        tell(world, paid)
    return paid


def refuse(world: World, order: Order) -> Order:
    """The payer leaves the cashier without paying: the trade goes on waiting and nobody is told."""
    world.store.run(REFUSE, order.app_id, order.out_trade_no)
    return _again(world, order)


def close(world: World, order: Order, *, at_s: float | None = None) -> Order:
    """Close a waiting trade."""
    with world.store.change():
        world.store.run(CLOSE, at_s or world.now_s(), order.app_id, order.out_trade_no)
        closed = _again(world, order)
        if order.product in TELLS_CLOSED:
            tell(world, closed)
    return closed


def finish(world: World, order: Order) -> Order:
    """The refund window of a paid trade is over."""
    if order.status is not Status.SUCCESS:
        raise ControlError(409, "not_success", "只有支付成功的交易会结束")
    with world.store.change():
        world.store.run(FINISH, order.app_id, order.out_trade_no)
        finished = _again(world, order)
        if order.product in TELLS_CLOSED:
            tell(world, finished)
    return finished


def refunds_of(world: World, order: Order, *, until_s: float | None = None) -> list[Refund]:
    """Refunds carried out by now (or by another instant), in their order."""
    by_s = world.now_s() if until_s is None else until_s
    rows = world.store.rows(REFUNDS, order.app_id, order.out_trade_no)
    return [Refund(**dict(row)) for row in rows if row["done_s"] <= by_s]


def accepted_refunds(world: World, order: Order) -> list[Refund]:
    """Refunds that were accepted, carried out already or later."""
    rows = world.store.rows(REFUNDS, order.app_id, order.out_trade_no)
    return [Refund(**dict(row)) for row in rows]


def refund(
    world: World, order: Order, out_request_no: str, amount_fen: int, *, reason: str, delay_s: float = 0
) -> Refund:
    """Give money back with the fee for it, at once or `delay_s` later, and plan the notification."""
    now_s = world.now_s()
    before_fen = sum(earlier.amount_fen for earlier in accepted_refunds(world, order))
    left_fen = order.total_fen - before_fen
    given = Refund(
        app_id=order.app_id,
        out_trade_no=order.out_trade_no,
        out_request_no=out_request_no,
        amount_fen=amount_fen,
        fee_fen=fee_fen(left_fen) - fee_fen(left_fen - amount_fen),
        reason=reason,
        asked_s=now_s,
        done_s=now_s + delay_s,
    )
    with world.store.change():
        world.store.run(ADD_REFUND, *(getattr(given, name) for name in Refund.__slots__))
        full = amount_fen == left_fen
        if full and not delay_s:
            world.store.run(CLOSE, given.done_s, order.app_id, order.out_trade_no)
        told = replace(order, status=Status.CLOSED, closed_s=given.done_s) if full else order
        if not full or order.product in TELLS_CLOSED:
            tell(world, told, refund=given, refunded_fen=before_fen + amount_fen)
    return given


def tell(world: World, order: Order, *, refund: Refund | None = None, refunded_fen: int = 0) -> None:
    """Plan the notification of what just happened; without a `notify_url` nobody is told."""
    merchant = alipay_merchants.find(world.store, order.app_id)
    if merchant is None or not order.notify_url:
        return
    fields = alipay_notices.payment_fields(merchant, event(order))
    if refund is not None:
        fields |= alipay_notices.refund_fields(refund.out_request_no, refunded_fen, refund.done_s)
    delay_s = 0.0 if refund is None else refund.done_s - refund.asked_s
    alipay_notices.plan(world, event(order), fields, delay_s=delay_s)


def event(order: Order) -> alipay_notices.Event:
    """What notifications tell of the order."""
    return alipay_notices.Event(
        app_id=order.app_id,
        out_trade_no=order.out_trade_no,
        product=str(order.product),
        notify_url=order.notify_url,
        charset=order.charset,
        trade_no=order.trade_no or "",
        status=str(order.status),
        total_fen=order.total_fen,
        subject=order.subject,
        body=order.body,
        passback_params=order.passback_params,
        buyer_id=order.buyer_id or "",
        created_s=order.created_s or order.asked_s,
        paid_s=order.paid_s,
        closed_s=order.closed_s,
    )


def as_paid(world: World, order: Order) -> Order:
    """The order as if it were paid now, for forged notifications; the books do not change."""
    if order.is_paid:
        return order
    now_s = world.now_s()
    return replace(
        order,
        status=Status.SUCCESS,
        trade_no=order.trade_no or new_trade_no(now_s),
        created_s=order.created_s or now_s,
        buyer_id=order.buyer_id or new_buyer_id(),
        paid_s=now_s,
        closed_s=None,
    )


def fee_fen(amount_fen: int) -> int:
    """Alipay's fee of 0.60 %, rounded half up to the fen."""
    return (amount_fen * FEE_PER_10000 + 5000) // 10000


def new_trade_no(now_s: float) -> str:
    """28 digits: the date, 22001, fifteen more (section 11)."""
    return f"{clock.local(now_s):%Y%m%d}22001{secrets.randbelow(10**15):015d}"


def new_buyer_id() -> str:
    """A payer's number: 2088 and twelve digits."""
    return f"2088{secrets.randbelow(10**12):012d}"


def new_token() -> str:
    """The last part of a QR code's text."""
    return f"bax{secrets.token_hex(12)}"
