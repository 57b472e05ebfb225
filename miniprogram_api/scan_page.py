"""The pages behind a house's paper code (扫码代缴): one code for WeChat, Alipay and any other browser (D6).

Whoever holds the code sees a masked label and what is due, nothing of people. Inside WeChat the browser logs in
silently by the official account and pays there; inside Alipay it is led to Alipay's page; elsewhere both are offered.
Unknown and replaced codes get one and the same page. Nothing is paid but what the page showed. No rules are made here.
"""

import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from enum import StrEnum
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, quote, urlsplit
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from backend.fees import bills
from backend.kernel.auth import PUBLIC
from backend.kernel.crypto import Context, SealError
from backend.kernel.db import Tx
from backend.kernel.errors import AppError, BadRequest, Conflict, NotFound, TooMany
from backend.kernel.http import Call, Reply, Route
from backend.kernel.ratelimit import Rule
from backend.property import communities, houses, pay_codes
from backend.property.communities import Community
from backend.property.houses import House
from backend.wechat import api, apps, official
from backend.wechat.apps import App, AppKind
from backend.wechat.official import StateRefused
from miniprogram_api import scan_views
from miniprogram_api.scan_views import Offer
from payments import closing, orders, prepay, ways
from payments.channels.base import METHODS, Channel, Method
from payments.counter import dues
from payments.counter.dues import Due
from payments.orders import MAX_LINES, BeingPaid, Payer, Placed, Way
from payments.payables import Kind, Wish

LOOK = Rule("scan.look", 60, 60, strict=True)
PAY = Rule("scan.pay", 12, 60, strict=True)
COOKIE = "linli_scan"
PAY_CODE = re.compile(r"[0-9A-Za-z]{8,32}")
PAYER_LIFETIME = timedelta(minutes=30)
UNKNOWN_CODE = "这个缴费码已失效或不存在，请向物业服务中心索取新的缴费码。"


class Browser(StrEnum):
    """Where the page is open."""

    WECHAT = "wechat"
    ALIPAY = "alipay"
    OTHER = "other"


METHODS_IN = {
    Browser.WECHAT: (Method.JSAPI,),
    Browser.ALIPAY: (Method.WAP,),
    Browser.OTHER: (Method.H5, Method.WAP),
}


class WechatReturn(BaseModel):
    """What WeChat adds to the address; other parameters are of no interest."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    code: str = Field("", max_length=512)
    state: str = Field("", max_length=128)


Asked = Call[None, WechatReturn | None]
Handler = Callable[[Asked], Awaitable[Reply]]


def _page(rule: Rule, handler: Handler) -> Handler:
    """A handler whose failures are pages as well, and which is asked by one address only so often."""

    async def handle(call: Asked) -> Reply:
        try:
            await call.res.limiter.check(rule, call.client_ip)
            return await handler(call)
        except NotFound:
            return scan_views.problem(UNKNOWN_CODE, status=404, back=None)
        except BeingPaid as busy:
            # Who pays at this moment is nobody's business here.
            return scan_views.problem(BeingPaid.message, status=busy.status, back=_path(call))
        except AppError as error:
            return scan_views.problem(error.message, status=error.status, back=_path(call))

    return handle


def browser_of(user_agent: str) -> Browser:
    """Which app's browser this is, by what it says of itself."""
    if "MicroMessenger" in user_agent:
        return Browser.WECHAT
    return Browser.ALIPAY if "AlipayClient" in user_agent else Browser.OTHER


async def look(call: Asked) -> Reply:
    """GET /p/{pay_code}."""
    house, place = await _house(call)
    in_wechat = browser_of(call.headers.get("user-agent", "")) is Browser.WECHAT
    if in_wechat and (app := await _official_account(call, place)) is not None:
        return _to_wechat(call, app, house)
    return await _bills(call, house, place)


async def back_from_wechat(call: Asked) -> Reply:
    """GET /p/{pay_code}/wechat: WeChat says who it is, to the browser that we have sent there."""
    house, place = await _house(call)
    app, now = await _official_account(call, place), call.res.clock.now()
    if app is None or call.query is None:
        raise NotFound
    official.check_state(call.res.keyring, call.query.state, nonce=_cookie(call), page=house.pay_code, now=now)
    openid = await official.openid_of(api.of(call.res), app, code=call.query.code)
    until_s = int((now + PAYER_LIFETIME).timestamp())
    sealed = call.res.keyring.seal(f"{until_s} {app.appid} {openid}", _context(house))
    return await _bills(call, house, place, appid=app.appid, payer=base64.urlsafe_b64encode(sealed).decode())


