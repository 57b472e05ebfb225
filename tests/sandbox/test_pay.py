"""WeChat Pay v3 as the sandbox plays it: signatures, orders, re-entry, query, close, expiry, keys."""

import base64
import json
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests import vectors
from tests.sandbox.rig import MINI_APPID, OFFICIAL_APPID, Rig, play, unseal

NOTIFY = "https://pay.example.com/notify/wx"
PAY = f"/orders/{vectors.MCHID}/WY202609010001/pay"


def test_an_order_is_answered_with_a_signed_prepay_id(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        _, openid = await rig.user()
        made = await rig.order(openid, NOTIFY)
        assert made.status == 200 and made.is_genuine() and made.serial == rig.public_key_id
        assert made.serial.startswith("PUB_KEY_ID_0000")
        assert len(made.json["prepay_id"]) == 36 and made.json["prepay_id"].startswith("wx")
        assert made.headers["Request-ID"].endswith("-0")

    play(tmp_path, scene)


SPOILED = {
    "no scheme": ({"scheme": "Basic"}, "格式错误"),
    "v2 scheme": ({"scheme": "WECHATPAY2-SM2-WITH-SM3"}, "格式错误"),
    "pair missing": ({"order": ("mchid", "nonce_str", "signature", "timestamp")}, "格式错误"),
    "late": ({"skew_s": -310}, "5分钟"),
    "early": ({"skew_s": 310}, "5分钟"),
    "unknown serial": ({"values": {"serial_no": "ABC"}}, "序列号"),
    "other body": ({"sent": b'{"mchid":"1900007291" }'}, "验签失败"),
    "no base64": ({"values": {"signature": "WECHATPAY/SIGNTEST/?"}}, "验签失败"),
}


def test_a_request_that_is_not_signed_right_is_refused(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        for fault, (changes, message) in SPOILED.items():
            answer = await rig.close(**changes)
            assert (answer.status, answer.json["code"]) == (401, "SIGN_ERROR"), fault
            assert message in answer.json["message"], fault
            assert answer.is_genuine(), fault

    play(tmp_path, scene)


def test_a_sign_error_tells_the_length_the_channel_signed(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        body = vectors.POST_BODY.encode()
        answer = await rig.pay_call("POST", vectors.POST_PATH, body, values={"signature": "AAAA"})
        told = answer.json["detail"]["sign_information"]
        assert told["sign_message_length"] == vectors.POST_TEXT_LENGTH
        assert told["method"] == "POST" and told["url"] == vectors.POST_PATH
        assert told["truncated_sign_message"].endswith('\n{"appid"\n')

    play(tmp_path, scene)


def test_pairs_come_in_any_order_and_a_nonce_only_once(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        order = ("signature", "timestamp", "serial_no", "nonce_str", "mchid")
        first = await rig.query(order=order, nonce="n" * 32)
        assert first.status == 404
        again = await rig.query(order=order, nonce="n" * 32)
        assert (again.status, again.json["code"]) == (401, "SIGN_ERROR")

    play(tmp_path, scene)


def test_user_agent_and_accept_are_required(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        for headers in ({"User-Agent": ""}, {"Accept": "text/html"}):
            answer = await rig.query(headers=headers)
            assert (answer.status, answer.json["code"]) == (400, "PARAM_ERROR")

    play(tmp_path, scene)


WRONG_BODIES = {
    "/unknown_key": {"unknown_key": 1},
    "/amount/total": {"amount": {"total": 0, "currency": "CNY"}},
    "/amount/currency": {"amount": {"total": 1, "currency": "USD"}},
    "/description": {"description": "长" * 128},
    "/out_trade_no": {"out_trade_no": "abc/de"},
    "/notify_url": {"notify_url": "https://pay.example.com/notify?x=1"},
    "/payer/openid": {"payer": {"openid": "nobody"}},
    "/time_expire": {"time_expire": "2026-09-01 00:00:00"},
    "/attach": {"attach": "红包🧧"},
    "/goods_tag": {"goods_tag": None},
}


def test_a_wrong_body_is_refused_with_the_field(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        _, openid = await rig.user()
        for field, changes in WRONG_BODIES.items():
            body = json.dumps(rig.order_body(openid, NOTIFY) | changes).encode()
            answer = await rig.pay_call("POST", "/v3/pay/transactions/jsapi", body)
            assert (answer.status, answer.json["code"]) == (400, "PARAM_ERROR"), field
            assert answer.json["detail"]["field"] == field
            assert answer.json["detail"]["location"] == "body"
        assert (await rig.query()).status == 404

    play(tmp_path, scene)


def test_only_http_on_loopback_may_replace_https(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        _, openid = await rig.user()
        assert (await rig.order(openid, "http://192.168.1.9/notify")).status == 400
        assert (await rig.order(openid, "http://127.0.0.1:9/notify")).status == 200

    play(tmp_path, scene)


def test_an_app_that_is_not_bound_and_an_openid_of_another_app_are_refused(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        user_id, _ = await rig.user()
        official = (await rig.control("GET", f"/users/{user_id}/openid?appid={OFFICIAL_APPID}"))["openid"]
        unbound = await rig.order(official, NOTIFY, appid=OFFICIAL_APPID)
        assert (unbound.status, unbound.json["code"]) == (400, "APPID_MCHID_NOT_MATCH")
        foreign = await rig.order(official, NOTIFY)
        assert (foreign.status, foreign.json["code"]) == (500, "OPENID_MISMATCH")

    play(tmp_path, scene)


def test_re_entry_gives_the_same_order_or_refuses(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        _, openid = await rig.user()
        first = await rig.order(openid, NOTIFY)
        assert (await rig.order(openid, NOTIFY)).json == first.json
        changed = await rig.order(openid, NOTIFY, amount={"total": 12346, "currency": "CNY"})
        assert (changed.status, changed.json["code"]) == (400, "INVALID_REQUEST")
        rig.advance(2 * 3600 + 1)
        fresh = await rig.order(openid, NOTIFY)
        assert fresh.status == 200 and fresh.json != first.json
        await rig.control("POST", PAY)
        paid = await rig.order(openid, NOTIFY)
        assert (paid.status, paid.json["code"]) == (400, "ORDERPAID")
        await rig.order(openid, NOTIFY, out_trade_no="WY202609010002")
        assert (await rig.close("WY202609010002")).status == 204
        closed = await rig.order(openid, NOTIFY, out_trade_no="WY202609010002")
        assert (closed.status, closed.json["code"]) == (400, "ORDER_CLOSED")

    play(tmp_path, scene)


def test_query_and_close_by_state(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        unknown = await rig.query()
        assert (unknown.status, unknown.json["code"]) == (404, "ORDER_NOT_EXIST")
        nowhere = await rig.close("WYunknown")
        assert (nowhere.status, nowhere.body, nowhere.is_genuine()) == (204, b"", True)
        _, openid = await rig.user()
        await rig.order(openid, NOTIFY, attach="house=101")
        unpaid = (await rig.query()).json
        assert unpaid["trade_state"] == "NOTPAY" and "transaction_id" not in unpaid and "attach" not in unpaid
        await rig.control("POST", PAY)
        paid = (await rig.query()).json
        assert (paid["trade_state"], paid["attach"]) == ("SUCCESS", "house=101")
        number = paid["transaction_id"]
        assert len(number) == 28 and number.startswith("42000")
        target = f"/v3/pay/transactions/id/{number}?mchid={vectors.MCHID}"
        assert (await rig.pay_call("GET", target)).json == paid
        refused = await rig.close()
        assert (refused.status, refused.json["code"]) == (400, "ORDERPAID")

    play(tmp_path, scene)


def test_a_closed_order_can_still_be_paid_by_one_who_sits_in_the_cashier(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        _, openid = await rig.user()
        await rig.order(openid, NOTIFY)
        await rig.close()
        await rig.control("POST", PAY, status=409)
        await rig.control("PUT", "/hostile", {"pay_after_close": 1})
        await rig.control("POST", PAY)
        assert (await rig.query()).json["trade_state"] == "SUCCESS"

    play(tmp_path, scene)


def test_orders_and_prepay_ids_expire_on_the_shared_clock(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        _, openid = await rig.user()
        await rig.order(openid, NOTIFY)
        rig.advance(2 * 3600 + 1)
        await rig.control("POST", PAY, status=409)
        assert (await rig.query()).json["trade_state"] == "NOTPAY"
        rig.advance(7 * 86_400)
        assert (await rig.query()).json["trade_state"] == "CLOSED"

    play(tmp_path, scene)


def test_a_payment_by_somebody_else_is_refused_and_a_cancelled_one_stays_unpaid(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        _, openid = await rig.user()
        await rig.order(openid, NOTIFY)
        await rig.control("POST", PAY, {"payer_openid": "someone-else"}, status=409)
        cancelled = await rig.control("POST", f"/orders/{vectors.MCHID}/WY202609010001/cancel")
        assert (cancelled["state"], cancelled["cancels"]) == ("NOTPAY", 1)
        await rig.control("POST", PAY, {"payer_openid": openid})
        await rig.control("POST", PAY, status=409)

    play(tmp_path, scene)


def test_public_key_mode_has_no_certificates(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        assert (await rig.pay_call("GET", "/v3/certificates")).json == {"data": []}

    play(tmp_path, scene)


def test_certificate_mode_signs_with_the_downloaded_certificate(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        answer = await rig.pay_call("GET", "/v3/certificates", headers={"Wechatpay-Serial": rig.public_key_id})
        entry = answer.json["data"][0]
        certificate = x509.load_pem_x509_certificate(unseal(entry["encrypt_certificate"]))
        assert f"{certificate.serial_number:X}" == entry["serial_no"] == answer.serial
        assert len(entry["serial_no"]) == 40
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        pem = certificate.public_key().public_bytes(serialization.Encoding.PEM, form).decode()
        assert answer.is_genuine(pem)

    play(tmp_path, scene, mode="certificate")


def test_in_the_migration_the_request_chooses_the_key(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        assert (await rig.query()).serial != rig.public_key_id
        assert (await rig.query(headers={"Wechatpay-Serial": rig.public_key_id})).serial == rig.public_key_id

    play(tmp_path, scene, mode="both")


def test_native_orders_give_a_new_link_each_time(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        body = rig.order_body("", NOTIFY)
        del body["payer"]
        raw = json.dumps(body).encode()
        first = await rig.pay_call("POST", "/v3/pay/transactions/native", raw)
        second = await rig.pay_call("POST", "/v3/pay/transactions/native", raw)
        assert first.json["code_url"].startswith("weixin://wxpay/bizpayurl?pr=")
        assert first.json != second.json
        paid = await rig.control("POST", PAY)
        assert paid["transaction"]["payer_openid"] and (await rig.query()).json["trade_type"] == "NATIVE"

    play(tmp_path, scene)


def test_the_cashier_shows_pays_and_cancels(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        _, openid = await rig.user()
        prepay_id = (await rig.order(openid, NOTIFY, description="<物业费>")).json["prepay_id"]
        page = f"{rig.url}/cashier/{prepay_id}"
        async with rig.http.get(page) as shown:
            text = await shown.text()
        assert "￥123.45" in text and "支付" in text and "取消" in text and "&lt;物业费&gt;" in text
        async with rig.http.post(f"{page}/cancel") as cancelled:
            assert "已取消" in await cancelled.text()
        async with rig.http.post(f"{page}/pay") as paid:
            assert paid.status == 200 and "支付成功" in await paid.text()
        assert (await rig.query()).json["trade_state"] == "SUCCESS"
        async with rig.http.post(f"{page}/pay") as again:
            assert again.status == 409
        async with rig.http.get(f"{rig.url}/cashier/wxnothing") as nothing:
            assert nothing.status == 404

    play(tmp_path, scene)


def test_the_books_know_what_was_paid_and_when(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        _, openid = await rig.user()
        for number in ("WY0001", "WY0002", "WY0003"):
            await rig.order(openid, NOTIFY, out_trade_no=number)
        for number in ("WY0001", "WY0003"):
            await rig.control("POST", f"/orders/{vectors.MCHID}/{number}/pay")
        books = await rig.control("GET", f"/books?mchid={vectors.MCHID}")
        assert (books["count"], books["total_fen"]) == (2, 24690)
        day = books["transactions"][0]["success_time"][:10]
        assert (await rig.control("GET", f"/books?mchid={vectors.MCHID}&date={day}"))["count"] == 2
        assert (await rig.control("GET", f"/books?mchid={vectors.MCHID}&date=2020-01-01"))["count"] == 0
        orders = await rig.control("GET", f"/orders?mchid={vectors.MCHID}")
        assert [order["state"] for order in orders["orders"]] == ["SUCCESS", "NOTPAY", "SUCCESS"]

    play(tmp_path, scene)


def test_signed_texts_use_the_target_as_transmitted(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        _, openid = await rig.user()
        await rig.order(openid, NOTIFY, out_trade_no="WY|2026*1")
        for written in ("WY%7C2026*1", "WY%7c2026%2A1"):
            assert (await rig.query(written)).status == 200

    play(tmp_path, scene)


def test_keys_outlive_a_reset_and_settings_are_idempotent(tmp_path: Path) -> None:
    async def scene(rig: Rig) -> None:
        before = rig.public_key_id
        await rig.control("POST", "/reset")
        await rig.furnish()
        await rig.furnish()
        assert rig.public_key_id == before
        assert base64.b64decode(rig.platform_pem.splitlines()[1])
        assert (await rig.control("GET", f"/orders?mchid={vectors.MCHID}"))["orders"] == []
        assert MINI_APPID == vectors.APPID

    play(tmp_path, scene)
