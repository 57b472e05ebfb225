"""Refunds (退款) until they leave for the channel: one person asks, another approves (D6, design principle 9).

Promises: what is being given back of a payment never exceeds what was paid (I-09): the counter on the attempt, or on
the difference whose money stands in suspense, is raised when a refund is requested and lowered when it comes to
nothing, under the row's lock and a CHECK; no line gives back more than it brought. Rows are locked in one order: order,
attempt, transaction, difference, refund. Approving re-reads all of it, and only then a job may call the channel.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from backend.kernel import approvals, audit, outbox
from backend.kernel.approvals import Approval, Stale
from backend.kernel.audit import Actor
from backend.kernel.clock import SHANGHAI
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import random_text, uuid7
from backend.kernel.money import yuan_text
from backend.ledger import accounts
from backend.ledger.accounts import Code, Key
from payments import refund_sql as sql
from payments.payables import PAYABLES, Kind, Line
from payments.states import OrderState, RefundState

KIND = "payments.refund"
REFUNDABLE_FOR = timedelta(days=365)
MOST_REFUNDS = 50
NUMBER_LENGTH = 30


@dataclass(frozen=True, slots=True)
class Part:
    """What is to be given back of one line of an order, in fen."""

    line_id: UUID
    principal_fen: int
    late_fee_fen: int = 0


@dataclass(frozen=True, slots=True)
class Limit:
    """How much one person may ask to be given back on one day (Asia/Shanghai), in fen."""

    a_day_fen: int


@dataclass(frozen=True, slots=True)
class Requested:
    """A refund that waits for a second person."""

    refund_id: UUID
    approval_id: UUID
    amount_fen: int


async def request(
    tx: Tx,
    actor: Actor,
    *,
    order_id: UUID,
    limits: Mapping[UUID, Limit],
    parts: Sequence[Part] | None,
    reason: str,
) -> Requested:
    """Ask for money of a paid order to be given back; `parts` None: all that is left of it.

    `limits`: the communities in which `actor` may ask, and how much. Raises NotFound elsewhere, Conflict
    `order_not_paid`, `nothing_to_refund`, `not_refundable` (prepaid money that was used), `too_late_to_refund`,
    `too_many_refunds` and `refund_limit`, Invalid `more_than_paid` and `unknown_line`.
    """
    await tx.execute(sql.LOCK_PERSON, str(actor.id))
    paid = await tx.fetchrow(sql.LOCK_PAID, order_id)
    if paid is None or paid["community_id"] not in limits:
        raise NotFound
    if paid["order_state"] != OrderState.PAID or paid["attempt_id"] is None:
        raise Conflict("这笔支付还没有成功，不能退款。", code="order_not_paid")
    if tx.now - paid["paid_at"] > REFUNDABLE_FOR:
        raise Conflict("支付已超过一年，渠道不再接受退款，请线下处理。", code="too_late_to_refund")
    left = await tx.fetch(sql.LINES_LEFT, order_id)
    chosen = _chosen(left, parts)
    await _hold(tx, chosen, left)
    amount_fen = sum(part.principal_fen + part.late_fee_fen for part in chosen)
    await _check_limit(tx, actor, amount_fen=amount_fen, limit=limits[paid["community_id"]])
    if await tx.fetchval(sql.RAISE_ATTEMPT, paid["attempt_id"], amount_fen, MOST_REFUNDS) is None:
        raise Conflict("这笔支付可退的金额不足，或退款次数已满五十次。", code="too_many_refunds")
    row = _New(
        community_id=paid["community_id"],
        merchant_id=paid["merchant_id"],
        channel=paid["channel"],
        attempt_id=paid["attempt_id"],
        difference_id=None,
        out_trade_no=paid["out_trade_no"],
        transaction_no=paid["transaction_no"],
        amount_fen=amount_fen,
        total_fen=paid["amount_fen"],
        clearing_account=paid["clearing_account"],
    )
    shown = {
        "description": paid["description"],
        "paid_fen": paid["amount_fen"],
        "going_back_fen": paid["refunding_fen"],
    }
    refund_id = await _insert(tx, row, actor=actor, reason=reason)
    titles = {each["id"]: each["title"] for each in left}
    by_line = {each["id"]: each for each in left}
    for part in chosen:
        line = by_line[part.line_id]
        tx.add(
            sql.LINE, uuid7(tx.now), refund_id, part.line_id, line["kind"], line["payable_id"],
            part.principal_fen, part.late_fee_fen,
        )  # fmt: skip
    lines = [f"{titles[part.line_id]}：{yuan_text(part.principal_fen + part.late_fee_fen)}元" for part in chosen]
    return await _propose(tx, actor, refund_id, row=row, before=shown, lines=lines, reason=reason)


async def request_of_difference(
    tx: Tx,
    actor: Actor,
    *,
    difference_id: UUID,
    limits: Mapping[UUID, Limit],
    amount_fen: int | None,
    reason: str,
) -> Requested:
    """Ask for money that stands in suspense to be given back to who paid it; `amount_fen` None: all of it.

    Raises NotFound outside the communities of `limits`, Conflict `nothing_to_refund` and `refund_limit`, Invalid
    `more_than_paid`.
    """
    await tx.execute(sql.LOCK_PERSON, str(actor.id))
    found = await lock_difference(tx, difference_id)
    if found is None or found["community_id"] not in limits:
        raise NotFound
    left_fen = found["booked_fen"] - found["refunding_fen"]
    if left_fen <= 0:
        raise Conflict("这条差异没有可以退还的款项。", code="nothing_to_refund")
    wanted_fen = left_fen if amount_fen is None else amount_fen
    if wanted_fen > left_fen:
        raise Invalid(f"最多可退 {yuan_text(left_fen)} 元。", code="more_than_paid")
    await _check_limit(tx, actor, amount_fen=wanted_fen, limit=limits[found["community_id"]])
    row = await _of_difference(tx, found, amount_fen=wanted_fen)
    await tx.execute(sql.RAISE_DIFFERENCE, difference_id, wanted_fen)
    refund_id = await _insert(tx, row, actor=actor, reason=reason)
    shown = {"class": found["class"], "booked_fen": found["booked_fen"], "going_back_fen": found["refunding_fen"]}
    return await _propose(tx, actor, refund_id, row=row, before=shown, lines=[], reason=reason)


async def approve(tx: Tx, approval: Approval, actor: Actor) -> None:
    """Let an approved refund go: the job that calls the channel is made here, and nowhere else for a person's refund.

    Stale when the refund is not as it was shown, or no longer waits.
    """
    row = await lock(tx, UUID(approval.payload["refund_id"]))
    if row is None or row["state"] != RefundState.REQUESTED or _document(row) != approval.payload:
        raise Stale
    await tx.execute(sql.APPROVE, row["id"], actor.id, approval.id)
    let_go(tx, row["id"], community_id=row["community_id"])
    audit.record(
        tx, actor, action="payments.refund_approved", target=f"refund:{row['id']}", community_id=row["community_id"],
        reason=approval.reason, before={"state": row["state"]},
        after={"state": RefundState.APPROVED.value, "amount_fen": row["amount_fen"]},
    )  # fmt: skip


async def reject(tx: Tx, approval: Approval, actor: Actor) -> None:
    """Nobody approved it: what was held for it may be given back otherwise."""
    row = await lock(tx, UUID(approval.payload["refund_id"]))
    if row is None or row["state"] != RefundState.REQUESTED:
        return
    await tx.execute(sql.END, row["id"], RefundState.REJECTED.value, tx.now, None)
    await lower(tx, row)
    audit.record(
        tx, actor, action="payments.refund_rejected", target=f"refund:{row['id']}", community_id=row["community_id"],
        reason=approval.reason, before={"state": row["state"]}, after={"state": RefundState.REJECTED.value},
    )  # fmt: skip


def let_go(tx: Tx, refund_id: UUID, *, community_id: UUID) -> None:
    """Make the job that submits an approved refund."""
    outbox.emit(
        tx, "payments.refund_due", {"refund_id": str(refund_id)}, community_id=community_id, dedup_key=str(refund_id)
    )


async def lock(tx: Tx, refund_id: UUID) -> Record | None:
    """The refund, locked after what it takes from (the module's order); None for an unknown id."""
    of = await tx.fetchrow(sql.OF, refund_id)
    if of is None:
        return None
    if of["attempt_id"] is not None:
        await tx.fetchrow(sql.LOCK_ATTEMPT, of["attempt_id"])
    else:
        await lock_difference(tx, of["difference_id"])
    return await tx.fetchrow(sql.LOCK, refund_id)


async def lock_difference(tx: Tx, difference_id: UUID) -> Record | None:
    """A difference, locked after the order that it belongs to, so that `settle` and a refund never pass each other."""
    of = await tx.fetchrow(sql.OF_DIFFERENCE, difference_id)
    if of is None:
        return None
    if of["attempt_id"] is not None:
        await tx.fetchrow(sql.LOCK_ATTEMPT, of["attempt_id"])
    await tx.execute(sql.LOCK_TRANSACTION, of["channel"], of["transaction_no"])
    return await tx.fetchrow(sql.LOCK_DIFFERENCE, difference_id)


async def lower(tx: Tx, row: Record) -> None:
    """A refund came to nothing: its amount may be asked for again (I-09)."""
    if row["attempt_id"] is not None:
        await tx.execute(sql.LOWER_ATTEMPT, row["attempt_id"], row["amount_fen"])
    else:
        await tx.execute(sql.LOWER_DIFFERENCE, row["difference_id"], row["amount_fen"])


async def _check_limit(tx: Tx, actor: Actor, *, amount_fen: int, limit: Limit) -> None:
    """The limits per role and day; whoever asks twice at once waits for himself (LOCK_PERSON)."""
    asked_fen = await tx.fetchval(sql.ASKED_TODAY, actor.id, day_start(tx))
    if asked_fen + amount_fen > limit.a_day_fen:
        raise Conflict(
            f"您今天还可申请退款 {yuan_text(max(limit.a_day_fen - asked_fen, 0))} 元，超出部分请由上级申请。",
            code="refund_limit",
        )


def day_start(tx: Tx) -> datetime:
    """Midnight of today in Asia/Shanghai."""
    return datetime.combine(tx.today, time(), SHANGHAI)


def _chosen(left: Sequence[Record], parts: Sequence[Part] | None) -> list[Part]:
    """The parts to be given back, each checked against what its line still has."""
    if parts is None:
        parts = [
            Part(line["id"], line["principal_fen"], line["late_fee_fen"])
            for line in left
            if line["principal_fen"] + line["late_fee_fen"] > 0
        ]
    if not parts:
        raise Conflict("这笔支付已经全部退还。", code="nothing_to_refund")
    by_line = {line["id"]: line for line in left}
    if len({part.line_id for part in parts}) < len(parts) or any(part.line_id not in by_line for part in parts):
        raise Invalid("退款的明细不属于这笔支付，或重复填写。", code="unknown_line")
    for part in parts:
        line = by_line[part.line_id]
        if part.principal_fen > line["principal_fen"] or part.late_fee_fen > line["late_fee_fen"]:
            raise Invalid(
                f"“{line['title']}”最多可退 {yuan_text(line['principal_fen'] + line['late_fee_fen'])} 元。",
                code="more_than_paid",
            )
    return list(parts)


async def _hold(tx: Tx, chosen: Sequence[Part], left: Sequence[Record]) -> None:
    """Hold what may be spent before it is given back (prepaid money); Conflict `not_refundable` where it was."""
    lines = {line["id"]: line for line in left}
    taken: dict[Kind, list[Line]] = {}
    for part in chosen:
        line = lines[part.line_id]
        taken.setdefault(Kind(line["kind"]), []).append(
            (part.line_id, line["payable_id"], part.principal_fen, part.late_fee_fen)
        )
    for kind, parts in taken.items():
        if (lock := PAYABLES[kind].lock_refundable) is not None:
            await lock(tx, lines=parts)


@dataclass(frozen=True, slots=True)
class _New:
    """What a new refund is of."""

    community_id: UUID
    merchant_id: UUID
    channel: str
    attempt_id: UUID | None
    difference_id: UUID | None
    out_trade_no: str
    transaction_no: str
    amount_fen: int
    total_fen: int
    clearing_account: int


async def _of_difference(tx: Tx, found: Record, *, amount_fen: int) -> _New:
    """A refund of `amount_fen` out of the suspense of a difference."""
    clearing = await accounts.ensure(tx, Key(found["community_id"], Code.CLEARING, found["merchant_id"]))
    return _New(
        community_id=found["community_id"],
        merchant_id=found["merchant_id"],
        channel=found["channel"],
        attempt_id=None,
        difference_id=found["id"],
        out_trade_no=found["out_trade_no"],
        transaction_no=found["transaction_no"],
        amount_fen=amount_fen,
        total_fen=found["actual_fen"],
        clearing_account=clearing,
    )


async def _insert(tx: Tx, row: _New, *, actor: Actor, reason: str) -> UUID:
    refund_id = uuid7(tx.now)
    await tx.execute(
        sql.INSERT, refund_id, row.community_id, row.merchant_id, row.channel, row.attempt_id, row.difference_id,
        row.out_trade_no, row.transaction_no, random_text(NUMBER_LENGTH), row.amount_fen, row.total_fen,
        row.clearing_account, False, reason, RefundState.REQUESTED.value, actor.id, tx.now, None, None,
    )  # fmt: skip
    return refund_id


async def _propose(
    tx: Tx, actor: Actor, refund_id: UUID, *, row: _New, before: dict[str, Any], lines: list[str], reason: str
) -> Requested:
    """The approval, and what the approver is shown."""
    await tx.flush()
    stored = await tx.fetchrow(sql.LOCK, refund_id)
    assert stored is not None
    approval = await approvals.propose(
        tx,
        actor,
        kind=KIND,
        target=f"refund:{refund_id}",
        community_id=row.community_id,
        payload=_document(stored),
        shown={"before": before, "after": {"amount_fen": row.amount_fen, "lines": lines, "reason": reason}},
        reason=reason,
    )
    await tx.execute(sql.SET_APPROVAL, refund_id, approval.id)
    audit.record(
        tx, actor, action="payments.refund_requested", target=f"refund:{refund_id}", community_id=row.community_id,
        reason=reason, after={"amount_fen": row.amount_fen},
    )  # fmt: skip
    return Requested(refund_id, approval.id, row.amount_fen)


def _document(row: Record) -> dict[str, Any]:
    """A refund as an approval keeps it; what the approver has seen must be what he lets go."""
    return {
        "refund_id": str(row["id"]),
        "of": str(row["attempt_id"] or row["difference_id"]),
        "transaction_no": row["transaction_no"],
        "out_refund_no": row["out_refund_no"],
        "amount_fen": row["amount_fen"],
        "total_fen": row["total_fen"],
        "reason": row["reason"],
    }
