"""The message server over HTTP: the handshake, the modes, copies, and what is not WeChat's (R10, pitfalls E10)."""

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import pytest
import xmltodict

from backend.composition import CHECKS, HANDLERS
from backend.kernel.resources import Resources
from backend.wechat import push_log
from backend.wechat.push_settings import PushMode
from backend.wechat.pushes import EVENT, Push
from tests import factories
from tests.conftest import Client
from tests.factories_account import GH, MINI, MINI_GH, OFFICIAL, TOKEN, Wechat, account, reply, signature
from tests.soundness import broken

AT_S = 1788228000


async def rows(res: Resources) -> list[dict[str, Any]]:
    return [dict(row.items()) for row in await res.db.fetch("SELECT * FROM wechat_push ORDER BY received_at, kind")]


def handshake(appid: str = OFFICIAL, token: str = TOKEN) -> str:
    signed = {"signature": signature(token, "1788230400", "1320562132"), "timestamp": "1788230400"}
    return f"/wechat/{appid}?{urlencode({**signed, 'nonce': '1320562132', 'echostr': '4815162342'})}"


async def test_the_handshake_is_answered_with_the_echo_and_a_wrong_one_with_the_plain_failure(
    res: Resources, client: Client
) -> None:
    await account(res, await factories.community(res))
    right = await client.get(handshake())
    assert (right.status, right.body) == (200, b"4815162342")
    assert right.headers["content-type"].startswith("text/plain")
    for path in (
        handshake(token="Another"), handshake(appid="wx_nobody"), handshake(appid=f"{OFFICIAL}x"),
        f"/wechat/{OFFICIAL}", f"/wechat/{OFFICIAL}?echostr=1", f"/wechat/{OFFICIAL}?signature=%C3%A9&echostr=1",
    ):  # fmt: skip
        wrong = await client.get(path)
        assert (wrong.status, wrong.body) == (403, b"failure"), path


@pytest.mark.parametrize("safe", [True, False])
async def test_a_click_is_answered_in_the_mode_in_which_it_came(res: Resources, client: Client, safe: bool) -> None:
    place = await factories.community(res)
    await account(res, place, PushMode.COMPATIBLE)
    await reply(res, place, "click", "BILL_QUERY", "回复“账单”查看本月账单。]]>")
    wechat = Wechat(client, res.clock, safe=safe)
    answer = await wechat.event("oFan", "CLICK", "BILL_QUERY")
    assert wechat.said(answer) == "回复“账单”查看本月账单。]]>"
    assert (b"<Encrypt>" in answer.body) is safe
    assert [(row["kind"], row["outcome"]) for row in await rows(res)] == [("click", "replied")]
    assert await broken(res.db, CHECKS) == []


async def test_safe_mode_takes_nothing_that_is_not_encrypted(res: Resources, client: Client) -> None:
    await account(res, await factories.community(res), PushMode.SAFE)
    answer = await Wechat(client, res.clock, safe=False).event("oFan", "subscribe")
    assert (answer.status, answer.body) == (403, b"failure")
    assert await rows(res) == []


async def test_plain_mode_takes_plain_pushes_and_no_encrypted_ones(res: Resources, client: Client) -> None:
    await account(res, await factories.community(res), PushMode.PLAIN)
    assert (await Wechat(client, res.clock, safe=True).event("oFan", "subscribe")).status == 403
    assert Wechat(client, res.clock, safe=False).said(
        await Wechat(client, res.clock, safe=False).event("oFan", "subscribe")
    )


async def test_forged_pushes_get_the_plain_failure_and_leave_nothing(res: Resources, client: Client) -> None:
    await account(res, await factories.community(res))
    wechat = Wechat(client, res.clock)
    good = xmltodict.unparse({"xml": wechat.document("oFan", {"MsgType": "event", "Event": "subscribe"})})
    path, body = wechat.request(good)
    foreign = Wechat(client, res.clock, appid=MINI, original_id=MINI_GH)
    _, for_another = foreign.request(good)
    other_path, _ = wechat.request(good)
    big = xmltodict.unparse({"xml": wechat.document("oFan", {"MsgType": "text", "Content": "x" * (65 << 10)})})
    old = xmltodict.unparse(
        {"xml": wechat.document("oFan", {"MsgType": "event", "Event": "subscribe"}, AT_S - 900_000)}
    )
    for wrong_path, wrong_body in (
        (path.replace("msg_signature=", "msg_signature=0"), body), (path.replace("?signature", "?s"), body),
        (path.replace("signature=", "signature=0", 1), body), (path, for_another), (other_path, body),
        (path, body.replace(b"<Encrypt>", b"<Encrypted>").replace(b"</Encrypt>", b"</Encrypted>")), (path, b""),
        (path, b"{}"), (path, b'<!DOCTYPE x [<!ENTITY a "b">]><xml>&a;</xml>'), (path.replace(OFFICIAL, MINI), body),
        (path.replace(OFFICIAL, "wx_nobody"), body), wechat.request(big), wechat.request(old), wechat.request("<xml/>"),
        Wechat(client, res.clock, original_id="gh_another").request(good.replace(GH, "gh_another")),
    ):  # fmt: skip
        answer = await client.call("POST", wrong_path, raw=wrong_body)
        assert (answer.status, answer.body) == (403, b"failure"), wrong_path
    assert await rows(res) == []
    assert await res.db.fetchval("SELECT count(*) FROM wechat_user") == 0
    assert (await client.call("POST", path, raw=body)).status == 200


