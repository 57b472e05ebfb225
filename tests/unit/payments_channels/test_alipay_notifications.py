"""Alipay's notifications: the genuine one is read in its charset, every forged one is refused (section 9)."""

import base64
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from payments.channels.alipay_keys import Merchant
from payments.channels.base import Callback, CallbackRefused, RefundState, TradeState
from tests import vectors_alipay
from tests.unit.payments_channels.alipay_wire import certified, client, merchant, notification, paid
from tests.unit.payments_channels.wire import frozen

BODY = vectors_alipay.NOTIFICATION_BODY.encode()


def read(body: bytes, reader: Merchant | None = None) -> Callback:
    channel, egress = client(frozen())
    try:
        return channel.read_callback(reader or merchant(), {}, body)
    finally:
        assert egress.sent == [], "a callback never makes the product call out"


def decoded(body: bytes) -> list[tuple[str, str]]:
    return sorted(parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1"))


@pytest.mark.parametrize("bit", range(8))
def test_every_flipped_bit_is_refused_unless_it_means_the_same(bit: int) -> None:
    """Only the case of a percent escape may change without changing a byte of what is said."""
    same = 0
    for position in range(len(BODY)):
        flipped = bytearray(BODY)
        flipped[position] ^= 1 << bit
        try:
            read(bytes(flipped))
        except CallbackRefused:
            continue
        assert decoded(bytes(flipped)) == decoded(BODY), position
        same += 1
    assert same == 0 or bit == 5


@pytest.mark.parametrize("position", range(0, 256, 5))
def test_a_changed_byte_of_the_signature_is_refused(position: int) -> None:
    fields = dict(parse_qsl(vectors_alipay.NOTIFICATION_BODY))
    signature = bytearray(base64.b64decode(fields["sign"]))
    signature[position] ^= 1
    with pytest.raises(CallbackRefused):
        read(urlencode({**fields, "sign": base64.b64encode(bytes(signature)).decode()}).encode())


def test_the_order_of_the_fields_does_not_matter_and_a_second_decoding_does() -> None:
    fields = dict(reversed(parse_qsl(vectors_alipay.NOTIFICATION_BODY)))
    assert read(urlencode(fields).encode()).trade is not None
    twice = notification(paid(subject="100%25 a+b 物业费"))
    assert read(twice).trade is not None
    with pytest.raises(CallbackRefused):
        read(twice.replace(b"%2525", b"%25"))


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "gbk", "GBK", "gb2312", "gb18030"])
def test_the_charset_is_the_forms_own(charset: str) -> None:
    callback = read(notification(paid(charset=charset, subject="物业费"), charset=charset))
    assert callback.trade is not None
    assert callback.trade.amount_fen == 12345


@pytest.mark.parametrize("charset", ["", "utf-7", "物业", "base64"])
def test_an_unknown_charset_is_refused(charset: str) -> None:
    with pytest.raises(CallbackRefused):
        read(notification(paid(charset=charset)) if charset else notification(paid(charset="idna")))


def test_bytes_that_are_not_of_the_charset_are_refused() -> None:
    with pytest.raises(CallbackRefused):
        read(notification(paid(charset="utf-8", subject="物业费"), charset="gbk"))


@pytest.mark.parametrize("sign_type", ["RSA", "rsa2", "", "HMAC", "RSA2 "])
def test_another_kind_of_signature_is_refused(sign_type: str) -> None:
    with pytest.raises(CallbackRefused, match="another kind"):
        read(notification(paid(), sign_type=sign_type))


def test_sign_type_and_the_certificates_number_are_not_signed() -> None:
    body = notification(paid(), alipay_cert_sn="n1")
    assert read(body, certified("n1")).trade is not None
    assert read(body, certified("n0", "n2")).trade is not None, "issued anew, with the same key"
    assert read(body).trade is not None


