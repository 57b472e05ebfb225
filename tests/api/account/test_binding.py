"""Binding the account by a scan: once, within ten minutes, for whoever asked for the code (R10, pitfalls E18, E19)."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from backend.composition import CHECKS, HANDLERS
from backend.identity import account_codes
from backend.identity.account_codes import LIFETIME, Binding
from backend.kernel.resources import Resources
from miniprogram_api import account_words as words
from miniprogram_api.official_account import CODE_RATE
from tests import factories
from tests.conftest import Answered, Client, Sandbox
from tests.factories_account import MINI, OFFICIAL, Wechat, account, fan, plug_in, user
from tests.factories_messaging import work_due
from tests.soundness import broken

CODE = "/api/v1/official-account/code"
BOUND, REFUSED = words.OF_BINDING[Binding.BOUND], words.OF_BINDING[Binding.REFUSED]


def ticket(answer: Answered) -> str:
    """The ticket in the picture's address."""
    assert answer.status == 201, answer
    return str(answer.json["picture_url"].partition("ticket=")[2]).replace("%3D", "=")


@pytest.mark.parametrize("follows_before", [True, False])
async def test_e18_a_scan_binds_who_follows_by_it_and_who_followed_before(
    sandbox_res: Resources, sandbox_client: Client, sandbox: Sandbox, follows_before: bool
) -> None:
    res = sandbox_res
    await plug_in(res, sandbox, await factories.community(res))
    person, who = await factories.person(res), await fan(sandbox)
    if follows_before:
        await who.does("follow")
    mine = sandbox_client.of(person.token)
    code = await mine.post(CODE)
    assert code.json["content"].startswith("http://weixin.qq.com/q/")
    assert await who.does("scan", ticket=ticket(code)) == BOUND
    found = await user(res, who.openid)
    assert found is not None and found["person_id"] == person.id
    assert (await mine.get("/api/v1/official-account")).json["bound"] is True
    sandbox.clock.advance(timedelta(seconds=2))
    assert await who.does("scan", ticket=ticket(code)) == REFUSED
    other = await fan(sandbox)
    assert await other.does("scan", ticket=ticket(code)) == REFUSED
    foreign = await user(res, other.openid)
    assert foreign is not None and foreign["person_id"] is None and foreign["follows"]
    told = [
        (push["message"]["Event"], push["message"]["EventKey"][:8])
        for push in (await sandbox.ask("GET", f"/pushes?openid={who.openid}"))["pushes"]
        if push["message"].get("EventKey")
    ]
    assert told[0] == (("SCAN", "bind_") if follows_before else ("subscribe", "qrscene_"))[:1] + (told[0][1],)
    assert await broken(res.db, CHECKS) == []


async def scene(res: Resources, person: factories.Person, appid: str = OFFICIAL) -> str:
    """The scene of a fresh code."""
    code_id, _ = await res.db.transact(
        lambda tx: account_codes.offer(tx, res.keyring, person_id=person.id, appid=appid)
    )
    return account_codes.scene_of(res.keyring, code_id)


async def test_of_many_who_scan_one_code_at_once_one_is_bound(res: Resources, client: Client) -> None:
    await account(res, await factories.community(res))
    person, wechat = await factories.person(res), Wechat(client, res.clock)
    wanted = await scene(res, person)
    answers = await asyncio.gather(*(wechat.event(f"oFan{n}", "SCAN", wanted) for n in range(8)))
    assert sorted(str(wechat.said(answer)) for answer in answers) == sorted([BOUND] + [REFUSED] * 7)
    assert await res.db.fetchval("SELECT count(*) FROM wechat_user WHERE appid = $1 AND person_id = $2",
                                 OFFICIAL, person.id) == 1  # fmt: skip
    assert await res.db.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'wechat_user.account_bound'") == 1


async def test_a_code_that_is_old_or_of_another_account_or_unknown_is_refused_alike(
    res: Resources, client: Client
) -> None:
    await account(res, await factories.community(res))
    person, wechat = await factories.person(res), Wechat(client, res.clock)
    old = await scene(res, person)
    res.clock.advance(LIFETIME)  # type: ignore[attr-defined]
    for wanted in (old, await scene(res, person, "wx_another"), "bind_", "bind_" + "0" * 32, f"bind_{'x' * 100}"):
        assert wechat.said(await wechat.event("oFan", "subscribe", f"qrscene_{wanted}")) == REFUSED
        assert wechat.said(await wechat.event("oFan", "SCAN", wanted)) == REFUSED
        res.clock.advance(timedelta(seconds=1))  # type: ignore[attr-defined]
    found = await user(res, "oFan")
    assert found is not None and found["person_id"] is None


