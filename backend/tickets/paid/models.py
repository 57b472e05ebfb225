"""Tables of paid repairs (有偿维修): price list, stock, quotes, signatures, costs (D9)."""

from tortoise import fields

from backend.kernel.orm import Model
from backend.kernel.seals import SealedColumn

SEALED = (SealedColumn("ticket_signature", "signature_sealed"),)


class TicketItem(Model):
    """What is charged for (工料项目): work or a part."""

    id = fields.UUIDField(primary_key=True)
    company_id = fields.UUIDField()
    community_id = fields.UUIDField(null=True)
    sort = fields.TextField()
    name = fields.TextField()
    unit = fields.TextField()
    created_at = fields.DatetimeField()
    withdrawn_at = fields.DatetimeField(null=True)

    class Meta:
        table = "ticket_item"


class TicketPrice(Model):
    """A price of an item from a day on (工料价格); never changed."""

    id = fields.UUIDField(primary_key=True)
    item_id = fields.UUIDField()
    price_fen = fields.BigIntField()
    starts_on = fields.DateField()
    approval_id = fields.UUIDField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "ticket_price"


class TicketStockPlace(Model):
    """Where parts lie (库存地点): a store, or what a worker carries."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    name = fields.TextField()
    staff_id = fields.UUIDField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "ticket_stock_place"


class TicketStock(Model):
    """How many of a part lie at a place (库存)."""

    id = fields.BigIntField(primary_key=True, generated=True)
    community_id = fields.UUIDField()
    place_id = fields.UUIDField()
    item_id = fields.UUIDField()
    count = fields.IntField()

    class Meta:
        table = "ticket_stock"


class TicketStockMovement(Model):
    """Parts that came or went (库存流水); append-only."""

    id = fields.BigIntField(primary_key=True, generated=True)
    community_id = fields.UUIDField()
    place_id = fields.UUIDField()
    item_id = fields.UUIDField()
    kind = fields.TextField()
    change = fields.IntField()
    ticket_id = fields.UUIDField(null=True)
    transfer_id = fields.UUIDField(null=True)
    approval_id = fields.UUIDField(null=True)
    reason = fields.TextField()
    actor_id = fields.UUIDField()
    at = fields.DatetimeField()

    class Meta:
        table = "ticket_stock_movement"


class TicketQuote(Model):
    """What a repair is to cost (报价), and what becomes of it."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    ticket_id = fields.UUIDField()
    house_id = fields.UUIDField()
    category_id = fields.UUIDField()
    round = fields.IntField()
    version = fields.IntField()
    state = fields.TextField()
    lines = fields.JSONField[list[dict[str, object]]]()
    lines_fen = fields.BigIntField()
    warranty_fen = fields.BigIntField()
    total_fen = fields.BigIntField()
    covered_until = fields.DateField(null=True)
    made_by = fields.UUIDField()
    made_at = fields.DatetimeField()
    decided_at = fields.DatetimeField(null=True)
    due_at = fields.DatetimeField(null=True)
    warranty_until = fields.DateField(null=True)
    paid_line_id = fields.UUIDField(null=True)
    paid_at = fields.DatetimeField(null=True)
    refunded_fen = fields.BigIntField()

    class Meta:
        table = "ticket_quote"


class TicketSignature(Model):
    """A resident's signature under the work of a round (验收签名), sealed."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    ticket_id = fields.UUIDField()
    round = fields.IntField()
    signature_sealed = fields.BinaryField()
    signed_by = fields.UUIDField()
    signed_at = fields.DatetimeField()

    class Meta:
        table = "ticket_signature"


class TicketCost(Model):
    """What free work has cost (维修成本)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    ticket_id = fields.UUIDField()
    state = fields.TextField()
    lines = fields.JSONField[list[dict[str, object]]]()
    total_fen = fields.BigIntField()
    made_by = fields.UUIDField()
    made_at = fields.DatetimeField()
    approval_id = fields.UUIDField(null=True)

    class Meta:
        table = "ticket_cost"
