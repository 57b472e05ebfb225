"""WeChat Pay v3, merchant and service provider: JSAPI, Native and H5, refunds, statements, callbacks (D6, D7).

Promises: every call is made at most once. What may have happened without our knowing is `ChannelOutcomeUnknown`; the
caller asks again by our own number (protocols/wechat-pay-v3.md, pitfalls A9). Error codes lose their underscores
before anyone compares them: both spellings are on the wire.
"""

from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from typing import BinaryIO

from backend.kernel import ids
from backend.kernel.clock import Clock
from backend.kernel.egress import TOTAL_S, Egress
from payments.channels import wechat_documents as documents
from payments.channels import wechat_reading as reading
from payments.channels import wechat_signing as signing
from payments.channels import wechat_statement
from payments.channels.base import (
    Callback,
    CallbackRefused,
    ChannelError,
    ChannelOutcomeUnknown,
    ChannelRefund,
    Prepaid,
    PrepayRequest,
    RefundRequest,
    StatementKind,
    Trade,
)
from payments.channels.wechat_merchant import Merchant, PlatformCertificate
from payments.channels.wechat_wire import Wire

_NO_CERTIFICATES = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})


class WechatPayV3:
    """The platform as seen by any merchant; keeps no state but its address."""

    def __init__(self, egress: Egress, clock: Clock, base_url: str, *, total_s: float = TOTAL_S) -> None:
        self._wire = Wire(egress, clock, base_url, total_s=total_s)

    async def prepay(self, merchant: Merchant, request: PrepayRequest) -> Prepaid:
        """Create the order, or get a fresh handle of the same one: same number, same fields (section 7.1).

        ChannelError `ORDERPAID` or `ORDERCLOSED` tells that the number has already ended.
        """
        target = documents.prepay_target(merchant, request.method)
        answer = await self._wire.object(merchant, "POST", target, documents.prepay(merchant, request))
        name = documents.HANDLES[request.method]
        handle = answer.get(name)
        if not isinstance(handle, str) or not handle:
            raise ChannelOutcomeUnknown(f"the answer has no {name}")
        return Prepaid(documents.handle(request, handle))

    async def query(self, merchant: Merchant, out_trade_no: str) -> Trade | None:
        """The trade by our number; None when the platform has never heard of it, which is a fact (section 8)."""
        try:
            answer = await self._wire.object(merchant, "GET", documents.query_target(merchant, out_trade_no))
        except ChannelError as refused:
            if refused.code == reading.ORDER_NOT_EXIST:
                return None
            raise
        try:
            trade = reading.trade_of(answer)
        except reading.UNREADABLE as error:
            raise ChannelOutcomeUnknown("the answer is not a trade that can be read") from error
        if trade.out_trade_no != out_trade_no:
            raise ChannelOutcomeUnknown("the answer is about another trade")
        return trade

    async def close(self, merchant: Merchant, out_trade_no: str) -> None:
        """Close an unpaid order. No proof that it existed, nor that nobody pays in this instant: query afterwards."""
        target = documents.close_target(merchant, out_trade_no)
        await self._wire.call(merchant, "POST", target, documents.close(merchant))

    async def refund(self, merchant: Merchant, request: RefundRequest) -> ChannelRefund:
        """Give money back, or find the same refund again: same number, same fields (section 9).

        An answer means that it was accepted, not that money moved: its state says so. ChannelError `NOTENOUGH`: top up,
        then repeat with the same number (pitfalls B17).
        """
        answer = await self._wire.object(merchant, "POST", documents.REFUNDS, documents.refund(merchant, request))
        return _told(merchant, request, answer)

    async def query_refund(self, merchant: Merchant, request: RefundRequest) -> ChannelRefund | None:
        """The refund by our number; None when the platform has never heard of it (section 9.2)."""
        target = documents.refund_target(merchant, request.out_refund_no)
        try:
            answer = await self._wire.object(merchant, "GET", target)
        except ChannelError as refused:
            if refused.code == reading.RESOURCE_NOT_EXISTS:
                return None
            raise
        return _told(merchant, request, answer)

    async def redirect_refund(
        self, merchant: Merchant, request: RefundRequest, refund_no: str, *, card: documents.BankCard | None
    ) -> ChannelRefund:
        """Send an ABNORMAL refund (退款异常) another way: to the payer's bank card, or without one to the merchant's
        account, whence it is paid by hand. Never a second number for the same refund (section 9.1, pitfalls B15).
        """
        body = documents.abnormal(merchant, request, card)
        serial = merchant.field_serial if card is not None else None
        target = documents.abnormal_target(refund_no)
        return _told(merchant, request, await self._wire.object(merchant, "POST", target, body, serial=serial))

    def read_callback(self, merchant: Merchant, headers: Mapping[str, str], raw_body: bytes) -> Callback:
        """Verify the raw bytes, then decrypt them (section 10). CallbackRefused must be answered with 4xx.

        Whether merchant, app, order and amount are the ones we stored is for `settle` to say.
        """
        try:
            signing.verify(merchant.platform_keys, headers, raw_body, now_s=self._wire.now_s())
            envelope = reading.document_of(raw_body)
            event_id, event_type = reading.text(envelope, "id"), reading.text(envelope, "event_type")
            plaintext = reading.resource_in(merchant, envelope["resource"])
        except (signing.SignatureRefused, signing.DecryptionFailed) as error:
            raise CallbackRefused(str(error)) from error
        except reading.UNREADABLE as error:
            raise CallbackRefused("signed, but not a notification") from error
        return Callback(
            event_id,
            event_type,
            reading.payment_in(event_type, plaintext),
            plaintext,
            reading.refund_in(event_type, plaintext, merchant.payee),
        )

    async def statement(self, merchant: Merchant, on: date, sink: BinaryIO, *, kind: StatementKind) -> bool:
        """Write the statement (对账单) of a day to `sink`, which is worth nothing unless this returns True.

        False: there was nothing that day. ChannelError `STATEMENTCREATING`: come back in half an hour (section 11).
        """
        return await wechat_statement.fetch(self._wire, merchant, on, sink, kind=kind)

    async def fetch_certificates(self, merchant: Merchant) -> dict[str, PlatformCertificate]:
        """The platform certificates by serial, all that are given, old and new (section 4.1).

        The first download is signed by a certificate inside of itself: that it opens with the APIv3 key is the trust.
        Empty for a merchant in public key mode.
        """
        answer = await self._wire.send(merchant, "GET", "/v3/certificates", b"")
        if answer.status in _NO_CERTIFICATES:
            return {}
        if answer.status != HTTPStatus.OK:
            raise reading.refusal_of(answer)
        try:
            found = [reading.certificate_of(merchant, entry) for entry in reading.document_of(answer.body)["data"]]
            trusting = merchant.believing({each.serial_no: each.pem for each in found})
        except (signing.DecryptionFailed, *reading.UNREADABLE) as error:
            raise ChannelOutcomeUnknown("the certificates cannot be read") from error
        self._wire.verify(trusting, answer)
        return {each.serial_no: each for each in found}

    def request_payment(self, merchant: Merchant, app_id: str, prepay_id: str) -> signing.RequestPayment:
        """What the mini-program gives to `wx.requestPayment` (section 7.2)."""
        return signing.request_payment(
            merchant.private_key,
            app_id=app_id,
            prepay_id=prepay_id,
            timestamp=str(self._wire.now_s()),
            nonce=ids.random_text(32),
        )


def _told(merchant: Merchant, request: RefundRequest, answer: Mapping[str, object]) -> ChannelRefund:
    """The refund in an answer, which must be the one that was asked about."""
    try:
        refund = reading.refund_of(answer, merchant.payee)
    except reading.UNREADABLE as error:
        raise ChannelOutcomeUnknown("the answer is not a refund that can be read") from error
    if (refund.out_refund_no, refund.out_trade_no) != (request.out_refund_no, request.out_trade_no):
        raise ChannelOutcomeUnknown("the answer is about another refund")
    return refund