async def test_who_is_bound_to_another_person_stays_so_and_the_code_is_still_good(
    res: Resources, client: Client
) -> None:
    await account(res, await factories.community(res))
    first, second = await factories.person(res), await factories.person(res, phone="13800000002")
    wechat = Wechat(client, res.clock)
    assert wechat.said(await wechat.event("oFan", "SCAN", await scene(res, first))) == BOUND
    wanted = await scene(res, second)
    assert wechat.said(await wechat.event("oFan", "SCAN", wanted)) == words.OF_BINDING[Binding.OF_ANOTHER]
    found = await user(res, "oFan")
    assert found is not None and found["person_id"] == first.id
    assert wechat.said(await wechat.event("oOther", "SCAN", wanted)) == BOUND


async def test_a_scan_opens_no_mini_program_in_the_name_of_whose_code_it_was(
    sandbox_res: Resources, sandbox_client: Client, sandbox: Sandbox
) -> None:
    res = sandbox_res
    await plug_in(res, sandbox, await factories.community(res))
    person, who = await factories.person(res), await fan(sandbox)
    code = await sandbox_client.of(person.token).post(CODE)
    assert await who.does("scan", ticket=ticket(code)) == BOUND
    await work_due(res, HANDLERS)
    bound = await user(res, who.openid)
    assert bound is not None and (bound["person_id"], bound["unionid"], bound["by_scan"]) == (person.id, None, True)
    login = (await sandbox.ask("POST", f"/users/{who.user_id}/login-code", {"appid": MINI}))["code"]
    opened = (await sandbox_client.post("/api/v1/login", {"appid": MINI, "code": login})).json
    assert opened["phone_bound"] is False
    assert (await sandbox_client.of(opened["token"]).get("/api/v1/me")).json["person_id"] is None
    assert await broken(res.db, CHECKS) == []


async def test_scenes_that_are_not_ours_bind_nobody(res: Resources, client: Client) -> None:
    await account(res, await factories.community(res))
    wechat = Wechat(client, res.clock)
    assert wechat.said(await wechat.event("oFan", "subscribe", "qrscene_poster")) == words.GREETING
    assert wechat.said(await wechat.event("oFan", "SCAN", "poster")) is None


async def test_a_repeated_request_gets_the_same_code_and_one_that_wechat_refused_may_be_repeated(
    sandbox_res: Resources, sandbox_client: Client, sandbox: Sandbox
) -> None:
    res = sandbox_res
    place = await factories.community(res)
    await plug_in(res, sandbox, place)
    mine = sandbox_client.of((await factories.person(res)).token)
    first, again = await mine.post(CODE, key="one"), await mine.post(CODE, key="one")
    assert first.json == again.json
    await sandbox.ask("PUT", "/apps/" + OFFICIAL, {"secret": "another" * 4, "kind": "official"})
    await res.redis.flushdb()
    await sandbox.ask("POST", "/tokens/invalidate", {"appid": OFFICIAL})
    assert (await mine.post(CODE, key="two")).status == 503
    await plug_in(res, sandbox, place)
    assert (await mine.post(CODE, key="two")).status == 201
    assert await res.db.fetchval("SELECT count(*) FROM account_code") == 2
    assert await res.db.fetchval("SELECT count(*) FROM account_code WHERE drawn IS NULL") == 0
    sandbox.clock.advance(LIFETIME)
    late = await mine.post(CODE, key="two")
    assert (late.status, late.code) == (409, "code_expired")


async def test_codes_are_few_and_there_are_none_without_an_account(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    mine = client.of((await factories.person(res)).token)
    for answer in (await mine.get("/api/v1/official-account"), await mine.post(CODE)):
        assert answer.status == 404
    await account(res, place)
    statuses = [(await mine.post(CODE)).status for _ in range(CODE_RATE.count)]
    assert statuses == [503] * (CODE_RATE.count - 1) + [429]


async def test_codes_are_forgotten_a_day_after_their_end(res: Resources) -> None:
    person: Any = await factories.person(res)
    await scene(res, person)
    res.clock.advance(timedelta(days=1))  # type: ignore[attr-defined]
    await res.db.transact(account_codes.purge)
    assert await res.db.fetchval("SELECT count(*) FROM account_code") == 1
    res.clock.advance(LIFETIME * 2)  # type: ignore[attr-defined]
    await res.db.transact(account_codes.purge)
    assert await res.db.fetchval("SELECT count(*) FROM account_code") == 0
