"""What became of messages that WeChat had accepted (送达结果): its later word, kept with the intent (pitfalls E8).

The event may come before our own answer is stored, and is then looked at again; a message number that is still not
ours after the last look belongs to another system that shares the account. Blocked means that this person is written
to through that account no more, until a sign of life (following again) clears it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from backend.identity import reach
from backend.kernel.db import Tx
from backend.kernel.outbox import Handler, Job, Retry
from backend.messaging import push_lists
from backend.wechat.pushes import Push

# Long enough for the answer of a call that hung, and for its repetition with the same key.
LOOK_AGAIN_S = (2, 20, 120, 660)

# Uses message_intent_msgid. The first word stands: WeChat repeats its pushes.
TOLD = """
    WITH told AS (
        SELECT * FROM unnest($3::text[], $4::text[]) AS g (msgid, delivery)
    ), found AS (
        SELECT i.id, told.delivery, told.msgid
          FROM told JOIN message_intent i ON i.msgid = told.msgid AND i.appid = $1 AND i.openid = $2
    ), kept AS (
        UPDATE message_intent i
           SET delivery = found.delivery, delivery_at = $5
          FROM found
         WHERE i.id = found.id AND i.delivery IS NULL
    )
    SELECT msgid FROM found
"""


class Delivery(StrEnum):
    """WeChat's word about an accepted message."""

    DELIVERED = "DELIVERED"
    BLOCKED = "BLOCKED"
    FAILED = "FAILED"


def read_status(status: str) -> Delivery:
    """A result in WeChat's words: `success`, `failed:user block`, `failed: system failed`, whatever the blanks."""
    words = status.lower().replace(":", " ").split()
    if words == ["success"]:
        return Delivery.DELIVERED
    return Delivery.BLOCKED if "block" in words else Delivery.FAILED


async def on_template_finished(job: Job) -> None:
    """The official account tells of one template message (official account section 1.3)."""
    push = Push.of(job.event, job.payload)
    await _tell(job, push, {str(push.fields.get("MsgID", "")): read_status(str(push.fields.get("Status", "")))})


async def on_subscription_sent(job: Job) -> None:
    """The mini-program tells of one subscription message or of several (mini-program section 4.3)."""
    push = Push.of(job.event, job.payload)
    items = push_lists.items(push, "SubscribeMsgSentEvent")
    await _tell(job, push, {str(item.get("MsgID", "")): _of_item(item) for item in items})


def _of_item(item: Mapping[str, Any]) -> Delivery:
    if str(item.get("ErrorCode", "")) == "0":
        return Delivery.DELIVERED
    status = read_status(str(item.get("ErrorStatus", "")))
    return Delivery.FAILED if status is Delivery.DELIVERED else status


async def _tell(job: Job, push: Push, told: Mapping[str, Delivery]) -> None:
    """Keep what is told; what we have no such message of is looked for again later."""

    async def work(tx: Tx) -> set[str]:
        if Delivery.BLOCKED in told.values() and job.failures == 0:
            await reach.mark_unreachable(tx, appid=push.appid, openids=[push.openid])
        rows = await tx.fetch(TOLD, push.appid, push.openid, list(told), list(told.values()), push.at)
        found = {row["msgid"] for row in rows}
        if found == set(told) or job.failures >= len(LOOK_AGAIN_S):
            await job.finish(tx)
        return found

    found = await job.res.db.transact(work)
    if found != set(told) and job.failures < len(LOOK_AGAIN_S):
        raise Retry("no message of this number is stored yet", after_s=LOOK_AGAIN_S[job.failures])
    job.done = True


HANDLERS: Mapping[str, Handler] = {
    "wechat.templatesendjobfinish": on_template_finished,
    "wechat.subscribe_msg_sent_event": on_subscription_sent,
}
