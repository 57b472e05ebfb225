"""Tables of messaging (D11)."""

from tortoise import fields as f

from backend.kernel.orm import Model


class MessageTemplate(Model):
    """The template of a meaning in one app (消息模板)."""

    id = f.UUIDField(primary_key=True)
    company_id = f.UUIDField()
    appid = f.TextField()
    kind = f.TextField()
    meaning = f.TextField()
    template_id = f.TextField()
    fields = f.JSONField[dict[str, str]]()
    allowed = f.JSONField[dict[str, list[str]]](default=dict)
    problems = f.JSONField[list[dict[str, str]]](default=list)
    checked_at = f.DatetimeField(null=True)
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
    exhausted_at = f.DatetimeField(null=True)

    class Meta:
        table = "message_consent"


class MessageConsentEvent(Model):
    """The ledger of consent: every answer, every send that used one (授权流水)."""

    id = f.BigIntField(primary_key=True)
    person_id = f.UUIDField()
    template_id = f.TextField()
    event = f.TextField()
    at = f.DatetimeField()
    source = f.TextField(null=True)
    seconds = f.BigIntField(null=True)

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
    urgent = f.BooleanField(default=False)
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
    delivery = f.TextField(null=True)
    delivery_at = f.DatetimeField(null=True)

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


class WithdrawnMessage(Model):
    """An event whose messages are taken back (撤回的消息)."""

    event_key = f.CharField(max_length=200, primary_key=True)
    community_id = f.UUIDField()
    title = f.TextField()
    body = f.TextField()
    withdrawn_at = f.DatetimeField()

    class Meta:
        table = "message_withdrawn"


class MessageQuietHours(Model):
    """When messages of a company, or of one community, wait (免打扰时段); clock times of Asia/Shanghai."""

    id = f.UUIDField(primary_key=True)
    company_id = f.UUIDField()
    community_id = f.UUIDField(null=True)
    begins = f.TimeField()
    ends = f.TimeField()
    updated_at = f.DatetimeField()

    class Meta:
        table = "message_quiet_hours"
