"""The channel's own books: orders and what became of them.

Written by the sandbox's endpoints alone, never from the product's. An order is unpaid, paid or closed; it closes by
itself at its expiry. A payment and its notification are committed together.
"""

import json
import secrets
import uuid
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from sandbox import clock, merchants, notices
from sandbox.errors import ControlError
from sandbox.store import Row, Store
from sandbox.world import World

PREPAY_LIFE_S = 2 * 3600
LATE_PAYMENT_S = 1

LOAD = "SELECT * FROM orders WHERE mchid = ? AND out_trade_no = ?"
INSERT = """
INSERT INTO orders (
    mchid, out_trade_no, trade_type, appid, openid, request, total_fen, currency, description, attach, notify_url,
    prepay_id, prepay_expires_s, code_url, created_s, expires_s, state, cancels, transaction_id, success_s,
    payer_openid, sub_mchid, sub_appid, payer_kind, link_expires_s, pay_at_s)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
LOAD_BY_PREPAY = "SELECT * FROM orders WHERE prepay_id = ?"
LOAD_BY_CODE = "SELECT * FROM orders WHERE code_url = ?"
LOAD_BY_TRANSACTION = "SELECT * FROM orders WHERE mchid = ? AND transaction_id = ?"
CLOSE_EXPIRED = "UPDATE orders SET state = 'CLOSED' WHERE state = 'NOTPAY' AND expires_s <= ?"
CLOSE = "UPDATE orders SET state = 'CLOSED' WHERE mchid = ? AND out_trade_no = ? AND state = 'NOTPAY'"
CANCEL = "UPDATE orders SET cancels = cancels + 1 WHERE mchid = ? AND out_trade_no = ?"
CLOSED_UNDER_A_PAYER = "UPDATE orders SET pay_at_s = ? WHERE mchid = ? AND out_trade_no = ? AND state = 'CLOSED'"
LATE = "SELECT * FROM orders WHERE pay_at_s <= ? AND state = 'CLOSED'"
PAY = """
UPDATE orders SET state = 'SUCCESS', transaction_id = ?, success_s = ?, payer_openid = ?, pay_at_s = NULL
WHERE mchid = ? AND out_trade_no = ?
"""
PAID_BETWEEN = """
SELECT * FROM orders WHERE mchid = ? AND success_s >= ? AND success_s < ? ORDER BY success_s, transaction_id
"""
ALL_OF = "SELECT * FROM orders WHERE mchid = ? ORDER BY created_s, out_trade_no"
PAID_EVER = "SELECT * FROM orders WHERE mchid = ? AND success_s IS NOT NULL ORDER BY success_s, transaction_id"


class TradeState(StrEnum):
    """States of an order that the three order kinds here can reach."""

    SUCCESS = "SUCCESS"
    REFUND = "REFUND"
    NOTPAY = "NOTPAY"
    CLOSED = "CLOSED"


STATE_TEXTS = {
    TradeState.SUCCESS: "支付成功",
    TradeState.REFUND: "订单发生过退款，退款详情请查询退款订单",
    TradeState.NOTPAY: "订单未支付",
    TradeState.CLOSED: "订单已关闭",
}


@dataclass(frozen=True, slots=True)
class Order:
    """One order of a merchant. `request` is the canonical JSON of the first request, for the re-entry rule.

    Of a service provider `mchid` and `appid` are its own, `sub_mchid` is whose money it is, and `payer_kind` says under
    which app the openid is. `link_expires_s` ends a code_url or h5_url; at `pay_at_s` a user pays who
    sat in the cashier when the order was closed.
    """

    mchid: str
    out_trade_no: str
    trade_type: str
    appid: str
    openid: str | None
    request: str
    total_fen: int
    currency: str
    description: str
    attach: str
    notify_url: str
    prepay_id: str
    prepay_expires_s: float
    code_url: str | None
    created_s: float
    expires_s: float
    state: TradeState
    cancels: int
    transaction_id: str | None
    success_s: float | None
    payer_openid: str | None
    sub_mchid: str = ""
    sub_appid: str = ""
    payer_kind: str = "openid"
    link_expires_s: float | None = None
    pay_at_s: float | None = None

    @property
    def is_paid(self) -> bool:
        """Whether money came in, refunded later or not."""
        return self.state in (TradeState.SUCCESS, TradeState.REFUND)


def _order(row: Row | None) -> Order | None:
    return None if row is None else Order(**{**dict(row), "state": TradeState(row["state"])})


def find(world: World, mchid: str, out_trade_no: str) -> Order | None:
    """The order as it stands now: what has expired is closed first."""
    close_expired(world)
    return _order(world.store.row(LOAD, mchid, out_trade_no))


def find_by_prepay(world: World, prepay_id: str) -> Order | None:
    """The order behind a prepay id that was handed out last for it."""
    close_expired(world)
    return _order(world.store.row(LOAD_BY_PREPAY, prepay_id))


def find_by_code(world: World, code_url: str) -> Order | None:
    """The Native order whose newest QR code this is."""
    close_expired(world)
    return _order(world.store.row(LOAD_BY_CODE, code_url))


def find_by_transaction(world: World, mchid: str, transaction_id: str) -> Order | None:
    """The paid order with WeChat's own number."""
    return _order(world.store.row(LOAD_BY_TRANSACTION, mchid, transaction_id))


