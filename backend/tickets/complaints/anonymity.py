"""A look at who reported an anonymous ticket (查看匿名报单人): asked by one, allowed by another, for a day (D9, S3).

Promises: nobody sees the reporter but by a look of their own that has not run out; each time is an entry in the audit
with the look's reason. The reporter reads in the timeline, and is told, that a look was allowed and why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from backend.identity import people
from backend.kernel import approvals, audit
from backend.kernel.approvals import Approval, ApprovalKind
from backend.kernel.audit import Actor
from backend.kernel.crypto import Keyring
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Forbidden
from backend.tickets import machine, reads
from backend.tickets.moves import Move
from backend.tickets.states import Role
from backend.tickets.step import Asked, Who

KIND = "ticket.look"
LASTS = timedelta(hours=24)

ALLOW = """
    INSERT INTO ticket_look (approval_id, community_id, ticket_id, staff_id, granted_by, reason, granted_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""

ALLOWED = """
    SELECT reason FROM ticket_look
     WHERE ticket_id = $1 AND staff_id = $2 AND expires_at > $3
     ORDER BY expires_at DESC
     LIMIT 1
"""

REPORTER = """
    SELECT r.person_id, h.label AS house
      FROM ticket_reporter r JOIN ticket_house h ON h.id = r.house_id
     WHERE r.ticket_id = $1
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """Who reported an anonymous ticket."""

    name: str | None
    phone: str | None
    house: str


async def ask(tx: Tx, actor: Actor, *, ticket_id: UUID, communities: Sequence[UUID], reason: str) -> Approval:
    """Ask for a look; NotFound, Conflict `not_anonymous`, `approval_pending`."""
    ticket = await reads.lock(tx, Who(actor, Role.DESK, communities), ticket_id)
    if not ticket["anonymous"] or await tx.fetchrow(REPORTER, ticket_id) is None:
        raise Conflict("这张工单不是匿名提交的，或者没有留下报单人。", code="not_anonymous")
    return await approvals.propose(
        tx, actor, kind=KIND, target=f"ticket:{ticket_id}", community_id=ticket["community_id"],
        payload={"ticket_id": str(ticket_id)},
        shown={"before": {}, "after": {"工单": str(ticket["no"]), "查看": "匿名报单人的姓名、电话和房屋"}},
        reason=reason,
    )  # fmt: skip


async def apply(tx: Tx, approval: Approval, actor: Actor) -> None:
    """The one who asked may look from now on; the reporter is told."""
    assert approval.community_id is not None
    ticket_id, who = UUID(approval.payload["ticket_id"]), Who(actor, Role.DESK, (approval.community_id,))
    await machine.move(tx, who, ticket_id=ticket_id, name=Move.LOOK, asked=Asked(reason=approval.reason))
    await tx.execute(
        ALLOW, approval.id, approval.community_id, ticket_id, approval.proposed_by, actor.id, approval.reason, tx.now,
        tx.now + LASTS,
    )  # fmt: skip


async def look(tx: Tx, actor: Actor, keyring: Keyring, *, ticket_id: UUID, communities: Sequence[UUID]) -> Seen:
    """Who reported it; NotFound, Forbidden `look_not_allowed` without a look of one's own that has not run out."""
    ticket = await reads.lock(tx, Who(actor, Role.DESK, communities), ticket_id)
    reason = await tx.fetchval(ALLOWED, ticket_id, actor.id, tx.now)
    reporter = await tx.fetchrow(REPORTER, ticket_id)
    if reason is None or reporter is None:
        raise Forbidden("查看匿名报单人须先申请，由另一位同事同意后 24 小时内有效。", code="look_not_allowed")
    audit.record(
        tx, actor, action="ticket.reporter_seen", target=f"ticket:{ticket_id}", community_id=ticket["community_id"],
        reason=reason,
    )  # fmt: skip
    known = people.opened(keyring, await people.sealed(tx, [reporter["person_id"]]))
    person = known.get(reporter["person_id"], people.Details(None, None))
    return Seen(person.name, person.phone, reporter["house"])


APPROVALS: Mapping[str, ApprovalKind] = {KIND: ApprovalKind("ticket.reveal_approve", apply)}
