"""Scenarios: seeded rates of everything that goes wrong, reproducible, while the books stay the truth."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests import vectors
from tests.sandbox.rig import Catcher, Rig, catcher, play, running
from tests.sandbox.test_refunds import refund

NOTIFY = "https://pay.example.com/notify/wx"


async def scenario(rig: Rig, seed: int = 7, **more: Any) -> Any:
    return await rig.control("PUT", "/scenario", {"seed": seed, **more})


async def decisions(rig: Rig) -> list[tuple[str, int]]:
    answer = await rig.control("GET", "/scenario/decisions")
    return [(one["kind"], one["draw"]) for one in answer["decisions"]]


async def pay(rig: Rig, number: str, notify_url: str = NOTIFY) -> None:
    _, openid = await rig.user()
    assert (await rig.order(openid, notify_url, out_trade_no=number)).status == 200
    await rig.control("POST", f"/orders/{vectors.MCHID}/{number}/pay")


async def flushed(rig: Rig, merchant: Catcher) -> list[Any]:
    await rig.control("POST", "/notifications/flush")
    return [(told.json["id"], told.is_genuine(), told.opened()) for told in merchant.caught]


def test_the_same_seed_goes_wrong_in_the_same_way_whatever_the_numbers(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        runs = []
        rates = {
            "lose_callbacks": 0.3,
            "duplicate_callbacks": 0.3,
            "delay_callbacks": 0.3,
            "query.429": 0.4,
            "500": 0.2,
        }
        for round_, seed in enumerate((7, 7, 8)):
            await scenario(rig, seed, rates=rates)
            _, openid = await rig.user()
            answers = []
            for position in range(10):
                number = f"WY{round_}x{position:04d}"
                answers.append((await rig.order(openid, NOTIFY, out_trade_no=number)).status)
                answers.append((await rig.query(number)).status)
            runs.append((await decisions(rig), answers))
        assert runs[0] == runs[1] != runs[2]
        assert {500, 429, 200} <= set(runs[0][1])

    play(tmp_path, scene)


def test_draws_outlive_a_restart(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async def statuses(restart: bool) -> list[int]:
            await scenario(rig, 3, rates={"query.500": 0.5})
            found = [(await rig.query()).status for _ in range(6)]
            if restart:
                rig.stop()
                rig.start()
            return found + [(await rig.query()).status for _ in range(6)]

        assert await statuses(restart=False) == await statuses(restart=True)

    play(tmp_path, scene)


def test_a_lie_comes_first_correctly_signed_and_the_truth_follows(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with catcher(rig) as merchant:
            await scenario(rig, rates={"lie_callbacks": 1, "lie_answers": 1})
            await pay(rig, "WYlie01", merchant.url)
            ((lie_id, signed, lie),) = await flushed(rig, merchant)
            assert signed and lie["amount"]["total"] != 12345
            rig.advance(15)
            _, (truth_id, _, truth) = await flushed(rig, merchant)
            assert truth_id != lie_id and truth["amount"]["total"] == 12345
            assert truth["transaction_id"] == lie["transaction_id"]
            assert (await rig.query("WYlie01")).json["amount"]["total"] != 12345
            await refund(rig, "RF1", 345, out_trade_no="WYlie01")
            told = await rig.pay_call("GET", "/v3/refund/domestic/refunds/RF1")
            assert told.is_genuine() and told.json["amount"]["refund"] != 345
            books = await rig.control("GET", "/truth")
            assert books["merchants"][vectors.MCHID]["paid_fen"] == 12345

    play(tmp_path, scene)


def test_a_forged_callback_tells_of_an_unpaid_order_and_is_sent_once(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with catcher(rig) as merchant:
            merchant.statuses = [401]
            await scenario(rig, rates={"forge_callbacks": 1})
            _, openid = await rig.user()
            await rig.order(openid, merchant.url)
            rig.advance(2)
            ((_, signed, told),) = await flushed(rig, merchant)
            assert not signed and told["trade_state"] == "SUCCESS"
            rig.advance(60)
            assert len(await flushed(rig, merchant)) == 1
            assert (await rig.query()).json["trade_state"] == "NOTPAY"

    play(tmp_path, scene)


def test_callbacks_are_lost_doubled_late_and_out_of_order(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with catcher(rig) as merchant:
            await scenario(rig, rates={"reorder_callbacks": 1}, reorder_s=60)
            numbers = [f"WYorder{position}" for position in range(8)]
            for number in numbers:
                await pay(rig, number, merchant.url)
            for _ in range(61):
                await flushed(rig, merchant)
                rig.advance(1)
            told = [one["out_trade_no"] for _, _, one in await flushed(rig, merchant)]
            assert sorted(told) == numbers != told
            await scenario(rig, rates={"duplicate_callbacks": 1})
            await pay(rig, "WYtwice", merchant.url)
            assert [one[2]["out_trade_no"] for one in (await flushed(rig, merchant))[8:]] == ["WYtwice"] * 2
            await scenario(rig, rates={"delay_callbacks": 1}, delay_s=600)
            await pay(rig, "WYlate01", merchant.url)
            await scenario(rig, rates={"lose_callbacks": 1})
            await pay(rig, "WYlost01", merchant.url)
            rig.advance(600)
            assert {one[2]["out_trade_no"] for one in (await flushed(rig, merchant))[10:]} == {"WYlate01"}

    play(tmp_path, scene)


def test_a_closed_order_is_paid_all_the_same(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with catcher(rig) as merchant:
            await scenario(rig, rates={"late_payments": 1})
            _, openid = await rig.user()
            await rig.order(openid, merchant.url)
            assert (await rig.close()).status == 204
            assert (await rig.query()).json["trade_state"] == "CLOSED"
            rig.advance(2)
            await merchant.until(1)
            assert merchant.caught[0].opened()["payer"]["openid"] == openid
            assert (await rig.query()).json["trade_state"] == "SUCCESS"
            await scenario(rig, rates={"callback_before_answer": 1})
            assert (await rig.order(openid, merchant.url, out_trade_no="WYfirst")).status == 200
            assert merchant.caught[-1].opened()["out_trade_no"] == "WYfirst"

    play(tmp_path, scene)


def test_a_call_is_cut_before_or_after_acting_or_answered_late(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        _, openid = await rig.user()
        for answer, status in (("cut", 404), ("act_then_cut", 200)):
            await scenario(rig, rates={f"prepay.{answer}": 1})
            with pytest.raises(aiohttp.ClientError):
                await rig.order(openid, NOTIFY)
            assert (await rig.query()).status == status
        await scenario(rig, rates={"query.late": 1, "refund.act_then_hang": 1}, late_s=0.4)
        began = asyncio.get_running_loop().time()
        assert (await rig.query()).status == 200
        assert asyncio.get_running_loop().time() - began >= 0.4
        await rig.control("POST", f"/orders/{vectors.MCHID}/WY202609010001/pay")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(refund(rig, "RF1", 345), 0.5)
        assert len((await rig.control("GET", f"/refunds?mchid={vectors.MCHID}"))["refunds"]) == 1

    play(tmp_path, scene)


def test_refunds_end_badly_by_draw_and_the_truth_adds_up(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        await rig.control("PUT", "/hostile", {"refund_delay_s": 0})
        for number in ("WYa0001", "WYb0001", "WYc0001"):
            await pay(rig, number)
        await refund(rig, "RFa", 100, out_trade_no="WYa0001")
        await scenario(rig, rates={"refund_closed": 1})
        await refund(rig, "RFb", 200, out_trade_no="WYb0001")
        await scenario(rig, rates={"refund_abnormal": 1})
        await refund(rig, "RFc", 12345, out_trade_no="WYc0001")
        truth = (await rig.control("GET", "/truth"))["merchants"][vectors.MCHID]
        assert (truth["paid_fen"], truth["refunded_fen"], truth["refunding_fen"]) == (3 * 12345, 100, 12345)
        assert len(truth["payments"]) == 3 and len(truth["refunds"]) == 3
        assert truth["fees_fen"] == 3 * 74 - 1 - 74

    play(tmp_path, scene)


def test_a_mistyped_scenario_is_refused_and_a_reset_is_friendly(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        for wrong in (
            {"rates": {"loose_callbacks": 1}},
            {"rates": {"lose_callbacks": 2}},
            {"rates": {"token.500": 1}},
            {"delay_s": -1},
            {"speed": 1},
        ):
            await rig.control("PUT", "/scenario", {"seed": 1, **wrong}, status=400)
        await rig.control("PUT", "/scenario", {"rates": {}}, status=400)
        await scenario(rig, rates={"500": 1})
        assert (await rig.query()).status == 500
        await rig.control("DELETE", "/scenario")
        assert (await rig.query()).status == 404
        assert await decisions(rig) == []

    play(tmp_path, scene)


def test_a_file_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as rig:
            await rig.furnish()
            await pay(rig, "WYold001")
            rig.stop()
            with sqlite3.connect(tmp_path / "sandbox.sqlite3") as db:
                db.execute("DROP INDEX orders_paid_late")
                db.execute("ALTER TABLE orders DROP COLUMN pay_at_s")
                db.execute("ALTER TABLE merchants DROP COLUMN sub_merchants")
            rig.start()
            assert (await rig.query("WYold001")).json["trade_state"] == "SUCCESS"
            assert json.dumps(await rig.control("GET", f"/merchants/{vectors.MCHID}"))

    asyncio.run(scene())