async def pay(call: Asked) -> Reply:
    """POST /p/{pay_code}/orders: what the page showed, in the way of the button."""
    house, _ = await _house(call)
    form = _form(call.raw)
    method = _method(form.get("method", ""))
    wanted = [due for due in await _dues(call, house) if form.get("item", "") in ("", str(due.bill["item_id"]))]
    if not wanted or str(sum(bills.due_fen(due.bill) for due in wanted)) != form.get("total_fen"):
        raise Conflict("账单有变化，请返回核对后再支付。", code="bills_changed")
    payer = Payer(None, None, ip=call.client_ip)
    if method is Method.JSAPI:
        appid, openid = _opened(call, house, form.get("payer", ""))
        payer = Payer(None, None, appid, openid, call.client_ip)
    way = Way(_channel(method), method, return_url=pay_codes.address(_site(call), house.pay_code))
    wishes = [Wish(Kind.BILL, due.bill["id"]) for due in wanted]

    async def work(tx: Tx) -> Placed:
        return await orders.place(tx, payer, res=call.res, actor=call.principal.actor, wishes=wishes, way=way)

    placed = await closing.make_room(call.res, call.principal.actor, place=lambda: call.res.db.transact(work))
    opening = await prepay.opening(call.res, placed.order_id)
    if opening.request_payment is not None:
        return scan_views.wechat_pay(
            opening.request_payment, appid=payer.appid, amount_fen=placed.amount_fen, back=_path(call)
        )
    return scan_views.leave(opening.open_url or "", method, amount_fen=placed.amount_fen, back=_path(call))


async def _house(call: Asked) -> tuple[House, Community]:
    pay_code = call.path["pay_code"]
    if not PAY_CODE.fullmatch(pay_code):
        raise NotFound
    house = await houses.of_pay_code(call.res.db, pay_code)
    (place,) = await communities.by_ids(call.res.db, [house.community_id])
    return house, place


async def _official_account(call: Asked, place: Community) -> App | None:
    found = await apps.apps_of_company(
        call.res.db, call.res.keyring, company_id=place.company_id, kind=AppKind.OFFICIAL
    )
    return found[0] if found else None


def _to_wechat(call: Asked, app: App, house: House) -> Reply:
    """To WeChat and back; the cookie ties what comes back to this browser."""
    site = _site(call)
    departure = official.depart(
        call.res.settings, call.res.keyring, app, back=f"{pay_codes.address(site, house.pay_code)}/wechat",
        page=house.pay_code, now=call.res.clock.now(),
    )  # fmt: skip
    secure = "; Secure" if site.startswith("https:") else ""
    cookie = (
        f"{COOKIE}={departure.nonce}; Path=/p/; Max-Age={int(official.LIFETIME.total_seconds())}; HttpOnly; "
        f"SameSite=Lax{secure}"
    )
    return Reply(302, headers={"Location": departure.url, "Set-Cookie": cookie})


async def _bills(call: Asked, house: House, place: Community, *, appid: str = "", payer: str = "") -> Reply:
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


async def _offer(
    call: Asked, house: House, heading: str, due: Sequence[Due], item_id: UUID | None, appid: str
) -> Offer:
    items = [each.bill["item_id"] for each in due]
    offered = await ways.offered(call.res.db, house.community_id, item_ids=items, appid=appid)
    usable = METHODS_IN[browser_of(call.headers.get("user-agent", ""))]
    return Offer(
        heading=heading,
        item=str(item_id or ""),
        lines=[(bills.title(each.bill), bills.due_fen(each.bill)) for each in due],
        methods=[each.method for each in offered if each.method in usable],
    )


async def _dues(call: Asked, house: House) -> list[Due]:
    """What is open of the house and may be paid online, the longest due first, as much as one order takes."""
    found = await dues.of_house(call.res.db, [house.community_id], house_id=house.id)
    return [due for due in found if due.bill["payable_online"] and bills.due_fen(due.bill) > 0][:MAX_LINES]


def _site(call: Asked) -> str:
    """The address of this site by which the browser came; the public one where it names a host that is not ours."""
    host = call.headers.get("host", "")
    sites = call.res.settings.sites
    return next((site for site in sites if urlsplit(site).netloc == host), sites[0])


def _path(call: Asked) -> str:
    return f"/p/{quote(call.path['pay_code'], safe='')}"


def _cookie(call: Asked) -> str:
    try:
        found = SimpleCookie(call.headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _form(raw: bytes) -> dict[str, str]:
    try:
        return {name: values[0] for name, values in parse_qs(raw.decode("ascii"), max_num_fields=8).items()}
    except ValueError as error:
        raise BadRequest from error


def _method(text: str) -> Method:
    if text not in scan_views.BUTTONS:
        raise BadRequest
    return Method(text)


def _channel(method: Method) -> Channel:
    return next(channel for channel, methods in METHODS.items() if method in methods)


def _context(house: House) -> Context:
    return Context("scan_page", "payer", house.pay_code)


def _opened(call: Asked, house: House, sealed: str) -> tuple[str, str]:
    """App and openid that WeChat has told us for this page; StateRefused for anything else."""
    try:
        text = call.res.keyring.open(base64.urlsafe_b64decode(sealed), _context(house))
    except (SealError, binascii.Error, ValueError) as error:
        raise StateRefused from error
    until_s, appid, openid = text.split(" ")
    if call.res.clock.now().timestamp() > int(until_s):
        raise StateRefused
    return appid, openid


_ERRORS = (BadRequest, Conflict, NotFound, TooMany)

ROUTES: tuple[Route, ...] = (
    Route("GET", "/p/{pay_code}", _page(LOOK, look), PUBLIC, "缴费码页面", errors=_ERRORS, raw=True),
    Route("GET", "/p/{pay_code}/wechat", _page(LOOK, back_from_wechat), PUBLIC, "微信网页授权返回", query=WechatReturn,
          errors=_ERRORS, raw=True),
    Route("POST", "/p/{pay_code}/orders", _page(PAY, pay), PUBLIC, "缴费码页面下单", errors=_ERRORS, raw=True),
)  # fmt: skip
