"""Refunds at WeChat Pay: what is sent, what each answer and notification means (sections 5, 9 and 10)."""

import asyncio
import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backend.kernel.egress import EgressTimeout
from payments.channels import wechat_signing as signing
from payments.channels.base import (
    NOT_ENOUGH,
    Callback,
    CallbackRefused,
    ChannelError,
    ChannelOutcomeUnknown,
    ChannelRateLimited,
    RefundRequest,
    RefundState,
)
from payments.channels.wechat_documents import BankCard
from tests import vectors
from tests.unit.payments_channels.test_wechat_v3 import NOW_S, answer, assert_signed_by_merchant, certificate_pem
from tests.unit.payments_channels.wire import BASE_URL, SUB_MCHID, client, frozen, merchant, partner, signed

TRANSACTION = "4200002670202609015678901234"
REQUEST = RefundRequest(
    out_refund_no="R202609010001",
    out_trade_no="WY202609010001",
    transaction_no=TRANSACTION,
    amount_fen=5000,
    total_fen=12345,
    reason="重复支付🏠",
    notify_url="https://pay.example.com/notify/wx/refund",
)
TOLD: dict[str, Any] = {
    "refund_id": "50300002672026090112345678901",
    "out_refund_no": "R202609010001",
    "transaction_id": TRANSACTION,
    "out_trade_no": "WY202609010001",
    "channel": "ORIGINAL",
    "user_received_account": "支付用户零钱",
    "create_time": "2026-09-01T10:00:00+08:00",
    "status": "PROCESSING",
    "funds_account": "AVAILABLE",
    "amount": {"total": 12345, "refund": 5000, "payer_total": 12345, "payer_refund": 5000, "currency": "CNY"},
}


def test_a_refund_is_asked_for_with_our_number_and_the_orders_total() -> None:
    channel, egress = client(frozen(), answer(200, TOLD))
    refund = asyncio.run(channel.refund(merchant(), REQUEST))
    (sent,) = egress.sent
    assert (sent.method, sent.url) == ("POST", f"{BASE_URL}/v3/refund/domestic/refunds")
    assert json.loads(sent.body or b"") == {
        "transaction_id": TRANSACTION,
        "out_refund_no": "R202609010001",
        "notify_url": "https://pay.example.com/notify/wx/refund",
        "amount": {"refund": 5000, "total": 12345, "currency": "CNY"},
        "reason": "重复支付",
    }
    assert_signed_by_merchant(sent)
    assert refund.state is RefundState.PROCESSING, "HTTP 200 is never proof of success"
    assert (refund.refund_no, refund.amount_fen, refund.mchid) == (TOLD["refund_id"], 5000, vectors.MCHID)


def test_a_repeated_refund_has_the_same_body_and_no_empty_reason() -> None:
    channel, egress = client(frozen(), answer(200, TOLD), answer(200, TOLD))
    for _ in range(2):
        asyncio.run(channel.refund(merchant(), replace(REQUEST, reason="")))
    assert egress.sent[0].body == egress.sent[1].body
    assert "reason" not in json.loads(egress.sent[0].body or b"")


def test_a_service_provider_refunds_for_its_sub_merchant() -> None:
    channel, egress = client(frozen(), answer(200, TOLD), answer(200, TOLD))
    assert asyncio.run(channel.refund(partner(), REQUEST)).mchid == SUB_MCHID
    assert asyncio.run(channel.query_refund(partner(), REQUEST)) is not None
    assert json.loads(egress.sent[0].body or b"")["sub_mchid"] == SUB_MCHID
    assert egress.sent[1].url == f"{BASE_URL}/v3/refund/domestic/refunds/R202609010001?sub_mchid={SUB_MCHID}"


@pytest.mark.parametrize("state", list(RefundState))
def test_query_tells_every_state(state: RefundState) -> None:
    told = {**TOLD, "status": state.value}
    if state is RefundState.SUCCESS:
        told["success_time"] = "2026-09-01T10:00:05+08:00"
    channel, egress = client(frozen(), answer(200, told))
    refund = asyncio.run(channel.query_refund(merchant(), REQUEST))
    assert refund is not None
    assert refund.state is state
    done_at = datetime(2026, 9, 1, 2, 0, 5, tzinfo=UTC) if state is RefundState.SUCCESS else None
    assert refund.success_at == done_at
    assert egress.sent[0].url == f"{BASE_URL}/v3/refund/domestic/refunds/R202609010001"


