"""Requests and answers of messaging's staff routes."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from backend.kernel.http import Strict, example
from backend.kernel.parked import ParkedRow
from backend.messaging.meanings import MEANINGS
from backend.messaging.parked import ParkedMessage
from backend.messaging.templates import Channel, Template

TEMPLATE = {
    "id": "0199023c-5a00-7000-8000-000000000003",
    "appid": "wxd678efh567hg6787",
    "channel": "subscription",
    "meaning": "bill_issued",
    "template_id": "FpJx0pV2Y5mD1nC8",
    "fields": {"thing1": "houses", "amount2": "amount", "phrase3": "=待缴费"},
}
MEANING = {"name": "bill_issued", "title": "新账单", "values": ["houses", "item", "period", "amount", "due_on"]}
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
    "created_at": "2026-09-01T02:00:00Z",
    "parked_at": "2026-09-01T02:00:02Z",
}


class TemplateAnswer(Strict):
    """A template; `fields` maps its keys to values of the meaning, or to a fixed text behind `=`."""

    model_config = example(**TEMPLATE)

    id: UUID
    appid: str
    channel: Channel
    meaning: str
    template_id: str
    fields: dict[str, str]

    @classmethod
    def of(cls, template: Template) -> "TemplateAnswer":
        """The answer about a template."""
        return cls(
            id=template.id,
            appid=template.appid,
            channel=template.channel,
            meaning=template.meaning,
            template_id=template.template_id,
            fields=dict(template.fields),
        )


class MeaningAnswer(Strict):
    """A kind of message and the values that its template may show."""

    model_config = example(**MEANING)

    name: str
    title: str
    values: list[str]


class TemplatesAnswer(Strict):
    """All templates of the company, and what there is to be mapped."""

    model_config = example(items=[TEMPLATE], meanings=[MEANING])

    items: list[TemplateAnswer]
    meanings: list[MeaningAnswer]

    @classmethod
    def of(cls, templates: list[Template]) -> "TemplatesAnswer":
        """The answer about these templates."""
        return cls(
            items=[TemplateAnswer.of(template) for template in templates],
            meanings=[MeaningAnswer(name=m.name, title=m.title, values=list(m.values)) for m in MEANINGS.values()],
        )


class TemplateBody(Strict):
    """The template of a meaning in one app; replaces the one before."""

    model_config = example(**{name: value for name, value in TEMPLATE.items() if name != "id"})

    appid: str = Field(min_length=1, max_length=32)
    channel: Channel = Field(strict=False)
    meaning: str = Field(min_length=1, max_length=40)
    template_id: str = Field(min_length=1, max_length=64)
    fields: dict[str, str] = Field(min_length=1, max_length=10)


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
    """A message that WeChat refused."""

    model_config = example(**MESSAGE)

    id: UUID
    community_id: UUID
    meaning: str
    channel: str | None
    template_id: str | None
    attempt: int
    errcode: int | None
    error: str | None
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
