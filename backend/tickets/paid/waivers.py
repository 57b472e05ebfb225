"""Letting a house off what it owes for a repair (减免维修费): asked by one, approved by another (design principle 9).

Promises: the debt shrinks only by the approval, whole, while it is still owed; a payment that comes in meanwhile finds
nothing owed and goes back by itself.
"""

from uuid import UUID

from backend.kernel import approvals, audit
from backend.kernel.approvals import Approval, Stale
from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.kernel.money import yuan_text
from backend.ledger import postings
from backend.tickets import reads
from backend.tickets.paid import quotes
from backend.tickets.states import Role
from backend.tickets.step import Who

KIND = "ticket.waiver"

OWED = "SELECT * FROM ticket_quote WHERE id = $1 AND ticket_id = $2 AND state = 'DUE' FOR UPDATE"

WAIVE = "UPDATE ticket_quote SET state = 'WAIVED', decided_at = $2 WHERE id = $1"


async def propose(tx: Tx, who: Who, *, ticket_id: UUID, reason: str) -> Approval:
    """Ask that what is owed of a ticket be waived; NotFound, Conflict `nothing_due`, `approval_pending`."""
    ticket = await reads.lock(tx, who, ticket_id)
    quote = await tx.fetchrow(OWED, await quotes.owed(tx, ticket_id), ticket_id)
    assert quote is not None, "the ticket's row is held"
    return await approvals.propose(
        tx, who.actor, kind=KIND, target=f"ticket_quote:{quote['id']}", community_id=ticket["community_id"],
        payload={"ticket_id": str(ticket_id), "quote_id": str(quote["id"])},
        shown={
            "before": {"工单": str(ticket["no"]), "应付": f"{yuan_text(quote['total_fen'])} 元"},
            "after": {"工单": str(ticket["no"]), "应付": f"{yuan_text(0)} 元"},
        },
        reason=reason,
    )  # fmt: skip


async def apply(tx: Tx, approval: Approval, actor: Actor) -> None:
    """The house does not owe it any more; Stale where it has paid, or been let off, already."""
    assert approval.community_id is not None
    ticket_id, quote_id = UUID(approval.payload["ticket_id"]), UUID(approval.payload["quote_id"])
    await reads.lock(tx, Who(actor, Role.DESK, (approval.community_id,)), ticket_id)
    quote = await tx.fetchrow(OWED, quote_id, ticket_id)
    if quote is None:
        raise Stale
    await tx.execute(WAIVE, quote_id, tx.now)
    receivable, income = await quotes.accounts_of(tx, quote)
    postings.post(
        tx, "ticket.waived", reference=quote_id, debit=income, credit=receivable, amount_fen=quote["total_fen"],
        community_id=approval.community_id,
    )  # fmt: skip
    audit.record(
        tx, actor, action="ticket.waived", target=f"ticket:{ticket_id}", community_id=approval.community_id,
        reason=approval.reason, after={"amount_fen": quote["total_fen"]},
    )  # fmt: skip
