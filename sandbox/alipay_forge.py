"""Notifications of Alipay that are false in one way (control API): forged, or genuine and telling something wrong.

All but `bad_signature` and `other_key` are signed by Alipay; none of them touches the channel's own books.
"""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from sandbox import alipay_books, alipay_merchants, alipay_notices, pay_auth
from sandbox.alipay_books import Order
from sandbox.alipay_keys import Signer
from sandbox.alipay_merchants import AlipayMerchant
from sandbox.alipay_postman import ALIPAY_POSTMAN
from sandbox.control_edge import take
from sandbox.errors import ControlError
from sandbox.world import World

KINDS = (
    "bad_signature",
    "other_key",
    "wrong_amount",
    "wrong_app_id",
    "wrong_seller_id",
    "unknown_order",
    "unknown_refund",
)
LATEST_ORDER = "SELECT out_trade_no FROM alipay_orders WHERE app_id = ? ORDER BY asked_s DESC LIMIT 1"


async def forge(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/alipay/forge: send one such notification now; answers the merchant's status and body."""
    wanted = take(body, "kind", "app_id", out_trade_no=None, amount_fen=None)
    if wanted["kind"] not in KINDS:
        raise ControlError(400, "wrong_value", f"kind is one of {list(KINDS)}")
    merchant = alipay_merchants.find(world.store, wanted["app_id"])
    if merchant is None:
        raise ControlError(404, "no_such_merchant", f"no application {wanted['app_id']}")
    order = _order(world, merchant, wanted["out_trade_no"])
    fields = _told(world, merchant, order, wanted["kind"], wanted["amount_fen"])
    text = _form(world, merchant, fields, wanted["kind"])
    delivery = await request.app[ALIPAY_POSTMAN].post(order.notify_url, text)
    return {
        "id": fields["notify_id"],
        "outcome": delivery.outcome,
        "status": delivery.status,
        "answer": delivery.answer,
        "url": order.notify_url,
        "body": text,
        "fields": fields,
    }


def _order(world: World, merchant: AlipayMerchant, out_trade_no: str | None) -> Order:
    if out_trade_no is None:
        row = world.store.row(LATEST_ORDER, merchant.app_id)
        out_trade_no = row["out_trade_no"] if row else ""
    order = alipay_books.find(world, merchant.app_id, out_trade_no)
    if order is None or not order.notify_url:
        raise ControlError(404, "no_such_order", "a forged notification needs an order whose notify_url it can use")
    return order


def _told(world: World, merchant: AlipayMerchant, order: Order, kind: str, amount_fen: int | None) -> dict[str, str]:
    """What the notification tells: the order as paid, wrong in the one thing that `kind` names."""
    now_s = world.now_s()
    told = alipay_books.as_paid(world, order)
    if kind == "wrong_amount":
        told = replace(told, total_fen=order.total_fen + 1 if amount_fen is None else amount_fen)
    if kind == "unknown_order":
        number = alipay_books.new_trade_no(now_s)
        told = replace(told, out_trade_no=f"NOBODY{told.out_trade_no[:20]}", trade_no=number)
    fields = alipay_notices.payment_fields(merchant, alipay_books.event(told))
    if kind == "wrong_app_id":
        fields |= {"app_id": "2021999999999999", "auth_app_id": "2021999999999999"}
    if kind == "wrong_seller_id":
        fields["seller_id"] = "2088999999999999"
    if kind == "unknown_refund":
        fields |= alipay_notices.refund_fields("NOBODYS_REFUND", amount_fen or order.total_fen, now_s)
    return alipay_notices.complete(fields, alipay_notices.new_id(now_s), now_s)


def _form(world: World, merchant: AlipayMerchant, fields: dict[str, str], kind: str) -> str:
    signer = alipay_merchants.signer(world, merchant)
    if kind == "other_key":
        signer = Signer(world.alipay.root, signer.certificate_sn)
    text = alipay_notices.form(fields, signer)
    if kind != "bad_signature":
        return text
    genuine = parse_qs(text)["sign"][0]
    return alipay_notices.signed_form(fields, pay_auth.spoiled(genuine), signer.certificate_sn)
