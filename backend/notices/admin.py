"""Staff routes of notices (公告, D11, D12): whoever writes them is not always who may send them to people's phones."""

from datetime import datetime
from uuid import UUID

from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.http import Call, Nothing, Route, decode_cursor, encode_cursor
from backend.media import attachments
from backend.messaging import reach
from backend.messaging.meanings import NOTICE
from backend.notices import audience, drafts, publishing, reads, sending, words
from backend.notices.schemas import (
    ListenerList,
    ListenerQuery,
    ListenerView,
    NoticeBody,
    NoticeLine,
    NoticeList,
    NoticeMade,
    NoticeQuery,
    NoticeView,
    PublishBody,
    ReachBody,
    ReachView,
    WithdrawBody,
)
from backend.property import communities as places

READ, WRITE, PUBLISH = "notice.read", "notice.write", "notice.publish"
COUNT_S = 20


async def list_notices(call: Call[None, NoticeQuery]) -> NoticeList:
    """GET /admin/v1/notices."""
    query = call.query
    before = decode_cursor(query.cursor, (datetime, UUID)) if query.cursor else None
    rows = await reads.list_in(
        call.res.db, call.principal.communities(READ), state=query.state,
        before=None if before is None else (before[0], before[1]), limit=query.limit + 1,
    )  # fmt: skip
    shown = rows[: query.limit]
    last = shown[-1] if len(rows) > query.limit else None
    return NoticeList(
        items=[NoticeLine.of(row) for row in shown],
        next_cursor=None if last is None else encode_cursor(last["created_at"].isoformat(), last["id"]),
    )


async def show(call: Call[None, None]) -> NoticeView:
    """GET /admin/v1/notices/{notice_id}."""
    db, notice_id = call.res.db, call.ids["notice_id"]
    row = await reads.one(db, notice_id, communities=call.principal.communities(READ))
    files = {file.id: file for file in (await attachments.of(db, drafts.OWNER, [str(notice_id)]))[str(notice_id)]}
    return NoticeView.whole(
        row,
        attachments=attachments.links(call.res, [files[media_id] for media_id in row["media_ids"]]),
        read_count=await reads.read_count(db, notice_id),
        rounds=await reads.rounds(db, notice_id),
    )


async def write(call: Call[NoticeBody, None]) -> NoticeMade:
    """POST /admin/v1/communities/{community_id}/notices."""
    community_id = call.ids["community_id"]
    call.principal.require_community(WRITE, community_id)

    async def work(tx: Tx) -> NoticeMade:
        made = await drafts.create(tx, call.principal.actor, community_id=community_id, content=call.body.content)
        return NoticeMade(id=made)

    return await call.once(work, NoticeMade)


async def change(call: Call[NoticeBody, None]) -> Nothing:
    """PUT /admin/v1/notices/{notice_id}."""

    async def work(tx: Tx) -> Nothing:
        await drafts.change(
            tx, call.principal.actor, notice_id=call.ids["notice_id"],
            communities=call.principal.communities(WRITE), content=call.body.content,
        )  # fmt: skip
        return Nothing()

    return await call.transact(work)


async def count(call: Call[ReachBody, None]) -> ReachView:
    """POST /admin/v1/communities/{community_id}/notice-reach: nothing is kept of it."""
    community_id, text = call.ids["community_id"], call.body.text
    call.principal.require_community(WRITE, community_id)

    async def work(tx: Tx) -> ReachView:
        whom = call.body.audience.audience
        await audience.require_places(tx, whom, community_id=community_id)
        [place] = await places.by_ids(tx, [community_id])
        values = words.values(text, community=place.name, at=tx.now)
        await tx.allow(statement_s=COUNT_S)
        found = await audience.look(tx, whom, community_id=community_id)
        return ReachView.of(
            await reach.count(
                tx, NOTICE, company_id=place.company_id, values=values, person_ids=found.person_ids
            ),
            await reach.shown(tx, NOTICE, company_id=place.company_id, values=values),
            houses=found.houses, title=NOTICE.title, body=NOTICE.words(values),
        )  # fmt: skip

    return await call.transact(work)