def close_expired(world: World) -> None:
    """Orders close by themselves at `time_expire`, at the latest after seven days."""
    world.store.run(CLOSE_EXPIRED, world.now_s())


def insert(store: Store, order: Order) -> None:
    """Write down a new order."""
    store.run(INSERT, *(getattr(order, name) for name in Order.__slots__))


def close(world: World, mchid: str, out_trade_no: str) -> None:
    """Close an unpaid order; anything else stays as it is. In a hostile world the user pays all the same."""
    if world.store.run(CLOSE, mchid, out_trade_no) and world.hostile.spend("late_payments", out_trade_no):
        world.store.run(CLOSED_UNDER_A_PAYER, world.now_s() + LATE_PAYMENT_S, mchid, out_trade_no)


def pay_late(world: World) -> None:
    """Those who sat in the cashier while their orders were closed pay."""
    for row in world.store.rows(LATE, world.now_s()):
        if order := _order(row):
            _settle(world, order, order.openid or new_openid())


def cancel(world: World, order: Order) -> None:
    """The user left the cashier with 取消: the order stays unpaid and nobody is told."""
    world.store.run(CANCEL, order.mchid, order.out_trade_no)


def pay(world: World, order: Order, *, payer_openid: str | None = None) -> Order:
    """The user pays: one commit moves the order and plans its notification.

    ControlError 409 where a real cashier would refuse: paid, closed, prepay id older than two hours, another payer.
    """
    payer = payer_openid or order.openid or new_openid()
    _check_payable(world, order, payer)
    return _settle(world, order, payer)


def _settle(world: World, order: Order, payer: str) -> Order:
    now_s = world.now_s()
    with world.store.change():
        transaction_id = new_transaction_id(now_s)
        world.store.run(PAY, transaction_id, now_s, payer, order.mchid, order.out_trade_no)
        paid = _order(world.store.row(LOAD, order.mchid, order.out_trade_no))
        assert paid is not None
        merchant = merchants.find(world.store, order.mchid)
        if merchant is not None and merchant.apiv3_key:
            plaintext = to_json(trade(paid))
            notices.plan(world, merchant, paid.out_trade_no, url=paid.notify_url, plaintext=plaintext)
    return paid


def _check_payable(world: World, order: Order, payer: str) -> None:
    if order.is_paid:
        raise ControlError(409, "already_paid", "该订单已支付")
    if order.state is TradeState.CLOSED and not world.hostile.spend("pay_after_close", order.out_trade_no):
        raise ControlError(409, "closed", "该订单已关闭")
    if world.now_s() >= order.prepay_expires_s:
        raise ControlError(409, "prepay_expired", "支付会话已超过两小时，请回到商家重新发起支付")
    if order.openid is not None and payer != order.openid:
        raise ControlError(409, "other_payer", "该订单只能由下单时的用户支付")


