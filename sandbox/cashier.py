"""The cashier: what the user sees in WeChat after tapping 去支付, with a button to pay and one to leave.

GET /cashier/{prepay_id} shows it; POST .../pay and .../cancel act and show the result.
"""

from html import escape
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from aiohttp import web

from sandbox import pay_books
from sandbox.amounts import yuan
from sandbox.errors import ControlError
from sandbox.notifications import POSTMAN
from sandbox.pay_books import Order, TradeState
from sandbox.world import WORLD, World

PAGE = Template((Path(__file__).parent / "cashier.html").read_text(encoding="utf-8"))
UNKNOWN = "没有找到这笔支付。支付会话可能已经更新，请回到商家重新发起支付。"
CLOSED = "这笔订单已经关闭，不能再支付了。如仍需缴费，请回到商家重新下单。"
PAID = "支付成功，商家很快就会收到通知。您可以关闭本页面了。"
CANCELLED = "您已取消支付，没有扣款。需要时可以回到商家再次支付。"


async def show(request: web.Request) -> web.Response:
    """GET /cashier/{prepay_id}."""
    order = _order(request)
    if order is None:
        return page(404, "找不到订单", text(UNKNOWN))
    if order.is_paid:
        return page(200, "支付成功", _amount(order) + text(PAID))
    if order.state is TradeState.CLOSED:
        return page(200, "订单已关闭", _amount(order) + text(CLOSED))
    return page(200, "请确认付款", _amount(order) + _facts(order) + _buttons(request, order))


async def pay(request: web.Request) -> web.Response:
    """POST /cashier/{prepay_id}/pay."""
    order = _order(request)
    if order is None:
        return page(404, "找不到订单", text(UNKNOWN))
    try:
        paid = pay_books.pay(_world(request), order)
    except ControlError as error:
        return page(409, "没有支付成功", _amount(order) + text(f"{error.message}。"))
    request.app[POSTMAN].wake()
    return page(200, "支付成功", _amount(paid) + _facts(paid) + text(PAID) + _way_back(request))


async def cancel(request: web.Request) -> web.Response:
    """POST /cashier/{prepay_id}/cancel."""
    order = _order(request)
    if order is None:
        return page(404, "找不到订单", text(UNKNOWN))
    pay_books.cancel(_world(request), order)
    return page(200, "已取消支付", text(CANCELLED) + _way_back(request))


def _world(request: web.Request) -> World:
    return request.app[WORLD]


def _order(request: web.Request) -> Order | None:
    return pay_books.find_by_prepay(_world(request), request.match_info["prepay_id"])


def page(status: int, heading: str, content: str) -> web.Response:
    """One page of the channel."""
    content = PAGE.substitute(title=f"{heading} - 微信支付沙箱", heading=heading, content=content)
    return web.Response(status=status, text=content, content_type="text/html", charset="utf-8")


def text(words: str) -> str:
    """A paragraph."""
    return f"<p>{escape(words)}</p>"


def _amount(order: Order) -> str:
    return f'<div class="amount">￥{yuan(order.total_fen)}</div>'


def _facts(order: Order) -> str:
    facts = {"商品": order.description, "商户号": order.mchid, "商户订单号": order.out_trade_no}
    if order.transaction_id:
        facts["交易单号"] = order.transaction_id
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items()) + "</dl>"


def _way_back(request: web.Request) -> str:
    """H5: the page that the merchant asked to return to."""
    address = request.query.get("redirect_url", "")
    known = urlsplit(address).scheme in ("http", "https")
    return f'<p><a href="{escape(address)}">返回商家</a></p>' if known else ""


def _buttons(request: web.Request, order: Order) -> str:
    query = f"?{request.query_string}" if request.query_string else ""
    return "".join(
        f'<form method="post" action="/cashier/{escape(order.prepay_id)}/{action}{escape(query)}">'
        f'<button class="{action}" type="submit">{label}</button></form>'
        for action, label in (("pay", "支付"), ("cancel", "取消"))
    )
