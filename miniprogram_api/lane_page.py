"""The pages behind a lane's code (车道码): to pay at the exit, to come in and go out without a plate (D8).

The page shows what the car owes that stands at this exit, or asks for a plate; whoever came in by scanning finds his
own car. Paid is a quote, as everywhere, by the ways of this browser. Without an official account, and outside of
WeChat, a driver is known by a cookie. No rules are made here.
"""

import re
from dataclasses import replace
from urllib.parse import quote
from uuid import UUID

from backend.kernel import cookies
from backend.kernel.auth import PUBLIC
from backend.kernel.db import Tx
from backend.kernel.errors import BadRequest, Conflict, Forbidden, Invalid, NotFound, TooMany
from backend.kernel.http import Reply, Route
from backend.kernel.ids import random_text
from backend.kernel.ratelimit import Rule
from backend.parking import plates, reads, vehicles
from backend.parking.lanes import lane_codes, plateless, standing
from backend.parking.lanes.lane_codes import Lane
from backend.parking.lanes.plateless import Entered
from backend.parking.prices import quotes
from backend.parking.prices.quotes import Asked
from backend.parking.states import Way
from backend.property import communities
from backend.wechat.official import StateRefused
from miniprogram_api import lane_views, scanning
from miniprogram_api.lane_views import WORDS, Car, Owing, Place
from miniprogram_api.scanning import METHODS_IN, Browser, Handler, Scan, WechatReturn
from payments import ways
from payments.payables import Kind, Wish

LOOK = Rule("lane.look", 60, 60, strict=True)
FIND = Rule("lane.find", 12, 60, strict=True)
PAY = Rule("lane.pay", 12, 60, strict=True)
PASS = Rule("lane.pass", 12, 60, strict=True)
SCAN_CODE = re.compile(r"[0-9a-f]{32}")
DRIVER_COOKIE, DRIVER = "linli_driver", re.compile(r"[0-9A-Za-z]{32}")
DRIVER_LENGTH, DRIVER_S = 32, 90 * 86_400


async def look(call: Scan) -> Reply:
    """GET /p/lanes/{lane_code}."""
    lane = await _lane(call)
    if scanning.browser(call) is Browser.WECHAT:
        app = await scanning.official_account(call, await _company(call, lane))
        if app is not None:
            return scanning.to_wechat(call, app, back=f"{_url(call, lane)}/wechat", code=lane.scan_code)
    return await _page_of(call, lane)


async def back_from_wechat(call: Scan) -> Reply:
    """GET /p/lanes/{lane_code}/wechat: WeChat says who it is, to the browser that we have sent there."""
    lane = await _lane(call)
    app = await scanning.official_account(call, await _company(call, lane))
    if app is None:
        raise NotFound
    openid = await scanning.openid(call, app, code=lane.scan_code)
    payer = scanning.sealed_payer(call, code=lane.scan_code, appid=app.appid, openid=openid)
    return await _page_of(call, lane, payer=payer)


async def find(call: Scan) -> Reply:
    """POST /p/lanes/{lane_code}/plate: what the car with the typed plate owes."""
    lane, form = await _lane(call, Way.OUT), scanning.form_of(call.raw)
    place, plate = _place(call, lane, form.get("payer", "")), form.get("plate", "")
    key = quotes.signing_key(call.res.settings)

    async def work(tx: Tx) -> tuple[Asked, str | None]:
        asked = await quotes.for_plate(
            tx, call.principal.actor, key=key, keyring=call.res.keyring, lot_id=lane.lot_id, text=plate
        )
        return asked, await _plate(call, tx, lane, asked.session_id)

    try:
        asked, masked = await call.res.db.transact(work)
    except NotFound as error:
        raise Conflict(error.message, code="not_inside") from error
    return lane_views.at_exit(place, await _car(call, lane, place, asked, plate=masked, own=False))


