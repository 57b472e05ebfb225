"""Alipay's calls: what goes out byte for byte, and what each kind of answer means (sections 1 to 8, 12)."""

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1

from backend.kernel.egress import Answer, EgressTimeout, EgressUnreachable
from payments.channels.alipay import Alipay, Undone
from payments.channels.base import (
    NOT_ENOUGH,
    ORDER_CLOSED,
    ORDER_PAID,
    ChannelError,
    ChannelOutcomeUnknown,
    ChannelRateLimited,
    ChannelRefund,
    Method,
    PrepayRequest,
    RefundRequest,
    RefundState,
    TradeState,
)
from tests import vectors
from tests.unit.payments_channels.alipay_wire import (
    APP_ID,
    GATEWAY,
    SELLER_ID,
    address,
    answer,
    assert_signed,
    certified,
    client,
    content,
    merchant,
    processed,
    refused,
    said,
)
from tests.unit.payments_channels.wire import frozen

NUMBER = "WY202609010002"
TRADE_NO = "2026090122001468450512505578"
QR_CODE = "https://qr.alipay.com/bax00022tldi82dwzbvp6013"
PRECREATE, QUERY, CLOSE, CANCEL = (f"alipay.trade.{name}" for name in ("precreate", "query", "close", "cancel"))
REFUND, REFUND_QUERY = "alipay.trade.refund", "alipay.trade.fastpay.refund.query"
REQUEST = PrepayRequest(
    method=Method.PRECREATE,
    out_trade_no=NUMBER,
    description="物业费2026年09月/1栋=101&",
    amount_fen=12345,
    app_id=APP_ID,
    notify_url="https://pay.example.com/notify/ali",
    expires_at=datetime(2026, 9, 1, 2, 30, tzinfo=UTC),
    attach="o:1 号",
)
PRECREATED = processed(PRECREATE, out_trade_no=NUMBER, qr_code=QR_CODE)
BACK = RefundRequest(
    out_refund_no="R202609010001",
    out_trade_no=NUMBER,
    transaction_no=TRADE_NO,
    amount_fen=5,
    total_fen=12345,
    reason="重复支付",
    notify_url="https://pay.example.com/notify/ali",
)

# Orders


def test_precreate_sends_what_it_signed_with_the_charset_in_the_query() -> None:
    channel, egress = client(frozen(), PRECREATED)
    assert asyncio.run(channel.prepay(merchant(), REQUEST)).handle == QR_CODE
    (sent,) = egress.sent
    assert sent.method == "POST"
    assert sent.url.startswith(GATEWAY + "?")
    assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded;charset=utf-8"
    query = address(sent.url)
    assert "biz_content" not in query
    assert (query["charset"], query["sign_type"], query["version"]) == ("utf-8", "RSA2", "1.0")
    assert query["timestamp"] == "2026-09-01 10:00:00", "Beijing time"
    assert_signed(said(sent))
    assert content(sent) == {
        "out_trade_no": NUMBER,
        "total_amount": "123.45",
        "subject": "物业费2026年09月-1栋-101-",
        "product_code": "QR_CODE_OFFLINE",
        "time_expire": "2026-09-01 10:30:00",
        "passback_params": "o%3A1%20%E5%8F%B7",
    }
    assert "app_cert_sn" not in query
    assert "return_url" not in query


@pytest.mark.parametrize(
    ("method", "api", "product", "more"),
    [
        (Method.WAP, "alipay.trade.wap.pay", "QUICK_WAP_WAY", {"quit_url": "https://pay.example.com/done?o=1"}),
        (Method.PAGE, "alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY", {}),
    ],
)
def test_a_page_is_only_signed(method: Method, api: str, product: str, more: dict[str, str]) -> None:
    channel, egress = client(frozen())
    request = replace(REQUEST, method=method, payer_ip="203.0.113.9", return_url="https://pay.example.com/done?o=1")
    url = asyncio.run(channel.prepay(merchant(), request)).handle
    assert egress.sent == []
    assert url.startswith(GATEWAY + "?")
    assert url.isascii()
    assert " " not in url
    parameters = address(url)
    assert_signed(parameters)
    assert (parameters["method"], parameters["return_url"]) == (api, "https://pay.example.com/done?o=1")
    assert parameters["notify_url"] == REQUEST.notify_url
    document = json.loads(parameters["biz_content"])
    assert document["product_code"] == product
    assert document["business_params"] == {"mc_create_trade_ip": "203.0.113.9"}
    assert {key: document[key] for key in more} == more


