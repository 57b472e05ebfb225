"""wap.pay and page.pay, and the cashier behind them and behind QR codes (protocols/alipay.md section 6.3).

The gateway takes the order and sends the browser on to the cashier; opening the cashier is what makes the trade, like
scanning a code. GET /cashier/alipay/{token} shows it; POST .../pay and .../cancel act and show the result. `token` is
the last part of a QR code's text.
"""

from html import escape
from pathlib import Path
from string import Template
from urllib.parse import urlencode

from aiohttp import web

from sandbox import alipay_books, alipay_keys, alipay_merchants, keys
from sandbox.alipay_books import Order, Product
from sandbox.alipay_fields import moment, yuan
from sandbox.alipay_gateway import Call
from sandbox.alipay_postman import ALIPAY_POSTMAN
from sandbox.alipay_trades import ordered
from sandbox.errors import ControlError
from sandbox.world import WORLD, World

PAGE = Template((Path(__file__).parent / "alipay_cashier.html").read_text(encoding="utf-8"))
RETURN_METHODS = {Product.WAP: "alipay.trade.wap.pay.return", Product.PAGE: "alipay.trade.page.pay.return"}
UNKNOWN = "没有找到这笔支付，请回到商家重新发起支付。"
PAID = "支付成功，商家很快就会收到通知。您可以返回商家查看结果。"
CANCELLED = "您已放弃支付，没有扣款。需要时可以回到商家再次支付。"
CLOSED = "这笔交易已经关闭，不能再支付了。如仍需缴费，请回到商家重新下单。"


async def wap_pay(call: Call) -> web.StreamResponse:
    """alipay.trade.wap.pay."""
    return _sent_on(call, Product.WAP)


async def page_pay(call: Call) -> web.StreamResponse:
    """alipay.trade.page.pay."""
    return _sent_on(call, Product.PAGE)


def _sent_on(call: Call, product: Product) -> web.Response:
    known = alipay_books.find(call.world, call.merchant.app_id, call.content["out_trade_no"])
    order = ordered(call, product, known)
    return web.Response(status=302, headers={"Location": f"/cashier/alipay/{order.token}"})


async def show(request: web.Request) -> web.Response:
    """GET /cashier/alipay/{token}."""
    world, order = request.app[WORLD], _order(request)
    if order is None:
        return _page(404, "找不到订单", _text(UNKNOWN))
    try:
        order = alipay_books.scan(world, order)
    except ControlError as error:
        return _page(200, "不能支付", _amount(order) + _text(f"{error.message}。"))
    if order.is_paid:
        return _page(200, "支付成功", _amount(order) + _text(PAID) + _way_back(world, order))
    if order.closed_s is not None:
        return _page(200, "交易已关闭", _amount(order) + _text(CLOSED))
    return _page(200, "请确认付款", _amount(order) + _facts(order) + _buttons(order))


async def pay(request: web.Request) -> web.Response:
    """POST /cashier/alipay/{token}/pay."""
    world, order = request.app[WORLD], _order(request)
    if order is None:
        return _page(404, "找不到订单", _text(UNKNOWN))
    try:
        paid = alipay_books.pay(world, order)
    except ControlError as error:
        return _page(409, "没有支付成功", _amount(order) + _text(f"{error.message}。"))
    request.app[ALIPAY_POSTMAN].wake()
    return _page(200, "支付成功", _amount(paid) + _facts(paid) + _text(PAID) + _way_back(world, paid))


async def cancel(request: web.Request) -> web.Response:
    """POST /cashier/alipay/{token}/cancel."""
    order = _order(request)
    if order is None:
        return _page(404, "找不到订单", _text(UNKNOWN))
    alipay_books.refuse(request.app[WORLD], order)
    return _page(200, "已放弃支付", _text(CANCELLED))


def return_address(world: World, order: Order) -> str:
    """Where the browser goes after paying: `return_url` with signed values, for display only; empty without one."""
    merchant = alipay_merchants.find(world.store, order.app_id)
    if merchant is None or not order.return_url or order.product not in RETURN_METHODS:
        return ""
    values = {
        "app_id": order.app_id,
        "charset": "utf-8",
        "method": RETURN_METHODS[order.product],
        "out_trade_no": order.out_trade_no,
        "seller_id": merchant.seller_id,
        "timestamp": moment(world.now_s()),
        "total_amount": yuan(order.total_fen),
        "trade_no": order.trade_no or "",
        "version": "1.0",
    }
    signer = alipay_merchants.signer(world, merchant)
    signature = keys.sign(signer.key, alipay_keys.notification_text(values).encode())
    mark = "&" if "?" in order.return_url else "?"
    return f"{order.return_url}{mark}{urlencode({**values, 'sign_type': 'RSA2', 'sign': signature})}"


def _order(request: web.Request) -> Order | None:
    return alipay_books.find_by_token(request.app[WORLD], request.match_info["token"])


def _page(status: int, heading: str, content: str) -> web.Response:
    text = PAGE.substitute(title=f"{heading} - 支付宝沙箱", heading=heading, content=content)
    return web.Response(status=status, text=text, content_type="text/html", charset="utf-8")


def _text(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _amount(order: Order) -> str:
    return f'<div class="amount">￥{yuan(order.total_fen)}</div>'


def _facts(order: Order) -> str:
    facts = {"商品": order.subject, "商户订单号": order.out_trade_no, "支付宝交易号": order.trade_no or ""}
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items()) + "</dl>"


def _way_back(world: World, order: Order) -> str:
    address = return_address(world, order)
    return f'<p><a href="{escape(address)}">返回商家</a></p>' if address else ""


def _buttons(order: Order) -> str:
    return "".join(
        f'<form method="post" action="/cashier/alipay/{escape(order.token)}/{action}">'
        f'<button class="{action}" type="submit">{label}</button></form>'
        for action, label in (("pay", "支付"), ("cancel", "放弃"))
    )
