"""Refunds of WeChat Pay as the sandbox plays them: rules, states, callbacks, and the way out of an abnormal one."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from sandbox import keys
from tests import vectors
from tests.sandbox.rig import Catcher, Rig, Signed, catcher, play

NUMBER = "WY202609010001"
REFUNDS = "/v3/refund/domestic/refunds"
NOTIFY = "https://pay.example.com/notify/refund"


async def paid(rig: Rig, number: str = NUMBER, total_fen: int = 12345, notify_url: str = NOTIFY) -> Any:
    _, openid = await rig.user()
    await rig.order(openid, notify_url, out_trade_no=number, amount={"total": total_fen, "currency": "CNY"})
    return await rig.control("POST", f"/orders/{vectors.MCHID}/{number}/pay")


async def refund(rig: Rig, out_refund_no: str, refund_fen: int, **changes: Any) -> Signed:
    total_fen = changes.pop("total_fen", 12345)
    body = {
        "out_trade_no": NUMBER,
        "out_refund_no": out_refund_no,
        "reason": "多交了",
        "notify_url": NOTIFY,
        "amount": {"refund": refund_fen, "total": total_fen, "currency": "CNY"},
        **changes,
    }
    body = {name: value for name, value in body.items() if value is not None}
    return await rig.pay_call("POST", REFUNDS, json.dumps(body).encode())


async def state_of(rig: Rig, out_refund_no: str) -> str:
    answer = await rig.pay_call("GET", f"{REFUNDS}/{out_refund_no}")
    assert answer.status == 200 and answer.is_genuine()
    return str(answer.json["status"])


async def untold(rig: Rig, merchant: Catcher, count: int) -> list[Signed]:
    await rig.control("POST", "/notifications/flush")
    await merchant.until(count)
    return merchant.caught


def test_a_refund_is_processing_then_done_and_told(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with catcher(rig) as merchant:
            payment = await paid(rig, notify_url=merchant.url)
            await rig.control("PUT", "/hostile", {"refund_delay_s": 600})
            made = await refund(rig, "RF1", 345, notify_url=merchant.url)
            assert made.status == 200 and made.is_genuine()
            assert made.json["status"] == "PROCESSING" and "success_time" not in made.json
            assert made.json["refund_id"].startswith("503") and len(made.json["refund_id"]) == 29
            assert made.json["transaction_id"] == payment["transaction"]["transaction_id"]
            assert (await rig.query()).json["trade_state"] == "REFUND"
            rig.advance(600)
            (_, told) = await untold(rig, merchant, 2)
            assert told.is_genuine() and told.json["event_type"] == "REFUND.SUCCESS"
            assert told.json["resource"]["associated_data"] == "refund"
            opened = told.opened()
            assert (opened["refund_status"], opened["amount"]["refund"]) == ("SUCCESS", 345)
            assert (opened["mchid"], opened["out_refund_no"]) == (vectors.MCHID, "RF1")
            answer = await rig.pay_call("GET", f"{REFUNDS}/RF1")
            assert answer.json["success_time"] == opened["success_time"]
            books = await rig.control("GET", f"/books?mchid={vectors.MCHID}")
            assert (books["total_fen"], books["refunded_fen"]) == (12345, 345)

    play(tmp_path, scene)


def test_a_refund_callback_climbs_the_ladder_like_any_other(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with catcher(rig) as merchant:
            await paid(rig)
            merchant.statuses = [500, 500]
            await refund(rig, "RF1", 345, notify_url=merchant.url)
            await rig.control("POST", f"/refunds/{vectors.MCHID}/RF1/finish")
            for count in (1, 2, 3):
                await untold(rig, merchant, count)
                rig.advance(15)
            assert len({told.body for told in merchant.caught}) == 1
            assert await state_of(rig, "RF1") == "SUCCESS"

    play(tmp_path, scene)


def test_an_identical_repeat_finds_the_refund_and_a_different_one_is_refused(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        await paid(rig)
        first = await refund(rig, "RF1", 345)
        again = await refund(rig, "RF1", 345)
        assert (again.status, again.json["refund_id"]) == (200, first.json["refund_id"])
        other = await refund(rig, "RF1", 346)
        assert (other.status, other.json["code"]) == (400, "INVALID_REQUEST")
        assert len((await rig.control("GET", f"/refunds?mchid={vectors.MCHID}"))["refunds"]) == 1

    play(tmp_path, scene)


def test_refunds_are_a_minute_apart_and_never_more_than_was_paid(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        await paid(rig)
        await refund(rig, "RF1", 12000)
        hasty = await refund(rig, "RF2", 100)
        assert (hasty.status, hasty.json["code"]) == (429, "FREQUENCY_LIMITED")
        rig.advance(61)
        assert (await refund(rig, "RF2", 346)).json["code"] == "INVALID_REQUEST"
        assert (await refund(rig, "RF2", 345)).status == 200
        rig.advance(61)
        assert (await refund(rig, "RF3", 1)).json["code"] == "INVALID_REQUEST"

    play(tmp_path, scene)


def test_what_was_closed_may_be_refunded_again_under_another_number(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        await paid(rig)
        await rig.control("PUT", "/hostile", {"refund_outcomes": ["CLOSED"], "refund_delay_s": 0})
        assert (await refund(rig, "RF1", 12345)).json["status"] == "CLOSED"
        rig.advance(61)
        assert (await refund(rig, "RF2", 12345)).json["status"] == "SUCCESS"

    play(tmp_path, scene)


def test_fifty_refunds_of_a_payment_and_no_more_and_none_after_a_year(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        await paid(rig)
        for position in range(50):
            assert (await refund(rig, f"RF{position}", 1)).status == 200
            rig.advance(61)
        more = await refund(rig, "RF50", 1)
        assert (more.status, more.json["code"]) == (403, "RULE_LIMIT")
        await paid(rig, "WYold001")
        rig.advance(365 * 86_400 + 1)
        late = await refund(rig, "RFold", 1, out_trade_no="WYold001")
        assert (late.status, late.json["code"]) == (403, "RULE_LIMIT")

    play(tmp_path, scene)


WRONG: dict[str, tuple[dict[str, Any], int, str]] = {
    "no order named": ({"out_trade_no": None}, 400, "PARAM_ERROR"),
    "unknown order": ({"out_trade_no": "WYnobody"}, 404, "RESOURCE_NOT_EXISTS"),
    "unknown transaction": ({"out_trade_no": None, "transaction_id": "42"}, 404, "RESOURCE_NOT_EXISTS"),
    "unpaid order": ({"out_trade_no": "WYunpaid"}, 400, "INVALID_REQUEST"),
    "other total": ({"total_fen": 12344}, 400, "INVALID_REQUEST"),
    "bad number": ({"out_refund_no": "RF 1"}, 400, "PARAM_ERROR"),
    "unknown key": ({"refund_fee": 1}, 400, "PARAM_ERROR"),
    "long reason": ({"reason": "长" * 81}, 400, "PARAM_ERROR"),
    "address with a query": ({"notify_url": "https://pay.example.com/?a=1"}, 400, "PARAM_ERROR"),
    "somebody's sub-merchant": ({"sub_mchid": "1900000109"}, 400, "INVALID_REQUEST"),
}


def test_a_wrong_refund_request_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        await paid(rig)
        _, openid = await rig.user()
        await rig.order(openid, NOTIFY, out_trade_no="WYunpaid")
        for fault, (changes, status, code) in WRONG.items():
            number = changes.pop("out_refund_no", "RF1")
            answer = await refund(rig, number, 1, **changes)
            assert (answer.status, answer.json["code"]) == (status, code), fault
            assert answer.is_genuine(), fault
        unknown = await rig.pay_call("GET", f"{REFUNDS}/RF1")
        assert (unknown.status, unknown.json["code"]) == (404, "RESOURCE_NOT_EXISTS")
        assert (await rig.query()).json["trade_state"] == "SUCCESS"

    play(tmp_path, scene)


def test_not_enough_balance_and_limits_come_by_script_and_the_same_number_works_later(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        await paid(rig)
        script = ["NOT_ENOUGH", "FREQUENCY_LIMITED", "USER_ACCOUNT_ABNORMAL"]
        await rig.control("PUT", "/hostile", {"refund": script})
        for code, status in zip(script, (403, 429, 403), strict=True):
            refused = await refund(rig, "RF1", 345)
            assert (refused.status, refused.json["code"]) == (status, code)
        assert (await refund(rig, "RF1", 345)).status == 200

    play(tmp_path, scene)


def test_a_refund_call_may_act_and_keep_silent(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        await paid(rig)
        await rig.control("PUT", "/hostile", {"refund": ["act_then_hang"], "refund_query": ["500"]})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(refund(rig, "RF1", 345), 0.5)
        assert (await rig.pay_call("GET", f"{REFUNDS}/RF1")).status == 500
        assert (await rig.pay_call("GET", f"{REFUNDS}/RF1")).status == 200

    play(tmp_path, scene)


def sealed(text: str) -> str:
    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
    return base64.b64encode(vectors.key_p().public_key().encrypt(text.encode(), oaep)).decode()


def test_15_8_a_sealed_field_opens_and_any_other_text_does_not() -> None:
    assert keys.unseal(vectors.key_p(), vectors.OAEP_CIPHERTEXT) == vectors.OAEP_PLAINTEXT
    assert keys.unseal(vectors.key_m(), vectors.OAEP_CIPHERTEXT) == ""
    assert keys.unseal(vectors.key_p(), "张三") == ""


def test_an_abnormal_refund_goes_to_a_bank_card_with_sealed_fields(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with catcher(rig) as merchant:
            await paid(rig)
            plan = {"refund_outcomes": ["ABNORMAL"], "refund_delay_s": 0}
            await rig.control("PUT", "/hostile", plan)
            made = await refund(rig, "RF1", 345, notify_url=merchant.url)
            assert made.json["status"] == "ABNORMAL"
            target = f"{REFUNDS}/{made.json['refund_id']}/apply-abnormal-refund"
            body = {"out_refund_no": "RF1", "type": "USER_BANK_CARD", "bank_type": "ICBC_DEBIT"}
            secret = {"bank_account": sealed("6222020000000403"), "real_name": sealed("张三")}
            named = {"Wechatpay-Serial": rig.public_key_id}
            refused = await rig.pay_call("POST", target, json.dumps(body | secret).encode())
            assert refused.json["code"] == "PARAM_ERROR"
            plain = json.dumps(body | {"bank_account": "6222", "real_name": "x"}).encode()
            assert (await rig.pay_call("POST", target, plain, headers=named)).json["code"] == "PARAM_ERROR"
            good = await rig.pay_call("POST", target, json.dumps(body | secret).encode(), headers=named)
            assert (good.status, good.json["status"], good.json["channel"]) == (200, "SUCCESS", "OTHER_BANKCARD")
            assert good.json["user_received_account"].endswith("0403")
            told = await untold(rig, merchant, 2)
            assert [one.json["event_type"] for one in told] == ["REFUND.ABNORMAL", "REFUND.SUCCESS"]
            again = await rig.pay_call("POST", target, json.dumps(body | secret).encode(), headers=named)
            assert again.json["code"] == "INVALID_REQUEST"

    play(tmp_path, scene)


def test_refunds_end_by_hand_and_outlive_a_restart(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        await paid(rig)
        await rig.control("PUT", "/hostile", {"refund_delay_s": 3600})
        await refund(rig, "RF1", 100)
        rig.stop()
        rig.start()
        assert await state_of(rig, "RF1") == "PROCESSING"
        path = f"/refunds/{vectors.MCHID}/RF1"
        assert (await rig.control("POST", f"{path}/finish", {"state": "ABNORMAL"}))["state"] == "ABNORMAL"
        await rig.control("POST", f"{path}/finish", {"state": "ABNORMAL"}, status=409)
        assert (await rig.control("POST", f"{path}/finish", {"state": "CLOSED"}))["state"] == "CLOSED"
        await rig.control("POST", f"{path}/finish", {"state": "SUCCESS"}, status=409)
        assert (await rig.control("GET", path))["state"] == "CLOSED"

    play(tmp_path, scene)


def test_a_forged_refund_callback_is_wrong_in_one_way_and_leaves_the_books_alone(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        async with catcher(rig) as merchant:
            await paid(rig)
            await rig.control("PUT", "/hostile", {"refund_delay_s": 3600})
            await refund(rig, "RF1", 345, notify_url=merchant.url)
            for kind, signed in {"bad_signature": False, "wrong_amount": True, "unknown_order": True}.items():
                body = {"kind": kind, "mchid": vectors.MCHID, "out_refund_no": "RF1"}
                answer = await rig.control("POST", "/forge", body)
                told = merchant.caught[-1]
                assert (answer["status"], told.is_genuine()) == (204, signed), kind
                assert told.json["event_type"] == "REFUND.SUCCESS"
                opened = told.opened()
                assert (opened["amount"]["refund"] == 345) is (kind != "wrong_amount")
                assert (opened["out_refund_no"] == "RF1") is (kind != "unknown_order")
            await rig.control("POST", "/forge", {**body, "kind": "wrong_appid"}, status=400)
            await rig.control("POST", "/forge", {**body, "out_refund_no": "RF9"}, status=404)
            assert await state_of(rig, "RF1") == "PROCESSING"

    play(tmp_path, scene)