async def publish(call: Call[PublishBody, None]) -> Nothing:
    """POST /admin/v1/notices/{notice_id}/publish."""
    actor, notice_id, at = call.principal.actor, call.ids["notice_id"], call.body.publish_at
    communities = call.principal.communities(PUBLISH)

    async def work(tx: Tx) -> Nothing:
        if at is None:
            await publishing.publish(tx, actor, notice_id=notice_id, communities=communities)
        else:
            await publishing.schedule(tx, actor, notice_id=notice_id, communities=communities, at=at)
        return Nothing()

    return await call.transact(work)


async def unschedule(call: Call[None, None]) -> Nothing:
    """POST /admin/v1/notices/{notice_id}/unschedule."""

    async def work(tx: Tx) -> Nothing:
        await publishing.unschedule(
            tx, call.principal.actor, notice_id=call.ids["notice_id"], communities=call.principal.communities(PUBLISH)
        )
        return Nothing()

    return await call.transact(work)


async def withdraw(call: Call[WithdrawBody, None]) -> Nothing:
    """POST /admin/v1/notices/{notice_id}/withdraw."""

    async def work(tx: Tx) -> Nothing:
        await publishing.withdraw(
            tx, call.principal.actor, notice_id=call.ids["notice_id"],
            communities=call.principal.communities(PUBLISH), why=call.body.why,
        )  # fmt: skip
        return Nothing()

    return await call.transact(work)


async def remind(call: Call[None, None]) -> Nothing:
    """POST /admin/v1/notices/{notice_id}/reminders."""

    async def work(tx: Tx) -> Nothing:
        await sending.remind(
            tx, call.principal.actor, notice_id=call.ids["notice_id"], communities=call.principal.communities(PUBLISH)
        )
        return Nothing()

    return await call.once(work, Nothing)


async def list_audience(call: Call[None, ListenerQuery]) -> ListenerList:
    """GET /admin/v1/notices/{notice_id}/audience."""
    query, db = call.query, call.res.db
    after = decode_cursor(query.cursor, (UUID,))[0] if query.cursor else None
    row = await reads.one(db, call.ids["notice_id"], communities=call.principal.communities(READ))
    found = await reads.audience(db, call.res.keyring, row["id"], read=query.read, after=after, limit=query.limit + 1)
    shown = found[: query.limit]
    return ListenerList(
        items=[ListenerView.of(one) for one in shown],
        next_cursor=encode_cursor(shown[-1].person_id) if len(found) > query.limit else None,
    )


_ONE, _OF = "/admin/v1/notices/{notice_id}", "/admin/v1/communities/{community_id}"
_REFUSED = (NotFound, Conflict, Invalid)

ROUTES: tuple[Route, ...] = (
    Route("GET", "/admin/v1/notices", list_notices, READ, "公告列表", query=NoticeQuery, answer=NoticeList),
    Route("GET", _ONE, show, READ, "一条公告，以及发送和阅读情况", answer=NoticeView, errors=(NotFound,)),
    Route(
        "GET", f"{_ONE}/audience", list_audience, READ, "已读或未读这条公告的住户（脱敏）", query=ListenerQuery,
        answer=ListenerList, errors=(NotFound,),
    ),
    Route(
        "POST", f"{_OF}/notices", write, WRITE, "写一条公告（草稿）", body=NoticeBody, answer=NoticeMade, status=201,
        creates=True, errors=_REFUSED,
    ),
    Route("PUT", _ONE, change, WRITE, "修改公告草稿", body=NoticeBody, answer=Nothing, errors=_REFUSED),
    Route(
        "POST", f"{_OF}/notice-reach", count, WRITE, "发布前统计受众：人数、户数、送达方式和消息预览", body=ReachBody,
        answer=ReachView, errors=(NotFound, Invalid),
    ),
    Route("POST", f"{_ONE}/publish", publish, PUBLISH, "发布公告，或定时发布", body=PublishBody, answer=Nothing,
          errors=_REFUSED),
    Route("POST", f"{_ONE}/unschedule", unschedule, PUBLISH, "取消定时发布，退回草稿", answer=Nothing,
          errors=(NotFound, Conflict)),
    Route("POST", f"{_ONE}/withdraw", withdraw, PUBLISH, "撤回公告", body=WithdrawBody, answer=Nothing,
          errors=(NotFound, Conflict)),
    Route("POST", f"{_ONE}/reminders", remind, PUBLISH, "提醒未读住户，每天最多一次", answer=Nothing, creates=True,
          errors=(NotFound, Conflict)),
)  # fmt: skip
