"""What the routes of categories and rules of tickets take and answer."""

from dataclasses import asdict, fields
from datetime import datetime, time
from typing import Annotated
from uuid import UUID

from pydantic import Field

from backend.kernel.db import Record
from backend.kernel.http import Strict, example
from backend.tickets.categories import Settings
from backend.tickets.rules import Rules
from backend.tickets.schemas import ID
from backend.tickets.states import Dispatch, FollowUp, Kind
from backend.tickets.working_time import Measure

_CATEGORY = {
    "name": "水电维修", "kind": "repair_home", "dispatch": "assign", "measure": "working_minutes",
    "respond_within": 30, "arrive_within": 120, "finish_within": 960, "follow_up": "unrated", "paid": False,
    "needs_approval": False, "warranty_days": 90, "auto_sign_off_days": 7, "reopen_days": 7, "daily": None,
}  # fmt: skip
_RULES = {"hours": [["08:30", "12:00"], ["14:00", "18:00"]], "resident_daily": 10, "worker_open": 20}
Within = Annotated[int, Field(ge=1, le=100_000)]
Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class SettingsBody(Strict):
    """What a category promises. `measure`: what `*_within` count, null where nothing is promised."""

    model_config = example(**_CATEGORY)
    name: str = Field(min_length=1, max_length=20)
    kind: Kind
    dispatch: Dispatch = Dispatch.ASSIGN
    measure: Measure = Measure.WORKING_MINUTES
    respond_within: Within | None = None
    arrive_within: Within | None = None
    finish_within: Within | None = None
    follow_up: FollowUp = FollowUp.NONE
    paid: bool = False
    needs_approval: bool = False
    warranty_days: int = Field(0, ge=0, le=3650)
    auto_sign_off_days: int = Field(7, ge=1, le=90)
    reopen_days: int = Field(7, ge=0, le=365)
    daily: int | None = Field(None, ge=1, le=1000, description="tickets of one resident on a day in this category")

    @property
    def settings(self) -> Settings:
        return Settings(**{field.name: getattr(self, field.name) for field in fields(Settings)})


class CategoryBody(SettingsBody):
    """`community_id` null: in all communities; `parent_id`: the category above."""

    model_config = example(community_id=None, parent_id=None, **_CATEGORY)
    community_id: UUID | None = None
    parent_id: UUID | None = None


class CategoryView(SettingsBody):
    model_config = example(id=ID, community_id=None, parent_id=None, withdrawn_at=None, **_CATEGORY)
    id: UUID
    community_id: UUID | None
    parent_id: UUID | None
    withdrawn_at: datetime | None

    @classmethod
    def of(cls, row: Record) -> "CategoryView":
        made = {
            "kind": Kind(row["kind"]),
            "dispatch": Dispatch(row["dispatch"]),
            "measure": Measure(row["measure"]),
            "follow_up": FollowUp(row["follow_up"]),
        }
        return cls(**{**{name: row[name] for name in cls.model_fields}, **made})


class CategoryList(Strict):
    model_config = example(items=[])
    items: list[CategoryView]


class CategoryMade(Strict):
    model_config = example(id=ID)
    id: UUID


class RulesBody(Strict):
    """Working hours of a working day, tickets of one resident on a day, tickets that one worker may have in hand."""

    model_config = example(**_RULES)
    hours: list[Annotated[list[Clock], Field(min_length=2, max_length=2)]] = Field(min_length=1, max_length=6)
    resident_daily: int = Field(ge=1, le=1000)
    worker_open: int = Field(ge=1, le=1000)

    @property
    def rules(self) -> Rules:
        hours = tuple((time.fromisoformat(opens), time.fromisoformat(closes)) for opens, closes in self.hours)
        return Rules(hours, self.resident_daily, self.worker_open)

    @classmethod
    def of(cls, rules: Rules) -> "RulesBody":
        hours = [[f"{opens:%H:%M}", f"{closes:%H:%M}"] for opens, closes in rules.hours]
        return cls(**{**asdict(rules), "hours": hours})