def test_certificate_mode_names_its_certificates() -> None:
    channel, egress = client(frozen(), answer(PRECREATE, json.loads(members(PRECREATED)), number="n1"))
    asyncio.run(channel.prepay(certified("n1"), REQUEST))
    parameters = said(egress.sent[0])
    assert parameters["app_cert_sn"] == "a" * 32
    assert parameters["alipay_root_cert_sn"] == "b" * 32 + "_" + "c" * 32
    assert_signed(parameters)


def members(given: Answer) -> str:
    found: dict[str, Any] = json.loads(given.body)
    return json.dumps(next(iter(found.values())))


def test_a_certificate_issued_anew_keeps_its_key_and_is_believed() -> None:
    node = json.loads(members(PRECREATED))
    channel, _ = client(frozen(), answer(PRECREATE, node, number="n2"))
    assert asyncio.run(channel.prepay(certified("n1"), REQUEST)).handle == QR_CODE
    other = replace(certified("n1"), platform_keys={"n1": vectors.key_m().public_key()})
    channel, _ = client(frozen(), answer(PRECREATE, node, number="n2"))
    with pytest.raises(ChannelOutcomeUnknown, match="bad signature"):
        asyncio.run(channel.prepay(other, REQUEST))


# What is believed of an answer

UNSIGNED = '{"error_response":{"code":"40002","msg":"Invalid Arguments","sub_code":"isv.invalid-app-id"}}'


def by_sha1(body: bytes) -> str:
    return base64.b64encode(vectors.key_p().sign(body, PKCS1v15(), SHA1())).decode()


NODE = f'{{"code":"10000","msg":"Success","out_trade_no":"{NUMBER}","qr_code":"{QR_CODE}"}}'


@pytest.mark.parametrize(
    "failure",
    [
        EgressTimeout("pay.test", sent=True),
        EgressUnreachable("pay.test", sent=True),
        Answer(200, {}, b""),
        Answer(200, {}, b"<html>\xd6\xa7\xb8\xb6</html>"),
        Answer(200, {}, UNSIGNED.encode()),
        Answer(200, {}, f'{{"alipay_trade_precreate_response":{NODE}}}'.encode()),
        Answer(200, {}, f'{{"alipay_trade_precreate_response":{NODE},"sign":null}}'.encode()),
        answer(PRECREATE, NODE, signature="AAAA"),
        answer(PRECREATE, NODE, signature="not base64!"),
        answer(PRECREATE, NODE, signature=by_sha1(NODE.encode())),
        Answer(200, {}, answer(PRECREATE, NODE).body.replace(b"bax000", b"bax001")),
        Answer(200, {}, answer(PRECREATE, NODE).body.replace(b'"msg"', b' "msg"')),
        Answer(200, {}, answer(PRECREATE, NODE).body + b"x"),
        Answer(502, {}, answer(PRECREATE, NODE).body),
        answer("alipay.trade.query", NODE),
        answer(PRECREATE, "[]"),
        answer(PRECREATE, '"text"'),
        answer(PRECREATE, {}),
        answer(PRECREATE, {"code": 10000}),
        answer(PRECREATE, "[" * 100_000 + "]" * 100_000),
        processed(PRECREATE, out_trade_no="WY202609010003", qr_code=QR_CODE),
        processed(PRECREATE, out_trade_no=NUMBER),
        refused(PRECREATE, "ACQ.SYSTEM_ERROR"),
        refused(PRECREATE, "AQC.SYSTEM_ERROR"),
        refused(PRECREATE, "isp.unknow-error", code="20000"),
        refused(PRECREATE, "aop.unknow-error", code="20000"),
    ],
    ids=range(26),
)
def test_an_order_without_a_believable_answer_is_unknown(failure: Answer | Exception) -> None:
    channel, egress = client(frozen(), failure)
    with pytest.raises(ChannelOutcomeUnknown) as unknown:
        asyncio.run(channel.prepay(merchant(), REQUEST))
    assert unknown.value.sent
    assert len(egress.sent) == 1, "nothing is repeated inside"


def test_a_request_that_never_left_is_told_apart() -> None:
    channel, _ = client(frozen(), EgressUnreachable("pay.test", sent=False))
    with pytest.raises(ChannelOutcomeUnknown) as unknown:
        asyncio.run(channel.prepay(merchant(), REQUEST))
    assert not unknown.value.sent


def test_an_unsigned_error_is_no_refusal_of_a_refund() -> None:
    channel, _ = client(frozen(), Answer(200, {}, UNSIGNED.encode()))
    with pytest.raises(ChannelOutcomeUnknown, match="nobody signed: 40002 isv.invalid-app-id"):
        asyncio.run(channel.refund(merchant(), BACK))


