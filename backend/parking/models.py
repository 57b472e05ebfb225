"""Tables of parking (D8). Columns that end in `_sealed` hold ciphertext only (I-24)."""

from tortoise import fields

from backend.kernel.orm import Model
from backend.kernel.seals import SealedColumn

SEALED = (SealedColumn("parking_vehicle", "plate_sealed"), SealedColumn("parking_session", "plate_sealed"))


class Lot(Model):
    """A lot (停车场) with its rules."""

    id = fields.UUIDField(primary_key=True)
    no = fields.BigIntField(generated=True)
    community_id = fields.UUIDField()
    code = fields.TextField()
    name = fields.TextField()
    spaces = fields.IntField()
    basis = fields.TextField()
    quote_minutes = fields.IntField()
    arrears_days = fields.IntField(null=True)
    created_at = fields.DatetimeField()
    long_stay_days = fields.IntField()
    picture_days = fields.IntField()
    visitors_per_day = fields.IntField()
    visitor_hours = fields.IntField()
    visitor_overstay = fields.TextField()

    class Meta:
        table = "parking_lot"


class Lane(Model):
    """A lane (车道), in or out, known by its camera."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    lot_id = fields.UUIDField()
    direction = fields.TextField()
    name = fields.TextField()
    camera_device_id = fields.UUIDField()
    barrier_device_id = fields.UUIDField()
    created_at = fields.DatetimeField()
    scan_code = fields.TextField()

    class Meta:
        table = "parking_lane"


class TariffVersion(Model):
    """A version of a lot's prices (停车收费标准)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    lot_id = fields.UUIDField()
    vehicle_class = fields.TextField(null=True)
    document = fields.JSONField[dict[str, object]]()
    effective_from = fields.DatetimeField()
    approval_id = fields.UUIDField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "parking_tariff"


class Vehicle(Model):
    """A vehicle (车辆) that the community knows."""

    id = fields.UUIDField(primary_key=True)
    no = fields.BigIntField(generated=True)
    community_id = fields.UUIDField()
    house_id = fields.UUIDField(null=True)
    plate_sealed = fields.BinaryField()
    plate_blind = fields.BinaryField()
    created_at = fields.DatetimeField()
    outside_until = fields.DateField(null=True)

    class Meta:
        table = "parking_vehicle"


class Card(Model):
    """A card (停车卡: 月租, 产权, 内部, 免费, 访客); several plates share its spaces (车位)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    lot_id = fields.UUIDField()
    house_id = fields.UUIDField(null=True)
    kind = fields.TextField()
    spaces = fields.IntField()
    starts_on = fields.DateField()
    ends_on = fields.DateField(null=True)
    state = fields.TextField()
    created_at = fields.DatetimeField()
    audience = fields.TextField(null=True)
    anchor_day = fields.IntField(null=True)
    asked_vehicle_id = fields.UUIDField(null=True)

    class Meta:
        table = "parking_card"


class CardVehicle(Model):
    """A vehicle of a card while it lasts."""

    id = fields.BigIntField(primary_key=True)
    community_id = fields.UUIDField()
    card_id = fields.UUIDField()
    lot_no = fields.BigIntField()
    vehicle_id = fields.UUIDField()
    vehicle_no = fields.BigIntField()
    period = fields.TextField()

    class Meta:
        table = "parking_card_vehicle"


class ListEntry(Model):
    """An entry of a black or white list (黑白名单)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    lot_id = fields.UUIDField()
    lot_no = fields.BigIntField()
    kind = fields.TextField()
    vehicle_id = fields.UUIDField()
    vehicle_no = fields.BigIntField()
    period = fields.TextField()
    reason = fields.TextField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "parking_list_entry"


