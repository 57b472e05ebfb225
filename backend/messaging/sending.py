"""Sending through WeChat: prepare, call, settle (D11, F-22). Between the two transactions stand the calls, and nothing
else; a crash anywhere resumes from what is stored (design principle 3).

Calls go out in the order of their slots, CONCURRENCY at a time, until WeChat says that the day's quota is used up. What
was not begun in time goes back to PENDING.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from backend.kernel.db import Tx
from backend.kernel.failpoints import failpoint
from backend.kernel.outbox import Job
from backend.kernel.resources import Resources
from backend.messaging.choosing import Delivery
from backend.messaging.preparing import Timed, Way, prepare
from backend.messaging.settling import settle
from backend.messaging.templates import Channel
from backend.wechat import api, apps, messages
from backend.wechat.api import WechatApi
from backend.wechat.apps import App
from backend.wechat.errcodes import Meaning
from backend.wechat.errors import Outcome, Refused, Unknown
from backend.wechat.messages import Page

CONCURRENCY = 32
BEGIN_WITHIN_S = 15.0
END_WITHIN_S = 40.0
SHORTEST_WAIT_S = 0.001


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


@dataclass(slots=True)
class _Round:
    """The calls of one job. `outcomes` has those begun; `stopped` the ways on which nothing more goes today."""

    wechat: WechatApi
    apps: Mapping[str, App]
    queue: Iterator[tuple[float, int, Delivery]]
    began_s: float
    outcomes: dict[UUID, Outcome] = field(default_factory=dict)
    stopped: set[Way] = field(default_factory=set)


async def _deliver(res: Resources, going: Sequence[Timed]) -> list[tuple[Delivery, Outcome | None]]:
    """Make the calls; a delivery without an outcome was not begun."""
    wechat = api.of(res)
    known = {appid: await apps.app_by_appid(res.db, res.keyring, appid) for appid in {t.delivery.appid for t in going}}
    # Without a token no call can be made: asked once for all of them, and not once for each.
    refusals = {appid: await messages.token_refusal(wechat, app) for appid, app in known.items()}
    now, ready = res.clock.now(), [timed for timed in going if refusals[timed.delivery.appid] is None]
    slots = sorted(((timed.at - now).total_seconds(), n, timed.delivery) for n, timed in enumerate(ready))
    turn = _Round(wechat, known, iter(slots), time.monotonic())
    await _send_all(turn, min(CONCURRENCY, len(ready)))
    return [(t.delivery, refusals[t.delivery.appid] or turn.outcomes.get(t.delivery.intent_id)) for t in going]


async def _send_all(turn: _Round, at_once: int) -> None:
    if not at_once:
        return
    senders = [asyncio.create_task(_send_in_turn(turn)) for _ in range(at_once)]
    try:
        await asyncio.wait(senders, timeout=END_WITHIN_S)
    finally:
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)


async def _send_in_turn(turn: _Round) -> None:
    """Take one delivery after the other from the shared queue, wait for its slot, make its call."""
    for wait_s, _, one in turn.queue:
        # A loop may wake somewhat early (uvloop rounds to milliseconds): the limit is never exceeded.
        while (left_s := turn.began_s + wait_s - time.monotonic()) > 0:
            await asyncio.sleep(max(left_s, SHORTEST_WAIT_S))
        if time.monotonic() - turn.began_s > BEGIN_WITHIN_S:
            return
        if (one.appid, one.channel) in turn.stopped:
            continue
        # Until WeChat has answered, nobody knows: what cancels us must not hide that.
        turn.outcomes[one.intent_id] = Unknown("no answer in time")
        outcome = turn.outcomes[one.intent_id] = await _send(turn.wechat, turn.apps[one.appid], one)
        if isinstance(outcome, Refused) and outcome.meaning is Meaning.BACK_OFF_TODAY:
            turn.stopped.add((one.appid, one.channel))


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
