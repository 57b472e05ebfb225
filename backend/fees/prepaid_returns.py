"""Taking back what a bill was paid out of prepaid accounts (撤销预存抵扣), by two people (S3).

The money goes back to the accounts that it came from, and the bill is owed again: it may then be voided, and is not
settled by itself a second time. Keeps I-03: a use is returned once.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from backend.fees import bills, payable, prepaid
from backend.kernel import approvals, audit
from backend.kernel.approvals import Approval, Stale
from backend.kernel.audit import Actor
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict
from backend.kernel.money import yuan_text
from backend.ledger import accounts

KIND = "fees.prepaid_return"

LOCK_BILL = "SELECT id FROM bill WHERE id = $1 FOR UPDATE"

USES = """
    SELECT id, account_id, amount_fen FROM prepaid_use WHERE bill_id = $1 AND returned_at IS NULL ORDER BY id
"""

RETURN = "UPDATE prepaid_use SET returned_at = $2 WHERE id = ANY ($1::uuid[])"


async def propose(tx: Tx, actor: Actor, *, bill_id: UUID, communities: Sequence[UUID], reason: str) -> Approval:
    """Propose to take back what the bill was paid out of prepaid accounts.

    NotFound outside `communities`, Conflict `nothing_to_return` and `approval_pending`.
    """
    bill = await bills.one_of_staff(tx, communities, bill_id=bill_id)
    uses = await tx.fetch(USES, bill_id)
    if not uses:
        raise Conflict("这张账单没有用预存款抵扣过。", code="nothing_to_return")
    total_fen = sum(use["amount_fen"] for use in uses)
    return await approvals.propose(
        tx,
        actor,
        kind=KIND,
        target=f"bill:{bill_id}",
        community_id=bill["community_id"],
        payload=_document(bill_id, uses),
        shown={
            "before": {"账单": bills.title(bill), "房屋": bill["house_label"], "预存抵扣": yuan_text(total_fen)},
            "after": {"预存抵扣": "退回预存账户，账单恢复待缴"},
        },
        reason=reason,
    )


async def apply(tx: Tx, approval: Approval, actor: Actor) -> None:
    """Return what was shown; Stale where the bill was settled or returned otherwise meanwhile."""
    bill_id = UUID(approval.payload["bill_id"])
    await tx.execute(LOCK_BILL, bill_id)
    uses = await tx.fetch(USES, bill_id)
    if not uses or _document(bill_id, uses) != approval.payload:
        raise Stale
    held = await prepaid.locked(tx, sorted({use["account_id"] for use in uses}))
    for account in held:
        lines = [(use["id"], bill_id, use["amount_fen"], 0) for use in uses if use["account_id"] == account.id]
        book = await accounts.ensure(tx, prepaid.key_of(account))
        await payable.apply_refunded(tx, lines=lines, clearing_account=book)
    await tx.execute(RETURN, [use["id"] for use in uses], tx.now)
    audit.record(
        tx, actor, action="fees.prepaid_returned", target=f"bill:{bill_id}", community_id=held[0].community_id,
        reason=approval.reason, after={"returned_fen": sum(use["amount_fen"] for use in uses)},
    )  # fmt: skip


def _document(bill_id: UUID, uses: Sequence[Record]) -> dict[str, Any]:
    return {"bill_id": str(bill_id), "uses": [[str(use["id"]), use["amount_fen"]] for use in uses]}
