"""Staff's side of refunds: ask for one, see how it stands, ask the channel. Approving is a decision like any other."""

from typing import Any
from uuid import UUID

from backend.kernel.auth import Principal
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from backend.kernel.http import Call, Route, decode_cursor, encode_cursor
from backend.kernel.ratelimit import Rule
from payments import automatic_refunds, refund_calls, refund_history, refund_redirects, refunds
from payments.channels.wechat_documents import BankCard
from payments.refund_schemas import (
    AutomaticLimit,
    DifferenceRefundCreate,
    LimitProposed,
    RedirectCreate,
    RedirectProposed,
    RefundCreate,
    RefundDetail,
    RefundLineView,
    RefundList,
    RefundQuery,
    RefundRequested,
    RefundView,
)
from payments.refunds import Limit, Part, Requested
from payments.states import RefundState

READ = "refund.read"
REQUEST = "refund.request"
ASK = "refund.ask"
MANAGE_MERCHANTS = "merchant.manage"
# Limits per role and day (security: refund abuse): who holds the second permission may ask for more.
REQUEST_MORE = "refund.request_more"
LIMIT = Limit(a_day_fen=500_000)
LIMIT_MORE = Limit(a_day_fen=20_000_000)


async def request_refund(call: Call[RefundCreate, None]) -> RefundRequested:
    """POST /admin/v1/orders/{order_id}/refunds."""
    parts = call.body.lines

    async def work(tx: Tx) -> RefundRequested:
        made = await refunds.request(
            tx,
            call.principal.actor,
            order_id=call.ids["order_id"],
            limits=limits_of(call.principal),
            parts=None if parts is None else [Part(**part.model_dump()) for part in parts],
            reason=call.body.reason,
        )
        return _requested(made)

    return await call.once(work, RefundRequested)


async def request_difference_refund(call: Call[DifferenceRefundCreate, None]) -> RefundRequested:
    """POST /admin/v1/differences/{difference_id}/refunds."""

    async def work(tx: Tx) -> RefundRequested:
        made = await refunds.request_of_difference(
            tx,
            call.principal.actor,
            difference_id=call.ids["difference_id"],
            limits=limits_of(call.principal),
            amount_fen=call.body.amount_fen,
            reason=call.body.reason,
        )
        return _requested(made)

    return await call.once(work, RefundRequested)


async def list_refunds(call: Call[None, RefundQuery]) -> RefundList:
    """GET /admin/v1/refunds."""
    rows = await refund_history.refunds_in(
        call.res.db,
        communities=call.principal.communities(READ),
        state=call.query.state,
        before_id=decode_cursor(call.query.cursor, (UUID,))[0] if call.query.cursor else None,
        limit=call.query.limit,
    )
    cursor = encode_cursor(rows[-1]["id"]) if len(rows) == call.query.limit else None
    return RefundList(items=[RefundView(**_view(row)) for row in rows], next_cursor=cursor)


async def show_refund(call: Call[None, None]) -> RefundDetail:
    """GET /admin/v1/refunds/{refund_id}."""
    return await _detail(call, READ)


async def ask_channel(call: Call[None, None]) -> RefundDetail:
    """POST /admin/v1/refunds/{refund_id}/ask: ask the channel now; what it says is heard."""
    known = await _detail(call, ASK)
    await refund_calls.ask_now(call.res, known.id)
    return await _detail(call, ASK)


async def redirect_refund(call: Call[RedirectCreate, None]) -> RedirectProposed:
    """POST /admin/v1/refunds/{refund_id}/redirect."""
    card = call.body.card

    async def work(tx: Tx) -> RedirectProposed:
        approval = await refund_redirects.propose(
            tx,
            call.principal.actor,
            keyring=call.res.keyring,
            communities=call.principal.communities(REQUEST),
            refund_id=call.ids["refund_id"],
            card=None if card is None else BankCard(card.bank_type, card.account, card.name),
            reason=call.body.reason,
        )
        return RedirectProposed(approval_id=approval.id)

    return await call.once(work, RedirectProposed)


