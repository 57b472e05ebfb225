"""Control API of Alipay: merchants, what payers do, notifications, hostility, the channel's books."""

import re
from typing import Any

from aiohttp import web

from sandbox import alipay_books, alipay_hostile, alipay_keys, alipay_merchants, clock
from sandbox.alipay_books import Order, Product, Refund
from sandbox.alipay_merchants import AlipayMerchant, Mode
from sandbox.alipay_pages import return_address
from sandbox.alipay_postman import ALIPAY_POSTMAN
from sandbox.alipay_trades import QR_CODE
from sandbox.control_edge import asked, take
from sandbox.errors import ControlError
from sandbox.keys import load_public_key
from sandbox.store import Row
from sandbox.world import World

SIXTEEN_DIGITS = re.compile(r"\d{16}")
SELLER_EMAIL = "wy@example.com"
# Applications of Alipay's sandboxes begin with 9021, which no product takes in live mode.
DEMO = (
    ("9021000000000101", "2088000000000101", Mode.KEY),
    ("9021000000000102", "2088000000000102", Mode.CERTIFICATE),
)

NOTICES = "SELECT * FROM alipay_notices WHERE out_trade_no = ? ORDER BY created_s, id"
ATTEMPTS = "SELECT * FROM alipay_attempts WHERE notice_id = ? ORDER BY id"