def test_a_nested_signature_does_not_end_the_node() -> None:
    node = (
        '{"code":"10000","qr_code":"q","sign":"x","more":{"sign":"}\\"{","list":[{}]},"out_trade_no":"' + NUMBER + '"}'
    )
    channel, _ = client(frozen(), answer(PRECREATE, node))
    assert asyncio.run(channel.prepay(merchant(), REQUEST)).handle == "q"


@pytest.mark.parametrize(
    ("sub_code", "code", "known_as"),
    [
        ("ACQ.TRADE_HAS_SUCCESS", "40004", ORDER_PAID),
        ("ACQ.TRADE_HAS_CLOSE", "40004", ORDER_CLOSED),
        ("ACQ.CONTEXT_INCONSISTENT", "40004", "CONTEXTINCONSISTENT"),
        ("isv.invalid-signature", "40002", "isv.invalid-signature"),
        ("isv.insufficient-isv-permissions", "40006", "isv.insufficient-isv-permissions"),
        ("", "40003", "40003"),
    ],
)
def test_a_signed_refusal_is_definitive(sub_code: str, code: str, known_as: str) -> None:
    channel, _ = client(frozen(), refused(PRECREATE, sub_code, code=code))
    with pytest.raises(ChannelError) as error:
        asyncio.run(channel.prepay(merchant(), REQUEST))
    assert (error.value.code, error.value.message) == (known_as, "说明")


@pytest.mark.parametrize(
    ("sub_code", "code"),
    [("isv.app-call-limited", "40005"), ("isv.method-call-limited", "40005"), ("SYSTEM_RATE_LIMIT", "40004")],
)
def test_rate_limits_are_told_apart(sub_code: str, code: str) -> None:
    channel, _ = client(frozen(), refused(PRECREATE, sub_code, code=code))
    with pytest.raises(ChannelRateLimited):
        asyncio.run(channel.prepay(merchant(), REQUEST))


# Query, close, cancel

TOLD: dict[str, Any] = {
    "trade_no": TRADE_NO,
    "out_trade_no": NUMBER,
    "buyer_logon_id": "138****0000",
    "buyer_user_id": "2088102534368455",
    "trade_status": "TRADE_SUCCESS",
    "total_amount": "123.45",
    "receipt_amount": "100.00",
    "buyer_pay_amount": "100.00",
    "send_pay_date": "2026-09-01 00:01:05",
}


def without(*names: str, **changed: Any) -> dict[str, Any]:
    return {key: value for key, value in {**TOLD, **changed}.items() if key not in names}


@pytest.mark.parametrize(
    ("told", "state", "paid"),
    [
        (TOLD, TradeState.SUCCESS, True),
        (without(trade_status="TRADE_FINISHED"), TradeState.SUCCESS, True),
        (without(refund_fee="0.00"), TradeState.SUCCESS, True),
        (without(refund_fee="0.01"), TradeState.REFUND, True),
        (without(trade_status="TRADE_CLOSED"), TradeState.REFUND, True),
        (without("send_pay_date", trade_status="TRADE_CLOSED", refund_fee="123.45"), TradeState.REFUND, True),
        (without("send_pay_date", trade_status="TRADE_CLOSED"), TradeState.CLOSED, False),
        (without("send_pay_date", trade_status="WAIT_BUYER_PAY"), TradeState.NOTPAY, False),
    ],
)
def test_closed_is_unpaid_or_refunded(told: dict[str, Any], state: TradeState, paid: bool) -> None:
    channel, egress = client(frozen(), processed(QUERY, **told))
    trade = asyncio.run(channel.query(merchant(), NUMBER))
    assert trade is not None
    assert (trade.state, trade.paid, trade.amount_fen) == (state, paid, 12345)
    assert trade.transaction_no == (TRADE_NO if paid else None)
    assert (trade.mchid, trade.appid) == (SELLER_ID, APP_ID)
    assert content(egress.sent[0]) == {"out_trade_no": NUMBER}


def test_a_number_that_alipay_does_not_know_is_a_fact() -> None:
    channel, _ = client(frozen(), refused(QUERY, "ACQ.TRADE_NOT_EXIST"))
    assert asyncio.run(channel.query(merchant(), NUMBER)) is None


@pytest.mark.parametrize(
    "told",
    [
        without(out_trade_no="WY202609010003"),
        without("total_amount"),
        without("trade_no"),
        without("trade_status"),
        without(trade_status="PAID"),
        without(total_amount=123.45),
        without(total_amount="123.456"),
        without(total_amount="1.2345e2"),
        without(total_amount="-1.00"),
        without(total_amount="１２３.45"),
        without(total_amount=" 123.45"),
        without(total_amount=""),
        without(send_pay_date="2026-13-01 00:00:00"),
        without(send_pay_date="2026-09-01T00:01:05+08:00"),
    ],
)
def test_a_trade_that_cannot_be_read_is_no_answer(told: dict[str, Any]) -> None:
    channel, _ = client(frozen(), processed(QUERY, **told))
    with pytest.raises(ChannelOutcomeUnknown):
        asyncio.run(channel.query(merchant(), NUMBER))


