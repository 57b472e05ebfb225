"""The tables of payments as Tortoise models, for simple reads and lists (0008_payments.sql owns the schema).

收款商户, 支付单, 支付明细, 支付尝试, 差异, 发货信息.
"""

from tortoise import fields

from backend.kernel.orm import Model
from backend.kernel.seals import SealedColumn

SEALED = (
    SealedColumn("merchant", "private_key_sealed"),
    SealedColumn("merchant", "api_v3_key_sealed"),
    SealedColumn("refund", "redirect_sealed"),
)


class Merchant(Model):
    """A merchant (收款商户) at a channel. Sealed columns open only in their row."""

    id = fields.UUIDField(primary_key=True)
    company_id = fields.UUIDField()
    community_id = fields.UUIDField(null=True)
    item_id = fields.UUIDField(null=True)
    channel = fields.TextField()
    mchid = fields.TextField()
    appid = fields.TextField()
    name = fields.TextField()
    serial_no = fields.TextField()
    private_key_sealed = fields.BinaryField(null=True)
    api_v3_key_sealed = fields.BinaryField(null=True)
    sub_mchid = fields.TextField(null=True)
    sub_appid = fields.TextField(null=True)
    root_serial_no = fields.TextField(null=True)
    platform_keys: fields.Field[dict[str, str]] = fields.JSONField()
    automatic_refund_fen = fields.BigIntField(default=2_000_000)
    paused = fields.BooleanField(default=False)
    version = fields.IntField(default=1)
    created_at = fields.DatetimeField()
    retired_at = fields.DatetimeField(null=True)

    class Meta:
        table = "merchant"


class CollectionPause(Model):
    """Where nothing is collected online (暂停线上收款)."""

    id = fields.UUIDField(primary_key=True)
    company_id = fields.UUIDField()
    community_id = fields.UUIDField(null=True)
    reason = fields.TextField()
    paused_by = fields.UUIDField(null=True)
    paused_at = fields.DatetimeField()

    class Meta:
        table = "collection_pause"


class PaymentOrder(Model):
    """An order (支付单): what one payer pays at once, fixed at creation (I-06)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    payer_person_id = fields.UUIDField(null=True)
    amount_fen = fields.BigIntField()
    state = fields.TextField()
    description = fields.TextField()
    digest = fields.BinaryField()
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    paid_at = fields.DatetimeField(null=True)
    closed_at = fields.DatetimeField(null=True)
    close_reason = fields.TextField(null=True)

    class Meta:
        table = "payment_order"


class PaymentLine(Model):
    """One thing that an order pays, as it was priced."""

    id = fields.UUIDField(primary_key=True)
    order_id = fields.UUIDField()
    kind = fields.TextField()
    payable_id = fields.UUIDField()
    house_id = fields.UUIDField(null=True)
    item_id = fields.UUIDField(null=True)
    title = fields.TextField()
    principal_fen = fields.BigIntField()
    late_fee_fen = fields.BigIntField(default=0)

    class Meta:
        table = "payment_line"


class PaymentHold(Model):
    """A thing that a live order pays: no other order can hold it as well (D6)."""

    kind = fields.CharField(max_length=32, primary_key=True)
    payable_id = fields.UUIDField()
    order_id = fields.UUIDField()

    class Meta:
        table = "payment_hold"


class PaymentAttempt(Model):
    """An attempt (支付尝试): one number at one channel, asked word for word by `request`."""

    id = fields.UUIDField(primary_key=True)
    order_id = fields.UUIDField()
    community_id = fields.UUIDField()
    merchant_id = fields.UUIDField()
    clearing_account = fields.BigIntField()
    channel = fields.TextField()
    method = fields.TextField()
    out_trade_no = fields.TextField()
    amount_fen = fields.BigIntField()
    refunding_fen = fields.BigIntField(default=0)
    state = fields.TextField()
    request: fields.Field[dict[str, object]] = fields.JSONField()
    prepay_id = fields.TextField(null=True)
    prepaid_at = fields.DatetimeField(null=True)
    transaction_no = fields.TextField(null=True)
    asked_count = fields.IntField(default=0)
    asked_at = fields.DatetimeField(null=True)
    ask_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()
    paid_at = fields.DatetimeField(null=True)
    settled_by = fields.TextField(null=True)
    inbox_id = fields.BigIntField(null=True)
    error = fields.TextField(null=True)

    class Meta:
        table = "payment_attempt"


class Difference(Model):
    """A difference (差异): verified, but not as the books have it."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    class_ = fields.TextField(source_field="class")
    state = fields.TextField()
    channel = fields.TextField()
    merchant_id = fields.UUIDField()
    order_id = fields.UUIDField(null=True)
    attempt_id = fields.UUIDField(null=True)
    out_trade_no = fields.TextField()
    transaction_no = fields.TextField()
    expected_fen = fields.BigIntField(null=True)
    actual_fen = fields.BigIntField()
    booked_fen = fields.BigIntField(default=0)
    detail: fields.Field[dict[str, object]] = fields.JSONField()
    opened_at = fields.DatetimeField()
    resolved_by = fields.UUIDField(null=True)
    resolved_at = fields.DatetimeField(null=True)
    note = fields.TextField(null=True)
    subject = fields.TextField(default="")
    refunding_fen = fields.BigIntField(default=0)
    refunded_fen = fields.BigIntField(default=0)

    class Meta:
        table = "difference"


class Refund(Model):
    """A refund (退款): of a settled attempt, or of money that stands in suspense for a difference (I-09)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    merchant_id = fields.UUIDField()
    channel = fields.TextField()
    attempt_id = fields.UUIDField(null=True)
    difference_id = fields.UUIDField(null=True)
    out_trade_no = fields.TextField()
    transaction_no = fields.TextField()
    out_refund_no = fields.TextField()
    amount_fen = fields.BigIntField()
    total_fen = fields.BigIntField()
    clearing_account = fields.BigIntField()
    automatic = fields.BooleanField()
    reason = fields.TextField()
    state = fields.TextField()
    requested_by = fields.UUIDField(null=True)
    approved_by = fields.UUIDField(null=True)
    approval_id = fields.UUIDField(null=True)
    channel_refund_no = fields.TextField(null=True)
    asked_count = fields.IntField(default=0)
    asked_at = fields.DatetimeField(null=True)
    ask_at = fields.DatetimeField(null=True)
    requested_at = fields.DatetimeField()
    submitted_at = fields.DatetimeField(null=True)
    finished_at = fields.DatetimeField(null=True)
    error = fields.TextField(null=True)
    inbox_id = fields.BigIntField(null=True)
    unapplied = fields.BooleanField(default=False)
    redirect_sealed = fields.BinaryField(null=True)

    class Meta:
        table = "refund"


class RefundLine(Model):
    """What a refund takes back of one line of its order."""

    id = fields.UUIDField(primary_key=True)
    refund_id = fields.UUIDField()
    line_id = fields.UUIDField()
    kind = fields.TextField()
    payable_id = fields.UUIDField()
    principal_fen = fields.BigIntField()
    late_fee_fen = fields.BigIntField(default=0)

    class Meta:
        table = "refund_line"


class ShippingReport(Model):
    """The shipping record (发货信息) of a settled attempt."""

    attempt_id = fields.UUIDField(primary_key=True)
    state = fields.TextField()
    reported_at = fields.DatetimeField(null=True)
    errcode = fields.IntField(null=True)
    error = fields.TextField(null=True)

    class Meta:
        table = "shipping_report"
