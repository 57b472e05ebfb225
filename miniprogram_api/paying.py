"""Placing a payment from the phone, whatever it is for: the choice of a way, and what opens the cashier (D6)."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from backend.identity import wechat_users
from backend.kernel.db import Tx
from backend.kernel.errors import Forbidden
from backend.kernel.failpoints import failpoint
from backend.kernel.http import Call, Strict, example
from payments import closing, orders, prepay
from payments.channels.base import Channel, Method
from payments.orders import Payer, Way
from payments.payables import Wish
from payments.ways import ONLINE

_ID = "01991b2a-7c00-7000-8000-000000000001"
_PARAMETERS = {
    "timeStamp": "1788230401",
    "nonceStr": "5K8264ILTKCH16CQ2502SI8ZNMTM67VS",
    "package": "prepay_id=wx261153585405162d4d02642eabe7000000",
    "signType": "RSA",
    "paySign": "W3xa…",
}


class WayChoice(Strict):
    """How to pay. `return_path`: the page of ours to which a browser goes afterwards."""

    channel: Channel = Channel.WECHAT
    method: Method = Method.JSAPI
    return_path: str = Field("/", pattern=r"^/[A-Za-z0-9._~/-]*$", max_length=200)

    @model_validator(mode="after")
    def _method_of_channel(self) -> Self:
        if self.method not in ONLINE.get(self.channel, ()):
            raise ValueError("method：这个渠道没有这种支付方式。")
        return self


class PaymentPlaced(Strict):
    """What an Idempotency-Key stands for."""

    payment_id: UUID
    amount_fen: int
    expires_at: datetime


class RequestPayment(Strict):
    """Exactly what `wx.requestPayment` takes."""

    model_config = example(**_PARAMETERS)
    timeStamp: str
    nonceStr: str
    package: str
    signType: str
    paySign: str


class PaymentCreated(Strict):
    """An order that waits for its money, and what opens the cashier: one of parameters, code and address."""

    model_config = example(
        payment_id=_ID,
        amount_fen=26805,
        expires_at="2026-09-01T02:30:00Z",
        request_payment=_PARAMETERS,
        qr_text=None,
        open_url=None,
    )
    payment_id: UUID
    amount_fen: int
    expires_at: datetime
    request_payment: RequestPayment | None
    qr_text: str | None
    open_url: str | None


async def pay(
    call: Call[Any, None], choice: WayChoice, what: Callable[[Tx], Awaitable[Sequence[Wish]]]
) -> PaymentCreated:
    """Place the order for `what` the transaction finds, once per Idempotency-Key, and open its cashier (I-19)."""
    payer = await payer_of(call)
    way = Way(choice.channel, choice.method, return_url=call.res.settings.public_url.rstrip("/") + choice.return_path)

    async def work(tx: Tx) -> PaymentPlaced:
        placed = await orders.place(tx, payer, res=call.res, actor=call.principal.actor, wishes=await what(tx), way=way)
        return PaymentPlaced(payment_id=placed.order_id, amount_fen=placed.amount_fen, expires_at=placed.expires_at)

    placed = await closing.make_room(call.res, call.principal.actor, place=lambda: call.once(work, PaymentPlaced))
    await failpoint("order.after_commit")
    opening = await prepay.opening(call.res, placed.payment_id)
    return PaymentCreated(
        payment_id=placed.payment_id,
        amount_fen=placed.amount_fen,
        expires_at=placed.expires_at,
        request_payment=RequestPayment(**opening.request_payment) if opening.request_payment else None,
        qr_text=opening.qr_text,
        open_url=opening.open_url,
    )


async def payer_of(call: Call[Any, Any]) -> Payer:
    """Who asks, by the account of the app in which he is logged in."""
    scope = call.principal.scope
    if call.principal.wechat_user_id is None:
        raise Forbidden
    account = await wechat_users.account(call.res.db, call.res.keyring, call.principal.wechat_user_id)
    return Payer(scope.person_id, scope, account.appid, account.openid, call.client_ip)
