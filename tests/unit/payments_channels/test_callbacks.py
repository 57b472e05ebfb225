"""Callbacks: the genuine one is read, every forged one is refused (15.7; reliability section 3, callback forgery)."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backend.kernel.clock import FrozenClock
from payments.channels.base import Callback, CallbackRefused, TradeState
from payments.channels.wechat_merchant import Merchant
from tests import vectors
from tests.unit.payments_channels.wire import client, merchant, signed

RECEIVED_AT = datetime(2026, 8, 31, 16, 1, 6, tzinfo=UTC)
BODY = vectors.NOTIFICATION_BODY.encode()
HEADERS = {
    "Wechatpay-Timestamp": vectors.NOTIFICATION_TIMESTAMP,
    "Wechatpay-Nonce": vectors.NOTIFICATION_NONCE,
    "Wechatpay-Signature": vectors.NOTIFICATION_SIGNATURE,
    "Wechatpay-Serial": vectors.NOTIFICATION_SERIAL,
    "Wechatpay-Signature-Type": vectors.SIGNATURE_TYPE,
}


def read(
    headers: dict[str, str] = HEADERS,
    body: bytes = BODY,
    *,
    at: datetime = RECEIVED_AT,
    reader: Merchant | None = None,
) -> Callback:
    channel, egress = client(FrozenClock(at))
    try:
        return channel.read_callback(reader or merchant(), headers, body)
    finally:
        assert egress.sent == [], "a callback never makes the product call out"


def platform_signed(body: bytes, *, at: datetime = RECEIVED_AT) -> dict[str, str]:
    return dict(signed(200, body, now_s=int(at.timestamp())).headers)


def sealed(plaintext: str, *, event_type: str = "TRANSACTION.SUCCESS", associated_data: bytes | None = b"") -> bytes:
    ciphertext = AESGCM(vectors.APIV3_KEY.encode()).encrypt(b"abcdefghijkl", plaintext.encode(), associated_data)
    text = base64.b64encode(ciphertext).decode()
    return (
        f'{{"id":"e1","event_type":"{event_type}","resource":{{"algorithm":"AEAD_AES_256_GCM",'
        f'"ciphertext":"{text}","nonce":"abcdefghijkl"}}}}'
    ).encode()


def test_the_complete_notification_is_read() -> None:
    callback = read()
    assert callback.event_id == vectors.NOTIFICATION_ID
    assert callback.event_type == "TRANSACTION.SUCCESS"
    assert callback.plaintext.decode() == vectors.NOTIFICATION_PLAINTEXT
    assert callback.trade is not None
    assert callback.trade.state is TradeState.SUCCESS
    assert callback.trade.amount_fen == 12345
    assert callback.trade.out_trade_no == "WY202609010001"
    assert (callback.trade.mchid, callback.trade.appid) == (vectors.MCHID, vectors.APPID)


def test_header_names_in_any_case_and_no_signature_type() -> None:
    headers = {name.lower(): value for name, value in HEADERS.items() if name != "Wechatpay-Signature-Type"}
    assert read(headers).event_id == vectors.NOTIFICATION_ID


@pytest.mark.parametrize("position", range(0, 256, 7))
def test_a_changed_byte_of_the_signature_is_refused(position: int) -> None:
    signature = bytearray(base64.b64decode(vectors.NOTIFICATION_SIGNATURE))
    signature[position] ^= 1 << (position % 8)
    with pytest.raises(CallbackRefused):
        read({**HEADERS, "Wechatpay-Signature": base64.b64encode(bytes(signature)).decode()})


@pytest.mark.parametrize("position", range(0, len(BODY), 31))
def test_a_changed_byte_of_the_body_is_refused(position: int) -> None:
    body = bytearray(BODY)
    body[position] ^= 1
    with pytest.raises(CallbackRefused):
        read(body=bytes(body))


@pytest.mark.parametrize("bit", range(8))
def test_every_flipped_bit_of_the_body_is_refused(bit: int) -> None:
    for position in range(len(BODY)):
        body = bytearray(BODY)
        body[position] ^= 1 << bit
        with pytest.raises(CallbackRefused):
            read(body=bytes(body))


def test_a_body_encoded_again_with_the_same_meaning_is_refused() -> None:
    for body in (BODY.replace(b'":"', b'": "'), BODY + b"\n", BODY.strip(b"}") + b"} }", b"\xef\xbb\xbf" + BODY):
        with pytest.raises(CallbackRefused):
            read(body=body)


@pytest.mark.parametrize("name", list(HEADERS))
def test_a_swapped_header_is_refused(name: str) -> None:
    other = platform_signed(b"{}")
    swapped = {**HEADERS, name: {key.lower(): value for key, value in other.items()}[name.lower()] + "0"}
    with pytest.raises(CallbackRefused):
        read(swapped)


@pytest.mark.parametrize("name", ["Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial"])
def test_a_missing_header_is_refused(name: str) -> None:
    with pytest.raises(CallbackRefused, match="missing"):
        read({key: value for key, value in HEADERS.items() if key != name})


@pytest.mark.parametrize("seconds", [-86_400, -301, -300, 300, 301, 86_400])
def test_a_timestamp_outside_of_five_minutes_is_refused(seconds: int) -> None:
    with pytest.raises(CallbackRefused, match="five minutes"):
        read(at=RECEIVED_AT + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-299, 0, 299])
def test_a_timestamp_within_five_minutes_is_believed(seconds: int) -> None:
    assert read(at=RECEIVED_AT + timedelta(seconds=seconds)).event_id == vectors.NOTIFICATION_ID


@pytest.mark.parametrize("timestamp", ["", "now", "-1", "1e9", "1788192066.0", " 1788192066", "१७८८१९२०६६", "9" * 40])
def test_a_timestamp_that_is_no_number_is_refused(timestamp: str) -> None:
    with pytest.raises(CallbackRefused):
        read({**HEADERS, "Wechatpay-Timestamp": timestamp})


@pytest.mark.parametrize(
    "probe",
    [
        "WECHATPAY/SIGNTEST/" + vectors.NOTIFICATION_SIGNATURE[19:],
        "WECHATPAY/SIGNTEST/not base64 at all!!",
        "WECHATPAY/SIGNTEST/",
        "",
        "支付",
        "AAAA",
    ],
)
def test_a_signature_probe_is_a_bad_signature(probe: str) -> None:
    with pytest.raises(CallbackRefused, match="bad signature"):
        read({**HEADERS, "Wechatpay-Signature": probe})


def test_a_nonce_that_cannot_be_encoded_is_refused() -> None:
    with pytest.raises(CallbackRefused):
        read({**HEADERS, "Wechatpay-Nonce": "\udcff"})


def test_a_brand_signature_is_refused() -> None:
    with pytest.raises(CallbackRefused, match="signature type"):
        read({**HEADERS, "Wechatpay-Signature-Type": "WECHATPAY-BRAND-SHA256-RSA2048"})


def test_an_unknown_serial_is_refused_without_a_call() -> None:
    with pytest.raises(CallbackRefused, match="unknown"):
        read({**HEADERS, "Wechatpay-Serial": "PUB_KEY_ID_0119000072912026090100000000000002"})


def test_the_key_is_chosen_by_serial_alone() -> None:
    """The right key filed under another serial does not verify, nor does another key under this one."""
    elsewhere = merchant(platform_keys={"PUB_KEY_ID_1": vectors.public_pem(vectors.key_p())})
    with pytest.raises(CallbackRefused, match="unknown"):
        read(reader=elsewhere)
    wrong = merchant(platform_keys={vectors.NOTIFICATION_SERIAL: vectors.public_pem(vectors.key_m())})
    with pytest.raises(CallbackRefused, match="bad signature"):
        read(reader=wrong)


def test_a_valid_message_to_another_merchant_is_refused() -> None:
    """The platform's signature is genuine, the APIv3 key is not his."""
    believed = {vectors.NOTIFICATION_SERIAL: vectors.public_pem(vectors.key_p())}
    with pytest.raises(CallbackRefused, match="does not open"):
        read(reader=merchant(api_v3_key="f" * 32, platform_keys=believed))


