"""The sandbox's functions against the vectors of protocols/wechat-pay-v3.md section 15 and of the mini-program page."""

import base64
import hashlib
import json
from datetime import datetime

import pytest

from sandbox import keys, notices, pay_auth, pay_books, statement_lines, users
from sandbox.pay_books import Order, TradeState
from tests import vectors


def sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def paid_order() -> Order:
    """The order of vectors 15.7 and 15.9."""
    return Order(
        mchid=vectors.MCHID,
        out_trade_no="WY202609010001",
        trade_type="JSAPI",
        appid=vectors.APPID,
        openid="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
        request="{}",
        total_fen=12345,
        currency="CNY",
        description="物业费",
        attach="",
        notify_url="https://pay.example.com/notify/wx",
        prepay_id="wx261153585405162d4d02642eabe7000000",
        prepay_expires_s=0,
        code_url=None,
        created_s=0,
        expires_s=0,
        state=TradeState.SUCCESS,
        cancels=0,
        transaction_id="4200002670202609015678901234",
        success_s=datetime.fromisoformat("2026-09-01T00:01:05+08:00").timestamp(),
        payer_openid="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
    )


def test_15_1_the_keys_are_those_of_the_page() -> None:
    assert sha256(vectors.public_der(vectors.key_m())) == vectors.KEY_M_SPKI_SHA256
    assert sha256(vectors.public_der(vectors.key_p())) == vectors.KEY_P_SPKI_SHA256


def test_15_2_a_signed_post_verifies() -> None:
    body = vectors.POST_BODY.encode()
    assert sha256(body) == vectors.POST_BODY_SHA256
    text = keys.request_text("POST", vectors.POST_PATH, vectors.REQUEST_TIMESTAMP, vectors.REQUEST_NONCE, body)
    assert (len(text), sha256(text)) == (vectors.POST_TEXT_LENGTH, vectors.POST_TEXT_SHA256)
    merchant = keys.load_public_key(vectors.public_pem(vectors.key_m()))
    assert keys.verify(merchant, text, vectors.POST_SIGNATURE)
    assert not keys.verify(merchant, text[:-1], vectors.POST_SIGNATURE)


def test_15_3_a_signed_get_verifies() -> None:
    text = keys.request_text("GET", vectors.GET_PATH, vectors.REQUEST_TIMESTAMP, vectors.REQUEST_NONCE, b"")
    assert (len(text), sha256(text)) == (vectors.GET_TEXT_LENGTH, vectors.GET_TEXT_SHA256)
    assert keys.verify(keys.load_public_key(vectors.public_pem(vectors.key_m())), text, vectors.GET_SIGNATURE)


@pytest.mark.parametrize(
    ("body", "signature"),
    [(vectors.RESPONSE_BODY, vectors.RESPONSE_SIGNATURE), ("", vectors.EMPTY_RESPONSE_SIGNATURE)],
)
def test_15_4_responses_are_signed_like_this(body: str, signature: str) -> None:
    text = keys.answer_text(vectors.RESPONSE_TIMESTAMP, vectors.RESPONSE_NONCE, body.encode())
    assert keys.sign(vectors.key_p(), text) == signature


def test_15_5_pay_sign_verifies() -> None:
    prepay_id = vectors.PAY_SIGN_PACKAGE.removeprefix("prepay_id=")
    text = keys.pay_sign_text(vectors.APPID, vectors.PAY_SIGN_TIMESTAMP, vectors.PAY_SIGN_NONCE, prepay_id)
    assert sha256(text) == vectors.PAY_SIGN_TEXT_SHA256
    assert keys.verify(keys.load_public_key(vectors.public_pem(vectors.key_m())), text, vectors.PAY_SIGN)


@pytest.mark.parametrize(("plaintext", "nonce", "associated_data", "ciphertext"), vectors.GCM_VECTORS)
def test_15_6_resources_are_encrypted_like_this(
    plaintext: str, nonce: str, associated_data: str, ciphertext: str
) -> None:
    assert keys.seal(vectors.APIV3_KEY, plaintext.encode(), nonce, associated_data) == ciphertext


def test_15_7_a_complete_notification_byte_for_byte() -> None:
    plaintext = pay_books.to_json(pay_books.trade(paid_order()))
    assert plaintext == vectors.NOTIFICATION_PLAINTEXT
    body = notices.compose(
        vectors.NOTIFICATION_ID,
        vectors.NOTIFICATION_CREATE_TIME,
        vectors.APIV3_KEY,
        plaintext,
        resource_nonce=vectors.NOTIFICATION_RESOURCE_NONCE,
    )
    assert body == vectors.NOTIFICATION_BODY
    assert sha256(body.encode()) == vectors.NOTIFICATION_BODY_SHA256
    text = keys.answer_text(vectors.NOTIFICATION_TIMESTAMP, vectors.NOTIFICATION_NONCE, body.encode())
    assert keys.sign(vectors.key_p(), text) == vectors.NOTIFICATION_SIGNATURE


def test_15_9_a_statement_byte_for_byte() -> None:
    lines = [statement_lines.of_payment(paid_order())]
    sums = statement_lines.summary(lines)
    content = statement_lines.render(*statement_lines.table(lines, "ALL"), statement_lines.SUMMARY_HEADER, sums)
    assert content == vectors.BILL_FILE
    assert (len(content), hashlib.sha1(content).hexdigest()) == (vectors.BILL_LENGTH, vectors.BILL_SHA1)


def test_a_session_check_signature_is_the_hmac_of_nothing() -> None:
    assert users.session_signature(vectors.PHONE_SESSION_KEY) == vectors.CHECKSESSION_SIGNATURE


def test_a_probe_is_marked_and_does_not_verify() -> None:
    signer = keys.Signer("PUB_KEY_ID_0000", vectors.key_p())
    headers = pay_auth.signed_headers(signer, 1788230400, b"{}", probe=True)
    assert headers["Wechatpay-Signature"].startswith("WECHATPAY/SIGNTEST/")
    text = keys.answer_text(headers["Wechatpay-Timestamp"], headers["Wechatpay-Nonce"], b"{}")
    public = keys.load_public_key(vectors.public_pem(vectors.key_p()))
    assert not keys.verify(public, text, headers["Wechatpay-Signature"])


def test_a_spoiled_signature_is_still_base64() -> None:
    spoiled = pay_auth.spoiled(vectors.RESPONSE_SIGNATURE)
    assert spoiled != vectors.RESPONSE_SIGNATURE
    assert len(base64.b64decode(spoiled, validate=True)) == 256


def test_the_vectors_are_json_where_they_say_so() -> None:
    assert json.loads(vectors.NOTIFICATION_BODY)["id"] == vectors.NOTIFICATION_ID
    assert json.loads(vectors.PHONE_PLAINTEXT)["watermark"]["appid"] == vectors.APPID
