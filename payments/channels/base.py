"""What every online channel of payment says and hears, without a word of any one channel.

A call ends in one of three ways, and a caller must tell them apart (pitfalls A9): an answer that was verified; a
definitive refusal (`ChannelError`: nothing happened, or the named thing already had); or an outcome nobody knows
(`ChannelOutcomeUnknown`: ask again by our own number, never assume). No call repeats itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar


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
    """An order to be created at the channel. Repeating it needs every field identical (pitfalls B1)."""

    out_trade_no: str
    description: str
    amount_fen: int
    payer_openid: str
    app_id: str
    notify_url: str
    expires_at: datetime
    attach: str


@dataclass(frozen=True, slots=True)
class Prepaid:
    """The channel's handle of a created order; WeChat Pay's lives two hours."""

    prepay_id: str


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


@dataclass(frozen=True, slots=True)
class Callback:
    """A verified, decrypted callback. `trade` is None when its plaintext is not a trade that can be read.

    `event_id` is the same in every repetition; `plaintext` is kept so that what is verified but wrong stays data.
    """

    event_id: str
    event_type: str
    trade: Trade | None
    plaintext: bytes


Merchant_contra = TypeVar("Merchant_contra", contravariant=True)


class OnlineChannel(Protocol[Merchant_contra]):
    """The network edge of a channel: everything by our own number, nothing repeated inside."""

    async def prepay_jsapi(self, merchant: Merchant_contra, request: PrepayRequest) -> Prepaid:
        """Create (or find again) the order at the channel."""
        ...

    async def query(self, merchant: Merchant_contra, out_trade_no: str) -> Trade | None:
        """The trade, or None when the channel has never heard of the number."""
        ...

    async def close(self, merchant: Merchant_contra, out_trade_no: str) -> None:
        """Close an unpaid order; success is no proof that it existed (pitfalls B13)."""
        ...

    def read_callback(self, merchant: Merchant_contra, headers: Mapping[str, str], raw_body: bytes) -> Callback:
        """Verify and decrypt a callback from its raw bytes; CallbackRefused otherwise."""
        ...
