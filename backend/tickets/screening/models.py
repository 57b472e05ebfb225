"""Tables of the checks of what residents write and send (内容安全检查)."""

from tortoise import fields

from backend.kernel.orm import Model


class Screening(Model):
    """Whether a company has WeChat check (内容安全开关)."""

    company_id = fields.UUIDField(primary_key=True)
    enabled = fields.BooleanField()
    changed_at = fields.DatetimeField()

    class Meta:
        table = "ticket_screening"


class Check(Model):
    """A check of words or of a picture (内容检查)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    ticket_id = fields.UUIDField()
    event_id = fields.BigIntField()
    kind = fields.TextField()
    media_id = fields.UUIDField(null=True)
    state = fields.TextField()
    appid = fields.TextField(null=True)
    trace_id = fields.TextField(null=True)
    asked_times = fields.IntField()
    asked_at = fields.DatetimeField(null=True)
    label = fields.IntField(null=True)
    created_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)
    decided_by = fields.UUIDField(null=True)
    decided_at = fields.DatetimeField(null=True)

    class Meta:
        table = "ticket_check"
