"""What staff send and read of orders and differences, field by field (security: API3)."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from backend.kernel.http import Page, Strict, example
from payments.asking import Said
from payments.channels.base import Channel, Method
from payments.states import AttemptState, DifferenceClass, DifferenceState, OrderState

ID = "01991b2a-7c00-7000-8000-000000000001"
_NOW = "2026-09-01T02:00:00Z"
_ORDER = {
    "id": ID,
    "community_id": ID,
    "payer_person_id": ID,
    "state": "PAID",
    "amount_fen": 26805,
    "description": "2026年9月物业费",
    "created_at": _NOW,
    "expires_at": _NOW,
    "paid_at": _NOW,
    "closed_at": None,
    "close_reason": None,
    "disputed": False,
    "refunded_fen": 0,
}


class OrderQuery(Page):
    """Which orders. `line_id`: the one with this line, as a stay names what paid it."""

    state: OrderState | None = None
    line_id: UUID | None = None


class OrderView(Strict):
    """An order as staff see it."""

    model_config = example(**_ORDER)
    id: UUID
    community_id: UUID
    payer_person_id: UUID | None
    state: OrderState
    amount_fen: int
    description: str
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    closed_at: datetime | None
    close_reason: str | None
    disputed: bool
    refunded_fen: int


class OrderList(Strict):
    """A page of orders, newest first."""

    model_config = example(items=[], next_cursor=None)
    items: list[OrderView]
    next_cursor: str | None


class LineView(Strict):
    """One thing that an order pays."""

    id: UUID
    kind: str
    payable_id: UUID
    house_id: UUID | None
    title: str
    principal_fen: int
    late_fee_fen: int


class AttemptView(Strict):
    """One number at one channel."""

    id: UUID
    merchant_id: UUID
    channel: Channel
    method: Method
    out_trade_no: str
    transaction_no: str | None
    state: AttemptState
    amount_fen: int
    asked_count: int
    asked_at: datetime | None
    ask_at: datetime | None
    created_at: datetime
    paid_at: datetime | None
    settled_by: str | None
    error: str | None


class AttemptQuery(Page):
    """Which attempts; by default those whose outcome nobody knows."""

    state: AttemptState = AttemptState.UNKNOWN


class AttemptInList(AttemptView):
    """One number at one channel, with its order."""

    order_id: UUID
    community_id: UUID


class AttemptList(Strict):
    """A page of attempts, newest first."""

    model_config = example(items=[], next_cursor=None)
    items: list[AttemptInList]
    next_cursor: str | None


class OrderDetail(OrderView):
    """An order with its lines and attempts."""

    model_config = example(**_ORDER, lines=[], attempts=[])
    lines: list[LineView]
    attempts: list[AttemptView]


class DifferenceQuery(Page):
    """Which differences; by default those that wait for somebody."""

    state: DifferenceState | None = None


class DifferenceView(Strict):
    """What the channel said and the books do not have like that. `booked_fen` stands in suspense, but for what has gone
    back of it (`refunded_fen`); `subject` is what else it is about, such as our refund number, empty for a payment."""

    model_config = example(
        id=ID,
        community_id=ID,
        kind="amount",
        state="OPEN",
        merchant_id=ID,
        order_id=ID,
        out_trade_no="LL0123456789",
        transaction_no="4200002670202609015678901234",
        expected_fen=26805,
        actual_fen=100,
        booked_fen=100,
        refunding_fen=0,
        refunded_fen=0,
        subject="",
        opened_at=_NOW,
        resolved_at=None,
        note=None,
    )
    id: UUID
    community_id: UUID
    kind: DifferenceClass
    state: DifferenceState
    merchant_id: UUID
    order_id: UUID | None
    out_trade_no: str
    transaction_no: str
    expected_fen: int | None
    actual_fen: int
    booked_fen: int
    refunding_fen: int
    refunded_fen: int
    subject: str
    opened_at: datetime
    resolved_at: datetime | None
    note: str | None


class DifferenceList(Strict):
    """A page of differences, newest first."""

    model_config = example(items=[], next_cursor=None)
    items: list[DifferenceView]
    next_cursor: str | None


class Resolution(Strict):
    """A person's decision, in words."""

    model_config = example(note="已联系业主，款项为重复支付，待退款。", escalate=False)
    note: str = Field(min_length=2, max_length=500)
    escalate: bool = False


class Asked(Strict):
    """What the channel said, and the order's state now."""

    model_config = example(said="waiting", order=_ORDER)
    said: Said
    order: OrderView
