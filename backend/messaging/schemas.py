"""Requests and answers of messaging's staff routes; those about templates are in template_schemas.py."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, time
from typing import Annotated
from uuid import UUID

from pydantic import Field

from backend.kernel.http import Strict, example
from backend.kernel.parked import ParkedRow
from backend.messaging.figures import Figures
from backend.messaging.parked import ParkedMessage
from backend.messaging.quiet_hours import USUAL, Hours, Setting

ROW = {
    "number": 1024,
    "event": "messaging.planned",
    "community_id": "0199023c-5a00-7000-8000-000000000004",
    "failures": 8,
    "emitted_at": "2026-09-01T02:00:00Z",
    "parked_at": "2026-09-01T02:05:00Z",
    "reason": "ValueError('…')",
}
MESSAGE = {
    "id": "0199023c-5a00-7000-8000-000000000005",
    "community_id": "0199023c-5a00-7000-8000-000000000004",
    "meaning": "bill_issued",
    "channel": "template",
    "template_id": "FpJx0pV2Y5mD1nC8",
    "attempt": 1,
    "errcode": 40037,
    "error": "invalid template_id",
    "advice": "微信没有这个模板编号。请在“消息模板”里换成微信后台现有的模板，再重新发送。",
    "created_at": "2026-09-01T02:00:00Z",
    "parked_at": "2026-09-01T02:00:02Z",
}


class ParkedRowAnswer(Strict):
    """A job that was put aside."""

    model_config = example(**ROW)

    number: int
    event: str
    community_id: UUID | None
    failures: int
    emitted_at: datetime
    parked_at: datetime
    reason: str

    @classmethod
    def of(cls, row: ParkedRow) -> "ParkedRowAnswer":
        """The answer about a row."""
        return cls(
            number=row.id,
            event=row.event,
            community_id=row.community_id,
            failures=row.failures,
            emitted_at=row.emitted_at,
            parked_at=row.parked_at,
            reason=row.reason,
        )


class ParkedRowsAnswer(Strict):
    """A page of parked jobs, oldest first."""

    model_config = example(items=[ROW], next_cursor=None)

    items: list[ParkedRowAnswer]
    next_cursor: str | None


class ParkedMessageAnswer(Strict):
    """A message that was put aside. `error` says why, in WeChat's words or ours; `advice` what to do about it."""

    model_config = example(**MESSAGE)

    id: UUID
    community_id: UUID
    meaning: str
    channel: str | None
    template_id: str | None
    attempt: int
    errcode: int | None
    error: str | None
    advice: str
    created_at: datetime
    parked_at: datetime

    @classmethod
    def of(cls, message: ParkedMessage) -> "ParkedMessageAnswer":
        """The answer about a message."""
        return cls(
            id=message.id,
            community_id=message.community_id,
            meaning=message.meaning,
            channel=message.channel,
            template_id=message.template_id,
            attempt=message.attempt,
            errcode=message.errcode,
            error=message.error,
            advice=message.advice,
            created_at=message.created_at,
            parked_at=message.parked_at,
        )


class ParkedMessagesAnswer(Strict):
    """A page of parked messages, oldest first."""

    model_config = example(items=[MESSAGE], next_cursor=None)

    items: list[ParkedMessageAnswer]
    next_cursor: str | None


class RetryBody(Strict):
    """Which parked messages to send again: one, or all of the community."""

    model_config = example(message_id=None)

    message_id: UUID | None = Field(None, strict=False)


class RetriedAnswer(Strict):
    """How many go again."""

    model_config = example(count=1)

    count: int


FIGURES = {
    "planned": 120,
    "waiting": 0,
    "sent_template": 80,
    "sent_subscription": 25,
    "inbox_only": 14,
    "unknown": 0,
    "parked": 1,
    "delivered": 101,
    "blocked": 2,
    "failed": 1,
}


class FiguresQuery(Strict):
    """Days on which messages were planned, both included."""

    model_config = example(from_on="2026-09-01", to_on="2026-09-30")

    from_on: date = Field(strict=False)
    to_on: date = Field(strict=False)


class MeaningFigures(Strict):
    """Messages of one kind. Of those sent, WeChat has told so far: delivered, blocked by the person, failed."""

    model_config = example(meaning="bill_issued", **FIGURES)

    meaning: str
    planned: int
    waiting: int
    sent_template: int
    sent_subscription: int
    inbox_only: int
    unknown: int
    parked: int
    delivered: int
    blocked: int
    failed: int


class FiguresAnswer(Strict):
    """By kind of message; the inbox has all of them."""

    model_config = example(items=[{"meaning": "bill_issued", **FIGURES}])

    items: list[MeaningFigures]

    @classmethod
    def of(cls, figures: Mapping[str, Figures]) -> "FiguresAnswer":
        """The answer about these figures."""
        return cls(items=[MeaningFigures(meaning=name, **asdict(one)) for name, one in figures.items()])


Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="时刻，写法如 21:30")]
USUAL_HOURS = {"begins": "21:30", "ends": "08:00"}


class HoursBody(Strict):
    """From `begins` up to `ends`, over midnight where that is earlier; equal: no quiet hours."""

    model_config = example(**USUAL_HOURS)

    begins: Clock
    ends: Clock

    @classmethod
    def of(cls, hours: Hours) -> "HoursBody":
        """The same hours as texts."""
        return cls(begins=f"{hours.begins:%H:%M}", ends=f"{hours.ends:%H:%M}")

    def hours(self) -> Hours:
        """The same hours as times."""
        return Hours(time.fromisoformat(self.begins), time.fromisoformat(self.ends))


class QuietHoursBody(Strict):
    """Quiet hours of the company, or of one community; `hours` null: what holds above it, in the end the usual ones."""

    model_config = example(community_id=None, hours=USUAL_HOURS)

    community_id: UUID | None = Field(None, strict=False)
    hours: HoursBody | None


class QuietHoursSetting(Strict):
    """What is set for the company (`community_id` null) or for one community."""

    model_config = example(community_id=None, hours=USUAL_HOURS)

    community_id: UUID | None
    hours: HoursBody


class QuietHoursAnswer(Strict):
    """What is set, and what holds where nothing is."""

    model_config = example(usual=USUAL_HOURS, items=[{"community_id": None, "hours": USUAL_HOURS}])

    usual: HoursBody
    items: list[QuietHoursSetting]

    @classmethod
    def of(cls, settings: Sequence[Setting]) -> "QuietHoursAnswer":
        """The answer about these settings."""
        items = [QuietHoursSetting(community_id=one.community_id, hours=HoursBody.of(one.hours)) for one in settings]
        return cls(usual=HoursBody.of(USUAL), items=items)
