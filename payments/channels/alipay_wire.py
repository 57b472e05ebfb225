"""One signed call to Alipay's gateway, and one signed answer (protocols/alipay.md sections 1 to 4).

Promises: the gateway's answer is 200 and HTML whatever it says, so nothing but the signature over its raw node makes it
Alipay's word; an error that nobody signed is no refusal, for that would let money be given back twice; a call is made
once. Parameters common to all stand in the query, the content in the body. A page's address is only signed.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode

import orjson

from backend.kernel.clock import SHANGHAI, Clock
from backend.kernel.egress import Answer, Egress, EgressError
from payments.channels import alipay_reading as reading
from payments.channels import alipay_signing as signing
from payments.channels.alipay_documents import TIME
from payments.channels.alipay_keys import Merchant
from payments.channels.base import ChannelOutcomeUnknown

GATEWAY = "/gateway.do"
FILE_BYTES = 512 * 1024 * 1024
CONTENT_TYPE = "application/x-www-form-urlencoded;charset=utf-8"


class Wire:
    """The gateway's address and our clock; keeps nothing between calls."""

    def __init__(self, egress: Egress, clock: Clock, base_url: str, *, total_s: float) -> None:
        self._egress = egress
        self._clock = clock
        self._gateway = base_url.rstrip("/") + GATEWAY
        self._total_s = total_s

    async def call(
        self, merchant: Merchant, method: str, content: Mapping[str, Any], *, notify_url: str = ""
    ) -> dict[str, Any]:
        """One call; the node of an answer that Alipay signed and that was processed.

        Raises ChannelError for a definitive refusal, ChannelRateLimited, ChannelOutcomeUnknown.
        """
        signed = self._signed(merchant, method, content, notify_url=notify_url)
        body = _encoded({"biz_content": signed.pop("biz_content")}).encode()
        url, headers = f"{self._gateway}?{_encoded(signed)}", {"Content-Type": CONTENT_TYPE}
        try:
            answer = await self._egress.request("POST", url, headers=headers, body=body, total_s=self._total_s)
        except EgressError as error:
            raise ChannelOutcomeUnknown(str(error), sent=error.sent) from error
        node = _proven(merchant, method, answer)
        refusal = reading.refusal_of(node, answer.status)
        if refusal is not None:
            raise refusal
        return node

    def page(
        self, merchant: Merchant, method: str, content: Mapping[str, Any], *, notify_url: str, return_url: str
    ) -> str:
        """The address that the payer's browser opens (section 6.3)."""
        signed = self._signed(merchant, method, content, notify_url=notify_url, return_url=return_url)
        return f"{self._gateway}?{_encoded(signed)}"

    async def download(self, url: str, sink: BinaryIO) -> None:
        """Copy a file, which nobody signed, to `sink`. Its host must be one that the product may call."""
        try:
            async with self._egress.stream("GET", url, max_bytes=FILE_BYTES) as answer:
                if answer.status != HTTPStatus.OK:
                    raise ChannelOutcomeUnknown(f"HTTP {answer.status} for a file")
                async for chunk in answer.chunks():
                    sink.write(chunk)
        except EgressError as error:
            raise ChannelOutcomeUnknown(str(error), sent=error.sent) from error

    def _signed(
        self, merchant: Merchant, method: str, content: Mapping[str, Any], *, notify_url: str = "", return_url: str = ""
    ) -> dict[str, str]:
        parameters = {
            "app_id": merchant.app_id,
            "method": method,
            "format": "json",
            "charset": "utf-8",
            "sign_type": signing.SIGN_TYPE,
            "timestamp": self._clock.now().astimezone(SHANGHAI).strftime(TIME),
            "version": "1.0",
            "notify_url": notify_url,
            "return_url": return_url,
            "app_cert_sn": merchant.app_cert_sn,
            "alipay_root_cert_sn": merchant.root_cert_sn,
            "biz_content": orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode(),
        }
        parameters = {name: value for name, value in parameters.items() if value}
        return {**parameters, "sign": signing.sign(merchant.private_key, signing.request_text(parameters))}


def _encoded(parameters: Mapping[str, str]) -> str:
    return urlencode(parameters, quote_via=quote, safe="")


def _proven(merchant: Merchant, method: str, answer: Answer) -> dict[str, Any]:
    """The answer's node, which Alipay signed; ChannelOutcomeUnknown otherwise."""
    if answer.status != HTTPStatus.OK:
        raise ChannelOutcomeUnknown(f"HTTP {answer.status}")
    try:
        members = signing.members(answer.body)
        name = f"{method.replace('.', '_')}_response"
        raw = members[name if name in members else "error_response"]
        node = orjson.loads(raw)
        signature, number = (orjson.loads(members.get(key, '""')) for key in ("sign", "alipay_cert_sn"))
    except (KeyError, ValueError) as error:
        raise ChannelOutcomeUnknown("the answer cannot be read") from error
    if not isinstance(node, dict) or not isinstance(signature, str) or not isinstance(number, str):
        raise ChannelOutcomeUnknown("the answer cannot be read")
    if not signature:
        raise ChannelOutcomeUnknown(f"an answer that nobody signed: {node.get('code')} {node.get('sub_code')}")
    try:
        signing.verify(merchant.platform_keys, raw.encode(), signature, number=number)
    except signing.SignatureRefused as error:
        raise ChannelOutcomeUnknown(str(error)) from error
    return node
