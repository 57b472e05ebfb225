"""Staff routes of outages (停复公告), and what the desk is offered for a ticket: duplicates and outages (D9)."""

from datetime import datetime
from uuid import UUID

from backend.kernel.auth import Principal
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.http import Call, Nothing, Route, Strict, decode_cursor, encode_cursor, example
from backend.tickets import clocks, reads
from backend.tickets.dispatch import outages, similar
from backend.tickets.dispatch.outage_schemas import (
    OutageBody,
    OutageBound,
    OutageEndBody,
    OutageList,
    OutageMade,
    OutageNoteBody,
    OutageQuery,
    OutageTickets,
    OutageView,
)
from backend.tickets.schemas import TICKET, TicketView
from backend.tickets.states import Role
from backend.tickets.step import Who

READ, DESK = "ticket.read", "ticket.dispatch"


class Suggestions(Strict):
    """Tickets that report the same, the likeliest first, and outages that may be the cause."""

    model_config = example(duplicates=[TICKET], outages=[])
    duplicates: list[TicketView]
    outages: list[OutageView]


async def list_outages(call: Call[None, OutageQuery]) -> OutageList:
    """GET /admin/v1/ticket-outages."""
    query = call.query
    before = decode_cursor(query.cursor, (datetime, UUID)) if query.cursor else None
    rows = await outages.list_in(
        call.res.db, call.principal.communities(READ), state=query.state,
        before=None if before is None else (before[0], before[1]), limit=query.limit + 1,
    )  # fmt: skip
    shown = rows[: query.limit]
    last = shown[-1] if len(rows) > query.limit else None
    return OutageList(
        items=[OutageView.of(row) for row in shown],
        next_cursor=None if last is None else encode_cursor(last["began_at"].isoformat(), last["id"]),
    )


async def begin(call: Call[OutageBody, None]) -> OutageMade:
    """POST /admin/v1/communities/{community_id}/ticket-outages."""
    community_id = call.ids["community_id"]
    call.principal.require_community(DESK, community_id)

    async def work(tx: Tx) -> OutageMade:
        made = await outages.begin(tx, call.principal.actor, community_id=community_id, new=call.body.new)
        return OutageMade(id=made)

    return await call.once(work, OutageMade)


async def bind(call: Call[OutageTickets, None]) -> OutageBound:
    """POST /admin/v1/ticket-outages/{outage_id}/tickets."""

    async def work(tx: Tx) -> OutageBound:
        count = await outages.bind(
            tx, _desk(call.principal), outage_id=call.ids["outage_id"], ticket_ids=call.body.ticket_ids
        )
        return OutageBound(count=count)

    return await call.once(work, OutageBound)


async def tell(call: Call[OutageNoteBody, None]) -> Nothing:
    """POST /admin/v1/ticket-outages/{outage_id}/progress."""

    async def work(tx: Tx) -> Nothing:
        body = call.body
        await outages.tell(
            tx, _desk(call.principal), outage_id=call.ids["outage_id"], words=body.words, expected_at=body.expected_at
        )
        return Nothing()

    return await call.once(work, Nothing)


async def end(call: Call[OutageEndBody, None]) -> Nothing:
    """POST /admin/v1/ticket-outages/{outage_id}/end."""

    async def work(tx: Tx) -> Nothing:
        await outages.end(tx, _desk(call.principal), outage_id=call.ids["outage_id"], words=call.body.words)
        return Nothing()

    return await call.transact(work)


async def suggest(call: Call[None, None]) -> Suggestions:
    """GET /admin/v1/tickets/{ticket_id}/suggestions."""
    db = call.res.db
    ticket = await reads.one(db, call.ids["ticket_id"], communities=call.principal.communities(DESK))
    rows = await similar.of_ticket(db, ticket)
    found = await clocks.of_tickets(db, [row["id"] for row in rows])
    now = call.res.clock.now()
    return Suggestions(
        duplicates=[TicketView.of(row, found, now=now) for row in rows],
        outages=[OutageView.of(row) for row in await outages.for_ticket(db, ticket["id"])],
    )


def _desk(principal: Principal) -> Who:
    return Who(principal.actor, Role.DESK, principal.communities(DESK))


_ALL, _ONE = "/admin/v1/ticket-outages", "/admin/v1/ticket-outages/{outage_id}"
_REFUSED = (NotFound, Conflict, Invalid)

ROUTES = (
    Route("GET", _ALL, list_outages, READ, "停复公告列表", query=OutageQuery, answer=OutageList),
    Route(
        "POST", "/admin/v1/communities/{community_id}/ticket-outages", begin, DESK, "发布停复公告", body=OutageBody,
        answer=OutageMade, status=201, creates=True, errors=_REFUSED,
    ),
    Route(
        "POST", f"{_ONE}/tickets", bind, DESK, "把工单挂靠到公告", body=OutageTickets, answer=OutageBound,
        creates=True, errors=_REFUSED,
    ),
    Route(
        "POST", f"{_ONE}/progress", tell, DESK, "向所有报修人通报公告进展", body=OutageNoteBody, answer=Nothing,
        creates=True, errors=_REFUSED,
    ),
    Route(
        "POST", f"{_ONE}/end", end, DESK, "结束公告，挂靠的工单随之完工", body=OutageEndBody, answer=Nothing,
        errors=_REFUSED,
    ),
    Route(
        "GET", "/admin/v1/tickets/{ticket_id}/suggestions", suggest, DESK, "疑似重复的工单和相关公告",
        answer=Suggestions, errors=(NotFound,),
    ),
)  # fmt: skip
