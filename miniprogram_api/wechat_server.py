"""WeChat's message server (消息推送): `/wechat/{account}` of official accounts and mini-programs (R10, D11).

Promises: nothing is believed that is not signed with the account's token, and in safe mode encrypted for it; whatever
is wrong gets one and the same refusal. An answer is given within ANSWER_WITHIN_S, WeChat's own limit being 5 s: what
could not be stored by then is answered so that WeChat repeats it, but who has written a text is told so in words, and
finds the answer in the inbox once it is there.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from backend.kernel import log
from backend.kernel.auth import PUBLIC
from backend.kernel.errors import AppError, NotFound
from backend.kernel.http import Call, Reply, Route
from backend.kernel.outbox import Handler
from backend.wechat import passive_replies, push_reading, push_settings, push_wire
from backend.wechat.push_log import KEPT
from backend.wechat.push_reading import TEXT, Message
from backend.wechat.push_settings import Account, PushMode
from backend.wechat.push_wire import PushRefused
from miniprogram_api import account_pushes, account_words

ANSWER_WITHIN_S = 3.0
GIVE_UP_AFTER_S = 15.0
MOST_AT_ONCE = 200
AES = "aes"
TAKEN = Reply(body=b"success")
REFUSED = Reply(status=403, body=b"failure")
FAILED = Reply(status=503, body=b"failure")
logger = log.get_logger("wechat_server")

# Kept from being collected until it ends, also where nobody waits for the answer any more.
_at_work: set[asyncio.Task[str | None]] = set()


class PushQuery(BaseModel):
    """What stands in the address; WeChat may add to it."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    signature: str = ""
    timestamp: str = ""
    nonce: str = ""
    echostr: str = ""
    encrypt_type: str = ""
    msg_signature: str = ""


async def verify_address(call: Call[None, PushQuery]) -> Reply:
    """GET /wechat/{account}: WeChat makes sure that the address is ours."""
    query = call.query
    try:
        account = await push_settings.of(call.res).account(call.res, call.path["account"])
        push_wire.require_signed(query.signature, account.token, query.timestamp, query.nonce)
    except (NotFound, PushRefused):
        return REFUSED
    except AppError:
        return FAILED
    return Reply(body=query.echostr.encode())


def read(account: Account, query: PushQuery, raw: bytes) -> Message:
    """The message behind a push that is proven to be WeChat's, for this account; PushRefused."""
    push_wire.require_signed(query.signature, account.token, query.timestamp, query.nonce)
    found = push_reading.document(raw, account.kind)
    if query.encrypt_type == AES and account.key is not None:
        encrypted = found.get("Encrypt")
        if not isinstance(encrypted, str):
            raise PushRefused("Encrypt")
        push_wire.require_signed(query.msg_signature, account.token, query.timestamp, query.nonce, encrypted)
        plain = push_wire.opened(account.key, account.appid, encrypted)
        found = push_reading.document(plain, account.kind)
    elif account.mode is PushMode.SAFE or query.encrypt_type == AES:
        raise PushRefused("mode")
    message = push_reading.read(account.appid, found)
    if message.original_id != account.original_id:
        raise PushRefused("ToUserName")
    return message


def routes(handlers: Callable[[], Mapping[str, Handler]]) -> tuple[Route, ...]:
    """The server's routes; `handlers` gives all jobs of the system, of which events are told that have one."""

    async def take_push(call: Call[None, PushQuery]) -> Reply:
        """POST /wechat/{account}."""
        begun_s = time.monotonic()
        try:
            account = await push_settings.of(call.res).account(call.res, call.path["account"])
            message = read(account, call.query, call.raw)
            if call.res.clock.now() - message.at > KEPT:
                raise PushRefused("too old to know whether it is a copy")
        except PushRefused as refused:
            logger.warning("push_refused", reason=refused.reason, account=call.path["account"])
            return REFUSED
        except NotFound:
            return REFUSED
        except AppError as error:
            logger.error("push_failed", error=repr(error))
            return FAILED
        return await _answer(call, account, message, handlers(), begun_s)

    server, name = "/wechat/{account}", "微信消息推送"
    return (
        Route("GET", server, verify_address, PUBLIC, f"{name}：验证服务器地址", query=PushQuery, raw=True),
        Route("POST", server, take_push, PUBLIC, f"{name}：接收消息和事件", query=PushQuery, raw=True),
    )


async def _answer(
    call: Call[None, PushQuery],
    account: Account,
    message: Message,
    handlers: Mapping[str, Handler],
    begun_s: float,
) -> Reply:
    async def work() -> str | None:
        async with asyncio.timeout(GIVE_UP_AFTER_S):
            return await account_pushes.take(
                call.res, account, message, is_wanted=handlers.__contains__,
                is_late=lambda: time.monotonic() - begun_s > ANSWER_WITHIN_S,
            )  # fmt: skip

    if len(_at_work) < MOST_AT_ONCE:
        task = asyncio.create_task(work())
        _at_work.add(task)
        task.add_done_callback(_ended)
        await asyncio.wait({task}, timeout=begun_s + ANSWER_WITHIN_S - time.monotonic())
        if task.done() and not isinstance(task.exception(), AppError | TimeoutError):
            text = task.result()
            return TAKEN if text is None else _said(call, account, message, text)
    logger.error("push_not_stored", kind=message.event or message.kind)
    return _said(call, account, message, account_words.BUSY) if message.kind == TEXT else FAILED


def _ended(task: asyncio.Task[Any]) -> None:
    _at_work.discard(task)
    if not task.cancelled() and task.exception() is not None:
        logger.error("push_failed", error=log.redact_text(repr(task.exception())))


def _said(call: Call[None, PushQuery], account: Account, message: Message, text: str) -> Reply:
    """A passive reply, encrypted where the push was."""
    now, nonce = call.res.clock.now(), call.query.nonce
    reply = passive_replies.text_reply(message, text, at=now)
    if call.query.encrypt_type == AES and account.key is not None:
        reply = passive_replies.enveloped(
            reply, token=account.token, key=account.key, appid=account.appid, nonce=nonce, at=now
        )
    return Reply(body=reply.encode(), content_type=passive_replies.XML)
