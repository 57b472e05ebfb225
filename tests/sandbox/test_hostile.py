"""Scripted bad behaviour of prepay, query, close, token and message calls."""

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from tests import vectors
from tests.sandbox.rig import MINI_APPID, SECRET, Rig, play

NOTIFY = "https://pay.example.com/notify/wx"


def test_prepay_misbehaves_as_scripted_and_then_no_more(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        _, openid = await rig.user()
        script = ["500", "429", "bad_signature", "old_serial", "truncated", "act_then_500"]
        await rig.control("PUT", "/hostile", {"prepay": script})
        failed = await rig.order(openid, NOTIFY)
        assert (failed.status, failed.json["code"]) == (500, "SYSTEM_ERROR")
        limited = await rig.order(openid, NOTIFY)
        assert (limited.status, limited.json["code"]) == (429, "FREQUENCY_LIMITED")
        assert (await rig.query()).status == 404
        forged = await rig.order(openid, NOTIFY)
        assert forged.status == 200 and not forged.is_genuine() and forged.serial == rig.public_key_id
        yesterday = await rig.order(openid, NOTIFY)
        assert yesterday.is_genuine() and yesterday.serial != rig.public_key_id
        cut = await rig.order(openid, NOTIFY)
        assert cut.is_genuine()
        with pytest.raises(json.JSONDecodeError):
            _ = cut.json
        after = await rig.order(openid, NOTIFY, out_trade_no="WYafter500")
        assert after.status == 500 and (await rig.query("WYafter500")).status == 200
        friendly = await rig.order(openid, NOTIFY)
        assert friendly.status == 200 and friendly.is_genuine()
        assert (await rig.control("GET", "/hostile"))["prepay"] == []

    play(tmp_path, scene)


def test_hanging_calls_hold_the_connection_and_act_or_not(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        _, openid = await rig.user()
        await rig.control("PUT", "/hostile", {"prepay": ["hang", "act_then_hang"], "close": ["act_then_hang"]})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(rig.order(openid, NOTIFY), 0.5)
        assert (await rig.query()).status == 404
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(rig.order(openid, NOTIFY), 0.5)
        assert (await rig.query()).json["trade_state"] == "NOTPAY"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(rig.close(), 0.5)
        assert (await rig.query()).json["trade_state"] == "CLOSED"

    play(tmp_path, scene)


def test_token_and_message_calls_misbehave_as_scripted(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        await rig.control("PUT", "/hostile", {"token": [{"errcode": 45009}, "500"], "messages": [{"errcode": -1}]})
        body = {"grant_type": "client_credential", "appid": MINI_APPID, "secret": SECRET}
        refused = await rig.api("POST", "/cgi-bin/stable_token", body)
        assert refused["errcode"] == 45009 and " rid: " in refused["errmsg"]
        async with rig.http.post(f"{rig.url}/cgi-bin/stable_token", json=body) as failed:
            assert failed.status == 500
        token = await rig.token()
        busy = await rig.api("POST", "/cgi-bin/message/subscribe/send", {}, access_token=token)
        assert busy["errcode"] == -1
        invalid = await rig.api("POST", "/cgi-bin/message/subscribe/send", {}, access_token=token)
        assert invalid["errcode"] == 40037

    play(tmp_path, scene)


def test_the_control_api_refuses_mistyped_switches(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        for wrong in ({"loose_callbacks": 1}, {"prepay": ["explode"]}, {"lose_callbacks": -1}, {"query": "500"}):
            answer = await rig.control("PUT", "/hostile", wrong, status=400)
            assert answer["error"]["message"]
        await rig.control("POST", "/users", {"name": "x"}, status=400)
        await rig.control("POST", "/forge", {"kind": "nice", "mchid": vectors.MCHID}, status=400)
        await rig.control("POST", "/users/nobody/login-code", {"appid": MINI_APPID}, status=404)
        async with rig.http.put(f"{rig.url}/control/hostile", data=b"{") as broken:
            assert broken.status == 400

    play(tmp_path, scene)


def test_stats_count_every_call_of_the_wire(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        for _ in range(3):
            await rig.token()
        await rig.query()
        stats = await rig.control("GET", "/stats")
        assert stats["POST /cgi-bin/stable_token"] == 3
        assert stats["tokens issued"] == 1
        assert stats["GET /v3/pay/transactions/out-trade-no/{out_trade_no}"] == 1

    play(tmp_path, scene)


def test_a_client_that_leaves_frees_the_sandbox(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        await rig.control("PUT", "/hostile", {"query": ["hang"] * 20})
        impatient = aiohttp.ClientTimeout(total=0.3)
        async with aiohttp.ClientSession(timeout=impatient) as other:
            hasty = Rig(rig.data_dir, other, url=rig.url)
            calls = [hasty.query() for _ in range(20)]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(outcome, TimeoutError) for outcome in outcomes)
        assert (await rig.query()).status == 404
        assert rig.stop() == 0

    play(tmp_path, scene)
