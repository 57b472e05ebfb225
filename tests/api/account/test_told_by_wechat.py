"""From WeChat's own push to our rows: results of messages, consents, verdicts about pictures (D11, pitfalls E8, E9)."""

from datetime import timedelta

import pytest

from backend.composition import CHECKS, HANDLERS
from backend.kernel.audit import SYSTEM
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from backend.messaging.templates import Channel
from backend.wechat import push_settings
from backend.wechat.push_settings import NewSettings, PushMode
from tests import factories, factories_messaging, factories_screening
from tests.conftest import Client, Sandbox
from tests.factories_account import ENCODING_KEY, TOKEN
from tests.factories_messaging import BILL_TEMPLATE, MINI, OFFICIAL, ORIGINAL_ID, plan_bills, work_due
from tests.soundness import broken

WRITTEN = {OFFICIAL: "xml", MINI: "json"}
DELIVERIES = "SELECT channel, delivery FROM message_intent ORDER BY channel"
CREDITS = "SELECT credits, last_answer FROM message_consent WHERE person_id = $1"


async def listen(res: Resources, sandbox: Sandbox, place: factories.Community, mode: PushMode) -> None:
    """Both accounts tell us what happens, the mini-program in JSON."""

    async def work(tx: Tx) -> None:
        for appid in WRITTEN:
            new = NewSettings(ORIGINAL_ID[appid], mode, TOKEN, ENCODING_KEY)
            await push_settings.set_push(tx, res.keyring, SYSTEM, company_id=place.company_id, appid=appid, new=new)

    await res.db.transact(work)
    for appid, written in WRITTEN.items():
        push = {"token": TOKEN, "aes_key": ENCODING_KEY, "mode": mode.value, "format": written}
        url = f"{res.settings.public_url}/wechat/{appid}"
        await sandbox.ask("PUT", f"/apps/{appid}/push", {"url": url, **push})


async def hear(res: Resources, sandbox: Sandbox) -> None:
    """What WeChat has to tell arrives, and is worked."""
    await sandbox.ask("POST", "/pushes/flush")
    while await work_due(res, HANDLERS):
        pass


@pytest.mark.parametrize("mode", [PushMode.PLAIN, PushMode.SAFE])
async def test_results_of_messages_and_consents_reach_their_rows(
    sandbox_res: Resources, sandbox_client: Client, sandbox: Sandbox, mode: PushMode
) -> None:
    res, place = sandbox_res, await factories.community(sandbox_res)
    await factories_messaging.plug_in(res, sandbox, place)
    follower = await factories_messaging.reader(res, sandbox, 1, follows=True)
    subscriber = await factories_messaging.reader(res, sandbox, 2, credits=1)
    await listen(res, sandbox, place, mode)
    await plan_bills(res, place, [follower.id, subscriber.id])
    for _ in ("the messages are sent", "their results are told"):
        await hear(res, sandbox)
    rows = await res.db.fetch(DELIVERIES)
    assert [tuple(row.values()) for row in rows] == [("subscription", "DELIVERED"), ("template", "DELIVERED")]
    answer = {"appid": MINI, "template_id": BILL_TEMPLATE[Channel.SUBSCRIPTION]}
    # Later than what the phone has reported: this is another answer, and not WeChat's word about that one.
    sandbox.clock.advance(timedelta(hours=1))
    for said, left in (("accept", (1, "accept")), ("revoke", (0, "reject"))):
        await sandbox.ask("POST", f"/users/{subscriber.user_id}/consent", {**answer, "answer": said})
        await hear(res, sandbox)
        kept = await res.db.fetchrow(CREDITS, subscriber.id)
        assert kept is not None and tuple(kept.values()) == left
    assert await broken(res.db, CHECKS) == []


async def test_a_verdict_about_a_picture_reaches_the_ticket(
    sandbox_res: Resources, sandbox_client: Client, sandbox: Sandbox
) -> None:
    screened = await factories_screening.screened(sandbox_res, sandbox)
    await listen(sandbox_res, sandbox, screened.town.place, PushMode.SAFE)
    await screened.hostile(media_verdicts=["risky"], media_check_delay_s=0)
    await screened.report(media=[await screened.picture()])
    await screened.settle()
    await hear(sandbox_res, sandbox)
    assert sorted(await screened.states()) == ["PASSED", "RISKY"]
    await screened.sound()
