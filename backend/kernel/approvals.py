"""One mechanism by which one person proposes and another approves (S3, D12, design principle 9).

The change is applied in the approver's transaction by the `apply` of its kind, which re-reads its target and raises
`Stale` where that is no longer as it was shown.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from backend.kernel.ids import uuid7

LIFETIME = timedelta(days=7)


class Stale(Conflict):
    """What was to be changed has changed since it was proposed."""

    code = "approval_stale"
    message = "申请提交后内容已发生变化，请重新提交申请。"


@dataclass(frozen=True, slots=True)
class Approval:
    """A proposed change: `payload` is what `apply` needs, `shown` what the approver reads (before and after)."""

    id: UUID
    kind: str
    community_id: UUID | None
    target: str
    state: str
    payload: Mapping[str, Any]
    shown: Mapping[str, Any]
    reason: str
    proposed_by: UUID
    proposed_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ApprovalKind:
    """What an approval of this kind needs: the approver's permission, how it is applied, and how that which was held
    for it is let go when it is rejected, taken back or has expired. `says_why`: a refusal needs a reason."""

    permission: str
    apply: Callable[[Tx, Approval, Actor], Awaitable[None]]
    drop: Callable[[Tx, Approval, Actor], Awaitable[None]] | None = None
    says_why: bool = False


INSERT = """
    INSERT INTO approval (id, kind, community_id, target, state, payload, shown, reason, proposed_by, proposed_at,
                          expires_at)
    VALUES ($1, $2, $3, $4, 'PENDING', $5, $6, $7, $8, $9, $10)
    ON CONFLICT (kind, target) WHERE state = 'PENDING' DO NOTHING
    RETURNING *
"""

LOCK = "SELECT * FROM approval WHERE id = $1 FOR UPDATE"

DECIDE = """
    UPDATE approval SET state = $2, decided_by = $3, decided_at = $4, decision = $5
     WHERE id = $1 AND state = 'PENDING'
"""

EXPIRE = """
    UPDATE approval SET state = 'EXPIRED', decided_at = $1
     WHERE state = 'PENDING' AND expires_at <= $1
 RETURNING *
"""


def of_row(row: Record) -> Approval:
    """The approval that a row of the table holds."""
    return Approval(**{name: row[name] for name in Approval.__dataclass_fields__})


async def propose(
    tx: Tx,
    actor: Actor,
    *,
    kind: str,
    target: str,
    payload: Mapping[str, Any],
    shown: Mapping[str, Any],
    reason: str,
    community_id: UUID | None = None,
) -> Approval:
    """Propose a change of `target` (`table:id`); Conflict `approval_pending` while another one waits."""
    if actor.id is None:
        raise Forbidden
    row = await tx.fetchrow(
        INSERT,
        uuid7(tx.now),
        kind,
        community_id,
        target,
        dict(payload),
        dict(shown),
        reason,
        actor.id,
        tx.now,
        tx.now + LIFETIME,
    )
    if row is None:
        raise Conflict("同一事项已有申请在等待审批。", code="approval_pending")
    audit.record(
        tx, actor, action="approval.proposed", target=f"approval:{row['id']}", community_id=community_id,
        reason=reason, after={"kind": kind, "target": target},
    )  # fmt: skip
    return of_row(row)


async def decide(
    tx: Tx, actor: Actor, approval_id: UUID, *, approve: bool, note: str, kinds: Mapping[str, ApprovalKind]
) -> Approval:
    """Approve (and apply) or reject a pending approval; the caller has checked the kind's permission.

    Raises NotFound, Conflict `approval_decided` or `approval_expired`, Forbidden `second_person_required`, Stale,
    Invalid `reason_required` for a refusal that must say why.
    """
    row = await tx.fetchrow(LOCK, approval_id)
    if row is None:
        raise NotFound
    approval = of_row(row)
    if approval.state != "PENDING":
        raise Conflict("该申请已经处理过了。", code="approval_decided")
    if approval.proposed_by == actor.id:
        raise Forbidden("申请人不能审批自己的申请，请由另一位同事处理。", code="second_person_required")
    if approval.expires_at <= tx.now:
        raise Conflict("该申请已过期，请重新提交。", code="approval_expired")
    if not approve and _says_why(approval, kinds) and not note.strip():
        raise Invalid("请写明不同意的原因，申请人会看到。", code="reason_required", fields=[{"field": "note"}])
    if approve:
        await kinds[approval.kind].apply(tx, approval, actor)
    else:
        await _drop(tx, approval, actor, kinds)
    state = "APPROVED" if approve else "REJECTED"
    await tx.execute(DECIDE, approval_id, state, actor.id, tx.now, note)
    audit.record(
        tx, actor, action=f"approval.{state.lower()}", target=f"approval:{approval_id}",
        community_id=approval.community_id, reason=note, after={"kind": approval.kind, "target": approval.target},
    )  # fmt: skip
    return of_row(await tx.fetchrow(LOCK, approval_id) or row)


def _says_why(approval: Approval, kinds: Mapping[str, ApprovalKind]) -> bool:
    kind = kinds.get(approval.kind)
    return kind is not None and kind.says_why


async def withdraw(tx: Tx, actor: Actor, approval_id: UUID, *, kinds: Mapping[str, ApprovalKind]) -> None:
    """The proposer takes a pending approval back; NotFound for others."""
    row = await tx.fetchrow(LOCK, approval_id)
    if row is None or row["proposed_by"] != actor.id:
        raise NotFound
    if row["state"] != "PENDING":
        raise Conflict("该申请已经处理过了。", code="approval_decided")
    await _drop(tx, of_row(row), actor, kinds)
    await tx.execute(DECIDE, approval_id, "WITHDRAWN", actor.id, tx.now, "")
    audit.record(
        tx, actor, action="approval.withdrawn", target=f"approval:{approval_id}", community_id=row["community_id"]
    )


async def expire(tx: Tx, kinds: Mapping[str, ApprovalKind]) -> None:
    """Mark what nobody decided in time."""
    for row in await tx.fetch(EXPIRE, tx.now):
        await _drop(tx, of_row(row), audit.SYSTEM, kinds)


async def _drop(tx: Tx, approval: Approval, actor: Actor, kinds: Mapping[str, ApprovalKind]) -> None:
    kind = kinds.get(approval.kind)
    if kind is not None and kind.drop is not None:
        await kind.drop(tx, approval, actor)
