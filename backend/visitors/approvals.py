"""What the property decides about visitors (S3): long passes and goods that leave; whoever asked is a resident."""

from collections.abc import Mapping
from uuid import UUID

from backend.kernel.approvals import Approval, ApprovalKind, Stale
from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.visitors import goods, inviting, passes


async def apply_pass(tx: Tx, approval: Approval, actor: Actor) -> None:
    """The pass is valid from now on; Stale where it waits no longer."""
    if not await passes.decided(tx, actor, UUID(approval.payload["pass_id"]), approved=True):
        raise Stale


async def drop_pass(tx: Tx, approval: Approval, actor: Actor) -> None:
    """The pass was refused, or nobody has decided in time."""
    await passes.decided(tx, actor, UUID(approval.payload["pass_id"]), approved=False)


async def apply_goods(tx: Tx, approval: Approval, actor: Actor) -> None:
    """The goods may leave; Stale where the permit waits no longer."""
    if not await goods.decided(tx, actor, UUID(approval.payload["permit_id"]), approved=True):
        raise Stale


async def drop_goods(tx: Tx, approval: Approval, actor: Actor) -> None:
    """The permit was refused, or nobody has decided in time."""
    await goods.decided(tx, actor, UUID(approval.payload["permit_id"]), approved=False)


APPROVALS: Mapping[str, ApprovalKind] = {
    inviting.APPROVAL: ApprovalKind("visitor.approve", apply_pass, drop_pass, says_why=True),
    goods.APPROVAL: ApprovalKind("visitor.approve", apply_goods, drop_goods, says_why=True),
}
