"""The product against the vectors of protocols/alipay.md section 15, each apart."""

import base64
import hashlib
from datetime import UTC, datetime
from urllib.parse import quote_plus

import orjson
import pytest
from cryptography import x509

from payments.channels import alipay_certificates, alipay_keys
from payments.channels import alipay_signing as signing
from payments.channels.base import CallbackRefused, TradeState
from tests import vectors, vectors_alipay
from tests.unit.payments_channels.alipay_wire import APP_ID, SELLER_ID, client, merchant
from tests.unit.payments_channels.wire import frozen

PLATFORM = {"public_key": vectors.key_p().public_key()}


def parameters(text: str) -> dict[str, str]:
    return dict(pair.partition("=")[::2] for pair in text.split("&"))


def test_15_1_a_request_is_signed_byte_for_byte() -> None:
    given = parameters(vectors_alipay.REQUEST_TEXT)
    text = signing.request_text(dict(reversed(given.items())) | {"sign": "x", "app_cert_sn": ""})
    assert text.decode() == vectors_alipay.REQUEST_TEXT
    assert hashlib.sha256(text).hexdigest() == vectors_alipay.REQUEST_TEXT_SHA256
    assert signing.sign(vectors.key_m(), text) == vectors_alipay.REQUEST_SIGNATURE


def test_15_2_an_answer_is_verified_with_its_back_slashes() -> None:
    members = signing.members(vectors_alipay.RESPONSE_BODY.encode())
    raw, signature = members["alipay_trade_precreate_response"], orjson.loads(members["sign"])
    assert r"https:\/\/qr.alipay.com" in raw
    signing.verify(PLATFORM, raw.encode(), signature)
    assert orjson.loads(raw)["qr_code"] == "https://qr.alipay.com/bax00022tldi82dwzbvp6013"
    with pytest.raises(signing.SignatureRefused):
        signing.verify(PLATFORM, raw.replace(r"\/", "/").encode(), signature)


def test_15_3_a_notification_is_verified_and_read() -> None:
    form = signing.form(vectors_alipay.NOTIFICATION_BODY.encode())
    text = signing.notification_text(form)
    assert text.decode() == vectors_alipay.NOTIFICATION_TEXT
    assert hashlib.sha256(text).hexdigest() == vectors_alipay.NOTIFICATION_TEXT_SHA256
    channel, egress = client(frozen())
    callback = channel.read_callback(merchant(), {}, vectors_alipay.NOTIFICATION_BODY.encode())
    assert egress.sent == [], "a callback never makes the product call out"
    assert callback.event_id == "2026090100222000105068450559358070"
    assert callback.event_type == "trade_status_sync.TRADE_SUCCESS"
    assert callback.refund is None
    trade = callback.trade
    assert trade is not None
    assert (trade.state, trade.amount_fen, trade.currency) == (TradeState.SUCCESS, 12345, "CNY")
    assert (trade.out_trade_no, trade.transaction_no) == ("WY202609010002", "2026090122001468450512505578")
    assert (trade.mchid, trade.appid) == (SELLER_ID, APP_ID)
    assert trade.payer_openid == "2088102534368455"
    assert trade.success_at == datetime(2026, 8, 31, 16, 1, 5, tzinfo=UTC)


def real_notification(text: str = vectors_alipay.REAL_NOTIFICATION_TEXT) -> bytes:
    fields = {**parameters(text), "sign": vectors_alipay.REAL_NOTIFICATION_SIGNATURE, "sign_type": "RSA2"}
    return "&".join(f"{name}={quote_plus(value)}" for name, value in fields.items()).encode()


def test_15_4_a_real_notification_of_production_is_believed_and_a_changed_one_is_not() -> None:
    real = alipay_keys.load(
        "2019073166072302",
        "2088531891668739",
        private_key_pem=vectors.private_pem(vectors.key_m()),
        platform_keys={"public_key": vectors_alipay.REAL_PUBLIC_KEY},
    )
    channel, _ = client(frozen())
    trade = channel.read_callback(real, {}, real_notification()).trade
    assert trade is not None
    assert (trade.amount_fen, trade.appid, trade.mchid) == (10, real.app_id, real.seller_id)
    assert trade.transaction_no == "2019081522001468450512505578"
    changed = vectors_alipay.REAL_NOTIFICATION_TEXT.replace("total_amount=0.10", "total_amount=0.01")
    with pytest.raises(CallbackRefused, match="bad signature"):
        channel.read_callback(real, {}, real_notification(changed))
    with pytest.raises(CallbackRefused, match="bad signature"):
        channel.read_callback(merchant(), {}, real_notification())


def test_15_6_a_certificate_has_its_number() -> None:
    certificate = x509.load_pem_x509_certificate(vectors_alipay.CERTIFICATE_PEM.encode())
    assert alipay_certificates.number(certificate) == vectors_alipay.CERTIFICATE_SN


def test_15_6_of_a_bundle_only_the_rsa_roots_count_each_parsed_apart() -> None:
    broken = base64.b64encode(b"\x30\x03\x02\x01\x00").decode()
    unreadable = f"-----BEGIN CERTIFICATE-----\n{broken}\n-----END CERTIFICATE-----\n"
    bundle = (
        unreadable + vectors_alipay.CERTIFICATE_PEM + "text between\r\n" + unreadable + vectors_alipay.CERTIFICATE_PEM
    )
    number = vectors_alipay.CERTIFICATE_SN
    assert alipay_certificates.root_number(bundle) == f"{number}_{number}"
    assert alipay_certificates.root_number(unreadable) == ""
