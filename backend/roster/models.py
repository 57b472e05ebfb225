"""Tables of the roster's imports and exports (S1)."""

from typing import Any

from tortoise import fields

from backend.kernel.orm import Model


class RosterImport(Model):
    """A roster that was uploaded (花名册导入)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    file_sha256 = fields.BinaryField()
    file_name = fields.TextField()
    state = fields.TextField()
    file_key = fields.TextField()
    row_count = fields.IntField(default=0)
    done_rows = fields.IntField(default=0)
    error_count = fields.IntField(default=0)
    errors: fields.JSONField[list[dict[str, Any]]] = fields.JSONField()
    summary: fields.JSONField[dict[str, int]] = fields.JSONField()
    created_by = fields.UUIDField()
    created_at = fields.DatetimeField()
    finished_at = fields.DatetimeField(null=True)

    class Meta:
        table = "roster_import"


class RosterExport(Model):
    """A roster that was approved for export (花名册导出)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    approval_id = fields.UUIDField()
    state = fields.TextField()
    file_key = fields.TextField(null=True)
    row_count = fields.IntField(default=0)
    created_by = fields.UUIDField()
    created_at = fields.DatetimeField()
    finished_at = fields.DatetimeField(null=True)

    class Meta:
        table = "roster_export"
