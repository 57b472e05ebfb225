"""Shipping reports of mini-programs (发货信息, mini-program page section 8): a paid order, once, and one correction."""

import json
from datetime import datetime
from typing import Any

from sandbox import pay_books, tokens
from sandbox.api_edge import OK, ApiCall, text_of
from sandbox.errors import ApiError
from sandbox.pay_books import Order
from sandbox.store import Row
from sandbox.world import World

LOGISTICS = (1, 2, 3, 4)
DELIVERY = (1, 2)
ITEM_LENGTH = 120
MOST_UPLOADS = 2

LOAD_ORDER = "SELECT mchid, out_trade_no FROM orders WHERE transaction_id = ?"
UPLOADS = "SELECT request FROM shipping WHERE transaction_id = ? ORDER BY id"
ACCEPT = "INSERT INTO shipping (appid, transaction_id, request, received_s) VALUES (?, ?, ?, ?)"


async def upload(call: ApiCall) -> dict[str, Any]:
    """POST /wxa/sec/order/upload_shipping_info."""
    world, body = call.world, call.body
    app = tokens.app_of(world, call.request, kind="miniprogram")
    _check_form(body)
    order = _order(world, body["order_key"])
    _check_order(app, order, body)
    uploads = [json.loads(row["request"]) for row in world.store.rows(UPLOADS, order.transaction_id)]
    content = {key: value for key, value in body.items() if key != "upload_time"}
    if uploads and content == {key: value for key, value in uploads[-1].items() if key != "upload_time"}:
        raise ApiError(10060023, "发货信息未更新")
    if len(uploads) >= MOST_UPLOADS:
        raise ApiError(10060003, "支付单已使用重新发货机会")
    request = json.dumps(body, ensure_ascii=False)
    world.store.run(ACCEPT, app["appid"], order.transaction_id, request, world.now_s())
    return OK


def _check_form(body: dict[str, Any]) -> None:
    items = body.get("shipping_list")
    if body.get("logistics_type") not in LOGISTICS or body.get("delivery_mode") not in DELIVERY:
        raise ApiError(10060014, "参数错误: logistics_type或delivery_mode")
    if not isinstance(items, list) or not items or not all(_is_item(item) for item in items):
        raise ApiError(10060014, "参数错误: shipping_list")
    if not isinstance(body.get("order_key"), dict):
        raise ApiError(10060014, "参数错误: order_key")
    if not isinstance(body.get("payer"), dict) or not text_of(body["payer"], "openid"):
        raise ApiError(10060014, "参数错误: payer")
    try:
        if datetime.fromisoformat(text_of(body, "upload_time")).tzinfo is None:
            raise ApiError(10060014, "参数错误: upload_time")
    except ValueError as error:
        raise ApiError(10060014, "参数错误: upload_time") from error


def _is_item(item: object) -> bool:
    return isinstance(item, dict) and 1 <= len(text_of(item, "item_desc")) <= ITEM_LENGTH


def _order(world: World, key: dict[str, Any]) -> Order:
    mchid, out_trade_no = text_of(key, "mchid"), text_of(key, "out_trade_no")
    if key.get("order_number_type") == 2:
        row = world.store.row(LOAD_ORDER, text_of(key, "transaction_id"))
        mchid, out_trade_no = (row["mchid"], row["out_trade_no"]) if row else ("", "")
    elif key.get("order_number_type") != 1:
        raise ApiError(10060014, "参数错误: order_number_type")
    order = pay_books.find(world, mchid, out_trade_no)
    if order is None:
        raise ApiError(10060001, "支付单不存在")
    return order


def _check_order(app: Row, order: Order, body: dict[str, Any]) -> None:
    if order.appid != app["appid"]:
        raise ApiError(10060001, "支付单不存在")
    if not order.is_paid:
        raise ApiError(10060004, "支付单处于不可发货的状态")
    if body["payer"]["openid"] != order.payer_openid:
        raise ApiError(10060031, "该笔支付单不属于openid所指定的用户")
