"""The cashier's routes: shifts, what is due, taking money, codes, giving back, deposits (S5)."""

from typing import Any
from uuid import UUID

from backend.identity import staff
from backend.kernel import printing
from backend.kernel.clock import local_date
from backend.kernel.db import Tx
from backend.kernel.errors import ChannelUnknown, Conflict, Forbidden, Invalid, NotFound, Unauthenticated, Unavailable
from backend.kernel.http import Call, Page, Reply, Route, decode_cursor, encode_cursor
from backend.kernel.printing import PaperQuery
from backend.property import communities
from payments import closing, prepay, refund_admin
from payments.channels.base import Channel, Method
from payments.counter import codes, deposits, dues, papers, shifts, takings, voids
from payments.counter.dues import Due
from payments.counter.schemas import (
    CodeCreate,
    CodePlaced,
    CodeView,
    DepositCreate,
    DepositList,
    DepositView,
    DueList,
    DueQuery,
    DueView,
    PaidOutView,
    PayOut,
    ShiftClose,
    ShiftList,
    ShiftOpen,
    ShiftQuery,
    ShiftReport,
    ShiftView,
    TakingCreate,
    TakingView,
    VoidRequest,
    VoucherList,
    VoucherView,
    WaitingList,
    WaitingView,
)
from payments.counter.takings import Paper
from payments.refund_schemas import RefundRequested

READ = "counter.read"
WORK = "counter.work"
MANAGE = "counter.manage"


async def open_shift(call: Call[ShiftOpen, None]) -> ShiftView:
    """POST /admin/v1/counter/shifts."""
    call.principal.require_community(WORK, call.body.community_id)

    async def work(tx: Tx) -> ShiftView:
        opened = await shifts.open_shift(
            tx, call.principal.actor, community_id=call.body.community_id, float_fen=call.body.float_fen
        )
        return ShiftView.of(opened)

    return await call.once(work, ShiftView)


async def list_shifts(call: Call[None, ShiftQuery]) -> ShiftList:
    """GET /admin/v1/counter/shifts."""
    found = await shifts.page(
        call.res.db,
        call.principal.communities(READ),
        state=call.query.state,
        before_id=_before(call.query.cursor),
        limit=call.query.limit,
    )
    cursor = encode_cursor(found[-1].id) if len(found) == call.query.limit else None
    return ShiftList(items=[ShiftView.of(shift) for shift in found], next_cursor=cursor)


async def show_shift(call: Call[None, None]) -> ShiftReport:
    """GET /admin/v1/counter/shifts/{shift_id}."""
    return ShiftReport.told(
        await shifts.report(call.res.db, call.principal.communities(READ), shift_id=call.ids["shift_id"])
    )


async def print_shift(call: Call[None, PaperQuery]) -> Reply:
    """GET /admin/v1/counter/shifts/{shift_id}/paper."""
    db = call.res.db
    report = await shifts.report(db, call.principal.communities(READ), shift_id=call.ids["shift_id"])
    shift = report.shift
    (community,) = await communities.by_ids(db, [shift.community_id])
    paper = papers.of_shift(
        report,
        company=await communities.company_name(db, shift.company_id),
        community=community.name,
        cashier=(await staff.member(db, shift.company_id, shift.cashier_id)).name,
    )
    return await printing.reply(call.res.settings, paper, call.query, file_name=f"shift-{paper.number}")


async def close_shift(call: Call[ShiftClose, None]) -> ShiftReport:
    """POST /admin/v1/counter/shifts/{shift_id}/close."""
    report = await call.res.db.transact(
        lambda tx: shifts.close(
            tx,
            call.principal.actor,
            communities=call.principal.communities(WORK),
            managed=call.principal.communities(MANAGE),
            shift_id=call.ids["shift_id"],
            counted_fen=call.body.counted_fen,
            note=call.body.note,
        )
    )
    return ShiftReport.told(report)


async def list_due(call: Call[None, DueQuery]) -> DueList:
    """GET /admin/v1/counter/due."""
    today = local_date(call.res.clock.now())
    items = [DueView.of(due, today) for due in await _due(call)]
    return DueList(items=items, total_fen=sum(item.due_fen for item in items))


