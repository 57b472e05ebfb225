"""Requests and answers of fees' staff routes: items, prices, exclusions, runs, the trial balance. Money in fen.

`rate_micro` is millionths of a yuan: 2 500 000 is 2.50 元. Ends of periods are the first day after.
"""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from backend.fees import periods
from backend.fees.periods import Anchor
from backend.fees.plan import Formula, Liable, Nature
from backend.fees.prices import rate_text, unit_text
from backend.fees.proration import Rate
from backend.fees.runs import Omitted
from backend.kernel.approvals import Approval
from backend.kernel.db import Record
from backend.kernel.http import Page, Strict, example
from backend.kernel.money import Rounding, RoundingUnit
from backend.ledger.balances import TrialLine

_ID = "0198f2a0-0000-7000-8000-000000000001"
_OTHER_ID = "0198f2a0-0000-7000-8000-000000000002"
_AT = "2026-09-01T10:00:00+08:00"

_RUN = {
    "id": _ID,
    "community_id": _ID,
    "item_id": _OTHER_ID,
    "title": "物业费 2026年9月",
    "period_start": "2026-09-01",
    "period_end": "2026-10-01",
    "supplement": 0,
    "only_house_id": None,
    "state": "READY",
    "due_on": "2026-10-31",
    "house_count": 200,
    "bill_count": 196,
    "total_fen": 4_312_345,
    "omitted_count": 4,
    "created_at": _AT,
    "published_at": None,
    "error": None,
}  # fmt: skip

Name = Annotated[str, Field(min_length=1, max_length=30)]
Reason = Annotated[str, Field(min_length=2, max_length=200)]
Days = Annotated[int, Field(ge=0, le=366)]
HouseKind = Literal["residence", "shop", "storage", "parking_for_sale"]
Kinds = Annotated[tuple[HouseKind, ...], Field(min_length=1, max_length=4)]
ItemType = Literal[
    "property", "parking", "water", "electricity", "gas", "heating", "service", "deposit", "rent", "shared",
    "maintenance_fund", "other",
]  # fmt: skip
MAX_RATE_MICRO = 1_000_000_000_000


class ItemsQuery(Page):
    community_id: UUID | None = None


class NewItemBody(Strict):
    model_config = example(
        community_id=_ID, code="WYF", name="物业费", type="property", nature="recurring", formula="gross_area",
        cycle_months=1, prepaid=False, lead_days=0, due_days=30, rounding="half_up", rounding_unit="fen",
        house_kinds=["residence", "shop"], liable="owner", payable_online=True, valid_from="2026-01-01",
    )  # fmt: skip

    community_id: UUID
    code: str = Field(pattern=r"^[A-Za-z0-9_-]{1,20}$")
    name: Name
    type: ItemType
    nature: Nature = Nature.RECURRING
    formula: Formula
    cycle_months: Literal[1, 2, 3, 6, 12] = 1
    anchor: Anchor = Field(Anchor.CALENDAR, description="handover: years from each house's handover")
    prepaid: bool = False
    lead_days: Days = 0
    due_days: Days = 30
    rounding: Rounding = Rounding.HALF_UP
    rounding_unit: RoundingUnit = RoundingUnit.FEN
    house_kinds: Kinds
    liable: Liable = Liable.OWNER
    payable_online: bool = True
    valid_from: date
    valid_until: date | None = None


class ItemChangesBody(Strict):
    model_config = example(name="物业服务费", due_days=45)

    name: Name | None = None
    lead_days: Days | None = None
    due_days: Days | None = None
    rounding: Rounding | None = None
    rounding_unit: RoundingUnit | None = None
    house_kinds: Kinds | None = None
    payable_online: bool | None = None


class ItemAnswer(Strict):
    model_config = example(
        id=_OTHER_ID, community_id=_ID, code="WYF", name="物业费", type="property", nature="recurring",
        formula="gross_area", cycle_months=1, anchor="calendar", prepaid=False, lead_days=0, due_days=30,
        rounding="half_up", rounding_unit="fen", house_kinds=["residence"], liable="owner", payable_online=True,
        valid_from="2026-01-01",
        valid_until=None, state="ACTIVE",
    )  # fmt: skip

    id: UUID
    community_id: UUID
    code: str
    name: str
    type: str
    nature: str
    formula: str
    cycle_months: int
    anchor: str
    prepaid: bool
    lead_days: int
    due_days: int
    rounding: str
    rounding_unit: str
    house_kinds: list[str]
    liable: str
    payable_online: bool
    valid_from: date
    valid_until: date | None
    state: str

    @classmethod
    def of(cls, row: Record) -> "ItemAnswer":
        return cls(**{name: row[name] for name in cls.model_fields})


class ListedItem(ItemAnswer):
    """An item with the price in force today; none before the first one is approved."""

    rate_micro: int | None
    price_since: date | None

    @classmethod
    def listed(cls, row: Record) -> "ListedItem":
        own = {name: row[name] for name in ItemAnswer.model_fields}
        return cls(**own, rate_micro=row["rate_micro"], price_since=row["effective_from"])


class ItemsAnswer(Strict):
    model_config = example(items=[], next_cursor=None)

    items: list[ListedItem]
    next_cursor: str | None


class PriceBody(Strict):
    model_config = example(rate_micro=2_800_000, effective_from="2027-01-01", reason="业主大会第 3 号决议")

    rate_micro: int = Field(ge=0, le=MAX_RATE_MICRO)
    effective_from: date
    reason: Reason


