"""The classic gateway: what it reads, the order of its checks, how it signs, and how it misbehaves."""

import asyncio
import base64
import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from tests import vectors
from tests import vectors_alipay as alipay
from tests.sandbox.alipay_rig import APP_ID, NOTIFY, NUMBER, Payee, play, raw_node


def test_common_parameters_come_in_query_and_body_alike(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        content = {"out_trade_no": NUMBER}
        given = payee.parameters("alipay.trade.query", content)
        everywhere = [given, {}], [{"charset": "utf-8"}, {k: v for k, v in given.items() if k != "charset"}]
        for query, form in everywhere:
            told = await payee.send(query, form)
            assert (told.status, told.content_type) == (200, "text/html; charset=utf-8")
            assert told.sub_code == "ACQ.TRADE_NOT_EXIST" and told.is_genuine

    play(tmp_path, scene)


def test_gbk_works_and_a_charset_in_the_body_alone_comes_too_late(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        content = {"out_trade_no": NUMBER, "total_amount": "1.00", "subject": "物业费"}
        told = await payee.call("alipay.trade.precreate", content, charset="gbk")
        assert told.code == "10000" and told.is_genuine
        missing = await payee.call("alipay.trade.query", {"out_trade_no": "NOBODY1"}, charset="gbk")
        assert missing.node["sub_msg"] == "交易不存在" and missing.is_genuine
        late = payee.parameters("alipay.trade.precreate", {**content, "out_trade_no": "WY3"})
        refused = await payee.send({}, late)
        assert refused.sub_code == "isv.invalid-signature"

    play(tmp_path, scene)


def test_an_absolute_request_line_is_understood(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        address = payee.address(payee.parameters("alipay.trade.query", {"out_trade_no": NUMBER}))
        host = payee.rig.url.removeprefix("http://")
        reader, writer = await asyncio.open_connection(*host.split(":"))
        writer.write(
            f"POST {address} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        answer = (await reader.read()).decode()
        writer.close()
        assert "ACQ.TRADE_NOT_EXIST" in answer

    play(tmp_path, scene)


def test_checks_come_in_order_and_early_failures_are_unsigned(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        wrong = {"sign": "AAAA", "timestamp": "yesterday"}
        content = {"out_trade_no": NUMBER}
        steps: list[tuple[dict[str, str | None], str, str]] = [
            ({**wrong, "app_id": None}, "40001", "isv.missing-app-id"),
            ({**wrong, "app_id": "2021999999999999"}, "40002", "isv.invalid-app-id"),
            ({**wrong, "method": "alipay.trade.nothing"}, "40002", "isv.invalid-method"),
            ({**wrong, "charset": "latin-1"}, "40002", "isv.invalid-charset"),
            ({**wrong, "sign_type": "RSA"}, "40002", "isv.invalid-signature-type"),
            ({**wrong, "timestamp": None}, "40001", "isv.missing-timestamp"),
            (wrong, "40002", "isv.invalid-timestamp"),
            ({"timestamp": "2026-01-01 00:00:00"}, "40002", "isv.invalid-timestamp"),
            ({"sign": None}, "40001", "isv.missing-signature"),
        ]
        for changes, code, sub_code in steps:
            told = await payee.call("alipay.trade.query", content, **changes)
            assert (told.status, told.key, told.code, told.sub_code) == (200, "error_response", code, sub_code)
            assert "sign" not in json.loads(told.body)

    play(tmp_path, scene)


def test_a_wrong_signature_is_answered_with_the_text_that_was_expected(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        given = payee.parameters("alipay.trade.query", {"out_trade_no": NUMBER})
        told = await payee.send({**given, "biz_content": '{"out_trade_no":"WY2"}'}, {})
        assert (told.key, told.sub_code) == ("alipay_trade_query_response", "isv.invalid-signature")
        assert f"app_id={APP_ID}&amp;biz_content=" in told.node["sub_msg"]
        assert "&amp;sign_type=RSA2&amp;" in told.node["sub_msg"]
        assert told.is_genuine

    play(tmp_path, scene)


def test_unknown_parameters_fields_and_reserved_words_are_stopped(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        attacks = [
            await payee.call("alipay.trade.query", {"out_trade_no": NUMBER}, colour="blue"),
            await payee.call("alipay.trade.query", {"out_trade_no": NUMBER, "notify_url": NOTIFY}),
            await payee.precreate(body="total_fee of WY1"),
        ]
        assert {told.sub_code for told in attacks} == {"isv.suspected-attack"}
        invalid = [
            await payee.precreate(subject="物业费/9月"),
            await payee.precreate(amount="0.1"),
            await payee.precreate(amount="0.00"),
            await payee.precreate(number="WY-1"),
            await payee.precreate(timeout_express="1.5h"),
            await payee.precreate(url="http://example.com/notify"),
            await payee.precreate(product_code="QUICK_WAP_WAY"),
            await payee.call("alipay.trade.query", {}),
        ]
        assert {told.sub_code for told in invalid} == {"ACQ.INVALID_PARAMETER"}
        for broken in ("[]", "{", "null", "", '{"out_trade_no":"\\ud800"}', "[" * 100_000):
            assert (await payee.call("alipay.trade.query", broken)).sub_code == "isv.illegal-json"

    play(tmp_path, scene)


def test_answers_escape_slashes_and_may_hold_nested_signatures(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        told = await payee.precreate()
        assert r"https:\/\/qr.alipay.com\/bax" in told.body and told.is_genuine
        await payee.hostile(escape_slashes=False, nested_sign=True)
        plain = await payee.precreate()
        assert "https://qr.alipay.com/bax" in plain.body and plain.is_genuine
        assert "sign" in plain.node["ext_info"]
        assert plain.node["qr_code"] == told.node["qr_code"]

    play(tmp_path, scene)


def test_certificate_mode_asks_for_numbers_and_tells_its_own(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        told = await payee.register(mode="certificate")
        certificate = x509.load_pem_x509_certificate(told["alipay_cert_pem"].encode())
        key = certificate.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        payee.pem = vectors.public_pem(vectors.key_p())
        assert key.public_numbers() == vectors.key_p().public_key().public_numbers()
        assert told["alipay_root_cert_pem"].count("BEGIN CERTIFICATE") == 3
        assert (await payee.query()).sub_code == "isv.missing-app-cert-sn"
        payee.common = {"app_cert_sn": told["app_cert_sn"]}
        assert (await payee.query()).sub_code == "isv.missing-alipay-root-cert-sn"
        payee.common["alipay_root_cert_sn"] = alipay.CERTIFICATE_SN
        assert (await payee.query()).sub_code == "isv.invalid-alipay-root-cert-sn"
        payee.common = {"app_cert_sn": "0" * 32, "alipay_root_cert_sn": told["alipay_root_cert_sn"]}
        assert (await payee.query()).sub_code == "isv.app-cert-not-exist"
        payee.common["app_cert_sn"] = told["app_cert_sn"]
        answered = await payee.precreate()
        assert answered.is_genuine and list(json.loads(answered.body)) == [
            "alipay_trade_precreate_response", "alipay_cert_sn", "sign",
        ]  # fmt: skip
        assert json.loads(answered.body)["alipay_cert_sn"] == told["alipay_cert_sn"]

    play(tmp_path, scene, fresh=True)


def test_a_replaced_application_certificate_lives_seven_days_more(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        old = await payee.register(mode="certificate")
        new = await payee.register(mode="certificate", public_key_pem=vectors.public_pem(vectors.key_p()))
        assert old["app_cert_sn"] != new["app_cert_sn"]
        payee.common = {name: old[name] for name in ("app_cert_sn", "alipay_root_cert_sn")}
        assert (await payee.query()).sub_code == "ACQ.TRADE_NOT_EXIST"
        payee.common["app_cert_sn"] = new["app_cert_sn"]
        assert (await payee.query()).sub_code == "isv.invalid-signature"
        payee.common["app_cert_sn"] = old["app_cert_sn"]
        payee.rig.advance(7 * 86_400)
        assert (await payee.query()).sub_code == "isv.app-cert-not-exist"

    play(tmp_path, scene, fresh=True)


def test_a_reissued_certificate_has_a_new_number_and_can_be_downloaded(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        told = await payee.register(mode="certificate")
        payee.common = {name: told[name] for name in ("app_cert_sn", "alipay_root_cert_sn")}
        fresh = await payee.rig.control("POST", "/alipay/certificate/reissue")
        answered = await payee.query()
        number = json.loads(answered.body)["alipay_cert_sn"]
        assert number == fresh["alipay_cert_sn"] != told["alipay_cert_sn"]
        got = await payee.call("alipay.open.app.alipaycert.download", {"alipay_cert_sn": number})
        assert base64.b64decode(got.node["alipay_cert_content"]).decode() == fresh["alipay_cert_pem"]
        gone = await payee.call("alipay.open.app.alipaycert.download", {"alipay_cert_sn": told["alipay_cert_sn"]})
        assert gone.sub_code == "isv.alipay-cert-not-exist"

    play(tmp_path, scene, fresh=True)


def test_demo_merchants_come_with_their_keys_and_stay_the_same(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        first, second = (await payee.rig.control("POST", "/alipay/demo-merchants"))["merchants"]
        assert (first["mode"], second["mode"]) == ("key", "certificate")
        assert first["app_private_key_pem"].startswith("-----BEGIN PRIVATE KEY-----")
        assert first["alipay_public_key_pem"] == vectors.public_pem(vectors.key_p())
        await payee.rig.control("POST", "/reset")
        again = (await payee.rig.control("POST", "/alipay/demo-merchants"))["merchants"]
        assert again[0] == first
        assert again[1]["app_private_key_pem"] == second["app_private_key_pem"]

    play(tmp_path, scene, fresh=True)


def test_calls_misbehave_as_scripted_and_then_no_more(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        script = ["error", "limit", "http_500", {"sub_code": "ACQ.SYSTEM_ERROR"}, "hang"]
        await payee.hostile(precreate=script)
        busy = await payee.precreate()
        assert (busy.code, busy.sub_code) == ("20000", "isp.unknow-error")
        assert (await payee.precreate()).code == "40005"
        assert (await payee.precreate()).status == 502
        assert (await payee.precreate()).sub_code == "ACQ.SYSTEM_ERROR"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(payee.precreate(), 0.5)
        assert (await payee.rig.control("GET", f"/alipay/orders?app_id={APP_ID}"))["orders"] == []
        await payee.hostile(
            precreate=["act_then_hang"], query=["bad_signature", "unsigned", "wrong_amount", "truncated"]
        )
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(payee.precreate(), 0.5)
        await payee.payer("pay")
        assert not (await payee.query()).is_genuine
        assert "sign" not in json.loads((await payee.query()).body)
        lied = await payee.query()
        assert lied.is_genuine and lied.node["total_amount"] == "123.46"
        with pytest.raises(json.JSONDecodeError):
            _ = (await payee.query()).node
        assert (await payee.query()).is_genuine

    play(tmp_path, scene)


def test_rates_are_drawn_from_the_seed(tmp_path: Path) -> None:
    async def scene(payee: Payee) -> None:
        async def outcomes() -> list[str]:
            await payee.hostile(seed=7, rates={"query": {"error": 0.3, "limit": 0.2}})
            return [(await payee.query()).code for _ in range(20)]

        first = await outcomes()
        assert first == await outcomes()
        assert {"20000", "40004", "40005"} == set(first)
        for wrong in ({"rates": {"query": {"explode": 1}}}, {"loose_notices": 1}, {"query": ["later"]}, {"draws": 1}):
            await payee.rig.control("PUT", "/alipay/hostile", wrong, status=400)

    play(tmp_path, scene)


def test_the_node_is_found_past_strings_that_look_like_its_end() -> None:
    body = '{"a_response":{"code":"10000","x":{"sign":"}\\"}"}},"sign":"S"}'
    assert raw_node(body, "a_response") == '{"code":"10000","x":{"sign":"}\\"}"}}'