def test_a_field_that_stands_twice_is_refused() -> None:
    with pytest.raises(CallbackRefused):
        read(notification(paid()) + b"&total_amount=0.01")
    with pytest.raises(CallbackRefused):
        read(b"total_amount=123.45&" + notification(paid()))


@pytest.mark.parametrize("name", ["sign", "sign_type", "notify_id", "notify_type"])
def test_a_missing_part_is_refused(name: str) -> None:
    signed = dict(parse_qsl(notification({key: value for key, value in paid().items() if key != name}).decode()))
    signed.pop(name, None)
    with pytest.raises(CallbackRefused):
        read(urlencode(signed).encode())


@pytest.mark.parametrize("body", [b"", b"&", b"=", b"%", b"a", b"{}", b"\xff=\xff", b"sign=&sign_type=RSA2", BODY[:-1]])
def test_a_body_that_is_no_notification_is_refused(body: bytes) -> None:
    with pytest.raises(CallbackRefused):
        read(body)


def test_a_message_signed_by_the_application_itself_is_refused() -> None:
    elsewhere = certified()
    with pytest.raises(CallbackRefused, match="bad signature"):
        read(notification(paid()), elsewhere)


@pytest.mark.parametrize("name", ["app_id", "seller_id"])
def test_whose_message_it_is_stays_for_settle(name: str) -> None:
    """A notification to another app or seller of the same key is proven, and so it is data."""
    trade = read(notification(paid(**{name: "2088000000000000"}))).trade
    assert trade is not None
    assert "2088000000000000" in (trade.appid, trade.mchid)


@pytest.mark.parametrize(
    "changed",
    [
        {"total_amount": "1e2"},
        {"total_amount": ""},
        {"trade_status": "UNHEARD"},
        {"trade_no": ""},
        {"gmt_payment": "yesterday"},
        {"seller_id": ""},
    ],
)
def test_verified_but_unreadable_stays_data(changed: dict[str, str]) -> None:
    body = notification(paid(**changed))
    callback = read(body)
    assert (callback.trade, callback.refund, callback.plaintext) == (None, None, body)
    assert callback.event_id == "2026090100222000105068450559358070"


def test_a_paid_order_that_can_no_longer_be_refunded_is_paid() -> None:
    trade = read(notification(paid(trade_status="TRADE_FINISHED"))).trade
    assert trade is not None
    assert trade.state is TradeState.SUCCESS


REFUNDED: dict[str, Any] = {
    "out_biz_no": "R202609010001",
    "refund_fee": "88.88",
    "gmt_refund": "2026-09-01 00:09:00.123",
}


@pytest.mark.parametrize("status", ["TRADE_SUCCESS", "TRADE_CLOSED"])
def test_a_refunds_notification_is_a_hint_and_tells_no_amount(status: str) -> None:
    callback = read(notification(paid(trade_status=status, **REFUNDED)))
    assert callback.trade is not None
    assert (callback.trade.state, callback.trade.paid) == (TradeState.REFUND, True)
    assert callback.trade.success_at == datetime(2026, 8, 31, 16, 1, 5, tzinfo=UTC)
    refund = callback.refund
    assert refund is not None
    assert (refund.out_refund_no, refund.out_trade_no) == ("R202609010001", "WY202609010002")
    assert (refund.state, refund.amount_fen) == (RefundState.PROCESSING, 0)


def test_an_order_that_ran_out_of_time_is_neither_paid_nor_refunded() -> None:
    fields = paid(trade_status="TRADE_CLOSED", gmt_close="2026-09-01 00:31:00")
    del fields["gmt_payment"]
    callback = read(notification(fields))
    assert callback.refund is None
    assert callback.trade is not None
    assert callback.trade.state is TradeState.CLOSED


def test_what_we_attached_comes_back() -> None:
    trade = read(notification(paid(passback_params="o%3A1%20%E5%8F%B7"))).trade
    assert trade is not None
    assert trade.attach == "o:1 号"
