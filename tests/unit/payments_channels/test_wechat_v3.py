"""The client's calls: what goes out byte for byte, and what each kind of answer means (sections 1, 4, 8, 11, 12)."""

import asyncio
import base64
import hashlib
import io
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from backend.kernel.egress import Answer, EgressTimeout, EgressTooLarge, EgressUnreachable
from payments.channels import wechat_merchant
from payments.channels.base import (
    STATEMENT_CREATING,
    ChannelError,
    ChannelOutcomeUnknown,
    ChannelRateLimited,
    KeyRefused,
    Method,
    PrepayRequest,
    StatementKind,
    TradeState,
)
from payments.channels.wechat_v3 import WechatPayV3
from tests import vectors
from tests.unit.payments_channels.wire import BASE_URL, ScriptedEgress, Sent, client, frozen, merchant, signed

NOW_S = int(frozen().now().timestamp())
REQUEST = PrepayRequest(
    method=Method.JSAPI,
    out_trade_no="WY202609010001",
    description="物业费-2026年09月-1栋101",
    amount_fen=12345,
    payer_openid="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
    app_id=vectors.APPID,
    notify_url="https://pay.example.com/notify/wx",
    expires_at=datetime(2026, 9, 1, 2, 30, tzinfo=UTC),
    attach="o:1",
)
PREPAID = b'{"prepay_id":"wx261153585405162d4d02642eabe7000000"}'
SERIAL = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"


def answer(status: int, document: Any) -> Answer:
    return signed(status, document if isinstance(document, bytes) else json.dumps(document).encode(), now_s=NOW_S)


def assert_signed_by_merchant(sent: Sent) -> None:
    header = sent.headers["Authorization"]
    parts = dict(re.findall(r'(\w+)="([^"]*)"', header))
    target = sent.url.removeprefix(BASE_URL)
    text = (
        f"{sent.method}\n{target}\n{parts['timestamp']}\n{parts['nonce_str']}\n".encode() + (sent.body or b"") + b"\n"
    )
    vectors.key_m().public_key().verify(base64.b64decode(parts["signature"]), text, PKCS1v15(), SHA256())
    assert parts["mchid"] == vectors.MCHID
    assert parts["serial_no"] == vectors.MERCHANT_SERIAL
    assert abs(int(parts["timestamp"]) - NOW_S) <= 1


def test_prepay_sends_the_bytes_it_signed() -> None:
    channel, egress = client(frozen(), answer(200, PREPAID))
    prepaid = asyncio.run(channel.prepay(merchant(), REQUEST))
    assert prepaid.handle == "wx261153585405162d4d02642eabe7000000"
    (sent,) = egress.sent
    assert (sent.method, sent.url) == ("POST", f"{BASE_URL}/v3/pay/transactions/jsapi")
    assert_signed_by_merchant(sent)
    assert sent.headers["Accept"] == "application/json"
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.headers["User-Agent"]
    assert sent.headers["Wechatpay-Serial"] == vectors.NOTIFICATION_SERIAL
    assert sent.body is not None
    assert "物业费".encode() in sent.body, "raw UTF-8, not escaped"
    assert json.loads(sent.body) == {
        "appid": vectors.APPID,
        "mchid": vectors.MCHID,
        "description": "物业费-2026年09月-1栋101",
        "out_trade_no": "WY202609010001",
        "time_expire": "2026-09-01T10:30:00+08:00",
        "attach": "o:1",
        "notify_url": "https://pay.example.com/notify/wx",
        "amount": {"total": 12345, "currency": "CNY"},
        "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
    }


def test_prepay_drops_characters_of_four_bytes_and_cuts_the_description() -> None:
    channel, egress = client(frozen(), answer(200, PREPAID))
    request = PrepayRequest(
        **{
            **{name: getattr(REQUEST, name) for name in PrepayRequest.__slots__},
            "description": "𠮷祥🏠里" + "费" * 200,
            "attach": "o:1🏠\ud800",
        }
    )
    asyncio.run(channel.prepay(merchant(), request))
    document = json.loads(egress.sent[0].body or b"")
    assert document["description"] == "祥里" + "费" * 125
    assert document["attach"] == "o:1"


