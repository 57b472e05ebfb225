"""Notifications: the real ladder, what counts as delivered, hostile deliveries, forged callbacks, restarts."""

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

from tests import vectors
from tests.sandbox.rig import Catcher, Rig, catcher, play, running

LADDER_S = [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600]
NUMBER = "WY202609010001"


async def pay(rig: Rig, merchant: Catcher, number: str = NUMBER) -> None:
    _, openid = await rig.user()
    assert (await rig.order(openid, merchant.url, out_trade_no=number)).status == 200
    await rig.control("POST", f"/orders/{vectors.MCHID}/{number}/pay")


async def notification(rig: Rig, number: str = NUMBER) -> Any:
    found = (await rig.control("GET", f"/notifications?out_trade_no={number}"))["notifications"]
    assert len(found) == 1
    return found[0]


async def flush(rig: Rig) -> int:
    return int((await rig.control("POST", "/notifications/flush"))["count"])


def test_a_payment_is_told_by_a_signed_and_encrypted_callback(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with catcher(rig) as merchant:
            await pay(rig, merchant)
            await merchant.until(1)
            told = merchant.caught[0]
            assert told.is_genuine() and told.serial == rig.public_key_id
            assert told.headers["User-Agent"] == "Mozilla/4.0"
            assert told.headers["Content-Type"] == "application/json"
            assert told.json["event_type"] == "TRANSACTION.SUCCESS"
            assert told.opened() == (await rig.query()).json
            await flush(rig)
            stored = await notification(rig)
            assert (stored["state"], stored["id"]) == ("delivered", told.json["id"])
            assert stored["body"].encode() == told.body

    play(tmp_path, scene)


def test_refused_callbacks_are_repeated_on_the_real_ladder_and_then_given_up(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with catcher(rig) as merchant:
            merchant.statuses = [500] * 20
            await pay(rig, merchant)
            await flush(rig)
            for count, delay_s in enumerate(LADDER_S, start=1):
                stored = await notification(rig)
                assert len(stored["attempts"]) == count
                waited_s = stored["next_at_s"] - stored["attempts"][-1]["at_s"]
                assert abs(waited_s - delay_s) < 0.001
                rig.advance(delay_s - 3)
                assert await flush(rig) == 0
                rig.advance(3)
                await flush(rig)
            stored = await notification(rig)
            assert (stored["state"], len(stored["attempts"]), stored["next_at"]) == ("given_up", 16, None)
            assert len({told.body for told in merchant.caught}) == 1
            for name in ("Wechatpay-Nonce", "Wechatpay-Signature"):
                assert len({told.headers[name] for told in merchant.caught}) == 16
            assert all(told.is_genuine() for told in merchant.caught)

    play(tmp_path, scene)


def test_only_200_and_204_within_five_seconds_are_delivered(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        for position, (status, outcome) in enumerate([(200, "delivered"), (201, "refused"), (302, "refused")]):
            async with catcher(rig) as merchant:
                merchant.statuses = [status]
                await pay(rig, merchant, f"WY000{position}")
                await flush(rig)
                attempts = (await notification(rig, f"WY000{position}"))["attempts"]
                assert [(attempt["status"], attempt["outcome"]) for attempt in attempts] == [(status, outcome)]
                assert len(merchant.caught) == 1
        async with catcher(rig) as slow:
            slow.wait_s = 20
            began = time.monotonic()
            await pay(rig, slow, "WYslow")
            await flush(rig)
            assert 4.5 < time.monotonic() - began < 15
            assert (await notification(rig, "WYslow"))["attempts"][0]["outcome"] == "timeout"

    play(tmp_path, scene)


def test_a_killed_sandbox_forgets_nothing_and_goes_on_repeating(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with catcher(rig) as merchant:
            merchant.statuses = [503]
            await pay(rig, merchant)
            await flush(rig)
            token = await rig.token()
            await rig.control("PUT", "/hostile", {"query": ["500"]})
            rig.stop(signal.SIGKILL)
            rig.start()
            assert (await rig.query()).status == 500
            paid = await rig.query()
            assert paid.json["trade_state"] == "SUCCESS" and paid.is_genuine()
            assert await rig.token() == token
            rig.advance(15)
            await merchant.until(2)
            assert merchant.caught[0].body == merchant.caught[1].body
            await flush(rig)
            assert (await notification(rig))["state"] == "delivered"

    play(tmp_path, scene)


def test_lost_callbacks_never_come_unless_repeated_by_hand(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with catcher(rig) as merchant:
            await rig.control("PUT", "/hostile", {"lose_callbacks": 1})
            await pay(rig, merchant)
            await flush(rig)
            rig.advance(15)
            await flush(rig)
            stored = await notification(rig)
            assert stored["is_lost"] and {attempt["outcome"] for attempt in stored["attempts"]} == {"lost"}
            assert merchant.caught == []
            answer = await rig.control("POST", f"/notifications/{stored['id']}/repeat")
            assert (answer["outcome"], answer["status"], len(merchant.caught)) == ("delivered", 204, 1)
            assert (await notification(rig))["state"] == "delivered"
            await pay(rig, merchant, "WYnext")
            await merchant.until(2)

    play(tmp_path, scene)


def test_callbacks_come_doubled_late_and_before_the_answer(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with catcher(rig) as merchant:
            await rig.control("PUT", "/hostile", {"duplicate_callbacks": 1})
            await pay(rig, merchant, "WYtwice")
            await merchant.until(2)
            assert merchant.caught[0].body == merchant.caught[1].body
            await rig.control("PUT", "/hostile", {"delay_callbacks_s": 600})
            await pay(rig, merchant, "WYlate1")
            assert await flush(rig) == 0
            rig.advance(600)
            await merchant.until(3)
            await rig.control("DELETE", "/hostile")
            await rig.control("PUT", "/hostile", {"callback_before_answer": 1})
            _, openid = await rig.user()
            made = await rig.order(openid, merchant.url, out_trade_no="WYfirst")
            assert made.status == 200
            assert merchant.caught[-1].opened()["out_trade_no"] == "WYfirst"

    play(tmp_path, scene)


def test_a_probe_comes_first_and_the_genuine_callback_follows(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with catcher(rig) as merchant:
            merchant.statuses = [401]
            await rig.control("PUT", "/hostile", {"signtest_rate": 1.0, "seed": 7})
            await pay_through_probes(rig, merchant)
            await merchant.until(2)
            probe, genuine = merchant.caught
            assert probe.headers["Wechatpay-Signature"].startswith("WECHATPAY/SIGNTEST/")
            assert not probe.is_genuine() and genuine.is_genuine()
            assert probe.body == genuine.body
            await flush(rig)
            outcomes = [attempt["outcome"] for attempt in (await notification(rig))["attempts"]]
            assert outcomes == ["signtest_refused", "delivered"]
            assert (await rig.query()).headers["Wechatpay-Signature"].startswith("WECHATPAY/SIGNTEST/")

    play(tmp_path, scene)


async def pay_through_probes(rig: Rig, merchant: Catcher) -> None:
    _, openid = await rig.user()
    await rig.order(openid, merchant.url)
    await rig.control("POST", f"/orders/{vectors.MCHID}/{NUMBER}/pay")


FORGED = {
    "bad_signature": False,
    "old_timestamp": True,
    "signtest": False,
    "unknown_serial": True,
    "wrong_amount": True,
    "wrong_mchid": True,
    "wrong_appid": True,
    "wrong_currency": True,
    "unknown_order": True,
}


def test_each_forged_callback_is_wrong_in_one_way_and_leaves_the_books_alone(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with catcher(rig) as merchant:
            merchant.statuses = [418] * len(FORGED)
            _, openid = await rig.user()
            await rig.order(openid, merchant.url)
            true = {"mchid": vectors.MCHID, "appid": vectors.APPID, "out_trade_no": NUMBER}
            changed = {
                "wrong_amount": ("amount", {"total": 1, "payer_total": 1, "currency": "CNY", "payer_currency": "CNY"}),
                "wrong_mchid": ("mchid", "1900000001"),
                "wrong_appid": ("appid", "wx000000000000dead"),
                "unknown_order": ("out_trade_no", f"NOBODY{NUMBER}"),
            }
            for kind, signed in FORGED.items():
                body = {"kind": kind, "mchid": vectors.MCHID, "out_trade_no": NUMBER}
                answer = await rig.control("POST", "/forge", body | ({"amount_fen": 1} if "amount" in kind else {}))
                assert (answer["status"], answer["body"]) == (418, "answered")
                told = merchant.caught[-1]
                assert told.is_genuine() is signed, kind
                assert (told.serial == rig.public_key_id) is (kind != "unknown_serial"), kind
                age_s = rig.now_s() - int(told.headers["Wechatpay-Timestamp"])
                assert (age_s > 300) is (kind == "old_timestamp"), kind
                trade = told.opened()
                expected = true | dict([changed[kind]] if kind in changed else [])
                assert {name: trade[name] for name in expected} == expected, kind
                assert (trade["amount"]["currency"] == "USD") is (kind == "wrong_currency"), kind
            assert (await rig.query()).json["trade_state"] == "NOTPAY"
            assert (await rig.control("GET", f"/books?mchid={vectors.MCHID}"))["count"] == 0

    play(tmp_path, scene)


def test_in_the_migration_callbacks_carry_both_kinds_of_serial(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with catcher(rig) as merchant:
            merchant.statuses = [500]
            await pay(rig, merchant)
            await flush(rig)
            rig.advance(15)
            await merchant.until(2)
            serials = {told.serial for told in merchant.caught}
            assert len(serials) == 2 and rig.public_key_id in serials

    play(tmp_path, scene, mode="both")


def test_a_merchant_without_an_apiv3_key_is_told_nothing(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with catcher(rig) as merchant:
            settings = rig.merchant() | {"apiv3_key": ""}
            await rig.control("PUT", f"/merchants/{vectors.MCHID}", settings)
            await pay(rig, merchant)
            assert await flush(rig) == 0
            assert (await rig.query()).json["trade_state"] == "SUCCESS"

    play(tmp_path, scene)


def test_many_callbacks_are_delivered_side_by_side(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with catcher(rig) as merchant:
            merchant.wait_s = 0.3
            _, openid = await rig.user()
            numbers = [f"WYmany{position}" for position in range(40)]
            for number in numbers:
                await rig.order(openid, merchant.url, out_trade_no=number)
            began = time.monotonic()
            paths = [f"/orders/{vectors.MCHID}/{number}/pay" for number in numbers]
            await asyncio.gather(*(rig.control("POST", path) for path in paths))
            await merchant.until(40)
            assert time.monotonic() - began < 6
            told = {caught.opened()["out_trade_no"] for caught in merchant.caught}
            assert told == set(numbers) and len(merchant.caught) == 40

    play(tmp_path, scene)


def test_the_first_start_makes_keys_of_its_own_and_one_line(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path / "fresh", seeded=False) as rig:
            await rig.furnish()
            assert (await rig.query()).status == 404
            first = rig.public_key_id
            assert rig.stop() == 0
            rig.start()
            await rig.furnish()
            assert rig.public_key_id == first and first.startswith("PUB_KEY_ID_0000")
            assert (tmp_path / "fresh" / "public-mode-key.pem").stat().st_mode & 0o077 == 0
            health = await rig.control("GET", "/health")
            assert health["status"] == "ok"

    asyncio.run(scene())