async def put_merchant(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """PUT /control/alipay/merchants/{app_id}: create or replace; without a public key the sandbox makes the pair."""
    app_id = request.match_info["app_id"]
    wanted = take(body, "seller_id", mode="key", public_key_pem=None, seller_email=SELLER_EMAIL)
    if wanted["mode"] not in list(Mode):
        raise ControlError(400, "wrong_value", f"mode is one of {[str(mode) for mode in Mode]}")
    if not SIXTEEN_DIGITS.fullmatch(app_id) or not SIXTEEN_DIGITS.fullmatch(str(wanted["seller_id"])):
        raise ControlError(400, "wrong_value", "app_id and seller_id have 16 digits")
    try:
        given = wanted["public_key_pem"]
        if given is not None:
            load_public_key(given)
    except ValueError as error:
        raise ControlError(400, "wrong_value", f"public_key_pem: {error}") from error
    return _register(world, app_id, wanted["seller_id"], Mode(wanted["mode"]), given, wanted["seller_email"])


async def demo_merchants(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/alipay/demo-merchants: one merchant in each mode, always the same, with keys kept on disk."""
    take(body)
    return {"merchants": [_register(world, *made, None, SELLER_EMAIL) for made in DEMO]}


def _register(
    world: World, app_id: str, seller_id: str, mode: Mode, public_key_pem: str | None, seller_email: str
) -> dict[str, Any]:
    own_key = world.alipay.application_key(app_id) if public_key_pem is None else None
    merchant = AlipayMerchant(
        app_id=app_id,
        seller_id=seller_id,
        seller_email=seller_email,
        mode=mode,
        public_key_pem=public_key_pem or alipay_keys.public_pem(world.alipay.application_key(app_id)),
    )
    alipay_merchants.save(world, merchant)
    told: dict[str, Any] = {
        "app_id": app_id,
        "seller_id": seller_id,
        "mode": str(mode),
        "app_private_key_pem": alipay_keys.private_pem(own_key) if own_key is not None else None,
    }
    if mode is Mode.KEY:
        return {**told, "alipay_public_key_pem": world.alipay.public_key_pem}
    certificate, roots = alipay_merchants.application_certificate(world.store, app_id), world.alipay.root_bundle_pem
    return {
        **told,
        "app_cert_pem": certificate,
        "app_cert_sn": alipay_keys.certificate_sn(certificate),
        "alipay_cert_pem": world.alipay.certificate_pem,
        "alipay_cert_sn": world.alipay.certificate_sn,
        "alipay_root_cert_pem": roots,
        "alipay_root_cert_sn": alipay_keys.root_certificate_sn(roots),
    }


async def reissue(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/alipay/certificate/reissue: Alipay's certificate gets a new number over the same key."""
    take(body)
    pem = world.alipay.reissue()
    return {"alipay_cert_pem": pem, "alipay_cert_sn": alipay_keys.certificate_sn(pem)}


def order_of(world: World, request: web.Request) -> Order:
    """The order that the path names; ControlError 404 where there is none."""
    app_id, out_trade_no = request.match_info["app_id"], request.match_info["out_trade_no"]
    order = alipay_books.find(world, app_id, out_trade_no)
    if order is None:
        raise ControlError(404, "no_such_order", f"application {app_id} has no order {out_trade_no}")
    return order


def _at(instant_s: float | None) -> str | None:
    return None if instant_s is None else clock.rfc3339(instant_s)


def refund_view(refund: Refund) -> dict[str, Any]:
    """A refund, for people and tests; `fee_fen` is the fee that came back with it."""
    return {
        "out_request_no": refund.out_request_no,
        "amount_fen": refund.amount_fen,
        "fee_fen": refund.fee_fen,
        "reason": refund.reason,
        "done_at": clock.rfc3339(refund.done_s),
    }


def order_view(world: World, order: Order) -> dict[str, Any]:
    """An order with its trade (`trade_no` null before a scan) and refunds."""
    is_code = order.product is Product.PRECREATE
    return {
        "app_id": order.app_id,
        "out_trade_no": order.out_trade_no,
        "product": str(order.product),
        "trade_no": order.trade_no,
        "trade_status": str(order.status),
        "total_fen": order.total_fen,
        "fee_fen": alipay_books.fee_fen(order.total_fen) if order.is_paid else 0,
        "subject": order.subject,
        "passback_params": order.passback_params,
        "notify_url": order.notify_url,
        "buyer_id": order.buyer_id,
        "qr_code": QR_CODE + order.token if is_code else None,
        "cashier_path": f"/cashier/alipay/{order.token}",
        "return_address": return_address(world, order) if order.is_paid else "",
        "asked_at": clock.rfc3339(order.asked_s),
        "created_at": _at(order.created_s),
        "expires_at": _at(order.expires_s),
        "paid_at": _at(order.paid_s),
        "closed_at": _at(order.closed_s),
        "refused": order.refused,
        "refunds": [refund_view(refund) for refund in alipay_books.refunds_of(world, order)],
    }


async def list_orders(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/alipay/orders?app_id=: all orders of a merchant, oldest first."""
    return {"orders": [order_view(world, order) for order in alipay_books.orders_of(world, asked(request, "app_id"))]}


async def show_order(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/alipay/orders/{app_id}/{out_trade_no}."""
    return order_view(world, order_of(world, request))


async def scan(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST .../scan: a payer scans the code, or reaches the cashier; the trade exists from now on."""
    wanted = take(body, buyer_id=None)
    return order_view(world, alipay_books.scan(world, order_of(world, request), buyer_id=wanted["buyer_id"]))


async def pay(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST .../pay: the payer pays (scanning first where that is missing); the notification is due at once."""
    wanted = take(body, buyer_id=None)
    paid = alipay_books.pay(world, order_of(world, request), buyer_id=wanted["buyer_id"])
    request.app[ALIPAY_POSTMAN].wake()
    return order_view(world, paid)


async def refuse(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST .../refuse: the payer leaves the cashier."""
    take(body)
    return order_view(world, alipay_books.refuse(world, order_of(world, request)))


async def finish(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST .../finish: the refund window is over, TRADE_FINISHED."""
    take(body)
    finished = alipay_books.finish(world, order_of(world, request))
    request.app[ALIPAY_POSTMAN].wake()
    return order_view(world, finished)


async def list_notices(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/alipay/notifications?out_trade_no=: every notification with each delivery's exact body."""
    return {"notifications": [_notice(world, row) for row in world.store.rows(NOTICES, asked(request, "out_trade_no"))]}


def _notice(world: World, row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "app_id": row["app_id"],
        "out_trade_no": row["out_trade_no"],
        "url": row["url"],
        "state": row["state"],
        "is_lost": bool(row["lost"]),
        "next_at": _at(row["next_s"]),
        "next_at_s": row["next_s"],
        "attempts": [
            {
                "at": clock.rfc3339(attempt["started_s"]),
                "at_s": attempt["started_s"],
                "outcome": attempt["outcome"],
                "status": attempt["status"],
                "answer": attempt["answer"],
                "body": attempt["body"],
            }
            for attempt in world.store.rows(ATTEMPTS, row["id"])
        ],
    }


async def repeat(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/alipay/notifications/{id}/repeat: send it once more now, lost or not; answers how it went."""
    row = world.store.row("SELECT * FROM alipay_notices WHERE id = ?", request.match_info["id"])
    if row is None:
        raise ControlError(404, "no_such_notification", f"no notification {request.match_info['id']}")
    delivery = await request.app[ALIPAY_POSTMAN].repeat(row)
    return {"outcome": delivery.outcome, "status": delivery.status, "answer": delivery.answer}


async def flush(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/alipay/notifications/flush: deliver what is due now and wait for it."""
    return {"count": await request.app[ALIPAY_POSTMAN].flush()}


async def show_hostile(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/alipay/hostile: what is left of scripts and budgets."""
    return alipay_hostile.plan(world)


async def put_hostile(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """PUT /control/alipay/hostile: replace the named parts of the plan."""
    return alipay_hostile.update(world, body)


async def reset_hostile(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """DELETE /control/alipay/hostile: be friendly again."""
    return alipay_hostile.reset(world)