async def test_e10_a_hundred_copies_of_one_push_at_once_make_one_effect_and_get_one_answer(
    res: Resources, client: Client
) -> None:
    await account(res, await factories.community(res))
    wechat = Wechat(client, res.clock)
    answers = await asyncio.gather(
        *(wechat.event("oFan", "subscribe" if number % 2 else "Subscribe", at_s=AT_S) for number in range(100))
    )
    assert len({wechat.said(answer) for answer in answers}) == 1
    assert [(row["kind"], row["outcome"]) for row in await rows(res)] == [("subscribe", "replied")]
    assert await res.db.fetchval("SELECT count(*) FROM wechat_user") == 1
    assert await res.db.fetchval("SELECT count(*) FROM outbox WHERE event = 'wechat.subscribe'") == 1


async def test_what_somebody_waits_for_goes_into_the_outbox_and_the_rest_is_noted_as_ignored(
    res: Resources, client: Client
) -> None:
    await account(res, await factories.community(res))
    wechat = Wechat(client, res.clock)
    known = {event.removeprefix(EVENT) for event in HANDLERS if event.startswith(EVENT)}
    told = sorted({*known, "subscribe", "view", "location", "debug_demo", "templatesendjobfinish"})
    for name in told:
        answer = await wechat.event("oFan", name.upper(), "https://linli.example")
        assert answer.status == 200, name
    emitted = {row["event"] for row in await res.db.fetch("SELECT event FROM outbox WHERE event LIKE 'wechat.%'")}
    assert emitted == {EVENT + name for name in known}
    outcomes = {row["kind"]: row["outcome"] for row in await rows(res)}
    assert {name for name, outcome in outcomes.items() if outcome == "ignored"} == set(told) - known
    payload = await res.db.fetchval("SELECT payload FROM outbox WHERE event = 'wechat.subscribe'")
    push = Push.of("wechat.subscribe", payload)
    assert (push.appid, push.openid, push.event, push.at) == (OFFICIAL, "oFan", "subscribe", res.clock.now())


async def test_a_mini_program_tells_in_json_and_is_answered_in_one_word(res: Resources, client: Client) -> None:
    await account(res, await factories.community(res))
    wechat = Wechat(client, res.clock, appid=MINI, original_id=MINI_GH)
    answers = wechat.document("oMini", {"MsgType": "event", "Event": "user_enter_tempsession"})
    path, xml = wechat.request(json.dumps(answers))
    encrypted = xmltodict.parse(xml)["xml"]["Encrypt"]
    body = json.dumps({"ToUserName": MINI_GH, "Encrypt": encrypted}).encode()
    for _ in range(2):
        answer = await client.call("POST", path, raw=body)
        assert (answer.status, answer.body) == (200, b"success")
    assert [(row["appid"], row["kind"]) for row in await rows(res)] == [(MINI, "user_enter_tempsession")]
    written = await wechat.tell("oMini", {"MsgType": "text", "Content": "在吗", "MsgId": "1"})
    assert written.body == b"success"


async def test_pushes_are_kept_for_days_and_then_forgotten(res: Resources, client: Client) -> None:
    await account(res, await factories.community(res))
    wechat = Wechat(client, res.clock)
    await wechat.event("oFan", "VIEW", "https://linli.example")
    await push_log.forget(res, "2026-09-01")
    assert len(await rows(res)) == 1
    await res.db.execute("UPDATE wechat_push SET received_at = received_at - interval '8 days'")
    await push_log.forget(res, "2026-09-09")
    assert await rows(res) == []
