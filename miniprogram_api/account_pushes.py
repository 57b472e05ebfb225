"""What a push causes, in one transaction with the note that it was taken (R10, D11, I-16).

A copy causes nothing and is answered as the first one was. Events for which somebody has a handler go into the outbox
as `wechat.<event>`; those that nobody needs are noted as ignored.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from backend.identity import account_codes, followers, principals
from backend.identity.account_codes import SCENE
from backend.kernel import outbox
from backend.kernel.auth import Principal
from backend.kernel.db import Tx
from backend.kernel.errors import NotFound, TooMany
from backend.kernel.resources import Resources
from backend.messaging import intents
from backend.messaging.intents import Recipient
from backend.messaging.meanings import ACCOUNT_ANSWER
from backend.tickets.complaints import consulting
from backend.wechat import auto_replies, push_log
from backend.wechat.apps import AppKind
from backend.wechat.auto_replies import ReplyKind
from backend.wechat.push_log import Outcome
from backend.wechat.push_reading import TEXT, Message
from backend.wechat.push_settings import Account
from backend.wechat.pushes import EVENT, Push
from miniprogram_api import account_words as words

SUBSCRIBE = "wechat.subscribe"
QR_SCENE = "qrscene_"
MAX_TEXTS, TEXTS_IN = 10, timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Taken:
    """A push that is new, and what it is handled with."""

    res: Resources
    account: Account
    message: Message


class Reaction(NamedTuple):
    """What came of a push."""

    outcome: Outcome
    reply: str | None = None


HANDLED, IGNORED = Reaction(Outcome.HANDLED), Reaction(Outcome.IGNORED)


async def take(
    res: Resources,
    account: Account,
    message: Message,
    *,
    is_wanted: Callable[[str], bool],
    is_late: Callable[[], bool],
) -> str | None:
    """Do what the push asks for, once; the text to answer, None for nothing to say.

    `is_wanted` says whether an event of the outbox has a handler, `is_late` whether nobody waits for the answer any
    more: a bound person then finds it in the inbox.
    """
    taken = Taken(res, account, message)

    async def work(tx: Tx) -> str | None:
        copy = await push_log.take(tx, res.keyring, message, company_id=account.company_id)
        if copy is not None:
            return copy.reply
        outcome, reply = await _react(tx, taken)
        if message.event and is_wanted(EVENT + message.event):
            outbox.emit(tx, EVENT + message.event, message.push().payload())
            outcome = Outcome.HANDLED if outcome is Outcome.IGNORED else outcome
        await push_log.settle(tx, message, outcome, reply)
        if reply is not None and is_late():
            await _leave_in_inbox(tx, taken, reply)
        return reply

    return await res.db.transact(work)


async def _react(tx: Tx, taken: Taken) -> Reaction:
    """What an official account does by itself; a mini-program only passes on what it is told."""
    if taken.account.kind is not AppKind.OFFICIAL:
        return IGNORED
    if taken.message.event:
        reaction = REACTIONS.get(taken.message.event)
        return IGNORED if reaction is None else await reaction(tx, taken)
    if taken.message.kind != TEXT:
        return Reaction(Outcome.REPLIED, words.ONLY_TEXT)
    return await _wrote(tx, taken)


async def _followed(tx: Tx, taken: Taken) -> Reaction:
    """A follower, new or again; the code through which somebody came binds at once (pitfalls E18: with a prefix)."""
    message = taken.message
    known = await followers.follow(tx, appid=message.appid, openid=message.openid, at=message.at)
    if known is None:
        return IGNORED
    scene = message.event_key.removeprefix(QR_SCENE)
    if scene.startswith(SCENE):
        return await _bind(tx, taken, scene)
    greeting = await auto_replies.for_key(tx, message.appid, ReplyKind.FOLLOW, None)
    return Reaction(Outcome.REPLIED, greeting or words.GREETING)


async def _unfollowed(tx: Tx, taken: Taken) -> Reaction:
    message = taken.message
    if not await followers.unfollow(tx, appid=message.appid, openid=message.openid, at=message.at):
        return IGNORED
    await push_log.forget_sender(tx, taken.res.keyring, message)
    return HANDLED


async def _scanned(tx: Tx, taken: Taken) -> Reaction:
    """A follower scans a code: the scene comes without the prefix (pitfalls E18)."""
    message = taken.message
    if not message.event_key.startswith(SCENE):
        return IGNORED
    await followers.follow(tx, appid=message.appid, openid=message.openid, at=message.at)
    return await _bind(tx, taken, message.event_key)


async def _bind(tx: Tx, taken: Taken, scene: str) -> Reaction:
    message = taken.message
    binding = await account_codes.bind(tx, appid=message.appid, openid=message.openid, scene=scene)
    return Reaction(Outcome.REPLIED, words.OF_BINDING[binding])


async def _clicked(tx: Tx, taken: Taken) -> Reaction:
    message = taken.message
    reply = await auto_replies.for_key(tx, message.appid, ReplyKind.CLICK, message.event_key)
    return Reaction(Outcome.REPLIED, reply or words.NO_SUCH_KEY)


async def _wrote(tx: Tx, taken: Taken) -> Reaction:
    """A text: a keyword's reply, else a consultation of who is bound; a flood is only counted."""
    message, keyring = taken.message, taken.res.keyring
    count = await push_log.count_of_kind(tx, keyring, message, since=tx.now - TEXTS_IN)
    if count > MAX_TEXTS:
        return Reaction(Outcome.LIMITED, words.TOO_FAST)
    reply = await auto_replies.for_text(tx, message.appid, message.text)
    if reply is not None:
        return Reaction(Outcome.REPLIED, reply)
    known = await followers.one(tx, appid=message.appid, openid=message.openid)
    if known is None:
        # Somebody who has followed since before we were told of followers.
        await followers.follow(tx, appid=message.appid, openid=message.openid, at=message.at)
        push = Push(message.appid, message.openid, SUBSCRIBE.removeprefix(EVENT), message.at, {})
        outbox.emit(tx, SUBSCRIBE, push.payload())
    if known is None or known.person_id is None:
        return Reaction(Outcome.REPLIED, words.HOW_TO_BIND)
    return Reaction(Outcome.REPLIED, await _consult(tx, taken))


