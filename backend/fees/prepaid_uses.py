"""Bills that settle by themselves: what is due is paid out of the house's prepaid accounts (D4, R4).

One transaction per house: its due bills are locked in id order, then its accounts, as everywhere; bills that a live
order holds are left to it; the oldest bill first, out of the account of its own purpose before the general one; never
below zero. Doing it again finds nothing to do. Each use is a row, and the reference of its posting `bill.paid` (I-03).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from backend.fees import payable, prepaid
from backend.fees.payable import Line
from backend.fees.prepaid import Account, Purpose
from backend.kernel import audit
from backend.kernel.audit import SYSTEM
from backend.kernel.db import Batch, Reader, Record, Tx
from backend.kernel.ids import uuid7
from backend.ledger import accounts

# What a type of item may be paid from, in this order. Deposits and the maintenance fund are asked for, never taken.
PURPOSES: Mapping[str, tuple[Purpose, ...]] = {
    "property": (Purpose.PROPERTY, Purpose.GENERAL),
    "water": (Purpose.UTILITY, Purpose.GENERAL),
    "electricity": (Purpose.UTILITY, Purpose.GENERAL),
    "gas": (Purpose.UTILITY, Purpose.GENERAL),
    "heating": (Purpose.UTILITY, Purpose.GENERAL),
    "shared": (Purpose.UTILITY, Purpose.GENERAL),
    "parking": (Purpose.GENERAL,),
    "service": (Purpose.GENERAL,),
    "rent": (Purpose.GENERAL,),
    "other": (Purpose.GENERAL,),
    "deposit": (),
    "maintenance_fund": (),
}

USE = Batch(
    table="prepaid_use",
    columns=(
        ("id", "uuid"),
        ("account_id", "uuid"),
        ("community_id", "uuid"),
        ("bill_id", "uuid"),
        ("amount_fen", "bigint"),
        ("used_at", "timestamptz"),
    ),
)

# After the due day. A tenant's bills and those of an owner who has left are not paid out of the house's money; a bill
# whose payment was taken back is a person's case.
_DUE = """
          FROM bill b
          JOIN billing_run r ON r.id = b.run_id AND r.state = 'PUBLISHED'
          JOIN fee_item i ON i.id = b.item_id
         WHERE b.state IN ('ISSUED', 'PARTLY_PAID') AND b.due_on < $1 AND b.liable_kind <> 'tenant'
           AND (b.liable_person_id IS NULL OR EXISTS (
                SELECT FROM house_party o
                 WHERE o.house_id = b.house_id AND o.person_id = b.liable_person_id AND o.role <> 'tenant'
                   AND o.starts_on <= $1 AND (o.ends_on IS NULL OR o.ends_on > $1)))
           AND NOT EXISTS (SELECT FROM prepaid_use u WHERE u.bill_id = b.id AND u.returned_at IS NOT NULL)
"""

LOCK = f"""
    SELECT b.id, b.community_id, b.house_id, b.due_on, b.period_start, i.type,
           b.principal_fen - b.paid_fen + b.refunded_fen AS due_fen
    {_DUE} AND b.house_id = $2
     ORDER BY b.id
       FOR UPDATE OF b
"""

# In a statement of its own, after the bills are locked: whoever places an order for one of them has to wait now.
HELD = "SELECT bill_id FROM held_bill WHERE bill_id = ANY ($1::uuid[])"

ACCOUNTS = "SELECT id FROM prepaid_account WHERE house_id = $1"

# Index prepaid_account_once; a house without money costs one transaction a day while it owes.
HOUSES = f"""
    SELECT a.house_id
      FROM (SELECT DISTINCT house_id FROM prepaid_account WHERE house_id > $2) AS a
     WHERE EXISTS (SELECT {_DUE} AND b.house_id = a.house_id)
     ORDER BY a.house_id
     LIMIT $3
"""  # noqa: S608 - constants only


@dataclass(frozen=True, slots=True)
class Settled:
    """What was taken for the bills of a house, in fen."""

    bills: int
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Use:
    """A share of a bill out of one account, in fen."""

    account_id: UUID
    bill_id: UUID
    amount_fen: int


async def houses_with_due_bills(db: Reader, *, on: date, after: UUID, limit: int) -> list[UUID]:
    """Houses behind `after`, in id order, that have a prepaid account and bills that were due before `on`."""
    return [row["house_id"] for row in await db.fetch(HOUSES, on, after, limit)]


async def settle_house(tx: Tx, house_id: UUID) -> Settled:
    """Pay the due bills of a house out of its prepaid accounts, as far as the money reaches."""
    account_ids = [row["id"] for row in await tx.fetch(ACCOUNTS, house_id)]
    if not account_ids:
        return Settled(0, 0)
    due = await tx.fetch(LOCK, tx.today, house_id)
    busy = {row["bill_id"] for row in await tx.fetch(HELD, [bill["id"] for bill in due])}
    held = await prepaid.locked(tx, account_ids)
    uses = share([bill for bill in due if bill["id"] not in busy], held)
    for account in held:
        await _apply(tx, account, [use for use in uses if use.account_id == account.id])
    return Settled(len({use.bill_id for use in uses}), sum(use.amount_fen for use in uses))


def share(due: Sequence[Record], held: Sequence[Account]) -> list[Use]:
    """Who pays what: the oldest bill first, its own purpose before the general one, no account below zero."""
    left = {account.purpose: account.available_fen for account in held}
    ids = {account.purpose: account.id for account in held}
    uses = []
    for bill in sorted(due, key=lambda bill: (bill["due_on"], bill["period_start"], bill["id"])):
        owed_fen = bill["due_fen"]
        for purpose in PURPOSES[bill["type"]]:
            amount_fen = min(owed_fen, left.get(purpose, 0))
            if amount_fen > 0:
                uses.append(Use(ids[purpose], bill["id"], amount_fen))
                left[purpose] -= amount_fen
                owed_fen -= amount_fen
    return uses


async def _apply(tx: Tx, account: Account, uses: Sequence[Use]) -> None:
    if not uses:
        return
    book = await accounts.ensure(tx, prepaid.key_of(account))
    lines: list[Line] = []
    for use in uses:
        use_id = uuid7(tx.now)
        tx.add(USE, use_id, account.id, account.community_id, use.bill_id, use.amount_fen, tx.now)
        lines.append((use_id, use.bill_id, use.amount_fen, 0))
    await payable.apply_paid(tx, lines=lines, clearing_account=book)
    audit.record(
        tx, SYSTEM, action="fees.prepaid_used", target=f"prepaid_account:{account.id}",
        community_id=account.community_id,
        before={"balance_fen": account.balance_fen},
        after={"balance_fen": account.balance_fen - sum(use.amount_fen for use in uses), "bills": len(uses)},
    )  # fmt: skip
