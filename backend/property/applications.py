"""Applications to be tied to a house (绑定申请): a resident or staff propose, another person approves (D1, D12)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.kernel import approvals
from backend.kernel.approvals import Approval, ApprovalKind
from backend.kernel.audit import Actor
from backend.kernel.auth import TieRole
from backend.kernel.db import Reader, Tx
from backend.kernel.errors import Conflict
from backend.property import houses, occupancy
from backend.property.houses import House

KIND = "house.binding"
MAX_PENDING = 5

OF_PERSON = """
    SELECT id, state, payload, shown, decision, proposed_at, decided_at
      FROM approval
     WHERE proposed_by = $1 AND kind = 'house.binding'
     ORDER BY proposed_at DESC, id DESC
     LIMIT 50
"""
PENDING = "SELECT count(*) FROM approval WHERE proposed_by = $1 AND kind = 'house.binding' AND state = 'PENDING'"

WAITING = """
    SELECT 1 FROM approval
     WHERE proposed_by = $1 AND community_id = $2 AND kind = 'house.binding' AND state = 'PENDING'
     LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Application:
    """An application as its applicant sees it."""

    id: UUID
    house_label: str
    role: TieRole
    state: str
    note: str | None
    applied_at: datetime
    decided_at: datetime | None


async def propose(
    tx: Tx,
    actor: Actor,
    *,
    house: House,
    person_id: UUID,
    person_no: int,
    role: TieRole,
    applicant_shown: str,
    reason: str,
) -> Approval:
    """Apply for a house, or propose it as staff.

    Raises Conflict `already_bound`, `approval_pending`, `too_many_applications`.
    """
    if actor.kind == "resident" and await tx.fetchval(PENDING, person_id) >= MAX_PENDING:
        raise Conflict("您待审批的申请太多，请等待物业处理后再提交。", code="too_many_applications")
    if (house.id, person_id) in await occupancy.roles(tx, [house.id], today=tx.today):
        raise Conflict("您已登记在这套房屋下，无需重复申请。", code="already_bound")
    return await approvals.propose(
        tx,
        actor,
        kind=KIND,
        target=f"house:{house.id}/person:{person_id}",
        community_id=house.community_id,
        payload={
            "house_id": str(house.id),
            "person_id": str(person_id),
            "person_no": person_no,
            "role": role,
            "source": "staff" if actor.kind == "staff" else "application",
        },
        shown={
            "before": {},
            "after": {"house": house.label, "role": role, "applicant": applicant_shown, "person_id": str(person_id)},
        },
        reason=reason,
    )


async def apply(tx: Tx, approval: Approval, actor: Actor) -> None:
    """Bind as applied for, in the approver's transaction; Stale where the person has been bound since."""
    payload = approval.payload
    house = await houses.one(tx, UUID(payload["house_id"]))
    try:
        await occupancy.bind(
            tx, actor, house_id=house.id, person_id=UUID(payload["person_id"]), person_no=payload["person_no"],
            role=payload["role"], source=payload["source"],
        )  # fmt: skip
    except Conflict as error:
        raise approvals.Stale from error


async def of_person(db: Reader, person_id: UUID) -> list[Application]:
    """The latest fifty applications of a person."""
    return [
        Application(
            id=row["id"],
            house_label=row["shown"]["after"]["house"],
            role=row["payload"]["role"],
            state=row["state"],
            note=row["decision"],
            applied_at=row["proposed_at"],
            decided_at=row["decided_at"],
        )
        for row in await db.fetch(OF_PERSON, person_id)
    ]


async def is_waiting(db: Reader, *, person_id: UUID, community_id: UUID) -> bool:
    """Whether the person's application waits in the community."""
    return await db.fetchval(WAITING, person_id, community_id) is not None


APPROVALS: Mapping[str, ApprovalKind] = {KIND: ApprovalKind("house.bind", apply)}
