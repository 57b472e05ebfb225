"""Tables of cards that are sold, of spaces, and of what residents apply for (D8)."""

from tortoise import fields

from backend.kernel.orm import Model


class Space(Model):
    """A space (车位) of a lot, and the house that has it."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    lot_id = fields.UUIDField()
    number = fields.TextField()
    kind = fields.TextField()
    state = fields.TextField()
    house_id = fields.UUIDField(null=True)
    starts_on = fields.DateField(null=True)
    ends_on = fields.DateField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "parking_space"


class CardProduct(Model):
    """A card that a lot offers for money (停车卡产品)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    lot_id = fields.UUIDField()
    name = fields.TextField()
    covers = fields.TextField()
    audience = fields.TextField()
    months = fields.IntField()
    price_fen = fields.BigIntField()
    vehicles = fields.IntField()
    approval_id = fields.UUIDField()
    created_at = fields.DatetimeField()
    withdrawn_at = fields.DatetimeField(null=True)

    class Meta:
        table = "parking_card_product"


class CardSale(Model):
    """Months of a card (办卡, 续费): offered, then paid."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    lot_id = fields.UUIDField()
    card_id = fields.UUIDField()
    product_id = fields.UUIDField()
    vehicle_ids = fields.TextField()
    spaces = fields.IntField()
    months = fields.IntField()
    amount_fen = fields.BigIntField()
    offered_at = fields.DatetimeField()
    valid_until = fields.DatetimeField()
    offered_ends_on = fields.DateField(null=True)
    paid_line_id = fields.UUIDField(null=True)
    paid_at = fields.DatetimeField(null=True)
    starts_on = fields.DateField(null=True)
    ends_on = fields.DateField(null=True)
    refunded_fen = fields.BigIntField()

    class Meta:
        table = "parking_card_sale"


class ApplicationRule(Model):
    """What a lot does with applications (申请规则)."""

    lot_id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    outside_vehicles = fields.TextField()
    max_open = fields.IntField()

    class Meta:
        table = "parking_application_rule"
