"""Stocktaking (盘点): one person counts what lies at a place, another approves, and the books follow (D9, S3).

Promises: the books change to what was counted only while they stand as they did when it was counted; else the count is
stale and is taken again. Every difference is a movement that names its approval.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from backend.kernel import approvals
from backend.kernel.approvals import Approval, Stale
from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.kernel.errors import Invalid
from backend.tickets.paid import stock
from backend.tickets.paid.states import Movement

KIND = "ticket.stocktaking"

# In item order, as everything that changes counts.
BOOKED = """
    SELECT s.item_id, s.count, i.name FROM ticket_stock s JOIN ticket_item i ON i.id = s.item_id
     WHERE s.place_id = $1 AND s.item_id = ANY ($2::uuid[])
     ORDER BY s.item_id
       FOR UPDATE OF s
"""


async def propose(
    tx: Tx, actor: Actor, *, place_id: UUID, counted: Mapping[UUID, int], reason: str, communities: Sequence[UUID]
) -> Approval:
    """Say what was counted. NotFound, Invalid `unknown_part`, `nothing_differs`, Conflict `approval_pending`."""
    where = await stock.place(tx, place_id, communities=communities)
    booked = {row["item_id"]: row for row in await tx.fetch(BOOKED, place_id, list(counted))}
    if counted.keys() - booked.keys():
        raise Invalid("盘点里有此处从未存放过的配件，请先办理入库。", code="unknown_part")
    if all(booked[item_id]["count"] == count for item_id, count in counted.items()):
        raise Invalid("盘点与账面一致，无需调整。", code="nothing_differs")
    names = {row["name"]: (row["count"], counted[row["item_id"]]) for row in booked.values()}
    lines = [
        {"item_id": str(item_id), "booked": row["count"], "counted": counted[item_id]}
        for item_id, row in booked.items()
    ]
    return await approvals.propose(
        tx, actor, kind=KIND, target=f"ticket_stock_place:{place_id}", community_id=where["community_id"],
        payload={"place_id": str(place_id), "lines": lines},
        shown={
            "before": {"地点": where["name"], **{name: before for name, (before, _) in names.items()}},
            "after": {"地点": where["name"], **{name: after for name, (_, after) in names.items()}},
        },
        reason=reason,
    )  # fmt: skip


async def apply(tx: Tx, approval: Approval, actor: Actor) -> None:
    """The books say what was counted; Stale where anything has come or gone since."""
    assert approval.community_id is not None
    lines = {UUID(line["item_id"]): line for line in approval.payload["lines"]}
    where = await stock.place(tx, UUID(approval.payload["place_id"]), communities=[approval.community_id])
    booked = {row["item_id"]: row["count"] for row in await tx.fetch(BOOKED, where["id"], list(lines))}
    why = stock.Why(Movement.COUNTED, approval.reason, approval_id=approval.id)
    for item_id, line in sorted(lines.items()):
        if booked[item_id] != line["booked"]:
            raise Stale
        by = line["counted"] - line["booked"]
        if by:
            await stock.change(tx, actor, where, item_id=item_id, by=by, why=why)
