"""Tortoise models of the kernel's tables, for reads; the columns are those of `migrations/sql/0001_kernel.sql`."""

from tortoise import fields

from backend.kernel.orm import Model


class OutboxRow(Model):
    """An event to be worked (待处理事件)."""

    id = fields.BigIntField(primary_key=True)
    event = fields.TextField()
    lane = fields.TextField(default="prompt")
    dedup_key = fields.TextField(null=True)
    community_id = fields.UUIDField(null=True)
    payload = fields.JSONField[dict[str, object]]()
    state = fields.TextField()
    attempt = fields.IntField(default=0)
    failures = fields.IntField(default=0)
    run_at = fields.DatetimeField()
    lease_until = fields.DatetimeField(null=True)
    emitted_at = fields.DatetimeField()
    finished_at = fields.DatetimeField(null=True)
    last_error = fields.TextField(null=True)

    class Meta:
        table = "outbox"


class InboxRow(Model):
    """A message that a channel sent us (渠道通知)."""

    id = fields.BigIntField(primary_key=True)
    source = fields.TextField()
    event_key = fields.TextField()
    received_at = fields.DatetimeField()
    body = fields.BinaryField(null=True)
    outcome = fields.TextField(null=True)
    reason = fields.TextField(null=True)

    class Meta:
        table = "inbox"


class AuditEntry(Model):
    """Who did what (审计记录)."""

    id = fields.BigIntField(primary_key=True)
    at = fields.DatetimeField()
    actor_kind = fields.TextField()
    actor_id = fields.UUIDField(null=True)
    action = fields.TextField()
    target = fields.TextField()
    community_id = fields.UUIDField(null=True)
    reason = fields.TextField(null=True)
    before = fields.JSONField[dict[str, object] | None](null=True)
    after = fields.JSONField[dict[str, object] | None](null=True)
    request_id = fields.TextField(null=True)

    class Meta:
        table = "audit_entry"


class ApprovalRow(Model):
    """A change that waits for a second person (审批)."""

    id = fields.UUIDField(primary_key=True)
    kind = fields.TextField()
    community_id = fields.UUIDField(null=True)
    target = fields.TextField()
    state = fields.TextField()
    payload = fields.JSONField[dict[str, object]]()
    shown = fields.JSONField[dict[str, object]]()
    reason = fields.TextField()
    proposed_by = fields.UUIDField()
    proposed_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    decided_by = fields.UUIDField(null=True)
    decided_at = fields.DatetimeField(null=True)
    decision = fields.TextField(null=True)

    class Meta:
        table = "approval"


class PeriodicRun(Model):
    """One period of a periodic job (定时任务)."""

    name = fields.CharField(max_length=100, primary_key=True)
    period = fields.TextField()
    state = fields.TextField()
    attempt = fields.IntField(default=1)
    started_at = fields.DatetimeField()
    finished_at = fields.DatetimeField(null=True)
    last_error = fields.TextField(null=True)

    class Meta:
        table = "periodic_run"


class StoredFile(Model):
    """A file kept in the storage (附件)."""

    id = fields.UUIDField(primary_key=True)
    key = fields.TextField()
    purpose = fields.TextField()
    content_type = fields.TextField()
    size_bytes = fields.BigIntField()
    sha256 = fields.BinaryField()
    created_by = fields.UUIDField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "stored_file"
