"""Refunds (退款) in the channel's own books (protocols/wechat-pay-v3.md section 9).

A refund is accepted as PROCESSING and ends by itself after a while on the shared clock: SUCCESS, ABNORMAL (the payer's
account cannot take the money; not final) or CLOSED (nothing was given back). Its end and its notification are
committed together. At most 50 refunds of one payment, a minute apart, within 365 days, together no more than was paid.
"""

import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sandbox import clock, merchants, notices, pay_books
from sandbox.amounts import returned_fee_fen
from sandbox.errors import ControlError, PayError
from sandbox.notices import Event
from sandbox.pay_books import Order
from sandbox.store import Row, Store
from sandbox.world import World

WINDOW_S = 365 * 86_400
MOST_PER_PAYMENT = 50
SPACING_S = 60
PAYER_ACCOUNT = "支付用户零钱"

SCHEMA = """
CREATE TABLE IF NOT EXISTS refunds (
    refund_id TEXT PRIMARY KEY, mchid TEXT NOT NULL, sub_mchid TEXT NOT NULL, out_refund_no TEXT NOT NULL,
    out_trade_no TEXT NOT NULL, transaction_id TEXT NOT NULL, request TEXT NOT NULL,
    amount_fen INTEGER NOT NULL, total_fen INTEGER NOT NULL, reason TEXT NOT NULL, notify_url TEXT NOT NULL,
    funds_account TEXT NOT NULL, created_s REAL NOT NULL, state TEXT NOT NULL, outcome TEXT NOT NULL, due_s REAL,
    ended_s REAL, first_end TEXT, success_s REAL, channel TEXT NOT NULL, account TEXT NOT NULL,
    fee_fen INTEGER NOT NULL,
    UNIQUE (mchid, out_refund_no));
CREATE INDEX IF NOT EXISTS refunds_due ON refunds (due_s) WHERE due_s IS NOT NULL;
CREATE INDEX IF NOT EXISTS refunds_by_order ON refunds (mchid, out_trade_no);
CREATE INDEX IF NOT EXISTS refunds_by_time ON refunds (mchid, created_s);
"""
LOAD = "SELECT * FROM refunds WHERE mchid = ? AND out_refund_no = ?"
LOAD_BY_ID = "SELECT * FROM refunds WHERE mchid = ? AND refund_id = ?"
OF_ORDER = "SELECT * FROM refunds WHERE mchid = ? AND out_trade_no = ? ORDER BY created_s, refund_id"
OF_MERCHANT = "SELECT * FROM refunds WHERE mchid = ? ORDER BY created_s, refund_id"
ASKED = "SELECT * FROM refunds WHERE mchid = ? AND created_s >= ? AND created_s < ? ORDER BY created_s, refund_id"
ENDED = "SELECT * FROM refunds WHERE mchid = ? AND ended_s >= ? AND ended_s < ? ORDER BY ended_s, refund_id"
DUE = "SELECT * FROM refunds WHERE due_s <= ? ORDER BY due_s, refund_id"
INSERT = """
INSERT INTO refunds (
    refund_id, mchid, sub_mchid, out_refund_no, out_trade_no, transaction_id, request, amount_fen, total_fen, reason,
    notify_url, funds_account, created_s, state, outcome, due_s, ended_s, first_end, success_s, channel, account,
    fee_fen)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
END = """
UPDATE refunds SET state = ?1, due_s = NULL, ended_s = COALESCE(ended_s, ?2), first_end = COALESCE(first_end, ?1),
    success_s = CASE WHEN ?1 = 'SUCCESS' THEN ?2 END
WHERE refund_id = ?3
"""
TRY_ANEW = """
UPDATE refunds SET state = 'PROCESSING', outcome = 'SUCCESS', due_s = ?, channel = ?, account = ? WHERE refund_id = ?
"""
MARK_ORDER = "UPDATE orders SET state = 'REFUND' WHERE mchid = ? AND out_trade_no = ?"


class RefundState(StrEnum):
    """States of a refund at the channel."""

    PROCESSING = "PROCESSING"
    SUCCESS = "SUCCESS"
    ABNORMAL = "ABNORMAL"
    CLOSED = "CLOSED"


EVENTS = {
    RefundState.SUCCESS: Event("REFUND.SUCCESS", "退款成功", "refund"),
    RefundState.ABNORMAL: Event("REFUND.ABNORMAL", "退款异常", "refund"),
    RefundState.CLOSED: Event("REFUND.CLOSED", "退款关闭", "refund"),
}


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund. `request` is the canonical JSON of the first request; `first_end` at `ended_s` is how it ended first,
    which a later attempt at an ABNORMAL one does not change. `fee_fen` is what it brings back of the fee."""

    refund_id: str
    mchid: str
    sub_mchid: str
    out_refund_no: str
    out_trade_no: str
    transaction_id: str
    request: str
    amount_fen: int
    total_fen: int
    reason: str
    notify_url: str
    funds_account: str
    created_s: float
    state: RefundState
    outcome: str
    due_s: float | None
    ended_s: float | None
    first_end: str | None
    success_s: float | None
    channel: str
    account: str
    fee_fen: int

    def state_at(self, instant_s: float) -> RefundState:
        """The state as it was at an instant, which is what a statement freezes."""
        if self.success_s is not None and self.success_s < instant_s:
            return RefundState.SUCCESS
        if self.ended_s is not None and self.ended_s < instant_s:
            return RefundState(self.first_end or self.state)
        return RefundState.PROCESSING


