"""Who follows, and who has gone: told by WeChat, found by the union id, forgotten (R10, pitfalls E15, E18, E20)."""

from datetime import timedelta
from typing import Any

from backend.composition import CHECKS, HANDLERS
from backend.identity import followers
from backend.kernel.outbox import Park, Retry
from backend.kernel.resources import Resources
from backend.wechat.errors import WechatError
from miniprogram_api import account_words as words
from miniprogram_api.followers import again
from tests import factories
from tests.conftest import Client, Sandbox
from tests.factories_account import MINI, OFFICIAL, Fan, Wechat, account, fan, plug_in, reply, user
from tests.factories_messaging import work_due
from tests.soundness import broken

PLATFORM_ID = "UPDATE wechat_user SET unionid = $2 WHERE openid = $1"


async def resident(res: Resources, sandbox: Sandbox, who: Fan) -> factories.Person:
    """The user has logged in to the mini-program: the union id is known there."""
    person = await factories.person(res, openid=who.mini_openid)
    known = await sandbox.ask("GET", f"/users/{who.user_id}/openid?appid={MINI}")
    if "unionid" in known:
        await res.db.execute(PLATFORM_ID, who.mini_openid, known["unionid"])
    return person


async def kept(res: Resources, openid: str) -> dict[str, Any]:
    found = await user(res, openid)
    assert found is not None
    return found


async def test_a_follower_is_greeted_and_found_to_be_the_person_of_the_mini_program(
    sandbox_res: Resources, sandbox_client: Client, sandbox: Sandbox
) -> None:
    res, place = sandbox_res, await factories.community(sandbox_res)
    await plug_in(res, sandbox, place)
    who = await fan(sandbox)
    person = await resident(res, sandbox, who)
    assert await who.does("follow") == words.GREETING
    before = await kept(res, who.openid)
    assert (before["follows"], before["reachable"], before["person_id"]) == (True, True, None)
    await work_due(res, HANDLERS)
    after = await kept(res, who.openid)
    assert after["person_id"] == person.id and after["unionid"] is not None
    mine = sandbox_client.of(person.token)
    assert (await mine.get("/api/v1/official-account")).json == {"appid": OFFICIAL, "bound": True}
    assert await broken(res.db, CHECKS) == []


