"""Tables of gates that know visitors' passes (D10). Columns that end in `_sealed` hold ciphertext only (I-24)."""

from tortoise import fields

from backend.kernel.orm import Model
from backend.kernel.seals import SealedColumn

SEALED = (SealedColumn("visitor_key", "private_sealed"),)


class Site(Model):
    """A community as its tokens and gates know it."""

    community_id = fields.UUIDField(primary_key=True)
    no = fields.IntField()
    salt = fields.BinaryField()
    version = fields.BigIntField()

    class Meta:
        table = "visitor_site"


class GateNumber(Model):
    """The number of a gate (门禁编号) in its community's tokens."""

    device_id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    no = fields.IntField()

    class Meta:
        table = "visitor_gate_number"


class SigningKey(Model):
    """A key that signs visitors' tokens (通行码密钥)."""

    id = fields.UUIDField(primary_key=True)
    no = fields.IntField()
    community_id = fields.UUIDField()
    public_key = fields.BinaryField()
    private_sealed = fields.BinaryField(null=True)
    signs_from = fields.DatetimeField()
    signs_until = fields.DatetimeField()
    believed_until = fields.DatetimeField()
    created_at = fields.DatetimeField()
    distrusted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "visitor_key"


class GateChange(Model):
    """What gates must be told (门禁数据变化)."""

    id = fields.BigIntField(primary_key=True)
    community_id = fields.UUIDField()
    kind = fields.TextField()
    subject_id = fields.UUIDField()
    version = fields.BigIntField(null=True)

    class Meta:
        table = "visitor_gate_change"


class GateConflict(Model):
    """An entry that a gate without a network should not have let in (离线通行冲突)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    gate_id = fields.UUIDField()
    subject_id = fields.UUIDField(null=True)
    device_event_id = fields.UUIDField()
    reason = fields.TextField()
    happened_at = fields.DatetimeField()
    told_at = fields.DatetimeField()
    settled_by = fields.UUIDField(null=True)
    settled_at = fields.DatetimeField(null=True)
    note = fields.TextField(null=True)

    class Meta:
        table = "visitor_conflict"
