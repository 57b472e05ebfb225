"""What the routes of tickets take and answer; residents' routes share the views of tickets."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from backend.kernel.days import Instant
from backend.kernel.db import Record
from backend.kernel.http import Page, Strict, example
from backend.media.schemas import MediaView
from backend.tickets.dispatch.outage_schemas import OutageStory
from backend.tickets.moves import MOVES, Move
from backend.tickets.screening.hiding import MASK, NOTHING, Hidden
from backend.tickets.states import STATE_TEXT, AlarmLevel, Channel, ClockKind, Kind, State
from backend.tickets.step import Stars

# A row holds a member's word, which is taken for the member; a body still has to be exact.
_WORD = Field(strict=False)
ID = "01991b2a-7c00-7000-8000-000000000001"
Words = Annotated[str, Field(min_length=2, max_length=200)]
MediaIds = Annotated[list[UUID], Field(max_length=9)]
MAX_NO = (1 << 63) - 1
_CLOCK = {
    "kind": "finish", "due_at": "2026-09-01T10:00:00Z", "paused": False, "stopped_at": None, "late": False,
    "alarm": None,
}  # fmt: skip
_EVENT: dict[str, Any] = {
    "move": "submit", "title": "提交", "state": "SUBMITTED", "state_text": "已提交", "at": "2026-09-01T02:00:00Z",
    "by": "resident", "name": None, "reason": None, "details": {}, "media": [],
}  # fmt: skip
TICKET: dict[str, Any] = {
    "id": ID, "no": 1024, "community_id": ID, "category_id": ID, "category": "水电维修", "kind": "repair_home",
    "state": "ACCEPTED", "state_text": "已接单", "channel": "miniprogram", "house_id": ID, "house": "1栋1单元101",
    "place": None, "description": "厨房水龙头漏水", "flag": None, "urgent": False, "anonymous": False, "round": 1,
    "assignee_id": ID, "assignee": "赵大勇", "paused_until": None, "merged_into": None, "warranty_until": None,
    "submitted_at": "2026-09-01T02:00:00Z", "moved_at": "2026-09-01T02:10:00Z", "done_at": None, "outage_id": None,
    "urged_times": 0, "urged_at": None, "clocks": [_CLOCK],
}  # fmt: skip


class ClockView(Strict):
    """A promise: when it falls due, whether it stands still, when it was kept (or void); `late`: past its time;
    `alarm`: the last that was told of it."""

    model_config = example(**_CLOCK)
    kind: Annotated[ClockKind, _WORD]
    due_at: datetime
    paused: bool
    stopped_at: datetime | None
    late: bool
    alarm: Annotated[AlarmLevel, _WORD] | None


def clock_values(row: Record, *, now: datetime) -> dict[str, Any]:
    """The fields of a view of a promise."""
    due_at, paused_at, stopped_at = row["due_at"], row["paused_at"], row["stopped_at"]
    return {
        "kind": row["kind"],
        "due_at": due_at,
        "paused": paused_at is not None,
        "stopped_at": stopped_at,
        "late": (stopped_at or paused_at or now) > due_at,
        "alarm": row["alarm"],
    }


class TicketView(Strict):
    """A ticket as a list shows it. `no`: the number that people say; `round` grows with every reopening.

    Urging is that of the round. `flag`: the worst that the content check has found, for staff alone.
    """

    model_config = example(**TICKET)
    id: UUID
    no: int
    community_id: UUID
    category_id: UUID
    category: str
    kind: Annotated[Kind, _WORD]
    state: Annotated[State, _WORD]
    state_text: str
    channel: Annotated[Channel, _WORD]
    house_id: UUID | None
    house: str | None
    place: str | None
    description: str
    flag: Literal["review", "risky"] | None
    urgent: bool
    anonymous: bool
    round: int
    assignee_id: UUID | None
    assignee: str | None
    paused_until: datetime | None
    merged_into: UUID | None
    warranty_until: date | None
    submitted_at: datetime
    moved_at: datetime
    done_at: datetime | None
    outage_id: UUID | None
    urged_times: int
    urged_at: datetime | None
    clocks: list[ClockView]

    @classmethod
    def of(cls, row: Record, clocks: Mapping[UUID, Sequence[Record]], *, now: datetime) -> "TicketView":
        return cls(**ticket_values(row, clocks, now=now))


_AS_THEY_ARE = tuple(name for name in TicketView.model_fields if name not in ("state_text", "clocks"))


def ticket_values(row: Record, clocks: Mapping[UUID, Sequence[Record]], *, now: datetime) -> dict[str, Any]:
    """The fields of a view of a ticket, as a view takes them and as JSON shows them."""
    values = {name: row[name] for name in _AS_THEY_ARE}
    values["state_text"] = STATE_TEXT[row["state"]]
    values["clocks"] = [clock_values(each, now=now) for each in clocks.get(row["id"], ())]
    return values


class TicketList(Strict):
    """Tickets, the newest first."""

    model_config = example(items=[TICKET], next_cursor=None)
    items: list[TicketView]
    next_cursor: str | None


class EventView(Strict):
    """What happened: by a resident, by staff (`name`) or by the system."""

    model_config = example(**_EVENT)
    move: Move
    title: str
    state: State
    state_text: str
    at: datetime
    by: str
    name: str | None
    reason: str | None
    details: dict[str, Any]
    media: list[MediaView]

    @classmethod
    def of(cls, row: Record, *, for_residents: bool, media: list[MediaView], masked: Hidden = NOTHING) -> "EventView":
        """`masked`: what the content check hides from who is asking."""
        move, state = Move(row["move"]), State(row["to_state"])
        rule = MOVES.get(move)
        hidden = for_residents and rule is not None and rule.private
        return cls(
            move=move,
            title="提交" if rule is None else rule.title,
            state=state,
            state_text=STATE_TEXT[state],
            at=row["at"],
            by=row["actor_kind"],
            name=row["actor"],
            reason=MASK if row["id"] in masked.events and row["reason"] else None if hidden else row["reason"],
            details={} if hidden else row["details"],
            media=[each for each in media if each.id not in masked.media],
        )

    @classmethod
    def of_leader(cls, row: Record) -> "EventView":
        """What happened to the ticket into which this one was merged: without words, which are of another's house."""
        shown = cls.of(row, for_residents=True, media=[])
        return shown.model_copy(update={"reason": None, "details": {}})


