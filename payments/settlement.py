"""How money becomes "paid": the one `settle` for callback, query and, later, statement (design principle 4).

Promises: one success of a channel is applied once, through whatever doors it is heard of and however often (I-07, I-08,
F-01, F-09); merchant, app, currency and amount are compared before anything moves; what is verified but does not fit
becomes a difference and stands in suspense (F-10); zero rows changed is not success. The order's row is locked first,
its bills after it. Nothing here calls the network.

`settle_at_once` is the short way of the usual case: the same rules, on what is seen without a lock, and one statement
that does all of it or, where anything is no longer as it was seen, nothing (decision 0018). What is unusual it leaves
to `settle`.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from backend.kernel import audit, outbox
from backend.kernel.audit import Actor
from backend.kernel.db import Again, Database, Part, Record, Tx, Write
from backend.kernel.errors import AppError
from backend.kernel.failpoints import failpoint
from payments import differences, sql
from payments.channels.base import Trade
from payments.differences import Place
from payments.merchants import Merchant
from payments.payables import PAYABLES, AlreadyPaid, Kind, Line
from payments.states import AttemptState, DifferenceClass, OrderState

CURRENCY = "CNY"


class Door(StrEnum):
    """How we came to know."""

    CALLBACK = "callback"
    QUERY = "query"
    STATEMENT = "statement"
    COUNTER = "counter"


class Outcome(StrEnum):
    """What a success of the channel came to; the inbox has the same words (I-15)."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    DIFFERENCE = "difference"


@dataclass(frozen=True, slots=True)
class Heard:
    """A callback as it goes into the inbox: raw, so that what it said is kept sealed by the channel's key."""

    source: str
    event_key: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Settled:
    """`decided`: the difference that this success is was closed by a person."""

    outcome: Outcome
    order_id: UUID | None = None
    decided: bool = False


class NothingMoved(AppError):
    """The rows to be paid were not there: nothing is acknowledged, all is rolled back."""

    code = "nothing_moved"


async def settle(tx: Tx, merchant: Merchant, *, trade: Trade, door: Door, heard: Heard | None = None) -> Settled:
    """Apply a success that `merchant`'s channel has told and proven. The caller commits, then acknowledges."""
    found = await _hear_and_lock(tx, trade, heard)
    await failpoint("settle.after_lock")
    if found is None:
        return Settled(Outcome.DUPLICATE)
    problem = _mismatch(found, merchant, trade)
    if problem is None and found["attempt_transaction"] == trade.transaction_no:
        return await _duplicate(tx, found)
    if problem is None:
        problem = _elsewhere(found)
    if problem is None:
        problem = await _apply(tx, found)
    if problem is not None:
        return await _difference(tx, merchant, found, trade=trade, problem=problem, door=door)
    _tell(tx, merchant, found, trade=trade, door=door)
    await failpoint("settle.before_flush")
    await _move_to_paid(tx, merchant, found, trade=trade, door=door)
    await failpoint("settle.before_commit")
    return Settled(Outcome.APPLIED, found["order_id"])


async def settle_at_once(db: Database, merchant: Merchant, *, trade: Trade, heard: Heard) -> Settled | None:
    """The same for a success that is told for the first time, of an open order that pays things of one kind.

    None for anything else, and where something changed under our eyes: nothing is written then, and `settle` decides.
    """

    async def look_and_write(write: Write) -> Settled | None:
        found = await write.fetchrow(sql.LOOK, trade.out_trade_no, trade.transaction_no)
        await failpoint("settle.after_look")
        if found is None or _mismatch(found, merchant, trade) or _elsewhere(found):
            return None
        along = _paid_along(write, found) if found["order_state"] != OrderState.CLOSED else None
        if along is None:
            return None
        _tell(write, merchant, found, trade=trade, door=Door.CALLBACK)
        await failpoint("settle.before_write")
        await write.fetchrow_and_flush(
            sql.SETTLE_AT_ONCE,
            found["order_id"],
            found["attempt_id"],
            trade.transaction_no,
            trade.success_at or write.now,
            Door.CALLBACK.value,
            merchant.channel.value,
            found["order_version"],
            found["attempt_version"],
            len(found["line_ids"]),
            heard.source,
            heard.event_key,
            heard.body,
            write.now,
            along=along,
        )
        return Settled(Outcome.APPLIED, found["order_id"])

    return await db.at_once(look_and_write)


async def _hear_and_lock(tx: Tx, trade: Trade, heard: Heard | None) -> Record | None:
    """Inbox row and order lock in one round trip; None when this very message has been heard before."""
    number, transaction_no = trade.out_trade_no, trade.transaction_no
    if heard is None:
        return await tx.fetchrow(sql.LOCK, number, transaction_no)
    found = await tx.fetchrow(
        sql.HEAR_AND_LOCK, number, transaction_no, heard.source, heard.event_key, heard.body, tx.now
    )
    await failpoint("settle.after_inbox")
    return found