def test_a_message_of_the_old_interface_is_refused() -> None:
    old = b"<xml><return_code><![CDATA[SUCCESS]]></return_code><sign>C380BEC2BFD727A4B6845133519F3AD6</sign></xml>"
    with pytest.raises(CallbackRefused):
        read({"Content-Type": "text/xml"}, old)
    with pytest.raises(CallbackRefused, match="not a notification"):
        read(platform_signed(old), old)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"id":"e1","event_type":"TRANSACTION.SUCCESS"}',
        b'{"id":"e1","event_type":"TRANSACTION.SUCCESS","resource":[]}',
        b'{"id":5,"event_type":"TRANSACTION.SUCCESS","resource":{}}',
        sealed("{}").replace(b"AEAD_AES_256_GCM", b"AEAD_AES_128_GCM"),
        sealed("{}").replace(b'"nonce":"abcdefghijkl"', b'"nonce":""'),
        sealed("{}").replace(b'"nonce":"abcdefghijkl"', b'"nonce":"a"'),
    ],
)
def test_a_signed_body_that_is_no_notification_is_refused(body: bytes) -> None:
    with pytest.raises(CallbackRefused):
        read(platform_signed(body), body)


@pytest.mark.parametrize("associated_data", [None, b""])
def test_associated_data_may_be_absent(associated_data: bytes | None) -> None:
    body = sealed(vectors.NOTIFICATION_PLAINTEXT, associated_data=associated_data)
    assert read(platform_signed(body), body).trade is not None


@pytest.mark.parametrize(
    "plaintext",
    [
        "no json",
        "[]",
        "{}",
        vectors.NOTIFICATION_PLAINTEXT.replace('"SUCCESS"', '"UNHEARD"'),
        vectors.NOTIFICATION_PLAINTEXT.replace('"total":12345', '"total":"12345"'),
        vectors.NOTIFICATION_PLAINTEXT.replace('"total":12345', '"total":123.45'),
        vectors.NOTIFICATION_PLAINTEXT.replace('"total":12345', '"total":true'),
        vectors.NOTIFICATION_PLAINTEXT.replace('"amount":{', '"amount_":{'),
        vectors.NOTIFICATION_PLAINTEXT.replace('"transaction_id"', '"transaction"'),
        vectors.NOTIFICATION_PLAINTEXT.replace("+08:00", ""),
        vectors.NOTIFICATION_PLAINTEXT.replace('"payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}', '"payer":[1]'),
    ],
)
def test_verified_but_unreadable_stays_data(plaintext: str) -> None:
    body = sealed(plaintext)
    callback = read(platform_signed(body), body)
    assert callback.trade is None
    assert callback.plaintext.decode() == plaintext


def test_another_event_has_no_trade() -> None:
    body = sealed(vectors.NOTIFICATION_PLAINTEXT, event_type="REFUND.SUCCESS")
    callback = read(platform_signed(body), body)
    assert (callback.event_type, callback.trade) == ("REFUND.SUCCESS", None)
