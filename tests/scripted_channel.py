"""A channel in the process, for scripts of what is heard when: its books, its callbacks, what it answers next.

It keeps the rules of protocols/wechat-pay-v3.md section 9: a number is idempotent, all refunds of a trade are at most
the trade. `next_refund` scripts the answers to refund calls, `next_refund_query` those to refund queries.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from payments import refunding, settlement
from payments.channels.base import (
    ChannelError,
    ChannelOutcomeUnknown,
    ChannelRateLimited,
    ChannelRefund,
    Prepaid,
    PrepayRequest,
    RefundRequest,
    RefundState,
    Trade,
    TradeState,
)
from payments.merchants import Merchant
from payments.settlement import Door, Heard, Outcome
from tests.factories_payments import Stage


@dataclass
class Scripted:
    """The channel of one merchant."""

    play: Stage
    merchant: Merchant
    trades: dict[str, Trade] = field(default_factory=dict)
    refunds: dict[str, ChannelRefund] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    requests: list[RefundRequest] = field(default_factory=list)
    next_refund: deque[str] = field(default_factory=deque)
    next_refund_query: deque[str] = field(default_factory=deque)
    ends_at_once: bool = True

    async def prepay(self, keys: Any, request: PrepayRequest) -> Prepaid:
        return Prepaid(f"prepay {request.out_trade_no}")

    async def query(self, keys: Any, out_trade_no: str) -> Trade | None:
        self.calls.append("query")
        return self.trades.get(out_trade_no)

    async def close(self, keys: Any, out_trade_no: str) -> None:
        self.calls.append("close")

    async def refund(self, keys: Any, request: RefundRequest) -> ChannelRefund:
        self.calls.append("refund")
        self.requests.append(request)
        behaviour = self.next_refund.popleft() if self.next_refund else "act"
        if behaviour == "silence":
            raise ChannelOutcomeUnknown("no answer")
        if behaviour == "limited":
            raise ChannelRateLimited("429")
        if behaviour.isupper():
            raise ChannelError(behaviour, "scripted", 403)
        told = self._refund(request)
        if behaviour == "act_then_silence":
            raise ChannelOutcomeUnknown("no answer")
        if behaviour == "act_then_refuse":
            raise ChannelError("PARAMERROR", "scripted", 400)
        return told

    def _refund(self, request: RefundRequest) -> ChannelRefund:
        known = self.refunds.get(request.out_refund_no)
        if known is not None:
            assert known.amount_fen == request.amount_fen, "a repeated refund must be the same"
            return known
        trade = self.trades[request.out_trade_no]
        assert request.transaction_no == trade.transaction_no and request.total_fen == trade.amount_fen
        if self.gone_fen(request.out_trade_no) + request.amount_fen > trade.amount_fen:
            raise ChannelError("INVALIDREQUEST", "more than was paid", 400)
        ended = self.ends_at_once
        told = ChannelRefund(
            out_refund_no=request.out_refund_no,
            out_trade_no=request.out_trade_no,
            transaction_no=request.transaction_no,
            refund_no=f"5{uuid4().int % 10**27:027}",
            state=RefundState.SUCCESS if ended else RefundState.PROCESSING,
            amount_fen=request.amount_fen,
            mchid=self.merchant.mchid,
            success_at=self.now if ended else None,
        )
        self.refunds[request.out_refund_no] = told
        return told

    async def query_refund(self, keys: Any, request: RefundRequest) -> ChannelRefund | None:
        self.calls.append("query_refund")
        behaviour = self.next_refund_query.popleft() if self.next_refund_query else "tell"
        if behaviour == "silence":
            raise ChannelOutcomeUnknown("no answer")
        return self.refunds.get(request.out_refund_no)

    def read_callback(self, keys: Any, headers: Mapping[str, str], raw_body: bytes) -> Any:
        raise AssertionError("callbacks are heard directly here")

    async def statement(self, keys: Any, on: Any, sink: Any, *, kind: Any) -> bool:
        return False

    @property
    def now(self) -> datetime:
        return self.play.res.clock.now()

    def gone_fen(self, out_trade_no: str) -> int:
        """What went back of a trade, or is on its way."""
        return sum(
            each.amount_fen
            for each in self.refunds.values()
            if each.out_trade_no == out_trade_no and each.state is not RefundState.CLOSED
        )

    @property
    def books_fen(self) -> int:
        """What the channel owes us: what came in less what went back."""
        came = sum(trade.amount_fen for trade in self.trades.values() if trade.paid)
        gone = sum(each.amount_fen for each in self.refunds.values() if each.state is RefundState.SUCCESS)
        return came - gone

    async def paid(self, order_id: UUID) -> Trade:
        """The payer's money arrives at the channel; nobody here has been told."""
        attempt = await self.play.attempt(order_id)
        known = self.trades.get(attempt["out_trade_no"])
        if known is not None:
            return known
        trade = Trade(
            out_trade_no=attempt["out_trade_no"],
            transaction_no=f"42{uuid4().int % 10**26:026}",
            state=TradeState.SUCCESS,
            amount_fen=attempt["amount_fen"],
            currency="CNY",
            mchid=self.merchant.mchid,
            appid=self.merchant.appid,
            payer_openid=None,
            success_at=self.now,
            attach="",
            trade_type="JSAPI",
        )
        self.trades[trade.out_trade_no] = trade
        return trade

    async def tell_paid(self, order_id: UUID, **lie: Any) -> Outcome:
        """The callback of a payment is heard."""
        trade = replace(await self.paid(order_id), **lie)
        heard = Heard(f"wechat:{self.merchant.id}", uuid4().hex, b"{}")
        settled = await self.play.res.db.transact(
            lambda tx: settlement.settle(tx, self.merchant, trade=trade, door=Door.CALLBACK, heard=heard)
        )
        return settled.outcome

    def end_refund(self, out_refund_no: str, state: RefundState = RefundState.SUCCESS) -> ChannelRefund:
        """The channel comes to an end with a refund."""
        at = self.now if state is RefundState.SUCCESS else None
        self.refunds[out_refund_no] = replace(self.refunds[out_refund_no], state=state, success_at=at)
        return self.refunds[out_refund_no]

    def refund_elsewhere(self, trade: Trade, out_refund_no: str, amount_fen: int | None = None) -> ChannelRefund:
        """Somebody gives money back without us."""
        assert trade.transaction_no is not None
        self.refunds[out_refund_no] = ChannelRefund(
            out_refund_no=out_refund_no,
            out_trade_no=trade.out_trade_no,
            transaction_no=trade.transaction_no,
            refund_no=f"5{uuid4().int % 10**27:027}",
            state=RefundState.SUCCESS,
            amount_fen=amount_fen or trade.amount_fen,
            mchid=self.merchant.mchid,
            success_at=self.now,
        )
        return self.refunds[out_refund_no]

    async def tell_refund(self, told: ChannelRefund, *, event: str | None = None, **lie: Any) -> Outcome:
        """The callback of a refund is heard."""
        heard = Heard(f"wechat:{self.merchant.id}", event or uuid4().hex, b"{}")
        said = replace(told, **lie)
        return await self.play.res.db.transact(
            lambda tx: refunding.hear(tx, self.merchant, refund=said, door=Door.CALLBACK, heard=heard)
        )
