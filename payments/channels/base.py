"""What every online channel of payment says and hears, without a word of any one channel.

A call ends in one of three ways, and a caller must tell them apart (pitfalls A9): an answer that was verified; a
definitive refusal (`ChannelError`: nothing happened, or the named thing already had); or an outcome nobody knows
(`ChannelOutcomeUnknown`: ask again by our own number, never assume). No call repeats itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import BinaryIO, Protocol, TypeVar


class Channel(StrEnum):
    """Where money comes in; the CHECKs of merchant, payment_attempt and refund hold the same list."""

    WECHAT = "wechat"
    ALIPAY = "alipay"
    COUNTER = "counter"


class Method(StrEnum):
    """How the payer pays at a channel; the CHECK of payment_attempt holds the same list."""

    JSAPI = "jsapi"
    NATIVE = "native"
    H5 = "h5"
    WAP = "wap"
    PAGE = "page"
    PRECREATE = "precreate"
    CASH = "cash"
    CARD = "card"
    TRANSFER = "transfer"
    CHEQUE = "cheque"


METHODS: Mapping[Channel, frozenset[Method]] = {
    Channel.WECHAT: frozenset({Method.JSAPI, Method.NATIVE, Method.H5}),
    Channel.ALIPAY: frozenset({Method.WAP, Method.PAGE, Method.PRECREATE}),
    Channel.COUNTER: frozenset({Method.CASH, Method.CARD, Method.TRANSFER, Method.CHEQUE}),
}


class StatementKind(StrEnum):
    """Statements of a day (D7). Alipay's detail bill has trades and refunds in one file: it answers both kinds."""

    TRADES = "trades"
    REFUNDS = "refunds"
    FUND_FLOW = "fund_flow"


class TradeState(StrEnum):
    """State of a trade at the channel (wechat-pay-v3.md section 8)."""

    SUCCESS = "SUCCESS"
    REFUND = "REFUND"
    NOTPAY = "NOTPAY"
    CLOSED = "CLOSED"
    REVOKED = "REVOKED"
    USERPAYING = "USERPAYING"
    PAYERROR = "PAYERROR"


PAID_STATES = frozenset({TradeState.SUCCESS, TradeState.REFUND})


# Words of a ChannelError that callers act upon; every channel's own word for the same is turned into these.
ORDER_PAID = "ORDERPAID"
ORDER_CLOSED = "ORDERCLOSED"
NOT_ENOUGH = "NOTENOUGH"
STATEMENT_CREATING = "STATEMENTCREATING"


class KeyRefused(ValueError):
    """A key that a merchant cannot work with; the text says which and why, in Chinese."""


class ChannelFailure(Exception):
    """Base of everything that a channel's call may raise."""


class ChannelError(ChannelFailure):
    """The channel refused for good: `code` is its word without underscores (`ORDERPAID`), `status` its HTTP status."""

    def __init__(self, code: str, message: str, status: int) -> None:
        self.code = code
        self.message = message
        self.status = status
        super().__init__(f"{status} {code}: {message}")


class ChannelRateLimited(ChannelFailure):
    """The channel asks for fewer calls; whether this one had an effect is as unknown as after a time-out."""


class ChannelOutcomeUnknown(ChannelFailure):
    """No answer that can be believed. `sent` is False only when the request certainly never left this machine."""

    def __init__(self, reason: str, *, sent: bool = True) -> None:
        self.reason = reason
        self.sent = sent
        super().__init__(reason)