@pytest.mark.parametrize(("text", "fen"), [("0.10", 10), ("0.1", 10), ("1", 100), ("100000000.00", 10_000_000_000)])
def test_yuan_become_fen_exactly(text: str, fen: int) -> None:
    channel, _ = client(frozen(), processed(QUERY, **without(total_amount=text)))
    trade = asyncio.run(channel.query(merchant(), NUMBER))
    assert trade is not None
    assert trade.amount_fen == fen


@pytest.mark.parametrize(
    "given",
    [
        processed(CLOSE, trade_no=TRADE_NO, out_trade_no=NUMBER),
        refused(CLOSE, "ACQ.TRADE_NOT_EXIST"),
        refused(CLOSE, "ACQ.TRADE_HAS_CLOSE"),
    ],
)
def test_a_trade_that_is_not_open_is_closed(given: Answer) -> None:
    channel, egress = client(frozen(), given)
    asyncio.run(channel.close(merchant(), NUMBER))
    assert content(egress.sent[0]) == {"out_trade_no": NUMBER}


@pytest.mark.parametrize("sub_code", ["ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID"])
def test_a_paid_trade_is_not_closed(sub_code: str) -> None:
    channel, _ = client(frozen(), refused(CLOSE, sub_code))
    with pytest.raises(ChannelError):
        asyncio.run(channel.close(merchant(), NUMBER))


@pytest.mark.parametrize(
    ("fields", "undone"),
    [
        ({"retry_flag": "N", "action": "close"}, Undone.CLOSED),
        ({"retry_flag": "N", "action": "refund"}, Undone.REFUNDED),
        ({"retry_flag": "N"}, Undone.NOTHING),
        ({}, Undone.NOTHING),
    ],
)
def test_cancel_tells_what_it_undid(fields: dict[str, str], undone: Undone) -> None:
    channel, _ = client(frozen(), processed(CANCEL, out_trade_no=NUMBER, **fields))
    assert asyncio.run(channel.cancel(merchant(), NUMBER)) is undone


@pytest.mark.parametrize(
    "fields",
    [{"out_trade_no": NUMBER, "retry_flag": "Y"}, {"out_trade_no": NUMBER, "action": "x"}, {"retry_flag": "N"}],
)
def test_cancel_without_a_clear_answer_is_unknown(fields: dict[str, str]) -> None:
    channel, _ = client(frozen(), processed(CANCEL, **fields))
    with pytest.raises(ChannelOutcomeUnknown):
        asyncio.run(channel.cancel(merchant(), NUMBER))


# Refunds

GIVEN_BACK: dict[str, Any] = {"trade_no": TRADE_NO, "out_trade_no": NUMBER, "refund_fee": "88.88"}
FOUND = processed(
    REFUND_QUERY,
    trade_no=TRADE_NO,
    out_trade_no=NUMBER,
    out_request_no="R202609010001",
    refund_amount="0.05",
    refund_status="REFUND_SUCCESS",
    gmt_refund_pay="2026-09-01 10:00:05",
)
NOT_FOUND = processed(REFUND_QUERY)


def refund(*answers: Answer | Exception) -> tuple[ChannelRefund, list[dict[str, Any]]]:
    channel, egress = client(frozen(), *answers)
    told = asyncio.run(channel.refund(merchant(), BACK))
    return told, [content(sent) for sent in egress.sent]


