"""Prepaid accounts (预存) of houses: opened, topped up, taken back, read (D4).

Promises: an account has entries only, its balance is the ledger's sum (I-03: one entry per payment line, refund line or
use); it never goes below zero, because whatever takes from it holds its row; money that is promised to a refund is not
used. Payments reaches accounts only through `lock_and_price`, `apply_paid`, `lock_refundable` and `apply_refunded`.
Owner and family may see and fill an account, a tenant may not (I-23).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from backend.fees import periods
from backend.fees.payable import Line, Priced
from backend.kernel import audit, outbox
from backend.kernel.audit import Actor
from backend.kernel.auth import HouseScope
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.kernel.money import yuan_text
from backend.ledger import accounts, postings
from backend.ledger.accounts import Code, Key

MIN_FEN = 100
MAX_FEN = 5_000_000


class Purpose(StrEnum):
    """What the money is for; the CHECK of prepaid_account holds the same list."""

    GENERAL = "general"
    PROPERTY = "property"
    UTILITY = "utility"


NAMES: Mapping[Purpose, str] = {
    Purpose.GENERAL: "通用预存款",
    Purpose.PROPERTY: "物业费预存款",
    Purpose.UTILITY: "水电气费预存款",
}


@dataclass(frozen=True, slots=True)
class Account:
    """A prepaid account as it stands. `promised_fen` of the balance is on its way back by refunds."""

    id: UUID
    community_id: UUID
    house_id: UUID
    house_label: str
    purpose: Purpose
    balance_fen: int
    promised_fen: int

    @property
    def available_fen(self) -> int:
        """What bills may be settled from."""
        return self.balance_fen - self.promised_fen


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the statement: what came in (positive) or went out, and the balance after it, in fen."""

    no: int
    kind: str
    title: str
    occurred_at: datetime
    amount_fen: int
    balance_fen: int
    bill_id: UUID | None


HOUSE = "SELECT community_id FROM billable_house WHERE id = $1"

OPEN = """
    INSERT INTO prepaid_account (id, community_id, house_id, purpose, created_at)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (house_id, purpose) DO NOTHING
    RETURNING id
"""

OPENED = "SELECT id FROM prepaid_account WHERE house_id = $1 AND purpose = $2"

# The ledger's account may not be there yet: it is made by the first entry. Indexes posting_debit and posting_credit.
_ACCOUNT = """
    SELECT a.id, a.community_id, a.house_id, h.label AS house_label, a.purpose,
           coalesce((SELECT sum(amount_fen) FROM posting WHERE credit_account = l.id), 0)::bigint
         - coalesce((SELECT sum(amount_fen) FROM posting WHERE debit_account = l.id), 0)::bigint AS balance_fen,
           coalesce((SELECT promised_fen FROM prepaid_promised p WHERE p.account_id = a.id), 0) AS promised_fen
      FROM prepaid_account a
      JOIN billable_house h ON h.id = a.house_id
      LEFT JOIN account l ON (l.community_id, l.code, l.subject_id) = (a.community_id, 'prepaid', a.id)
"""

BY_ID = f"{_ACCOUNT} WHERE a.id = ANY ($1::uuid[]) ORDER BY a.id"

OF_HOUSES = f"{_ACCOUNT} WHERE a.house_id = ANY ($1::uuid[]) ORDER BY h.label, a.house_id, a.purpose"

OF_HOUSE_FOR_STAFF = f"{_ACCOUNT} WHERE a.house_id = $1 AND a.community_id = ANY ($2::uuid[]) ORDER BY a.purpose"

ONE_OF_RESIDENT = f"{_ACCOUNT} WHERE a.id = $1 AND a.house_id = ANY ($2::uuid[])"

ONE_OF_STAFF = f"{_ACCOUNT} WHERE a.id = $1 AND a.community_id = ANY ($2::uuid[])"

# In id order and in a statement of its own: what is read afterwards is what whoever held the rows has left.
LOCK = "SELECT id FROM prepaid_account WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE"