async def test_the_greeting_is_what_staff_have_written(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    await account(res, place)
    await reply(res, place, "follow", None, "欢迎来到幸福里。")
    wechat = Wechat(client, res.clock)
    assert wechat.said(await wechat.event("oFan", "subscribe")) == "欢迎来到幸福里。"


async def test_e15_without_a_union_id_a_follower_stays_unknown_and_the_job_is_done(
    sandbox_res: Resources, sandbox_client: Client, sandbox: Sandbox
) -> None:
    res = sandbox_res
    await plug_in(res, sandbox, await factories.community(res), platform=False)
    who = await fan(sandbox)
    await resident(res, sandbox, who)
    await who.does("follow")
    await work_due(res, HANDLERS)
    found = await kept(res, who.openid)
    assert (found["unionid"], found["person_id"]) == (None, None)
    assert await res.db.fetchval("SELECT state FROM outbox WHERE event = 'wechat.subscribe'") == "DONE"


async def test_e20_of_who_has_unfollowed_nothing_is_kept_but_that(
    sandbox_res: Resources, sandbox_client: Client, sandbox: Sandbox
) -> None:
    res, place = sandbox_res, await factories.community(sandbox_res)
    await plug_in(res, sandbox, place)
    who = await fan(sandbox)
    person = await resident(res, sandbox, who)
    await who.does("follow")
    await work_due(res, HANDLERS)
    await who.does("say", text="物业电话")
    assert await who.does("unfollow") is None
    gone = await kept(res, who.openid)
    assert (gone["follows"], gone["reachable"]) == (False, False)
    assert [gone[name] for name in ("person_id", "staff_id", "unionid", "session_key_sealed")] == [None] * 4
    assert await res.db.fetchval("SELECT count(*) FROM wechat_push WHERE sender IS NOT NULL AND kind = 'text'") == 0
    mine = sandbox_client.of(person.token)
    assert (await mine.get("/api/v1/official-account")).json["bound"] is False
    mini = await user(res, who.mini_openid, MINI)
    assert mini is not None and mini["person_id"] == person.id
    # Again: greeted, and found anew.
    sandbox.clock.advance(timedelta(seconds=2))
    assert await who.does("follow") == words.GREETING
    await work_due(res, HANDLERS)
    assert (await kept(res, who.openid))["person_id"] == person.id


async def test_a_late_union_id_ties_nobody_who_has_gone(
    sandbox_res: Resources, sandbox_client: Client, sandbox: Sandbox
) -> None:
    res = sandbox_res
    await plug_in(res, sandbox, await factories.community(res))
    who = await fan(sandbox)
    await resident(res, sandbox, who)
    await who.does("follow")
    now = res.clock.now()
    await res.db.transact(lambda tx: followers.unfollow(tx, appid=OFFICIAL, openid=who.openid, at=now))
    await work_due(res, HANDLERS)
    found = await kept(res, who.openid)
    assert (found["follows"], found["person_id"], found["unionid"]) == (False, None, None)
    assert await res.db.fetchval("SELECT state FROM outbox WHERE event = 'wechat.subscribe'") == "DONE"


async def test_while_wechat_does_not_answer_the_job_runs_again_and_a_refusal_is_for_staff_to_see(
    res: Resources, client: Client
) -> None:
    await account(res, await factories.community(res))
    await Wechat(client, res.clock).event("oFan", "subscribe")
    await work_due(res, HANDLERS)
    job = await res.db.fetchrow("SELECT state, failures FROM outbox WHERE event = 'wechat.subscribe'")
    assert job is not None and (job["state"], job["failures"]) == ("READY", 1)
    for errcode, kind in ((45009, Retry), (-1, Retry), (40001, Retry), (48001, Park), (40003, Park)):
        assert isinstance(again(WechatError(errcode, "no")), kind), errcode


async def test_what_wechat_tells_late_changes_nothing(res: Resources, client: Client) -> None:
    await account(res, await factories.community(res))
    wechat, at_s = Wechat(client, res.clock), int(res.clock.now().timestamp())
    await wechat.event("oFan", "unsubscribe", at_s=at_s)
    late = await wechat.event("oFan", "subscribe", at_s=at_s - 60)
    assert late.body == b"success"
    assert (await kept(res, "oFan"))["follows"] is False
    await wechat.event("oFan", "subscribe", at_s=at_s + 60)
    await wechat.event("oFan", "unsubscribe", at_s=at_s + 30)
    assert (await kept(res, "oFan"))["follows"] is True


async def test_whoever_could_not_be_reached_is_reachable_again_after_following(res: Resources, client: Client) -> None:
    await account(res, await factories.community(res))
    person = await factories.person(res, openid="oMini")
    await res.db.execute(
        """INSERT INTO wechat_user (id, appid, openid, person_id, reachable, created_at)
           VALUES (gen_random_uuid(), $1, 'oFan', $2, false, $3)""",
        OFFICIAL, person.id, res.clock.now(),
    )  # fmt: skip
    await Wechat(client, res.clock).event("oFan", "subscribe")
    found = await kept(res, "oFan")
    assert (found["reachable"], found["person_id"]) == (True, person.id)


async def test_that_somebody_has_gone_is_forgotten_after_a_month(res: Resources, client: Client) -> None:
    await account(res, await factories.community(res))
    wechat = Wechat(client, res.clock)
    await wechat.event("oGone", "unsubscribe")
    await wechat.event("oFan", "subscribe")
    await res.db.transact(followers.purge)
    assert await user(res, "oGone") is not None
    await res.db.execute(
        "UPDATE wechat_user SET follow_told_at = $1", res.clock.now() - followers.TOMBSTONE - timedelta(days=1)
    )
    await res.db.transact(followers.purge)
    assert await user(res, "oGone") is None
    assert await user(res, "oFan") is not None
