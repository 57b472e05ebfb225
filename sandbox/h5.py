"""The middle page of H5 payment (section 7.4): five minutes, from the merchant's own domain, not inside WeChat.

It leads to the cashier, as the real one leads to the app of WeChat; `redirect_url` is where the payer goes afterwards.
"""

from html import escape
from urllib.parse import quote, urlsplit

from aiohttp import web

from sandbox import merchants, pay_books
from sandbox.cashier import page, text
from sandbox.pay_books import Order
from sandbox.world import WORLD, World

IN_WECHAT = "MicroMessenger"
UNKNOWN = "商家参数格式有误，请联系商家解决。"
STALE = "支付链接已经超过五分钟，请回到商家重新发起支付。"
INSIDE = "请在微信外的浏览器中打开本链接完成支付。"
DOMAIN = "商家存在未配置的参数，请联系商家解决（支付域名与商家登记的不一致）。"


async def show(request: web.Request) -> web.Response:
    """GET /cgi-bin/mmpayweb-bin/checkmweb?prepay_id=&package=[&redirect_url=]."""
    world = request.app[WORLD]
    order = pay_books.find_by_prepay(world, request.query.get("prepay_id", ""))
    if order is None or order.trade_type != "MWEB":
        return page(404, "不能支付", text(UNKNOWN))
    refusal = _refusal(world, request, order)
    if refusal:
        return page(403, "不能支付", text(refusal))
    target = f"/cashier/{order.prepay_id}"
    if request.query.get("redirect_url"):
        target = f"{target}?redirect_url={quote(request.query['redirect_url'], safe='')}"
    link = f'<p><a class="button pay" href="{escape(target)}">打开微信支付</a></p>'
    return page(200, "正在前往微信支付", text(order.description) + link)


def _refusal(world: World, request: web.Request, order: Order) -> str | None:
    if world.now_s() >= (order.link_expires_s or 0):
        return STALE
    if IN_WECHAT in request.headers.get("User-Agent", ""):
        return INSIDE
    merchant = merchants.find(world.store, order.mchid)
    domains = merchant.h5_domains if merchant else frozenset()
    back = request.query.get("redirect_url", "")
    hosts = [urlsplit(request.headers.get("Referer", "")).hostname, *([urlsplit(back).hostname] if back else [])]
    return DOMAIN if domains and any(host not in domains for host in hosts) else None
