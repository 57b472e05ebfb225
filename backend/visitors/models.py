"""Tables of visitors (R8, D10). Columns that end in `_sealed` hold ciphertext only (I-24)."""

from tortoise import fields

from backend.kernel.orm import Model
from backend.kernel.seals import SealedColumn

SEALED = (
    SealedColumn("visitor_pass", "name_sealed"),
    SealedColumn("visitor_pass", "phone_sealed"),
    SealedColumn("visitor_pass", "plate_sealed"),
    SealedColumn("visitor_walk_in", "name_sealed"),
    SealedColumn("visitor_walk_in", "phone_sealed"),
    SealedColumn("visitor_walk_in", "plate_sealed"),
    SealedColumn("visitor_ban", "value_sealed"),
    SealedColumn("visitor_code", "code_sealed"),
    SealedColumn("goods_permit", "name_sealed"),
    SealedColumn("goods_permit", "plate_sealed"),
)


class Rule(Model):
    """What a community lets residents and guards do (访客规则)."""

    community_id = fields.UUIDField(primary_key=True)
    passes_per_day = fields.IntField()
    longest_days = fields.IntField()
    approval_hours = fields.IntField(null=True)
    answer_minutes = fields.IntField()
    stay_hours = fields.IntField()
    overstay_minutes = fields.IntField(null=True)
    assume_left_hours = fields.IntField()
    goods_approval = fields.BooleanField()
    keep_days = fields.IntField()

    class Meta:
        table = "visitor_rule"


class Pass(Model):
    """A pass (访客通行证) of a house for a visitor."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    house_id = fields.UUIDField()
    invited_by = fields.UUIDField()
    kind = fields.TextField()
    state = fields.TextField()
    name_sealed = fields.BinaryField(null=True)
    phone_sealed = fields.BinaryField(null=True)
    phone_blind = fields.BinaryField(null=True)
    phone_tail_blind = fields.BinaryField(null=True)
    plate_sealed = fields.BinaryField(null=True)
    plate_blind = fields.BinaryField(null=True)
    lot_id = fields.UUIDField(null=True)
    parking_card_id = fields.UUIDField(null=True)
    companions = fields.IntField()
    purpose = fields.TextField()
    valid_from = fields.DatetimeField()
    valid_until = fields.DatetimeField()
    weekly = fields.TextField(null=True)
    gate_ids = fields.TextField(null=True)
    entries_allowed = fields.IntField(null=True)
    entries_used = fields.IntField()
    token_nonce = fields.BinaryField()
    created_at = fields.DatetimeField()
    revoked_at = fields.DatetimeField(null=True)
    ended_reason = fields.TextField(null=True)

    class Meta:
        table = "visitor_pass"


class WalkIn(Model):
    """A visitor without a pass, at the gate (临时来访)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    house_id = fields.UUIDField()
    gate_id = fields.UUIDField()
    state = fields.TextField()
    name_sealed = fields.BinaryField(null=True)
    phone_sealed = fields.BinaryField(null=True)
    phone_blind = fields.BinaryField(null=True)
    phone_tail_blind = fields.BinaryField(null=True)
    id_number_blind = fields.BinaryField(null=True)
    plate_sealed = fields.BinaryField(null=True)
    plate_blind = fields.BinaryField(null=True)
    companions = fields.IntField()
    purpose = fields.TextField()
    registered_by = fields.UUIDField()
    registered_at = fields.DatetimeField()
    answer_by = fields.DatetimeField()
    answered_by = fields.UUIDField(null=True)
    answered_at = fields.DatetimeField(null=True)
    decided_by = fields.UUIDField(null=True)
    decided_at = fields.DatetimeField(null=True)
    reason = fields.TextField(null=True)

    class Meta:
        table = "visitor_walk_in"


class Entry(Model):
    """Who came in and who went out (出入记录)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    house_id = fields.UUIDField()
    pass_id = fields.UUIDField(null=True)
    walk_in_id = fields.UUIDField(null=True)
    gate_id = fields.UUIDField()
    way = fields.TextField()
    staff_id = fields.UUIDField(null=True)
    device_event_id = fields.UUIDField(null=True)
    entered_at = fields.DatetimeField()
    due_out_at = fields.DatetimeField()
    overstayed_at = fields.DatetimeField(null=True)
    left_at = fields.DatetimeField(null=True)
    left_way = fields.TextField(null=True)

    class Meta:
        table = "visitor_entry"


class Ban(Model):
    """Who is not let in (访客黑名单)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    kind = fields.TextField()
    value_sealed = fields.BinaryField()
    value_blind = fields.BinaryField()
    reason = fields.TextField()
    until_at = fields.DatetimeField(null=True)
    created_by = fields.UUIDField()
    created_at = fields.DatetimeField()
    lifted_by = fields.UUIDField(null=True)
    lifted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "visitor_ban"


class ShortCode(Model):
    """Six digits for the visitor without a phone (六位访客码)."""

    id = fields.UUIDField(primary_key=True)
    pass_id = fields.UUIDField()
    gate_id = fields.UUIDField()
    valid_on = fields.DateField()
    community_id = fields.UUIDField()
    code_blind = fields.BinaryField()
    code_sealed = fields.BinaryField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "visitor_code"


class ResidentPass(Model):
    """A resident's own code for the doors (住户通行码)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    house_id = fields.UUIDField()
    person_id = fields.UUIDField()
    gate_ids = fields.TextField(null=True)
    token_nonce = fields.BinaryField()
    created_at = fields.DatetimeField()
    revoked_at = fields.DatetimeField(null=True)

    class Meta:
        table = "resident_pass"


class GoodsPermit(Model):
    """Goods that leave (物品放行条)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    house_id = fields.UUIDField()
    asked_by = fields.UUIDField()
    state = fields.TextField()
    goods = fields.TextField()
    name_sealed = fields.BinaryField(null=True)
    plate_sealed = fields.BinaryField(null=True)
    valid_from = fields.DatetimeField()
    valid_until = fields.DatetimeField()
    created_at = fields.DatetimeField()
    gate_id = fields.UUIDField(null=True)
    checked_by = fields.UUIDField(null=True)
    checked_at = fields.DatetimeField(null=True)

    class Meta:
        table = "goods_permit"
