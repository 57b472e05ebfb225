"""Staff routes over the kernel's approvals and audit: what waits for me, deciding it, who did what (D12)."""

from uuid import UUID

from backend.identity.schemas import (
    ApprovalAnswer,
    ApprovalsAnswer,
    ApprovalsQuery,
    AuditAnswer,
    AuditPage,
    AuditQuery,
    DecisionBody,
)
from backend.kernel import approvals
from backend.kernel.auth import STAFF_SELF, Principal
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from backend.kernel.http import Call, Nothing, Route, decode_cursor, encode_cursor

# What one may decide, kind by kind and community by community, and what one has proposed.
LIST = """
    SELECT a.*
      FROM approval a
     WHERE a.state = $1
       AND ((a.kind, a.community_id) IN (SELECT * FROM unnest($2::text[], $3::uuid[])) OR a.proposed_by = $4)
       AND ($5::uuid IS NULL OR a.id < $5)
     ORDER BY a.id DESC
     LIMIT $6
"""
ONE = "SELECT * FROM approval WHERE id = $1"
AUDIT = """
    SELECT id, at, actor_kind, actor_id, action, target, community_id, reason, before, after, request_id
      FROM audit_entry
     WHERE community_id = ANY($1::uuid[])
       AND ($2::text IS NULL OR action = $2)
       AND ($3::text IS NULL OR target = $3)
       AND ($4::uuid IS NULL OR actor_id = $4)
       AND ($5::bigint IS NULL OR id < $5)
     ORDER BY id DESC
     LIMIT $6
"""


async def list_approvals(call: Call[None, ApprovalsQuery]) -> ApprovalsAnswer:
    query, who = call.query, call.principal
    after = None if query.cursor is None else decode_cursor(query.cursor, (UUID,))[0]
    decidable = [
        (name, community_id)
        for name, kind in call.res.approval_kinds.items()
        for community_id in who.communities(kind.permission)
    ]
    rows = await call.res.db.fetch(
        LIST, query.state, [kind for kind, _ in decidable], [place for _, place in decidable], who.id, after,
        query.limit,
    )  # fmt: skip
    return ApprovalsAnswer(
        items=[_shown(row, (row["kind"], row["community_id"]) in decidable, who) for row in rows],
        next_cursor=encode_cursor(rows[-1]["id"]) if len(rows) == query.limit else None,
    )


async def decide(call: Call[DecisionBody, None]) -> ApprovalAnswer:
    approval_id, who, kinds = call.ids["approval_id"], call.principal, call.res.approval_kinds
    row = await call.res.db.fetchrow(ONE, approval_id)
    if row is None or row["kind"] not in kinds:
        raise NotFound
    who.require_scope(kinds[row["kind"]].permission, row["community_id"])

    async def work(tx: Tx) -> ApprovalAnswer:
        await approvals.decide(tx, who.actor, approval_id, approve=call.body.approve, note=call.body.note, kinds=kinds)
        return _shown(await tx.fetchrow(ONE, approval_id) or row, True, who)

    return await call.transact(work)


async def withdraw(call: Call[None, None]) -> Nothing:
    who, kinds = call.principal.actor, call.res.approval_kinds
    await call.res.db.transact(lambda tx: approvals.withdraw(tx, who, call.ids["approval_id"], kinds=kinds))
    return Nothing()


async def search_audit(call: Call[None, AuditQuery]) -> AuditPage:
    query = call.query
    after = None if query.cursor is None else decode_cursor(query.cursor, (int,))[0]
    rows = await call.res.db.fetch(
        AUDIT, call.principal.communities("audit.read"), query.action, query.target, query.actor_id, after,
        query.limit,
    )  # fmt: skip
    return AuditPage(
        items=[AuditAnswer(**row) for row in rows],
        next_cursor=encode_cursor(rows[-1]["id"]) if len(rows) == query.limit else None,
    )


def _shown(row: Record, decidable: bool, who: Principal) -> ApprovalAnswer:
    return ApprovalAnswer(
        id=row["id"],
        kind=row["kind"],
        community_id=row["community_id"],
        target=row["target"],
        state=row["state"],
        before=row["shown"].get("before") or {},
        after=row["shown"].get("after") or {},
        reason=row["reason"],
        proposed_by=row["proposed_by"],
        proposed_at=row["proposed_at"],
        expires_at=row["expires_at"],
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
        note=row["decision"],
        may_decide=decidable and row["state"] == "PENDING" and row["proposed_by"] != who.id,
    )


ROUTES: tuple[Route, ...] = (
    Route("GET", "/admin/v1/approvals", list_approvals, STAFF_SELF, "待我审批和我提交的申请", query=ApprovalsQuery,
          answer=ApprovalsAnswer),
    Route("POST", "/admin/v1/approvals/{approval_id}/decision", decide, STAFF_SELF, "同意或驳回申请", body=DecisionBody,
          answer=ApprovalAnswer, errors=(NotFound, Conflict, Forbidden, Invalid)),
    Route("POST", "/admin/v1/approvals/{approval_id}/withdraw", withdraw, STAFF_SELF, "撤回自己提交的申请",
          answer=Nothing, errors=(NotFound, Conflict)),
    Route("GET", "/admin/v1/audit", search_audit, "audit.read", "查询操作记录", query=AuditQuery, answer=AuditPage),
)  # fmt: skip
