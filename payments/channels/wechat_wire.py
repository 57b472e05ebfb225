"""One signed call to WeChat Pay, and one signed answer: what leaves, and what is believed (wechat-pay-v3.md 2, 3, 12).

Promises: a body is serialised once and those bytes are signed and sent; nothing is believed that the platform's key did
not sign, a signature probe (SIGNTEST) least of all; a call is made once. Files alone come unsigned (section 3): they
are worth what their hash says.
"""

from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any

import orjson

from backend.kernel import ids
from backend.kernel.clock import Clock
from backend.kernel.egress import Answer, Egress, EgressError
from payments.channels import wechat_reading as reading
from payments.channels import wechat_signing as signing
from payments.channels.base import ChannelOutcomeUnknown
from payments.channels.wechat_merchant import Merchant

USER_AGENT = "linli/0.1 (wechatpay-apiv3)"
FILE_BYTES = 512 * 1024 * 1024


class Wire:
    """The platform's address and our clock; keeps nothing between calls."""

    def __init__(self, egress: Egress, clock: Clock, base_url: str, *, total_s: float) -> None:
        self.base_url = base_url.rstrip("/")
        self._egress = egress
        self._clock = clock
        self._total_s = total_s

    async def call(
        self,
        merchant: Merchant,
        method: str,
        target: str,
        document: Mapping[str, Any] | None = None,
        *,
        serial: str | None = None,
    ) -> bytes:
        """One call; the body of a successful answer that the platform signed.

        Raises ChannelError for a definitive refusal, ChannelRateLimited, ChannelOutcomeUnknown. `serial` names the
        platform key with which fields of the document were encrypted (section 5).
        """
        body = b"" if document is None else orjson.dumps(document)
        answer = await self.send(merchant, method, target, body, serial=serial)
        if answer.status not in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
            if "wechatpay-signature" in answer.headers:
                self.verify(merchant, answer)
            raise reading.refusal_of(answer)
        self.verify(merchant, answer)
        return answer.body

    async def object(
        self,
        merchant: Merchant,
        method: str,
        target: str,
        document: Mapping[str, Any] | None = None,
        *,
        serial: str | None = None,
    ) -> dict[str, Any]:
        """The same where the answer is a JSON object."""
        body = await self.call(merchant, method, target, document, serial=serial)
        try:
            return reading.document_of(body)
        except ValueError as error:
            raise ChannelOutcomeUnknown("the answer is not a JSON object") from error

    async def send(
        self, merchant: Merchant, method: str, target: str, body: bytes, *, serial: str | None = None
    ) -> Answer:
        """One call; its answer as it came, not yet believed."""
        url, headers = self.base_url + target, self._headers(merchant, method, target, body)
        if serial is not None:
            headers["Wechatpay-Serial"] = serial
        try:
            return await self._egress.request(method, url, headers=headers, body=body or None, total_s=self._total_s)
        except EgressError as error:
            raise ChannelOutcomeUnknown(str(error), sent=error.sent) from error

    async def file(self, merchant: Merchant, target: str) -> AsyncIterator[bytes]:
        """The bytes of a file, which nobody signed, piece by piece."""
        url, headers = self.base_url + target, self._headers(merchant, "GET", target, b"")
        try:
            async with self._egress.stream("GET", url, headers=headers, max_bytes=FILE_BYTES) as answer:
                if answer.status != HTTPStatus.OK:
                    raise ChannelOutcomeUnknown(f"HTTP {answer.status} for a file")
                async for chunk in answer.chunks():
                    yield chunk
        except EgressError as error:
            raise ChannelOutcomeUnknown(str(error), sent=error.sent) from error

    def verify(self, merchant: Merchant, answer: Answer) -> None:
        """ChannelOutcomeUnknown unless the platform signed this answer just now."""
        try:
            signing.verify(merchant.platform_keys, answer.headers, answer.body, now_s=self.now_s())
        except signing.SignatureRefused as error:
            raise ChannelOutcomeUnknown(f"HTTP {answer.status}: {error}") from error

    def now_s(self) -> int:
        """Seconds since 1970."""
        return int(self._clock.now().timestamp())

    def _headers(self, merchant: Merchant, method: str, target: str, body: bytes) -> dict[str, str]:
        timestamp, nonce = str(self.now_s()), ids.random_text(32)
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