# The running balance needs every entry; an account has a few a month.
ENTRIES = """
    WITH entry AS (
        SELECT p.id, p.kind, p.occurred_at, p.bill_id, l.signed_fen,
               sum(l.signed_fen) OVER (ORDER BY p.id)::bigint AS balance_fen
          FROM account a
          JOIN posting p ON p.credit_account = a.id OR p.debit_account = a.id
         CROSS JOIN LATERAL (
               SELECT CASE WHEN p.credit_account = a.id THEN p.amount_fen ELSE -p.amount_fen END AS signed_fen) AS l
         WHERE (a.community_id, a.code, a.subject_id) = ($1, 'prepaid', $2)
    )
    SELECT e.*, i.name AS item_name, b.period_start, b.period_end
      FROM entry e
      LEFT JOIN bill b ON b.id = e.bill_id
      LEFT JOIN fee_item i ON i.id = b.item_id
     WHERE $3::bigint IS NULL OR e.id < $3
     ORDER BY e.id DESC
     LIMIT $4
"""

ENTRY_TITLES: Mapping[str, str] = {
    "prepaid.topped_up": "存入",
    "prepaid.refunded": "退款",
    "bill.paid": "缴",
    "bill.refunded": "撤销缴",
}


async def open_for_resident(tx: Tx, actor: Actor, *, scope: HouseScope, house_id: UUID, purpose: Purpose) -> UUID:
    """The account of a house by right, opened now if need be; NotFound for a house that is not the resident's."""
    if house_id not in scope.full:
        raise NotFound
    return await _open(tx, actor, house_id, purpose, communities=None)


async def open_for_staff(
    tx: Tx, actor: Actor, *, communities: Sequence[UUID], house_id: UUID, purpose: Purpose
) -> UUID:
    """The account of a house of these communities, opened now if need be; NotFound for a foreign or unknown house."""
    return await _open(tx, actor, house_id, purpose, communities=communities)


async def _open(tx: Tx, actor: Actor, house_id: UUID, purpose: Purpose, *, communities: Sequence[UUID] | None) -> UUID:
    community_id = await tx.fetchval(HOUSE, house_id)
    if community_id is None or (communities is not None and community_id not in communities):
        raise NotFound
    opened: UUID | None = await tx.fetchval(OPEN, uuid7(tx.now), community_id, house_id, purpose.value, tx.now)
    if opened is None:
        known: UUID = await tx.fetchval(OPENED, house_id, purpose.value)
        return known
    audit.record(
        tx, actor, action="fees.prepaid_opened", target=f"prepaid_account:{opened}", community_id=community_id,
        after={"house_id": house_id, "purpose": purpose.value},
    )  # fmt: skip
    return opened


async def of_resident(db: Reader, scope: HouseScope) -> list[Account]:
    """The accounts of the resident's houses, as owner or family."""
    return [_account(row) for row in await db.fetch(OF_HOUSES, list(scope.full))]


async def one_of_resident(db: Reader, scope: HouseScope, *, account_id: UUID) -> Account:
    """An account of one of the resident's houses; NotFound for unknown and foreign ones."""
    return _found(await db.fetchrow(ONE_OF_RESIDENT, account_id, list(scope.full)))


async def of_house(db: Reader, communities: Sequence[UUID], *, house_id: UUID) -> list[Account]:
    """The accounts of a house for staff of its community; none for foreign houses."""
    return [_account(row) for row in await db.fetch(OF_HOUSE_FOR_STAFF, house_id, list(communities))]


async def one_of_staff(db: Reader, communities: Sequence[UUID], *, account_id: UUID) -> Account:
    """An account for staff of its community; NotFound for unknown and foreign ones."""
    return _found(await db.fetchrow(ONE_OF_STAFF, account_id, list(communities)))


def _found(row: Record | None) -> Account:
    if row is None:
        raise NotFound
    return _account(row)


def _account(row: Record) -> Account:
    known = {name: row[name] for name in ("id", "community_id", "house_id", "house_label")}
    return Account(
        **known,
        purpose=Purpose(row["purpose"]),
        balance_fen=row["balance_fen"],
        promised_fen=row["promised_fen"],
    )


async def entries(db: Reader, account: Account, *, before: int | None, limit: int) -> list[Entry]:
    """The statement (对账明细) of an account that the caller has found in scope, newest first."""
    rows = await db.fetch(ENTRIES, account.community_id, account.id, before, limit)
    return [
        Entry(
            no=row["id"],
            kind=row["kind"],
            title=_entry_title(row),
            occurred_at=row["occurred_at"],
            amount_fen=row["signed_fen"],
            balance_fen=row["balance_fen"],
            bill_id=row["bill_id"],
        )
        for row in rows
    ]


def _entry_title(row: Record) -> str:
    title = ENTRY_TITLES[row["kind"]]
    if row["bill_id"] is None:
        return title
    return f"{title} {row['item_name']} {periods.text(row['period_start'], row['period_end'])}"


