"""Tables of devices (D8). Columns that end in `_sealed` hold ciphertext only (I-24)."""

from tortoise import fields

from backend.kernel.orm import Model
from backend.kernel.seals import SealedColumn

SEALED = (
    SealedColumn("device", "secret_sealed"),
    SealedColumn("device", "previous_sealed"),
    SealedColumn("device_event", "body_sealed"),
)


class Device(Model):
    """A camera, gate, barrier or meter (设备), known by the key with which it signs."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    name = fields.TextField()
    kind = fields.TextField()
    vendor = fields.TextField()
    serial = fields.TextField(null=True)
    secret_sealed = fields.BinaryField()
    previous_sealed = fields.BinaryField(null=True)
    previous_until = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()
    revoked_at = fields.DatetimeField(null=True)

    class Meta:
        table = "device"


class DeviceEvent(Model):
    """What a device told us (设备事件), once by its own key."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    device_id = fields.UUIDField()
    event_key = fields.TextField()
    sequence = fields.BigIntField(null=True)
    kind = fields.TextField()
    happened_at = fields.DatetimeField()
    received_at = fields.DatetimeField()
    body_sealed = fields.BinaryField(null=True)
    outcome = fields.TextField()
    reason = fields.TextField(null=True)
    answer = fields.JSONField[dict[str, object] | None](null=True)

    class Meta:
        table = "device_event"


class DeviceCommand(Model):
    """What a device shall do (设备指令), such as opening a barrier."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    device_id = fields.UUIDField()
    kind = fields.TextField()
    subject = fields.TextField()
    state = fields.TextField()
    ordered_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    delivered_at = fields.DatetimeField(null=True)
    finished_at = fields.DatetimeField(null=True)
    detail = fields.TextField(null=True)

    class Meta:
        table = "device_command"
