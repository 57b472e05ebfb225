"""What WeChat tells of consent to subscription messages (授权事件), into the ledger (mini-program section 4.3)."""

from collections.abc import Mapping
from typing import get_args
from uuid import UUID

from backend.kernel.db import Tx
from backend.kernel.outbox import Handler, Job
from backend.messaging import consents, push_lists
from backend.messaging.consents import Answer, Source
from backend.wechat.pushes import Push

# A resident who is a member of staff as well has one openid: the credits are the resident's, as the phone reports them.
PERSON = """
    SELECT person_id FROM message_address WHERE appid = $1 AND openid = $2 ORDER BY is_staff, person_id LIMIT 1
"""
ANSWERS: frozenset[str] = frozenset(get_args(Answer))


async def on_answered(job: Job) -> None:
    """Somebody answered (`subscribe_msg_popup_event`); the phone reports the same, and one of them counts."""
    push = Push.of(job.event, job.payload)
    answers = _answers(push, "SubscribeMsgPopupEvent")

    async def work(tx: Tx) -> None:
        person_id = await _person(tx, push)
        if person_id is not None:
            await consents.record(
                tx, person_id=person_id, appid=push.appid, answers=answers, source=Source.WECHAT, at=push.at
            )

    await job.transact(work)


async def on_changed(job: Job) -> None:
    """Somebody changed the answer in WeChat's settings (`subscribe_msg_change_event`); WeChat tells refusals alone."""
    push = Push.of(job.event, job.payload)
    refused = [one for one, answer in _answers(push, "SubscribeMsgChangeEvent").items() if answer == "reject"]

    async def work(tx: Tx) -> None:
        person_id = await _person(tx, push)
        if person_id is not None:
            await consents.revoke(tx, person_id=person_id, appid=push.appid, template_ids=refused, at=push.at)

    await job.transact(work)


async def _person(tx: Tx, push: Push) -> UUID | None:
    """Whose account it is; None for a visitor whom nobody knows."""
    found: UUID | None = await tx.fetchval(PERSON, push.appid, push.openid)
    return found


def _answers(push: Push, container: str) -> dict[str, Answer]:
    return {
        str(item["TemplateId"]): item["SubscribeStatusString"]
        for item in push_lists.items(push, container)
        if "TemplateId" in item and item.get("SubscribeStatusString") in ANSWERS
    }


HANDLERS: Mapping[str, Handler] = {
    "wechat.subscribe_msg_popup_event": on_answered,
    "wechat.subscribe_msg_change_event": on_changed,
}