async def locked(tx: Tx, account_ids: Sequence[UUID]) -> list[Account]:
    """The accounts as they stand, in id order, held to the end of the transaction; unknown ones are left out."""
    await tx.fetch(LOCK, list(account_ids))
    return [_account(row) for row in await tx.fetch(BY_ID, list(account_ids))]


async def lock_and_price(tx: Tx, scope: HouseScope | None, wanted: Mapping[UUID, int | None]) -> list[Priced]:
    """Lock the accounts, in id order; each is topped up by the amount chosen for it.

    `scope` is the resident's, None for staff. NotFound for what is unknown or foreign, Invalid `amount_out_of_bounds`.
    """
    found = await locked(tx, sorted(wanted))
    if len(found) < len(wanted) or not wanted:
        raise NotFound
    if scope is not None and any(account.house_id not in scope.full for account in found):
        raise NotFound
    return [
        Priced(
            payable_id=account.id,
            community_id=account.community_id,
            house_id=account.house_id,
            item_id=None,
            principal_fen=_chosen_fen(wanted[account.id]),
            late_fee_fen=0,
            title=NAMES[account.purpose],
        )
        for account in found
    ]


def _chosen_fen(chosen_fen: int | None) -> int:
    if chosen_fen is None or not MIN_FEN <= chosen_fen <= MAX_FEN:
        raise Invalid(
            f"预存金额可在 {yuan_text(MIN_FEN)} 元到 {yuan_text(MAX_FEN)} 元之间。", code="amount_out_of_bounds"
        )
    return chosen_fen


async def apply_paid(tx: Tx, *, lines: Sequence[Line], clearing_account: int) -> None:
    """Post what came in: clearing against the account. What it can settle of bills that are due follows by a job."""
    held = await locked(tx, [account_id for _, account_id, _, _ in lines])
    books = await _books(tx, held)
    by_id = {account.id: account for account in held}
    for reference, account_id, principal_fen, _ in lines:
        account = by_id[account_id]
        postings.post(
            tx, "prepaid.topped_up", reference=reference, debit=clearing_account, credit=books[account_id],
            amount_fen=principal_fen, community_id=account.community_id,
        )  # fmt: skip
    for house_id, community_id in {(account.house_id, account.community_id) for account in held}:
        outbox.emit(tx, "fees.prepaid_topped_up", {"house_id": str(house_id)}, community_id=community_id)


async def lock_refundable(tx: Tx, *, lines: Sequence[Line]) -> None:
    """Hold the accounts and see that each can spare what the lines will take back, promises made before left aside.

    Called when a refund is asked for, before its lines are written. Raises Conflict `not_refundable`.
    """
    await _locked_with(tx, lines, promises=True)


async def apply_refunded(tx: Tx, *, lines: Sequence[Line], clearing_account: int) -> None:
    """Post what went back: the account against clearing. Lines are rows of refund_line, promised before.

    Raises Conflict `not_refundable`, and changes nothing, when an account does not hold as much.
    """
    held = await _locked_with(tx, lines, promises=False)
    books = await _books(tx, list(held.values()))
    for reference, account_id, principal_fen, _ in lines:
        postings.post(
            tx, "prepaid.refunded", reference=reference, debit=books[account_id], credit=clearing_account,
            amount_fen=principal_fen, community_id=held[account_id].community_id,
        )  # fmt: skip


async def _locked_with(tx: Tx, lines: Sequence[Line], *, promises: bool) -> dict[UUID, Account]:
    """The accounts of the lines, held; Conflict `not_refundable` where one does not hold what is taken from it."""
    taken: dict[UUID, int] = {}
    for _, account_id, principal_fen, _ in lines:
        taken[account_id] = taken.get(account_id, 0) + principal_fen
    held = {account.id: account for account in await locked(tx, sorted(taken))}
    for account_id, taken_fen in taken.items():
        account = held[account_id]
        if taken_fen > (account.available_fen if promises else account.balance_fen):
            raise Conflict(
                f"这个预存账户只剩 {yuan_text(account.available_fen)} 元可退，其余已用于缴费或正在退款。",
                code="not_refundable",
            )
    return held


async def _books(tx: Tx, held: Sequence[Account]) -> dict[UUID, int]:
    """The ledger's account of each."""
    ids = await accounts.ensure_all(tx, [key_of(account) for account in held])
    return {account.id: book for account, book in zip(held, ids, strict=True)}


def key_of(account: Account) -> Key:
    """What names the account in the ledger."""
    return Key(account.community_id, Code.PREPAID, account.id)
