"""Logins, tokens, messages and shipping reports against the sandbox process, with a real Redis."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backend.kernel.processes import free_port
from backend.kernel.resources import Resources, redis_of
from backend.wechat import api as wechat_api
from backend.wechat import fields, messages, miniprogram, shipping
from backend.wechat.api import WechatApi
from backend.wechat.errcodes import Meaning
from backend.wechat.errors import CodeRefused, Refused, Sent, Unknown, WechatError
from backend.wechat.tokens import Tokens
from tests.conftest import Sandbox
from tests.integration.wechat import rig

FETCH = "POST /cgi-bin/stable_token"
SEND = "POST /cgi-bin/message/template/send"


async def stats(sandbox: Sandbox) -> dict[str, int]:
    counted: dict[str, int] = await sandbox.ask("GET", "/stats")
    return counted


async def follower(sandbox: Sandbox) -> rig.User:
    made = await rig.user(sandbox, rig.OFFICIAL)
    await sandbox.ask("POST", f"/users/{made.id}/follow", {"appid": rig.OFFICIAL.appid})
    return made


async def send(api: WechatApi, openid: str, key: str = "k1", **changed: Any) -> Any:
    given = {"template_id": "tpl-1", "data": rig.FIELDS, **changed}
    return await messages.send_template(api, rig.OFFICIAL, openid=openid, client_msg_id=key, **given)


# Logins


async def test_login_and_phone(sandbox: Sandbox, sandbox_res: Resources) -> None:
    await rig.furnish(sandbox)
    person, api = await rig.user(sandbox), wechat_api.of(sandbox_res)
    code = (await sandbox.ask("POST", f"/users/{person.id}/login-code", {"appid": rig.MINI.appid}))["code"]
    session = await miniprogram.code2session(api, rig.MINI, code=code)
    assert session.openid == person.openid
    assert session.unionid
    assert session.session_key
    with pytest.raises(CodeRefused):
        await miniprogram.code2session(api, rig.MINI, code=code)

    phone_code = (await sandbox.ask("POST", f"/users/{person.id}/phone-code", {"appid": rig.MINI.appid}))["code"]
    with pytest.raises(CodeRefused):
        await miniprogram.code2session(api, rig.MINI, code=phone_code)
    assert await miniprogram.phone_number(api, rig.MINI, code=phone_code) == miniprogram.Phone("13580006666", "86")
    with pytest.raises(CodeRefused):
        await miniprogram.phone_number(api, rig.MINI, code=phone_code)


async def test_a_wrong_secret_is_not_the_residents_fault(sandbox: Sandbox, sandbox_res: Resources) -> None:
    await rig.furnish(sandbox)
    wrong = replace(rig.MINI, secret="f" * 32)
    with pytest.raises(WechatError) as refused:
        await miniprogram.code2session(wechat_api.of(sandbox_res), wrong, code="x")
    assert refused.value.errcode == 40125
    assert refused.value.status == 503
    assert wrong.secret not in f"{refused.value!r}{refused.value.message}"


# Tokens


async def test_one_api_per_process(sandbox_res: Resources) -> None:
    assert wechat_api.of(sandbox_res) is wechat_api.of(sandbox_res)


async def test_an_invalidated_token_is_refreshed_once_by_twenty_sends(sandbox: Sandbox, sandbox_res: Resources) -> None:
    """F-22: twenty sends in two processes meet 40001 at once; WeChat sees one fetch and every message once."""
    await rig.furnish(sandbox)
    person = await follower(sandbox)
    processes = [rig.another_process(sandbox_res) for _ in range(2)]
    for api in processes:
        assert isinstance(await send(api, person.openid, "warm-up"), Sent)
    assert (await stats(sandbox))[FETCH] == 1, "the second process found the token in Redis"

    await sandbox.ask("POST", "/tokens/invalidate", {"appid": rig.OFFICIAL.appid})
    sent = await asyncio.gather(*(send(processes[n % 2], person.openid, f"key-{n}") for n in range(20)))
    assert all(isinstance(outcome, Sent) for outcome in sent)
    counted = await stats(sandbox)
    assert counted[FETCH] == 2
    assert counted[SEND] <= 2 + 2 * 20
    accepted = await sandbox.ask("GET", f"/messages?openid={person.openid}")
    assert sorted(each["client_msg_id"] for each in accepted["messages"]) == sorted(
        ["warm-up", *(f"key-{n}" for n in range(20))]
    )


async def test_a_lasting_refusal_costs_one_refresh_and_one_repetition(sandbox: Sandbox, sandbox_res: Resources) -> None:
    await rig.furnish(sandbox)
    person, api = await follower(sandbox), rig.another_process(sandbox_res)
    await send(api, person.openid, "warm-up")
    before = await stats(sandbox)
    await sandbox.ask("PUT", "/hostile", {"messages": [{"errcode": 40001}] * 5})
    outcome = await send(api, person.openid)
    assert isinstance(outcome, Refused)
    assert (outcome.meaning, outcome.errcode) == (Meaning.REFRESH_TOKEN, 40001)
    after = await stats(sandbox)
    assert after[SEND] - before[SEND] == 2
    assert after[FETCH] - before[FETCH] == 1


async def test_an_expired_token_is_replaced(sandbox: Sandbox, sandbox_res: Resources) -> None:
    await rig.furnish(sandbox)
    person, api = await follower(sandbox), rig.another_process(sandbox_res)
    await send(api, person.openid, "before")
    sandbox.clock.advance(timedelta(hours=3))
    assert isinstance(await send(api, person.openid, "after"), Sent)


async def test_a_token_that_others_fetched_ends_when_time_is_moved(sandbox: Sandbox, sandbox_res: Resources) -> None:
    """Two days pass in one step: neither the own token nor the newer one in Redis is believed."""
    await rig.furnish(sandbox)
    person = await follower(sandbox)
    early, late = rig.another_process(sandbox_res), rig.another_process(sandbox_res)
    assert isinstance(await send(early, person.openid, "first"), Sent)
    sandbox.clock.advance(timedelta(days=1))
    assert isinstance(await send(late, person.openid, "second"), Sent)
    sandbox.clock.advance(timedelta(days=1))
    assert isinstance(await send(early, person.openid, "third"), Sent)
    assert (await stats(sandbox))[FETCH] == 3


async def test_tokens_work_while_redis_is_away(sandbox: Sandbox, sandbox_res: Resources) -> None:
    await rig.furnish(sandbox)
    person = await follower(sandbox)
    nobody = redis_of(f"redis://127.0.0.1:{free_port()}/0")
    base_url = sandbox_res.settings.wechat_api_url
    api = WechatApi(sandbox_res.egress, Tokens(sandbox_res.egress, nobody, base_url, sandbox_res.clock), base_url)
    sent = await asyncio.gather(*(send(api, person.openid, f"key-{n}") for n in range(5)))
    assert all(isinstance(outcome, Sent) for outcome in sent)
    assert (await stats(sandbox))[FETCH] == 1
    await sandbox.ask("POST", "/tokens/invalidate", {"appid": rig.OFFICIAL.appid})
    assert isinstance(await send(api, person.openid, "key-5"), Sent)
    assert (await stats(sandbox))[FETCH] == 2
    await nobody.aclose()


async def test_without_redis_each_process_asks_and_all_hold_the_same_token(
    sandbox: Sandbox, sandbox_res: Resources
) -> None:
    await rig.furnish(sandbox)
    nobody = redis_of(f"redis://127.0.0.1:{free_port()}/0")
    base_url = sandbox_res.settings.wechat_api_url
    apart = [Tokens(sandbox_res.egress, nobody, base_url, sandbox_res.clock) for _ in range(3)]
    held = await asyncio.gather(*(tokens.current(rig.OFFICIAL) for tokens in apart for _ in range(4)))
    assert len(set(held)) == 1
    counted = await stats(sandbox)
    assert (counted[FETCH], counted["tokens issued"]) == (3, 1)
    await nobody.aclose()


async def test_a_token_that_wechat_insists_on_is_asked_about_again_after_a_while(
    sandbox: Sandbox, sandbox_res: Resources
) -> None:
    await rig.furnish(sandbox)
    tokens = Tokens(sandbox_res.egress, sandbox_res.redis, sandbox_res.settings.wechat_api_url, sandbox_res.clock)
    token = await tokens.current(rig.OFFICIAL)
    for _ in range(5):
        assert await tokens.current(rig.OFFICIAL, refused=token) == token
    assert (await stats(sandbox))[FETCH] == 2
    await sandbox.ask("POST", "/tokens/invalidate", {"appid": rig.OFFICIAL.appid})
    sandbox.clock.advance(timedelta(seconds=11))
    assert await tokens.current(rig.OFFICIAL, refused=token) != token


async def test_redis_emptied_costs_a_question_and_no_token(sandbox: Sandbox, sandbox_res: Resources) -> None:
    await rig.furnish(sandbox)
    person = await follower(sandbox)
    await send(rig.another_process(sandbox_res), person.openid, "one")
    await sandbox_res.redis.flushdb()
    assert isinstance(await send(rig.another_process(sandbox_res), person.openid, "two"), Sent)
    counted = await stats(sandbox)
    assert (counted[FETCH], counted["tokens issued"]) == (2, 1)


async def test_the_lock_is_given_back(sandbox: Sandbox, sandbox_res: Resources) -> None:
    await rig.furnish(sandbox)
    person = await follower(sandbox)
    await send(rig.another_process(sandbox_res), person.openid)
    assert await sandbox_res.redis.keys("wechat:token-lock:*") == []


async def test_no_token_means_nothing_was_sent(sandbox: Sandbox, sandbox_res: Resources) -> None:
    await rig.furnish(sandbox)
    person = await follower(sandbox)
    await sandbox.ask("PUT", "/hostile", {"token": ["500", {"errcode": 40164, "errmsg": "invalid ip 1.2.3.4"}]})
    first = await send(rig.another_process(sandbox_res), person.openid)
    assert (first.meaning, first.errcode) == (Meaning.RETRY, None)
    second = await send(rig.another_process(sandbox_res), person.openid)
    assert (second.meaning, second.errcode) == (Meaning.PARK, 40164)
    assert SEND not in await stats(sandbox)


# Messages


async def test_a_template_message_repeated_with_its_key_is_sent_once(sandbox: Sandbox, sandbox_res: Resources) -> None:
    await rig.furnish(sandbox)
    person, api = await follower(sandbox), wechat_api.of(sandbox_res)
    first = await send(api, person.openid, page=messages.Page(rig.MINI.appid, "pages/bill/index?id=1"))
    assert isinstance(first, Sent)
    assert first.msgid
    assert await send(api, person.openid) == first
    accepted = (await sandbox.ask("GET", f"/messages?openid={person.openid}"))["messages"]
    assert [each["data"] for each in accepted] == [{key: {"value": value} for key, value in rig.FIELDS.items()}]


@pytest.mark.parametrize(
    ("changed", "meaning", "errcode"),
    [
        ({"template_id": "none"}, Meaning.PARK, 40037),
        ({"data": {**rig.FIELDS, "thing1": "字" * 21}}, Meaning.PARK, 47003),
    ],
)
async def test_refusals_are_data(
    sandbox: Sandbox, sandbox_res: Resources, changed: dict[str, Any], meaning: Meaning, errcode: int
) -> None:
    await rig.furnish(sandbox)
    person = await follower(sandbox)
    outcome = await send(wechat_api.of(sandbox_res), person.openid, **changed)
    assert isinstance(outcome, Refused)
    assert (outcome.meaning, outcome.errcode) == (meaning, errcode)


async def test_someone_who_does_not_follow_is_not_written_to_again(sandbox: Sandbox, sandbox_res: Resources) -> None:
    await rig.furnish(sandbox)
    stranger = await rig.user(sandbox, rig.OFFICIAL)
    outcome = await send(wechat_api.of(sandbox_res), stranger.openid)
    assert (outcome.meaning, outcome.errcode) == (Meaning.STOP_PERSON, 43004)


@pytest.mark.parametrize(
    ("behaviour", "meaning"),
    [({"errcode": 45009}, Meaning.BACK_OFF_TODAY), ({"errcode": -1}, Meaning.RETRY)],
)
async def test_scripted_refusals(
    sandbox: Sandbox, sandbox_res: Resources, behaviour: dict[str, int], meaning: Meaning
) -> None:
    await rig.furnish(sandbox)
    person = await follower(sandbox)
    await sandbox.ask("PUT", "/hostile", {"messages": [behaviour]})
    outcome = await send(wechat_api.of(sandbox_res), person.openid)
    assert outcome.meaning is meaning


async def test_no_readable_answer_is_unknown(sandbox: Sandbox, sandbox_res: Resources) -> None:
    await rig.furnish(sandbox)
    person = await follower(sandbox)
    await sandbox.ask("PUT", "/hostile", {"messages": ["500"]})
    assert isinstance(await send(wechat_api.of(sandbox_res), person.openid), Unknown)


async def test_nobody_listening_means_retry(res: Resources) -> None:
    outcome = await send(wechat_api.of(res), "o")
    assert (outcome.meaning, outcome.errcode) == (Meaning.RETRY, None)


async def test_a_subscription_is_used_up(sandbox: Sandbox, sandbox_res: Resources) -> None:
    await rig.furnish(sandbox)
    person, api = await rig.user(sandbox), wechat_api.of(sandbox_res)
    consent = {"appid": rig.MINI.appid, "template_id": "sub-1", "answer": "accept"}
    await sandbox.ask("POST", f"/users/{person.id}/consent", consent)

    async def subscribe() -> Any:
        return await messages.send_subscription(
            api, rig.MINI, openid=person.openid, template_id="sub-1", data=rig.FIELDS, page="pages/bill/index"
        )

    assert isinstance(await subscribe(), Sent)
    refused = await subscribe()
    assert (refused.meaning, refused.errcode) == (Meaning.DROP, 43101)


async def test_every_fitted_value_is_taken(sandbox: Sandbox, sandbox_res: Resources) -> None:
    """The product's rules are at least as strict as the sandbox's, written apart from each other."""
    await rig.furnish(sandbox)
    person, api = await follower(sandbox), wechat_api.of(sandbox_res)
    for number, text in enumerate(
        ["", "1栋\n101 室", "🏠" * 30, "a b c", "阳光花园" * 9, "\u200b", "<b>&amp;", "张三 Li"]
    ):
        data = fields.fit_all({**rig.FIELDS, "thing1": text, "phrase4": text})
        assert isinstance(await send(api, person.openid, f"key-{number}", data=data), Sent), text


# Shipping


async def test_a_shipping_report_is_sent_once_and_may_be_repeated(sandbox: Sandbox, sandbox_res: Resources) -> None:
    await rig.furnish(sandbox)
    merchant, payer = await rig.merchant(sandbox), await rig.user(sandbox)
    await rig.channel(sandbox_res).prepay(merchant, rig.request(sandbox_res, payer.openid, "LL202609010009"))

    async def report() -> Any:
        return await shipping.upload_shipping_info(
            wechat_api.of(sandbox_res),
            rig.MINI,
            mchid=merchant.mchid,
            out_trade_no="LL202609010009",
            openid=payer.openid,
            item="物业费" * 50,
            at=sandbox_res.clock.now(),
        )

    unpaid = await report()
    assert isinstance(unpaid, Refused)
    await sandbox.ask("POST", f"/orders/{merchant.mchid}/LL202609010009/pay", {})
    assert await report() == Sent()
    assert await report() == Sent()
    uploads = (await sandbox.ask("GET", "/shipping"))["uploads"]
    assert [each["request"]["logistics_type"] for each in uploads] == [3]
