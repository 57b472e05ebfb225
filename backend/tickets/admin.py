"""Staff routes of tickets: what there is, the desk's moves (客服), the worker's own list and moves (工程) (D9, R6, R7).

A move is safe to repeat: the second time the state refuses it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from backend.kernel.http import Call, Handler, Reply, Route, Strict, decode_cursor, document, encode_cursor
from backend.media import attachments
from backend.tickets import approvals, clocks, machine, reads, setting_admin
from backend.tickets.dispatch import duty_admin, figures_admin, job_sheet, outage_admin, outages
from backend.tickets.dispatch.outage_schemas import OutageStory
from backend.tickets.moves import ASIDE, Move
from backend.tickets.reads import Filter
from backend.tickets.schemas import (
    AssignBody,
    EventView,
    MergeBody,
    MovedAnswer,
    NoteBody,
    PauseBody,
    PicturedNote,
    PicturedReason,
    ProposedAnswer,
    RatingView,
    ReasonBody,
    TicketDetail,
    TicketList,
    TicketQuery,
    TransferBody,
    TriageBody,
    WorkList,
    ticket_values,
)
from backend.tickets.screening import admin as screening_admin
from backend.tickets.screening import hiding
from backend.tickets.states import Role
from backend.tickets.step import Asked, Who

READ, DESK, WORK = "ticket.read", "ticket.dispatch", "ticket.work"
CAPACITY = {DESK: Role.DESK, WORK: Role.WORKER}


async def list_tickets(call: Call[None, TicketQuery]) -> Reply:
    """GET /admin/v1/tickets."""
    query, db = call.query, call.res.db
    only = Filter(query.state, query.kind, query.category_id, query.house_id, query.staff_id, query.no)
    before = decode_cursor(query.cursor, (datetime, UUID)) if query.cursor else None
    rows = await reads.list_in(
        db, call.principal.communities(READ), only=only, before=before, limit=query.limit + 1
    )  # fmt: skip
    return await page(call, rows, limit=query.limit)


async def page(call: Call[Any, Any], rows: Sequence[Record], *, limit: int) -> Reply:
    """A `TicketList` with their clocks; `rows` has one more than the page where there is a next one."""
    shown = rows[:limit]
    last = shown[-1] if len(rows) > limit else None
    cursor = None if last is None else encode_cursor(last["submitted_at"].isoformat(), last["id"])
    return document({"items": await _items(call, shown), "next_cursor": cursor})


async def _items(call: Call[Any, Any], rows: Sequence[Record]) -> list[dict[str, Any]]:
    found = await clocks.of_tickets(call.res.db, [row["id"] for row in rows])
    now = call.res.clock.now()
    return [ticket_values(row, found, now=now) for row in rows]


async def show_ticket(call: Call[None, None]) -> TicketDetail:
    """GET /admin/v1/tickets/{ticket_id}."""
    row = await reads.one(call.res.db, call.ids["ticket_id"], communities=call.principal.communities(READ))
    return await detail(call, row, for_residents=False)


async def detail(call: Call[Any, Any], row: Record, *, for_residents: bool) -> TicketDetail:
    """A ticket that was found in scope, with its timeline."""
    db = call.res.db
    found = await clocks.of_tickets(db, [row["id"]])
    events = await reads.events(db, row["id"])
    files = await attachments.of(db, machine.MEDIA, [str(event["id"]) for event in events])
    leader = [] if row["merged_into"] is None else await reads.events(db, row["merged_into"])
    bound = None if row["outage_id"] is None else await outages.of_ticket(db, row["outage_id"])
    said = await reads.ratings(db, row["id"])
    masked = await hiding.of_ticket(db, row["id"]) if for_residents else hiding.NOTHING
    return TicketDetail(
        **ticket_values(row, found, now=call.res.clock.now()),
        events=[
            EventView.of(
                event, for_residents=for_residents, media=attachments.links(call.res, files[str(event["id"])]),
                masked=masked,
            )
            for event in events
            if not (for_residents and Move(event["move"]) in ASIDE)
        ],
        follows=[EventView.of_leader(event) for event in leader],
        outage=None if bound is None else OutageStory.of(*bound),
        ratings=[RatingView.of(each, masked=masked) for each in said],
    )  # fmt: skip


async def my_work(call: Call[None, None]) -> Reply:
    """GET /admin/v1/ticket-work."""
    assert call.principal.id is not None
    rows = await reads.in_hand(call.res.db, call.principal.id, communities=call.principal.communities(WORK))
    return document({"items": await _items(call, rows)})


async def to_grab(call: Call[None, None]) -> Reply:
    """GET /admin/v1/ticket-work/grabbable."""
    assert call.principal.id is not None
    rows = await reads.to_grab(call.res.db, call.principal.id, communities=call.principal.communities(WORK))
    return document({"items": await _items(call, rows)})


async def ask_for_leave(call: Call[ReasonBody, None]) -> ProposedAnswer:
    """POST /admin/v1/tickets/{ticket_id}/approval."""
    who = Who(call.principal.actor, Role.WORKER, call.principal.communities(WORK))

    async def work(tx: Tx) -> ProposedAnswer:
        made = await approvals.ask(tx, who, ticket_id=call.ids["ticket_id"], reason=call.body.reason)
        return ProposedAnswer(approval_id=made.id)

    return await call.once(work, ProposedAnswer)


def asked(body: Any) -> Asked:
    """What a body says, under the names that a move knows."""
    said: dict[str, Any] = {
        name: tuple(value) if isinstance(value := getattr(body, name), list) else value
        for name in type(body).model_fields
    }
    return Asked(**said)


def moving(name: Move, permission: str) -> Handler:
    """The handler that makes a move in the capacity that the permission gives."""

    async def make(call: Call[Any, None]) -> MovedAnswer:
        who = Who(call.principal.actor, CAPACITY[permission], call.principal.communities(permission))

        async def work(tx: Tx) -> MovedAnswer:
            moved = await machine.move(tx, who, ticket_id=call.ids["ticket_id"], name=name, asked=asked(call.body))
            return MovedAnswer.of(moved.state)

        return await call.transact(work)

    return make


_TICKETS = "/admin/v1/tickets"
_ONE = f"{_TICKETS}/{{ticket_id}}"
_MOVES: tuple[tuple[str, Move, str, str, type[Strict]], ...] = (
    ("triage", Move.TRIAGE, DESK, "受理工单，可改类别", TriageBody),
    ("reject", Move.REJECT, DESK, "驳回工单", ReasonBody),
    ("merge", Move.MERGE, DESK, "把重复的工单并入另一张", MergeBody),
    ("cancel", Move.CANCEL, DESK, "代住户取消工单", ReasonBody),
    ("assign", Move.ASSIGN, DESK, "派单", AssignBody),
    ("transfer", Move.TRANSFER, DESK, "转派给另一位处理人", TransferBody),
    ("hold", Move.PAUSE, DESK, "客服挂起工单", PauseBody),
    ("release", Move.RESUME, DESK, "客服恢复挂起的工单", NoteBody),
    ("sign-off", Move.SIGN_OFF, DESK, "代住户验收", ReasonBody),
    ("reopen", Move.REOPEN, DESK, "代住户重新打开工单", ReasonBody),
    ("follow-up", Move.FOLLOW_UP, DESK, "登记回访", ReasonBody),
    ("close", Move.CLOSE, DESK, "关闭工单", NoteBody),
    ("grab", Move.GRAB, WORK, "抢单", NoteBody),
    ("accept", Move.ACCEPT, WORK, "接单", NoteBody),
    ("return", Move.RETURN, WORK, "退单", PicturedReason),
    ("pause", Move.PAUSE, WORK, "挂起手上的工单", PauseBody),
    ("resume", Move.RESUME, WORK, "恢复手上的工单", NoteBody),
    ("arrive", Move.ARRIVE, WORK, "到场", PicturedNote),
    ("done", Move.FINISH, WORK, "完工", PicturedNote),
)

ROUTES = (
    Route("GET", _TICKETS, list_tickets, READ, "工单列表", query=TicketQuery, answer=TicketList),
    Route("GET", _ONE, show_ticket, READ, "工单详情和进度", answer=TicketDetail, errors=(NotFound,)),
    Route("GET", "/admin/v1/ticket-work", my_work, WORK, "我手上的工单", answer=WorkList),
    Route("GET", "/admin/v1/ticket-work/grabbable", to_grab, WORK, "可以抢的工单", answer=WorkList),
    Route(
        "POST", f"{_ONE}/approval", ask_for_leave, WORK, "申请施工审批", body=ReasonBody, answer=ProposedAnswer,
        status=202, creates=True, errors=(NotFound, Conflict),
    ),
    *(
        Route(
            "POST", f"{_ONE}/{path}", moving(name, permission), permission, summary, body=body, answer=MovedAnswer,
            errors=(NotFound, Forbidden, Conflict, Invalid),
        )
        for path, name, permission, summary, body in _MOVES
    ),
    *setting_admin.ROUTES,
    *duty_admin.ROUTES,
    *outage_admin.ROUTES,
    *figures_admin.ROUTES,
    *job_sheet.ROUTES,
    *screening_admin.ROUTES,
)  # fmt: skip
