"""The resident's notices (公告): those of the houses in which the resident is, pinned ones first (D11, I-23)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from backend.kernel.auth import RESIDENT
from backend.kernel.db import Record, Tx
from backend.kernel.errors import BadRequest, Forbidden, NotFound
from backend.kernel.http import Call, Nothing, Page, Route, Strict, decode_cursor, encode_cursor, example
from backend.media import attachments
from backend.media.schemas import MediaView
from backend.notices import drafts, reading, words
from backend.notices.states import NoticeKind, NoticeState

LINE: dict[str, Any] = {
    "id": "01991b2a-7c00-7000-8000-000000000001", "community_id": "01991b2a-7c00-7000-8000-000000000002",
    "kind": "utility", "title": "2栋周三停水", "summary": "因更换水泵，2栋9月2日9:00至12:00停水，请提前储水。",
    "urgent": False, "pinned": True, "published_at": "2026-09-01T02:05:00Z", "attachments": 0, "read": False,
}  # fmt: skip
FLAGS = {"1": True, "0": False}


class NoticeLine(Strict):
    """A notice in the list; `attachments` says how many there are."""

    model_config = example(**LINE)
    id: UUID
    community_id: UUID
    kind: NoticeKind
    title: str
    summary: str
    urgent: bool
    pinned: bool
    published_at: datetime
    attachments: int
    read: bool


class Notices(Strict):
    """Notices, pinned ones first, then the newest; `unread` of all pages."""

    model_config = example(items=[LINE], unread=1, next_cursor=None)
    items: list[NoticeLine]
    unread: int
    next_cursor: str | None


class Notice(Strict):
    """A notice. One that is withdrawn has no body any more, but `withdrawn_why`."""

    model_config = example(
        id=LINE["id"], community_id=LINE["community_id"], kind="utility", title=LINE["title"], body=LINE["summary"],
        urgent=False, pinned=True, state="PUBLISHED", published_at=LINE["published_at"], expires_at=None,
        withdrawn_why=None, attachments=[], read_at="2026-09-01T03:00:00Z",
    )  # fmt: skip
    id: UUID
    community_id: UUID
    kind: NoticeKind
    title: str
    body: str
    urgent: bool
    pinned: bool
    state: NoticeState
    published_at: datetime
    expires_at: datetime | None
    withdrawn_why: str | None
    attachments: list[MediaView]
    read_at: datetime


async def show_notices(call: Call[Nothing, Page]) -> Notices:
    """GET /api/v1/notices."""
    scope, now, limit = call.principal.scope, call.res.clock.now(), call.query.limit
    rows = await reading.shown(call.res.db, scope, now=now, after=_place(call.query.cursor), limit=limit + 1)
    shown = rows[:limit]
    last = shown[-1] if len(rows) > limit else None
    return Notices(
        items=[_line(row) for row in shown],
        unread=await reading.unread_count(call.res.db, scope, now=now),
        next_cursor=None if last is None else _cursor(last),
    )


async def read_notice(call: Call[Nothing, Nothing]) -> Notice:
    """POST /api/v1/notices/{notice_id}/read."""

    async def work(tx: Tx) -> Notice:
        row = await reading.read(tx, call.principal.scope, notice_id=call.ids["notice_id"])
        key = str(row["id"])
        files = {file.id: file for file in (await attachments.of(tx, drafts.OWNER, [key]))[key]}
        withdrawn = row["state"] == NoticeState.WITHDRAWN
        shown = [] if withdrawn else [files[media_id] for media_id in row["media_ids"]]
        return _notice(row, attachments.links(call.res, shown), withdrawn=withdrawn)

    return await call.transact(work)


def _line(row: Record) -> NoticeLine:
    return NoticeLine(
        id=row["id"],
        community_id=row["community_id"],
        kind=NoticeKind(row["kind"]),
        title=row["title"],
        summary=words.summary(row["body"]),
        urgent=row["urgent"],
        pinned=row["pinned"],
        published_at=row["published_at"],
        attachments=row["attachments"],
        read=row["read_at"] is not None,
    )


def _notice(row: Record, files: list[MediaView], *, withdrawn: bool) -> Notice:
    return Notice(
        id=row["id"],
        community_id=row["community_id"],
        kind=NoticeKind(row["kind"]),
        title=row["title"],
        body="" if withdrawn else row["body"],
        urgent=row["urgent"],
        pinned=row["pinned"] and not withdrawn,
        state=NoticeState(row["state"]),
        published_at=row["published_at"],
        expires_at=row["expires_at"],
        withdrawn_why=row["withdrawn_why"],
        attachments=files,
        read_at=row["read_at"],
    )


def _place(cursor: str | None) -> reading.Place | None:
    if cursor is None:
        return None
    flag, at, last = decode_cursor(cursor, (str, datetime, UUID))
    if flag not in FLAGS:
        raise BadRequest("翻页参数有误，请从第一页重新开始。", code="bad_cursor")
    return FLAGS[flag], at, last


def _cursor(row: Record) -> str:
    return encode_cursor(int(row["pinned"]), row["published_at"].isoformat(), row["id"])


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/v1/notices",
        handler=show_notices,
        permission=RESIDENT,
        summary="公告列表：置顶的在前，其余最新的在前",
        query=Page,
        answer=Notices,
        errors=(Forbidden,),
    ),
    Route(
        method="POST",
        path="/api/v1/notices/{notice_id}/read",
        handler=read_notice,
        permission=RESIDENT,
        summary="阅读一条公告，首次阅读时标为已读",
        answer=Notice,
        errors=(Forbidden, NotFound),
    ),
)