@pytest.mark.parametrize("code", ["RESOURCE_NOT_EXISTS", "RESOURCENOTEXISTS"])
def test_a_refund_that_the_platform_does_not_know_is_a_fact(code: str) -> None:
    channel, _ = client(frozen(), answer(404, {"code": code, "message": "退款单不存在"}))
    assert asyncio.run(channel.query_refund(merchant(), REQUEST)) is None


@pytest.mark.parametrize(
    "told",
    [
        {**TOLD, "out_refund_no": "R202609010002"},
        {**TOLD, "out_trade_no": "WY202609010002"},
        {**TOLD, "status": "DONE"},
        {**TOLD, "amount": {"refund": "5000"}},
        {**TOLD, "amount": {"refund": 50.0}},
        {**TOLD, "amount": {"refund": True}},
        {**TOLD, "refund_id": ""},
        {key: value for key, value in TOLD.items() if key != "status"},
        [],
    ],
)
def test_an_answer_that_is_not_about_this_refund_is_no_answer(told: Any) -> None:
    for call in ("refund", "query_refund"):
        channel, _ = client(frozen(), answer(200, told))
        with pytest.raises(ChannelOutcomeUnknown):
            asyncio.run(getattr(channel, call)(merchant(), REQUEST))


@pytest.mark.parametrize(
    "failure",
    [
        EgressTimeout("pay.test", sent=True),
        answer(500, {"code": "SYSTEM_ERROR", "message": "系统超时"}),
        signed(200, json.dumps(TOLD).encode(), now_s=NOW_S - 300),
    ],
)
def test_a_refund_without_a_believable_answer_is_unknown(failure: Any) -> None:
    channel, egress = client(frozen(), failure)
    with pytest.raises(ChannelOutcomeUnknown):
        asyncio.run(channel.refund(merchant(), REQUEST))
    assert len(egress.sent) == 1, "nothing is repeated inside"


def test_refusals_of_a_refund_are_told_apart() -> None:
    channel, _ = client(
        frozen(),
        answer(403, {"code": "NOT_ENOUGH", "message": "基本账户余额不足"}),
        answer(429, {"code": "FREQUENCY_LIMITED", "message": "频率限制"}),
    )
    with pytest.raises(ChannelError) as refused:
        asyncio.run(channel.refund(merchant(), REQUEST))
    assert refused.value.code == NOT_ENOUGH
    with pytest.raises(ChannelRateLimited):
        asyncio.run(channel.refund(merchant(), REQUEST))


# An abnormal refund goes another way

CARD = BankCard(bank_type="ICBC_DEBIT", account="6222020000000000008", name="张三")


def test_a_payers_card_leaves_encrypted_with_the_key_that_is_named() -> None:
    channel, egress = client(frozen(), answer(200, TOLD))
    asyncio.run(channel.redirect_refund(merchant(), REQUEST, TOLD["refund_id"], card=CARD))
    (sent,) = egress.sent
    assert sent.url == f"{BASE_URL}/v3/refund/domestic/refunds/{TOLD['refund_id']}/apply-abnormal-refund"
    assert sent.headers["Wechatpay-Serial"] == vectors.NOTIFICATION_SERIAL
    body = json.loads(sent.body or b"")
    assert (body["type"], body["out_refund_no"], body["bank_type"]) == (
        "USER_BANK_CARD",
        "R202609010001",
        "ICBC_DEBIT",
    )
    assert signing.decrypt_field(vectors.key_p(), body["bank_account"]) == CARD.account
    assert signing.decrypt_field(vectors.key_p(), body["real_name"]) == CARD.name
    assert CARD.account not in repr(CARD)


