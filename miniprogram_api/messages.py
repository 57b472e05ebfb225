"""The resident's messages: the inbox, and which subscriptions to ask for (站内消息、订阅授权)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from backend.kernel.auth import RESIDENT
from backend.kernel.db import Reader, Tx
from backend.kernel.errors import Forbidden, NotFound
from backend.kernel.http import Call, Nothing, Page, Route, Strict, decode_cursor, encode_cursor, example
from backend.messaging import consents, mailbox
from backend.messaging.consents import Answer, Standing
from backend.messaging.mailbox import Letter

MESSAGE = {
    "id": "0199023c-5a00-7000-8000-000000000001",
    "title": "新账单",
    "body": "1栋1单元101的物业费（2026年9月）账单已出，共223.38元，请在2026-10-01前缴纳。",
    "page": "pages/bills/index",
    "created_at": "2026-09-01T02:00:00Z",
    "read_at": None,
}
HELD = {
    "template_id": "FpJx0pV2Y5mD1nC8",
    "meaning": "bill_issued",
    "credits": 0,
    "standing": "used",
    "ask_from": "2026-09-01T02:00:00Z",
}


class Message(Strict):
    """One message; `page` is where a tap leads in the mini-program."""

    model_config = example(**MESSAGE)

    id: UUID
    title: str
    body: str
    page: str
    created_at: datetime
    read_at: datetime | None


class Messages(Strict):
    """A page of messages, newest first."""

    model_config = example(items=[MESSAGE], unread=1, next_cursor=None)

    items: list[Message]
    unread: int
    next_cursor: str | None


class Subscription(Strict):
    """A template that is worth asking for at the next tap (`wx.requestSubscribeMessage`)."""

    model_config = example(template_id="FpJx0pV2Y5mD1nC8", meaning="bill_issued")

    template_id: str
    meaning: str


class Held(Strict):
    """How the resident stands to a template. `ask_from`: since when asking is worthwhile; null: not while it is so."""

    model_config = example(**HELD)

    template_id: str
    meaning: str
    credits: int
    standing: Standing
    ask_from: datetime | None


class Subscriptions(Strict):
    """What to ask: at most five templates, as WeChat takes them in one call. `held`: all of them, as they stand."""

    model_config = example(items=[{"template_id": "FpJx0pV2Y5mD1nC8", "meaning": "bill_issued"}], held=[HELD])

    items: list[Subscription]
    held: list[Held]


class Answers(Strict):
    """What the phone answered, by template id."""

    model_config = example(answers={"FpJx0pV2Y5mD1nC8": "accept"})

    answers: dict[str, Answer] = Field(min_length=1, max_length=consents.ASKED_AT_ONCE)


def _message(letter: Letter) -> Message:
    return Message(
        id=letter.id,
        title=letter.title,
        body=letter.body,
        page=letter.page,
        created_at=letter.created_at,
        read_at=letter.read_at,
    )


async def show_messages(call: Call[Nothing, Page]) -> Messages:
    """The resident's inbox."""
    before: tuple[Any, ...] | None = None
    if call.query.cursor is not None:
        before = decode_cursor(call.query.cursor, (datetime, UUID))
    person_id, limit = call.principal.person_id, call.query.limit
    found = await mailbox.letters(
        call.res.db, person_id, before=(before[0], before[1]) if before else None, limit=limit
    )
    last = found[-1] if len(found) == limit else None
    return Messages(
        items=[_message(letter) for letter in found],
        unread=await mailbox.unread_count(call.res.db, person_id),
        next_cursor=encode_cursor(last.created_at.isoformat(), last.id) if last else None,
    )


async def read_message(call: Call[Nothing, Nothing]) -> Message:
    """Mark one as read; repeating it changes nothing."""

    async def work(tx: Tx) -> Message:
        return _message(await mailbox.read(tx, call.principal.person_id, message_id=call.ids["message_id"]))

    return await call.transact(work)


async def show_subscriptions(call: Call[Nothing, Nothing]) -> Subscriptions:
    """What to ask at present."""
    return await _subscriptions(call, call.res.db)


async def record_answers(call: Call[Answers, Nothing]) -> Subscriptions:
    """Keep the phone's answers; unknown templates are left out."""

    async def work(tx: Tx) -> Subscriptions:
        await consents.record(
            tx, person_id=call.principal.person_id, appid=await _appid(call, tx), answers=call.body.answers
        )
        return await _subscriptions(call, tx)

    return await call.once(work, Subscriptions)


async def _subscriptions(call: Call[Any, Any], db: Reader) -> Subscriptions:
    held = await consents.of_person(db, person_id=call.principal.person_id, appid=await _appid(call, db))
    return Subscriptions(
        items=[
            Subscription(template_id=ask.template_id, meaning=ask.meaning)
            for ask in consents.worth_asking(held, call.res.clock.now())
        ],
        held=[
            Held(
                template_id=one.template_id,
                meaning=one.meaning,
                credits=one.credits,
                standing=one.standing,
                ask_from=one.ask_from,
            )
            for one in held
        ],
    )


async def _appid(call: Call[Any, Any], db: Reader) -> str:
    """The mini-program that the resident is using; only a bound account has one."""
    person_id = call.principal.person_id
    return await mailbox.appid_of(db, person_id, wechat_user_id=call.principal.wechat_user_id)


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/v1/messages",
        handler=show_messages,
        permission=RESIDENT,
        summary="站内消息，最新的在前",
        query=Page,
        answer=Messages,
        errors=(Forbidden,),
    ),
    Route(
        method="POST",
        path="/api/v1/messages/{message_id}/read",
        handler=read_message,
        permission=RESIDENT,
        summary="把一条消息标为已读",
        answer=Message,
        errors=(Forbidden, NotFound),
    ),
    Route(
        method="GET",
        path="/api/v1/subscriptions",
        handler=show_subscriptions,
        permission=RESIDENT,
        summary="现在值得请求授权的订阅消息模板",
        answer=Subscriptions,
        errors=(Forbidden,),
    ),
    Route(
        method="POST",
        path="/api/v1/subscriptions",
        handler=record_answers,
        permission=RESIDENT,
        summary="保存手机对订阅授权的回答",
        body=Answers,
        answer=Subscriptions,
        errors=(Forbidden,),
        creates=True,
    ),
)
