"""What the routes of quotes, costs and waivers take and answer; residents' routes share the views."""

from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from backend.kernel.db import Record
from backend.kernel.http import Strict, example
from backend.tickets.paid.lines import MAX_LINES, Free, LineWish
from backend.tickets.paid.signatures import MAX_TEXT
from backend.tickets.paid.states import QUOTE_TEXT, CostState, QuoteState, Sort
from backend.tickets.schemas import ID, Words

MAX_QUANTITY = 999
MAX_UNIT_FEN = 100_000_00
Quantity = Annotated[int, Field(ge=1, le=MAX_QUANTITY)]
_LISTED = {"item_id": ID, "quantity": 2, "other": None}
_LINE: dict[str, Any] = {
    "sort": "part", "title": "水龙头阀芯", "unit": "个", "quantity": 2, "unit_price_fen": 3_500, "amount_fen": 7_000,
    "item_id": ID, "priced_from": "2026-08-01", "reason": None,
}  # fmt: skip
_QUOTE: dict[str, Any] = {
    "id": ID, "version": 1, "state": "OPEN", "state_text": "待确认", "lines": [_LINE], "lines_fen": 7_000,
    "warranty_fen": 0, "total_fen": 7_000, "explanation": "1 项合计 70.00 元。", "covered_until": None,
    "made_by": "赵大勇", "made_at": "2026-09-01T02:30:00Z", "decided_at": None, "due_at": None, "paid_at": None,
    "refunded_fen": 0,
}  # fmt: skip


class OtherLine(Strict):
    """What is none of the price list, with the reason for its price."""

    model_config = example(sort="part", title="进口花洒", unit="个", unit_price_fen=12_800, reason="住户指定品牌")
    sort: Sort
    title: str = Field(min_length=1, max_length=50)
    unit: str = Field(min_length=1, max_length=10)
    unit_price_fen: int = Field(ge=1, le=MAX_UNIT_FEN)
    reason: Words

    @property
    def free(self) -> Free:
        return Free(self.sort, self.title, self.unit, self.unit_price_fen, self.reason)


class LineBody(Strict):
    """So many of an item of the price list (`item_id`), or of something else (`other`)."""

    model_config = example(**_LISTED)
    quantity: Quantity
    item_id: UUID | None = None
    other: OtherLine | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.item_id is None) == (self.other is None):
            raise ValueError("请在价目表项目和其他项目中选填一个。")
        return self

    @property
    def wish(self) -> LineWish:
        return LineWish(self.quantity, self.item_id, self.other.free if self.other else None)


class QuoteBody(Strict):
    model_config = example(lines=[_LISTED], reason=None)
    lines: list[LineBody] = Field(min_length=1, max_length=MAX_LINES)
    reason: Words | None = None

    @property
    def wishes(self) -> tuple[LineWish, ...]:
        return tuple(line.wish for line in self.lines)


class CostBody(QuoteBody):
    """What work has cost for which nobody is quoted; the reason is what the second person reads."""

    model_config = example(lines=[_LISTED], reason="3栋电梯厅照明更换灯管")
    reason: Words


class AgreeBody(Strict):
    """`version`: the quote that was seen."""

    model_config = example(version=1, reason=None)
    version: int = Field(ge=1, le=10_000)
    reason: Words | None = None


class DecideBody(AgreeBody):
    """The same with a reason: of a refusal, or of staff who answer for the resident."""

    model_config = example(version=1, reason="与住户电话确认")
    reason: Words


class SignOffBody(Strict):
    """`signature`: for paid work, what was drawn on the screen: a PNG in base64."""

    model_config = example(reason=None, signature=None)
    reason: Words | None = None
    signature: str | None = Field(None, min_length=1, max_length=MAX_TEXT)


class LineView(Strict):
    """A line: `priced_from`: the day of the list price; `reason`: why it is none of the list."""

    model_config = example(**_LINE)
    sort: Sort
    title: str
    unit: str
    quantity: int
    unit_price_fen: int
    amount_fen: int
    item_id: UUID | None
    priced_from: date | None
    reason: str | None

    @classmethod
    def of(cls, stored: dict[str, Any]) -> "LineView":
        listed = {"item_id": stored["item_id"] and UUID(stored["item_id"]), "sort": Sort(stored["sort"])}
        since = stored["priced_from"] and date.fromisoformat(stored["priced_from"])
        return cls(**{**stored, **listed, "priced_from": since})


class QuoteView(Strict):
    """A quote and what became of it. `total_fen`: what the resident pays; `explanation` says how it comes about."""

    model_config = example(**_QUOTE)
    id: UUID
    version: int
    state: QuoteState
    state_text: str
    lines: list[LineView]
    lines_fen: int
    warranty_fen: int
    total_fen: int
    explanation: str
    covered_until: date | None
    made_by: str | None
    made_at: datetime
    decided_at: datetime | None
    due_at: datetime | None
    paid_at: datetime | None
    refunded_fen: int

    @classmethod
    def of(cls, row: Record, explanation: str) -> "QuoteView":
        made = {
            "state": QuoteState(row["state"]),
            "state_text": QUOTE_TEXT[QuoteState(row["state"])],
            "lines": [LineView.of(line) for line in row["lines"]],
            "explanation": explanation,
            "made_by": row["made_by_name"],
        }
        return cls(**{**{name: row[name] for name in cls.model_fields if name not in made}, **made})


class QuoteList(Strict):
    """The quotes of a ticket, the newest first."""

    model_config = example(items=[_QUOTE])
    items: list[QuoteView]


class CostAnswer(Strict):
    """What becomes of the cost: it waits for a second person, or the company bears it."""

    model_config = example(state="PROPOSED")
    state: CostState


class SignatureAnswer(Strict):
    """The signature: a PNG in base64."""

    model_config = example(png="iVBORw0KGgo…")
    png: str
