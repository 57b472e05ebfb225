"""What the routes of duty, workers and rules of handling take and answer."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from backend.kernel.days import Instant
from backend.kernel.db import Record
from backend.kernel.http import Strict, example
from backend.tickets.dispatch.duty import DAY_M, Exceptional, Shift
from backend.tickets.dispatch.handling import Handling
from backend.tickets.dispatch.workers import Fields

_ID = "01991b2a-7c00-7000-8000-000000000001"
_SHIFT = {"staff_id": _ID, "weekday": 1, "opens": "08:00", "closes": "20:00"}
_EXCEPTION = {
    "staff_id": _ID, "starts_at": "2026-09-01T08:00:00+08:00", "ends_at": "2026-09-01T20:00:00+08:00",
    "on_duty": False, "note": "请假",
}  # fmt: skip
_PERSON = {"id": _ID, "name": "赵大勇"}
_RULE = {
    "at_once": False, "warn_before_m": 15, "escalate_after_m": 60, "urge_times": 3, "urge_hours": 4, "similar_days": 7,
}  # fmt: skip
Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
WEEK_SHIFTS = 1000


class ShiftBody(Strict):
    """A shift on a weekday (1: Monday); one that closes no later than it opens ends on the next day."""

    model_config = example(**_SHIFT)
    staff_id: UUID
    weekday: int = Field(ge=1, le=7)
    opens: Clock
    closes: Clock

    @property
    def shift(self) -> Shift:
        opens_m, closes_m = _minutes(self.opens), _minutes(self.closes)
        return Shift(self.staff_id, self.weekday, opens_m, closes_m if closes_m > opens_m else closes_m + DAY_M)

    @classmethod
    def of(cls, shift: Shift) -> "ShiftBody":
        return cls(
            staff_id=shift.staff_id, weekday=shift.weekday, opens=_text(shift.opens_m), closes=_text(shift.closes_m)
        )


class PlanBody(Strict):
    """The whole weekly plan of the community."""

    model_config = example(shifts=[_SHIFT])
    shifts: list[ShiftBody] = Field(max_length=WEEK_SHIFTS)


class ExceptionBody(Strict):
    """Somebody is on duty (替班), or off (请假), whatever the plan says."""

    model_config = example(**_EXCEPTION)
    staff_id: UUID
    starts_at: Instant
    ends_at: Instant
    on_duty: bool
    note: str = Field(min_length=2, max_length=200)

    @property
    def new(self) -> Exceptional:
        return Exceptional(self.staff_id, self.starts_at, self.ends_at, self.on_duty, self.note)


class ExceptionView(Strict):
    model_config = example(id=_ID, **_EXCEPTION)
    id: UUID
    staff_id: UUID
    starts_at: datetime
    ends_at: datetime
    on_duty: bool
    note: str

    @classmethod
    def of(cls, row: Record) -> "ExceptionView":
        return cls(**dict(row.items()))


class ExceptionMade(Strict):
    model_config = example(id=_ID)
    id: UUID


class PersonView(Strict):
    model_config = example(**_PERSON)
    id: UUID
    name: str


class DutyView(Strict):
    """The plan, what differs from it from now on, and who is on duty now."""

    model_config = example(shifts=[_SHIFT], exceptions=[], on_duty=[_PERSON])
    shifts: list[ShiftBody]
    exceptions: list[ExceptionView]
    on_duty: list[PersonView]


class FieldsBody(Strict):
    """What a worker does (categories) and where (buildings); empty: everything, everywhere."""

    model_config = example(category_ids=[_ID], building_ids=[])
    category_ids: list[UUID] = Field(max_length=200)
    building_ids: list[UUID] = Field(max_length=200)

    @property
    def fields(self) -> Fields:
        return Fields(self.category_ids, self.building_ids)


class WorkerView(Strict):
    model_config = example(**_PERSON, category_ids=[_ID], building_ids=[])
    id: UUID
    name: str
    category_ids: list[UUID]
    building_ids: list[UUID]

    @classmethod
    def of(cls, row: Record) -> "WorkerView":
        return cls(id=row["id"], name=row["name"], category_ids=row["skills"], building_ids=row["buildings"])


class WorkerList(Strict):
    model_config = example(items=[])
    items: list[WorkerView]


class RuleBody(Strict):
    """`at_once`: dispatched by rota when it comes in. Minutes before and after a promise ends, 0 warnings: none;
    urging: so many times in a round, so many hours apart; duplicates: so many days back."""

    model_config = example(**_RULE)
    at_once: bool
    warn_before_m: int = Field(ge=0, le=10_080)
    escalate_after_m: int = Field(ge=0, le=10_080)
    urge_times: int = Field(ge=0, le=100)
    urge_hours: int = Field(ge=1, le=720)
    similar_days: int = Field(ge=1, le=90)

    @property
    def rule(self) -> Handling:
        return Handling(**{name: getattr(self, name) for name in RuleBody.model_fields})


class HandlingBody(Strict):
    """`category_id` null: for the whole company. `rule` null: the category's own is taken away."""

    model_config = example(category_id=None, rule=_RULE)
    category_id: UUID | None = None
    rule: RuleBody | None


class HandlingView(Strict):
    model_config = example(category_id=None, rule=_RULE)
    category_id: UUID | None
    rule: RuleBody

    @classmethod
    def of(cls, category_id: UUID | None, rule: Handling) -> "HandlingView":
        return cls(category_id=category_id, rule=RuleBody(**asdict(rule)))


class HandlingList(Strict):
    """The company's rule, and those of categories that have their own."""

    model_config = example(items=[])
    items: list[HandlingView]


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _text(minutes: int) -> str:
    return f"{minutes % DAY_M // 60:02}:{minutes % 60:02}"
