"""Staff routes of paid work on a ticket: quotes and answers to them, costs, waivers, the signature (D9, R6)."""

from uuid import UUID

from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from backend.kernel.http import Call, Route
from backend.kernel.money import yuan_text
from backend.tickets import machine, reads
from backend.tickets.moves import Move
from backend.tickets.paid import costs, quotes, signatures, waivers
from backend.tickets.paid.schemas import (
    CostAnswer,
    CostBody,
    DecideBody,
    QuoteBody,
    QuoteList,
    QuoteView,
    SignatureAnswer,
)
from backend.tickets.schemas import MovedAnswer, ProposedAnswer, ReasonBody
from backend.tickets.states import Role
from backend.tickets.step import Asked, Who

READ, DESK, WORK, WAIVE = "ticket.read", "ticket.dispatch", "ticket.work", "ticket.waive_propose"


async def quote(call: Call[QuoteBody, None]) -> MovedAnswer:
    """POST /admin/v1/tickets/{ticket_id}/quote."""
    who = Who(call.principal.actor, Role.WORKER, call.principal.communities(WORK))
    return await _move(call.ids["ticket_id"], call, who, Move.QUOTE, Asked(call.body.reason, lines=call.body.wishes))


async def agree(call: Call[DecideBody, None]) -> MovedAnswer:
    """POST /admin/v1/tickets/{ticket_id}/agree."""
    return await _decide(call, Move.AGREE)


async def decline(call: Call[DecideBody, None]) -> MovedAnswer:
    """POST /admin/v1/tickets/{ticket_id}/decline."""
    return await _decide(call, Move.DECLINE)


async def _decide(call: Call[DecideBody, None], name: Move) -> MovedAnswer:
    who = Who(call.principal.actor, Role.DESK, call.principal.communities(DESK))
    asked = Asked(call.body.reason, version=call.body.version)
    return await _move(call.ids["ticket_id"], call, who, name, asked)


async def _move(
    ticket_id: UUID, call: Call[QuoteBody, None] | Call[DecideBody, None], who: Who, name: Move, asked: Asked
) -> MovedAnswer:
    async def work(tx: Tx) -> MovedAnswer:
        return MovedAnswer.of((await machine.move(tx, who, ticket_id=ticket_id, name=name, asked=asked)).state)

    return await call.transact(work)


async def list_quotes(call: Call[None, None]) -> QuoteList:
    """GET /admin/v1/tickets/{ticket_id}/quotes."""
    row = await reads.one(call.res.db, call.ids["ticket_id"], communities=call.principal.communities(READ))
    return await quotes_of(call.res.db, row["id"])


async def quotes_of(db: Reader, ticket_id: UUID) -> QuoteList:
    """The quotes of a ticket that was found in scope, each with how its total comes about."""
    rows = await quotes.of_ticket(db, ticket_id)
    return QuoteList(items=[QuoteView.of(row, explained(len(row["lines"]), row)) for row in rows])


def explained(count: int, row: Record) -> str:
    """How the total of a quote comes about, for the resident."""
    told = f"{count} 项合计 {yuan_text(row['lines_fen'])} 元"
    if row["warranty_fen"]:
        free = yuan_text(row["warranty_fen"])
        told += f"；同类维修仍在保修期内（至 {row['covered_until']}），免收 {free} 元，应付 0.00 元"
    return f"{told}。"


async def record_cost(call: Call[CostBody, None]) -> CostAnswer:
    """POST /admin/v1/tickets/{ticket_id}/costs."""
    who = Who(call.principal.actor, Role.WORKER, call.principal.communities(WORK))

    async def work(tx: Tx) -> CostAnswer:
        state = await costs.record(
            tx, who, ticket_id=call.ids["ticket_id"], wishes=call.body.wishes, reason=call.body.reason
        )
        return CostAnswer(state=state)

    return await call.once(work, CostAnswer)


async def waive(call: Call[ReasonBody, None]) -> ProposedAnswer:
    """POST /admin/v1/tickets/{ticket_id}/waiver."""
    who = Who(call.principal.actor, Role.DESK, call.principal.communities(WAIVE))

    async def work(tx: Tx) -> ProposedAnswer:
        made = await waivers.propose(tx, who, ticket_id=call.ids["ticket_id"], reason=call.body.reason)
        return ProposedAnswer(approval_id=made.id)

    return await call.once(work, ProposedAnswer)


async def show_signature(call: Call[ReasonBody, None]) -> SignatureAnswer:
    """POST /admin/v1/tickets/{ticket_id}/signature."""
    who = Who(call.principal.actor, Role.DESK, call.principal.communities(DESK))

    async def work(tx: Tx) -> SignatureAnswer:
        ticket = await reads.lock(tx, who, call.ids["ticket_id"])
        png = await signatures.look(
            tx, who.actor, ticket=ticket, keyring=call.res.keyring, reason=call.body.reason
        )  # fmt: skip
        return SignatureAnswer(png=png)

    return await call.transact(work)


_ONE = "/admin/v1/tickets/{ticket_id}"
_REFUSALS = (NotFound, Forbidden, Conflict, Invalid)

ROUTES = (
    Route(
        "POST", f"{_ONE}/quote", quote, WORK, "报价：人工和配件", body=QuoteBody, answer=MovedAnswer, errors=_REFUSALS,
    ),
    Route(
        "POST", f"{_ONE}/agree", agree, DESK, "代住户同意报价", body=DecideBody, answer=MovedAnswer, errors=_REFUSALS,
    ),
    Route(
        "POST", f"{_ONE}/decline", decline, DESK, "代住户不同意报价", body=DecideBody, answer=MovedAnswer,
        errors=_REFUSALS,
    ),
    Route("GET", f"{_ONE}/quotes", list_quotes, READ, "工单的报价", answer=QuoteList, errors=(NotFound,)),
    Route(
        "POST", f"{_ONE}/costs", record_cost, WORK, "登记维修成本，公共区域的提请计入公摊", body=CostBody,
        answer=CostAnswer, status=201, creates=True, errors=_REFUSALS,
    ),
    Route(
        "POST", f"{_ONE}/waiver", waive, WAIVE, "申请减免应付的维修费", body=ReasonBody, answer=ProposedAnswer,
        status=202, creates=True, errors=(NotFound, Conflict),
    ),
    Route(
        "POST", f"{_ONE}/signature", show_signature, DESK, "查看验收签名，须写明原因", body=ReasonBody,
        answer=SignatureAnswer, errors=(NotFound,),
    ),
)  # fmt: skip
