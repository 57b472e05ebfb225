"""Requests and answers about bills, for residents and staff alike. Money in fen; ends of periods are the day after."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from backend.fees import bills
from backend.fees.explanation import Explanation
from backend.fees.states import OPEN_BILLS, BillState
from backend.kernel.db import Record
from backend.kernel.http import Page, Strict, decode_cursor, encode_cursor, example

_ID = "0198f2a0-0000-7000-8000-000000000001"
_BILL = {
    "id": _ID, "title": "物业费 2026年9月", "item_id": _ID, "house_id": _ID, "house_label": "1栋1单元101",
    "period_start": "2026-09-01", "period_end": "2026-10-01", "state": "ISSUED", "overdue": False,
    "principal_fen": 22_338, "late_fee_fen": 0, "paid_fen": 0, "due_fen": 22_338, "due_on": "2026-10-31",
    "issued_at": "2026-10-01T09:00:00+08:00", "payable_online": True,
}  # fmt: skip
_STEP = {
    "label": "2026年9月", "text": "建筑面积 89.35 m² × 2.50 元/m²·月 × 1 个月", "exact_yuan": "223.375",
    "amount_fen": 22_338,
}  # fmt: skip

Filter = Literal["open", "paid", "voided", "all"]
STATES: dict[Filter, tuple[BillState, ...]] = {
    "open": OPEN_BILLS,
    "paid": (BillState.PAID,),
    "voided": (BillState.VOIDED,),
    "all": tuple(BillState),
}


class BillsQuery(Page):
    state: Filter = Field("all", description="open: still to be paid, wholly or in part")

    @property
    def states(self) -> tuple[BillState, ...]:
        return STATES[self.state]

    @property
    def before(self) -> tuple[date, UUID] | None:
        """Where the page before ended."""
        if self.cursor is None:
            return None
        day, bill_id = decode_cursor(self.cursor, (date, UUID))
        return day, bill_id


class HouseBillsQuery(BillsQuery):
    house_id: UUID


class BillAnswer(Strict):
    model_config = example(**_BILL)

    id: UUID
    title: str
    item_id: UUID
    house_id: UUID
    house_label: str
    period_start: date
    period_end: date
    state: str
    overdue: bool
    principal_fen: int
    late_fee_fen: int
    paid_fen: int
    due_fen: int
    due_on: date
    issued_at: datetime
    payable_online: bool

    @classmethod
    def of(cls, row: Record, today: date) -> "BillAnswer":
        return cls(**_shown(row, today))


class BillsAnswer(Strict):
    model_config = example(items=[_BILL], next_cursor=None)

    items: list[BillAnswer]
    next_cursor: str | None

    @classmethod
    def of(cls, rows: list[Record], today: date, *, limit: int) -> "BillsAnswer":
        more = len(rows) == limit
        cursor = encode_cursor(rows[-1]["period_start"], rows[-1]["id"]) if more else None
        return cls.model_validate({"items": [_shown(row, today) for row in rows], "next_cursor": cursor})


class LineAnswer(Strict):
    model_config = example(label="2026年9月", amount_fen=22_338)

    label: str
    amount_fen: int


class BillDetail(Strict):
    model_config = example(
        bill=_BILL, liable_kind="owner", lines=[{"label": "2026年9月", "amount_fen": 22_338}], paid_at=None,
        voided_at=None,
    )  # fmt: skip

    bill: BillAnswer
    liable_kind: str
    lines: list[LineAnswer]
    paid_at: datetime | None
    voided_at: datetime | None

    @classmethod
    def of(cls, row: Record, lines: list[Record], today: date) -> "BillDetail":
        return cls(
            bill=BillAnswer.of(row, today),
            liable_kind=row["liable_kind"],
            lines=[LineAnswer(label=line["label"], amount_fen=line["amount_fen"]) for line in lines],
            paid_at=row["paid_at"],
            voided_at=row["voided_at"],
        )


class StepAnswer(Strict):
    model_config = example(**_STEP)

    label: str
    text: str
    exact_yuan: str
    amount_fen: int


class ExplanationAnswer(Strict):
    """Why this amount, from the stored lines."""

    model_config = example(
        bill_id=_ID,
        summary="物业费 2026年9月：建筑面积 89.35 m² × 2.50 元/m²·月 × 1 个月 = 223.38 元。",
        steps=[_STEP],
        rounding="精确金额 223.375 元，四舍五入到分，应收 223.38 元。",
    )

    bill_id: UUID
    summary: str
    steps: list[StepAnswer]
    rounding: str

    @classmethod
    def of(cls, bill_id: UUID, told: Explanation) -> "ExplanationAnswer":
        return cls(
            bill_id=bill_id,
            summary=told.summary,
            steps=[
                StepAnswer(label=step.label, text=step.text, exact_yuan=step.exact, amount_fen=step.amount_fen)
                for step in told.steps
            ],
            rounding=told.rounding,
        )


_OWN = tuple(name for name in BillAnswer.model_fields if name not in ("title", "overdue", "due_fen"))


def _shown(row: Record, today: date) -> dict[str, Any]:
    shown = {name: row[name] for name in _OWN}
    shown["title"] = bills.title(row)
    shown["overdue"] = bills.overdue(row, today)
    shown["due_fen"] = bills.due_fen(row)
    return shown