def test_a_repeated_prepay_has_the_same_body() -> None:
    channel, egress = client(frozen(), answer(200, PREPAID), answer(200, PREPAID))
    for _ in range(2):
        asyncio.run(channel.prepay(merchant(), REQUEST))
    assert egress.sent[0].body == egress.sent[1].body
    assert egress.sent[0].headers["Authorization"] != egress.sent[1].headers["Authorization"]


def test_a_merchant_with_certificates_only_names_no_key() -> None:
    certificate = certificate_pem(serial=0x5157F09E)
    with_certificate = merchant(platform_keys={"5157f09e": certificate})
    channel, egress = client(frozen(), signed(200, PREPAID, now_s=NOW_S, serial="5157F09E"))
    asyncio.run(channel.prepay(with_certificate, REQUEST))
    assert "Wechatpay-Serial" not in egress.sent[0].headers


@pytest.mark.parametrize(
    "failure",
    [
        EgressTimeout("pay.test", sent=True),
        EgressUnreachable("pay.test", sent=True),
        EgressTooLarge("pay.test", sent=True),
        answer(500, {"code": "SYSTEM_ERROR", "message": "系统错误"}),
        Answer(502, {}, b"<html>bad gateway</html>"),
        Answer(302, {"location": "http://elsewhere"}, b""),
        answer(202, {"code": "USERPAYING", "message": "支付中"}),
        Answer(200, {}, PREPAID),
        signed(200, PREPAID, now_s=NOW_S - 301),
        signed(200, PREPAID, now_s=NOW_S, serial=SERIAL),
        Answer(200, signed(200, PREPAID, now_s=NOW_S).headers, PREPAID[:-5]),
        answer(200, PREPAID[:-5]),
        answer(200, []),
        answer(200, {"prepay_id": None}),
        answer(204, b""),
        Answer(403, {}, b"<html>forbidden by a proxy</html>"),
        Answer(404, {}, b"{}"),
        Answer(
            400,
            {**signed(400, b"{}", now_s=NOW_S).headers},
            b'{"code":"ORDERPAID","message":"forged"}',
        ),
    ],
    ids=lambda failure: f"{type(failure).__name__}-{getattr(failure, 'status', '')}",
)
def test_prepay_without_a_believable_answer_is_unknown(failure: Answer | Exception) -> None:
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


@pytest.mark.parametrize(
    ("status", "code", "known_as"),
    [
        (400, "ORDER_PAID", "ORDERPAID"),
        (400, "ORDERPAID", "ORDERPAID"),
        (400, "ORDER_CLOSED", "ORDERCLOSED"),
        (400, "INVALID_REQUEST", "INVALIDREQUEST"),
        (403, "OUT_TRADE_NO_USED", "OUTTRADENOUSED"),
        (401, "SIGN_ERROR", "SIGNERROR"),
    ],
)
@pytest.mark.parametrize("is_signed", [True, False])
def test_a_refusal_is_definitive_in_either_spelling(status: int, code: str, known_as: str, is_signed: bool) -> None:
    body = json.dumps({"code": code, "message": "说明"}).encode()
    channel, _ = client(frozen(), answer(status, body) if is_signed else Answer(status, {}, body))
    with pytest.raises(ChannelError) as refused:
        asyncio.run(channel.prepay(merchant(), REQUEST))
    assert (refused.value.code, refused.value.message, refused.value.status) == (known_as, "说明", status)