class PriceAnswer(Strict):
    model_config = example(
        id=_ID, rate_micro=2_500_000, text="2.50 元/m²·月", effective_from="2026-01-01", effective_until=None
    )

    id: UUID
    rate_micro: int
    text: str
    effective_from: date
    effective_until: date | None

    @classmethod
    def of(cls, rate: Rate, formula: Formula, *, one_off: bool) -> "PriceAnswer":
        return cls(
            id=rate.version_id,
            rate_micro=rate.rate_micro,
            text=f"{rate_text(rate.rate_micro)} {unit_text(formula, one_off=one_off)}",
            effective_from=rate.since,
            effective_until=rate.until,
        )


class PricesAnswer(Strict):
    model_config = example(items=[])

    items: list[PriceAnswer]


class ProposedAnswer(Strict):
    """A proposal: nothing has changed before another person approves it."""

    model_config = example(approval_id=_ID, kind="fees.price", state="PENDING", expires_at=_AT)

    approval_id: UUID
    kind: str
    state: str
    expires_at: datetime

    @classmethod
    def of(cls, approval: Approval) -> "ProposedAnswer":
        return cls(approval_id=approval.id, kind=approval.kind, state=approval.state, expires_at=approval.expires_at)


class ReasonBody(Strict):
    model_config = example(reason="房屋空置，业主已申请停收")

    reason: Reason


class ExclusionBody(Strict):
    model_config = example(house_id=_ID, reason="开发商自持，合同约定免收")

    house_id: UUID
    reason: Reason


class ExclusionAnswer(Strict):
    model_config = example(house_id=_ID, house_label="1栋1单元101", reason="合同约定免收", created_at=_AT)

    house_id: UUID
    house_label: str
    reason: str
    created_at: datetime


class ExclusionsAnswer(Strict):
    model_config = example(items=[], next_cursor=None)

    items: list[ExclusionAnswer]
    next_cursor: str | None


class NewRunBody(Strict):
    model_config = example(item_id=_ID, day="2026-09-01", house_id=None)

    item_id: UUID
    day: date = Field(description="any day of the period")
    house_id: UUID | None = Field(None, description="a single bill, for one house")


class RunsQuery(Page):
    community_id: UUID | None = None
    item_id: UUID | None = None
    state: Literal["DRAFT", "GENERATING", "READY", "PUBLISHED", "CANCELLED", "FAILED"] | None = None


class RunAnswer(Strict):
    model_config = example(**_RUN)

    id: UUID
    community_id: UUID
    item_id: UUID
    title: str
    period_start: date
    period_end: date
    supplement: int
    only_house_id: UUID | None
    state: str
    due_on: date
    house_count: int
    bill_count: int
    total_fen: int
    omitted_count: int
    created_at: datetime
    published_at: datetime | None
    error: str | None

    @classmethod
    def of(cls, row: Record) -> "RunAnswer":
        kept = {name: row[name] for name in cls.model_fields if name != "title"}
        return cls(**kept, title=f"{row['item_name']} {periods.text(row['period_start'], row['period_end'])}")


class RunsAnswer(Strict):
    model_config = example(items=[], next_cursor=None)

    items: list[RunAnswer]
    next_cursor: str | None


class OmittedAnswer(Strict):
    model_config = example(reason="no_area", text="房屋没有填写计费面积", houses=3, samples=["1栋1单元101"])

    reason: str
    text: str
    houses: int
    samples: list[str]

    @classmethod
    def of(cls, omitted: Omitted) -> "OmittedAnswer":
        return cls(reason=omitted.reason, text=omitted.text, houses=omitted.houses, samples=list(omitted.samples))


class PreviewAnswer(Strict):
    """A run with whom it left out and why; its bills come page by page beside it."""

    model_config = example(run=_RUN, omitted=[])

    run: RunAnswer
    omitted: list[OmittedAnswer]


class DraftBill(Strict):
    model_config = example(
        id=_ID, house_id=_OTHER_ID, house_label="1栋1单元101", principal_fen=22_338, liable_kind="owner",
        due_on="2026-10-31", state="ISSUED",
    )  # fmt: skip

    id: UUID
    house_id: UUID
    house_label: str
    principal_fen: int
    liable_kind: str
    due_on: date
    state: str

    @classmethod
    def of(cls, row: Record) -> "DraftBill":
        return cls(**{name: row[name] for name in cls.model_fields})


class DraftBillsAnswer(Strict):
    model_config = example(items=[], next_cursor=None)

    items: list[DraftBill]
    next_cursor: str | None


class TrialQuery(Strict):
    community_id: UUID
    booked_on: date | None = Field(None, description="today (Asia/Shanghai) when missing")


class TrialLineAnswer(Strict):
    model_config = example(
        code="receivable", name="应收账款", opening_fen=0, debit_fen=22_338, credit_fen=0, closing_fen=22_338
    )

    code: str
    name: str
    opening_fen: int
    debit_fen: int
    credit_fen: int
    closing_fen: int

    @classmethod
    def of(cls, line: TrialLine) -> "TrialLineAnswer":
        return cls(
            code=line.code, name=line.name, opening_fen=line.opening_fen, debit_fen=line.debit_fen,
            credit_fen=line.credit_fen, closing_fen=line.closing_fen,
        )  # fmt: skip


class TrialAnswer(Strict):
    """Debit is positive; the closing figures add up to 0."""

    model_config = example(community_id=_ID, booked_on="2026-09-01", lines=[], total_fen=0)

    community_id: UUID
    booked_on: date
    lines: list[TrialLineAnswer]
    total_fen: int
