"""Whatever arrives, the parsers of the channels refuse it or read it; they never fail in another way."""

import asyncio
import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.kernel.egress import Answer
from payments.channels import alipay_reading, alipay_signing, wechat_reading
from payments.channels.base import CallbackRefused, ChannelFailure, Trade
from tests import vectors
from tests.unit.payments_channels import alipay_wire, wire
from tests.unit.payments_channels.test_alipay import BACK, NUMBER, QUERY, REFUND_QUERY
from tests.unit.payments_channels.test_alipay import TOLD as ALIPAY_TRADE
from tests.unit.payments_channels.test_wechat_v3 import NOW_S

LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(LEAF, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
WECHAT_TRADE: dict[str, Any] = json.loads(vectors.NOTIFICATION_PLAINTEXT)
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def damaged(document: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """`document` with some of its values replaced by anything."""
    return st.dictionaries(st.sampled_from(sorted(document)), JSON, max_size=4).map(lambda new: {**document, **new})


@FEW
@given(st.binary(max_size=300))
def test_any_bytes_as_a_callback_are_refused(body: bytes) -> None:
    alipay, _ = alipay_wire.client(wire.frozen())
    wechat, _ = wire.client(wire.frozen())
    with pytest.raises(CallbackRefused):
        alipay.read_callback(alipay_wire.merchant(), {}, body)
    with pytest.raises(CallbackRefused):
        wechat.read_callback(wire.merchant(), {"wechatpay-signature": body.decode("latin-1")}, body)


@FEW
@given(damaged(alipay_wire.paid(out_biz_no="R1", refund_fee="1.00", gmt_refund="2026-09-01 00:00:00")))
def test_any_signed_notification_of_alipay_is_read_or_stays_data(fields: dict[str, Any]) -> None:
    texts = {name: str(value).encode("utf-8", "ignore").decode() for name, value in fields.items()}
    channel, _ = alipay_wire.client(wire.frozen())
    try:
        callback = channel.read_callback(alipay_wire.merchant(), {}, alipay_wire.notification(texts))
    except CallbackRefused:
        return
    assert callback.trade is None or type(callback.trade.amount_fen) is int
    assert callback.refund is None or callback.trade is not None


@FEW
@given(damaged(WECHAT_TRADE) | JSON, st.sampled_from(["TRANSACTION.SUCCESS", "REFUND.SUCCESS", ""]))
def test_any_signed_notification_of_wechat_is_read_or_stays_data(document: Any, event_type: str) -> None:
    plaintext = json.dumps(document).encode()
    ciphertext = base64.b64encode(AESGCM(vectors.APIV3_KEY.encode()).encrypt(b"n" * 12, plaintext, b"")).decode()
    resource = {"algorithm": "AEAD_AES_256_GCM", "ciphertext": ciphertext, "nonce": "n" * 12}
    body = json.dumps({"id": "e", "event_type": event_type or "X", "resource": resource}).encode()
    channel, _ = wire.client(wire.frozen())
    callback = channel.read_callback(wire.merchant(), wire.signed(200, body, now_s=NOW_S).headers, body)
    assert callback.plaintext == plaintext
    assert callback.trade is None or type(callback.trade.amount_fen) is int


@FEW
@given(damaged({**ALIPAY_TRADE, "code": "10000"}))
def test_any_signed_answer_of_alipay_is_a_trade_or_a_failure(node: dict[str, Any]) -> None:
    answers = [alipay_wire.answer(QUERY, node), alipay_wire.answer(REFUND_QUERY, node)]
    channel, _ = alipay_wire.client(wire.frozen(), *answers)
    try:
        found = asyncio.run(channel.query(alipay_wire.merchant(), NUMBER))
        assert found is None or isinstance(found, Trade)
        assert asyncio.run(channel.query_refund(alipay_wire.merchant(), BACK)) is None
    except ChannelFailure:
        return


@FEW
@given(damaged(WECHAT_TRADE))
def test_any_signed_answer_of_wechat_is_a_trade_or_a_failure(document: dict[str, Any]) -> None:
    channel, _ = wire.client(wire.frozen(), wire.signed(200, json.dumps(document).encode(), now_s=NOW_S))
    try:
        asyncio.run(channel.query(wire.merchant(), "WY202609010001"))
    except ChannelFailure:
        return


@FEW
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()), st.sampled_from([200, 400, 500]))
def test_any_answer_is_a_failure_unless_it_is_signed(body: bytes, status: int) -> None:
    alipay, _ = alipay_wire.client(wire.frozen(), Answer(status, {}, body))
    wechat, _ = wire.client(wire.frozen(), Answer(status, {}, body))
    with pytest.raises(ChannelFailure):
        asyncio.run(alipay.query(alipay_wire.merchant(), NUMBER))
    with pytest.raises(ChannelFailure):
        asyncio.run(wechat.query(wire.merchant(), NUMBER))


@FEW
@given(st.dictionaries(st.text(), JSON, min_size=1, max_size=5), st.sampled_from([None, 1, "\t"]))
def test_the_members_of_an_answer_are_its_raw_texts(document: dict[str, Any], indent: Any) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    try:
        body = text.encode()
    except UnicodeEncodeError:
        return
    found = alipay_signing.members(body)
    assert list(found) == list(document)
    for name, raw in found.items():
        assert raw in text
        assert json.dumps(json.loads(raw), ensure_ascii=False) == json.dumps(document[name], ensure_ascii=False)


@FEW
@given(st.text(alphabet="0123456789.-+eE \u0661,", max_size=12))
def test_an_amount_in_yuan_is_exact_or_refused(text: str) -> None:
    try:
        fen = alipay_reading.fen_of(text)
    except ValueError:
        return
    yuan, _, cents = text.partition(".")
    assert fen == int(yuan + cents.ljust(2, "0"))
    assert text.isascii()


@FEW
@given(st.binary(max_size=100))
def test_any_refusal_has_a_meaning(body: bytes) -> None:
    for status in (202, 302, 400, 404, 429, 500):
        assert isinstance(wechat_reading.refusal_of(Answer(status, {}, body)), ChannelFailure)
