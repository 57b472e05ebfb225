"""Requests and answers of the staff routes about templates."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from backend.kernel.http import Strict, example
from backend.messaging.meanings import MEANINGS
from backend.messaging.registry import Listing
from backend.messaging.templates import Channel, Template

TEMPLATE: dict[str, Any] = {
    "appid": "wxd678efh567hg6787",
    "channel": "subscription",
    "meaning": "bill_issued",
    "template_id": "FpJx0pV2Y5mD1nC8",
    "fields": {"thing1": "houses", "amount2": "amount", "phrase3": "=待缴费"},
    "allowed": {},
}
PROBLEM = {"field": "fields.thing4", "message": "微信的模板有字段“thing4”，这里没有填写。"}
SAVED = {
    "id": "0199023c-5a00-7000-8000-000000000003",
    **TEMPLATE,
    "problems": [PROBLEM],
    "checked_at": "2026-09-01T02:00:00Z",
}
MEANING = {"name": "bill_issued", "title": "新账单", "values": ["houses", "item", "period", "amount", "due_on"]}
LISTED = {
    "template_id": "FpJx0pV2Y5mD1nC8",
    "title": "物业账单通知",
    "keys": ["thing1", "amount2", "phrase3"],
    "allowed": {},
}
Choices = Annotated[list[Annotated[str, Field(min_length=1, max_length=20)]], Field(min_length=1, max_length=50)]


class ProblemAnswer(Strict):
    """What is wrong with a template, by WeChat's own list."""

    model_config = example(**PROBLEM)

    field: str
    message: str


class TemplateAnswer(Strict):
    """A template; `fields` maps its keys to values of the meaning, or to a fixed text behind `=`.

    `allowed`: the values that WeChat takes for a key. `problems`: found at `checked_at`; null: never checked.
    """

    model_config = example(**SAVED)

    id: UUID
    appid: str
    channel: Channel
    meaning: str
    template_id: str
    fields: dict[str, str]
    allowed: dict[str, list[str]]
    problems: list[ProblemAnswer]
    checked_at: datetime | None

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
            allowed={key: list(values) for key, values in template.allowed.items()},
            problems=[ProblemAnswer(**problem) for problem in template.problems],
            checked_at=template.checked_at,
        )


class MeaningAnswer(Strict):
    """A kind of message and the values that its template may show."""

    model_config = example(**MEANING)

    name: str
    title: str
    values: list[str]


class TemplatesAnswer(Strict):
    """All templates of the company, and what there is to be mapped."""

    model_config = example(items=[SAVED], meanings=[MEANING])

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
    """The template of a meaning in one app; replaces the one before.

    `allowed` is for keys of the official account whose values are registered there (`const`); WeChat itself tells those
    of a mini-program's `enum` keys.
    """

    model_config = example(**TEMPLATE)

    appid: str = Field(min_length=1, max_length=32)
    channel: Channel = Field(strict=False)
    meaning: str = Field(min_length=1, max_length=40)
    template_id: str = Field(min_length=1, max_length=64)
    fields: dict[str, str] = Field(min_length=1, max_length=10)
    allowed: dict[str, Choices] = Field(default_factory=dict, max_length=10)


class ListedAnswer(Strict):
    """A template as WeChat has it; `allowed`: the values that a key may take, where WeChat says so."""

    model_config = example(**LISTED)

    template_id: str
    title: str
    keys: list[str]
    allowed: dict[str, list[str]]


class ListingAnswer(Strict):
    """The templates that WeChat has for an app; `refusal`: why it does not tell."""

    model_config = example(items=[LISTED], refusal=None)

    items: list[ListedAnswer]
    refusal: str | None

    @classmethod
    def of(cls, listing: Listing) -> "ListingAnswer":
        """The answer about this list."""
        items = [
            ListedAnswer(
                template_id=one.template_id,
                title=one.title,
                keys=list(one.keys),
                allowed={key: list(values) for key, values in one.allowed.items()},
            )
            for one in listing.templates
        ]
        return cls(items=items, refusal=listing.refusal)


class SampleAnswer(Strict):
    """What WeChat said of a sample."""

    model_config = example(accepted=True, errcode=None, words="微信已接受，请在手机上查看。")

    accepted: bool
    errcode: int | None
    words: str