class RatingView(Strict):
    """What a resident said of a round, and what staff answered."""

    model_config = example(
        round=1, stars=5, tags=["准时"], words="很满意", rated_at="2026-09-02T02:00:00Z", reply=None, replied_at=None
    )  # fmt: skip
    round: int
    stars: int
    tags: list[str]
    words: str
    rated_at: datetime
    reply: str | None
    replied_at: datetime | None

    @classmethod
    def of(cls, row: Record, *, masked: Hidden = NOTHING) -> "RatingView":
        """`masked`: what the content check hides from who is asking."""
        values = dict(row.items())
        return cls(**values | {"words": MASK} if row["rated_at"] in masked.instants else values)


class TicketDetail(TicketView):
    """A ticket with everything that happened to it, in order.

    `follows`: what happened to the one into which it was merged; `outage`: what speaks for it.
    """

    model_config = example(**TICKET, events=[_EVENT], follows=[], outage=None, ratings=[])
    events: list[EventView]
    follows: list[EventView]
    outage: OutageStory | None
    ratings: list[RatingView]


class MovedAnswer(Strict):
    """Where the ticket has come to."""

    model_config = example(state="ASSIGNED", state_text="已派单")
    state: State
    state_text: str

    @classmethod
    def of(cls, state: State) -> "MovedAnswer":
        return cls(state=state, state_text=STATE_TEXT[state])


class SubmittedAnswer(Strict):
    """The new ticket and its number."""

    model_config = example(id=ID, no=1024)
    id: UUID
    no: int


class ReasonBody(Strict):
    model_config = example(reason="已与住户电话确认")
    reason: Words


class NoteBody(Strict):
    """A word about it, where there is something to say."""

    model_config = example(reason=None)
    reason: Words | None = None


class PicturedNote(NoteBody):
    """A word about it and photos or videos, uploaded before."""

    model_config = example(reason="更换了密封圈", media_ids=[])
    media_ids: MediaIds = Field(default_factory=list)


class PicturedReason(ReasonBody):
    """The reason, with photos or videos, uploaded before."""

    model_config = example(reason="又漏水了", media_ids=[])
    media_ids: MediaIds = Field(default_factory=list)


class TriageBody(Strict):
    """`category_id`: another category, with its own promises; null: it stays."""

    model_config = example(category_id=None, reason=None)
    category_id: UUID | None = None
    reason: Words | None = None


class MergeBody(Strict):
    model_config = example(into_id=ID, reason="同一处漏水")
    into_id: UUID
    reason: Words | None = None


class AssignBody(Strict):
    model_config = example(staff_id=ID, reason=None)
    staff_id: UUID
    reason: Words | None = None


class TransferBody(Strict):
    model_config = example(staff_id=ID, reason="赵师傅休假")
    staff_id: UUID
    reason: Words


class PauseBody(PicturedReason):
    """Until when it stands still, and why."""

    model_config = example(until="2026-09-03T18:00:00+08:00", reason="等待配件到货", media_ids=[])
    until: Instant


class RatingBody(Strict):
    model_config = example(stars=5, tags=["准时", "专业"], words="师傅很耐心")
    stars: int = Field(ge=1, le=5)
    tags: list[Annotated[str, Field(min_length=1, max_length=10)]] = Field(default_factory=list, max_length=10)
    words: str = Field("", max_length=500)

    @property
    def given(self) -> Stars:
        return Stars(self.stars, tuple(dict.fromkeys(self.tags)), self.words)


class TicketQuery(Page):
    """Which tickets; what is not told does not narrow. `staff_id`: who has it in hand."""

    state: State | None = None
    kind: Kind | None = None
    category_id: UUID | None = None
    house_id: UUID | None = None
    staff_id: UUID | None = None
    no: int | None = Field(None, ge=1, le=MAX_NO)


class WorkList(Strict):
    """At most a hundred."""

    model_config = example(items=[TICKET])
    items: list[TicketView]


class ProposedAnswer(Strict):
    """An approval waits for somebody else."""

    model_config = example(approval_id=ID)
    approval_id: UUID