class CallbackRefused(ChannelFailure):
    """A callback that is not the channel's word to this merchant. `reason` is for our log, never for the answer."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class PrepayRequest:
    """An order to be created at the channel. Repeating it needs every field identical (pitfalls B1).

    `payer_openid` is of `app_id`, for JSAPI alone; `payer_ip` is the payer's own address, for H5 and pages;
    `return_url` is where a browser goes afterwards.
    """

    method: Method
    out_trade_no: str
    description: str
    amount_fen: int
    app_id: str
    notify_url: str
    expires_at: datetime
    attach: str
    payer_openid: str = ""
    payer_ip: str = ""
    return_url: str = ""


@dataclass(frozen=True, slots=True)
class Prepaid:
    """The channel's handle of a created order: a prepay id (JSAPI), the text of a QR code (Native, precreate), or the
    address that the payer's browser opens (H5, WAP, page)."""

    handle: str


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade as the channel tells it, the same shape from callback and query.

    `amount_fen` is the order's total, never what the payer spent after coupons (pitfalls A5). `transaction_no`,
    `success_at` and `payer_openid` exist only once paid; `amount_fen` is 0 where an unpaid trade does not tell it.
    """

    out_trade_no: str
    transaction_no: str | None
    state: TradeState
    amount_fen: int
    currency: str
    mchid: str
    appid: str
    payer_openid: str | None
    success_at: datetime | None
    attach: str
    trade_type: str | None

    @property
    def paid(self) -> bool:
        """Whether the payer's money arrived (a refund later does not change that)."""
        return self.state in PAID_STATES


class RefundState(StrEnum):
    """State of a refund at the channel (wechat-pay-v3.md section 9; Alipay knows SUCCESS and PROCESSING alone)."""

    PROCESSING = "PROCESSING"
    SUCCESS = "SUCCESS"
    ABNORMAL = "ABNORMAL"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Money to be given back. Repeating it needs every field identical; `out_refund_no` is the key at the channel."""

    out_refund_no: str
    out_trade_no: str
    transaction_no: str
    amount_fen: int
    total_fen: int
    reason: str
    notify_url: str


@dataclass(frozen=True, slots=True)
class ChannelRefund:
    """A refund as the channel tells it, the same shape from answer, query and callback.

    `refund_no` is the channel's own number, None where it has none (Alipay). `amount_fen` is this refund's, never the
    sum of all refunds of the trade; it is 0 where only that sum is told (Alipay's notifications), which then is but a
    hint that the refund is worth asking about now.
    """

    out_refund_no: str
    out_trade_no: str
    transaction_no: str
    refund_no: str | None
    state: RefundState
    amount_fen: int
    mchid: str
    success_at: datetime | None


@dataclass(frozen=True, slots=True)
class Callback:
    """A verified, decrypted callback: of a payment (`trade`), of a refund (`refund`), or of nothing that can be read.

    `event_id` is the same in every repetition; `plaintext` is kept so that what is verified but wrong stays data.
    """

    event_id: str
    event_type: str
    trade: Trade | None
    plaintext: bytes
    refund: ChannelRefund | None = None


Keys_contra = TypeVar("Keys_contra", contravariant=True)


class OnlineChannel(Protocol[Keys_contra]):
    """The network edge of a channel: everything by our own number, nothing repeated inside.

    `keys` is what the channel's own module parsed out of a merchant's row.
    """

    async def prepay(self, keys: Keys_contra, request: PrepayRequest) -> Prepaid:
        """Create (or find again) the order at the channel; pages are only signed, and call nobody."""
        ...

    async def query(self, keys: Keys_contra, out_trade_no: str) -> Trade | None:
        """The trade, or None when the channel has never heard of the number."""
        ...

    async def close(self, keys: Keys_contra, out_trade_no: str) -> None:
        """Close an unpaid order; success is no proof that it existed (pitfalls B13)."""
        ...

    async def refund(self, keys: Keys_contra, request: RefundRequest) -> ChannelRefund:
        """Give money back, or find the same refund again. ChannelError means that this number gave nothing back."""
        ...

    async def query_refund(self, keys: Keys_contra, request: RefundRequest) -> ChannelRefund | None:
        """The refund by our number, None when the channel has never heard of it."""
        ...

    def read_callback(self, keys: Keys_contra, headers: Mapping[str, str], raw_body: bytes) -> Callback:
        """Verify and decrypt a callback from its raw bytes; CallbackRefused otherwise."""
        ...

    async def statement(self, keys: Keys_contra, on: date, sink: BinaryIO, *, kind: StatementKind) -> bool:
        """Write the plain file of a day to `sink` (unpacked, in the channel's own encoding), which is worth nothing
        unless this returns True. False: there was nothing that day. ChannelError `STATEMENTCREATING`: come back later.
        """
        ...
