"""What a message about a settled order says (缴费成功通知)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.kernel.db import Reader

PAID = """
    SELECT o.id AS order_id, o.community_id, o.payer_person_id, o.amount_fen, o.description, a.out_trade_no, a.paid_at
      FROM payment_order o JOIN payment_attempt a ON a.order_id = o.id AND a.state = 'PAID'
     WHERE o.id = $1
"""


@dataclass(frozen=True, slots=True)
class Paid:
    """A settled order."""

    order_id: UUID
    community_id: UUID
    payer_person_id: UUID
    amount_fen: int
    description: str
    out_trade_no: str
    paid_at: datetime


async def paid_order(db: Reader, order_id: UUID) -> Paid | None:
    """The order with the attempt that paid it; None while it is not paid."""
    row = await db.fetchrow(PAID, order_id)
    return None if row is None else Paid(**dict(row.items()))
