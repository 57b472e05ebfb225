"""Staff routes of messaging: refused messages, parked jobs, quiet hours, figures; templates (D11, I-16)."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from backend.kernel import parked as parked_rows
from backend.kernel.db import Tx
from backend.kernel.errors import Invalid, NotFound
from backend.kernel.http import Call, Page, Route, decode_cursor, encode_cursor
from backend.messaging import figures, parked, quiet_hours, template_admin
from backend.messaging.schemas import (
    FiguresAnswer,
    FiguresQuery,
    ParkedMessageAnswer,
    ParkedMessagesAnswer,
    ParkedRowAnswer,
    ParkedRowsAnswer,
    QuietHoursAnswer,
    QuietHoursBody,
    RetriedAnswer,
    RetryBody,
)

SETTINGS, MESSAGES, RETRY, JOBS, JOBS_RETRY = (
    "message_settings.manage",
    "message.read",
    "message.retry",
    "outbox.read",
    "outbox.retry",
)
LONGEST = timedelta(days=366)


async def list_parked_messages(call: Call[None, Page]) -> ParkedMessagesAnswer:
    """Messages that WeChat refused for content or configuration."""
    after = None if call.query.cursor is None else decode_cursor(call.query.cursor, (UUID,))[0]
    communities, limit = call.principal.communities(MESSAGES), call.query.limit
    found = await parked.messages(call.res.db, communities, after=after, limit=limit)
    return ParkedMessagesAnswer(
        items=[ParkedMessageAnswer.of(message) for message in found],
        next_cursor=encode_cursor(found[-1].id) if len(found) == limit else None,
    )


async def retry_messages(call: Call[RetryBody, None]) -> RetriedAnswer:
    """Send them again, after the template was put right."""
    community_id = call.ids["community_id"]
    call.principal.require_community(RETRY, community_id)

    async def work(tx: Tx) -> RetriedAnswer:
        count = await parked.retry(tx, call.principal.actor, community_id=community_id, message_id=call.body.message_id)
        return RetriedAnswer(count=count)

    return await call.transact(work)


async def list_parked_rows(call: Call[None, Page]) -> ParkedRowsAnswer:
    """Jobs that were put aside."""
    after = 0 if call.query.cursor is None else decode_cursor(call.query.cursor, (int,))[0]
    found = await parked_rows.rows(
        call.res.db,
        call.principal.communities(JOBS),
        company_wide=_is_company_wide(call, JOBS),
        after=after,
        limit=call.query.limit,
    )
    return ParkedRowsAnswer(
        items=[ParkedRowAnswer.of(row) for row in found],
        next_cursor=encode_cursor(found[-1].id) if len(found) == call.query.limit else None,
    )


async def retry_row(call: Call[None, None]) -> RetriedAnswer:
    """Let one run again."""
    try:
        number = int(call.path["number"])
    except ValueError:
        raise NotFound from None
    if not 0 < number < 1 << 63:
        raise NotFound

    async def work(tx: Tx) -> RetriedAnswer:
        await parked_rows.retry(
            tx,
            call.principal.actor,
            number=number,
            communities=call.principal.communities(JOBS_RETRY),
            company_wide=_is_company_wide(call, JOBS_RETRY),
        )
        return RetriedAnswer(count=1)

    return await call.transact(work)


async def show_figures(call: Call[None, FiguresQuery]) -> FiguresAnswer:
    """What became of the messages of a community."""
    community_id, query = call.ids["community_id"], call.query
    call.principal.require_community(MESSAGES, community_id)
    if not query.from_on <= query.to_on <= query.from_on + LONGEST:
        raise Invalid("请选择不超过一年的日期范围，开始日期不能晚于结束日期。")
    return FiguresAnswer.of(
        await figures.of_community(call.res.db, community_id, from_on=query.from_on, to_on=query.to_on)
    )


async def show_quiet_hours(call: Call[None, None]) -> QuietHoursAnswer:
    """What the company has set."""
    return QuietHoursAnswer.of(await quiet_hours.of_company(call.res.db, call.principal.require_company(SETTINGS)))


async def save_quiet_hours(call: Call[QuietHoursBody, None]) -> QuietHoursAnswer:
    """Set those of the company or of one community, or go back to what holds above."""
    company_id, body = call.principal.require_company(SETTINGS), call.body

    async def work(tx: Tx) -> QuietHoursAnswer:
        await quiet_hours.save(
            tx,
            call.principal.actor,
            company_id=company_id,
            community_id=body.community_id,
            hours=body.hours.hours() if body.hours else None,
        )
        return QuietHoursAnswer.of(await quiet_hours.of_company(tx, company_id))

    return await call.transact(work)


def _is_company_wide(call: Call[Any, Any], permission: str) -> bool:
    return call.principal.company_id in call.principal.communities(permission)


ROUTES: tuple[Route, ...] = (
    *template_admin.ROUTES,
    Route(
        method="GET",
        path="/admin/v1/messages/parked",
        handler=list_parked_messages,
        permission=MESSAGES,
        summary="被微信拒绝、等待处理的消息",
        query=Page,
        answer=ParkedMessagesAnswer,
    ),
    Route(
        method="POST",
        path="/admin/v1/communities/{community_id}/messages/retry",
        handler=retry_messages,
        permission=RETRY,
        summary="重新发送被微信拒绝的消息",
        body=RetryBody,
        answer=RetriedAnswer,
        errors=(NotFound,),
    ),
    Route(
        method="GET",
        path="/admin/v1/communities/{community_id}/message-figures",
        handler=show_figures,
        permission=MESSAGES,
        summary="各种消息的发送和送达条数",
        query=FiguresQuery,
        answer=FiguresAnswer,
        errors=(NotFound, Invalid),
    ),
    Route(
        method="GET",
        path="/admin/v1/quiet-hours",
        handler=show_quiet_hours,
        permission=SETTINGS,
        summary="消息的免打扰时段",
        answer=QuietHoursAnswer,
        errors=(NotFound,),
    ),
    Route(
        method="PUT",
        path="/admin/v1/quiet-hours",
        handler=save_quiet_hours,
        permission=SETTINGS,
        summary="设置公司或小区的免打扰时段",
        body=QuietHoursBody,
        answer=QuietHoursAnswer,
        errors=(NotFound,),
    ),
    Route(
        method="GET",
        path="/admin/v1/outbox/parked",
        handler=list_parked_rows,
        permission=JOBS,
        summary="等待人工处理的后台任务",
        query=Page,
        answer=ParkedRowsAnswer,
    ),
    Route(
        method="POST",
        path="/admin/v1/outbox/{number}/retry",
        handler=retry_row,
        permission=JOBS_RETRY,
        summary="让一个后台任务重新执行",
        answer=RetriedAnswer,
        errors=(NotFound,),
    ),
)
