"""The product against the vectors of protocols/wechat-pay-v3.md section 15."""

import hashlib
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from payments.channels import wechat_signing as signing
from payments.channels.base import TradeState
from payments.channels.wechat_reading import trade_of
from tests import vectors

PLATFORM = {vectors.NOTIFICATION_SERIAL: vectors.key_p().public_key()}


def response_headers(signature: str) -> dict[str, str]:
    return {
        "Wechatpay-Timestamp": vectors.RESPONSE_TIMESTAMP,
        "Wechatpay-Nonce": vectors.RESPONSE_NONCE,
        "Wechatpay-Signature": signature,
        "Wechatpay-Serial": vectors.NOTIFICATION_SERIAL,
    }


@pytest.mark.parametrize(
    ("method", "target", "body", "length", "digest", "signature"),
    [
        (
            "POST",
            vectors.POST_PATH,
            vectors.POST_BODY,
            vectors.POST_TEXT_LENGTH,
            vectors.POST_TEXT_SHA256,
            vectors.POST_SIGNATURE,
        ),
        (
            "GET",
            vectors.GET_PATH,
            "",
            vectors.GET_TEXT_LENGTH,
            vectors.GET_TEXT_SHA256,
            vectors.GET_SIGNATURE,
        ),
    ],
    ids=["15.2 POST", "15.3 GET"],
)
def test_request_is_signed_byte_for_byte(
    method: str, target: str, body: str, length: int, digest: str, signature: str
) -> None:
    text = signing.request_text(
        method, target, timestamp=vectors.REQUEST_TIMESTAMP, nonce=vectors.REQUEST_NONCE, body=body.encode()
    )
    assert len(text) == length
    assert hashlib.sha256(text).hexdigest() == digest
    assert signing.sign(vectors.key_m(), text) == signature


def test_authorization_names_the_five_parts() -> None:
    header = signing.authorization(
        vectors.MCHID,
        serial_no=vectors.MERCHANT_SERIAL,
        timestamp=vectors.REQUEST_TIMESTAMP,
        nonce=vectors.REQUEST_NONCE,
        signature=vectors.GET_SIGNATURE,
    )
    scheme, parts = header.split(" ", 1)
    pairs = dict(part.split("=", 1) for part in parts.split(","))
    assert scheme == "WECHATPAY2-SHA256-RSA2048"
    assert {name: value.strip('"') for name, value in pairs.items()} == {
        "mchid": vectors.MCHID,
        "nonce_str": vectors.REQUEST_NONCE,
        "signature": vectors.GET_SIGNATURE,
        "timestamp": vectors.REQUEST_TIMESTAMP,
        "serial_no": vectors.MERCHANT_SERIAL,
    }


@pytest.mark.parametrize(
    ("body", "signature"),
    [(vectors.RESPONSE_BODY, vectors.RESPONSE_SIGNATURE), ("", vectors.EMPTY_RESPONSE_SIGNATURE)],
    ids=["15.4 body", "15.4 empty body of a 204"],
)
def test_response_is_verified(body: str, signature: str) -> None:
    signing.verify(PLATFORM, response_headers(signature), body.encode(), now_s=int(vectors.RESPONSE_TIMESTAMP))


def test_response_text_digest() -> None:
    text = signing.message_text(
        timestamp=vectors.RESPONSE_TIMESTAMP, nonce=vectors.RESPONSE_NONCE, body=vectors.RESPONSE_BODY.encode()
    )
    assert hashlib.sha256(text).hexdigest() == vectors.RESPONSE_TEXT_SHA256


def test_pay_sign_is_what_the_mini_program_takes() -> None:
    prepay_id = vectors.PAY_SIGN_PACKAGE.removeprefix("prepay_id=")
    assert signing.request_payment(
        vectors.key_m(),
        app_id=vectors.APPID,
        prepay_id=prepay_id,
        timestamp=vectors.PAY_SIGN_TIMESTAMP,
        nonce=vectors.PAY_SIGN_NONCE,
    ) == {
        "timeStamp": vectors.PAY_SIGN_TIMESTAMP,
        "nonceStr": vectors.PAY_SIGN_NONCE,
        "package": vectors.PAY_SIGN_PACKAGE,
        "signType": "RSA",
        "paySign": vectors.PAY_SIGN,
    }


@pytest.mark.parametrize(("plaintext", "nonce", "associated_data", "ciphertext"), vectors.GCM_VECTORS)
def test_resource_opens(plaintext: str, nonce: str, associated_data: str, ciphertext: str) -> None:
    opened = signing.open_resource(
        vectors.APIV3_KEY.encode(), nonce=nonce, associated_data=associated_data, ciphertext=ciphertext
    )
    assert opened.decode() == plaintext


def test_field_opens_and_a_fresh_one_too() -> None:
    assert signing.decrypt_field(vectors.key_p(), vectors.OAEP_CIPHERTEXT) == vectors.OAEP_PLAINTEXT
    again = signing.encrypt_field(vectors.key_p().public_key(), vectors.OAEP_PLAINTEXT)
    assert signing.decrypt_field(vectors.key_p(), again) == vectors.OAEP_PLAINTEXT


def test_field_for_another_key_is_refused() -> None:
    with pytest.raises(signing.DecryptionFailed):
        signing.decrypt_field(vectors.key_m(), vectors.OAEP_CIPHERTEXT)
    with pytest.raises(signing.DecryptionFailed):
        signing.decrypt_field(vectors.key_p(), "not base64!")


def test_trade_of_the_notification() -> None:
    trade = trade_of(orjson.loads(vectors.NOTIFICATION_PLAINTEXT))
    assert trade.state is TradeState.SUCCESS
    assert trade.paid
    assert (trade.amount_fen, trade.currency) == (12345, "CNY")
    assert trade.transaction_no == "4200002670202609015678901234"
    assert trade.success_at is not None
    assert trade.success_at.astimezone(UTC) == datetime(2026, 8, 31, 16, 1, 5, tzinfo=UTC)
    assert trade.success_at.utcoffset() == timedelta(hours=8)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("5157F09E", "5157f09e", True),
        ("05157F09E", "5157F09E", True),
        ("5157F09E", "5157F09F", False),
        ("PUB_KEY_ID_01", "PUB_KEY_ID_1", False),
        ("PUB_KEY_ID_0119", "pub_key_id_0119", False),
    ],
)
def test_serials_are_compared_by_their_kind(left: str, right: str, same: bool) -> None:
    assert (signing.serial_key(left) == signing.serial_key(right)) is same