@pytest.mark.parametrize(
    ("status", "code"), [(429, "FREQUENCY_LIMITED"), (429, "RATELIMIT_EXCEEDED"), (403, "FREQUENCY_LIMITED")]
)
def test_rate_limits_are_told_apart(status: int, code: str) -> None:
    channel, _ = client(frozen(), answer(status, {"code": code, "message": "频率超限"}))
    with pytest.raises(ChannelRateLimited):
        asyncio.run(channel.prepay(merchant(), REQUEST))


def test_query_of_a_paid_trade() -> None:
    channel, egress = client(frozen(), answer(200, vectors.NOTIFICATION_PLAINTEXT.encode()))
    trade = asyncio.run(channel.query(merchant(), "WY202609010001"))
    assert trade is not None
    assert (trade.state, trade.amount_fen) == (TradeState.SUCCESS, 12345)
    assert egress.sent[0].url == BASE_URL + vectors.GET_PATH
    assert egress.sent[0].body is None
    assert "Content-Type" not in egress.sent[0].headers
    assert_signed_by_merchant(egress.sent[0])


def test_query_of_an_unpaid_trade_in_its_short_form() -> None:
    unpaid = {
        "amount": {"payer_currency": "CNY", "total": 12345},
        "appid": vectors.APPID,
        "mchid": vectors.MCHID,
        "out_trade_no": "WY202609010001",
        "promotion_detail": [],
        "scene_info": {"device_id": ""},
        "trade_state": "NOTPAY",
        "trade_state_desc": "订单未支付",
    }
    channel, _ = client(frozen(), answer(200, unpaid))
    trade = asyncio.run(channel.query(merchant(), "WY202609010001"))
    assert trade is not None
    assert trade.state is TradeState.NOTPAY
    assert not trade.paid
    assert (trade.amount_fen, trade.transaction_no, trade.success_at, trade.payer_openid) == (12345, None, None, None)


@pytest.mark.parametrize("code", ["ORDER_NOT_EXIST", "ORDERNOTEXIST"])
def test_a_number_the_platform_does_not_know_is_a_fact(code: str) -> None:
    channel, _ = client(frozen(), answer(404, {"code": code, "message": "订单不存在"}))
    assert asyncio.run(channel.query(merchant(), "WY202609010001")) is None


def test_an_unknown_merchant_is_no_such_fact() -> None:
    channel, _ = client(frozen(), answer(404, {"code": "MCH_NOT_EXISTS", "message": "商户不存在"}))
    with pytest.raises(ChannelError):
        asyncio.run(channel.query(merchant(), "WY202609010001"))


def test_an_answer_about_another_trade_is_not_believed() -> None:
    channel, _ = client(frozen(), answer(200, vectors.NOTIFICATION_PLAINTEXT.encode()))
    with pytest.raises(ChannelOutcomeUnknown, match="another trade"):
        asyncio.run(channel.query(merchant(), "WY202609010002"))


def test_close_verifies_the_empty_answer() -> None:
    channel, egress = client(frozen(), answer(204, b""))
    asyncio.run(channel.close(merchant(), "WY202609010001"))
    assert egress.sent[0].url == f"{BASE_URL}/v3/pay/transactions/out-trade-no/WY202609010001/close"
    assert json.loads(egress.sent[0].body or b"") == {"mchid": vectors.MCHID}
    assert_signed_by_merchant(egress.sent[0])

    unsigned, _ = client(frozen(), Answer(204, {}, b""))
    with pytest.raises(ChannelOutcomeUnknown):
        asyncio.run(unsigned.close(merchant(), "WY202609010001"))


def test_close_of_a_paid_order_says_so() -> None:
    channel, _ = client(frozen(), answer(400, {"code": "ORDERPAID", "message": "该订单已支付"}))
    with pytest.raises(ChannelError) as refused:
        asyncio.run(channel.close(merchant(), "WY202609010001"))
    assert refused.value.code == "ORDERPAID"


