"""Alipay's notifications: what they tell, what acknowledges them, when they come again, how they are false."""

import re
from pathlib import Path

import pytest

from tests.sandbox.alipay_rig import APP_ID, NUMBER, SELLER_ID, Payee, listener, play

LADDER_S = [240, 600, 600, 3600, 7200, 21600, 54000]
WAP = {"out_trade_no": NUMBER, "total_amount": "123.45", "subject": "物业费", "product_code": "QUICK_WAP_WAY"}


def test_a_payment_is_told_by_a_signed_form(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        async with listener(payee) as merchant:
            await payee.precreate(url=merchant.url, passback_params="a%3D1%26b%3D2", body="1栋101")
            paid = await payee.payer("pay")
            await payee.flush()
            told = merchant.told()
            assert merchant.is_genuine() and len(merchant.bodies) == 1
            assert (told["trade_status"], told["total_amount"]) == ("TRADE_SUCCESS", "123.45")
            assert (told["app_id"], told["seller_id"], told["out_trade_no"]) == (APP_ID, SELLER_ID, NUMBER)
            assert (told["trade_no"], told["passback_params"]) == (paid["trade_no"], "a%3D1%26b%3D2")
            assert told["fund_bill_list"] == '[{"amount":"123.45","fundChannel":"ALIPAYACCOUNT"}]'
            assert re.fullmatch(r"20\d{32}", told["notify_id"]) and "refund_fee" not in told
            assert (await payee.notices())[0]["state"] == "delivered"

    play(tmp_path, scene)


def test_a_gbk_merchant_is_told_in_gbk(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        async with listener(payee) as merchant:
            payee.common = {"charset": "gbk"}
            await payee.paid(url=merchant.url)
            await payee.flush()
            assert merchant.told(charset="gbk")["subject"] == "物业费2026年09月"
            assert merchant.told(charset="gbk")["charset"] == "gbk" and merchant.is_genuine(charset="gbk")

    play(tmp_path, scene)


def test_refused_notifications_come_again_on_the_ladder_with_one_id(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        async with listener(payee) as merchant:
            merchant.answers = [(500, "no")] * 20
            address = payee.page_address("alipay.trade.wap.pay", WAP, notify_url=merchant.url)
            async with payee.rig.http.get(address) as page:
                assert page.status == 200
            await payee.payer("pay")
            await payee.flush()
            for count, delay_s in enumerate(LADDER_S, start=1):
                stored = (await payee.notices())[0]
                assert len(stored["attempts"]) == count
                assert abs(stored["next_at_s"] - stored["attempts"][-1]["at_s"] - delay_s) < 0.001
                payee.rig.advance(delay_s - 2)
                assert await payee.flush() == 0
                payee.rig.advance(2)
                await payee.flush()
            stored = (await payee.notices())[0]
            assert (stored["state"], len(stored["attempts"])) == ("given_up", 8)
            told = [merchant.told(position) for position in range(8)]
            assert len({one["notify_id"] for one in told}) == 1
            assert len({one["notify_time"] for one in told}) == 8
            assert all(merchant.is_genuine(position) for position in range(8))

    play(tmp_path, scene)


@pytest.mark.parametrize(
    "answer",
    [
        (200, '"success"'),
        (200, "success\n"),
        (200, "SUCCESS"),
        (200, "<html>success"),
        (302, "success"),
        (500, "success"),
    ],
)
def test_only_the_seven_characters_acknowledge(tmp_path: Path, answer: tuple[int, str]) -> None:
    async def scene(payee: Payee) -> None:
        async with listener(payee) as merchant:
            merchant.answers = [answer]
            await payee.paid(url=merchant.url)
            await payee.flush()
            outcomes = [attempt["outcome"] for attempt in (await payee.notices())[0]["attempts"]]
            assert outcomes == ["refused", "delivered"]

    play(tmp_path, scene)


def test_order_codes_are_repeated_three_times_at_once(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        async with listener(payee) as merchant:
            merchant.answers = [(500, "no")] * 20
            await payee.paid(url=merchant.url)
            await payee.flush()
            stored = (await payee.notices())[0]
            assert len(stored["attempts"]) == 4
            assert stored["next_at_s"] - stored["attempts"][-1]["at_s"] > 239

    play(tmp_path, scene)


def test_refunds_are_told_to_the_payments_address_as_the_product_does(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        async with listener(payee) as merchant:
            await payee.paid(url=merchant.url)
            await payee.flush()
            await payee.refund("23.45", "R1")
            await payee.flush()
            told = merchant.told()
            assert (told["trade_status"], told["refund_fee"], told["out_biz_no"]) == ("TRADE_SUCCESS", "23.45", "R1")
            assert re.fullmatch(r"[-\d]{10} [:\d]{8}\.\d{3}", told["gmt_refund"]) and merchant.is_genuine()
            payee.rig.advance(3)
            await payee.refund("100.00", "R2")
            await payee.flush()
            assert len(merchant.bodies) == 2

    play(tmp_path, scene)


def test_wap_tells_closed_and_finished_too(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        async with listener(payee) as merchant:
            for number in ("WY1", "WY2", "WY3"):
                address = payee.page_address(
                    "alipay.trade.wap.pay", {**WAP, "out_trade_no": number}, notify_url=merchant.url
                )
                async with payee.rig.http.get(address) as page:
                    assert page.status == 200
            await payee.close("WY1")
            await payee.flush()
            assert merchant.told()["trade_status"] == "TRADE_CLOSED"
            assert not {"refund_fee", "gmt_payment"} & set(merchant.told())
            await payee.payer("pay", "WY2")
            await payee.flush()
            await payee.refund("123.45", "R1", "WY2")
            await payee.flush()
            assert (merchant.told()["trade_status"], merchant.told()["refund_fee"]) == ("TRADE_CLOSED", "123.45")
            await payee.payer("pay", "WY3")
            await payee.payer("finish", "WY3")
            await payee.flush()
            assert merchant.told()["trade_status"] == "TRADE_FINISHED"

    play(tmp_path, scene)


def test_notifications_are_lost_doubled_late_and_repeated_on_request(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        async with listener(payee) as merchant:
            await payee.hostile(lose_notices=1)
            await payee.paid("WY1", url=merchant.url)
            await payee.hostile(duplicate_notices=1, lose_notices=0)
            await payee.flush()
            assert merchant.bodies == []
            lost = (await payee.notices("WY1"))[0]
            assert lost["is_lost"] and lost["attempts"][0]["outcome"] == "lost"
            again = await payee.rig.control("POST", f"/alipay/notifications/{lost['id']}/repeat")
            assert again["outcome"] == "delivered"
            await payee.paid("WY2", url=merchant.url)
            await payee.flush()
            assert len(merchant.bodies) == 3
            assert merchant.told(1)["notify_id"] == merchant.told(2)["notify_id"]
            await payee.hostile(delay_notices_s=60, shuffle_notices_s=30)
            await payee.paid("WY3", url=merchant.url)
            assert await payee.flush() == 0
            payee.rig.advance(90)
            await payee.flush()
            assert merchant.told()["out_trade_no"] == "WY3"

    play(tmp_path, scene)


def test_shuffled_notifications_arrive_in_another_order(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        async with listener(payee) as merchant:
            await payee.hostile(shuffle_notices_s=600, seed=3)
            numbers = [f"WY{position}" for position in range(6)]
            for number in numbers:
                await payee.paid(number, url=merchant.url)
            for _ in range(20):
                payee.rig.advance(30)
                await payee.flush()
            told = [merchant.told(position)["out_trade_no"] for position in range(6)]
            assert sorted(told) == numbers and told != numbers

    play(tmp_path, scene)


def test_a_notification_may_come_before_the_answer(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        async with listener(payee) as merchant:
            await payee.hostile(notice_before_answer=1)
            assert (await payee.precreate(url=merchant.url)).code == "10000"
            assert merchant.told()["trade_status"] == "TRADE_SUCCESS"

    play(tmp_path, scene)


def test_forged_notifications_are_false_in_one_thing(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        async with listener(payee) as merchant:
            await payee.precreate(url=merchant.url)
            genuine = {}
            for kind in ("bad_signature", "other_key", "wrong_amount", "wrong_app_id", "wrong_seller_id",
                         "unknown_order", "unknown_refund"):  # fmt: skip
                sent = await payee.rig.control("POST", "/alipay/forge", {"kind": kind, "app_id": APP_ID})
                assert (sent["outcome"], sent["body"].encode()) == ("delivered", merchant.bodies[-1])
                genuine[kind] = merchant.is_genuine()
                if kind == "wrong_amount":
                    assert merchant.told()["total_amount"] == "123.46"
            assert [kind for kind, fine in genuine.items() if not fine] == ["bad_signature", "other_key"]
            assert (await payee.query()).sub_code == "ACQ.TRADE_NOT_EXIST"
            await payee.rig.control("POST", "/alipay/forge", {"kind": "nice", "app_id": APP_ID}, status=400)

    play(tmp_path, scene)


def test_a_killed_sandbox_delivers_after_its_restart(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        async with listener(payee) as merchant:
            await payee.hostile(delay_notices_s=60)
            await payee.paid(url=merchant.url)
            payee.rig.stop(9)
            payee.rig.start()
            payee.rig.advance(60)
            await payee.flush()
            assert merchant.told()["trade_status"] == "TRADE_SUCCESS" and merchant.is_genuine()

    play(tmp_path, scene)