def test_a_refund_succeeds_by_fund_change_and_is_worth_what_was_asked() -> None:
    told, sent = refund(processed(REFUND, **GIVEN_BACK, fund_change="Y", gmt_refund_pay="2026-09-01 10:00:05"))
    assert sent == [
        {
            "trade_no": TRADE_NO,
            "refund_amount": "0.05",
            "out_request_no": "R202609010001",
            "refund_reason": "重复支付",
        }
    ]
    assert (told.state, told.amount_fen) == (RefundState.SUCCESS, 5), "refund_fee is the sum of all refunds"
    assert (told.refund_no, told.mchid) == (None, SELLER_ID)
    assert told.success_at == datetime(2026, 9, 1, 2, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize("change", [{"fund_change": "N"}, {}, {"fund_change": "y"}])
def test_without_fund_change_the_refund_query_decides(change: dict[str, str]) -> None:
    told, sent = refund(processed(REFUND, **GIVEN_BACK, **change), FOUND)
    assert sent[1] == {
        "trade_no": TRADE_NO,
        "out_request_no": "R202609010001",
        "query_options": ["gmt_refund_pay"],
    }
    assert (told.state, told.amount_fen) == (RefundState.SUCCESS, 5)
    with pytest.raises(ChannelOutcomeUnknown):
        refund(processed(REFUND, **GIVEN_BACK, **change), NOT_FOUND)


def test_a_refused_repetition_of_a_refund_that_was_given_is_a_success() -> None:
    told, _ = refund(refused(REFUND, "ACQ.TRADE_HAS_CLOSE"), FOUND)
    assert told.state is RefundState.SUCCESS


@pytest.mark.parametrize(
    ("sub_code", "known_as"),
    [("ACQ.SELLER_BALANCE_NOT_ENOUGH", NOT_ENOUGH), ("ACQ.TRADE_HAS_FINISHED", "TRADEHASFINISHED")],
)
def test_a_refused_refund_that_nobody_knows_gave_nothing_back(sub_code: str, known_as: str) -> None:
    with pytest.raises(ChannelError) as error:
        refund(refused(REFUND, sub_code), NOT_FOUND)
    assert error.value.code == known_as


@pytest.mark.parametrize(
    "answers",
    [
        [EgressTimeout("pay.test", sent=True)],
        [refused(REFUND, "ACQ.SYSTEM_ERROR")],
        [refused(REFUND, "ACQ.DISCORDANT_REPEAT_REQUEST")],
        [processed(REFUND, trade_no=TRADE_NO, out_trade_no="WY202609010003", fund_change="Y")],
        [processed(REFUND, **GIVEN_BACK, fund_change="N"), EgressTimeout("pay.test", sent=True)],
        [refused(REFUND, "ACQ.TRADE_HAS_CLOSE"), EgressTimeout("pay.test", sent=True)],
        [processed(REFUND, **GIVEN_BACK, fund_change="Y", gmt_refund_pay="soon")],
    ],
)
def test_a_refund_whose_effect_nobody_tells_is_unknown(answers: list[Answer | Exception]) -> None:
    with pytest.raises(ChannelOutcomeUnknown):
        refund(*answers)


def query_refund(given: Answer) -> ChannelRefund | None:
    channel, _ = client(frozen(), given)
    return asyncio.run(channel.query_refund(merchant(), BACK))


def test_a_refund_query_tells_this_refunds_amount() -> None:
    told = query_refund(processed(REFUND_QUERY, out_request_no="R202609010001", refund_amount="0.06",
                                  refund_status="REFUND_SUCCESS"))  # fmt: skip
    assert told is not None
    assert (told.state, told.amount_fen, told.success_at) == (RefundState.SUCCESS, 6, None)
    under_way = query_refund(processed(REFUND_QUERY, out_request_no="R202609010001", refund_status="REFUND_PROCESSING"))
    assert under_way is not None
    assert under_way.state is RefundState.PROCESSING


@pytest.mark.parametrize("given", [NOT_FOUND, refused(REFUND_QUERY, "ACQ.TRADE_NOT_EXIST")])
def test_an_empty_refund_query_tells_nothing(given: Answer) -> None:
    assert query_refund(given) is None


@pytest.mark.parametrize("fields", [{"out_request_no": "R2"}, {"refund_amount": "0.005"}, {"out_request_no": None}])
def test_a_refund_query_about_another_refund_is_no_answer(fields: dict[str, Any]) -> None:
    with pytest.raises(ChannelOutcomeUnknown):
        query_refund(
            processed(REFUND_QUERY, **{"out_request_no": "R202609010001", "refund_status": "REFUND_SUCCESS", **fields})
        )


# The request models of the SDK


@pytest.mark.parametrize(
    "call",
    [
        lambda channel: channel.query(merchant(), NUMBER),
        lambda channel: channel.close(merchant(), NUMBER),
        lambda channel: channel.cancel(merchant(), NUMBER),
        lambda channel: channel.refund(merchant(), replace(BACK, reason="退/=&款" * 100)),
    ],
)
def test_every_content_is_compact_json_by_name(call: Callable[[Alipay], Any]) -> None:
    channel, egress = client(frozen(), EgressTimeout("pay.test", sent=True))
    with pytest.raises(ChannelOutcomeUnknown):
        asyncio.run(call(channel))
    text = said(egress.sent[0])["biz_content"]
    assert text == json.dumps(json.loads(text), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert len(json.loads(text).get("refund_reason", "")) <= 256