def test_pay_sign_is_verified_by_the_merchants_key() -> None:
    channel, _ = client(frozen())
    given = channel.request_payment(merchant(), vectors.APPID, "wx1")
    assert given["timeStamp"] == str(NOW_S)
    assert given["package"] == "prepay_id=wx1"
    assert len(given["nonceStr"]) <= 32
    text = f"{vectors.APPID}\n{given['timeStamp']}\n{given['nonceStr']}\n{given['package']}\n".encode()
    vectors.key_m().public_key().verify(base64.b64decode(given["paySign"]), text, PKCS1v15(), SHA256())


# Certificates


def certificate_pem(serial: int, *, start_year: int = 2026) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tenpay.com sign")])
    start = datetime(start_year, 1, 1, tzinfo=UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(vectors.key_p().public_key())
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365 * 5))
    )
    return builder.sign(vectors.key_p(), SHA256()).public_bytes(Encoding.PEM).decode()


def certificate_entry(serial: str, pem: str, *, api_v3_key: str = vectors.APIV3_KEY) -> dict[str, Any]:
    sealed = AESGCM(api_v3_key.encode()).encrypt(b"abcdefghijkl", pem.encode(), b"certificate")
    return {
        "serial_no": serial,
        "effective_time": "2026-01-01T08:00:00+08:00",
        "expire_time": "2030-12-31T08:00:00+08:00",
        "encrypt_certificate": {
            "algorithm": "AEAD_AES_256_GCM",
            "nonce": "abcdefghijkl",
            "associated_data": "certificate",
            "ciphertext": base64.b64encode(sealed).decode(),
        },
    }


def test_the_first_certificates_are_trusted_by_the_api_v3_key_and_both_are_kept() -> None:
    old, new = certificate_pem(0x0ABC), certificate_pem(0x0DEF)
    body = json.dumps({"data": [certificate_entry("0ABC", old), certificate_entry("DEF", new)]}).encode()
    channel, _ = client(frozen(), signed(200, body, now_s=NOW_S, serial="DEF"))
    newcomer = merchant(platform_keys={})
    found = asyncio.run(channel.fetch_certificates(newcomer))
    assert {serial: each.pem for serial, each in found.items()} == {"0ABC": old, "DEF": new}
    assert found["DEF"].expires_at == datetime(2030, 12, 31, tzinfo=UTC)
    believing = newcomer.believing({serial: each.pem for serial, each in found.items()})
    again, _ = client(frozen(), signed(200, PREPAID, now_s=NOW_S, serial="abc"))
    assert asyncio.run(again.prepay(believing, REQUEST)).handle


@pytest.mark.parametrize(
    "forged",
    [
        certificate_entry("DEF", certificate_pem(0xDEF), api_v3_key="f" * 32),
        certificate_entry("DEF", certificate_pem(0xABC)),
        certificate_entry("DEF", "no certificate"),
        {"serial_no": "DEF"},
        None,
    ],
    ids=["other key", "other serial", "no PEM", "half", "nothing"],
)
def test_certificates_that_do_not_prove_themselves_are_not_trusted(forged: Any) -> None:
    body = json.dumps({"data": [forged]}).encode()
    channel, _ = client(frozen(), signed(200, body, now_s=NOW_S, serial="DEF"))
    with pytest.raises(ChannelOutcomeUnknown):
        asyncio.run(channel.fetch_certificates(merchant(platform_keys={})))


def test_certificates_with_a_stale_signature_are_not_trusted() -> None:
    body = json.dumps({"data": [certificate_entry("DEF", certificate_pem(0xDEF))]}).encode()
    channel, _ = client(frozen(), signed(200, body, now_s=NOW_S - 300, serial="DEF"))
    with pytest.raises(ChannelOutcomeUnknown):
        asyncio.run(channel.fetch_certificates(merchant(platform_keys={})))


