"""Paying from the phone: create, ask how it stands, change one's mind, history (D6). No rules are made here."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from backend.fees import bills
from backend.kernel.auth import RESIDENT
from backend.kernel.db import Tx
from backend.kernel.errors import (
    ChannelUnknown,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from backend.kernel.http import Call, Page, Route, Strict, decode_cursor, encode_cursor, example
from backend.kernel.money import yuan_text
from backend.kernel.ratelimit import Rule
from miniprogram_api.paying import PaymentCreated, WayChoice, pay, payer_of
from payments import asking, closing, history, ways
from payments.channels.base import Channel, Method
from payments.history import Payment
from payments.orders import MAX_LINES
from payments.payables import Kind, Wish
from payments.states import OrderState

ASK_AGAIN_S = 2
_ID = "01991b2a-7c00-7000-8000-000000000001"


class PaymentCreate(WayChoice):
    """Which bills to pay in one go, and how."""

    model_config = example(bill_ids=[_ID], channel="wechat", method="jsapi", return_path="/")
    bill_ids: list[UUID] = Field(min_length=1, max_length=MAX_LINES)


class WaysQuery(Strict):
    """Which bills, their ids with commas between."""

    bill_ids: str = Field(pattern=rf"^[0-9a-fA-F-]{{36}}(,[0-9a-fA-F-]{{36}}){{0,{MAX_LINES - 1}}}$")


class WayView(Strict):
    """A way of paying that is open now: what POST /api/v1/payments takes, and what people call it."""

    model_config = example(channel="wechat", method="jsapi", title="微信支付")
    channel: Channel
    method: Method
    title: str


class WayList(Strict):
    """All ways that are open for these bills together; none: pay them apart, or at the service centre."""

    model_config = example(items=[{"channel": "wechat", "method": "jsapi", "title": "微信支付"}])
    items: list[WayView]


class PaymentLineView(Strict):
    """One thing that is paid; a top-up of a prepaid account is no bill."""

    bill_id: UUID | None
    title: str
    principal_fen: int
    late_fee_fen: int


class PaymentView(Strict):
    """How a payment stands. Ask again after `ask_again_after_s` seconds; null: it will not change by itself."""

    model_config = example(
        payment_id=_ID,
        state="PAYING",
        state_text="等待支付，请在半小时内完成。",
        amount_fen=26805,
        description="2026年9月物业费",
        created_at="2026-09-01T02:00:00Z",
        expires_at="2026-09-01T02:30:00Z",
        paid_at=None,
        refunded_fen=0,
        can_cancel=True,
        ask_again_after_s=2,
    )
    payment_id: UUID
    state: OrderState
    state_text: str
    amount_fen: int
    description: str
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    refunded_fen: int
    can_cancel: bool
    ask_again_after_s: int | None


class PaymentDetail(PaymentView):
    """A payment with what it pays."""

    model_config = example(
        payment_id=_ID,
        state="PAID",
        state_text="支付成功。",
        amount_fen=26805,
        description="2026年9月物业费",
        created_at="2026-09-01T02:00:00Z",
        expires_at="2026-09-01T02:30:00Z",
        paid_at="2026-09-01T02:01:00Z",
        refunded_fen=0,
        can_cancel=False,
        ask_again_after_s=None,
        lines=[{"bill_id": _ID, "title": "2026年9月物业费", "principal_fen": 26805, "late_fee_fen": 0}],
    )
    lines: list[PaymentLineView]


class PaymentList(Strict):
    """A page of one's own payments, newest first."""

    model_config = example(items=[], next_cursor=None)
    items: list[PaymentView]
    next_cursor: str | None


class StatusQuery(Strict):
    """`client_says`: what `wx.requestPayment` told the page; it is no proof, but a reason to ask the channel."""

    client_says: Literal["ok", "fail", "cancel"] | None = None


async def create(call: Call[PaymentCreate, None]) -> PaymentCreated:
    """POST /api/v1/payments."""
    wishes = [Wish(Kind.BILL, each) for each in sorted(set(call.body.bill_ids))]

    async def what(tx: Tx) -> list[Wish]:
        return wishes

    return await pay(call, call.body, what)


async def list_ways(call: Call[None, WaysQuery]) -> WayList:
    """GET /api/v1/payment-ways."""
    payer = await payer_of(call)
    try:
        bill_ids = {UUID(each) for each in call.query.bill_ids.split(",")}
    except ValueError:
        raise NotFound from None
    rows = await bills.some_of_resident(call.res.db, call.principal.scope, bill_ids=bill_ids)
    communities = {row["community_id"] for row in rows}
    if len(communities) != 1:
        return WayList(items=[])
    found = await ways.offered(
        call.res.db, communities.pop(), item_ids=[row["item_id"] for row in rows], appid=payer.appid
    )
    return WayList(items=[WayView(channel=each.channel, method=each.method, title=each.title) for each in found])


async def show(call: Call[None, StatusQuery]) -> PaymentDetail:
    """GET /api/v1/payments/{payment_id}."""
    mine, order_id = call.principal.person_id, call.ids["payment_id"]
    payment = await history.payment(call.res.db, payer_person_id=mine, order_id=order_id)
    client_paid = call.query.client_says == "ok"
    if payment.live and (client_paid or payment.confirming):
        await asking.ask_for_client(call.res, order_id)
        payment = await history.payment(call.res.db, payer_person_id=mine, order_id=order_id)
    return await _detail(call, payment, client_paid=client_paid)


