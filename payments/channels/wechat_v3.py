"""WeChat Pay v3, direct merchant, JSAPI: the calls a merchant makes and the callbacks he gets (D6).

Promises: a body is serialised once and those bytes are signed and sent; nothing is believed that the platform's key did
not sign; every call is made at most once. What may have happened without our knowing is `ChannelOutcomeUnknown`; the
caller asks again by our own number (protocols/wechat-pay-v3.md, pitfalls A9). Error codes lose their underscores
before anyone compares them: both spellings are on the wire.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import date, datetime
from http import HTTPStatus
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode

import orjson

from backend.kernel import ids
from backend.kernel.clock import SHANGHAI, Clock
from backend.kernel.egress import TOTAL_S, Answer, Egress, EgressError
from payments.channels import wechat_signing as signing
from payments.channels.base import (
    PAID_STATES,
    Callback,
    CallbackRefused,
    ChannelError,
    ChannelOutcomeUnknown,
    ChannelRateLimited,
    Prepaid,
    PrepayRequest,
    Trade,
    TradeState,
)
from payments.channels.wechat_merchant import Merchant, PlatformCertificate

USER_AGENT = "linli/0.1 (wechatpay-apiv3)"
DESCRIPTION_CHARS = 127
STATEMENT_BYTES = 512 * 1024 * 1024
CIPHER = "AEAD_AES_256_GCM"
PAYMENT_EVENTS = "TRANSACTION."
ORDER_NOT_EXIST = "ORDERNOTEXIST"
ORDER_PAID = "ORDERPAID"
ORDER_CLOSED = "ORDERCLOSED"
NO_STATEMENT = "NOSTATEMENTEXIST"
STATEMENT_CREATING = "STATEMENTCREATING"
_RATE_CODES = frozenset({"FREQUENCYLIMITED", "RATELIMITEXCEEDED"})
_NO_CERTIFICATES = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
_BEYOND_BASIC_PLANE = re.compile("[^\u0000-\ud7ff\ue000-\uffff]")


class WechatPayV3:
    """The platform as seen by any merchant; keeps no state but its address."""

    def __init__(self, egress: Egress, clock: Clock, base_url: str, *, total_s: float = TOTAL_S) -> None:
        self._egress = egress
        self._clock = clock
        self._base_url = base_url.rstrip("/")
        self._total_s = total_s

    async def prepay(self, merchant: Merchant, request: PrepayRequest) -> Prepaid:
        """Create the order, or get a fresh handle of the same one: same number, same fields (section 7.1).

        ChannelError `ORDERPAID` or `ORDERCLOSED` tells that the number has already ended.
        """
        document = {
            "appid": request.app_id,
            "mchid": merchant.mchid,
            "description": plain_text(request.description)[:DESCRIPTION_CHARS],
            "out_trade_no": request.out_trade_no,
            "time_expire": request.expires_at.astimezone(SHANGHAI).isoformat(timespec="seconds"),
            "attach": plain_text(request.attach),
            "notify_url": request.notify_url,
            "amount": {"total": request.amount_fen, "currency": "CNY"},
            "payer": {"openid": request.payer_openid},
        }
        body = await self._call(merchant, "POST", "/v3/pay/transactions/jsapi", document)
        prepay_id = _object(body).get("prepay_id")
        if not isinstance(prepay_id, str) or not prepay_id:
            raise ChannelOutcomeUnknown("the answer has no prepay_id")
        return Prepaid(prepay_id)

    async def query(self, merchant: Merchant, out_trade_no: str) -> Trade | None:
        """The trade by our number; None when the platform has never heard of it, which is a fact (section 8)."""
        target = f"/v3/pay/transactions/out-trade-no/{quote(out_trade_no, safe='')}?mchid={merchant.mchid}"
        try:
            body = await self._call(merchant, "GET", target)
        except ChannelError as refused:
            if refused.code == ORDER_NOT_EXIST:
                return None
            raise
        try:
            trade = trade_of(_object(body))
        except (KeyError, TypeError, ValueError) as error:
            raise ChannelOutcomeUnknown("the answer is not a trade that can be read") from error
        if trade.out_trade_no != out_trade_no:
            raise ChannelOutcomeUnknown("the answer is about another trade")
        return trade

    async def close(self, merchant: Merchant, out_trade_no: str) -> None:
        """Close an unpaid order. No proof that it existed, nor that nobody pays in this instant: query afterwards."""
        target = f"/v3/pay/transactions/out-trade-no/{quote(out_trade_no, safe='')}/close"
        await self._call(merchant, "POST", target, {"mchid": merchant.mchid})

    def read_callback(self, merchant: Merchant, headers: Mapping[str, str], raw_body: bytes) -> Callback:
        """Verify the raw bytes, then decrypt them (section 10). CallbackRefused must be answered with 4xx.

        Whether merchant, app, order and amount are the ones we stored is for `settle` to say.
        """
        try:
            signing.verify(merchant.platform_keys, headers, raw_body, now_s=self._now_s())
            envelope = _object(raw_body)
            event_id, event_type = _text(envelope, "id"), _text(envelope, "event_type")
            plaintext = _open(merchant, envelope["resource"])
        except (signing.SignatureRefused, signing.DecryptionFailed) as error:
            raise CallbackRefused(str(error)) from error
        except (ChannelOutcomeUnknown, KeyError, TypeError, ValueError) as error:
            raise CallbackRefused("signed, but not a notification") from error
        return Callback(event_id, event_type, _payment(event_type, plaintext), plaintext)

    async def fetch_certificates(self, merchant: Merchant) -> dict[str, PlatformCertificate]:
        """The platform certificates by serial, all that are given, old and new (section 4.1).

        The first download is signed by a certificate inside of itself: that it opens with the APIv3 key is the trust.
        Empty for a merchant in public key mode.
        """
        answer = await self._send(merchant, "GET", "/v3/certificates", b"")
        if answer.status in _NO_CERTIFICATES:
            return {}
        if answer.status != HTTPStatus.OK:
            raise _refusal(answer)
        try:
            found = [_certificate(merchant, entry) for entry in _object(answer.body)["data"]]
            trusting = merchant.believing({each.serial_no: each.pem for each in found})
        except (signing.DecryptionFailed, KeyError, TypeError, ValueError) as error:
            raise ChannelOutcomeUnknown("the certificates cannot be read") from error
        self._verify(trusting, answer)
        return {each.serial_no: each for each in found}

    async def statement(self, merchant: Merchant, on: date, sink: BinaryIO) -> bool:
        """Write the trade statement (对账单) of a day to `sink`, which is worth nothing unless this returns True.

        False: there were no trades that day. ChannelError `STATEMENTCREATING`: come back in half an hour (section 11).
        """
        target = "/v3/bill/tradebill?" + urlencode({"bill_date": on.isoformat(), "bill_type": "ALL"})
        try:
            applied = _object(await self._call(merchant, "GET", target))
        except ChannelError as refused:
            if refused.code == NO_STATEMENT:
                return False
            raise
        url = applied.get("download_url")
        if not isinstance(url, str) or not url.startswith(f"{self._base_url}/v3/billdownload/"):
            raise ChannelOutcomeUnknown("the statement lies at a foreign address")
        if await self._download(merchant, url.removeprefix(self._base_url), sink) != applied.get("hash_value"):
            raise ChannelOutcomeUnknown("the statement does not have the promised hash")
        return True

    async def _download(self, merchant: Merchant, target: str, sink: BinaryIO) -> str:
        """Copy a file, whose answer is never signed, to `sink`; the SHA-1 of its bytes in hex."""
        digest = hashlib.sha1(usedforsecurity=False)
        url, headers = self._base_url + target, self._headers(merchant, "GET", target, b"")
        try:
            async with self._egress.stream("GET", url, headers=headers, max_bytes=STATEMENT_BYTES) as answer:
                async for chunk in answer.chunks():
                    digest.update(chunk)
                    sink.write(chunk)
        except EgressError as error:
            raise ChannelOutcomeUnknown(str(error), sent=error.sent) from error
        if answer.status != HTTPStatus.OK:
            raise ChannelOutcomeUnknown(f"HTTP {answer.status} for the statement")
        return digest.hexdigest()

    def request_payment(self, merchant: Merchant, app_id: str, prepay_id: str) -> signing.RequestPayment:
        """What the mini-program gives to `wx.requestPayment` (section 7.2)."""
        return signing.request_payment(
            merchant.private_key,
            app_id=app_id,
            prepay_id=prepay_id,
            timestamp=str(self._now_s()),
            nonce=ids.random_text(32),
        )

    async def _call(
        self, merchant: Merchant, method: str, target: str, document: Mapping[str, Any] | None = None
    ) -> bytes:
        """One call; the body of a successful answer that the platform signed."""
        body = b"" if document is None else orjson.dumps(document)
        answer = await self._send(merchant, method, target, body)
        if answer.status not in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
            if "wechatpay-signature" in answer.headers:
                self._verify(merchant, answer)
            raise _refusal(answer)
        self._verify(merchant, answer)
        return answer.body

    async def _send(self, merchant: Merchant, method: str, target: str, body: bytes) -> Answer:
        url, headers = self._base_url + target, self._headers(merchant, method, target, body)
        try:
            return await self._egress.request(method, url, headers=headers, body=body or None, total_s=self._total_s)
        except EgressError as error:
            raise ChannelOutcomeUnknown(str(error), sent=error.sent) from error

    def _headers(self, merchant: Merchant, method: str, target: str, body: bytes) -> dict[str, str]:
        timestamp, nonce = str(self._now_s()), ids.random_text(32)
        text = signing.request_text(method, target, timestamp=timestamp, nonce=nonce, body=body)
        signature = signing.sign(merchant.private_key, text)
        headers = {
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
            "Authorization": signing.authorization(
                merchant.mchid, serial_no=merchant.serial_no, timestamp=timestamp, nonce=nonce, signature=signature
            ),
        }
        if body:
            headers["Content-Type"] = "application/json"
        if merchant.public_key_id is not None:
            headers["Wechatpay-Serial"] = merchant.public_key_id
        return headers

    def _verify(self, merchant: Merchant, answer: Answer) -> None:
        try:
            signing.verify(merchant.platform_keys, answer.headers, answer.body, now_s=self._now_s())
        except signing.SignatureRefused as error:
            raise ChannelOutcomeUnknown(f"HTTP {answer.status}: {error}") from error

    def _now_s(self) -> int:
        return int(self._clock.now().timestamp())


def plain_text(text: str) -> str:
    """`text` without the characters that WeChat Pay refuses: those of four bytes in UTF-8 (pitfalls B23)."""
    return _BEYOND_BASIC_PLANE.sub("", text)


def trade_of(document: Mapping[str, Any]) -> Trade:
    """The trade in an answer or a decrypted notification; KeyError, TypeError or ValueError when it is none."""
    state = TradeState(document["trade_state"])
    amount = _part(document, "amount")
    total_fen = amount["total"] if state in PAID_STATES else amount.get("total", 0)
    if type(total_fen) is not int:
        raise TypeError("amount.total is not a number of fen")
    return Trade(
        out_trade_no=_text(document, "out_trade_no"),
        transaction_no=_text(document, "transaction_id") if state in PAID_STATES else None,
        state=state,
        amount_fen=total_fen,
        currency=_optional_text(amount, "currency") or "CNY",
        mchid=_text(document, "mchid"),
        appid=_text(document, "appid"),
        payer_openid=_optional_text(_part(document, "payer"), "openid"),
        success_at=_instant(_optional_text(document, "success_time")),
        attach=_optional_text(document, "attach") or "",
        trade_type=_optional_text(document, "trade_type"),
    )


def _payment(event_type: str, plaintext: bytes) -> Trade | None:
    """The trade of a payment event, None when it cannot be read: verified but wrong stays data, it never loops."""
    if not event_type.startswith(PAYMENT_EVENTS):
        return None
    try:
        return trade_of(_object(plaintext))
    except (ChannelOutcomeUnknown, KeyError, TypeError, ValueError):
        return None


def _refusal(answer: Answer) -> ChannelError | ChannelRateLimited | ChannelOutcomeUnknown:
    """What an answer other than success means (section 12)."""
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return ChannelRateLimited("HTTP 429")
    if not 400 <= answer.status < 500:
        return ChannelOutcomeUnknown(f"HTTP {answer.status}")
    error = _object(answer.body)
    code = str(error.get("code") or "").replace("_", "")
    if code in _RATE_CODES:
        return ChannelRateLimited(code)
    if not code:
        return ChannelOutcomeUnknown(f"HTTP {answer.status} without a code")
    return ChannelError(code, str(error.get("message") or ""), answer.status)


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ChannelOutcomeUnknown("the body is not JSON") from error
    if not isinstance(document, dict):
        raise ChannelOutcomeUnknown("the body is not a JSON object")
    return document


def _open(merchant: Merchant, resource: Mapping[str, Any]) -> bytes:
    if resource["algorithm"] != CIPHER:
        raise ValueError("unknown algorithm")
    return signing.open_resource(
        merchant.api_v3_key,
        nonce=_text(resource, "nonce"),
        associated_data=_optional_text(resource, "associated_data") or "",
        ciphertext=_text(resource, "ciphertext"),
    )


def _certificate(merchant: Merchant, entry: Mapping[str, Any]) -> PlatformCertificate:
    return PlatformCertificate(
        serial_no=_text(entry, "serial_no"),
        effective_at=datetime.fromisoformat(entry["effective_time"]),
        expires_at=datetime.fromisoformat(entry["expire_time"]),
        pem=_open(merchant, entry["encrypt_certificate"]).decode(),
    )


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document[key]
    if not isinstance(value, str) or not value:
        raise TypeError(f"{key} is not a text")
    return value


def _optional_text(document: Mapping[str, Any], key: str) -> str | None:
    return _text(document, key) if document.get(key) else None


def _part(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under `key`, empty where there is none."""
    part = document.get(key) or {}
    if not isinstance(part, dict):
        raise TypeError(f"{key} is not an object")
    return part


def _instant(text: str | None) -> datetime | None:
    """An aware instant of RFC 3339, with or without fractions, `Z` or offset."""
    if not text:
        return None
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("a time without a zone")
    return instant
