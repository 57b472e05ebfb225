"""Staff's side of payments: orders, asking the channel, differences."""

from typing import Any
from uuid import UUID

from backend.kernel.db import Record
from backend.kernel.errors import ChannelUnknown, Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from backend.kernel.http import Call, Route, Strict, decode_cursor, encode_cursor
from backend.kernel.ratelimit import Rule
from payments import asking, differences, history
from payments.history import Payment
from payments.models import Difference
from payments.schemas import (
    Asked,
    AttemptInList,
    AttemptList,
    AttemptQuery,
    AttemptView,
    DifferenceList,
    DifferenceQuery,
    DifferenceView,
    LineView,
    OrderDetail,
    OrderList,
    OrderQuery,
    OrderView,
    Resolution,
)
from payments.states import DifferenceClass, DifferenceState

READ_PAYMENTS = "payment.read"
ASK_CHANNEL = "payment.ask"
READ_DIFFERENCES = "difference.read"
RESOLVE_DIFFERENCES = "difference.resolve"


async def list_orders(call: Call[None, OrderQuery]) -> OrderList:
    """GET /admin/v1/orders."""
    found = await history.payments_in(
        call.res.db,
        communities=call.principal.communities(READ_PAYMENTS),
        state=call.query.state,
        line_id=call.query.line_id,
        before_id=_before(call.query.cursor),
        limit=call.query.limit,
    )
    cursor = encode_cursor(found[-1].id) if len(found) == call.query.limit else None
    return OrderList(items=[_order(payment) for payment in found], next_cursor=cursor)


async def show_order(call: Call[None, None]) -> OrderDetail:
    """GET /admin/v1/orders/{order_id}."""
    payment = await _payment(call, READ_PAYMENTS)
    lines, attempts = (
        await history.lines_of(call.res.db, payment.id),
        await history.attempts_of(call.res.db, payment.id),
    )
    return OrderDetail(
        **_order(payment).model_dump(),
        lines=[LineView(**line) for line in lines],
        attempts=[AttemptView.model_validate(_of_view(AttemptView, attempt), strict=False) for attempt in attempts],
    )


async def list_attempts(call: Call[None, AttemptQuery]) -> AttemptList:
    """GET /admin/v1/payment-attempts: by default what needs looking at, outcomes that nobody knows."""
    rows = await history.attempts_in(
        call.res.db,
        communities=call.principal.communities(READ_PAYMENTS),
        state=call.query.state,
        before_id=_before(call.query.cursor),
        limit=call.query.limit,
    )
    cursor = encode_cursor(rows[-1]["id"]) if len(rows) == call.query.limit else None
    items = [AttemptInList.model_validate(_of_view(AttemptInList, row), strict=False) for row in rows]
    return AttemptList(items=items, next_cursor=cursor)


async def ask_channel(call: Call[None, None]) -> Asked:
    """POST /admin/v1/orders/{order_id}/ask: ask the channel now; what it says is settled."""
    payment = await _payment(call, ASK_CHANNEL)
    said = await asking.ask_now(call.res, payment.id)
    return Asked(said=said, order=_order(await _payment(call, ASK_CHANNEL)))


async def list_differences(call: Call[None, DifferenceQuery]) -> DifferenceList:
    """GET /admin/v1/differences."""
    found = Difference.filter(community_id__in=call.principal.communities(READ_DIFFERENCES)).using_db(call.res.db.orm)
    if call.query.state is not None:
        found = found.filter(state=call.query.state.value)
    before_id = _before(call.query.cursor)
    if before_id is not None:
        found = found.filter(id__lt=before_id)
    rows = await found.order_by("-id").limit(call.query.limit)
    cursor = encode_cursor(rows[-1].id) if len(rows) == call.query.limit else None
    return DifferenceList(items=[_difference(row) for row in rows], next_cursor=cursor)


async def show_difference(call: Call[None, None]) -> DifferenceView:
    """GET /admin/v1/differences/{difference_id}."""
    return await _one_difference(call, READ_DIFFERENCES)


