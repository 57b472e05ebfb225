"""What staff send and read of refunds, field by field (security: API3)."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from backend.kernel.http import Page, Strict, example
from payments.states import RefundState

ID = "01991b2a-7c00-7000-8000-000000000001"
_NOW = "2026-09-01T02:00:00Z"
_REFUND = {
    "id": ID,
    "community_id": ID,
    "order_id": ID,
    "difference_id": None,
    "merchant_id": ID,
    "channel": "wechat",
    "description": "2026年9月物业费",
    "amount_fen": 10000,
    "total_fen": 26805,
    "state": "PROCESSING",
    "automatic": False,
    "reason": "多收了一个月",
    "error": None,
    "out_refund_no": "hT0vWQ7c3n9Jr4Kx2mB8sYpL6dFzAe",
    "channel_refund_no": "50300003952026090112345678901",
    "requested_by": ID,
    "approved_by": ID,
    "approval_id": ID,
    "unapplied": False,
    "requested_at": _NOW,
    "submitted_at": _NOW,
    "finished_at": None,
}
_LINE = {"line_id": ID, "principal_fen": 10000, "late_fee_fen": 0}


class RefundPart(Strict):
    """What is to be given back of one line of the order."""

    model_config = example(**_LINE)
    line_id: UUID
    principal_fen: int = Field(ge=0)
    late_fee_fen: int = Field(0, ge=0)


class RefundCreate(Strict):
    """Which lines, or without lines all that is left; the payer is shown the reason."""

    model_config = example(lines=[_LINE], reason="多收了一个月")
    lines: list[RefundPart] | None = Field(None, min_length=1, max_length=100)
    reason: str = Field(min_length=2, max_length=80)


class DifferenceRefundCreate(Strict):
    """How much of what stands in suspense, all of it without an amount; the payer is shown the reason."""

    model_config = example(amount_fen=None, reason="重复支付，退回付款人")
    amount_fen: int | None = Field(None, gt=0)
    reason: str = Field(min_length=2, max_length=80)


class RefundRequested(Strict):
    """A refund that waits for a second person."""

    model_config = example(refund_id=ID, approval_id=ID, amount_fen=10000)
    refund_id: UUID
    approval_id: UUID
    amount_fen: int


class PayerCard(Strict):
    """The payer's bank card as he told it; `bank_type` is the bank's word at WeChat Pay, such as ICBC_DEBIT."""

    model_config = example(bank_type="ICBC_DEBIT", account="6222021234567890123", name="张三")
    bank_type: str = Field(pattern=r"^[A-Z0-9_]{2,32}$")
    account: str = Field(pattern=r"^[0-9]{12,32}$")
    name: str = Field(min_length=1, max_length=32)


class RedirectCreate(Strict):
    """Where an abnormal refund goes instead: the payer's card, or without one the merchant's own account."""

    model_config = example(card=None, reason="付款人的微信账户已注销，由财务线下转账")
    card: PayerCard | None = None
    reason: str = Field(min_length=2, max_length=200)


class RedirectProposed(Strict):
    """Another way that waits for a second person."""

    model_config = example(approval_id=ID)
    approval_id: UUID


class AutomaticLimit(Strict):
    """How much a merchant may give back by rule on one day."""

    model_config = example(a_day_fen=2000000, reason="节假日缴费集中")
    a_day_fen: int = Field(ge=0, le=100_000_000)
    reason: str = Field(min_length=2, max_length=200)


class LimitProposed(Strict):
    """A limit that waits for a second person."""

    model_config = example(approval_id=ID)
    approval_id: UUID


class RefundQuery(Page):
    """Which refunds."""

    state: RefundState | None = None


class RefundView(Strict):
    """A refund as staff see it. `unapplied`: it went out, but its bills no longer had it; it stands in suspense."""

    model_config = example(**_REFUND)
    id: UUID
    community_id: UUID
    order_id: UUID | None
    difference_id: UUID | None
    merchant_id: UUID
    channel: str
    description: str | None
    amount_fen: int
    total_fen: int
    state: RefundState
    automatic: bool
    reason: str
    error: str | None
    out_refund_no: str
    channel_refund_no: str | None
    requested_by: UUID | None
    approved_by: UUID | None
    approval_id: UUID | None
    unapplied: bool
    requested_at: datetime
    submitted_at: datetime | None
    finished_at: datetime | None


class RefundLineView(Strict):
    """What a refund takes back of one line."""

    line_id: UUID
    title: str
    principal_fen: int
    late_fee_fen: int


class RefundDetail(RefundView):
    """A refund with its lines."""

    model_config = example(**_REFUND, lines=[{**_LINE, "title": "2026年9月物业费"}])
    lines: list[RefundLineView]


class RefundList(Strict):
    """A page of refunds, newest first."""

    model_config = example(items=[_REFUND], next_cursor=None)
    items: list[RefundView]
    next_cursor: str | None
