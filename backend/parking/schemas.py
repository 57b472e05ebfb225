"""What the staff routes of parking take and answer: lots, lanes, prices, cards, lists."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field

from backend.kernel.approvals import Approval
from backend.kernel.db import Record
from backend.kernel.http import Page, Strict, example
from backend.parking.cards.cards import NewCard
from backend.parking.lots import Rules
from backend.parking.prices.classes import PriceClass
from backend.parking.states import Basis, CardKind, ListKind, Way

_ID = "01991b2a-7c00-7000-8000-000000000001"
_OTHER_ID = "01991b2a-7c00-7000-8000-000000000002"
Reason = Annotated[str, Field(min_length=2, max_length=200)]
Plate = Annotated[str, Field(min_length=1, max_length=32)]


class RulesBody(Strict):
    model_config = example(name="地下停车场", spaces=320, basis="entry", quote_minutes=10, arrears_days=None)
    name: str = Field(min_length=1, max_length=50)
    spaces: int = Field(ge=0, le=100_000)
    basis: Basis = Field(Basis.ENTRY, description="which version of the prices counts: that of the entry or the exit")
    quote_minutes: int = Field(10, ge=1, le=60, description="how long a quote is valid")
    arrears_days: int | None = Field(
        None, ge=0, le=3650, description="a house with a bill overdue for more days is not let in; null: all are"
    )

    @property
    def rules(self) -> Rules:
        return Rules(self.name, self.spaces, self.basis, self.quote_minutes, self.arrears_days)


class LotBody(RulesBody):
    model_config = example(
        code="P1", name="地下停车场", spaces=320, basis="entry", quote_minutes=10, arrears_days=None
    )  # fmt: skip
    code: str = Field(pattern=r"^[A-Za-z0-9_-]{1,20}$")


class LotAnswer(Strict):
    model_config = example(
        id=_ID, community_id=_OTHER_ID, code="P1", name="地下停车场", spaces=320, basis="entry", quote_minutes=10,
        arrears_days=None, free_spaces=41,
    )  # fmt: skip
    id: UUID
    community_id: UUID
    code: str
    name: str
    spaces: int
    basis: Basis
    quote_minutes: int
    arrears_days: int | None
    free_spaces: int

    @classmethod
    def of(cls, row: Record) -> "LotAnswer":
        known = {name: row[name] for name in cls.model_fields if name != "basis"}
        return cls(**known, basis=Basis(row["basis"]))


class LotsAnswer(Strict):
    model_config = example(items=[])
    items: list[LotAnswer]


class LaneBody(Strict):
    model_config = example(direction="in", name="东门入口", camera_device_id=_ID, barrier_device_id=_ID)
    direction: Way
    name: str = Field(min_length=1, max_length=50)
    camera_device_id: UUID
    barrier_device_id: UUID = Field(description="the camera itself where it opens the barrier")


class LaneAnswer(Strict):
    model_config = example(
        id=_ID, lot_id=_OTHER_ID, direction="in", name="东门入口", camera_device_id=_ID, barrier_device_id=_ID
    )  # fmt: skip
    id: UUID
    lot_id: UUID
    direction: Way
    name: str
    camera_device_id: UUID
    barrier_device_id: UUID

    @classmethod
    def of(cls, row: Record) -> "LaneAnswer":
        known = {name: row[name] for name in cls.model_fields if name != "direction"}
        return cls(**known, direction=Way(row["direction"]))


class LanesAnswer(Strict):
    model_config = example(items=[])
    items: list[LaneAnswer]


class AddedAnswer(Strict):
    """What has come into being."""

    model_config = example(id=_ID)
    id: UUID


class TariffBody(Strict):
    """Prices from an instant on; `document` is described in docs/parking.md."""

    model_config = example(
        document={
            "crossing": "counted_apart",
            "rounding": "begun_units",
            "days": [
                {
                    "kinds": ["working_day", "weekend", "holiday"],
                    "windows": [
                        {
                            "starts": "00:00",
                            "ends": "24:00",
                            "segments": [{"from_min": 0, "to_min": None, "increment_min": 60, "price_fen": 500}],
                        }
                    ],
                }
            ],
            "free": {"minutes": 30, "kind": "threshold"},
            "day": {"cap_fen": 2000, "by": "rolling"},
        },
        effective_from="2026-10-01T00:00:00+08:00",
        reason="价格主管部门备案",
    )
    document: dict[str, Any]
    effective_from: AwareDatetime
    reason: Reason
    vehicle_class: PriceClass | None = Field(None, description="whose prices; null: all classes without their own")


class TariffAnswer(Strict):
    model_config = example(
        id=_ID, vehicle_class=None, document={}, effective_from="2026-10-01T00:00:00Z",
        created_at="2026-09-01T02:00:00Z",
    )  # fmt: skip
    id: UUID
    vehicle_class: PriceClass | None
    document: dict[str, Any]
    effective_from: datetime
    created_at: datetime

    @classmethod
    def of(cls, row: Record) -> "TariffAnswer":
        known = {name: row[name] for name in cls.model_fields if name != "vehicle_class"}
        return cls(**known, vehicle_class=row["vehicle_class"] and PriceClass(row["vehicle_class"]))


class TariffsAnswer(Strict):
    model_config = example(items=[])
    items: list[TariffAnswer]


class ProposedAnswer(Strict):
    """A change that waits for a second person."""

    model_config = example(approval_id=_ID)
    approval_id: UUID

    @classmethod
    def of(cls, approval: Approval) -> "ProposedAnswer":
        return cls(approval_id=approval.id)


class CardBody(Strict):
    """A card whose vehicles share `spaces`. `ends_on`: the first day without it; null: until it is cancelled."""

    model_config = example(
        kind="monthly", plates=["粤B12345", "粤BD12345"], spaces=1, starts_on="2026-09-01", ends_on="2026-10-01",
        house_id=_ID,
    )  # fmt: skip
    kind: CardKind
    plates: list[Plate] = Field(min_length=1, max_length=20)
    spaces: int = Field(1, ge=1, le=100)
    starts_on: date
    ends_on: date | None = None
    house_id: UUID | None = None

    @property
    def new(self) -> NewCard:
        return NewCard(self.kind, tuple(self.plates), self.spaces, self.starts_on, self.ends_on, self.house_id)


class CardAnswer(Strict):
    model_config = example(
        id=_ID, kind="monthly", spaces=1, house_id=_OTHER_ID, starts_on="2026-09-01", ends_on="2026-10-01",
        state="ACTIVE", inside=0,
    )  # fmt: skip
    id: UUID
    kind: CardKind
    spaces: int
    house_id: UUID | None
    starts_on: date
    ends_on: date | None
    state: str
    inside: int

    @classmethod
    def of(cls, row: Record) -> "CardAnswer":
        known = {name: row[name] for name in cls.model_fields if name != "kind"}
        return cls(**known, kind=CardKind(row["kind"]))


class CardsAnswer(Strict):
    model_config = example(items=[], next_cursor=None)
    items: list[CardAnswer]
    next_cursor: str | None


class CardsQuery(Page):
    """Cards in order of issue."""


class ListEntryBody(Strict):
    """`ends_on`: the first day without the entry; null: for good."""

    model_config = example(kind="black", plate="粤B12345", starts_on="2026-09-01", ends_on=None, reason="冲卡")
    kind: ListKind
    plate: Plate
    starts_on: date
    ends_on: date | None = None
    reason: Reason


class ReasonBody(Strict):
    model_config = example(reason="车辆已过户")
    reason: Reason
