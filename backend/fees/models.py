"""Tables of fees (收费): items, prices, exclusions, runs, omissions, bills, lines, prepaid accounts and their uses."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField

from backend.kernel.orm import Model


class FeeItem(Model):
    """A fee item (收费项目), such as property fee (物业费) or parking space fee (车位费)."""

    id = fields.UUIDField(primary_key=True)
    no = fields.BigIntField(generated=True)
    community_id = fields.UUIDField()
    code = fields.TextField()
    name = fields.TextField()
    type = fields.TextField()
    nature = fields.TextField()
    formula = fields.TextField()
    cycle_months = fields.IntField()
    anchor = fields.TextField()
    prepaid = fields.BooleanField()
    lead_days = fields.IntField()
    due_days = fields.IntField()
    rounding = fields.TextField()
    rounding_unit = fields.TextField()
    house_kinds = ArrayField(element_type="text")
    liable = fields.TextField()
    payable_online = fields.BooleanField()
    valid_from = fields.DateField()
    valid_until = fields.DateField(null=True)
    state = fields.TextField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "fee_item"


class PriceVersion(Model):
    """A price (单价) from a day on: `rate_micro` is millionths of a yuan per m² and month, or per month."""

    id = fields.UUIDField(primary_key=True)
    item_id = fields.UUIDField()
    item_no = fields.BigIntField()
    rate_micro = fields.BigIntField()
    effective_from = fields.DateField()
    effective_until = fields.DateField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "price_version"


class BillingExclusion(Model):
    """A house that a person has taken out of an item (不收费名单). The key is (item, house)."""

    item_id = fields.UUIDField(primary_key=True)
    house_id = fields.UUIDField()
    reason = fields.TextField()
    created_by = fields.UUIDField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "billing_exclusion"


class BillingRun(Model):
    """A billing run (出账批次) of one item and period; `period_end` is exclusive."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    item_id = fields.UUIDField()
    period_start = fields.DateField()
    period_end = fields.DateField()
    supplement = fields.IntField()
    state = fields.TextField()
    plan = fields.JSONField[dict[str, object]]()
    only_house_id = fields.UUIDField(null=True)
    due_on = fields.DateField()
    house_count = fields.BigIntField()
    after_house = fields.BigIntField()
    bill_count = fields.BigIntField()
    total_fen = fields.BigIntField()
    omitted_count = fields.BigIntField()
    created_by = fields.UUIDField(null=True)
    created_at = fields.DatetimeField()
    published_by = fields.UUIDField(null=True)
    published_at = fields.DatetimeField(null=True)
    cleared_at = fields.DatetimeField(null=True)
    error = fields.TextField(null=True)

    class Meta:
        table = "billing_run"


class BillingOmission(Model):
    """A house left out of a run, with the reason. The key is (run, house)."""

    run_id = fields.UUIDField(primary_key=True)
    house_id = fields.UUIDField()
    reason = fields.TextField()

    class Meta:
        table = "billing_omission"


class Bill(Model):
    """A bill (账单) of one item, house and period; `period_end` is exclusive, money is in fen."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    item_id = fields.UUIDField()
    house_id = fields.UUIDField()
    run_id = fields.UUIDField()
    period_start = fields.DateField()
    period_end = fields.DateField()
    seq = fields.IntField()
    state = fields.TextField()
    principal_fen = fields.BigIntField()
    late_fee_fen = fields.BigIntField()
    paid_fen = fields.BigIntField()
    refunded_fen = fields.BigIntField()
    late_paid_fen = fields.BigIntField()
    late_refunded_fen = fields.BigIntField()
    liable_kind = fields.TextField()
    liable_person_id = fields.UUIDField(null=True)
    due_on = fields.DateField()
    created_at = fields.DatetimeField()
    paid_at = fields.DatetimeField(null=True)
    voided_at = fields.DatetimeField(null=True)

    class Meta:
        table = "bill"


class BillLine(Model):
    """A line of a bill (账单明细) with everything that went into it. The key is (bill, seq)."""

    bill_id = fields.UUIDField(primary_key=True)
    seq = fields.SmallIntField()
    label = fields.TextField()
    inputs = fields.JSONField[dict[str, object]]()
    area_cm2 = fields.BigIntField(null=True)
    coefficient = fields.DecimalField(max_digits=8, decimal_places=4)
    exact_num = fields.DecimalField(max_digits=1000, decimal_places=0)
    exact_den = fields.DecimalField(max_digits=1000, decimal_places=0)
    amount_fen = fields.BigIntField()

    class Meta:
        table = "bill_line"


class BillDispute(Model):
    """A dispute of a bill (账单异议); the one without an end stands."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    bill_id = fields.UUIDField()
    opened_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)
    outcome = fields.TextField(null=True)

    class Meta:
        table = "bill_dispute"


class PrepaidAccount(Model):
    """A prepaid account (预存账户) of a house for a purpose; its balance is the ledger's."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    house_id = fields.UUIDField()
    purpose = fields.TextField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "prepaid_account"


class PrepaidUse(Model):
    """A bill paid out of a prepaid account, whole or in part (预存抵扣)."""

    id = fields.UUIDField(primary_key=True)
    account_id = fields.UUIDField()
    community_id = fields.UUIDField()
    bill_id = fields.UUIDField()
    amount_fen = fields.BigIntField()
    used_at = fields.DatetimeField()
    returned_at = fields.DatetimeField(null=True)

    class Meta:
        table = "prepaid_use"
