"""Leave for work that takes it (施工审批): asked by one, given by another, before the worker goes on site (D9, S3)."""

from collections.abc import Mapping
from uuid import UUID

from backend.kernel import approvals, audit
from backend.kernel.approvals import Approval, ApprovalKind, Stale
from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict
from backend.tickets import reads
from backend.tickets.complaints import anonymity
from backend.tickets.states import ENDED, FINISHED, Role, State
from backend.tickets.step import Who

KIND = "ticket.work"
NAMED = "SELECT name, needs_approval FROM ticket_category WHERE id = $1"
APPROVE = "UPDATE ticket SET approved_at = $2 WHERE id = $1"


async def ask(tx: Tx, who: Who, *, ticket_id: UUID, reason: str) -> Approval:
    """Ask for leave; NotFound, Conflict `no_approval_needed`, `approval_pending`."""
    ticket = await reads.lock(tx, who, ticket_id)
    category = await tx.fetchrow(NAMED, ticket["category_id"])
    assert category is not None
    if not category["needs_approval"] or ticket["approved_at"] is not None or State(ticket["state"]) in _OVER:
        raise Conflict("这张工单不需要审批，或者已经审批过。", code="no_approval_needed")
    return await approvals.propose(
        tx, who.actor, kind=KIND, target=f"ticket:{ticket_id}", community_id=ticket["community_id"],
        payload={"ticket_id": str(ticket_id), "round": ticket["round"]},
        shown={"before": {}, "after": {"工单": str(ticket["no"]), "类别": category["name"]}}, reason=reason,
    )  # fmt: skip


async def apply(tx: Tx, approval: Approval, actor: Actor) -> None:
    """The work may begin; Stale where the ticket is over, or another round has begun."""
    assert approval.community_id is not None
    who = Who(actor, Role.DESK, (approval.community_id,))
    ticket = await reads.lock(tx, who, UUID(approval.payload["ticket_id"]))
    if State(ticket["state"]) in _OVER or ticket["round"] != approval.payload["round"]:
        raise Stale
    await tx.execute(APPROVE, ticket["id"], tx.now)
    audit.record(
        tx, actor, action="ticket.approved", target=f"ticket:{ticket['id']}", community_id=ticket["community_id"],
        reason=approval.reason,
    )  # fmt: skip


_OVER = ENDED | FINISHED

APPROVALS: Mapping[str, ApprovalKind] = {KIND: ApprovalKind("ticket.dispatch", apply), **anonymity.APPROVALS}
