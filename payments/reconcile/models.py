"""The tables of reconciliation as Tortoise models (0012_reconciliation.sql owns the schema).

对账, 对账发现, 渠道手续费, 渠道结算, 差异核销, 银行流水.
"""

from tortoise import fields

from backend.kernel.orm import Model


class ReconciliationRun(Model):
    """A run (对账) of one merchant, day and kind of statement."""

    id = fields.UUIDField(primary_key=True)
    merchant_id = fields.UUIDField()
    company_id = fields.UUIDField()
    channel = fields.TextField()
    day = fields.DateField()
    kind = fields.TextField()
    state = fields.TextField()
    attempt = fields.IntField(default=1)
    lease_until = fields.DatetimeField(null=True)
    started_at = fields.DatetimeField()
    finished_at = fields.DatetimeField(null=True)
    file_sha256 = fields.BinaryField(null=True)
    lines = fields.BigIntField(null=True)
    amount_fen = fields.BigIntField(null=True)
    refund_fen = fields.BigIntField(null=True)
    fee_fen = fields.BigIntField(null=True)
    fee_mfen = fields.BigIntField(null=True)
    matched = fields.BigIntField(null=True)
    error = fields.TextField(null=True)

    class Meta:
        table = "reconciliation_run"


class ReconciliationFinding(Model):
    """A difference as one run found it."""

    id = fields.BigIntField(primary_key=True)
    run_id = fields.UUIDField()
    difference_id = fields.UUIDField()
    transaction_no = fields.TextField()
    subject = fields.TextField()
    statement_fen = fields.BigIntField()
    asked_at = fields.DatetimeField(null=True)

    class Meta:
        table = "reconciliation_finding"


class ChannelFee(Model):
    """Fees (渠道手续费) posted for a run in one community."""

    id = fields.BigIntField(primary_key=True)
    run_id = fields.UUIDField()
    community_id = fields.UUIDField()
    merchant_id = fields.UUIDField()
    fee_fen = fields.BigIntField()

    class Meta:
        table = "channel_fee"


class ChannelSettlement(Model):
    """Money paid out by the channel (结算), until the bank shows it."""

    id = fields.UUIDField(primary_key=True)
    company_id = fields.UUIDField()
    merchant_id = fields.UUIDField()
    channel = fields.TextField()
    run_id = fields.UUIDField()
    flow_no = fields.TextField()
    amount_fen = fields.BigIntField()
    left_on = fields.DateField()
    bank_line_id = fields.BigIntField(null=True)
    matched_at = fields.DatetimeField(null=True)

    class Meta:
        table = "channel_settlement"


class ChannelSettlementPart(Model):
    """What of a settlement came out of one community's clearing account."""

    id = fields.UUIDField(primary_key=True)
    settlement_id = fields.UUIDField()
    community_id = fields.UUIDField()
    merchant_id = fields.UUIDField()
    amount_fen = fields.BigIntField()

    class Meta:
        table = "channel_settlement_part"


class DifferenceWriteOff(Model):
    """A difference written off (核销) by two people."""

    id = fields.UUIDField(primary_key=True)
    difference_id = fields.UUIDField()
    community_id = fields.UUIDField()
    merchant_id = fields.UUIDField()
    amount_fen = fields.BigIntField()
    approval_id = fields.UUIDField()
    written_at = fields.DatetimeField()

    class Meta:
        table = "difference_write_off"


class BankLayout(Model):
    """How a company's bank writes its files."""

    id = fields.UUIDField(primary_key=True)
    company_id = fields.UUIDField()
    name = fields.TextField()
    columns: fields.Field[dict[str, object]] = fields.JSONField()
    created_by = fields.UUIDField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "bank_layout"


class BankFile(Model):
    """An imported file of the bank (银行流水文件)."""

    id = fields.UUIDField(primary_key=True)
    company_id = fields.UUIDField()
    file_name = fields.TextField()
    file_sha256 = fields.BinaryField()
    lines = fields.IntField()
    imported_by = fields.UUIDField()
    imported_at = fields.DatetimeField()

    class Meta:
        table = "bank_file"


class BankLine(Model):
    """A line of the bank's file (银行流水); positive where money came in."""

    id = fields.BigIntField(primary_key=True)
    file_id = fields.UUIDField()
    company_id = fields.UUIDField()
    booked_on = fields.DateField()
    amount_fen = fields.BigIntField()
    counterparty = fields.TextField()
    reference = fields.TextField()
    summary = fields.TextField()
    digest = fields.BinaryField()
    matched_kind = fields.TextField(null=True)
    matched_id = fields.UUIDField(null=True)
    matched_at = fields.DatetimeField(null=True)

    class Meta:
        table = "bank_line"
