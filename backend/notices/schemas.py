"""What the staff routes of notices (公告) take and answer."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from backend.kernel.days import Instant
from backend.kernel.db import Record
from backend.kernel.http import Page, Strict, example
from backend.media.schemas import MediaView
from backend.messaging.figures import Figures
from backend.messaging.reach import Reach, Shown
from backend.messaging.templates import Channel
from backend.notices.audience import Arrears, Audience, Rule
from backend.notices.drafts import Content
from backend.notices.reads import Listener
from backend.notices.states import NoticeKind, NoticeState, Parking, SendingKind
from backend.notices.words import Text

_ID = "01991b2a-7c00-7000-8000-000000000001"
_RULE: dict[str, Any] = {
    "building_ids": [_ID], "unit_ids": [], "house_ids": [], "roles": ["owner", "family"], "arrears": None,
    "parking": None,
}  # fmt: skip
_AUDIENCE = {"only": _RULE, "without": None}
_SAID: dict[str, Any] = {
    "kind": "utility", "title": "2栋周三停水", "body": "因更换水泵，2栋9月2日9:00至12:00停水，请提前储水。",
    "audience": _AUDIENCE,
}  # fmt: skip
_LINE: dict[str, Any] = {
    "id": _ID, "community_id": _ID, "kind": "utility", "title": "2栋周三停水", "state": "PUBLISHED", "urgent": False,
    "pinned_until": None, "expires_at": None, "publish_at": None, "created_at": "2026-09-01T02:00:00Z",
    "published_at": "2026-09-01T02:05:00Z", "person_count": 120, "house_count": 48, "withdrawn_at": None,
    "withdrawn_why": None,
}  # fmt: skip
_ROUND = {
    "kind": "publication", "begun_at": "2026-09-01T02:05:00Z", "done_at": "2026-09-01T02:05:01Z", "planned_count": 120,
    "template": 60, "subscription": 20, "inbox": 39, "waiting": 1, "failed": 0, "delivered": 75,
}  # fmt: skip
_LISTENER = {
    "person_id": _ID, "name": "张*", "phone": "138****0001", "houses": ["2栋1单元101"],
    "read_at": "2026-09-01T03:00:00Z",
}  # fmt: skip
Ids = Annotated[list[UUID], Field(max_length=500)]


def visible(text: str) -> str:
    """Not only spaces."""
    if not text.strip():
        raise ValueError("不能只有空格。")
    return text


Title = Annotated[str, StringConstraints(min_length=2, max_length=40, pattern=r"^\S(.*\S)?$")]
Body = Annotated[str, Field(min_length=2, max_length=5000), AfterValidator(visible)]
Why = Annotated[str, Field(min_length=2, max_length=200), AfterValidator(visible)]


class ArrearsBody(Strict):
    """Houses whose bills overdue by at least `days` days come to at least `min_fen`."""

    model_config = example(days=30, min_fen=10_000)
    days: int = Field(ge=1, le=3650)
    min_fen: int = Field(1, ge=1, le=10**12)


class RuleBody(Strict):
    """All that is named must hold together; places are one of several; what is empty asks nothing."""

    model_config = example(**_RULE)
    building_ids: Ids = Field(default_factory=list)
    unit_ids: Ids = Field(default_factory=list)
    house_ids: Ids = Field(default_factory=list)
    roles: list[Literal["owner", "family", "tenant"]] = Field(default_factory=list, max_length=3)
    arrears: ArrearsBody | None = None
    parking: Parking | None = None

    @property
    def rule(self) -> Rule:
        return Rule(
            building_ids=tuple(self.building_ids),
            unit_ids=tuple(self.unit_ids),
            house_ids=tuple(self.house_ids),
            roles=tuple(self.roles),
            arrears=Arrears(self.arrears.days, self.arrears.min_fen) if self.arrears else None,
            parking=self.parking,
        )


class AudienceBody(Strict):
    """Whom a notice is for: whom `only` takes (nothing named: everybody of the community), without `without`."""

    model_config = example(**_AUDIENCE)
    only: RuleBody = Field(default_factory=RuleBody)
    without: RuleBody | None = None

    @model_validator(mode="after")
    def _leaves_somebody(self) -> "AudienceBody":
        if self.without == RuleBody():
            raise ValueError("排除条件不能为空，否则会排除所有人。")
        return self

    @property
    def audience(self) -> Audience:
        return Audience(self.only.rule, self.without.rule if self.without else None)


class ReachBody(Strict):
    """What is to be said, and to whom."""

    model_config = example(**_SAID)
    kind: NoticeKind
    title: Title
    body: Body
    audience: AudienceBody = Field(default_factory=AudienceBody)

    @property
    def text(self) -> Text:
        return Text(self.kind, self.title, self.body)


class NoticeBody(ReachBody):
    """A notice as staff write it; `urgent` breaks quiet hours; `media_ids`: up to nine pictures and PDF files."""

    model_config = example(
        **_SAID, urgent=False, pinned_until="2026-09-02T12:00:00+08:00", expires_at="2026-09-03T00:00:00+08:00",
        media_ids=[],
    )  # fmt: skip
    urgent: bool = False
    pinned_until: Instant | None = None
    expires_at: Instant | None = None
    media_ids: list[UUID] = Field(default_factory=list, max_length=9)

    @property
    def content(self) -> Content:
        return Content(
            text=self.text,
            audience=self.audience.audience,
            media_ids=tuple(dict.fromkeys(self.media_ids)),
            urgent=self.urgent,
            pinned_until=self.pinned_until,
            expires_at=self.expires_at,
        )


class NoticeMade(Strict):
    model_config = example(id=_ID)
    id: UUID


class NoticeQuery(Page):
    state: NoticeState | None = None


class NoticeLine(Strict):
    """A notice in a list; `person_count` and `house_count` are its frozen audience."""

    model_config = example(**_LINE)
    id: UUID
    community_id: UUID
    kind: NoticeKind
    title: str
    state: NoticeState
    urgent: bool
    pinned_until: datetime | None
    expires_at: datetime | None
    publish_at: datetime | None
    created_at: datetime
    published_at: datetime | None
    person_count: int | None
    house_count: int | None
    withdrawn_at: datetime | None
    withdrawn_why: str | None

    @classmethod
    def of(cls, row: Record) -> "NoticeLine":
        return cls(**_line(row))


class NoticeList(Strict):
    """Notices, the latest first."""

    model_config = example(items=[_LINE], next_cursor=None)
    items: list[NoticeLine]
    next_cursor: str | None


class RoundView(Strict):
    """One round of messages: how many were planned, by which way they went, how many wait or have failed.

    `delivered`: of those that went through WeChat, as it has told so far.
    """

    model_config = example(**_ROUND)
    kind: SendingKind
    begun_at: datetime
    done_at: datetime | None
    planned_count: int
    template: int
    subscription: int
    inbox: int
    waiting: int
    failed: int
    delivered: int

    @classmethod
    def of(cls, row: Record, told: Figures) -> "RoundView":
        return cls(
            kind=SendingKind(row["kind"]), begun_at=row["begun_at"], done_at=row["done_at"],
            planned_count=row["planned_count"], template=told.sent_template, subscription=told.sent_subscription,
            inbox=told.inbox_only, waiting=told.waiting, failed=told.unknown + told.parked, delivered=told.delivered,
        )  # fmt: skip


class NoticeView(NoticeLine):
    """All of a notice, with its figures."""

    model_config = example(
        **_LINE, body=_SAID["body"], audience=_AUDIENCE, attachments=[], read_count=40, rounds=[_ROUND]
    )
    body: str
    audience: AudienceBody
    attachments: list[MediaView]
    read_count: int
    rounds: list[RoundView]

    @classmethod
    def whole(
        cls, row: Record, *, attachments: list[MediaView], read_count: int, rounds: Sequence[tuple[Record, Figures]]
    ) -> "NoticeView":
        return cls(
            **_line(row),
            body=row["body"],
            audience=AudienceBody.model_validate_json(orjson.dumps(row["audience"])),
            attachments=attachments,
            read_count=read_count,
            rounds=[RoundView.of(*one) for one in rounds],
        )


def _line(row: Record) -> dict[str, Any]:
    named = {name: row[name] for name in NoticeLine.model_fields}
    return named | {"kind": NoticeKind(row["kind"]), "state": NoticeState(row["state"])}


class ShownView(Strict):
    """The message as one template shows it; `why` WeChat would refuse it, null when it is taken."""

    model_config = example(
        channel="template", appid="wx0000000000000001", template_id="Tpl1", data={"thing1": "2栋周三停水"}, why=None
    )
    channel: Channel
    appid: str
    template_id: str
    data: Mapping[str, str]
    why: str | None


class ReachView(Strict):
    """Who would be reached at present, how, and what each way would show.

    `template` by the official account, `subscription` by the mini-program, `inbox` in the inbox alone; `unfit` would
    be refused by WeChat, see `shown`.
    """

    model_config = example(
        people=120, houses=48, template=60, subscription=20, inbox=40, unfit=0, inbox_title="小区公告",
        inbox_body="阳光小区发布停水停电公告“2栋周三停水”：因更换水泵，2栋9月2日9:00至12:00停水。", shown=[],
    )  # fmt: skip
    people: int
    houses: int
    template: int
    subscription: int
    inbox: int
    unfit: int
    inbox_title: str
    inbox_body: str
    shown: list[ShownView]

    @classmethod
    def of(cls, reach: Reach, shown: Sequence[Shown], *, houses: int, title: str, body: str) -> "ReachView":
        return cls(
            people=reach.template + reach.subscription + reach.inbox + reach.unfit,
            houses=houses,
            template=reach.template,
            subscription=reach.subscription,
            inbox=reach.inbox,
            unfit=reach.unfit,
            inbox_title=title,
            inbox_body=body,
            shown=[
                ShownView(channel=one.channel, appid=one.appid, template_id=one.template_id, data=one.data, why=one.why)
                for one in shown
            ],
        )


class PublishBody(Strict):
    """When: null at once, else by itself at this instant."""

    model_config = example(publish_at=None)
    publish_at: Instant | None = None


class WithdrawBody(Strict):
    model_config = example(why="停水时间有误")
    why: Why


class ListenerQuery(Page):
    """`read`: who has read it, or who has not."""

    read: bool


class ListenerView(Strict):
    """Somebody of the audience, masked."""

    model_config = example(**_LISTENER)
    person_id: UUID
    name: str | None
    phone: str | None
    houses: list[str]
    read_at: datetime | None

    @classmethod
    def of(cls, one: Listener) -> "ListenerView":
        return cls(
            person_id=one.person_id, name=one.name, phone=one.phone, houses=list(one.houses), read_at=one.read_at
        )


class ListenerList(Strict):
    """The audience by page."""

    model_config = example(items=[_LISTENER], next_cursor=None)
    items: list[ListenerView]
    next_cursor: str | None