async def _due(call: Call[None, DueQuery]) -> list[Due]:
    db, query, scopes = call.res.db, call.query, call.principal.communities(READ)
    if query.house_id is not None:
        return await dues.of_house(db, scopes, house_id=query.house_id)
    if query.pay_code is not None:
        return await dues.of_code(db, scopes, pay_code=query.pay_code)
    if query.person_id is None:
        return []
    return await dues.of_person(db, scopes, person_id=query.person_id, today=local_date(call.res.clock.now()))


async def take(call: Call[TakingCreate, None]) -> TakingView:
    """POST /admin/v1/counter/takings: what is being paid online is closed at its channel first."""
    body = call.body
    received_fen = body.amount_fen if body.received_fen is None else body.received_fen
    paper = Paper(body.voucher_no, Method(body.method), body.amount_fen, received_fen)

    async def work(tx: Tx) -> TakingView:
        taken = await takings.take(
            tx,
            call.principal.actor,
            res=call.res,
            communities=call.principal.communities(WORK),
            wishes=body.wishes,
            paper=paper,
        )
        return TakingView(**{name: getattr(taken, name) for name in TakingView.model_fields})

    return await closing.make_room(call.res, call.principal.actor, place=lambda: call.once(work, TakingView))


async def show_code(call: Call[CodeCreate, None]) -> CodeView:
    """POST /admin/v1/counter/codes: an order to be paid by whoever scans its code."""

    async def work(tx: Tx) -> CodePlaced:
        placed = await codes.place(
            tx,
            call.principal.actor,
            res=call.res,
            communities=call.principal.communities(WORK),
            wishes=call.body.wishes,
            channel=Channel(call.body.channel),
        )
        return CodePlaced(order_id=placed.order_id, amount_fen=placed.amount_fen, expires_at=placed.expires_at)

    placed = await closing.make_room(call.res, call.principal.actor, place=lambda: call.once(work, CodePlaced))
    cashier = await prepay.cashier(call.res, placed.order_id)
    return CodeView(**placed.model_dump(), qr_text=cashier.handle, svg=codes.picture(cashier.handle))


async def list_vouchers(call: Call[None, Page]) -> VoucherList:
    """GET /admin/v1/counter/shifts/{shift_id}/vouchers."""
    shift = await shifts.one(call.res.db, call.principal.communities(READ), shift_id=call.ids["shift_id"])
    rows = await takings.of_shift(
        call.res.db, shift_id=shift.id, before_id=_before(call.query.cursor), limit=call.query.limit
    )
    cursor = encode_cursor(rows[-1]["id"]) if len(rows) == call.query.limit else None
    return VoucherList(items=[VoucherView.of(row) for row in rows], next_cursor=cursor)


async def propose_void(call: Call[VoidRequest, None]) -> RefundRequested:
    """POST /admin/v1/counter/vouchers/{voucher_id}/void."""

    async def work(tx: Tx) -> RefundRequested:
        made = await voids.propose(
            tx,
            call.principal.actor,
            voucher_id=call.ids["voucher_id"],
            limits=refund_admin.limits_of(call.principal),
            reason=call.body.reason,
        )
        return RefundRequested(refund_id=made.refund_id, approval_id=made.approval_id, amount_fen=made.amount_fen)

    return await call.once(work, RefundRequested)


async def list_waiting(call: Call[None, None]) -> WaitingList:
    """GET /admin/v1/counter/refunds."""
    rows = await voids.waiting(call.res.db, call.principal.communities(READ))
    return WaitingList(items=[WaitingView.of(row) for row in rows])


async def pay_out(call: Call[PayOut, None]) -> PaidOutView:
    """POST /admin/v1/counter/refunds/{refund_id}/pay-out."""

    async def work(tx: Tx) -> PaidOutView:
        paid = await voids.pay_out(
            tx,
            call.principal.actor,
            communities=call.principal.communities(WORK),
            refund_id=call.ids["refund_id"],
            voucher_no=call.body.voucher_no,
        )
        return PaidOutView(**{name: getattr(paid, name) for name in PaidOutView.model_fields})

    return await call.once(work, PaidOutView)


async def bring_deposit(call: Call[DepositCreate, None]) -> DepositView:
    """POST /admin/v1/counter/deposits."""
    body = call.body

    async def work(tx: Tx) -> DepositView:
        brought = await deposits.bring(
            tx,
            call.principal.actor,
            communities=call.principal.communities(WORK),
            shift_id=body.shift_id,
            amount_fen=body.amount_fen,
            deposited_on=body.deposited_on,
            slip_no=body.slip_no,
        )
        return DepositView.of(brought)

    return await call.once(work, DepositView)