def paid_on(store: Store, mchid: str, day: date) -> list[Order]:
    """What was paid on a day of Asia/Shanghai, in order of time."""
    start_s, end_s = clock.instant_of(day), clock.instant_of(day + timedelta(days=1))
    return [found for row in store.rows(PAID_BETWEEN, mchid, start_s, end_s) if (found := _order(row))]


def paid_ever(store: Store, mchid: str) -> list[Order]:
    """Everything that was ever paid to the merchant."""
    return [found for row in store.rows(PAID_EVER, mchid) if (found := _order(row))]


def orders_of(world: World, mchid: str) -> list[Order]:
    """All orders of a merchant as they stand now, oldest first."""
    close_expired(world)
    return [found for row in world.store.rows(ALL_OF, mchid) if (found := _order(row))]


def trade(order: Order) -> dict[str, Any]:
    """The order as the query answers it and as a notification's plaintext tells it (sections 8 and 10)."""
    state = {"trade_state": str(order.state), "trade_state_desc": STATE_TEXTS[order.state]}
    if not order.is_paid or order.success_s is None:
        return {
            "amount": {"payer_currency": order.currency, "total": order.total_fen},
            **_parties(order),
            "out_trade_no": order.out_trade_no,
            "promotion_detail": [],
            "scene_info": {"device_id": ""},
            **state,
        }
    return {
        **_parties(order),
        "out_trade_no": order.out_trade_no,
        "transaction_id": order.transaction_id,
        "trade_type": order.trade_type,
        **state,
        "bank_type": "OTHERS",
        "attach": order.attach,
        "success_time": clock.rfc3339(order.success_s),
        "payer": {order.payer_kind: order.payer_openid},
        "amount": {
            "total": order.total_fen,
            "payer_total": order.total_fen,
            "currency": order.currency,
            "payer_currency": order.currency,
        },
    }


def as_if_paid(order: Order, now_s: float) -> Order:
    """What an unpaid order would look like; for those who lie about it."""
    return replace(
        order,
        state=TradeState.SUCCESS,
        transaction_id=new_transaction_id(now_s),
        success_s=now_s,
        payer_openid=order.openid or new_openid(),
    )


def plan_forged(world: World, order: Order) -> None:
    """Somebody without the platform's key will tell the merchant that the order was paid."""
    merchant = merchants.find(world.store, order.mchid)
    if merchant is not None and merchant.apiv3_key:
        plaintext = to_json(trade(as_if_paid(order, world.now_s())))
        notices.plan_forged(world, merchant, order.out_trade_no, url=order.notify_url, plaintext=plaintext)


def _parties(order: Order) -> dict[str, Any]:
    if not order.sub_mchid:
        return {"mchid": order.mchid, "appid": order.appid}
    parties = {"sp_mchid": order.mchid, "sub_mchid": order.sub_mchid, "sp_appid": order.appid}
    return {**parties, "sub_appid": order.sub_appid} if order.sub_appid else parties


def to_json(value: object) -> str:
    """Compact JSON in raw UTF-8, as the channel writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def new_transaction_id(now_s: float) -> str:
    """28 digits: 42000, five of the channel's, the date, ten more (section 14)."""
    return f"42000{secrets.randbelow(10**5):05d}{clock.local(now_s):%Y%m%d}{secrets.randbelow(10**10):010d}"


def new_prepay_id(now_s: float) -> str:
    """36 characters, opaque to the merchant."""
    return f"wx{clock.local(now_s):%d%H%M%S}{secrets.token_hex(10)}000000"


def new_openid() -> str:
    """An openid of nobody in particular, 28 characters."""
    return "o" + secrets.token_urlsafe(21)[:27]


def new_code_url() -> str:
    """The link of a Native order's QR code."""
    return f"weixin://wxpay/bizpayurl?pr={uuid.uuid4().hex[:9]}zz"
