"""Balances: sums of postings, never a stored figure (design principle 2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from backend.kernel.db import Reader
from backend.ledger.accounts import CHART, Code, Key

# Indexes posting_debit and posting_credit; one account at a time.
ACCOUNT_BALANCE = """
    SELECT (SELECT coalesce(sum(amount_fen), 0) FROM posting WHERE debit_account = $1)
         - (SELECT coalesce(sum(amount_fen), 0) FROM posting WHERE credit_account = $1)
"""

ACCOUNT = "SELECT id FROM account WHERE community_id = $1 AND code = $2 AND subject_id = $3"

# Indexes posting_parking_credit and posting_parking_debit: an account of years is not read for a week.
PARKING_DAYS = """
    SELECT booked_on, sum(credit_fen)::bigint AS credit_fen, sum(debit_fen)::bigint AS debit_fen
      FROM (SELECT booked_on, amount_fen AS credit_fen, 0::bigint AS debit_fen FROM posting
             WHERE kind LIKE 'parking%' AND credit_account = $1 AND booked_on >= $2 AND booked_on < $3
             UNION ALL
            SELECT booked_on, 0, amount_fen FROM posting
             WHERE kind LIKE 'parking%' AND debit_account = $1 AND booked_on >= $2 AND booked_on < $3) AS moved
     GROUP BY booked_on ORDER BY booked_on
"""

TRIAL_BALANCE = """
    WITH moved AS (
        SELECT debit_account AS account_id, amount_fen AS debit_fen, 0::bigint AS credit_fen, booked_on
          FROM posting WHERE community_id = ANY($1::uuid[]) AND booked_on <= $2
         UNION ALL
        SELECT credit_account, 0, amount_fen, booked_on
          FROM posting WHERE community_id = ANY($1::uuid[]) AND booked_on <= $2
    )
    SELECT a.community_id, a.code,
           coalesce(sum(m.debit_fen - m.credit_fen) FILTER (WHERE m.booked_on < $2), 0)::bigint AS opening_fen,
           coalesce(sum(m.debit_fen) FILTER (WHERE m.booked_on = $2), 0)::bigint AS debit_fen,
           coalesce(sum(m.credit_fen) FILTER (WHERE m.booked_on = $2), 0)::bigint AS credit_fen
      FROM moved m JOIN account a ON a.id = m.account_id
     GROUP BY a.community_id, a.code
     ORDER BY a.community_id, a.code
"""


@dataclass(frozen=True, slots=True)
class TrialLine:
    """One code of one community on one day, debit positive, in fen: opening + debit − credit = closing."""

    community_id: UUID
    code: Code
    name: str
    opening_fen: int
    debit_fen: int
    credit_fen: int

    @property
    def closing_fen(self) -> int:
        return self.opening_fen + self.debit_fen - self.credit_fen


async def account_balance(db: Reader, account_id: int) -> int:
    """Debits less credits of an account, in fen."""
    return int(await db.fetchval(ACCOUNT_BALANCE, account_id))


async def balance_of(db: Reader, key: Key) -> int:
    """Debits less credits of the account named by `key`, in fen, 0 where nothing was ever posted."""
    account_id = await db.fetchval(ACCOUNT, key.community_id, key.code.value, key.subject_id)
    return 0 if account_id is None else await account_balance(db, account_id)


async def house_balance(db: Reader, *, community_id: UUID, house_id: UUID) -> int:
    """What a house owes, in fen: the balance of its receivable account."""
    return await balance_of(db, Key(community_id, Code.RECEIVABLE, house_id))


async def parking_days(
    db: Reader, *, community_id: UUID, lot_id: UUID, starts_on: date, ends_on: date
) -> list[tuple[date, int, int]]:
    """What a lot's income account took in and gave back, in fen, by the day of the posting; `ends_on` is not one."""
    account_id = await db.fetchval(ACCOUNT, community_id, Code.PARKING_INCOME.value, lot_id)
    rows = [] if account_id is None else await db.fetch(PARKING_DAYS, account_id, starts_on, ends_on)
    return [(row["booked_on"], row["credit_fen"], row["debit_fen"]) for row in rows]


async def trial_balance(db: Reader, *, community_ids: Sequence[UUID], booked_on: date) -> tuple[TrialLine, ...]:
    """The trial balance (试算平衡) of one day: closing figures of each community add up to 0 (I-01)."""
    rows = await db.fetch(TRIAL_BALANCE, list(community_ids), booked_on)
    return tuple(
        TrialLine(
            community_id=row["community_id"],
            code=Code(row["code"]),
            name=CHART[Code(row["code"])].name,
            opening_fen=row["opening_fen"],
            debit_fen=row["debit_fen"],
            credit_fen=row["credit_fen"],
        )
        for row in rows
    )