async def list_deposits(call: Call[None, Page]) -> DepositList:
    """GET /admin/v1/counter/deposits."""
    found = await deposits.page(
        call.res.db,
        call.principal.communities(READ),
        before_id=_before(call.query.cursor),
        limit=call.query.limit,
    )
    cursor = encode_cursor(found[-1].id) if len(found) == call.query.limit else None
    return DepositList(items=[DepositView.of(each) for each in found], next_cursor=cursor)


def _before(cursor: str | None) -> UUID | None:
    return decode_cursor(cursor, (UUID,))[0] if cursor else None


_READ = (Unauthenticated, Forbidden)
_ONE = (*_READ, NotFound)
_CHANGE = (*_ONE, Conflict, Invalid)
_SHIFT = "/admin/v1/counter/shifts/{shift_id}"
_PRINT: dict[str, Any] = {"query": PaperQuery, "errors": (*_ONE, Unavailable), "rate": printing.RATE}

ROUTES = (
    Route(
        "POST", "/admin/v1/counter/shifts", open_shift, WORK, "开班：录入备用金",
        body=ShiftOpen, answer=ShiftView, status=201, errors=_CHANGE, creates=True,
    ),
    Route(
        "GET", "/admin/v1/counter/shifts", list_shifts, READ, "收费班次列表",
        query=ShiftQuery, answer=ShiftList, errors=(*_READ, Invalid),
    ),
    Route("GET", _SHIFT, show_shift, READ, "班次及各收款方式的合计", answer=ShiftReport, errors=_ONE),
    Route("GET", f"{_SHIFT}/paper", print_shift, READ, "打印交班表：网页或 PDF", **_PRINT),
    Route(
        "POST", f"{_SHIFT}/close", close_shift, WORK, "交班：清点现金，长短款入账并写明原因",
        body=ShiftClose, answer=ShiftReport, errors=_CHANGE,
    ),
    Route(
        "GET", f"{_SHIFT}/vouchers", list_vouchers, READ, "班次内的收款与退款凭证",
        query=Page, answer=VoucherList, errors=(*_ONE, Invalid),
    ),
    Route(
        "GET", "/admin/v1/counter/due", list_due, READ, "应收：按房屋、缴费码或住户查询",
        query=DueQuery, answer=DueList, errors=(*_ONE, Invalid),
    ),
    Route(
        "POST", "/admin/v1/counter/takings", take, WORK, "收款：现金、刷卡、转账或支票，可收部分",
        body=TakingCreate, answer=TakingView, status=201, errors=(*_CHANGE, ChannelUnknown), creates=True,
    ),
    Route(
        "POST", "/admin/v1/counter/codes", show_code, WORK, "出示收款码：微信或支付宝扫码支付",
        body=CodeCreate, answer=CodeView, status=201, errors=(*_CHANGE, ChannelUnknown, Unavailable), creates=True,
    ),
    Route(
        "POST", "/admin/v1/counter/vouchers/{voucher_id}/void", propose_void, refund_admin.REQUEST,
        "申请作废一笔收款，由另一位同事审批", body=VoidRequest, answer=RefundRequested, status=201, errors=_CHANGE,
        creates=True,
    ),
    Route(
        "GET", "/admin/v1/counter/refunds", list_waiting, READ, "已批准、等待在窗口付出的退款",
        answer=WaitingList, errors=_READ,
    ),
    Route(
        "POST", "/admin/v1/counter/refunds/{refund_id}/pay-out", pay_out, WORK, "付出已批准的退款",
        body=PayOut, answer=PaidOutView, status=201, errors=_CHANGE, creates=True,
    ),
    Route(
        "POST", "/admin/v1/counter/deposits", bring_deposit, WORK, "登记现金缴存银行",
        body=DepositCreate, answer=DepositView, status=201, errors=_CHANGE, creates=True,
    ),
    Route(
        "GET", "/admin/v1/counter/deposits", list_deposits, READ, "缴存列表",
        query=Page, answer=DepositList, errors=(*_READ, Invalid),
    ),
)  # fmt: skip
