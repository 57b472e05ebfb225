"""The chart of accounts (会计科目) as data, and the accounts of each community.

An account is (community, code, subject). It is made when first needed, never changed, and has no balance of its own:
balances are sums of postings, so that no row is shared by all payments (design section 4).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from backend.kernel.db import Tx


class Code(StrEnum):
    """Codes of the chart."""

    RECEIVABLE = "receivable"
    INCOME = "income"
    PARKING_INCOME = "parking_income"
    TICKET_RECEIVABLE = "ticket_receivable"
    TICKET_INCOME = "ticket_income"
    CLEARING = "clearing"
    SUSPENSE = "suspense"
    PREPAID = "prepaid"
    CASH = "cash"
    CARD = "card"
    TRANSFER = "transfer"
    CHEQUE = "cheque"
    CASH_OVER = "cash_over"
    BANK = "bank"
    IN_TRANSIT = "in_transit"
    WRITTEN_OFF = "written_off"
    CHANNEL_FEE = "channel_fee"


class Side(StrEnum):
    """The side on which an account grows."""

    DEBIT = "debit"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True)
class Title:
    """What a code means: its Chinese name, the side on which it grows, what its subject is."""

    name: str
    side: Side
    subject: str


CHART: Mapping[Code, Title] = {
    Code.RECEIVABLE: Title("应收账款", Side.DEBIT, "house"),
    Code.INCOME: Title("收费收入", Side.CREDIT, "fee_item"),
    Code.PARKING_INCOME: Title("停车收入", Side.CREDIT, "parking_lot"),
    Code.TICKET_RECEIVABLE: Title("维修应收款", Side.DEBIT, "house"),
    Code.TICKET_INCOME: Title("维修收入", Side.CREDIT, "ticket_category"),
    Code.CLEARING: Title("渠道清算", Side.DEBIT, "merchant"),
    Code.SUSPENSE: Title("待查款项", Side.CREDIT, "merchant"),
    Code.PREPAID: Title("预收款", Side.CREDIT, "prepaid_account"),
    Code.CASH: Title("库存现金", Side.DEBIT, "cashier_shift"),
    Code.CARD: Title("刷卡待结算", Side.DEBIT, "merchant"),
    Code.TRANSFER: Title("转账待核对", Side.DEBIT, "merchant"),
    Code.CHEQUE: Title("支票待收妥", Side.DEBIT, "merchant"),
    Code.CASH_OVER: Title("现金长短款", Side.CREDIT, "cashier_shift"),
    Code.BANK: Title("银行存款", Side.DEBIT, "company"),
    Code.IN_TRANSIT: Title("结算在途", Side.DEBIT, "merchant"),
    Code.WRITTEN_OFF: Title("对账差额", Side.DEBIT, "merchant"),
    Code.CHANNEL_FEE: Title("渠道手续费", Side.DEBIT, "merchant"),
}


@dataclass(frozen=True, slots=True)
class Key:
    """What names an account."""

    community_id: UUID
    code: Code
    subject_id: UUID


FIND = """
    SELECT k.position, a.id
      FROM unnest($1::uuid[], $2::text[], $3::uuid[]) WITH ORDINALITY AS k (community_id, code, subject_id, position)
      JOIN account a USING (community_id, code, subject_id)
     ORDER BY k.position
"""

# Sorted, so that two transactions that make the same accounts wait for each other instead of dying.
MAKE = """
    INSERT INTO account (community_id, code, subject_id)
    SELECT community_id, code, subject_id
      FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS k (community_id, code, subject_id)
     ORDER BY 1, 2, 3
        ON CONFLICT (community_id, code, subject_id) DO NOTHING
"""


async def ensure(tx: Tx, key: Key) -> int:
    """The id of the account named by `key`, made now if need be. One round trip where it exists."""
    return (await ensure_all(tx, (key,)))[0]


async def ensure_all(tx: Tx, keys: Sequence[Key]) -> tuple[int, ...]:
    """The ids of the accounts named by `keys`, in their order; missing ones are made."""
    named = ([k.community_id for k in keys], [k.code.value for k in keys], [k.subject_id for k in keys])
    found = await tx.fetch(FIND, *named)
    if len(found) < len(keys):
        await tx.execute(MAKE, *named)
        found = await tx.fetch(FIND, *named)
    return tuple(row["id"] for row in found)
