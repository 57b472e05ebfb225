"""What a payer sees of his payments, and what staff see of them. Reads take whose they are as an argument (I-23)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.kernel.db import Database, Reader, Record
from backend.kernel.errors import NotFound
from payments.states import LIVE_ORDER, AttemptState, OrderState

# `disputed`: money for it stands in suspense and a person has not decided yet. `refunded_fen`: what has gone back of
# what it paid, and of money that came for it and could not be applied.
_ORDER = """
    SELECT o.id, o.community_id, o.payer_person_id, o.state, o.amount_fen, o.description, o.created_at, o.expires_at,
           o.paid_at, o.closed_at, o.close_reason, a.state AS attempt_state,
           EXISTS (SELECT FROM difference d WHERE d.order_id = o.id AND d.state IN ('OPEN', 'ESCALATED')) AS disputed,
           coalesce((SELECT sum(d.refunded_fen) FROM difference d WHERE d.order_id = o.id), 0)::bigint
           + coalesce((SELECT sum(r.amount_fen)
                         FROM payment_attempt p JOIN refund r ON r.attempt_id = p.id AND r.state = 'SUCCEEDED'
                        WHERE p.order_id = o.id), 0)::bigint AS refunded_fen
      FROM payment_order o
      JOIN LATERAL (SELECT state FROM payment_attempt WHERE order_id = o.id ORDER BY id DESC LIMIT 1) AS a ON true
"""

OF_PAYER = f"{_ORDER} WHERE o.id = $1 AND o.payer_person_id = $2"

LIST_OF_PAYER = f"""{_ORDER}
     WHERE o.payer_person_id = $1 AND ($2::uuid IS NULL OR o.id < $2)
     ORDER BY o.id DESC
     LIMIT $3
"""

OF_STAFF = f"{_ORDER} WHERE o.id = $1 AND o.community_id = ANY($2::uuid[])"

LIST_OF_STAFF = f"""{_ORDER}
     WHERE o.community_id = ANY($1::uuid[]) AND ($2::uuid IS NULL OR o.id < $2) AND ($4::text IS NULL OR o.state = $4)
       AND ($5::uuid IS NULL OR o.id = (SELECT l.order_id FROM payment_line l WHERE l.id = $5))
     ORDER BY o.id DESC
     LIMIT $3
"""  # noqa: S608 - columns are constants

LINES = """
    SELECT id, kind, payable_id, house_id, title, principal_fen, late_fee_fen
      FROM payment_line
     WHERE order_id = $1
     ORDER BY id
"""

_ATTEMPT = """
    SELECT id, order_id, community_id, merchant_id, channel, method, out_trade_no, transaction_no, state, amount_fen,
           asked_count, asked_at, ask_at, created_at, paid_at, settled_by, error
      FROM payment_attempt
"""

ATTEMPTS = f"{_ATTEMPT} WHERE order_id = $1 ORDER BY id"

ATTEMPTS_IN = f"""{_ATTEMPT}
     WHERE community_id = ANY ($1::uuid[]) AND state = $2 AND ($3::uuid IS NULL OR id < $3)
     ORDER BY id DESC
     LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Payment:
    """One order as it stands. `confirming`: the channel's word is still missing."""

    id: UUID
    community_id: UUID
    payer_person_id: UUID | None
    state: OrderState
    amount_fen: int
    description: str
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    closed_at: datetime | None
    close_reason: str | None
    confirming: bool
    disputed: bool
    refunded_fen: int

    @property
    def live(self) -> bool:
        """Whether it still waits for its money."""
        return self.state in LIVE_ORDER


async def payment(db: Database, *, payer_person_id: UUID, order_id: UUID) -> Payment:
    """A payment of this payer; NotFound for anybody else's."""
    row = await db.fetchrow(OF_PAYER, order_id, payer_person_id)
    if row is None:
        raise NotFound
    return _payment(row)


async def payments_of(db: Database, *, payer_person_id: UUID, before_id: UUID | None, limit: int) -> list[Payment]:
    """The payer's payments, newest first, those before `before_id`."""
    return [_payment(row) for row in await db.fetch(LIST_OF_PAYER, payer_person_id, before_id, limit)]


async def payment_in(db: Database, *, communities: Sequence[UUID], order_id: UUID) -> Payment:
    """A payment in one of these communities; NotFound elsewhere."""
    row = await db.fetchrow(OF_STAFF, order_id, list(communities))
    if row is None:
        raise NotFound
    return _payment(row)


async def payments_in(
    db: Database,
    *,
    communities: Sequence[UUID],
    state: OrderState | None,
    line_id: UUID | None,
    before_id: UUID | None,
    limit: int,
) -> list[Payment]:
    """Payments in these communities, newest first; `line_id`: the one with this line alone."""
    rows = await db.fetch(LIST_OF_STAFF, list(communities), before_id, limit, state, line_id)
    return [_payment(row) for row in rows]


async def lines_of(db: Reader, order_id: UUID) -> list[Record]:
    """What the order pays, as it was priced."""
    return await db.fetch(LINES, order_id)


async def attempts_of(db: Database, order_id: UUID) -> list[Record]:
    """How it was tried to be paid."""
    return await db.fetch(ATTEMPTS, order_id)


async def attempts_in(
    db: Database, *, communities: Sequence[UUID], state: AttemptState, before_id: UUID | None, limit: int
) -> list[Record]:
    """Attempts in a state in these communities, newest first."""
    return await db.fetch(ATTEMPTS_IN, list(communities), state.value, before_id, limit)


def _payment(row: Record) -> Payment:
    return Payment(
        id=row["id"],
        community_id=row["community_id"],
        payer_person_id=row["payer_person_id"],
        state=OrderState(row["state"]),
        amount_fen=row["amount_fen"],
        description=row["description"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        paid_at=row["paid_at"],
        closed_at=row["closed_at"],
        close_reason=row["close_reason"],
        confirming=row["attempt_state"] == AttemptState.UNKNOWN,
        disputed=row["disputed"],
        refunded_fen=row["refunded_fen"],
    )