async def propose_limit(call: Call[AutomaticLimit, None]) -> LimitProposed:
    """POST /admin/v1/merchants/{merchant_id}/automatic-refunds."""
    company_id = call.principal.require_company(MANAGE_MERCHANTS)

    async def work(tx: Tx) -> LimitProposed:
        approval = await automatic_refunds.propose_limit(
            tx,
            call.principal.actor,
            company_id=company_id,
            merchant_id=call.ids["merchant_id"],
            a_day_fen=call.body.a_day_fen,
            reason=call.body.reason,
        )
        return LimitProposed(approval_id=approval.id)

    return await call.once(work, LimitProposed)


def limits_of(principal: Principal) -> dict[UUID, Limit]:
    """Where the principal may ask, and how much a day."""
    more = principal.communities(REQUEST_MORE)
    return {each: LIMIT_MORE if each in more else LIMIT for each in principal.communities(REQUEST)}


def _requested(made: Requested) -> RefundRequested:
    return RefundRequested(refund_id=made.refund_id, approval_id=made.approval_id, amount_fen=made.amount_fen)


async def _detail(call: Call[None, None], permission: str) -> RefundDetail:
    row = await refund_history.refund_in(
        call.res.db, communities=call.principal.communities(permission), refund_id=call.ids["refund_id"]
    )
    lines = [RefundLineView(**line) for line in await refund_history.lines_of(call.res.db, row["id"])]
    return RefundDetail(**_view(row), lines=lines)


def _view(row: Record) -> dict[str, Any]:
    fields = {name: row[name] for name in RefundView.model_fields}
    return {**fields, "state": RefundState(row["state"])}


_ONE = (Unauthenticated, Forbidden, NotFound)
_CHANGE = (*_ONE, Conflict, Invalid)

ROUTES = (
    Route(
        "POST", "/admin/v1/orders/{order_id}/refunds", request_refund, REQUEST,
        "申请退款：可退部分明细，由另一位同事审批", body=RefundCreate, answer=RefundRequested, status=201,
        errors=_CHANGE, creates=True,
    ),
    Route(
        "POST", "/admin/v1/differences/{difference_id}/refunds", request_difference_refund, REQUEST,
        "申请退回待查款项，由另一位同事审批", body=DifferenceRefundCreate, answer=RefundRequested, status=201,
        errors=_CHANGE, creates=True,
    ),
    Route(
        "GET", "/admin/v1/refunds", list_refunds, READ, "退款列表",
        query=RefundQuery, answer=RefundList, errors=(Unauthenticated, Forbidden, Invalid),
    ),
    Route(
        "GET", "/admin/v1/refunds/{refund_id}", show_refund, READ, "退款及其明细",
        answer=RefundDetail, errors=_ONE,
    ),
    Route(
        "POST", "/admin/v1/refunds/{refund_id}/ask", ask_channel, ASK, "立即向渠道查询这笔退款",
        answer=RefundDetail, errors=(*_ONE, Conflict), rate=Rule("refunds.ask", 30, 60),
    ),
    Route(
        "POST", "/admin/v1/refunds/{refund_id}/redirect", redirect_refund, REQUEST,
        "申请把异常的退款改退到付款人的银行卡或商户账户，由另一位同事审批", body=RedirectCreate,
        answer=RedirectProposed, status=201, errors=_CHANGE, creates=True,
    ),
    Route(
        "POST", "/admin/v1/merchants/{merchant_id}/automatic-refunds", propose_limit, MANAGE_MERCHANTS,
        "申请调整商户每日自动退款的限额，由另一位管理员审批", body=AutomaticLimit, answer=LimitProposed, status=201,
        errors=_CHANGE, creates=True,
    ),
)  # fmt: skip
