"""Tables of what people send."""

from tortoise import fields

from backend.kernel.orm import Model


class StoredMedia(Model):
    """A picture, short video or document (照片, 短视频, 附件)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    kind = fields.TextField()
    state = fields.TextField()
    uploader_kind = fields.TextField()
    uploader_id = fields.UUIDField()
    created_at = fields.DatetimeField()
    sha256 = fields.BinaryField(null=True)
    size_bytes = fields.BigIntField(null=True)
    width = fields.IntField(null=True)
    height = fields.IntField(null=True)
    length_ms = fields.IntField(null=True)
    stored_at = fields.DatetimeField(null=True)
    owner_noun = fields.TextField(null=True)
    owner_key = fields.TextField(null=True)
    position = fields.IntField(null=True)
    bound_at = fields.DatetimeField(null=True)

    class Meta:
        table = "media"
