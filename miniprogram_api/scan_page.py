"""The pages behind a house's paper code (扫码代缴): one code for WeChat, Alipay and any other browser (D6).

Whoever holds the code sees a masked label and what is due, nothing of people. Inside WeChat the browser logs in
silently by the official account and pays there; inside Alipay it is led to Alipay's page; elsewhere both are offered.
Unknown and replaced codes get one and the same page. Nothing is paid but what the page showed. No rules are made here.
"""

import re
from collections.abc import Sequence
from urllib.parse import quote
from uuid import UUID

from backend.fees import bills
from backend.kernel import cookies
from backend.kernel.auth import PUBLIC
from backend.kernel.db import Tx
from backend.kernel.errors import BadRequest, Conflict, NotFound, TooMany
from backend.kernel.http import Reply, Route
from backend.kernel.ratelimit import Rule
from backend.property import communities, houses, pay_codes
from backend.property.communities import Community
from backend.property.houses import House
from miniprogram_api import scan_views, scanning
from miniprogram_api.scan_views import Offer, Words
from miniprogram_api.scanning import METHODS_IN, Browser, Handler, Scan, WechatReturn
from payments import ways
from payments.counter import dues
from payments.counter.dues import Due
from payments.orders import MAX_LINES, BeingPaid
from payments.payables import Kind, Wish

LOOK = Rule("scan.look", 60, 60, strict=True)
PAY = Rule("scan.pay", 12, 60, strict=True)
PAY_CODE = re.compile(r"[0-9A-Za-z]{8,32}")
WORDS = Words(
    title="缴费",
    back="返回账单",
    paid="支付完成，账单稍后更新，请不要重复支付。",
    trouble="暂时不能缴费",
    unknown_code="这个缴费码已失效或不存在，请向物业服务中心索取新的缴费码。",
    being_paid=BeingPaid.message,
)


async def look(call: Scan) -> Reply:
    """GET /p/{pay_code}."""
    house, place = await _house(call)
    if scanning.browser(call) is Browser.WECHAT:
        app = await scanning.official_account(call, place.company_id)
        if app is not None:
            return scanning.to_wechat(call, app, back=f"{_url(call, house)}/wechat", code=house.pay_code)
    return await _bills(call, house, place)


async def back_from_wechat(call: Scan) -> Reply:
    """GET /p/{pay_code}/wechat: WeChat says who it is, to the browser that we have sent there."""
    house, place = await _house(call)
    app = await scanning.official_account(call, place.company_id)
    if app is None:
        raise NotFound
    openid = await scanning.openid(call, app, code=house.pay_code)
    payer = scanning.sealed_payer(call, code=house.pay_code, appid=app.appid, openid=openid)
    return await _bills(call, house, place, appid=app.appid, payer=payer)


async def pay(call: Scan) -> Reply:
    """POST /p/{pay_code}/orders: what the page showed, in the way of the button."""
    house, _ = await _house(call)
    form = scanning.form_of(call.raw)
    wanted = [due for due in await _dues(call, house) if form.get("item", "") in ("", str(due.bill["item_id"]))]
    if not wanted or str(sum(bills.due_fen(due.bill) for due in wanted)) != form.get("total_fen"):
        raise Conflict("账单有变化，请返回核对后再支付。", code="bills_changed")

    async def what(_: Tx) -> list[Wish]:
        return [Wish(Kind.BILL, due.bill["id"]) for due in wanted]

    return await scanning.pay(call, what, form=form, code=house.pay_code, url=_url(call, house), words=WORDS)


async def _house(call: Scan) -> tuple[House, Community]:
    pay_code = call.path["pay_code"]
    if not PAY_CODE.fullmatch(pay_code):
        raise NotFound
    house = await houses.of_pay_code(call.res.db, pay_code)
    (place,) = await communities.by_ids(call.res.db, [house.community_id])
    return house, place


async def _bills(call: Scan, house: House, place: Community, *, appid: str = "", payer: str = "") -> Reply:
    due = await _dues(call, house)
    items = {each.bill["item_id"]: each.bill["item_name"] for each in due}
    offers = [
        await _offer(call, house, name, [each for each in due if each.bill["item_id"] == item_id], item_id, appid)
        for item_id, name in items.items()
    ]
    if len(items) > 1:
        everything = await _offer(call, house, "全部账单", due, None, appid)
        offers = [everything, *offers] if everything.methods else offers
    note = "有一笔付款正在进行。如果您已经付款，请稍后再查看，不要重复支付。" if any(each.held for each in due) else ""
    where = f"{place.name} {pay_codes.masked(house.label)}"
    return scan_views.bills(where, offers, action=f"{_path(call)}/orders", payer=payer, note=note)


async def _offer(call: Scan, house: House, heading: str, due: Sequence[Due], item_id: UUID | None, appid: str) -> Offer:
    items = [each.bill["item_id"] for each in due]
    offered = await ways.offered(call.res.db, house.community_id, item_ids=items, appid=appid)
    usable = METHODS_IN[scanning.browser(call)]
    return Offer(
        heading=heading,
        item=str(item_id or ""),
        lines=[(bills.title(each.bill), bills.due_fen(each.bill)) for each in due],
        methods=[each.method for each in offered if each.method in usable],
    )


async def _dues(call: Scan, house: House) -> list[Due]:
    """What is open of the house and may be paid online, the longest due first, as much as one order takes."""
    found = await dues.of_house(call.res.db, [house.community_id], house_id=house.id)
    return [due for due in found if due.bill["payable_online"] and bills.due_fen(due.bill) > 0][:MAX_LINES]


def _path(call: Scan) -> str:
    return f"/p/{quote(call.path['pay_code'], safe='')}"


def _url(call: Scan, house: House) -> str:
    return pay_codes.address(cookies.site(call.res.settings, call.headers), house.pay_code)


def _page(rule: Rule, handler: Handler) -> Handler:
    return scanning.page(rule, handler, words=WORDS, back=_path)


_ERRORS = (BadRequest, Conflict, NotFound, TooMany)

ROUTES: tuple[Route, ...] = (
    Route("GET", "/p/{pay_code}", _page(LOOK, look), PUBLIC, "缴费码页面", errors=_ERRORS, raw=True),
    Route("GET", "/p/{pay_code}/wechat", _page(LOOK, back_from_wechat), PUBLIC, "微信网页授权返回", query=WechatReturn,
          errors=_ERRORS, raw=True),
    Route("POST", "/p/{pay_code}/orders", _page(PAY, pay), PUBLIC, "缴费码页面下单", errors=_ERRORS, raw=True),
)  # fmt: skip
