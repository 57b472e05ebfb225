"""Tables of the ledger (账簿): accounts and postings. Read only; rows are written by `accounts` and `postings`."""

from tortoise import fields

from backend.kernel.orm import Model


class Account(Model):
    """An account (科目): a code of the chart for one subject (house, item, merchant) of one community."""

    id = fields.BigIntField(primary_key=True)
    community_id = fields.UUIDField()
    code = fields.TextField()
    subject_id = fields.UUIDField()

    class Meta:
        table = "account"


class Posting(Model):
    """A posting (分录): `amount_fen` from the credited to the debited account; never changed (I-02)."""

    id = fields.BigIntField(primary_key=True)
    community_id = fields.UUIDField()
    kind = fields.TextField()
    reference = fields.UUIDField()
    debit_account = fields.BigIntField()
    credit_account = fields.BigIntField()
    amount_fen = fields.BigIntField()
    bill_id = fields.UUIDField(null=True)
    occurred_at = fields.DatetimeField()
    booked_on = fields.DateField()
    corrects_id = fields.BigIntField(null=True)

    class Meta:
        table = "posting"