@pytest.mark.parametrize(
    "given",
    [
        answer(200, {"data": []}),
        answer(404, {"code": "RESOURCE_NOT_EXISTS", "message": "无可用的平台证书"}),
        answer(403, {"code": "NO_AUTH", "message": "无权限"}),
    ],
    ids=["empty", "404", "403"],
)
def test_a_merchant_in_public_key_mode_has_no_certificates(given: Answer) -> None:
    channel, _ = client(frozen(), given)
    assert asyncio.run(channel.fetch_certificates(merchant())) == {}


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("private_key_pem", "not a key", "私钥"),
        ("private_key_pem", vectors.public_pem(vectors.key_m()), "私钥"),
        ("api_v3_key", "short", "32"),
        ("platform_keys", {"PUB_KEY_ID_1": "not a key"}, "PUB_KEY_ID_1"),
        ("platform_keys", {"ABC": certificate_pem(0xDEF)}, "序列号"),
    ],
)
def test_a_bad_key_is_named(field: str, value: Any, told: str) -> None:
    given: dict[str, Any] = {
        "serial_no": SERIAL,
        "private_key_pem": vectors.private_pem(vectors.key_m()),
        "api_v3_key": vectors.APIV3_KEY,
        "platform_keys": {},
    }
    with pytest.raises(KeyRefused, match=told):
        wechat_merchant.load(vectors.MCHID, vectors.APPID, **{**given, field: value})


def test_keys_do_not_appear_in_the_repr() -> None:
    assert vectors.APIV3_KEY not in repr(merchant())


# Statement


class StatementEgress(ScriptedEgress):
    file = vectors.BILL_FILE

    @asynccontextmanager
    async def stream(self, method: str, url: str, *, headers: Mapping[str, str], max_bytes: int) -> AsyncIterator[Any]:
        self.sent.append(Sent(method, url, headers, None))
        file = self.file

        class Pieces:
            status = 200

            async def chunks(self) -> AsyncIterator[bytes]:
                for start in range(0, len(file), 100):
                    yield file[start : start + 100]

        yield Pieces()


APPLIED = {
    "hash_type": "SHA1",
    "hash_value": vectors.BILL_SHA1,
    "download_url": f"{BASE_URL}/v3/billdownload/file?token=abc%2Bd",
}


def statement(applied: Answer) -> tuple[bool, bytes, StatementEgress]:
    egress, sink = StatementEgress([applied]), io.BytesIO()
    channel = WechatPayV3(egress, frozen(), BASE_URL)  # type: ignore[arg-type]
    return (
        asyncio.run(channel.statement(merchant(), date(2026, 8, 31), sink, kind=StatementKind.TRADES)),
        sink.getvalue(),
        egress,
    )


def test_the_statement_is_downloaded_with_a_signature_over_its_whole_address() -> None:
    found, content, egress = statement(answer(200, APPLIED))
    assert found
    assert hashlib.sha1(content).hexdigest() == vectors.BILL_SHA1
    assert egress.sent[0].url == f"{BASE_URL}/v3/bill/tradebill?bill_date=2026-08-31&bill_type=ALL&tar_type=GZIP"
    assert egress.sent[1].url == APPLIED["download_url"]
    assert_signed_by_merchant(egress.sent[1])


def test_a_day_without_trades_is_no_error() -> None:
    found, content, _ = statement(answer(400, {"code": "NO_STATEMENT_EXIST", "message": "账单文件不存在"}))
    assert (found, content) == (False, b"")


def test_a_statement_in_the_making_is_said() -> None:
    with pytest.raises(ChannelError) as refused:
        statement(answer(400, {"code": "STATEMENT_CREATING", "message": "账单生成中"}))
    assert refused.value.code == STATEMENT_CREATING


@pytest.mark.parametrize(
    "changed",
    [
        {"hash_value": "0" * 40},
        {"download_url": "https://evil.example/v3/billdownload/file?token=a"},
        {"download_url": f"{BASE_URL}.evil.example/v3/billdownload/file"},
        {"download_url": None},
    ],
)
def test_a_statement_that_is_not_the_promised_one_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ChannelOutcomeUnknown):
        statement(answer(200, {**APPLIED, **changed}))
