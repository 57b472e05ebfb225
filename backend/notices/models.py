"""Tables of notices (R9, D11)."""

from tortoise import fields

from backend.kernel.orm import Model


class Notice(Model):
    """A notice of staff to an audience by rule (公告)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    kind = fields.TextField()
    title = fields.TextField()
    body = fields.TextField()
    media_ids = fields.TextField()
    urgent = fields.BooleanField()
    pinned_until = fields.DatetimeField(null=True)
    expires_at = fields.DatetimeField(null=True)
    audience = fields.JSONField[dict[str, object]]()
    state = fields.TextField()
    version = fields.IntField()
    publish_at = fields.DatetimeField(null=True)
    created_by = fields.UUIDField()
    created_at = fields.DatetimeField()
    published_at = fields.DatetimeField(null=True)
    person_count = fields.BigIntField(null=True)
    house_count = fields.BigIntField(null=True)
    withdrawn_at = fields.DatetimeField(null=True)
    withdrawn_why = fields.TextField(null=True)
    forgotten_at = fields.DatetimeField(null=True)

    class Meta:
        table = "notice"


class Recipient(Model):
    """A person of a notice's frozen audience (公告接收人). The key is (notice, person)."""

    notice_id = fields.UUIDField(primary_key=True)
    person_id = fields.UUIDField()
    community_id = fields.UUIDField()
    house_ids = fields.TextField()
    read_at = fields.DatetimeField(null=True)

    class Meta:
        table = "notice_recipient"


class Sending(Model):
    """One round of messages about a notice (公告发送批次)."""

    id = fields.UUIDField(primary_key=True)
    notice_id = fields.UUIDField()
    community_id = fields.UUIDField()
    kind = fields.TextField()
    event_key = fields.TextField()
    begun_on = fields.DateField()
    begun_at = fields.DatetimeField()
    after_person_id = fields.UUIDField(null=True)
    planned_count = fields.BigIntField(default=0)
    done_at = fields.DatetimeField(null=True)

    class Meta:
        table = "notice_sending"
