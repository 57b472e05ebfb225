"""Alipay by its gateway: pages, QR codes, queries, refunds, bills, notifications (D6, D7; protocols/alipay.md).

Promises: every call is made at most once, but for a refund whose effect Alipay did not tell, about which it is asked.
What may have happened without our knowing is `ChannelOutcomeUnknown`; the caller asks again by our own number. A refund
is done only when Alipay says that money moved (pitfalls C8, C9).
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import BinaryIO

from backend.kernel.clock import Clock
from backend.kernel.egress import TOTAL_S, Egress
from payments.channels import alipay_documents as documents
from payments.channels import alipay_reading as reading
from payments.channels import alipay_signing as signing
from payments.channels import alipay_statement
from payments.channels.alipay_keys import Merchant
from payments.channels.alipay_wire import Wire
from payments.channels.base import (
    ORDER_CLOSED,
    Callback,
    CallbackRefused,
    ChannelError,
    ChannelOutcomeUnknown,
    ChannelRefund,
    Method,
    Prepaid,
    PrepayRequest,
    RefundRequest,
    StatementKind,
    Trade,
)

_NOTHING_TO_CLOSE = frozenset({reading.TRADE_NOT_EXIST, ORDER_CLOSED})


class Undone(StrEnum):
    """What `cancel` came to (section 7.3)."""

    CLOSED = "close"
    REFUNDED = "refund"
    NOTHING = ""


class Alipay:
    """The gateway as seen by any merchant; keeps no state but its address."""

    def __init__(self, egress: Egress, clock: Clock, base_url: str, *, total_s: float = TOTAL_S) -> None:
        self._wire = Wire(egress, clock, base_url, total_s=total_s)
        self._clock = clock

    async def prepay(self, merchant: Merchant, request: PrepayRequest) -> Prepaid:
        """A QR code's text for PRECREATE; for WAP and PAGE the address to open, which calls nobody.

        The trade begins only when somebody scans or logs in; until then Alipay does not know the number (section 6).
        """
        method, content = documents.prepay(request)
        if request.method is not Method.PRECREATE:
            return Prepaid(
                self._wire.page(merchant, method, content, notify_url=request.notify_url, return_url=request.return_url)
            )
        answer = await self._wire.call(merchant, method, content, notify_url=request.notify_url)
        code = answer.get("qr_code")
        if answer.get("out_trade_no") != request.out_trade_no or not isinstance(code, str) or not code:
            raise ChannelOutcomeUnknown("the answer has no qr_code of this order")
        return Prepaid(code)

    async def query(self, merchant: Merchant, out_trade_no: str) -> Trade | None:
        """The trade by our number; None while Alipay has never heard of it (pitfalls C13)."""
        try:
            answer = await self._wire.call(merchant, documents.QUERY, documents.query(out_trade_no))
        except ChannelError as refused:
            if refused.code == reading.TRADE_NOT_EXIST:
                return None
            raise
        try:
            trade = reading.trade_of(answer, app_id=merchant.app_id, seller_id=merchant.seller_id)
        except reading.UNREADABLE as error:
            raise ChannelOutcomeUnknown("the answer is not a trade that can be read") from error
        if trade.out_trade_no != out_trade_no:
            raise ChannelOutcomeUnknown("the answer is about another trade")
        return trade

    async def close(self, merchant: Merchant, out_trade_no: str) -> None:
        """Close an unpaid trade. One that never began cannot be closed and may still be paid (pitfalls C14)."""
        try:
            await self._wire.call(merchant, documents.CLOSE, documents.close(out_trade_no))
        except ChannelError as refused:
            if refused.code not in _NOTHING_TO_CLOSE:
                raise

    async def cancel(self, merchant: Merchant, out_trade_no: str) -> Undone:
        """Undo a trade: unpaid it is closed, paid it is refunded (section 7.3)."""
        answer = await self._wire.call(merchant, documents.CANCEL, documents.cancel(out_trade_no))
        if answer.get("out_trade_no") != out_trade_no or answer.get("retry_flag") == "Y":
            raise ChannelOutcomeUnknown("the trade may or may not be undone")
        try:
            return Undone(answer.get("action") or "")
        except ValueError as error:
            raise ChannelOutcomeUnknown("the answer has an unknown action") from error

    async def refund(self, merchant: Merchant, request: RefundRequest) -> ChannelRefund:
        """Give money back, or find the same refund again: same number, same amount (section 8.1).

        Only `fund_change` Y is success. Otherwise, and also when Alipay refuses a number that it may have served
        before, its refund query decides; where that tells nothing either, the outcome is unknown. Repeating is safe.
        """
        try:
            answer = await self._wire.call(merchant, documents.REFUND, documents.refund(request))
        except ChannelError:
            known = await self.query_refund(merchant, request)
            if known is None:
                raise
            return known
        if answer.get("out_trade_no") != request.out_trade_no:
            raise ChannelOutcomeUnknown("the answer is about another trade")
        try:
            done = reading.refunded(merchant, request, answer)
        except reading.UNREADABLE as error:
            raise ChannelOutcomeUnknown("the answer is not a refund that can be read") from error
        known = done or await self.query_refund(merchant, request)
        if known is None:
            raise ChannelOutcomeUnknown("the refund was processed, and no money has moved that Alipay knows of")
        return known

    async def query_refund(self, merchant: Merchant, request: RefundRequest) -> ChannelRefund | None:
        """The refund by our number; None while Alipay tells nothing about it, which may be because it is asked within
        ten seconds (section 8.2)."""
        try:
            answer = await self._wire.call(merchant, documents.REFUND_QUERY, documents.refund_query(request))
        except ChannelError as refused:
            if refused.code == reading.TRADE_NOT_EXIST:
                return None
            raise
        try:
            return reading.refund_found(merchant, request, answer)
        except reading.UNREADABLE as error:
            raise ChannelOutcomeUnknown("the answer is not a refund that can be read") from error

    def read_callback(self, merchant: Merchant, headers: Mapping[str, str], raw_body: bytes) -> Callback:
        """Verify the bytes of a notification (section 9). CallbackRefused must not be answered with `success`.

        Whether seller, app, order and amount are the ones we stored is for `settle` to say. A refund's notification
        also tells the trade, as one that was paid and refunded.
        """
        try:
            form = signing.form(raw_body)
            if form["sign_type"] != signing.SIGN_TYPE.encode():
                raise CallbackRefused("another kind of signature")
            number = form.get("alipay_cert_sn", b"").decode("ascii")
            text, signature = signing.notification_text(form), form["sign"].decode("ascii")
            signing.verify(merchant.platform_keys, text, signature, number=number)
            fields = reading.fields_of(form)
            event_id, event_type = fields["notify_id"], f"{fields['notify_type']}.{fields.get('trade_status', '')}"
        except signing.SignatureRefused as error:
            raise CallbackRefused(str(error)) from error
        except reading.UNREADABLE as error:
            raise CallbackRefused("not a notification") from error
        try:
            return Callback(event_id, event_type, reading.trade_in(fields), raw_body, reading.refund_in(fields))
        except reading.UNREADABLE:
            return Callback(event_id, event_type, None, raw_body)

    async def statement(self, merchant: Merchant, on: date, sink: BinaryIO, *, kind: StatementKind) -> bool:
        """Write the detail file (明细) of a day to `sink`, which is worth nothing unless this returns True.

        It is GBK. False: there was nothing that day. ChannelError `STATEMENTCREATING`: come back later.
        """
        return await alipay_statement.fetch(self._wire, merchant, on, sink, kind=kind, now=self._clock.now())
