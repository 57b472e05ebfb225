"""Postings (分录): one row per business fact, a debit account, a credit account, a positive amount in fen.

Keeps I-01 (two sides, positive: CHECK), I-02 (append-only: trigger and privileges) and I-03 ((kind, reference) unique:
the second posting of one fact fails its whole transaction).
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.kernel.db import Batch, Tx
from backend.kernel.errors import NotFound

# No conflict clause on purpose: the same fact posted twice must fail (I-03).
ROW = Batch(
    table="posting",
    columns=(
        ("community_id", "uuid"),
        ("kind", "text"),
        ("reference", "uuid"),
        ("debit_account", "bigint"),
        ("credit_account", "bigint"),
        ("amount_fen", "bigint"),
        ("bill_id", "uuid"),
        ("occurred_at", "timestamptz"),
        ("booked_on", "date"),
    ),
)

REVERSE = """
    INSERT INTO posting (community_id, kind, reference, debit_account, credit_account, amount_fen, bill_id,
                         occurred_at, booked_on, corrects_id)
    SELECT community_id, $1, reference, credit_account, debit_account, amount_fen, bill_id, $4, $5, id
      FROM posting
     WHERE kind = $2 AND reference = $3
 RETURNING id, corrects_id, amount_fen
"""


@dataclass(frozen=True, slots=True)
class Reversed:
    """A posting that takes another one back."""

    posting_id: int
    corrects_id: int
    amount_fen: int


def post(
    tx: Tx,
    kind: str,
    *,
    reference: UUID,
    debit: int,
    credit: int,
    amount_fen: int,
    community_id: UUID,
    bill_id: UUID | None = None,
    occurred_at: datetime | None = None,
) -> None:
    """Post `amount_fen` from account `credit` to account `debit`, sent with the transaction's next flush.

    `kind` is `noun.happened`; `reference` names the fact. ValueError for amounts that are not positive and for equal
    accounts; a fact posted before fails the transaction (I-03).
    """
    if amount_fen <= 0 or debit == credit:
        raise ValueError(f"a posting needs a positive amount and two accounts: {amount_fen} fen, {debit}, {credit}")
    at = occurred_at or tx.now
    tx.add(ROW, community_id, kind, reference, debit, credit, amount_fen, bill_id, at, tx.today)


async def reverse(tx: Tx, kind: str, *, of_kind: str, reference: UUID) -> Reversed:
    """Take the posting (`of_kind`, `reference`) back by its mirror image of `kind`; NotFound where there is none.

    A second reversal fails the transaction, because (kind, reference) is unique (I-03).
    """
    row = await tx.fetchrow(REVERSE, kind, of_kind, reference, tx.now, tx.today)
    if row is None:
        raise NotFound
    return Reversed(row["id"], row["corrects_id"], row["amount_fen"])
