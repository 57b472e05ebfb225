"""What paid work adds to the machine of tickets: guards and effects by the names that moves.py uses (D9)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid
from backend.tickets.paid import quotes
from backend.tickets.states import Role
from backend.tickets.step import Step

SIGNED = "SELECT 1 FROM ticket_signature WHERE ticket_id = $1 AND round = $2"

# Index ticket_quote_unpaid.
UNPAID = "SELECT 1 FROM ticket_quote WHERE ticket_id = $1 AND state = 'DUE' LIMIT 1"


async def signed(tx: Tx, step: Step) -> None:
    """A resident signs for paid work; the desk gives a reason instead. Invalid `signature_required`."""
    if not step.category["paid"] or step.who.role is not Role.REPORTER:
        return
    if await tx.fetchval(SIGNED, step.ticket_id, step.ticket["round"]) is None:
        problem = "有偿维修须签名验收，请在屏幕上签名后提交。"
        raise Invalid(problem, code="signature_required", fields=[{"field": "signature", "message": problem}])


async def paid_for(tx: Tx, step: Step) -> None:
    """Nothing is owed of the ticket any more; Conflict `ticket_unpaid`."""
    if await tx.fetchval(UNPAID, step.ticket_id) is not None:
        raise Conflict("这张工单还有未付的费用，收到付款或减免后才能关闭。", code="ticket_unpaid")


GUARDS: dict[str, Callable[[Tx, Step], Awaitable[None]]] = {"signed": signed, "paid_for": paid_for}

EFFECTS: dict[str, Callable[[Tx, Step], Awaitable[Mapping[str, Any]]]] = {
    "quote": quotes.make,
    "agree": quotes.agree,
    "decline": quotes.decline,
    "withdraw_quote": quotes.withdraw,
    "use_parts": quotes.use_parts,
    "fall_due": quotes.fall_due,
}
