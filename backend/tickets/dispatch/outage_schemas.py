"""What the routes of outages (停复公告) take and answer; a ticket's detail shows the outage that has bound it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from backend.kernel.days import Instant
from backend.kernel.db import Record
from backend.kernel.http import Page, Strict, example
from backend.tickets.dispatch.outages import New
from backend.tickets.states import OutageState

_ID = "01991b2a-7c00-7000-8000-000000000001"
_NOTE = {"at": "2026-09-01T03:00:00Z", "words": "水泵已更换，正在试水"}
_OUTAGE: dict[str, Any] = {
    "id": _ID, "community_id": _ID, "category_id": None, "category": None, "building_id": None, "building": None,
    "title": "2栋停水", "words": "水泵故障，正在抢修", "state": "OPEN", "began_at": "2026-09-01T02:00:00Z",
    "expected_at": "2026-09-01T08:00:00Z", "ended_at": None, "tickets": 12,
}  # fmt: skip
Words = Annotated[str, Field(min_length=2, max_length=200)]


class OutageView(Strict):
    """An outage: what has failed and where (null: everywhere), when it should be over, how many tickets it binds."""

    model_config = example(**_OUTAGE)
    id: UUID
    community_id: UUID
    category_id: UUID | None
    category: str | None
    building_id: UUID | None
    building: str | None
    title: str
    words: str
    state: OutageState
    began_at: datetime
    expected_at: datetime | None
    ended_at: datetime | None
    tickets: int

    @classmethod
    def of(cls, row: Record) -> "OutageView":
        named = {name: row[name] for name in cls.model_fields if name != "state"}
        return cls(**named, state=OutageState(row["state"]))


class OutageList(Strict):
    """Outages, the latest first."""

    model_config = example(items=[_OUTAGE], next_cursor=None)
    items: list[OutageView]
    next_cursor: str | None


class OutageNoteView(Strict):
    """What was told of it."""

    model_config = example(**_NOTE)
    at: datetime
    words: str


class OutageStory(Strict):
    """The outage that speaks for a ticket, with what was told of it; residents get no more than concerns them."""

    model_config = example(
        title="2栋停水", words="水泵故障，正在抢修", state="OPEN", expected_at="2026-09-01T08:00:00Z", ended_at=None,
        notes=[_NOTE],
    )  # fmt: skip
    title: str
    words: str
    state: OutageState
    expected_at: datetime | None
    ended_at: datetime | None
    notes: list[OutageNoteView]

    @classmethod
    def of(cls, row: Record, notes: Sequence[Record]) -> "OutageStory":
        return cls(
            title=row["title"],
            words=row["words"],
            state=OutageState(row["state"]),
            expected_at=row["expected_at"],
            ended_at=row["ended_at"],
            notes=[OutageNoteView(at=note["at"], words=note["words"]) for note in notes],
        )


class OutageQuery(Page):
    state: OutageState | None = None


class OutageBody(Strict):
    """`category_id`, `building_id` null: whatever is reported, in all of the community."""

    model_config = example(
        category_id=None, building_id=None, title="2栋停水", words="水泵故障，正在抢修",
        began_at="2026-09-01T10:00:00+08:00", expected_at=None,
    )  # fmt: skip
    category_id: UUID | None = None
    building_id: UUID | None = None
    title: str = Field(min_length=2, max_length=30)
    words: str = Field(min_length=2, max_length=500)
    began_at: Instant
    expected_at: Instant | None = None

    @property
    def new(self) -> New:
        return New(self.category_id, self.building_id, self.title, self.words, self.began_at, self.expected_at)


class OutageMade(Strict):
    model_config = example(id=_ID)
    id: UUID


class OutageTickets(Strict):
    """Tickets that the outage is to speak for: all or none."""

    model_config = example(ticket_ids=[_ID])
    ticket_ids: list[UUID] = Field(min_length=1, max_length=100)


class OutageBound(Strict):
    model_config = example(count=1)
    count: int


class OutageNoteBody(Strict):
    """What everybody who reported it is told; `expected_at` null: stays as it was."""

    model_config = example(words="水泵已更换，正在试水", expected_at=None)
    words: Words
    expected_at: Instant | None = None


class OutageEndBody(Strict):
    model_config = example(words="已恢复供水")
    words: Words