def _refund(row: Row | None) -> Refund | None:
    return None if row is None else Refund(**{**dict(row), "state": RefundState(row["state"])})


def _all(rows: list[Row]) -> list[Refund]:
    return [found for row in rows if (found := _refund(row))]


def find(world: World, mchid: str, out_refund_no: str) -> Refund | None:
    """The refund as it stands now."""
    settle_due(world)
    return _refund(world.store.row(LOAD, mchid, out_refund_no))


def find_by_id(world: World, mchid: str, refund_id: str) -> Refund | None:
    """The refund with WeChat's own number."""
    settle_due(world)
    return _refund(world.store.row(LOAD_BY_ID, mchid, refund_id))


def of_order(store: Store, order: Order) -> list[Refund]:
    """All refunds of one payment, oldest first."""
    return _all(store.rows(OF_ORDER, order.mchid, order.out_trade_no))


def of_merchant(world: World, mchid: str) -> list[Refund]:
    """All refunds of a merchant, oldest first."""
    settle_due(world)
    return _all(world.store.rows(OF_MERCHANT, mchid))


def asked_between(world: World, mchid: str, start_s: float, end_s: float) -> list[Refund]:
    """The refunds that were asked for in a span of time."""
    settle_due(world)
    return _all(world.store.rows(ASKED, mchid, start_s, end_s))


def ended_between(world: World, mchid: str, start_s: float, end_s: float) -> list[Refund]:
    """The refunds that came to their first end in a span of time."""
    settle_due(world)
    return _all(world.store.rows(ENDED, mchid, start_s, end_s))


def accept(world: World, order: Order, wanted: dict[str, Any], request: str) -> Refund:
    """Write down a new refund of a paid order; PayError where a rule of section 9.1 forbids it."""
    amount_fen = wanted["amount"]["refund"]
    left_fen = _checked_rest_fen(world, order, amount_fen)
    now_s = world.now_s()
    refund = Refund(
        refund_id=new_refund_id(now_s),
        mchid=order.mchid,
        sub_mchid=order.sub_mchid,
        out_refund_no=wanted["out_refund_no"],
        out_trade_no=order.out_trade_no,
        transaction_id=order.transaction_id or "",
        request=request,
        amount_fen=amount_fen,
        total_fen=order.total_fen,
        reason=wanted.get("reason", ""),
        notify_url=wanted.get("notify_url", ""),
        funds_account=wanted.get("funds_account", "UNSETTLED"),
        created_s=now_s,
        state=RefundState.PROCESSING,
        outcome=world.hostile.refund_outcome(),
        due_s=now_s + world.hostile.refund_delay_s,
        ended_s=None,
        first_end=None,
        success_s=None,
        channel="ORIGINAL",
        account=PAYER_ACCOUNT,
        fee_fen=returned_fee_fen(left_fen, amount_fen),
    )
    with world.store.change():
        world.store.run(INSERT, *(getattr(refund, name) for name in Refund.__slots__))
        world.store.run(MARK_ORDER, order.mchid, order.out_trade_no)
        world.store.count("refunds accepted")
    return find(world, refund.mchid, refund.out_refund_no) or refund


def _checked_rest_fen(world: World, order: Order, amount_fen: int) -> int:
    """What of the payment was not given back yet, after all rules of section 9.1."""
    earlier, now_s = of_order(world.store, order), world.now_s()
    if now_s - (order.success_s or now_s) > WINDOW_S:
        raise PayError(403, "RULE_LIMIT", "该订单支付已超过365天，不支持退款")
    if len(earlier) >= MOST_PER_PAYMENT:
        raise PayError(403, "RULE_LIMIT", "该订单的退款次数已达到50次上限")
    given_fen = sum(refund.amount_fen for refund in earlier if refund.state is not RefundState.CLOSED)
    if given_fen + amount_fen > order.total_fen:
        raise PayError(400, "INVALID_REQUEST", "退款总金额超过订单支付金额")
    if earlier and now_s - earlier[-1].created_s < SPACING_S:
        message = "同一笔订单的两次退款需间隔1分钟，请稍后用原参数重试"
        raise PayError(429, "FREQUENCY_LIMITED", message, number=268447840)
    return order.total_fen - given_fen


