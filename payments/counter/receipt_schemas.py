"""What is sent and read about receipts, by staff and residents alike. Money in fen."""

from datetime import datetime
from typing import Any
from uuid import UUID

from backend.kernel.http import Page, Strict, example
from payments.counter.receipts import Receipt, ReceiptState

ID = "01991b2a-7c00-7000-8000-000000000001"
_NOW = "2026-09-01T02:00:00Z"
_LINE = {"title": "物业费 2026年9月", "principal_fen": 26_805, "late_fee_fen": 0}
_RECEIPT = {
    "id": ID, "community_id": ID, "order_id": ID, "number": "00000007", "state": "ISSUED", "amount_fen": 26_805,
    "refunded_fen": 0, "houses": ["1栋1单元101"], "issued_at": _NOW, "voided_at": None, "void_reason": None,
}  # fmt: skip


class ReceiptQuery(Page):
    """Which receipts."""

    state: ReceiptState | None = None


class ReceiptView(Strict):
    """A receipt; a voided number stays listed. `refunded_fen`: what has gone back of its money until now."""

    model_config = example(**_RECEIPT)
    id: UUID
    community_id: UUID
    order_id: UUID
    number: str
    state: ReceiptState
    amount_fen: int
    refunded_fen: int
    houses: list[str]
    issued_at: datetime
    voided_at: datetime | None
    void_reason: str | None

    @classmethod
    def of(cls, receipt: Receipt) -> "ReceiptView":
        return cls(**_shown(receipt))


class ReceiptList(Strict):
    """A page of receipts, the newest number first."""

    model_config = example(items=[_RECEIPT], next_cursor=None)
    items: list[ReceiptView]
    next_cursor: str | None


class ReceiptLine(Strict):
    """One thing that was paid."""

    model_config = example(**_LINE)
    title: str
    principal_fen: int
    late_fee_fen: int


class ReceiptDetail(ReceiptView):
    """A receipt with what it says."""

    model_config = example(
        **_RECEIPT, company="邻里物业", community="幸福里", lines=[_LINE], channel="counter", method="cash",
        transaction_no="SJ000123", paid_at=_NOW,
    )  # fmt: skip
    company: str
    community: str
    lines: list[ReceiptLine]
    channel: str
    method: str
    transaction_no: str
    paid_at: datetime

    @classmethod
    def told(cls, receipt: Receipt) -> "ReceiptDetail":
        said = receipt.snapshot
        return cls(
            **_shown(receipt),
            company=said["company"],
            community=said["community"],
            lines=[ReceiptLine(**line) for line in said["lines"]],
            channel=said["channel"],
            method=said["method"],
            transaction_no=said["transaction_no"],
            paid_at=datetime.fromisoformat(said["paid_at"]),
        )


def _shown(receipt: Receipt) -> dict[str, Any]:
    own = ("id", "community_id", "order_id", "number", "state", "refunded_fen", "issued_at", "voided_at", "void_reason")
    told = ("amount_fen", "houses")
    return {**{name: getattr(receipt, name) for name in own}, **{name: receipt.snapshot[name] for name in told}}
