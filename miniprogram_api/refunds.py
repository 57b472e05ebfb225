"""What goes back to a payer (退款): the list that his phone shows. No rules are made here."""

from datetime import datetime
from uuid import UUID

from backend.kernel.auth import RESIDENT
from backend.kernel.db import Record
from backend.kernel.errors import Forbidden, Unauthenticated
from backend.kernel.http import Call, Page, Route, Strict, decode_cursor, encode_cursor, example
from payments import refund_history
from payments.states import RefundState

_ID = "01991b2a-7c00-7000-8000-000000000001"
_REFUND = {
    "refund_id": _ID,
    "payment_id": _ID,
    "description": "2026年9月物业费",
    "amount_fen": 10000,
    "state": "SUCCEEDED",
    "state_text": "已退款，到账时间以支付渠道为准。",
    "reason": "多收了一个月",
    "requested_at": "2026-09-01T02:00:00Z",
    "finished_at": "2026-09-01T02:05:00Z",
}

TEXTS = {
    RefundState.APPROVED: "正在退款，请稍候。",
    RefundState.SUBMITTING: "正在退款，请稍候。",
    RefundState.PROCESSING: "支付渠道正在退款，一般几分钟到几天内到账。",
    RefundState.ABNORMAL: "您的收款账户异常，物业正在处理，请留意通知。",
    RefundState.SUCCEEDED: "已退款，到账时间以支付渠道为准。",
}


class MyRefund(Strict):
    """Money that goes back to the payer, the way it came."""

    model_config = example(**_REFUND)
    refund_id: UUID
    payment_id: UUID
    description: str
    amount_fen: int
    state: RefundState
    state_text: str
    reason: str
    requested_at: datetime
    finished_at: datetime | None


class MyRefunds(Strict):
    """A page of one's refunds, newest first."""

    model_config = example(items=[_REFUND], next_cursor=None)
    items: list[MyRefund]
    next_cursor: str | None


async def list_mine(call: Call[None, Page]) -> MyRefunds:
    """GET /api/v1/refunds."""
    rows = await refund_history.refunds_of(
        call.res.db,
        payer_person_id=call.principal.person_id,
        before_id=decode_cursor(call.query.cursor, (UUID,))[0] if call.query.cursor else None,
        limit=call.query.limit,
    )
    cursor = encode_cursor(rows[-1]["id"]) if len(rows) == call.query.limit else None
    return MyRefunds(items=[_view(row) for row in rows], next_cursor=cursor)


def _view(row: Record) -> MyRefund:
    state = RefundState(row["state"])
    return MyRefund(
        refund_id=row["id"],
        payment_id=row["order_id"],
        description=row["description"],
        amount_fen=row["amount_fen"],
        state=state,
        state_text=TEXTS[state],
        reason=row["reason"],
        requested_at=row["requested_at"],
        finished_at=row["finished_at"],
    )


ROUTES = (
    Route(
        "GET",
        "/api/v1/refunds",
        list_mine,
        RESIDENT,
        "我的退款记录",
        query=Page,
        answer=MyRefunds,
        errors=(Unauthenticated, Forbidden),
    ),
)
