"""Staff routes of complaints: typing in, lists, the moves of an answer, looks, figures (D9, R7, S7)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from backend.identity import people
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from backend.kernel.http import Call, Handler, Route, Strict, decode_cursor, encode_cursor
from backend.tickets import machine
from backend.tickets import reads as ticket_reads
from backend.tickets.complaints import anonymity, figures, intake, reads, setting_admin
from backend.tickets.complaints.reads import Filter
from backend.tickets.complaints.schemas import (
    AnswerBody,
    CallDue,
    CallerAnswer,
    CallsDue,
    CauseNoteBody,
    ClassifyBody,
    ComplaintList,
    ComplaintQuery,
    ComplaintView,
    FiguresAnswer,
    FiguresQuery,
    FiguresRow,
    ReplyBody,
    ReporterAnswer,
    TakeBody,
    TextBody,
)
from backend.tickets.moves import Move
from backend.tickets.schemas import MovedAnswer, ProposedAnswer, ReasonBody, SubmittedAnswer
from backend.tickets.states import Role
from backend.tickets.step import Asked, Who

READ, DESK, WORK, REVEAL = "ticket.read", "ticket.dispatch", "ticket.work", "ticket.reveal"
CAPACITY = {DESK: Role.DESK, WORK: Role.WORKER}


async def take(call: Call[TakeBody, None]) -> SubmittedAnswer:
    """POST /admin/v1/complaints."""
    body, who = call.body, call.principal
    who.require_community(DESK, body.community_id)

    async def work(tx: Tx) -> SubmittedAnswer:
        made = await intake.take(tx, who.actor, call.res.keyring, new=body.new, channel=body.channel)
        return SubmittedAnswer(id=made.ticket_id, no=made.no)

    return await call.once(work, SubmittedAnswer)


async def list_complaints(call: Call[None, ComplaintQuery]) -> ComplaintList:
    """GET /admin/v1/complaints."""
    query, phone = call.query, call.query.caller_phone
    only = Filter(
        query.kind, query.nature, query.urgency, call.res.clock.now() if query.late else None,
        None if phone is None else people.blind_phone(call.res.keyring, people.phone_of(phone)),
    )  # fmt: skip
    before = decode_cursor(query.cursor, (datetime, UUID)) if query.cursor else None
    rows = await reads.list_in(
        call.res.db, call.principal.communities(READ), only=only, before=before, limit=query.limit + 1
    )  # fmt: skip
    shown = rows[: query.limit]
    last = shown[-1] if len(rows) > query.limit else None
    return ComplaintList(
        items=[ComplaintView.of(row) for row in shown],
        next_cursor=None if last is None else encode_cursor(last["submitted_at"].isoformat(), last["id"]),
    )


async def show_complaint(call: Call[None, None]) -> ComplaintView:
    """GET /admin/v1/tickets/{ticket_id}/complaint."""
    db, communities = call.res.db, call.principal.communities(READ)
    ticket = await ticket_reads.one(db, call.ids["ticket_id"], communities=communities)
    row = await reads.of_ticket(db, ticket["id"])
    if row is None:
        raise NotFound
    return ComplaintView.of(row)


async def list_calls(call: Call[None, None]) -> CallsDue:
    """GET /admin/v1/ticket-follow-ups."""
    rows = await reads.calls_due(call.res.db, call.principal.communities(DESK))
    return CallsDue(items=[CallDue.of(row) for row in rows])


async def show_figures(call: Call[None, FiguresQuery]) -> FiguresAnswer:
    """GET /admin/v1/complaint-figures."""
    query, communities = call.query, call.principal.communities(READ)
    if query.community_id is not None:
        call.principal.require_community(READ, query.community_id)
        communities = (query.community_id,)
    rows = await figures.of_days(
        call.res.db, communities, first_on=query.first_on, last_on=query.last_on, now=call.res.clock.now()
    )  # fmt: skip
    return FiguresAnswer(items=[FiguresRow.of(row) for row in rows])


async def reveal_caller(call: Call[ReasonBody, None]) -> CallerAnswer:
    """POST /admin/v1/tickets/{ticket_id}/caller."""
    who = call.principal

    async def work(tx: Tx) -> CallerAnswer:
        found = await intake.caller_of(
            tx, who.actor, call.res.keyring, ticket_id=call.ids["ticket_id"], communities=who.communities(DESK),
            reason=call.body.reason,
        )  # fmt: skip
        return CallerAnswer(name=found.name, phone=found.phone)

    return await call.transact(work)


async def ask_to_look(call: Call[ReasonBody, None]) -> ProposedAnswer:
    """POST /admin/v1/tickets/{ticket_id}/look."""
    who = call.principal

    async def work(tx: Tx) -> ProposedAnswer:
        made = await anonymity.ask(
            tx, who.actor, ticket_id=call.ids["ticket_id"], communities=who.communities(REVEAL),
            reason=call.body.reason,
        )  # fmt: skip
        return ProposedAnswer(approval_id=made.id)

    return await call.once(work, ProposedAnswer)


async def show_reporter(call: Call[None, None]) -> ReporterAnswer:
    """GET /admin/v1/tickets/{ticket_id}/reporter."""
    who = call.principal

    async def work(tx: Tx) -> ReporterAnswer:
        seen = await anonymity.look(
            tx, who.actor, call.res.keyring, ticket_id=call.ids["ticket_id"], communities=who.communities(REVEAL)
        )
        return ReporterAnswer(name=seen.name, phone=seen.phone, house=seen.house)

    return await call.transact(work)


def said(body: Any) -> Asked:
    """What a body says: the reason, and everything else as the event's details."""
    details = body.model_dump(mode="json", exclude={"reason"}, exclude_none=True)
    return Asked(reason=body.reason, details=details)


