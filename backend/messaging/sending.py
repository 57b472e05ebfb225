"""Sending through WeChat: prepare, call, settle (D11, F-22). Between the two transactions stand the calls, and nothing
else; a crash anywhere resumes from what is stored (design principle 3).

Calls go out in the order of their slots, CONCURRENCY at a time. What was not begun in time goes back to PENDING.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from uuid import UUID

from backend.kernel.db import Tx
from backend.kernel.failpoints import failpoint
from backend.kernel.outbox import Job
from backend.kernel.resources import Resources
from backend.messaging.choosing import Delivery
from backend.messaging.preparing import Timed, prepare
from backend.messaging.settling import settle
from backend.messaging.templates import Channel
from backend.wechat import api, apps, messages
from backend.wechat.api import WechatApi
from backend.wechat.apps import App
from backend.wechat.errors import Outcome, Unknown
from backend.wechat.messages import Page

CONCURRENCY = 32
BEGIN_WITHIN_S = 15.0
END_WITHIN_S = 40.0


async def on_planned(job: Job) -> None:
    """Send up to SEND_BATCH intents, each at most once per key."""
    intent_ids = [UUID(text) for text in job.payload["intent_ids"]]
    community_id, reserved = UUID(job.payload["community_id"]), job.payload["reserved"]

    async def begin(tx: Tx) -> list[Timed]:
        going = await prepare(tx, intent_ids, community_id=community_id, reserved=reserved)
        if not going:
            await job.finish(tx)
        return going

    going = await job.res.db.transact(begin)
    if not going:
        job.done = True
        return
    await failpoint("send.prepared")
    results = await _deliver(job.res, going)
    await failpoint("send.delivered")
    await job.transact(lambda tx: settle(tx, results, community_id=community_id))


async def _deliver(res: Resources, going: Sequence[Timed]) -> list[tuple[Delivery, Outcome | None]]:
    """Make the calls; a delivery without an outcome was not begun."""
    outcomes: dict[UUID, Outcome] = {}
    known = {appid: await apps.app_by_appid(res.db, res.keyring, appid) for appid in {t.delivery.appid for t in going}}
    now, began = res.clock.now(), time.monotonic()
    queue = iter(sorted(((t.at - now).total_seconds(), n, t.delivery) for n, t in enumerate(going)))
    senders = [
        asyncio.create_task(_send_in_turn(api.of(res), known, queue, outcomes, began))
        for _ in range(min(CONCURRENCY, len(going)))
    ]
    try:
        await asyncio.wait(senders, timeout=END_WITHIN_S)
    finally:
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
    return [(timed.delivery, outcomes.get(timed.delivery.intent_id)) for timed in going]


async def _send_in_turn(
    wechat: WechatApi,
    known: dict[str, App],
    queue: Iterator[tuple[float, int, Delivery]],
    outcomes: dict[UUID, Outcome],
    began: float,
) -> None:
    """Take one delivery after the other from the shared queue, wait for its slot, make its call."""
    for wait_s, _, one in queue:
        left_s = began + wait_s - time.monotonic()
        if left_s > 0:
            await asyncio.sleep(left_s)
        if time.monotonic() - began > BEGIN_WITHIN_S:
            return
        # Until WeChat has answered, nobody knows: what cancels us must not hide that.
        outcomes[one.intent_id] = Unknown("no answer in time")
        outcomes[one.intent_id] = await _send(wechat, known[one.appid], one)


async def _send(wechat: WechatApi, app: App, one: Delivery) -> Outcome:
    if one.channel is Channel.SUBSCRIPTION:
        return await messages.send_subscription(
            wechat, app, openid=one.openid, template_id=one.template_id, data=one.data, page=one.page
        )
    return await messages.send_template(
        wechat,
        app,
        openid=one.openid,
        template_id=one.template_id,
        data=one.data,
        client_msg_id=one.intent_id.hex,
        page=Page(one.page_appid, one.page) if one.page_appid else None,
    )
