"""What the routes of complaints take and answer; residents' routes share some of it."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from backend.identity import people
from backend.kernel.db import Record
from backend.kernel.http import Page, Strict, example
from backend.tickets.complaints.policy import Policy, Promise
from backend.tickets.complaints.register import Caller, Particulars
from backend.tickets.complaints.words import NATURE_TEXT, Nature, Outcome, Urgency
from backend.tickets.schemas import ID, Words
from backend.tickets.states import STATE_TEXT, Channel, Kind, State
from backend.tickets.submitting import New

LongWords = Annotated[str, Field(min_length=2, max_length=1000)]
Days = Annotated[int, Field(ge=1, le=90)]
_SHOWN: dict[str, Any] = {
    "nature": "noise", "nature_text": "噪声", "urgency": "usual", "contact_due_at": "2026-09-03T10:00:00Z",
    "contacted_at": None, "answer_due_at": "2026-09-10T10:00:00Z", "answered_at": None, "outcome": None,
}  # fmt: skip
_COMPLAINT: dict[str, Any] = {
    **_SHOWN, "id": ID, "no": 1024, "community_id": ID, "kind": "complaint", "category": "投诉", "state": "SUBMITTED",
    "state_text": "已提交", "channel": "phone", "anonymous": False, "house": "1栋1单元101", "place": None,
    "description": "楼上深夜噪声扰民", "taken_by": "王小燕", "paper_no": None, "bill_id": None, "cause": None,
    "has_caller": True, "submitted_at": "2026-09-01T02:00:00Z",
}  # fmt: skip


class MyComplaint(Strict):
    """What a resident reads of a complaint besides the ticket: what is promised, and what came of it."""

    model_config = example(**_SHOWN)
    nature: Nature
    nature_text: str
    urgency: Urgency
    contact_due_at: datetime | None
    contacted_at: datetime | None
    answer_due_at: datetime | None
    answered_at: datetime | None
    outcome: Outcome | None

    @classmethod
    def of(cls, row: Record) -> Self:
        made: Mapping[str, Any] = {
            "nature": Nature(row["nature"]),
            "nature_text": NATURE_TEXT[Nature(row["nature"])],
            "urgency": Urgency(row["urgency"]),
            "outcome": row["outcome"] and Outcome(row["outcome"]),
        }
        return cls(**{**{name: row[name] for name in cls.model_fields if name not in made}, **made})


class ComplaintView(MyComplaint):
    """A complaint as staff see it. `has_caller`: somebody gave a name or a phone, which is read with a reason."""

    model_config = example(**_COMPLAINT)
    id: UUID
    no: int
    community_id: UUID
    kind: Kind
    category: str
    state: State
    state_text: str
    channel: Channel
    anonymous: bool
    house: str | None
    place: str | None
    description: str
    taken_by: str | None
    paper_no: str | None
    bill_id: UUID | None
    cause: str | None
    has_caller: bool
    submitted_at: datetime

    @classmethod
    def of(cls, row: Record) -> Self:
        made = {
            **{name: row[name] for name in cls.model_fields.keys() & set(row.keys())},
            "nature": Nature(row["nature"]),
            "nature_text": NATURE_TEXT[Nature(row["nature"])],
            "urgency": Urgency(row["urgency"]),
            "outcome": row["outcome"] and Outcome(row["outcome"]),
            "kind": Kind(row["kind"]),
            "state": State(row["state"]),
            "state_text": STATE_TEXT[State(row["state"])],
            "channel": Channel(row["channel"]),
        }
        return cls(**made)


class ComplaintList(Strict):
    """Complaints, the newest first."""

    model_config = example(items=[_COMPLAINT], next_cursor=None)
    items: list[ComplaintView]
    next_cursor: str | None


class ComplaintQuery(Page):
    """Which complaints; what is not told does not narrow. `late`: those whose answer is overdue;
    `caller_phone`: those that this phone called about.
    """

    kind: Kind | None = None
    nature: Nature | None = None
    urgency: Urgency | None = None
    late: bool = False
    caller_phone: str | None = Field(None, min_length=5, max_length=30)


class CallDue(Strict):
    """A settled ticket about which somebody is to call; `stars` and `words`: what the resident said."""

    model_config = example(
        id=ID, no=1024, community_id=ID, kind="complaint", category="投诉", state_text="已评价", anonymous=False,
        house="1栋1单元101", place=None, settled_at="2026-09-05T02:00:00Z", stars=2, words="还是很吵",
    )  # fmt: skip
    id: UUID
    no: int
    community_id: UUID
    kind: Kind
    category: str
    state_text: str
    anonymous: bool
    house: str | None
    place: str | None
    settled_at: datetime
    stars: int | None
    words: str | None

    @classmethod
    def of(cls, row: Record) -> "CallDue":
        made = {
            "kind": Kind(row["kind"]),
            "state_text": STATE_TEXT[State(row["state"])],
            "settled_at": row["moved_at"],
        }
        return cls(**{**{name: row[name] for name in cls.model_fields if name not in made}, **made})


class CallsDue(Strict):
    """At most a hundred, the longest waiting first."""

    model_config = example(items=[])
    items: list[CallDue]


class TakeBody(Strict):
    """What came by telephone, on paper or by word of mouth. Anonymous: no house, no name, no phone."""

    model_config = example(
        community_id=ID, category_id=ID, channel="phone", nature="noise", urgency="usual", anonymous=False,
        house_id=ID, place=None, description="楼上深夜噪声扰民", caller_name="张三", caller_phone="13800001234",
        paper_no=None,
    )  # fmt: skip
    community_id: UUID
    category_id: UUID
    channel: Channel
    nature: Nature
    urgency: Urgency = Urgency.USUAL
    anonymous: bool = False
    house_id: UUID | None = None
    place: str | None = Field(None, min_length=1, max_length=100)
    description: LongWords
    caller_name: str | None = Field(None, min_length=1, max_length=50)
    caller_phone: str | None = Field(None, min_length=5, max_length=30)
    paper_no: str | None = Field(None, min_length=1, max_length=30)

    @model_validator(mode="after")
    def _by_staff(self) -> Self:
        if self.channel is Channel.MINIPROGRAM:
            raise ValueError("代录入的渠道须为电话、意见箱或员工转述。")
        return self

    @property
    def new(self) -> New:
        phone = None if self.caller_phone is None else people.phone_of(self.caller_phone)
        caller = None if self.caller_name is None and phone is None else Caller(self.caller_name, phone)
        particulars = Particulars(self.nature, self.urgency, self.anonymous, caller=caller, paper_no=self.paper_no)
        return New(
            self.community_id, self.category_id, self.house_id, self.place, self.description, particulars=particulars
        )


class ClassifyBody(Strict):
    model_config = example(nature="noise", urgency="urgent", reason=None)
    nature: Nature
    urgency: Urgency
    reason: Words | None = None


class TextBody(Strict):
    """Something that the other side reads."""

    model_config = example(reason="已联系楼上住户，今晚再去看一次")
    reason: LongWords


class AnswerBody(Strict):
    """The written answer. `outcome`: whether a suggestion is adopted, how a disputed bill is decided; else null."""

    model_config = example(reason="已与楼上住户约定晚十点后不再施工", outcome=None)
    reason: LongWords
    outcome: Outcome | None = None


class CauseNoteBody(Strict):
    model_config = example(cause_id=ID, reason=None)
    cause_id: UUID
    reason: Words | None = None


class ReplyBody(Strict):
    model_config = example(reason="感谢您的评价，我们会继续改进")
    reason: str = Field(min_length=1, max_length=500)


class CallerAnswer(Strict):
    """Who called, whole; the reading is in the audit."""

    model_config = example(name="张三", phone="13800001234")
    name: str | None
    phone: str | None


class ReporterAnswer(Strict):
    """Who reported an anonymous ticket; the reading is in the audit."""

    model_config = example(name="张三", phone="13800001234", house="1栋1单元101")
    name: str | None
    phone: str | None
    house: str


class PromiseBody(Strict):
    """Working days; `nature` null: of any."""

    model_config = example(nature=None, urgency="urgent", contact_days=1, answer_days=3)
    nature: Nature | None = None
    urgency: Urgency
    contact_days: Days
    answer_days: Days


class PolicyBody(Strict):
    """`rating_tags` empty: a rating says what it likes; `dispute_category_id` null: disputes are not taken."""

    model_config = example(
        promises=[{"nature": None, "urgency": "urgent", "contact_days": 1, "answer_days": 3}],
        rating_tags=["态度好", "处理快"], dispute_category_id=ID,
    )  # fmt: skip
    promises: list[PromiseBody] = Field(default_factory=list, max_length=33)
    rating_tags: list[Annotated[str, Field(min_length=1, max_length=10)]] = Field(default_factory=list, max_length=30)
    dispute_category_id: UUID | None = None

    @property
    def policy(self) -> Policy:
        promises = tuple(Promise(p.nature, p.urgency, p.contact_days, p.answer_days) for p in self.promises)
        return Policy(promises, tuple(dict.fromkeys(self.rating_tags)), self.dispute_category_id)

    @classmethod
    def of(cls, policy: Policy) -> "PolicyBody":
        promises = [
            PromiseBody(nature=p.nature, urgency=p.urgency, contact_days=p.contact_days, answer_days=p.answer_days)
            for p in policy.promises
        ]
        return cls(
            promises=promises, rating_tags=list(policy.rating_tags), dispute_category_id=policy.dispute_category_id
        )  # fmt: skip


class CauseBody(Strict):
    model_config = example(name="响应不及时")
    name: str = Field(min_length=1, max_length=20)


class CauseMade(Strict):
    model_config = example(id=ID)
    id: UUID


class CauseView(Strict):
    model_config = example(id=ID, name="响应不及时", withdrawn_at=None)
    id: UUID
    name: str
    withdrawn_at: datetime | None


class CauseList(Strict):
    model_config = example(items=[{"id": ID, "name": "响应不及时", "withdrawn_at": None}])
    items: list[CauseView]


class FiguresQuery(Strict):
    """Days of coming in, both included, in Asia/Shanghai; at most 366."""

    first_on: date
    last_on: date
    community_id: UUID | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not 0 <= (self.last_on - self.first_on).days <= 366:
            raise ValueError("统计的起止日期须按先后填写，最长一年。")
        return self


class FiguresRow(Strict):
    """Of a community, a kind, a nature and a cause. `per_100_houses`: to a hundred houses; null without any."""

    model_config = example(
        community_id=ID, kind="complaint", nature="noise", nature_text="噪声", cause=None, tickets=12,
        contacted_on_time=11, contacted_late=1, answered_on_time=10, answered_late=2, reopened=1, rated=8, satisfied=6,
        houses=600, per_100_houses=2.0,
    )  # fmt: skip
    community_id: UUID
    kind: Kind
    nature: Nature
    nature_text: str
    cause: str | None
    tickets: int
    contacted_on_time: int
    contacted_late: int
    answered_on_time: int
    answered_late: int
    reopened: int
    rated: int
    satisfied: int
    houses: int
    per_100_houses: float | None

    @classmethod
    def of(cls, row: Record) -> "FiguresRow":
        made = {
            "kind": Kind(row["kind"]),
            "nature": Nature(row["nature"]),
            "nature_text": NATURE_TEXT[Nature(row["nature"])],
            "per_100_houses": round(100 * row["tickets"] / row["houses"], 2) if row["houses"] else None,
        }
        return cls(**{**{name: row[name] for name in cls.model_fields if name not in made}, **made})


class FiguresAnswer(Strict):
    model_config = example(items=[])
    items: list[FiguresRow]