async def pay(call: Scan) -> Reply:
    """POST /p/lanes/{lane_code}/orders: the quote that the page showed, in the way of the button."""
    lane, form = await _lane(call, Way.OUT), scanning.form_of(call.raw)
    quote_id, key = _quote_id(form.get("quote_id", "")), quotes.signing_key(call.res.settings)
    driver = _driver(call, lane, form.get("payer", ""))

    async def what(tx: Tx) -> list[Wish]:
        try:
            shown = await quotes.one(tx, quote_id, key=key)
        except NotFound as error:
            raise BadRequest from error
        if shown["lot_id"] != lane.lot_id:
            raise BadRequest
        session_id = await quotes.require_payable(tx, quote_id, key=key)
        mine = None if driver is None else await plateless.own(tx, lane, driver=driver)
        if mine is not None and mine["id"] == session_id:
            await plateless.wait_at_exit(tx, lane, session_id=session_id)
        return [Wish(Kind.PARKING, session_id, shown["amount_fen"])]

    return await scanning.pay(call, what, form=form, code=lane.scan_code, url=_url(call, lane), words=WORDS)


async def enter(call: Scan) -> Reply:
    """POST /p/lanes/{lane_code}/enter: a car without a plate comes in."""
    lane, form = await _lane(call, Way.IN), scanning.form_of(call.raw)
    payer = form.get("payer", "")
    driver = _driver(call, lane, payer)
    if driver is None:
        raise StateRefused

    async def work(tx: Tx) -> Entered:
        return await plateless.enter(tx, call.principal.actor, lane, keyring=call.res.keyring, driver=driver)

    begun = await call.res.db.transact(work)
    return lane_views.entered(_place(call, lane, payer), entered_at=begun.entered_at)


async def leave(call: Scan) -> Reply:
    """POST /p/lanes/{lane_code}/leave: a car without a plate that owes nothing goes out."""
    lane, form = await _lane(call, Way.OUT), scanning.form_of(call.raw)
    payer = form.get("payer", "")
    driver = _driver(call, lane, payer)
    if driver is None:
        raise StateRefused
    await call.res.db.transact(lambda tx: plateless.leave(tx, call.principal.actor, lane, driver=driver))
    return lane_views.left(_place(call, lane, payer))


async def _page_of(call: Scan, lane: Lane, *, payer: str = "") -> Reply:
    place, driver = _place(call, lane, payer), _driver(call, lane, payer)
    if lane.direction is Way.OUT:
        return lane_views.at_exit(place, await _standing(call, lane, place, driver))
    mine = None if driver is None else await plateless.own(call.res.db, lane, driver=driver)
    page = lane_views.at_entry(place, entered_at=None if mine is None else mine["entered_at"])
    if driver is not None:
        return page
    secret = random_text(DRIVER_LENGTH)
    told = cookies.setting(
        call.res.settings, call.headers, DRIVER_COOKIE, secret, path="/p/lanes/", max_age_s=DRIVER_S
    )  # fmt: skip
    return replace(page, headers={**page.headers, "Set-Cookie": told})


async def _standing(call: Scan, lane: Lane, place: Place, driver: bytes | None) -> Car | None:
    """The car that stands at this exit, else the driver's own."""
    key = quotes.signing_key(call.res.settings)

    async def work(tx: Tx) -> tuple[Asked, str | None, bool] | None:
        mine = None if driver is None else await plateless.own(tx, lane, driver=driver)
        session_id = await standing.stay_at_exit(tx, lane)
        if session_id is None and mine is not None:
            session_id = mine["id"]
        if session_id is None:
            return None
        asked = await quotes.ask(tx, call.principal.actor, key=key, session_id=session_id)
        own = mine is not None and mine["id"] == session_id
        return asked, await _plate(call, tx, lane, session_id), own

    try:
        found = await call.res.db.transact(work)
    except NotFound:
        # It has left since the page looked for it.
        return None
    if found is None:
        return None
    asked, plate, own = found
    return await _car(call, lane, place, asked, plate=plate, own=own)