class Session(Model):
    """A stay (停车记录): from the entry to the exit."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    lot_id = fields.UUIDField()
    state = fields.TextField()
    flags = fields.TextField()
    plate_sealed = fields.BinaryField(null=True)
    plate_blind = fields.BinaryField(null=True)
    tail_blind = fields.BinaryField(null=True)
    vehicle_id = fields.UUIDField(null=True)
    card_id = fields.UUIDField(null=True)
    vehicle_class = fields.TextField(null=True)
    entry_tariff_id = fields.UUIDField(null=True)
    entered_at = fields.DatetimeField(null=True)
    entry_lane_id = fields.UUIDField(null=True)
    left_at = fields.DatetimeField(null=True)
    exit_lane_id = fields.UUIDField(null=True)
    waiting_lane_id = fields.UUIDField(null=True)
    waiting_since = fields.DatetimeField(null=True)
    quote_id = fields.UUIDField(null=True)
    paid_fen = fields.BigIntField()
    refunded_fen = fields.BigIntField()
    grace_until = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "parking_session"


class ScannedEntry(Model):
    """Who let a car without a plate (无牌车) in by scanning the lane's code (扫码入场)."""

    session_id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    driver_blind = fields.BinaryField()
    device_event_id = fields.UUIDField()
    seen_at = fields.DatetimeField()

    class Meta:
        table = "parking_scanned_entry"


class Event(Model):
    """What happened to a stay (停车事件)."""

    id = fields.BigIntField(primary_key=True)
    community_id = fields.UUIDField()
    session_id = fields.UUIDField()
    kind = fields.TextField()
    at = fields.DatetimeField()
    recorded_at = fields.DatetimeField()
    device_event_id = fields.UUIDField(null=True)
    actor_kind = fields.TextField()
    actor_id = fields.UUIDField(null=True)
    detail = fields.JSONField[dict[str, object]]()

    class Meta:
        table = "parking_event"


class Quote(Model):
    """What a stay cost at an instant (停车报价)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    lot_id = fields.UUIDField()
    session_id = fields.UUIDField()
    tariff_id = fields.UUIDField()
    total_fen = fields.BigIntField()
    paid_before_fen = fields.BigIntField()
    amount_fen = fields.BigIntField()
    lines = fields.JSONField[list[object]]()
    priced_at = fields.DatetimeField()
    valid_until = fields.DatetimeField()
    signature = fields.BinaryField()
    paid_line_id = fields.UUIDField(null=True)
    paid_at = fields.DatetimeField(null=True)

    class Meta:
        table = "parking_quote"


class GateVersion(Model):
    """How often a lot's list for its lanes (离线名单) has changed."""

    lot_id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    version = fields.BigIntField()
    mark = fields.TextField()

    class Meta:
        table = "parking_gate_version"


class GateChange(Model):
    """What of the list a version changed."""

    id = fields.BigIntField(primary_key=True)
    community_id = fields.UUIDField()
    lot_id = fields.UUIDField()
    version = fields.BigIntField()
    mark = fields.TextField()
    card_vehicle_id = fields.BigIntField(null=True)
    list_entry_id = fields.UUIDField(null=True)

    class Meta:
        table = "parking_gate_change"


class HandOpening(Model):
    """A barrier that a guard opened by hand (人工放行)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    lot_id = fields.UUIDField()
    lane_id = fields.UUIDField()
    direction = fields.TextField()
    session_id = fields.UUIDField(null=True)
    open_fen = fields.BigIntField()
    staff_id = fields.UUIDField(null=True)
    reason = fields.TextField()
    opened_at = fields.DatetimeField()

    class Meta:
        table = "parking_hand_opening"


class StoredPicture(Model):
    """A picture of a passage (过车图片)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    lot_id = fields.UUIDField()
    lane_id = fields.UUIDField()
    session_id = fields.UUIDField()
    device_event_id = fields.UUIDField()
    role = fields.TextField()
    file_key = fields.TextField()
    taken_at = fields.DatetimeField()
    created_at = fields.DatetimeField()
    kept_at = fields.DatetimeField(null=True)

    class Meta:
        table = "parking_picture"


class VisitorCard(Model):
    """What a visitor's card (访客车辆) is beyond a card: its window, its entries, its host."""

    card_id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    lot_id = fields.UUIDField()
    house_id = fields.UUIDField(null=True)
    starts_at = fields.DatetimeField()
    ends_at = fields.DatetimeField()
    entries = fields.IntField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "parking_visitor"
