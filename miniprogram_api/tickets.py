"""Resident routes of tickets (报修, 投诉, 建议, 咨询): submit, follow, cancel, reopen, rate (R6, R7).

A house's tickets are its owner's and family's; a tenant has his own (D1).
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from backend.kernel.auth import RESIDENT, Principal
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Unauthenticated
from backend.kernel.http import Call, Handler, Page, Reply, Route, Strict, decode_cursor, example
from backend.kernel.ratelimit import Rule
from backend.property import rights
from backend.property.rights import Right
from backend.tickets import admin, categories, machine, reads, submitting
from backend.tickets.dispatch import outages
from backend.tickets.dispatch.outage_schemas import OutageStory
from backend.tickets.moves import Move
from backend.tickets.schemas import (
    ID,
    MediaIds,
    MovedAnswer,
    NoteBody,
    PicturedReason,
    RatingBody,
    ReasonBody,
    SubmittedAnswer,
    TicketDetail,
    TicketList,
)
from backend.tickets.states import Kind, Role
from backend.tickets.step import Asked, Sight, Who
from backend.tickets.submitting import New

SUBMIT_RATE = Rule("tickets.submit", 20, 3600)
_CHOICE = {"id": ID, "parent_id": None, "name": "水电维修", "kind": "repair_home", "paid": False, "warranty_days": 90}


class CategoryChoice(Strict):
    """A category in which a ticket may come in; one that is a `parent_id` of others heads them."""

    model_config = example(**_CHOICE)
    id: UUID
    parent_id: UUID | None
    name: str
    kind: Kind
    paid: bool
    warranty_days: int

    @classmethod
    def of(cls, row: Record) -> "CategoryChoice":
        named = {name: row[name] for name in cls.model_fields if name != "kind"}
        return cls(**named, kind=Kind(row["kind"]))


class CategoryChoices(Strict):
    model_config = example(items=[_CHOICE])
    items: list[CategoryChoice]


class OutageChoices(Strict):
    """What has failed where the house is; whoever wants to report it may find it here."""

    model_config = example(items=[])
    items: list[OutageStory]


class SubmitBody(Strict):
    """What is reported. `place`: where, for a public area, in `building_id` or outside; else where in the house."""

    model_config = example(
        category_id=ID, place=None, description="厨房水龙头漏水", urgent=False, building_id=None, media_ids=[]
    )  # fmt: skip
    category_id: UUID
    place: str | None = Field(None, min_length=1, max_length=100)
    description: str = Field(min_length=2, max_length=1000)
    urgent: bool = False
    building_id: UUID | None = None
    media_ids: MediaIds = Field(default_factory=list)


def sight(principal: Principal) -> Sight:
    """What the resident may see of tickets."""
    return Sight(principal.scope, tuple(sorted({tie.community_id for tie in principal.ties})))


def reporter(principal: Principal) -> Who:
    """The resident, as one whose ticket it is."""
    return Who(principal.actor, Role.REPORTER, sight=sight(principal))


async def list_categories(call: Call[None, None]) -> CategoryChoices:
    """GET /api/v1/houses/{house_id}/ticket-categories."""
    tie = call.principal.tie(call.ids["house_id"])
    rows = await categories.of_community(call.res.db, tie.community_id)
    return CategoryChoices(items=[CategoryChoice.of(row) for row in rows])


async def submit(call: Call[SubmitBody, None]) -> SubmittedAnswer:
    """POST /api/v1/houses/{house_id}/tickets."""
    tie, body = call.principal.tie(call.ids["house_id"]), call.body
    rights.require(tie, Right.TICKETS_OWN)
    new = New(
        tie.community_id, body.category_id, tie.house_id, body.place, body.description, body.urgent,
        tuple(body.media_ids), body.building_id,
    )  # fmt: skip

    async def work(tx: Tx) -> SubmittedAnswer:
        made = await submitting.submit(tx, call.principal.actor, new=new, person_id=call.principal.person_id)
        return SubmittedAnswer(id=made.ticket_id, no=made.no)

    return await call.once(work, SubmittedAnswer)


async def list_outages(call: Call[None, None]) -> OutageChoices:
    """GET /api/v1/houses/{house_id}/ticket-outages."""
    tie = call.principal.tie(call.ids["house_id"])
    rows = await outages.for_house(call.res.db, tie.house_id)
    return OutageChoices(items=[OutageStory.of(row, ()) for row in rows])


async def list_tickets(call: Call[None, Page]) -> Reply:
    """GET /api/v1/tickets."""
    query = call.query
    before = decode_cursor(query.cursor, (datetime, UUID)) if query.cursor else None
    rows = await reads.list_seen(call.res.db, sight(call.principal), before=before, limit=query.limit + 1)
    return await admin.page(call, rows, limit=query.limit)


async def show_ticket(call: Call[None, None]) -> TicketDetail:
    """GET /api/v1/tickets/{ticket_id}."""
    row = await reads.seen(call.res.db, call.ids["ticket_id"], sight=sight(call.principal))
    return await admin.detail(call, row, for_residents=True)


async def rate(call: Call[RatingBody, None]) -> MovedAnswer:
    """POST /api/v1/tickets/{ticket_id}/rating."""
    return await _move(call, Move.RATE, Asked(stars=call.body.given))


def moving(name: Move) -> Handler:
    """The handler that makes a move as the one whose ticket it is."""

    async def make(call: Call[Any, None]) -> MovedAnswer:
        return await _move(call, name, admin.asked(call.body))

    return make


async def _move(call: Call[Any, None], name: Move, asked: Asked) -> MovedAnswer:
    who = reporter(call.principal)

    async def work(tx: Tx) -> MovedAnswer:
        moved = await machine.move(tx, who, ticket_id=call.ids["ticket_id"], name=name, asked=asked)
        return MovedAnswer.of(moved.state)

    return await call.transact(work)


_HOUSE, _ONE = "/api/v1/houses/{house_id}", "/api/v1/tickets/{ticket_id}"
_KNOWN = (Unauthenticated, Forbidden, NotFound)
_MOVES: tuple[tuple[str, Handler, str, type[Strict]], ...] = (
    ("cancel", moving(Move.CANCEL), "取消我的工单", ReasonBody),
    ("reopen", moving(Move.REOPEN), "没有解决，重新打开", PicturedReason),
    ("urge", moving(Move.URGE), "催单", NoteBody),
    ("rating", rate, "评价", RatingBody),
)

ROUTES = (
    Route(
        "GET", f"{_HOUSE}/ticket-categories", list_categories, RESIDENT, "可以提交的工单类别", answer=CategoryChoices,
        errors=_KNOWN,
    ),
    Route(
        "GET", f"{_HOUSE}/ticket-outages", list_outages, RESIDENT, "房屋所在楼栋正在处理的停复公告",
        answer=OutageChoices, errors=_KNOWN,
    ),
    Route(
        "POST", f"{_HOUSE}/tickets", submit, RESIDENT, "提交报修、投诉、建议或咨询", body=SubmitBody,
        answer=SubmittedAnswer, status=201, creates=True, errors=(*_KNOWN, Invalid, TooMany), rate=SUBMIT_RATE,
    ),
    Route(
        "GET", "/api/v1/tickets", list_tickets, RESIDENT, "我的工单", query=Page, answer=TicketList,
        errors=(Unauthenticated, Forbidden),
    ),
    Route("GET", _ONE, show_ticket, RESIDENT, "工单详情和进度", answer=TicketDetail, errors=_KNOWN),
    *(
        Route(
            "POST", f"{_ONE}/{path}", handler, RESIDENT, summary, body=body, answer=MovedAnswer,
            errors=(*_KNOWN, Conflict, Invalid),
        )
        for path, handler, summary, body in _MOVES
    ),
)  # fmt: skip