async def _car(call: Scan, lane: Lane, place: Place, asked: Asked, *, plate: str | None, own: bool) -> Car:
    owing, now = None, call.res.clock.now()
    if asked.quote is not None:
        appid = scanning.opened_payer(call, place.payer, code=lane.scan_code)[0] if place.payer else ""
        offered = await ways.offered(call.res.db, lane.community_id, item_ids=[None], appid=appid)
        usable = METHODS_IN[scanning.browser(call)]
        owing = Owing(
            quote_id=asked.quote["id"],
            lines=[(line["label"], line["amount_fen"]) for line in asked.quote["lines"]],
            paid_before_fen=asked.quote["paid_before_fen"],
            amount_fen=asked.quote["amount_fen"],
            methods=[each.method for each in offered if each.method in usable],
            paused=await ways.paused(call.res.db, lane.community_id, item_ids=[None]),
        )
    paid = asked.due.paid_fen > 0 and asked.grace_until is not None and now <= asked.grace_until
    return Car(plate, own, asked.entered_at, owing, asked.grace_until if paid else None)


async def _plate(call: Scan, tx: Tx, lane: Lane, session_id: UUID) -> str | None:
    row = await reads.one(tx, session_id, communities=[lane.community_id])
    plate = vehicles.opened(call.res.keyring, "parking_session", row)
    return None if plate is None else plates.mask(plate)


async def _lane(call: Scan, way: Way | None = None) -> Lane:
    """The lane of the code; NotFound also where it is of another direction than `way`."""
    code = call.path["lane_code"]
    if not SCAN_CODE.fullmatch(code):
        raise NotFound
    lane = await lane_codes.of_code(call.res.db, code)
    if way not in (None, lane.direction):
        raise NotFound
    return lane


async def _company(call: Scan, lane: Lane) -> UUID:
    (place,) = await communities.by_ids(call.res.db, [lane.community_id])
    return place.company_id


def _driver(call: Scan, lane: Lane, payer: str) -> bytes | None:
    """By what the driver is known; StateRefused for what is not ours."""
    if payer:
        appid, openid = scanning.opened_payer(call, payer, code=lane.scan_code)
        return plateless.account(call.res.keyring, appid=appid, openid=openid)
    secret = cookies.read(call.headers, DRIVER_COOKIE)
    return plateless.browser(call.res.keyring, secret) if DRIVER.fullmatch(secret) else None


def _quote_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise BadRequest from error


def _place(call: Scan, lane: Lane, payer: str) -> Place:
    return Place(lane.lot_name, lane.name, _path(call), payer)


def _path(call: Scan) -> str:
    return f"/p/lanes/{quote(call.path['lane_code'], safe='')}"


def _url(call: Scan, lane: Lane) -> str:
    return lane_codes.address(cookies.site(call.res.settings, call.headers), lane.scan_code)


def _page(rule: Rule, handler: Handler) -> Handler:
    return scanning.page(rule, handler, words=WORDS, back=_path)


_LANE = "/p/lanes/{lane_code}"
_ERRORS = (BadRequest, Conflict, Forbidden, Invalid, NotFound, TooMany)

ROUTES: tuple[Route, ...] = (
    Route("GET", _LANE, _page(LOOK, look), PUBLIC, "车道码页面", errors=_ERRORS, raw=True),
    Route("GET", f"{_LANE}/wechat", _page(LOOK, back_from_wechat), PUBLIC, "车道码页面的微信网页授权返回",
          query=WechatReturn, errors=_ERRORS, raw=True),
    Route("POST", f"{_LANE}/plate", _page(FIND, find), PUBLIC, "车道码页面按车牌查询停车费", errors=_ERRORS, raw=True),
    Route("POST", f"{_LANE}/orders", _page(PAY, pay), PUBLIC, "车道码页面下单", errors=_ERRORS, raw=True),
    Route("POST", f"{_LANE}/enter", _page(PASS, enter), PUBLIC, "无牌车扫码进场", errors=_ERRORS, raw=True),
    Route("POST", f"{_LANE}/leave", _page(PASS, leave), PUBLIC, "无牌车扫码出场", errors=_ERRORS, raw=True),
)  # fmt: skip
