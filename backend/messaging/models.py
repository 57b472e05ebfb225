"""Tables of messaging (D11)."""

from tortoise import fields as f
from tortoise.models import Model


class MessageTemplate(Model):
    """The template of a meaning in one app (消息模板)."""

    id = f.UUIDField(primary_key=True)
    company_id = f.UUIDField()
    appid = f.TextField()
    kind = f.TextField()
    meaning = f.TextField()
    template_id = f.TextField()
    fields = f.JSONField[dict[str, str]]()
    created_at = f.DatetimeField()
    updated_at = f.DatetimeField()

    class Meta:
        table = "message_template"


class MessageConsent(Model):
    """What a person allows by a template (订阅授权). The key is (person, template)."""

    person_id = f.UUIDField(primary_key=True)
    template_id = f.TextField()
    credits = f.IntField(default=0)
    last_answer = f.TextField()
    answered_at = f.DatetimeField()

    class Meta:
        table = "message_consent"


class MessageConsentEvent(Model):
    """The ledger of consent: every answer, every send that used one (授权流水)."""

    id = f.BigIntField(primary_key=True)
    person_id = f.UUIDField()
    template_id = f.TextField()
    event = f.TextField()
    at = f.DatetimeField()

    class Meta:
        table = "message_consent_event"


class MessageIntent(Model):
    """One message to one person about one event (待发消息)."""

    id = f.UUIDField(primary_key=True)
    community_id = f.UUIDField()
    event_key = f.TextField()
    person_id = f.UUIDField()
    meaning = f.TextField()
    values_shown = f.JSONField[dict[str, str]]()
    page = f.TextField()
    state = f.TextField()
    channel = f.TextField(null=True)
    appid = f.TextField(null=True)
    openid = f.TextField(null=True)
    template_id = f.TextField(null=True)
    first_sent_at = f.DatetimeField(null=True)
    attempt = f.IntField(default=0)
    msgid = f.TextField(null=True)
    errcode = f.IntField(null=True)
    error = f.TextField(null=True)
    created_at = f.DatetimeField()
    finished_at = f.DatetimeField(null=True)

    class Meta:
        table = "message_intent"


class InboxMessage(Model):
    """A message in the resident's own inbox (站内消息)."""

    id = f.UUIDField(primary_key=True)
    person_id = f.UUIDField()
    event_key = f.TextField()
    title = f.TextField()
    body = f.TextField()
    page = f.TextField()
    created_at = f.DatetimeField()
    read_at = f.DatetimeField(null=True)

    class Meta:
        table = "inbox_message"


class SendLimit(Model):
    """What WeChat allows one app (发送上限). The key is (app, kind)."""

    appid = f.CharField(max_length=32, primary_key=True)
    kind = f.TextField()
    per_day = f.BigIntField()
    per_second = f.IntField()

    class Meta:
        table = "send_limit"


class SendQuota(Model):
    """What was sent on a date (发送用量). The key is (app, kind, date)."""

    appid = f.CharField(max_length=32, primary_key=True)
    kind = f.TextField()
    sent_on = f.DateField()
    used = f.BigIntField(default=0)
    next_slot_at = f.DatetimeField()

    class Meta:
        table = "send_quota"
