"""Callbacks that are false in one way (control API): forged ones, and genuine ones that tell something wrong.

The `wrong_*` kinds and `unknown_order` are signed and encrypted correctly; none of them touches the channel's own
books.
"""

import json
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from sandbox import merchants, notices, pay_auth, pay_books, refund_books
from sandbox.control_edge import take
from sandbox.errors import ControlError
from sandbox.merchants import Merchant
from sandbox.notices import Event
from sandbox.notifications import POSTMAN
from sandbox.pay_books import Order
from sandbox.refund_books import RefundState
from sandbox.world import World

KINDS = (
    "bad_signature",
    "wrong_amount",
    "wrong_mchid",
    "wrong_appid",
    "wrong_currency",
    "unknown_order",
    "old_timestamp",
    "signtest",
    "unknown_serial",
)
STALE_BY_S = 600
UNKNOWN_SERIAL = "PUB_KEY_ID_0000999999999999999999999999"
LATEST_ORDER = "SELECT out_trade_no FROM orders WHERE mchid = ? ORDER BY created_s DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class Falsehood:
    """What a false callback tells, as which event, and where."""

    url: str
    plaintext: str
    event: Event


async def forge(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/forge: send one such callback now; answers the merchant's status and body."""
    wanted = take(body, "kind", "mchid", out_trade_no=None, out_refund_no=None, amount_fen=None)
    kind = wanted["kind"]
    if kind not in KINDS:
        raise ControlError(400, "wrong_value", f"kind is one of {list(KINDS)}")
    merchant = merchants.find(world.store, wanted["mchid"])
    if merchant is None or not merchant.apiv3_key:
        raise ControlError(404, "no_such_merchant", f"no merchant {wanted['mchid']} with an APIv3 key")
    tell = _false_payment if wanted["out_refund_no"] is None else _false_refund
    false = tell(world, merchant, kind, wanted)
    notification_id, text = notices.fresh(world, merchant, false.plaintext, false.event)
    headers = _headers(world, request, merchant, kind, text.encode())
    attempt = await request.app[POSTMAN].post(false.url, headers, text.encode())
    return {
        "id": notification_id,
        "status": attempt.status,
        "body": attempt.answer,
        "outcome": attempt.outcome,
        "url": false.url,
        "request": {"headers": headers, "body": text},
        "plaintext": json.loads(false.plaintext),
    }


def _false_payment(world: World, merchant: Merchant, kind: str, wanted: dict[str, Any]) -> Falsehood:
    order = _order(world, merchant, wanted["out_trade_no"])
    return Falsehood(order.notify_url, _plaintext(world, order, kind, wanted["amount_fen"]), notices.PAID)


def _false_refund(world: World, merchant: Merchant, kind: str, wanted: dict[str, Any]) -> Falsehood:
    """What the callback tells: the refund as done, wrong in the one thing that `kind` names."""
    refund = refund_books.find(world, merchant.mchid, wanted["out_refund_no"])
    if refund is None or not refund.notify_url:
        raise ControlError(404, "no_such_refund", "a forged callback needs a refund whose notify_url it can use")
    told = replace(refund, state=RefundState.SUCCESS, success_s=refund.success_s or world.now_s())
    match kind:
        case "wrong_amount":
            told = replace(told, amount_fen=wanted["amount_fen"] or told.amount_fen + 1)
        case "wrong_mchid":
            told = replace(told, mchid="1900000001")
        case "unknown_order":
            told = replace(told, out_refund_no="NOBODY" + told.out_refund_no[:40])
        case "wrong_appid" | "wrong_currency":
            raise ControlError(400, "wrong_value", f"a refund's callback tells nothing that {kind} could change")
    plaintext = pay_books.to_json(refund_books.told(told))
    return Falsehood(refund.notify_url, plaintext, refund_books.EVENTS[RefundState.SUCCESS])


def _order(world: World, merchant: Merchant, out_trade_no: str | None) -> Order:
    if out_trade_no is None:
        row = world.store.row(LATEST_ORDER, merchant.mchid)
        out_trade_no = row["out_trade_no"] if row else ""
    order = pay_books.find(world, merchant.mchid, out_trade_no)
    if order is None:
        raise ControlError(404, "no_such_order", "a forged callback needs an order whose notify_url it can use")
    return order


def _plaintext(world: World, order: Order, kind: str, amount_fen: int | None) -> str:
    """What the callback tells: the order as paid, wrong in the one thing that `kind` names."""
    now_s = world.now_s()
    told = order if order.is_paid else pay_books.as_if_paid(order, now_s)
    if amount_fen is not None:
        told = replace(told, total_fen=amount_fen)
    match kind:
        case "wrong_amount" if amount_fen is None:
            told = replace(told, total_fen=told.total_fen + 1)
        case "wrong_mchid":
            told = replace(told, mchid="1900000001")
        case "wrong_appid":
            told = replace(told, appid="wx000000000000dead")
        case "wrong_currency":
            told = replace(told, currency="USD")
        case "unknown_order":
            told = replace(
                told, out_trade_no="NOBODY" + told.out_trade_no[:20], transaction_id=pay_books.new_transaction_id(now_s)
            )
    return pay_books.to_json(pay_books.trade(told))


def _headers(world: World, request: web.Request, merchant: Merchant, kind: str, body: bytes) -> dict[str, str]:
    signer = merchants.callback_signer(world.keys, merchant, turn=0)
    postman = request.app[POSTMAN]
    stale_s = STALE_BY_S if kind == "old_timestamp" else 0
    headers = postman.headers(signer, body, probe=kind == "signtest", signed_s=world.now_s() - stale_s)
    if kind == "bad_signature":
        headers["Wechatpay-Signature"] = pay_auth.spoiled(headers["Wechatpay-Signature"])
    if kind == "unknown_serial":
        headers["Wechatpay-Serial"] = UNKNOWN_SERIAL
    return headers
