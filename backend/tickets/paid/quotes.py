"""Quotes of paid repairs (报价): made by who has the ticket in hand, agreed to by the resident, owed once signed off.

Promises: a ticket has one live quote; a changed one is another version and needs another agreement; who agrees names
the version that he saw. What is under warranty of the same kind of repair in the same house is free. A quote falls due
with the signing off, once, and that is posted: what the house owes for repairs is what the ledger says (principle 2).
The moves that call these hold the ticket's row; lines and totals of a quote never change.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.ledger import accounts, postings
from backend.ledger.accounts import Code, Key
from backend.tickets.paid import lines, stock
from backend.tickets.paid.states import QuoteState
from backend.tickets.step import Step

NOTHING: dict[str, Any] = {}

# Index ticket_quote_warranty.
COVERED = """
    SELECT max(warranty_until) FROM ticket_quote
     WHERE house_id = $1 AND category_id = $2 AND warranty_until >= $3
"""

INSERT = """
    INSERT INTO ticket_quote (id, community_id, ticket_id, house_id, category_id, round, version, state, lines,
                              lines_fen, warranty_fen, total_fen, covered_until, made_by, made_at)
    SELECT $1::uuid, $2::uuid, $3::uuid, $4::uuid, $5::uuid, $6::integer, 1 + coalesce(max(version), 0), 'OPEN',
           $7::jsonb, $8::bigint, $9::bigint, $8::bigint - $9::bigint, $10::date, $11::uuid, $12::timestamptz
      FROM ticket_quote WHERE ticket_id = $3
"""

LIVE = "SELECT * FROM ticket_quote WHERE ticket_id = $1 AND state IN ('OPEN', 'AGREED') FOR UPDATE"

DECIDE = "UPDATE ticket_quote SET state = $2, decided_at = $3 WHERE id = $1"

WITHDRAW = "UPDATE ticket_quote SET state = 'WITHDRAWN' WHERE ticket_id = $1 AND state IN ('OPEN', 'AGREED')"

FALL_DUE = "UPDATE ticket_quote SET state = $2, due_at = $3, warranty_until = $4 WHERE id = $1"

OF_TICKET = """
    SELECT q.*, n.name AS made_by_name
      FROM ticket_quote q LEFT JOIN ticket_staff_name n ON n.id = q.made_by
     WHERE q.ticket_id = $1
     ORDER BY q.version DESC
     LIMIT 100
"""

# Index ticket_quote_unpaid.
OWED = "SELECT id FROM ticket_quote WHERE ticket_id = $1 AND state = 'DUE' ORDER BY version LIMIT 1"

KNOWN_IN = "SELECT count(*) FROM ticket_quote WHERE id = ANY ($1::uuid[]) AND community_id = $2"


async def make(tx: Tx, step: Step) -> dict[str, Any]:
    """The worker says what it is to cost; what was quoted before is void. Invalid `lines_required`, `no_price`,
    Conflict `no_house_to_charge`."""
    house_id, wishes = step.ticket["house_id"], step.asked.lines
    if house_id is None:
        raise Conflict("公共区域的维修不向住户收费，请登记维修成本。", code="no_house_to_charge")
    if not wishes:
        problem = "请至少填写一行人工或配件。"
        raise Invalid(problem, code="lines_required", fields=[{"field": "lines", "message": problem}])
    await withdraw(tx, step)
    found = await lines.priced(tx, step.community_id, wishes, today=tx.today)
    lines_fen = lines.total_fen(found)
    covered = await tx.fetchval(COVERED, house_id, step.ticket["category_id"], tx.today)
    await tx.execute(
        INSERT, uuid7(tx.now), step.community_id, step.ticket_id, house_id, step.ticket["category_id"],
        step.ticket["round"], lines.kept(found), lines_fen, lines_fen if covered else 0, covered, step.who.actor.id,
        tx.now,
    )  # fmt: skip
    return NOTHING


async def agree(tx: Tx, step: Step) -> dict[str, Any]:
    """The resident agrees to the version that he saw; Conflict `quote_changed`."""
    await tx.execute(DECIDE, (await _shown(tx, step))["id"], QuoteState.AGREED, tx.now)
    return NOTHING


async def decline(tx: Tx, step: Step) -> dict[str, Any]:
    """The resident does not agree to it; Conflict `quote_changed`."""
    await tx.execute(DECIDE, (await _shown(tx, step))["id"], QuoteState.DECLINED, tx.now)
    return NOTHING


async def withdraw(tx: Tx, step: Step) -> dict[str, Any]:
    """What was quoted and is not owed yet is void."""
    await tx.execute(WITHDRAW, step.ticket_id)
    return NOTHING


async def use_parts(tx: Tx, step: Step) -> dict[str, Any]:
    """The parts that were agreed on leave the stock of who finishes; Conflict `stock_short`."""
    quote = await tx.fetchrow(LIVE, step.ticket_id)
    if quote is not None:
        assert step.assignee_id is not None
        await stock.use(
            tx, step.who.actor, community_id=step.community_id, staff_id=step.assignee_id,
            parts=lines.parts(quote["lines"]), ticket_id=step.ticket_id,
        )  # fmt: skip
    return NOTHING


async def fall_due(tx: Tx, step: Step) -> dict[str, Any]:
    """The work is accepted: what was agreed on is owed from now on, and is posted; its warranty begins."""
    quote = await tx.fetchrow(LIVE, step.ticket_id)
    if quote is None:
        return NOTHING
    owed, days = quote["total_fen"] > 0, step.category["warranty_days"]
    until = tx.today + timedelta(days=days) if days else None
    await tx.execute(FALL_DUE, quote["id"], QuoteState.DUE if owed else QuoteState.FREE, tx.now, until)
    if owed:
        receivable, income = await accounts_of(tx, quote)
        postings.post(
            tx, "ticket.due", reference=quote["id"], debit=receivable, credit=income, amount_fen=quote["total_fen"],
            community_id=step.community_id,
        )  # fmt: skip
    return NOTHING


async def accounts_of(tx: Tx, quote: Record) -> tuple[int, int]:
    """The accounts of what the house owes for repairs and of the income of their category."""
    receivable, income = await accounts.ensure_all(
        tx,
        (
            Key(quote["community_id"], Code.TICKET_RECEIVABLE, quote["house_id"]),
            Key(quote["community_id"], Code.TICKET_INCOME, quote["category_id"]),
        ),
    )
    return receivable, income


async def of_ticket(db: Reader, ticket_id: UUID) -> list[Record]:
    """The quotes of a ticket that the caller has found in scope, the newest first."""
    return await db.fetch(OF_TICKET, ticket_id)


async def owed(db: Reader, ticket_id: UUID) -> UUID:
    """The oldest quote that is owed of a ticket that the caller has found in scope; Conflict `nothing_due`."""
    found: UUID | None = await db.fetchval(OWED, ticket_id)
    if found is None:
        raise Conflict("这张工单现在没有需要支付的费用。", code="nothing_due")
    return found


async def require_in(tx: Tx, community_id: UUID, *, quote_ids: Sequence[UUID]) -> None:
    """NotFound unless all of them are of the community."""
    if quote_ids and await tx.fetchval(KNOWN_IN, list(quote_ids), community_id) < len(set(quote_ids)):
        raise NotFound


async def _shown(tx: Tx, step: Step) -> Record:
    quote = await tx.fetchrow(LIVE, step.ticket_id)
    if quote is None or quote["version"] != step.asked.version:
        raise Conflict("报价已经更改，请刷新后查看新的报价再确认。", code="quote_changed")
    return quote
