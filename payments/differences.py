"""Differences (差异): what a channel said truly but does not fit the books becomes data and a posting to suspense.

Nothing verified is dropped and nothing loops (design principle 5). A transaction's money stands in the books once,
whatever is said about it and how often: in its bills, or in suspense, never in both. When the channel's next
word settles the transaction after all, what stood in suspense is taken back by a posting of its own (I-02); but what is
on its way back to the payer stays where it is.
"""

from dataclasses import dataclass
from uuid import UUID

from backend.kernel import audit, outbox
from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.ids import uuid7
from backend.ledger import accounts, postings
from backend.ledger.accounts import Code, Key
from payments import orders
from payments.channels.base import Channel, ChannelRefund, Trade
from payments.merchants import Merchant
from payments.states import DifferenceClass, DifferenceState

SUSPENSE = "payment.suspense"
SUSPENSE_REVERSED = "payment.suspense_reversed"
MAX_FEN = (1 << 63) - 1
# What is told here fits the order in everything: it is believed more than what was told wrongly before.
BELIEVED = frozenset({DifferenceClass.SECOND_PAYMENT, DifferenceClass.LATE_PAYMENT})

# Two messages about one transaction look at the books one after the other.
LOCK_TRANSACTION = "SELECT pg_advisory_xact_lock(hashtextextended($1 || ':' || $2, 0))"

INSERT = """
    INSERT INTO difference (id, community_id, class, state, channel, merchant_id, order_id, attempt_id, out_trade_no,
                            transaction_no, expected_fen, actual_fen, booked_fen, detail, opened_at)
    SELECT $1, $2, $3, 'OPEN', $13, $4, $5, $6, $7, $8, $9, $10::bigint,
           CASE WHEN EXISTS (SELECT FROM payment_attempt WHERE channel = $13 AND transaction_no = $8)
                  OR EXISTS (SELECT FROM difference
                              WHERE channel = $13 AND transaction_no = $8 AND booked_fen > 0)
                THEN 0 ELSE greatest($10::bigint, 0) END,
           $11, $12
        ON CONFLICT (channel, transaction_no, class, subject) DO NOTHING
 RETURNING id, state, booked_fen
"""

KNOWN = """
    SELECT id, state = 'RESOLVED' OR (booked_fen > 0 AND refunded_fen = booked_fen) AS decided
      FROM difference
     WHERE channel = $1 AND transaction_no = $2 AND class = $3 AND subject = ''
"""

ABOUT_REFUND = """
    INSERT INTO difference (id, community_id, class, state, channel, merchant_id, order_id, attempt_id, out_trade_no,
                            transaction_no, subject, expected_fen, actual_fen, detail, opened_at)
    VALUES ($1, $2, 'refund', 'OPEN', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT (channel, transaction_no, class, subject) DO NOTHING
 RETURNING id
"""

REFUND_EXPLAINED = """
    UPDATE difference SET state = 'AUTO_RESOLVED', resolved_at = $3
     WHERE channel = $1 AND class = 'refund' AND subject = $2 AND transaction_no = $4 AND state IN ('OPEN', 'ESCALATED')
"""

WITHDRAW = """
    UPDATE difference
       SET booked_fen = 0,
           state = CASE WHEN state IN ('OPEN', 'ESCALATED') THEN 'AUTO_RESOLVED' ELSE state END,
           resolved_at = coalesce(resolved_at, $2)
     WHERE channel = $4 AND transaction_no = $1 AND booked_fen > 0 AND refunding_fen = 0 AND class IS DISTINCT FROM $3
 RETURNING id, community_id
"""

LOCK = "SELECT * FROM difference WHERE id = $1 FOR UPDATE"

