"""The sandbox's functions against the vectors of protocols/alipay.md section 15."""

import hashlib
import json
from datetime import datetime
from urllib.parse import parse_qsl

from sandbox import alipay_books, alipay_gateway, alipay_keys, alipay_notices, keys
from sandbox.alipay_keys import Signer
from sandbox.alipay_merchants import AlipayMerchant, Mode
from tests import vectors
from tests import vectors_alipay as alipay


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def parted(text: str) -> dict[str, str]:
    """The values of a signed text; no value of the vectors has an ampersand."""
    return dict(pair.split("=", 1) for pair in text.split("&"))


def at(text: str) -> float:
    return datetime.fromisoformat(f"{text}+08:00").timestamp()


def test_15_1_a_request_of_the_application_verifies() -> None:
    values = {**parted(alipay.REQUEST_TEXT), "sign": alipay.REQUEST_SIGNATURE, "app_auth_token": ""}
    text = alipay_keys.request_text(values)
    assert (text, sha256(text)) == (alipay.REQUEST_TEXT, alipay.REQUEST_TEXT_SHA256)
    application = keys.load_public_key(vectors.public_pem(vectors.key_m()))
    assert keys.verify(application, text.encode(), alipay.REQUEST_SIGNATURE)
    assert not keys.verify(application, text.replace("123.45", "123.46").encode(), alipay.REQUEST_SIGNATURE)


def test_15_2_an_answer_byte_for_byte_with_its_slashes_escaped() -> None:
    node = {
        "code": "10000",
        "msg": "Success",
        "out_trade_no": "WY202609010002",
        "qr_code": "https://qr.alipay.com/bax00022tldi82dwzbvp6013",
    }
    raw = alipay_gateway.node_text(node, escape_slashes=True)
    signature = keys.sign(vectors.key_p(), raw.encode())
    name = alipay_gateway.node_name("alipay.trade.precreate")
    assert alipay_gateway.signed(name, raw, signature, None) == alipay.RESPONSE_BODY


def test_15_3_a_notification_byte_for_byte_in_its_signed_text() -> None:
    merchant = AlipayMerchant("2021000000000001", "2088531891668739", "wy@example.com", Mode.KEY, "")
    event = alipay_notices.Event(
        app_id="2021000000000001",
        out_trade_no="WY202609010002",
        product="precreate",
        notify_url="https://pay.example.com/notify/ali",
        charset="utf-8",
        trade_no="2026090122001468450512505578",
        status="TRADE_SUCCESS",
        total_fen=12345,
        subject="物业费2026年09月",
        body="",
        passback_params="",
        buyer_id="2088102534368455",
        created_s=at("2026-09-01 00:01:00"),
        paid_s=at("2026-09-01 00:01:05"),
        closed_s=None,
    )
    fields = alipay_notices.payment_fields(merchant, event) | {"buyer_logon_id": "138****0000"}
    complete = alipay_notices.complete(fields, "2026090100222000105068450559358070", at("2026-09-01 00:01:06"))
    text = alipay_keys.notification_text(complete)
    assert (text, sha256(text)) == (alipay.NOTIFICATION_TEXT, alipay.NOTIFICATION_TEXT_SHA256)
    body = alipay_notices.form(complete, Signer(vectors.key_p(), None))
    assert dict(parse_qsl(body)) == dict(parse_qsl(alipay.NOTIFICATION_BODY))


def test_15_4_the_real_notification_verifies_by_the_same_rule() -> None:
    values = parted(alipay.REAL_NOTIFICATION_TEXT)
    text = alipay_keys.notification_text({**values, "sign": "x", "sign_type": "RSA2", "body": ""})
    pem = f"-----BEGIN PUBLIC KEY-----\n{alipay.REAL_PUBLIC_KEY}\n-----END PUBLIC KEY-----\n"
    assert keys.verify(keys.load_public_key(pem), text.encode(), alipay.REAL_NOTIFICATION_SIGNATURE)


def test_15_6_the_number_of_a_certificate() -> None:
    assert alipay_keys.certificate_sn(alipay.CERTIFICATE_PEM) == alipay.CERTIFICATE_SN
    digest = hashlib.md5(alipay.CERTIFICATE_ISSUER_AND_SERIAL.encode()).hexdigest()
    assert digest == alipay.CERTIFICATE_SN


def test_a_root_bundle_counts_its_readable_rsa_roots_alone() -> None:
    garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    bundle = garbage + alipay.CERTIFICATE_PEM + alipay.CERTIFICATE_PEM
    assert alipay_keys.root_certificate_sn(bundle) == f"{alipay.CERTIFICATE_SN}_{alipay.CERTIFICATE_SN}"


def test_identifiers_have_the_shapes_of_the_page() -> None:
    now_s = at("2026-09-01 00:01:05")
    assert alipay_books.new_trade_no(now_s).startswith("2026090122001")
    assert len(alipay_books.new_trade_no(now_s)) == 28
    assert (len(alipay_notices.new_id(now_s)), alipay_notices.new_id(now_s)[:8]) == (34, "20260901")
    assert len(alipay_books.new_buyer_id()) == 16
    assert json.loads(alipay.RESPONSE_BODY)["alipay_trade_precreate_response"]["code"] == "10000"
