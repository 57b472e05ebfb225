"""An ABNORMAL refund (退款异常) goes another way: to the payer's bank card, or to the merchant's account, whence it is
paid by hand (protocols/wechat-pay-v3.md section 9.1, pitfalls B15).

Promises: two people, as for every refund; the same refund under the same number, never a second one; the payer's card
and name are sealed in the refund's row from the proposal on, shown masked, and forgotten as soon as the refund goes
on, or nobody may use them any more. Nothing of them stands in approvals, jobs, logs or the audit.
"""

import hashlib
from collections.abc import Collection
from dataclasses import asdict
from enum import StrEnum
from typing import cast
from uuid import UUID

import orjson

from backend.kernel import approvals, audit, outbox, personal
from backend.kernel.approvals import Approval, Stale
from backend.kernel.audit import Actor
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.outbox import Job, Retry
from payments import merchants, refund_calls, refund_sql, refunding, refunds
from payments.channels.base import Channel, ChannelError, ChannelFailure
from payments.channels.wechat_documents import BankCard
from payments.channels.wechat_v3 import WechatPayV3
from payments.settlement import Door
from payments.states import RefundState

KIND = "payments.refund_redirect"
DUE = "payments.refund_redirect_due"

KEEP_CARD = "UPDATE refund SET redirect_sealed = $2 WHERE id = $1"
FORGET_CARD = "UPDATE refund SET redirect_sealed = NULL WHERE id = $1 AND redirect_sealed IS NOT NULL"


class Way(StrEnum):
    """Where the money goes instead."""

    PAYER_CARD = "payer_card"
    MERCHANT_ACCOUNT = "merchant_account"


async def propose(
    tx: Tx,
    actor: Actor,
    *,
    keyring: Keyring,
    communities: Collection[UUID],
    refund_id: UUID,
    card: BankCard | None,
    reason: str,
) -> Approval:
    """Propose another way for an abnormal refund; without a card, to the merchant's own account.

    Raises NotFound outside `communities`, Conflict `refund_not_abnormal` and `approval_pending`.
    """
    row = await refunds.lock(tx, refund_id)
    if row is None or row["community_id"] not in communities:
        raise NotFound
    if not _waits(row):
        raise Conflict("这笔退款没有被渠道退回，不需要改退其他账户。", code="refund_not_abnormal")
    sealed = None if card is None else keyring.seal(orjson.dumps(asdict(card)).decode(), _place(refund_id))
    way = Way.MERCHANT_ACCOUNT if card is None else Way.PAYER_CARD
    approval = await approvals.propose(
        tx,
        actor,
        kind=KIND,
        target=f"refund:{refund_id}",
        community_id=row["community_id"],
        payload={"refund_id": str(refund_id), "way": way, "card": _digest(sealed)},
        shown={
            "before": {"state": row["state"], "amount_fen": row["amount_fen"]},
            "after": {"way": way, "card": None if card is None else _masked(card)},
        },
        reason=reason,
    )
    await tx.execute(KEEP_CARD, refund_id, sealed)
    return approval


async def approve(tx: Tx, approval: Approval, actor: Actor) -> None:
    """Let it go the other way; Stale when the refund no longer waits, or with another card."""
    row = await refunds.lock(tx, UUID(approval.payload["refund_id"]))
    if row is None or not _waits(row) or _digest(row["redirect_sealed"]) != approval.payload["card"]:
        raise Stale
    outbox.emit(
        tx, DUE, approval.payload, community_id=row["community_id"], dedup_key=str(approval.id)
    )  # fmt: skip
    audit.record(
        tx, actor, action="payments.refund_redirected", target=f"refund:{row['id']}",
        community_id=row["community_id"], reason=approval.reason, before=dict(approval.shown["before"]),
        after={"way": approval.payload["way"]},
    )  # fmt: skip


async def drop(tx: Tx, approval: Approval, actor: Actor) -> None:
    """Nobody approved it: the card is forgotten."""
    await tx.execute(FORGET_CARD, UUID(approval.payload["refund_id"]))


async def on_redirect_due(job: Job) -> None:
    """Ask the channel for the other way. It may have done so before its answer was lost: then the refund is asked for.

    What the channel refuses is noted on the refund, which stays abnormal; the card has to be entered anew. Nothing is
    sent when the refund goes on by itself meanwhile, or when another card than the approved one lies there.
    """
    res, refund_id = job.res, UUID(job.payload["refund_id"])
    row = await res.db.fetchrow(refund_sql.ONE, refund_id)
    if row is None or not _waits(row) or _digest(row["redirect_sealed"]) != job.payload["card"]:
        return
    merchant = await merchants.merchant(res, row["merchant_id"])
    channel = cast(WechatPayV3, merchants.channel(res, merchant))
    card = _opened(res.keyring, row) if job.payload["way"] == Way.PAYER_CARD else None
    try:
        told = await channel.redirect_refund(
            merchant.keys, refund_calls.request_of(res, row), row["channel_refund_no"], card=card
        )
    except ChannelError as refused:
        if refund_calls.asks_for_patience(refused):
            raise Retry(refused.code) from refused
        error = str(refused)
        await job.transact(lambda tx: _refused(tx, refund_id, error))
        await refund_calls.ask_now(res, refund_id)
        return
    except ChannelFailure as failure:
        raise Retry(str(failure)) from failure

    async def work(tx: Tx) -> None:
        await refunding.hear(tx, merchant, refund=told, door=Door.QUERY)

    await job.transact(work)


async def _refused(tx: Tx, refund_id: UUID, error: str) -> None:
    await tx.execute(refund_sql.NOTE, refund_id, error)
    await tx.execute(FORGET_CARD, refund_id)


def _waits(row: Record) -> bool:
    """Only WeChat Pay has refunds that wait for another way."""
    return (row["state"], row["channel"]) == (RefundState.ABNORMAL, Channel.WECHAT)


def _opened(keyring: Keyring, row: Record) -> BankCard:
    return BankCard(**orjson.loads(keyring.open(bytes(row["redirect_sealed"]), _place(row["id"]))))


def _place(refund_id: UUID) -> Context:
    return Context("refund", "redirect_sealed", refund_id)


def _digest(sealed: bytes | None) -> str | None:
    return None if sealed is None else hashlib.sha256(sealed).hexdigest()


def _masked(card: BankCard) -> str:
    return f"{personal.mask_name(card.name)} {card.bank_type} 尾号{card.account[-4:]}"
