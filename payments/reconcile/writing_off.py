"""Writing off (核销) what reconciliation found and nobody can clear up: by two people, against 对账差额 (S3, D7).

A write-off posts between clearing and the account of differences what the statement says less what we have (of refunds
the other way round), and closes the difference. Money that stands in suspense is not written off: it goes back to who
paid it, by a refund.
"""

from collections.abc import Mapping
from uuid import UUID

from backend.kernel import approvals, audit
from backend.kernel.approvals import Approval, ApprovalKind, Stale
from backend.kernel.audit import Actor
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.ids import uuid7
from backend.ledger import accounts, postings
from backend.ledger.accounts import Code, Key
from payments import differences
from payments.states import DifferenceClass, DifferenceState

KIND = "payments.difference_write_off"
WRITTEN_OFF = "difference.written_off"
OPEN = (DifferenceState.OPEN, DifferenceState.ESCALATED)
# Fees stand in the books as the statement has them, and a day's delay or a word we do not know moves no money.
WRITABLE = frozenset(
    {
        DifferenceClass.MISSING_HERE,
        DifferenceClass.MISSING_THERE,
        DifferenceClass.AMOUNT,
        DifferenceClass.REFUND,
        DifferenceClass.DUPLICATE,
        DifferenceClass.SETTLEMENT,
    }
)

INSERT = """
    INSERT INTO difference_write_off (id, difference_id, community_id, merchant_id, amount_fen, approval_id, written_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


def amount_fen(row: Record) -> int:
    """What writing a difference off adds to clearing: what is said less what we have."""
    beyond = int(row["actual_fen"]) - int(row["expected_fen"] or 0)
    refund = row["subject"] != "" and row["class"] in (DifferenceClass.REFUND, DifferenceClass.DUPLICATE)
    return -beyond if refund else beyond


async def propose(tx: Tx, actor: Actor, *, difference_id: UUID, communities: tuple[UUID, ...], reason: str) -> Approval:
    """Ask for a second person's consent; NotFound outside `communities`, Conflict where nothing can be written off."""
    row = await tx.fetchrow(differences.LOCK, difference_id)
    if row is None or row["community_id"] not in communities:
        raise NotFound
    if row["state"] not in OPEN:
        raise Conflict("这条差异已经处理过了。", code="difference_closed")
    change_fen = amount_fen(row)
    if row["class"] not in WRITABLE or row["booked_fen"] or not change_fen:
        raise Conflict("这类差异不能核销：待查款项请退款，其他请写明结论。", code="not_writable")
    return await approvals.propose(
        tx,
        actor,
        kind=KIND,
        target=f"difference:{difference_id}",
        community_id=row["community_id"],
        payload={"difference_id": str(difference_id), "amount_fen": change_fen},
        shown={
            "before": {"class": row["class"], "expected_fen": row["expected_fen"], "actual_fen": row["actual_fen"]},
            "after": {"clearing_change_fen": change_fen},
        },
        reason=reason,
    )


async def apply(tx: Tx, approval: Approval, actor: Actor) -> None:
    """Post it and close the difference; Stale when it is no longer as it was shown."""
    difference_id, change_fen = UUID(approval.payload["difference_id"]), int(approval.payload["amount_fen"])
    row = await tx.fetchrow(differences.LOCK, difference_id)
    if row is None or row["state"] not in OPEN or row["booked_fen"] or amount_fen(row) != change_fen:
        raise Stale
    community_id, merchant_id, write_off_id = row["community_id"], row["merchant_id"], uuid7(tx.now)
    clearing, off = await accounts.ensure_all(
        tx, (Key(community_id, Code.CLEARING, merchant_id), Key(community_id, Code.WRITTEN_OFF, merchant_id))
    )
    postings.post(
        tx,
        WRITTEN_OFF,
        reference=write_off_id,
        debit=clearing if change_fen > 0 else off,
        credit=off if change_fen > 0 else clearing,
        amount_fen=abs(change_fen),
        community_id=community_id,
    )
    await tx.execute(INSERT, write_off_id, difference_id, community_id, merchant_id, change_fen, approval.id, tx.now)
    await tx.execute(
        differences.RESOLVE, difference_id, DifferenceState.RESOLVED.value, actor.id, tx.now, approval.reason
    )
    audit.record(
        tx, actor, action="payments.difference_written_off", target=f"difference:{difference_id}",
        community_id=community_id, reason=approval.reason, after={"clearing_change_fen": change_fen},
    )  # fmt: skip


APPROVALS: Mapping[str, ApprovalKind] = {KIND: ApprovalKind("difference.write_off_approve", apply)}