def _mismatch(found: Record, merchant: Merchant, trade: Trade) -> DifferenceClass | None:
    """The first thing that does not fit, None when all does."""
    if found["order_id"] is None:
        return DifferenceClass.UNKNOWN_ORDER
    if merchant.id != found["merchant_id"] or trade.mchid != merchant.mchid:
        return DifferenceClass.MERCHANT
    if trade.appid != found["app_id"]:
        return DifferenceClass.APP
    if trade.currency != CURRENCY:
        return DifferenceClass.CURRENCY
    if trade.amount_fen != found["amount_fen"]:
        return DifferenceClass.AMOUNT
    if found["number_taken"]:
        return DifferenceClass.TRANSACTION
    return None


def _elsewhere(found: Record) -> DifferenceClass | None:
    """What fits, and yet pays nothing: it is on its way back to the payer, or the order has been paid."""
    if found["going_back"] is not None:
        return DifferenceClass(found["going_back"])
    if found["order_state"] == OrderState.PAID or found["attempt_state"] == AttemptState.PAID:
        return DifferenceClass.SECOND_PAYMENT
    return None


def _paid_along(write: Write, found: Record) -> Part | None:
    """The part of a statement that marks all of it paid, where all that the order pays is of one kind that has such."""
    by_kind = _lines(found)
    kind = next(iter(by_kind))
    paid_along = PAYABLES[kind].paid_along
    if paid_along is None or len(by_kind) > 1:
        return None
    return paid_along(write, lines=by_kind[kind], clearing_account=found["clearing_account"])


async def _apply(tx: Tx, found: Record) -> DifferenceClass | None:
    """Mark what the order pays as paid; a problem when that has been paid otherwise, and then nothing is changed."""
    closed, by_kind = found["order_state"] == OrderState.CLOSED, _lines(found)
    try:
        async with tx.savepoint() if len(by_kind) > 1 else nullcontext():
            for kind in sorted(by_kind):
                await PAYABLES[kind].apply_paid(tx, lines=by_kind[kind], clearing_account=found["clearing_account"])
    except AlreadyPaid:
        return DifferenceClass.LATE_PAYMENT if closed else DifferenceClass.SECOND_PAYMENT
    return None


def _lines(found: Record) -> dict[Kind, list[Line]]:
    by_kind: dict[Kind, list[Line]] = {}
    rows = zip(
        found["line_ids"], found["kinds"], found["payable_ids"], found["principals"], found["late_fees"], strict=True
    )
    for line_id, kind, payable_id, principal_fen, late_fee_fen in rows:
        by_kind.setdefault(Kind(kind), []).append((line_id, payable_id, principal_fen, late_fee_fen))
    return by_kind


async def _move_to_paid(tx: Tx, merchant: Merchant, found: Record, *, trade: Trade, door: Door) -> None:
    """Order, attempt and holds, and with them what was added, in one statement."""
    moved = await tx.fetchrow_and_flush(
        sql.MOVE_TO_PAID,
        found["order_id"],
        found["attempt_id"],
        trade.transaction_no,
        trade.success_at or tx.now,
        door.value,
        found["inbox_id"],
        merchant.channel.value,
    )
    if moved is None or moved["orders"] != 1 or moved["attempts"] != 1:
        raise NothingMoved
    if moved["disputed_refunding_fen"]:
        raise Again
    if moved["disputed_refunding_fen"] is not None:
        await differences.withdraw(tx, merchant.channel, transaction_no=trade.transaction_no or "")
    if found["order_state"] == OrderState.CLOSED:
        await _overtake(tx, found)


async def _overtake(tx: Tx, found: Record) -> None:
    """A late payment won: another order that still asks for the same things must not be paid as well."""
    for row in await tx.fetch(sql.OVERTAKEN, found["order_id"]):
        outbox.emit(tx, "payments.overtaken", {"order_id": str(row["order_id"])}, community_id=found["community_id"])


def _tell(write: Write, merchant: Merchant, found: Record, *, trade: Trade, door: Door) -> None:
    outbox.emit(
        write,
        "payments.paid",
        {"order_id": str(found["order_id"]), "attempt_id": str(found["attempt_id"])},
        community_id=found["community_id"],
    )
    audit.record(
        write,
        Actor("channel", merchant.id),
        action="payments.settled",
        target=f"payment_order:{found['order_id']}",
        community_id=found["community_id"],
        before={"state": found["order_state"]},
        after={"state": "PAID", "amount_fen": trade.amount_fen, "door": door.value},
    )


async def _duplicate(tx: Tx, found: Record) -> Settled:
    await _conclude(tx, found, Outcome.DUPLICATE, None)
    return Settled(Outcome.DUPLICATE, found["order_id"])


async def _difference(
    tx: Tx, merchant: Merchant, found: Record, *, trade: Trade, problem: DifferenceClass, door: Door
) -> Settled:
    """Verified but wrong is data: the bill stays as it is, the money is booked to suspense, a person is shown it."""
    place = Place(merchant.book)
    if found["order_id"] is not None:
        place = Place(found["community_id"], found["order_id"], found["attempt_id"], found["amount_fen"])
    opened = await differences.open_for(tx, merchant, trade=trade, problem=problem, place=place, source=door.value)
    await _conclude(tx, found, Outcome.DIFFERENCE, problem.value)
    return Settled(Outcome.DIFFERENCE, found["order_id"], decided=opened.decided)


async def _conclude(tx: Tx, found: Record, outcome: Outcome, reason: str | None) -> None:
    if found["inbox_id"] is not None:
        await tx.execute(sql.CONCLUDE, found["inbox_id"], outcome.value, reason)
