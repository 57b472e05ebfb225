"""The choice of the way a message goes: official account, else mini-program, else the inbox alone (D11).

Pure: everything it looks at is an argument. What may already have been sent is repeated only where WeChat recognises
our key, a template message within ten minutes; anything else is left to the inbox.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from backend.messaging import templates
from backend.messaging.consents import Key
from backend.messaging.states import IntentState
from backend.messaging.templates import Channel, Template

# WeChat remembers a client_msg_id for ten minutes; the margin is for the way there.
REPEAT_WITHIN = timedelta(minutes=9)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a person is reached in one app."""

    appid: str
    openid: str
    reachable: bool


@dataclass(frozen=True, slots=True)
class Intent:
    """An intent that is PENDING, or SENDING from a try whose end nobody knows."""

    id: UUID
    company_id: UUID
    person_id: UUID
    meaning: str
    values: Mapping[str, str]
    page: str
    state: IntentState
    channel: Channel | None
    appid: str | None
    openid: str | None
    template_id: str | None
    first_sent_at: datetime | None
    attempt: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One call to make. `repeat`: an earlier try may have gone through."""

    intent_id: UUID
    person_id: UUID
    attempt: int
    channel: Channel
    appid: str
    openid: str
    template_id: str
    data: Mapping[str, str]
    page: str
    page_appid: str | None
    first_sent_at: datetime
    repeat: bool

    @property
    def credit(self) -> Key:
        """The consent that a subscription message uses."""
        return self.person_id, self.template_id


@dataclass(frozen=True, slots=True)
class Verdict:
    """No call is made: where the intent ends, and why."""

    state: IntentState
    why: str | None = None


Choice = Delivery | Verdict


def choose(
    intent: Intent,
    offered: Sequence[Template],
    addresses: Sequence[Address],
    credits: MutableMapping[Key, int],
    now: datetime,
) -> Choice:
    """How `intent` goes now. A subscription message takes its credit out of `credits`."""
    fitting = [t for t in offered if t.meaning == intent.meaning and t.company_id == intent.company_id]
    if intent.state is IntentState.SENDING:
        return _again(intent, fitting, now)
    for template in fitting:
        if template.channel is Channel.TEMPLATE:
            for address in addresses:
                if address.appid == template.appid and address.reachable:
                    return _delivery(intent, template, address.openid, now)
    for template in fitting:
        if template.channel is Channel.SUBSCRIPTION:
            key = (intent.person_id, template.template_id)
            for address in addresses:
                if address.appid == template.appid and credits.get(key, 0) > 0:
                    choice = _delivery(intent, template, address.openid, now)
                    if isinstance(choice, Delivery):
                        credits[key] -= 1
                    return choice
    return Verdict(IntentState.INBOX_ONLY)


def _again(intent: Intent, fitting: Sequence[Template], now: datetime) -> Choice:
    recent = intent.first_sent_at is not None and now < intent.first_sent_at + REPEAT_WITHIN
    if intent.channel is Channel.TEMPLATE and recent and intent.openid is not None:
        for template in fitting:
            if (template.channel, template.appid, template.template_id) == (
                intent.channel,
                intent.appid,
                intent.template_id,
            ):
                return _delivery(intent, template, intent.openid, now)
    return Verdict(IntentState.UNKNOWN, "nobody knows whether WeChat sent it")


def _delivery(intent: Intent, template: Template, openid: str, now: datetime) -> Choice:
    data = template.data(intent.values)
    why = templates.unfit(data, template.allowed)
    if why is not None and intent.state is IntentState.PENDING:
        return Verdict(IntentState.PARKED, why)
    return Delivery(
        intent_id=intent.id,
        person_id=intent.person_id,
        attempt=intent.attempt + 1,
        channel=template.channel,
        appid=template.appid,
        openid=openid,
        template_id=template.template_id,
        data=data,
        page=intent.page,
        page_appid=template.page_appid,
        first_sent_at=intent.first_sent_at or now,
        repeat=intent.state is IntentState.SENDING,
    )
