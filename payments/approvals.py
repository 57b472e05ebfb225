"""Changes of payments that need two people (S3): the keys of a merchant, refunds.

A proposal of keys carries the new keys sealed for the merchant's row; nobody reads them from the approval.
"""

from collections.abc import Mapping
from uuid import UUID

from backend.kernel import approvals, audit
from backend.kernel.approvals import Approval, ApprovalKind, Stale
from backend.kernel.audit import Actor
from backend.kernel.config import Mode
from backend.kernel.crypto import Keyring
from backend.kernel.db import Tx
from backend.kernel.errors import NotFound
from payments import automatic_refunds, merchant_keys, merchants, refund_redirects, refunds
from payments.channels.base import Channel
from payments.merchant_keys import Keys

MERCHANT_KEYS = "payments.merchant_keys"


async def propose_keys(
    tx: Tx, actor: Actor, *, keyring: Keyring, mode: Mode, company_id: UUID, merchant_id: UUID, keys: Keys, reason: str
) -> Approval:
    """Propose new keys; NotFound for another company's merchant, Invalid for keys that do not work."""
    row = await tx.fetchrow(merchants.LOAD, merchant_id)
    if row is None or row["company_id"] != company_id or row["retired_at"] is not None:
        raise NotFound
    if row["channel"] == Channel.COUNTER:
        raise NotFound
    merchant_keys.check(merchant_keys.account_of(row), keys, mode)
    sealed = merchant_keys.seal(keyring, merchant_id, keys)
    return await approvals.propose(
        tx,
        actor,
        kind=MERCHANT_KEYS,
        target=f"merchant:{merchant_id}",
        community_id=row["community_id"] or company_id,
        payload={
            "merchant_id": str(merchant_id),
            "version": row["version"],
            "serial_no": keys.serial_no,
            "root_serial_no": keys.root_serial_no,
            "private_key": sealed.private_key.hex(),
            "api_v3_key": sealed.api_v3_key.hex() if sealed.api_v3_key else None,
            "platform_keys": dict(keys.platform_keys),
        },
        shown={
            "before": {"serial_no": row["serial_no"], "platform_keys": sorted(row["platform_keys"])},
            "after": {"serial_no": keys.serial_no, "platform_keys": sorted(keys.platform_keys)},
        },
        reason=reason,
    )


async def apply_keys(tx: Tx, approval: Approval, actor: Actor) -> None:
    """Take the proposed keys into use; Stale when the merchant has changed since."""
    new = approval.payload
    merchant_id = UUID(new["merchant_id"])
    row = await tx.fetchrow(
        merchants.SET_KEYS,
        merchant_id,
        new["version"],
        new["serial_no"],
        new["root_serial_no"],
        bytes.fromhex(new["private_key"]),
        bytes.fromhex(new["api_v3_key"]) if new["api_v3_key"] else None,
        new["platform_keys"],
    )
    if row is None:
        raise Stale
    audit.record(
        tx, actor, action="payments.merchant_keys_changed", target=f"merchant:{merchant_id}",
        community_id=row["community_id"], reason=approval.reason, before=approval.shown["before"],
        after=approval.shown["after"],
    )  # fmt: skip


APPROVALS: Mapping[str, ApprovalKind] = {
    MERCHANT_KEYS: ApprovalKind("merchant.manage", apply_keys),
    automatic_refunds.LIMIT_KIND: ApprovalKind("merchant.manage", automatic_refunds.apply_limit),
    refunds.KIND: ApprovalKind("refund.approve", refunds.approve, refunds.reject),
    refund_redirects.KIND: ApprovalKind("refund.approve", refund_redirects.approve, refund_redirects.drop),
}
