"""What staff and payers see of refunds. Reads take whose they are as an argument (I-23)."""

from collections.abc import Sequence
from uuid import UUID

from backend.kernel.db import Database, Record
from backend.kernel.errors import NotFound
from payments.states import RefundState

# order_id, description: of the payment, where there is one.
_REFUND = """
    SELECT r.*, o.id AS order_id, o.description, o.payer_person_id
      FROM refund r
      LEFT JOIN difference d ON d.id = r.difference_id
      LEFT JOIN payment_attempt a ON a.id = coalesce(r.attempt_id, d.attempt_id)
      LEFT JOIN payment_order o ON o.id = a.order_id
"""

OF_STAFF = f"{_REFUND} WHERE r.id = $1 AND r.community_id = ANY($2::uuid[])"

LIST_OF_STAFF = f"""{_REFUND}
     WHERE r.community_id = ANY($1::uuid[]) AND ($2::uuid IS NULL OR r.id < $2) AND ($4::text IS NULL OR r.state = $4)
     ORDER BY r.id DESC
     LIMIT $3
"""

# A payer sees what goes back to him, not what somebody asked for in vain.
LIST_OF_PAYER = f"""{_REFUND}
     WHERE o.payer_person_id = $1 AND ($2::uuid IS NULL OR r.id < $2)
       AND r.state NOT IN ('REQUESTED', 'REJECTED', 'CLOSED', 'FAILED')
     ORDER BY r.id DESC
     LIMIT $3
"""

LINES = """
    SELECT g.line_id, l.title, g.principal_fen, g.late_fee_fen
      FROM refund_line g JOIN payment_line l ON l.id = g.line_id
     WHERE g.refund_id = $1
     ORDER BY g.line_id
"""


async def refund_in(db: Database, *, communities: Sequence[UUID], refund_id: UUID) -> Record:
    """A refund in one of these communities; NotFound elsewhere."""
    row = await db.fetchrow(OF_STAFF, refund_id, list(communities))
    if row is None:
        raise NotFound
    return row


async def refunds_in(
    db: Database, *, communities: Sequence[UUID], state: RefundState | None, before_id: UUID | None, limit: int
) -> list[Record]:
    """Refunds in these communities, newest first, those before `before_id`."""
    return await db.fetch(LIST_OF_STAFF, list(communities), before_id, limit, state)


async def refunds_of(db: Database, *, payer_person_id: UUID, before_id: UUID | None, limit: int) -> list[Record]:
    """What goes back to this payer, newest first, those before `before_id`."""
    return await db.fetch(LIST_OF_PAYER, payer_person_id, before_id, limit)


async def lines_of(db: Database, refund_id: UUID) -> list[Record]:
    """What a refund takes back of each line; empty for money out of suspense."""
    return await db.fetch(LINES, refund_id)