def test_the_newest_certificate_encrypts_where_there_is_no_public_key() -> None:
    both = {"5157F09E": certificate_pem(0x5157F09E), "5157F0A0": certificate_pem(0x5157F0A0, start_year=2027)}
    holder = merchant(platform_keys=both)
    channel, egress = client(frozen(), signed(200, json.dumps(TOLD).encode(), now_s=NOW_S, serial="5157F09E"))
    asyncio.run(channel.redirect_refund(holder, REQUEST, TOLD["refund_id"], card=CARD))
    assert egress.sent[0].headers["Wechatpay-Serial"] == "5157F0A0"
    newcomer = merchant(platform_keys={}).believing(both)
    assert newcomer.field_serial == "5157F0A0"


def test_without_a_card_the_money_goes_to_the_merchants_account() -> None:
    channel, egress = client(frozen(), answer(200, TOLD))
    asyncio.run(channel.redirect_refund(partner(), REQUEST, TOLD["refund_id"], card=None))
    assert json.loads(egress.sent[0].body or b"") == {
        "sub_mchid": SUB_MCHID,
        "out_refund_no": "R202609010001",
        "type": "MERCHANT_BANK_CARD",
    }


# Notifications

HEARD: dict[str, Any] = {
    "mchid": vectors.MCHID,
    "out_trade_no": "WY202609010001",
    "transaction_id": TRANSACTION,
    "out_refund_no": "R202609010001",
    "refund_id": "50300002672026090112345678901",
    "refund_status": "SUCCESS",
    "success_time": "2026-09-01T10:00:05+08:00",
    "user_received_account": "支付用户零钱",
    "amount": {"total": 12345, "refund": 5000, "payer_total": 12345, "payer_refund": 5000},
}


def hear(document: Any, *, event_type: str = "REFUND.SUCCESS", probe: bool = False) -> Callback:
    plaintext = document if isinstance(document, bytes) else json.dumps(document).encode()
    sealed = AESGCM(vectors.APIV3_KEY.encode()).encrypt(b"abcdefghijkl", plaintext, b"refund")
    body = json.dumps(
        {
            "id": "e2",
            "event_type": event_type,
            "resource": {
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": base64.b64encode(sealed).decode(),
                "nonce": "abcdefghijkl",
                "associated_data": "refund",
            },
        }
    ).encode()
    headers = dict(signed(200, body, now_s=NOW_S).headers)
    if probe:
        headers["wechatpay-signature"] = "WECHATPAY/SIGNTEST/" + headers["wechatpay-signature"][19:]
    channel, egress = client(frozen())
    try:
        return channel.read_callback(merchant(), headers, body)
    finally:
        assert egress.sent == [], "a callback never makes the product call out"


@pytest.mark.parametrize("state", ["SUCCESS", "ABNORMAL", "CLOSED"])
def test_a_refunds_notification_is_a_refund_and_no_trade(state: str) -> None:
    callback = hear({**HEARD, "refund_status": state}, event_type=f"REFUND.{state}")
    assert callback.trade is None
    assert callback.refund is not None
    assert (callback.refund.state, callback.refund.amount_fen) == (RefundState(state), 5000)
    assert (callback.refund.mchid, callback.refund.out_refund_no) == (vectors.MCHID, "R202609010001")


def test_a_refunds_notification_to_a_service_provider_belongs_to_the_sub_merchant() -> None:
    document = {key: value for key, value in HEARD.items() if key != "mchid"}
    callback = hear({**document, "sp_mchid": vectors.MCHID, "sub_mchid": SUB_MCHID})
    assert callback.refund is not None
    assert callback.refund.mchid == SUB_MCHID


@pytest.mark.parametrize("document", [b"no json", [], {}, {**HEARD, "refund_status": "X"}, {**HEARD, "amount": 5000}])
def test_a_refunds_notification_that_cannot_be_read_stays_data(document: Any) -> None:
    callback = hear(document)
    assert (callback.event_id, callback.trade, callback.refund) == ("e2", None, None)


def test_a_payment_told_as_a_refund_is_none() -> None:
    assert hear(vectors.NOTIFICATION_PLAINTEXT.encode()).refund is None
    assert hear(HEARD, event_type="TRANSACTION.SUCCESS").refund is None


def test_a_probe_about_a_refund_is_refused() -> None:
    with pytest.raises(CallbackRefused, match="bad signature"):
        hear(HEARD, probe=True)
