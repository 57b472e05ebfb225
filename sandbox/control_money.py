"""Control API, second half: the cashier, the channel's books, notifications, forged callbacks."""

import json
from typing import Any

from aiohttp import web

from sandbox import clock, notifications, pay_books, refund_books, users
from sandbox.alipay_postman import ALIPAY_POSTMAN
from sandbox.control_edge import asked, take
from sandbox.control_refunds import refund_view
from sandbox.errors import ControlError
from sandbox.notifications import POSTMAN
from sandbox.pay_books import Order
from sandbox.refund_books import RefundState
from sandbox.store import Row
from sandbox.world import World

NOTIFICATIONS = "SELECT * FROM notifications WHERE out_trade_no = ? ORDER BY created_s, id"
ATTEMPTS = "SELECT * FROM attempts WHERE notification_id = ? ORDER BY id"


def _order(world: World, request: web.Request) -> Order:
    mchid, out_trade_no = request.match_info["mchid"], request.match_info["out_trade_no"]
    order = pay_books.find(world, mchid, out_trade_no)
    if order is None:
        raise ControlError(404, "no_such_order", f"merchant {mchid} has no order {out_trade_no}")
    return order


def order_view(order: Order) -> dict[str, Any]:
    """An order and its transaction (null while unpaid), for people and tests."""
    return {
        "mchid": order.mchid,
        "out_trade_no": order.out_trade_no,
        "appid": order.appid,
        "sub_mchid": order.sub_mchid,
        "openid": order.openid,
        "trade_type": order.trade_type,
        "state": order.state,
        "total_fen": order.total_fen,
        "description": order.description,
        "attach": order.attach,
        "notify_url": order.notify_url,
        "prepay_id": order.prepay_id,
        "code_url": order.code_url,
        "created_at": clock.rfc3339(order.created_s),
        "expires_at": clock.rfc3339(order.expires_s),
        "cancels": order.cancels,
        "transaction": transaction_view(order) if order.is_paid else None,
    }


def transaction_view(order: Order) -> dict[str, Any]:
    """What came in, as the channel's books have it."""
    return {
        "transaction_id": order.transaction_id,
        "mchid": order.mchid,
        "sub_mchid": order.sub_mchid,
        "out_trade_no": order.out_trade_no,
        "appid": order.appid,
        "payer_openid": order.payer_openid,
        "total_fen": order.total_fen,
        "currency": order.currency,
        "success_time": clock.rfc3339(order.success_s or 0),
        "trade_state": order.state,
        "attach": order.attach,
    }


async def show_order(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/orders/{mchid}/{out_trade_no}."""
    return order_view(_order(world, request))


async def list_orders(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/orders?mchid=: all orders of a merchant, oldest first."""
    return {"orders": [order_view(order) for order in pay_books.orders_of(world, asked(request, "mchid"))]}


async def pay(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/orders/{mchid}/{out_trade_no}/pay: the user pays; the callback is due at once."""
    wanted = take(body, payer_openid=None)
    paid = pay_books.pay(world, _order(world, request), payer_openid=wanted["payer_openid"])
    request.app[POSTMAN].wake()
    return order_view(paid)


async def scan(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/scan: a user scans a Native order's code_url and sees the cashier; with `pay` the user pays."""
    wanted = take(body, "code_url", user_id=None, pay=False)
    order = pay_books.find_by_code(world, wanted["code_url"])
    if order is None:
        raise ControlError(404, "no_such_code", "no order has this code_url, or a newer one replaced it")
    if world.now_s() >= (order.link_expires_s or 0):
        raise ControlError(409, "code_expired", "二维码已过期，请刷新后再试")
    if wanted["pay"]:
        appid = order.sub_appid if order.payer_kind == "sub_openid" else order.appid
        payer = users.openid_of(world, wanted["user_id"], appid) if wanted["user_id"] else None
        order = pay_books.pay(world, order, payer_openid=payer)
        request.app[POSTMAN].wake()
    return {**order_view(order), "cashier_url": f"{request.scheme}://{request.host}/cashier/{order.prepay_id}"}


async def cancel(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/orders/{mchid}/{out_trade_no}/cancel: the user presses 取消."""
    pay_books.cancel(world, _order(world, request))
    return order_view(_order(world, request))


async def books(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/books?mchid=[&date=]: what was paid, and the refunds that began; sums in fen."""
    mchid, on = asked(request, "mchid"), request.query.get("date")
    try:
        paid = pay_books.paid_on(world.store, mchid, clock.parse_day(on)) if on else None
    except ValueError as error:
        raise ControlError(400, "wrong_value", "date is yyyy-mm-dd") from error
    rows = pay_books.paid_ever(world.store, mchid) if paid is None else paid
    given = [refund for refund in refund_books.of_merchant(world, mchid) if on in (None, _day(refund.created_s))]
    return {
        "transactions": [transaction_view(order) for order in rows],
        "count": len(rows),
        "total_fen": sum(order.total_fen for order in rows),
        "refunds": [refund_view(refund) for refund in given],
        "refunded_fen": sum(refund.amount_fen for refund in given if refund.state is RefundState.SUCCESS),
    }


def _day(instant_s: float) -> str:
    return clock.day_of(instant_s).isoformat()


def _attempt_view(row: Row) -> dict[str, Any]:
    return {
        "at": clock.rfc3339(row["started_s"]),
        "at_s": row["started_s"],
        "outcome": row["outcome"],
        "status": row["status"],
        "answer": row["answer"],
        "headers": json.loads(row["headers"]),
    }


async def list_notifications(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/notifications?out_trade_no=: every notification with its exact body and every attempt."""
    found = world.store.rows(NOTIFICATIONS, asked(request, "out_trade_no"))
    return {"notifications": [_notification_view(world, row) for row in found]}


def _notification_view(world: World, row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "mchid": row["mchid"],
        "out_trade_no": row["out_trade_no"],
        "event_type": row["event_type"],
        "url": row["url"],
        "body": row["body"],
        "state": row["state"],
        "is_lost": bool(row["lost"]),
        "manner": row["manner"],
        "next_at": clock.rfc3339(row["next_s"]) if row["next_s"] is not None else None,
        "next_at_s": row["next_s"],
        "attempts": [_attempt_view(attempt) for attempt in world.store.rows(ATTEMPTS, row["id"])],
    }


async def repeat(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/notifications/{id}/repeat: send it once more now, lost or not; answers how it went."""
    row = world.store.row(notifications.LOAD, request.match_info["id"])
    if row is None:
        raise ControlError(404, "no_such_notification", f"no notification {request.match_info['id']}")
    return await request.app[POSTMAN].repeat(row)


async def flush(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/notifications/flush: deliver what is due now, Alipay's too; answers the number of attempts."""
    return {"count": await request.app[POSTMAN].flush() + await request.app[ALIPAY_POSTMAN].flush()}
