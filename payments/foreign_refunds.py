"""Refunds that a channel tells of and nobody here knows: made at the channel's console, or lost with a restored backup.

Promises: money that has left is taken over where it can only mean one thing, which is when it is all of a payment of
ours, or all that stands in suspense for it: then the books follow the channel. Whatever nobody here let go is a
difference as well, for a person; our own automatic refunds have numbers that are made from the transaction, and are
known again. A refund heard of before its payment (F-02) makes a job that asks about the payment first.
"""

from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from backend.kernel import outbox
from backend.kernel.db import Record, Tx
from backend.kernel.ids import uuid7
from backend.ledger import accounts
from backend.ledger.accounts import Code, Key
from payments import differences, refund_sql, refunds
from payments.channels.base import Channel, ChannelRefund
from payments.channels.base import RefundState as Told
from payments.differences import Place
from payments.merchants import Merchant
from payments.states import AttemptState, RefundState

UNKNOWN = "unknown_refund"
REASON = "渠道已退款，不是由本系统发起"
NUMBER_LENGTH = 30


def automatic_number(channel: Channel, transaction_no: str, *, turn: int = 0) -> str:
    """The number of our automatic refund of a transaction; always the same, so that it is never given back twice even
    if all we knew of it was lost. `turn` counts the refunds before it that came to nothing."""
    return "A" + sha256(f"{channel}:{transaction_no}:{turn}".encode()).hexdigest()[: NUMBER_LENGTH - 1]


async def take_over(
    tx: Tx, merchant: Merchant, told: ChannelRefund, *, source: str
) -> tuple[Record | None, str | None]:
    """A refund of an unknown number: its new row, locked, to be moved on by what was told; else a problem, or nothing
    at all, for a refund that came to nothing."""
    if told.state is Told.CLOSED:
        return None, None
    attempt = await tx.fetchrow(refund_sql.ATTEMPT_OF, told.out_trade_no, merchant.id)
    await tx.execute(refund_sql.LOCK_TRANSACTION, merchant.channel.value, told.transaction_no)
    row = await _row_for(tx, merchant, told, attempt)
    if row is None or row["out_refund_no"] != automatic_number(merchant.channel, told.transaction_no):
        await _show_a_person(tx, merchant, told, attempt, source=source)
    if row is None and attempt is not None and attempt["state"] != AttemptState.PAID:
        outbox.emit(
            tx, "payments.refund_unexplained", {"merchant_id": str(merchant.id), "told": document(told)},
            community_id=attempt["community_id"], dedup_key=told.out_refund_no,
        )  # fmt: skip
    return row, (UNKNOWN if row is None else None)


async def _row_for(tx: Tx, merchant: Merchant, told: ChannelRefund, attempt: Record | None) -> Record | None:
    """A row for money that has left and can only be one thing."""
    if told.mchid != merchant.mchid or told.state is not Told.SUCCESS:
        return None
    if attempt is not None and _is_all_of(attempt, told):
        return await _of_attempt(tx, merchant, told, attempt)
    suspended = await tx.fetchrow(refund_sql.SUSPENDED, merchant.channel.value, told.transaction_no, merchant.id)
    if suspended is None or suspended["refunding_fen"] or suspended["booked_fen"] != told.amount_fen:
        return None
    if suspended["out_trade_no"] != told.out_trade_no:
        return None
    return await _of_suspense(tx, merchant, told, suspended)


def _is_all_of(attempt: Record, told: ChannelRefund) -> bool:
    paid = (attempt["state"], attempt["transaction_no"]) == (AttemptState.PAID, told.transaction_no)
    return paid and attempt["refunding_fen"] == 0 and attempt["amount_fen"] == told.amount_fen


async def _of_attempt(tx: Tx, merchant: Merchant, told: ChannelRefund, attempt: Record) -> Record | None:
    await tx.execute(refund_sql.RAISE_ATTEMPT, attempt["id"], told.amount_fen, refunds.MOST_REFUNDS)
    refund_id = await _insert(
        tx, merchant, told, community_id=attempt["community_id"], attempt_id=attempt["id"],
        clearing_account=attempt["clearing_account"],
    )  # fmt: skip
    for line in await tx.fetch(refund_sql.LINES_LEFT, attempt["order_id"]):
        tx.add(
            refund_sql.LINE, uuid7(tx.now), refund_id, line["id"], line["kind"], line["payable_id"],
            line["principal_fen"], line["late_fee_fen"],
        )  # fmt: skip
    await tx.flush()
    return await tx.fetchrow(refund_sql.LOCK, refund_id)


async def _of_suspense(tx: Tx, merchant: Merchant, told: ChannelRefund, suspended: Record) -> Record | None:
    await tx.execute(refund_sql.RAISE_DIFFERENCE, suspended["id"], told.amount_fen)
    clearing = await accounts.ensure(tx, Key(suspended["community_id"], Code.CLEARING, merchant.id))
    refund_id = await _insert(
        tx, merchant, told, community_id=suspended["community_id"], difference_id=suspended["id"],
        clearing_account=clearing,
    )  # fmt: skip
    return await tx.fetchrow(refund_sql.LOCK, refund_id)


async def _insert(
    tx: Tx,
    merchant: Merchant,
    told: ChannelRefund,
    *,
    community_id: UUID,
    clearing_account: int,
    attempt_id: UUID | None = None,
    difference_id: UUID | None = None,
) -> UUID:
    refund_id = uuid7(tx.now)
    await tx.execute(
        refund_sql.INSERT, refund_id, community_id, merchant.id, merchant.channel.value, attempt_id, difference_id,
        told.out_trade_no, told.transaction_no, told.out_refund_no, told.amount_fen, told.amount_fen, clearing_account,
        True, REASON, RefundState.SUBMITTING.value, None, tx.now, told.refund_no, tx.now,
    )  # fmt: skip
    return refund_id


async def _show_a_person(
    tx: Tx, merchant: Merchant, told: ChannelRefund, attempt: Record | None, *, source: str
) -> None:
    place = Place(merchant.book)
    if attempt is not None:
        place = Place(attempt["community_id"], attempt_id=attempt["id"])
    await differences.open_about_refund(tx, merchant, told=told, problem=UNKNOWN, place=place, source=source)


def document(told: ChannelRefund) -> dict[str, Any]:
    """What was told, as a job keeps it."""
    return {**asdict(told), "success_at": told.success_at.isoformat() if told.success_at else None}


def told_of(document: dict[str, Any]) -> ChannelRefund:
    """What was told, out of a job."""
    success_at = document["success_at"]
    known = {"state": Told(document["state"]), "success_at": datetime.fromisoformat(success_at) if success_at else None}
    return ChannelRefund(**{**document, **known})
