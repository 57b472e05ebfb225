"""Staff routes of content checks (内容安全检查): the company's switch, what was found, what staff decide (R6, R7)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.http import Call, Nothing, Page, Route, Strict, decode_cursor, encode_cursor, example
from backend.media import attachments
from backend.media.schemas import MediaView
from backend.tickets import machine
from backend.tickets.schemas import ID, Words
from backend.tickets.screening import results, switch
from backend.tickets.screening.checking import SAID
from backend.tickets.screening.states import CheckKind, CheckState

READ, DECIDE, SET = "ticket.read", "ticket.dispatch", "ticket.settings"

# Index ticket_check_open.
OPEN = f"""
    SELECT k.id, k.ticket_id, t.no, k.community_id, k.event_id, k.kind, k.media_id, k.state, k.label, k.ended_at,
           CASE k.kind WHEN 'words' THEN {SAID} END AS words
      FROM ticket_check k JOIN ticket t ON t.id = k.ticket_id JOIN ticket_event e ON e.id = k.event_id
     WHERE k.community_id = ANY ($1::uuid[]) AND k.state IN ('REVIEW', 'RISKY') AND ($2::uuid IS NULL OR k.id < $2)
     ORDER BY k.id DESC
     LIMIT $3
"""  # noqa: S608 - constants

_FOUND = {
    "id": ID, "ticket_id": ID, "no": 1024, "community_id": ID, "kind": "words", "state": "RISKY", "label": 10001,
    "found_at": "2026-09-01T02:00:00Z", "words": "加微信领红包", "picture": None,
}  # fmt: skip


class ScreeningBody(Strict):
    """Whether WeChat checks what residents write and send; it needs the mini-program's content security interface."""

    model_config = example(enabled=True)
    enabled: bool


class FoundView(Strict):
    """Words or a picture that somebody is to look at. RISKY is hidden from residents, REVIEW is shown.

    `label`: WeChat's reason: 10001 advertising, 20001 politics, 20002 porn, 20003 abuse, 20006 crime, 20008 fraud,
    20012 vulgar, 20013 copyright, 21000 other.
    """

    model_config = example(**_FOUND)
    id: UUID
    ticket_id: UUID
    no: int
    community_id: UUID
    kind: Annotated[CheckKind, Field(strict=False)]
    state: Annotated[CheckState, Field(strict=False)]
    label: int | None
    found_at: datetime
    words: str | None
    picture: MediaView | None


class FoundList(Strict):
    model_config = example(items=[_FOUND], next_cursor=None)
    items: list[FoundView]
    next_cursor: str | None


class DecisionBody(Strict):
    """Show it to residents from now on, or hide it."""

    model_config = example(shown=True, reason="只是描述漏水，没有问题")
    shown: bool
    reason: Words


async def show_switch(call: Call[None, None]) -> ScreeningBody:
    """GET /admin/v1/ticket-screening."""
    assert call.principal.company_id is not None
    return ScreeningBody(enabled=await switch.of_company(call.res.db, call.principal.company_id))


async def turn(call: Call[ScreeningBody, None]) -> ScreeningBody:
    """PUT /admin/v1/ticket-screening."""
    company_id = call.principal.require_company(SET)

    async def work(tx: Tx) -> ScreeningBody:
        await switch.turn(tx, call.principal.actor, company_id=company_id, enabled=call.body.enabled)
        return call.body

    return await call.transact(work)


async def list_found(call: Call[None, Page]) -> FoundList:
    """GET /admin/v1/ticket-checks."""
    query = call.query
    before = decode_cursor(query.cursor, (UUID,))[0] if query.cursor else None
    rows = await call.res.db.fetch(OPEN, list(call.principal.communities(READ)), before, query.limit)
    pictures = await _pictures(call, rows)
    return FoundList(
        items=[_view(row, pictures) for row in rows],
        next_cursor=encode_cursor(rows[-1]["id"]) if len(rows) == query.limit else None,
    )


async def decide(call: Call[DecisionBody, None]) -> Nothing:
    """POST /admin/v1/ticket-checks/{check_id}/decision."""

    async def work(tx: Tx) -> Nothing:
        await results.decide(
            tx, call.principal.actor, check_id=call.ids["check_id"], communities=call.principal.communities(DECIDE),
            shown=call.body.shown, reason=call.body.reason,
        )  # fmt: skip
        return Nothing()

    return await call.transact(work)


async def _pictures(call: Call[None, Page], rows: Sequence[Record]) -> dict[UUID, MediaView]:
    keys = [str(row["event_id"]) for row in rows if row["media_id"] is not None]
    found = await attachments.of(call.res.db, machine.MEDIA, keys) if keys else {}
    return {file.id: attachments.view(call.res, file) for files in found.values() for file in files}


def _view(row: Record, pictures: dict[UUID, MediaView]) -> FoundView:
    return FoundView(
        id=row["id"], ticket_id=row["ticket_id"], no=row["no"], community_id=row["community_id"], kind=row["kind"],
        state=row["state"], label=row["label"], found_at=row["ended_at"],
        words=row["words"],
        picture=pictures.get(row["media_id"]) if row["media_id"] is not None else None,
    )  # fmt: skip


_SWITCH = "/admin/v1/ticket-screening"

ROUTES = (
    Route("GET", _SWITCH, show_switch, READ, "住户内容的微信安全检查是否打开", answer=ScreeningBody),
    Route(
        "PUT", _SWITCH, turn, SET, "打开或关闭住户内容的微信安全检查", body=ScreeningBody, answer=ScreeningBody,
        errors=(NotFound,),
    ),
    Route(
        "GET", "/admin/v1/ticket-checks", list_found, READ, "内容检查发现、等待核实的文字和照片", query=Page,
        answer=FoundList,
    ),
    Route(
        "POST", "/admin/v1/ticket-checks/{check_id}/decision", decide, DECIDE, "核实后显示或隐藏一条内容",
        body=DecisionBody, answer=Nothing, errors=(NotFound, Conflict),
    ),
)  # fmt: skip
