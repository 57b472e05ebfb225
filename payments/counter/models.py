"""The tables of the counter as Tortoise models (0011_counter.sql owns the schema). 收费班次, 凭证, 缴存, 收据."""

from tortoise import fields

from backend.kernel.orm import Model


class CashierShift(Model):
    """A cashier's shift (收费班次): what the drawer should hold is what its cash account says, and the float."""

    id = fields.UUIDField(primary_key=True)
    company_id = fields.UUIDField()
    community_id = fields.UUIDField()
    cashier_id = fields.UUIDField()
    state = fields.TextField()
    float_fen = fields.BigIntField()
    opened_at = fields.DatetimeField()
    closed_at = fields.DatetimeField(null=True)
    expected_fen = fields.BigIntField(null=True)
    counted_fen = fields.BigIntField(null=True)
    note = fields.TextField(null=True)

    class Meta:
        table = "cashier_shift"


class CounterVoucher(Model):
    """A voucher (凭证): what a cashier took for an attempt, or gave back for a refund."""

    id = fields.UUIDField(primary_key=True)
    company_id = fields.UUIDField()
    community_id = fields.UUIDField()
    shift_id = fields.UUIDField()
    voucher_no = fields.TextField()
    method = fields.TextField()
    attempt_id = fields.UUIDField(null=True)
    refund_id = fields.UUIDField(null=True)
    amount_fen = fields.BigIntField()
    received_fen = fields.BigIntField()
    change_fen = fields.BigIntField()
    made_at = fields.DatetimeField()

    class Meta:
        table = "counter_voucher"


class BankDeposit(Model):
    """Cash of a shift brought to the bank (缴存)."""

    id = fields.UUIDField(primary_key=True)
    company_id = fields.UUIDField()
    community_id = fields.UUIDField()
    shift_id = fields.UUIDField()
    amount_fen = fields.BigIntField()
    deposited_on = fields.DateField()
    slip_no = fields.TextField()
    created_by = fields.UUIDField()
    created_at = fields.DatetimeField()
    bank_line_id = fields.BigIntField(null=True)
    matched_at = fields.DatetimeField(null=True)

    class Meta:
        table = "bank_deposit"


class ReceiptSeries(Model):
    """The last number that a company's receipts have come to."""

    company_id = fields.UUIDField(primary_key=True)
    last_no = fields.BigIntField()

    class Meta:
        table = "receipt_series"


class Receipt(Model):
    """A receipt (收据): its number is without gaps per company, its snapshot is what it showed when it was issued."""

    id = fields.UUIDField(primary_key=True)
    company_id = fields.UUIDField()
    community_id = fields.UUIDField()
    no = fields.BigIntField()
    order_id = fields.UUIDField()
    state = fields.TextField()
    snapshot: fields.Field[dict[str, object]] = fields.JSONField()
    issued_at = fields.DatetimeField()
    voided_at = fields.DatetimeField(null=True)
    void_reason = fields.TextField(null=True)

    class Meta:
        table = "receipt"
