"""What work has cost for which nobody is quoted (维修成本): labour and parts, by who has the ticket in hand (D9).

Promises: its parts leave the worker's own stock in the same transaction. Of a public area the cost may be charged to a
shared pool once a second person has agreed; a refusal leaves it with the company, as all that is done in homes for
free. The row stays as it was written.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from backend.kernel import approvals, audit
from backend.kernel.approvals import Approval, Stale
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Forbidden
from backend.kernel.ids import uuid7
from backend.kernel.money import yuan_text
from backend.tickets import reads
from backend.tickets.paid import lines, stock
from backend.tickets.paid.lines import LineWish
from backend.tickets.paid.states import CostState
from backend.tickets.states import Kind, State
from backend.tickets.step import Who

KIND = "ticket.cost"

AROUND = """
    SELECT c.paid, (SELECT staff_id FROM ticket_assignment WHERE ticket_id = $2 AND ended_at IS NULL) AS assignee_id
      FROM ticket_category c WHERE c.id = $1
"""

INSERT = """
    INSERT INTO ticket_cost (id, community_id, ticket_id, state, lines, total_fen, made_by, made_at, approval_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""

DECIDE = (
    "UPDATE ticket_cost SET state = $2 WHERE approval_id = $1 AND state = 'PROPOSED' RETURNING ticket_id, total_fen"
)

OF_TICKET = "SELECT * FROM ticket_cost WHERE ticket_id = $1 ORDER BY id LIMIT 100"


async def record(tx: Tx, who: Who, *, ticket_id: UUID, wishes: Sequence[LineWish], reason: str) -> CostState:
    """What the work has cost. NotFound, Forbidden `not_yours`, Conflict `not_on_site`, `paid_work`, `stock_short`."""
    ticket = await reads.lock(tx, who, ticket_id)
    around = await tx.fetchrow(AROUND, ticket["category_id"], ticket_id)
    assert around is not None and who.actor.id is not None
    _require(ticket, around, who)
    found = await lines.priced(tx, ticket["community_id"], wishes, today=tx.today)
    kept, total_fen = lines.kept(found), lines.total_fen(found)
    await stock.use(
        tx, who.actor, community_id=ticket["community_id"], staff_id=who.actor.id, parts=lines.parts(kept),
        ticket_id=ticket_id,
    )  # fmt: skip
    cost_id, public = uuid7(tx.now), ticket["kind"] == Kind.REPAIR_PUBLIC
    asked = await _propose(tx, who, ticket, cost_id, total_fen, reason) if public else None
    state = CostState.PROPOSED if public else CostState.BORNE
    await tx.execute(
        INSERT, cost_id, ticket["community_id"], ticket_id, state, kept, total_fen, who.actor.id, tx.now,
        asked and asked.id,
    )  # fmt: skip
    audit.record(
        tx, who.actor, action="ticket_cost.recorded", target=f"ticket:{ticket_id}",
        community_id=ticket["community_id"], reason=reason, after={"total_fen": total_fen, "state": state},
    )  # fmt: skip
    return state


async def apply(tx: Tx, approval: Approval, actor: Actor) -> None:
    """It may be charged to a shared pool."""
    await _decide(tx, approval, actor, CostState.CHARGEABLE)


async def drop(tx: Tx, approval: Approval, actor: Actor) -> None:
    """It is not charged: the company bears it."""
    await _decide(tx, approval, actor, CostState.REFUSED)


async def of_ticket(db: Reader, ticket_id: UUID) -> list[Record]:
    """The costs of a ticket that the caller has found in scope."""
    return await db.fetch(OF_TICKET, ticket_id)


def _require(ticket: Record, around: Record, who: Who) -> None:
    if around["assignee_id"] != who.actor.id:
        raise Forbidden("这张工单不在您手上，不能进行此操作。", code="not_yours")
    if ticket["state"] != State.ON_SITE:
        raise Conflict("到场后、完工前才能登记维修成本。", code="not_on_site")
    if around["paid"]:
        raise Conflict("这类工单向住户收费，请报价，不必登记维修成本。", code="paid_work")


async def _propose(tx: Tx, who: Who, ticket: Record, cost_id: UUID, total_fen: int, reason: str) -> Approval:
    shown: Mapping[str, Any] = {
        "工单": str(ticket["no"]),
        "地点": ticket["place"],
        "计入公摊": f"{yuan_text(total_fen)} 元",
    }
    return await approvals.propose(
        tx, who.actor, kind=KIND, target=f"ticket_cost:{cost_id}", community_id=ticket["community_id"],
        payload={"cost_id": str(cost_id)}, shown={"before": {}, "after": shown}, reason=reason,
    )  # fmt: skip


async def _decide(tx: Tx, approval: Approval, actor: Actor, state: CostState) -> None:
    row = await tx.fetchrow(DECIDE, approval.id, state)
    if row is None:
        raise Stale
    audit.record(
        tx, actor, action="ticket_cost.decided", target=f"ticket:{row['ticket_id']}",
        community_id=approval.community_id, after={"total_fen": row["total_fen"], "state": state},
    )  # fmt: skip