async def cancel(call: Call[None, None]) -> PaymentDetail:
    """POST /api/v1/payments/{payment_id}/cancel: a changed mind; the channel is asked before anything is closed."""
    mine, order_id = call.principal.person_id, call.ids["payment_id"]
    payment = await history.payment(call.res.db, payer_person_id=mine, order_id=order_id)
    if payment.live:
        await closing.close(call.res, order_id, reason="cancelled", actor=call.principal.actor)
        payment = await history.payment(call.res.db, payer_person_id=mine, order_id=order_id)
    return await _detail(call, payment, client_paid=False)


async def list_mine(call: Call[None, Page]) -> PaymentList:
    """GET /api/v1/payments."""
    before_id = decode_cursor(call.query.cursor, (UUID,))[0] if call.query.cursor else None
    found = await history.payments_of(
        call.res.db, payer_person_id=call.principal.person_id, before_id=before_id, limit=call.query.limit
    )
    return PaymentList(
        items=[PaymentView(**_view(payment, client_paid=False)) for payment in found],
        next_cursor=encode_cursor(found[-1].id) if len(found) == call.query.limit else None,
    )


async def _detail(
    call: Call[None, StatusQuery] | Call[None, None], payment: Payment, *, client_paid: bool
) -> PaymentDetail:
    lines = [
        PaymentLineView(
            bill_id=line["payable_id"] if line["kind"] == Kind.BILL else None,
            title=line["title"],
            principal_fen=line["principal_fen"],
            late_fee_fen=line["late_fee_fen"],
        )
        for line in await history.lines_of(call.res.db, payment.id)
    ]
    return PaymentDetail(**_view(payment, client_paid=client_paid), lines=lines)


def _view(payment: Payment, *, client_paid: bool) -> dict[str, Any]:
    confirming = payment.live and (payment.confirming or client_paid)
    return {
        "payment_id": payment.id,
        "state": payment.state,
        "state_text": _state_text(payment, confirming=confirming),
        "amount_fen": payment.amount_fen,
        "description": payment.description,
        "created_at": payment.created_at,
        "expires_at": payment.expires_at,
        "paid_at": payment.paid_at,
        "refunded_fen": payment.refunded_fen,
        "can_cancel": payment.live and not payment.disputed,
        "ask_again_after_s": ASK_AGAIN_S if payment.live else None,
    }


def _state_text(payment: Payment, *, confirming: bool) -> str:
    if payment.disputed:
        return "这笔款项正在核对，请不要重复支付，物业会尽快与您联系。"
    if confirming:
        return "正在向支付渠道确认结果，请稍候，不要重复支付。"
    if payment.refunded_fen:
        paid = "支付成功，其中" if payment.state is OrderState.PAID else ""
        return f"{paid}{yuan_text(payment.refunded_fen)}元已原路退回，到账时间以支付渠道为准。"
    return {
        OrderState.CREATED: "等待支付，请在半小时内完成。",
        OrderState.PAYING: "等待支付，请在半小时内完成。",
        OrderState.PAID: "支付成功。",
        OrderState.CLOSED: "这笔支付已取消，没有扣款；如需缴费请重新发起。",
    }[payment.state]


_READ_ERRORS = (Unauthenticated, Forbidden, NotFound)

ROUTES = (
    Route(
        "POST",
        "/api/v1/payments",
        create,
        RESIDENT,
        "支付账单：返回 wx.requestPayment 的参数、付款码内容或付款页地址",
        body=PaymentCreate,
        answer=PaymentCreated,
        status=201,
        errors=(Unauthenticated, Forbidden, NotFound, Conflict, Invalid, TooMany, ChannelUnknown, Unavailable),
        rate=Rule("payments.create", 30, 60),
        creates=True,
    ),
    Route(
        "GET",
        "/api/v1/payment-ways",
        list_ways,
        RESIDENT,
        "这些账单现在可以用哪些方式支付",
        query=WaysQuery,
        answer=WayList,
        errors=(Unauthenticated, Forbidden, NotFound, Invalid),
    ),
    Route(
        "GET",
        "/api/v1/payments",
        list_mine,
        RESIDENT,
        "我的支付记录",
        query=Page,
        answer=PaymentList,
        errors=(Unauthenticated, Forbidden),
    ),
    Route(
        "GET",
        "/api/v1/payments/{payment_id}",
        show,
        RESIDENT,
        "支付结果：按 ask_again_after_s 再次查询",
        query=StatusQuery,
        answer=PaymentDetail,
        errors=_READ_ERRORS,
        rate=Rule("payments.show", 120, 60),
    ),
    Route(
        "POST",
        "/api/v1/payments/{payment_id}/cancel",
        cancel,
        RESIDENT,
        "取消支付：先向支付渠道确认未支付，再关闭",
        answer=PaymentDetail,
        errors=(*_READ_ERRORS, Conflict, ChannelUnknown),
        rate=Rule("payments.cancel", 20, 60),
    ),
)