async def resolve_difference(call: Call[Resolution, None]) -> DifferenceView:
    """POST /admin/v1/differences/{difference_id}/resolve."""
    await call.res.db.transact(
        lambda tx: differences.resolve(
            tx,
            call.principal.actor,
            difference_id=call.ids["difference_id"],
            communities=call.principal.communities(RESOLVE_DIFFERENCES),
            note=call.body.note,
            escalate=call.body.escalate,
        )
    )
    return await _one_difference(call, RESOLVE_DIFFERENCES)


def _of_view(view: type[Strict], row: Record) -> dict[str, Any]:
    """The columns of a row that a view has."""
    return {name: row[name] for name in view.model_fields}


def _before(cursor: str | None) -> UUID | None:
    return decode_cursor(cursor, (UUID,))[0] if cursor else None


async def _payment(call: Call[Any, Any], permission: str) -> Payment:
    communities = call.principal.communities(permission)
    return await history.payment_in(call.res.db, communities=communities, order_id=call.ids["order_id"])


async def _one_difference(call: Call[Any, Any], permission: str) -> DifferenceView:
    row = await Difference.get_or_none(
        id=call.ids["difference_id"],
        community_id__in=call.principal.communities(permission),
        using_db=call.res.db.orm,
    )
    if row is None:
        raise NotFound
    return _difference(row)


def _order(payment: Payment) -> OrderView:
    return OrderView(
        id=payment.id,
        community_id=payment.community_id,
        payer_person_id=payment.payer_person_id,
        state=payment.state,
        amount_fen=payment.amount_fen,
        description=payment.description,
        created_at=payment.created_at,
        expires_at=payment.expires_at,
        paid_at=payment.paid_at,
        closed_at=payment.closed_at,
        close_reason=payment.close_reason,
        disputed=payment.disputed,
        refunded_fen=payment.refunded_fen,
    )


def _difference(row: Difference) -> DifferenceView:
    return DifferenceView(
        id=row.id,
        community_id=row.community_id,
        kind=DifferenceClass(row.class_),
        state=DifferenceState(row.state),
        merchant_id=row.merchant_id,
        order_id=row.order_id,
        out_trade_no=row.out_trade_no,
        transaction_no=row.transaction_no,
        expected_fen=row.expected_fen,
        actual_fen=row.actual_fen,
        booked_fen=row.booked_fen,
        refunding_fen=row.refunding_fen,
        refunded_fen=row.refunded_fen,
        subject=row.subject,
        opened_at=row.opened_at,
        resolved_at=row.resolved_at,
        note=row.note,
    )


_READ = (Unauthenticated, Forbidden)
_ONE = (*_READ, NotFound)
_CHANGE = (*_ONE, Conflict, Invalid)

ROUTES = (
    Route(
        "GET", "/admin/v1/orders", list_orders, READ_PAYMENTS, "支付单列表",
        query=OrderQuery, answer=OrderList, errors=(*_READ, Invalid),
    ),
    Route(
        "GET", "/admin/v1/orders/{order_id}", show_order, READ_PAYMENTS, "支付单及其明细、支付尝试",
        answer=OrderDetail, errors=_ONE,
    ),
    Route(
        "POST", "/admin/v1/orders/{order_id}/ask", ask_channel, ASK_CHANNEL, "立即向渠道查询这笔支付",
        answer=Asked, errors=(*_ONE, Conflict, ChannelUnknown), rate=Rule("payments.ask", 30, 60),
    ),
    Route(
        "GET", "/admin/v1/payment-attempts", list_attempts, READ_PAYMENTS, "支付尝试列表，默认只看结果未知的",
        query=AttemptQuery, answer=AttemptList, errors=(*_READ, Invalid),
    ),
    Route(
        "GET", "/admin/v1/differences", list_differences, READ_DIFFERENCES, "差异列表",
        query=DifferenceQuery, answer=DifferenceList, errors=(*_READ, Invalid),
    ),
    Route(
        "GET", "/admin/v1/differences/{difference_id}", show_difference, READ_DIFFERENCES, "差异",
        answer=DifferenceView, errors=_ONE,
    ),
    Route(
        "POST", "/admin/v1/differences/{difference_id}/resolve", resolve_difference, RESOLVE_DIFFERENCES,
        "处理差异：写明结论，或上报", body=Resolution, answer=DifferenceView, errors=_CHANGE,
    ),
)  # fmt: skip
