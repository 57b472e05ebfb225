"""Repairs as payments sees them: a quote that is owed is locked, paid whole, and given back (D6, D9).

Promises: a quote is paid once, for its own total; whoever settles holds the ticket's row first and the quote's after
it, as every move does. Settling and refunding are all or nothing. What is paid leaves the house's receivable; what goes
back leaves the income, for work that was not worth it is not owed again (I-03, decision 0029). A ticket that waits for
its money moves to PAID with it; one that has gone on stays where it is.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from backend.fees.payable import AlreadyPaid, Line, Priced
from backend.kernel.auth import HouseScope
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.ledger import postings
from backend.tickets import machine
from backend.tickets.moves import MOVES, Move
from backend.tickets.paid import quotes
from backend.tickets.paid.states import QuoteState
from backend.tickets.states import State
from backend.tickets.step import the_system

# In id order, so that two payers wait and do not deadlock; the quotes are read afterwards, as their holders left them.
LOCK = """
    SELECT t.id FROM ticket t
     WHERE t.id IN (SELECT ticket_id FROM ticket_quote WHERE id = ANY ($1::uuid[]))
     ORDER BY t.id
       FOR UPDATE
"""

OF_IDS = """
    SELECT q.*, t.no, t.state AS ticket_state, t.person_id
      FROM ticket_quote q JOIN ticket t ON t.id = q.ticket_id
     WHERE q.id = ANY ($1::uuid[])
     ORDER BY q.id
       FOR UPDATE OF q
"""

PAY = """
    UPDATE ticket_quote SET state = 'PAID', paid_line_id = $2, paid_at = $3
     WHERE id = $1 AND state = 'DUE' AND total_fen = $4
"""

REFUND = """
    UPDATE ticket_quote q SET refunded_fen = q.refunded_fen + $2
      FROM ticket_refund_line r
     WHERE r.id = $1 AND q.paid_line_id = r.line_id AND q.total_fen - q.refunded_fen >= $2
 RETURNING q.id, q.community_id, q.house_id, q.category_id
"""


async def lock_and_price(tx: Tx, scope: HouseScope | None, wanted: Mapping[UUID, int | None]) -> list[Priced]:
    """Lock quotes and say what each costs.

    Raises NotFound, also for what the scope does not reach, AlreadyPaid, Conflict `not_due`, Invalid
    `amount_out_of_bounds` for a part.
    """
    rows = await _held(tx, wanted)
    if len(rows) < len(wanted) or not wanted:
        raise NotFound
    for row in rows:
        if scope is not None and not _reaches(scope, row):
            raise NotFound
        if row["state"] == QuoteState.PAID:
            raise AlreadyPaid("维修费已经支付，无需重复支付。")
        if row["state"] != QuoteState.DUE:
            raise Conflict("这笔维修费现在不需要支付，请刷新后再看。", code="not_due")
        if wanted[row["id"]] not in (None, row["total_fen"]):
            raise Invalid("维修费须一次付清。", code="amount_out_of_bounds")
    return [
        Priced(
            payable_id=row["id"],
            community_id=row["community_id"],
            house_id=row["house_id"],
            item_id=None,
            principal_fen=row["total_fen"],
            late_fee_fen=0,
            title=f"维修费 工单{row['no']}",
        )
        for row in rows
    ]


async def apply_paid(tx: Tx, *, lines: Sequence[Line], clearing_account: int) -> None:
    """Each line's quote is paid: its receivable is settled, and the ticket moves on if it has waited for that.

    Raises AlreadyPaid, and changes nothing, when a quote is not owed any more, or not this amount.
    """
    rows = {row["id"]: row for row in await _held(tx, [line[1] for line in lines])}
    for _, quote_id, amount_fen, late_fee_fen in lines:
        row = rows[quote_id]
        if row["state"] != QuoteState.DUE or row["total_fen"] != amount_fen or late_fee_fen:
            raise AlreadyPaid("维修费已经支付，无需重复支付。")
    for line_id, quote_id, amount_fen, _ in lines:
        row = rows[quote_id]
        await tx.execute(PAY, quote_id, line_id, tx.now, amount_fen)
        receivable, _ = await quotes.accounts_of(tx, row)
        postings.post(
            tx, "ticket.paid", reference=line_id, debit=clearing_account, credit=receivable, amount_fen=amount_fen,
            community_id=row["community_id"],
        )  # fmt: skip
        if State(row["ticket_state"]) in MOVES[Move.PAY].sources:
            await machine.move(tx, the_system(row["community_id"]), ticket_id=row["ticket_id"], name=Move.PAY)


async def apply_refunded(tx: Tx, *, lines: Sequence[Line], clearing_account: int) -> None:
    """Take paid amounts back and post it. Lines are rows of refund_line.

    Raises Conflict `not_refundable`, and changes nothing, when a quote has not kept as much as its line takes back.
    """
    async with tx.savepoint():
        for line_id, _, amount_fen, _ in sorted(lines, key=lambda line: line[1]):
            row = await tx.fetchrow(REFUND, line_id, amount_fen)
            if row is None:
                raise Conflict("这笔维修费已收的金额不足以退还。", code="not_refundable")
            _, income = await quotes.accounts_of(tx, row)
            postings.post(
                tx, "ticket.refunded", reference=line_id, debit=income, credit=clearing_account,
                amount_fen=amount_fen, community_id=row["community_id"],
            )  # fmt: skip


async def _held(tx: Tx, quote_ids: Mapping[UUID, object] | Sequence[UUID]) -> list[Record]:
    named = sorted(quote_ids)
    await tx.fetch(LOCK, named)
    return await tx.fetch(OF_IDS, named)


def _reaches(scope: HouseScope, row: Record) -> bool:
    """A house's repairs are its owner's and family's; a tenant's are those that he reported (D1)."""
    own = row["person_id"] == scope.person_id and row["house_id"] in scope.tenant
    return own or row["house_id"] in scope.full