async def _consult(tx: Tx, taken: Taken) -> str:
    who = await _writer(tx, taken)
    if who is None or not who.ties:
        return words.NO_HOUSE
    if not taken.message.text:
        return words.NOTHING_SAID
    try:
        async with tx.savepoint():
            consulted = await consulting.consult(tx, who, tie=who.ties[0], words=taken.message.text)
    except (NotFound, TooMany) as refused:
        return refused.message
    return (words.CONSULTED if consulted.is_new else words.ADDED).format(no=consulted.no)


async def _leave_in_inbox(tx: Tx, taken: Taken, reply: str) -> None:
    who = await _writer(tx, taken)
    if who is not None and who.ties:
        await intents.plan(
            tx, ACCOUNT_ANSWER, event_key=f"wechat_push:{taken.message.key.hex()}",
            community_id=who.ties[0].community_id, recipients=[Recipient(who.person_id, {"answer": reply})],
        )  # fmt: skip


async def _writer(tx: Tx, taken: Taken) -> Principal | None:
    """The resident behind a message, where that is known."""
    known = await followers.one(tx, appid=taken.message.appid, openid=taken.message.openid)
    if known is None or known.person_id is None:
        return None
    return await principals.of_person(tx, known.person_id, company_id=taken.account.company_id, on=tx.today)


REACTIONS: Mapping[str, Callable[[Tx, Taken], Awaitable[Reaction]]] = {
    "subscribe": _followed,
    "unsubscribe": _unfollowed,
    "scan": _scanned,
    "click": _clicked,
}