def settle_due(world: World) -> None:
    """End every refund whose time has come, at its own instant, and plan what is told about it."""
    for refund in _all(world.store.rows(DUE, world.now_s())):
        end(world, refund, RefundState(refund.outcome), at_s=refund.due_s)


def end(world: World, refund: Refund, state: RefundState, *, at_s: float | None = None) -> Refund:
    """Let a refund end in a state: one commit moves it and plans its notification."""
    instant_s = world.now_s() if at_s is None else at_s
    with world.store.change():
        world.store.run(END, str(state), instant_s, refund.refund_id)
        ended = _refund(world.store.row(LOAD_BY_ID, refund.mchid, refund.refund_id))
        assert ended is not None
        merchant = merchants.find(world.store, refund.mchid)
        if merchant is not None and merchant.apiv3_key and ended.notify_url:
            plaintext = pay_books.to_json(told(ended))
            notices.plan(
                world, merchant, ended.out_trade_no, url=ended.notify_url, plaintext=plaintext, event=EVENTS[state]
            )
    return ended


def end_by_hand(world: World, refund: Refund, state: RefundState) -> Refund:
    """The console ends a refund: what is PROCESSING in any way, what is ABNORMAL with SUCCESS or CLOSED."""
    open_states = {RefundState.PROCESSING}
    if state is not RefundState.ABNORMAL:
        open_states.add(RefundState.ABNORMAL)
    if refund.state not in open_states or state is RefundState.PROCESSING:
        raise ControlError(409, "wrong_state", f"a refund that is {refund.state} cannot become {state}")
    return end(world, refund, state)


def try_anew(world: World, refund: Refund, *, channel: str, account: str) -> Refund:
    """An ABNORMAL refund goes on its way again, to another account."""
    due_s = world.now_s() + world.hostile.refund_delay_s
    world.store.run(TRY_ANEW, due_s, channel, account, refund.refund_id)
    return find(world, refund.mchid, refund.out_refund_no) or refund


def view(refund: Refund) -> dict[str, Any]:
    """The refund as its creation and its query answer it (section 9.1)."""
    return {
        "refund_id": refund.refund_id,
        "out_refund_no": refund.out_refund_no,
        "transaction_id": refund.transaction_id,
        "out_trade_no": refund.out_trade_no,
        "channel": refund.channel,
        "user_received_account": refund.account,
        **({} if refund.success_s is None else {"success_time": clock.rfc3339(refund.success_s)}),
        "create_time": clock.rfc3339(refund.created_s),
        "status": str(refund.state),
        "funds_account": refund.funds_account,
        "amount": {
            "total": refund.total_fen,
            "refund": refund.amount_fen,
            "from": [],
            "payer_total": refund.total_fen,
            "payer_refund": refund.amount_fen,
            "settlement_refund": refund.amount_fen,
            "settlement_total": refund.total_fen,
            "discount_refund": 0,
            "currency": "CNY",
            "refund_fee": 0,
        },
        "promotion_detail": [],
    }


def told(refund: Refund) -> dict[str, Any]:
    """The plaintext of a refund's notification (section 10)."""
    parties = {"mchid": refund.mchid}
    if refund.sub_mchid:
        parties = {"sp_mchid": refund.mchid, "sub_mchid": refund.sub_mchid}
    return {
        **parties,
        "out_trade_no": refund.out_trade_no,
        "transaction_id": refund.transaction_id,
        "out_refund_no": refund.out_refund_no,
        "refund_id": refund.refund_id,
        "refund_status": str(refund.state),
        **({} if refund.success_s is None else {"success_time": clock.rfc3339(refund.success_s)}),
        "user_received_account": refund.account,
        "amount": {
            "total": refund.total_fen,
            "refund": refund.amount_fen,
            "payer_total": refund.total_fen,
            "payer_refund": refund.amount_fen,
        },
    }


def new_refund_id(now_s: float) -> str:
    """29 digits beginning with 503, the date within (section 14)."""
    return f"503{secrets.randbelow(10**8):08d}{clock.local(now_s):%Y%m%d}{secrets.randbelow(10**10):010d}"