def moving(name: Move, permission: str, tell: Callable[[Any], Asked] = said) -> Handler:
    """The handler that makes a move in the capacity that the permission gives."""

    async def make(call: Call[Any, None]) -> MovedAnswer:
        who = Who(call.principal.actor, CAPACITY[permission], call.principal.communities(permission))

        async def work(tx: Tx) -> MovedAnswer:
            moved = await machine.move(tx, who, ticket_id=call.ids["ticket_id"], name=name, asked=tell(call.body))
            return MovedAnswer.of(moved.state)

        return await call.transact(work)

    return make


_COMPLAINTS, _ONE = "/admin/v1/complaints", "/admin/v1/tickets/{ticket_id}"
_MOVES: tuple[tuple[str, Move, str, str, type[Strict]], ...] = (
    ("classify", Move.CLASSIFY, DESK, "为投诉定性和定级", ClassifyBody),
    ("contact", Move.CONTACT, WORK, "登记与住户的联系", TextBody),
    ("answer", Move.ANSWER, WORK, "书面答复手上的工单", AnswerBody),
    ("desk-contact", Move.CONTACT, DESK, "客服登记与住户的联系", TextBody),
    ("desk-answer", Move.ANSWER, DESK, "客服书面答复", AnswerBody),
    ("notes", Move.NOTE, DESK, "给住户留言", TextBody),
    ("remarks", Move.REMARK, DESK, "内部备注，住户看不到", TextBody),
    ("cause", Move.NOTE_CAUSE, DESK, "登记根因", CauseNoteBody),
    ("rating-reply", Move.REPLY_RATING, DESK, "回复住户的评价", ReplyBody),
)

ROUTES = (
    Route(
        "POST", _COMPLAINTS, take, DESK, "代录入电话、意见箱的投诉、建议和咨询", body=TakeBody, answer=SubmittedAnswer,
        status=201, creates=True, errors=(NotFound, Invalid, TooMany),
    ),
    Route(
        "GET", _COMPLAINTS, list_complaints, READ, "投诉、建议、咨询和表扬列表", query=ComplaintQuery,
        answer=ComplaintList, errors=(Invalid,),
    ),
    Route("GET", f"{_ONE}/complaint", show_complaint, READ, "投诉登记和时限", answer=ComplaintView, errors=(NotFound,)),
    Route("GET", "/admin/v1/ticket-follow-ups", list_calls, DESK, "待回访的工单", answer=CallsDue),
    Route(
        "GET", "/admin/v1/complaint-figures", show_figures, READ, "投诉统计", query=FiguresQuery, answer=FiguresAnswer,
        errors=(NotFound,),
    ),
    Route(
        "POST", f"{_ONE}/caller", reveal_caller, DESK, "查看来电人的姓名和电话，须写明原因", body=ReasonBody,
        answer=CallerAnswer, errors=(NotFound,),
    ),
    Route(
        "POST", f"{_ONE}/look", ask_to_look, REVEAL, "申请查看匿名报单人，由另一人同意", body=ReasonBody,
        answer=ProposedAnswer, status=202, creates=True, errors=(NotFound, Conflict),
    ),
    Route(
        "GET", f"{_ONE}/reporter", show_reporter, REVEAL, "查看匿名报单人，同意后 24 小时内有效", answer=ReporterAnswer,
        errors=(NotFound, Forbidden),
    ),
    *(
        Route(
            "POST", f"{_ONE}/{path}", moving(name, permission), permission, summary, body=body, answer=MovedAnswer,
            errors=(NotFound, Forbidden, Conflict, Invalid),
        )
        for path, name, permission, summary, body in _MOVES
    ),
    *setting_admin.ROUTES,
)  # fmt: skip