RESOLVE = """
    UPDATE difference SET state = $2, resolved_by = $3, resolved_at = $4, note = $5
     WHERE id = $1 AND state IN ('OPEN', 'ESCALATED')
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message belongs as far as we know; an unknown order has only its merchant's book."""

    community_id: UUID
    order_id: UUID | None = None
    attempt_id: UUID | None = None
    expected_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A difference, new or known; `decided` once a person has closed it, or all of its money went back."""

    id: UUID
    decided: bool


async def open_for(
    tx: Tx, merchant: Merchant, *, trade: Trade, problem: DifferenceClass, place: Place, source: str
) -> Opened:
    """Keep what the channel said and book its money to suspense, unless it stands in the books already."""
    number = trade.transaction_no or ""
    await tx.execute(LOCK_TRANSACTION, merchant.channel.value, number)
    if problem in BELIEVED:
        await withdraw(tx, merchant.channel, transaction_no=number, spare=problem)
    row = await tx.fetchrow(
        INSERT,
        uuid7(tx.now),
        place.community_id,
        problem.value,
        merchant.id,
        place.order_id,
        place.attempt_id,
        trade.out_trade_no,
        number,
        place.expected_fen,
        min(trade.amount_fen, MAX_FEN),
        {
            "source": source,
            "mchid": trade.mchid,
            "appid": trade.appid,
            "currency": trade.currency,
            "amount_fen": str(trade.amount_fen),
            "attach": trade.attach,
            "success_at": trade.success_at,
            **_lost_order(problem, trade.attach),
        },
        tx.now,
        merchant.channel.value,
    )
    if row is None:
        known = await tx.fetchrow(KNOWN, merchant.channel.value, number, problem.value)
        if known is None:
            raise Conflict
        return Opened(known["id"], known["decided"])
    if row["booked_fen"]:
        await _book(tx, merchant, difference_id=row["id"], amount_fen=row["booked_fen"], place=place)
        outbox.emit(
            tx, "payments.difference_opened", {"difference_id": str(row["id"])}, community_id=place.community_id
        )
    audit.record(
        tx, Actor("channel", merchant.id), action="payments.difference_opened", target=f"difference:{row['id']}",
        community_id=place.community_id, after={"class": problem.value, "booked_fen": row["booked_fen"]},
    )  # fmt: skip
    return Opened(row["id"], decided=False)


def _lost_order(problem: DifferenceClass, attach: str) -> dict[str, str]:
    """An order of ours that we no longer have, as the channel carried it for us (F-26)."""
    told = orders.read_attach(attach) if problem is DifferenceClass.UNKNOWN_ORDER else None
    return {} if told is None else {"order_id": str(told.order_id), "kind": told.kind, "digest": told.digest}


async def _book(tx: Tx, merchant: Merchant, *, difference_id: UUID, amount_fen: int, place: Place) -> None:
    """Debit clearing, credit suspense: the money is here, whose it is remains to be seen."""
    clearing, suspense = await accounts.ensure_all(
        tx,
        (
            Key(place.community_id, Code.CLEARING, merchant.id),
            Key(place.community_id, Code.SUSPENSE, merchant.id),
        ),
    )
    postings.post(
        tx,
        SUSPENSE,
        reference=difference_id,
        debit=clearing,
        credit=suspense,
        amount_fen=amount_fen,
        community_id=place.community_id,
    )


async def open_about_refund(
    tx: Tx, merchant: Merchant, *, told: ChannelRefund, problem: str, place: Place, source: str
) -> None:
    """Keep what the channel said about a refund; nothing is booked. Said again, it stays one difference."""
    difference_id = await tx.fetchval(
        ABOUT_REFUND,
        uuid7(tx.now),
        place.community_id,
        merchant.channel.value,
        merchant.id,
        place.order_id,
        place.attempt_id,
        told.out_trade_no,
        told.transaction_no,
        told.out_refund_no,
        place.expected_fen,
        min(told.amount_fen, MAX_FEN),
        {
            "source": source,
            "problem": problem,
            "mchid": told.mchid,
            "state": told.state.value,
            "refund_no": told.refund_no,
            "amount_fen": str(told.amount_fen),
            "success_at": told.success_at,
        },
        tx.now,
    )
    if difference_id is not None:
        audit.record(
            tx, Actor("channel", merchant.id), action="payments.difference_opened",
            target=f"difference:{difference_id}", community_id=place.community_id,
            after={"class": DifferenceClass.REFUND.value, "problem": problem},
        )  # fmt: skip


async def explain_refund(tx: Tx, channel: Channel, *, transaction_no: str, out_refund_no: str) -> None:
    """The refund is known better now: what was told wrongly about it needs no person any more."""
    await tx.execute(REFUND_EXPLAINED, channel.value, out_refund_no, tx.now, transaction_no)


async def withdraw(tx: Tx, channel: Channel, *, transaction_no: str, spare: DifferenceClass | None = None) -> None:
    """The transaction is known better now: take back what stands in suspense for it, but for the class `spare` and for
    what is being refunded."""
    await tx.flush()
    for row in await tx.fetch(WITHDRAW, transaction_no, tx.now, spare, channel.value):
        await postings.reverse(tx, SUSPENSE_REVERSED, of_kind=SUSPENSE, reference=row["id"])
        audit.record(
            tx, Actor("system"), action="payments.difference_withdrawn", target=f"difference:{row['id']}",
            community_id=row["community_id"],
        )  # fmt: skip


async def resolve(
    tx: Tx, actor: Actor, *, difference_id: UUID, communities: tuple[UUID, ...], note: str, escalate: bool = False
) -> None:
    """A person's decision, with his note. NotFound outside `communities`, Conflict `difference_closed` when closed.

    The money stays in suspense until it is refunded or claimed.
    """
    row = await tx.fetchrow(LOCK, difference_id)
    if row is None or row["community_id"] not in communities:
        raise NotFound
    if row["state"] not in (DifferenceState.OPEN, DifferenceState.ESCALATED):
        raise Conflict("这条差异已经处理过了。", code="difference_closed")
    state = DifferenceState.ESCALATED if escalate else DifferenceState.RESOLVED
    await tx.execute(RESOLVE, difference_id, state.value, actor.id, tx.now, note)
    audit.record(
        tx, actor, action=f"payments.difference_{state.value.lower()}", target=f"difference:{difference_id}",
        community_id=row["community_id"], reason=note, before={"state": row["state"]}, after={"state": state.value},
    )  # fmt: skip
