"""A browser that has scanned a paper code (D6, D8): in which app it is, who it is, by which way it pays.

Inside WeChat it logs in silently by the company's official account; what WeChat says is sealed for this very code and
good for half an hour. What fails is a page as well, and an unknown code tells no more than a replaced one.
"""

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from backend.kernel import cookies
from backend.kernel.crypto import Context, SealError
from backend.kernel.db import Tx
from backend.kernel.errors import AppError, BadRequest, NotFound
from backend.kernel.http import Call, Reply
from backend.kernel.ratelimit import Rule
from backend.wechat import api, apps, official
from backend.wechat.apps import App, AppKind
from backend.wechat.official import StateRefused
from miniprogram_api import scan_views
from miniprogram_api.scan_views import Words
from payments import closing, orders, prepay
from payments.channels.base import METHODS, Channel, Method
from payments.orders import BeingPaid, Payer, Placed, Way
from payments.payables import Wish

COOKIE = "linli_scan"
PAYER_LIFETIME = timedelta(minutes=30)


class Browser(StrEnum):
    """Where the page is open."""

    WECHAT = "wechat"
    ALIPAY = "alipay"
    OTHER = "other"


METHODS_IN: Mapping[Browser, Sequence[Method]] = {
    Browser.WECHAT: (Method.JSAPI,),
    Browser.ALIPAY: (Method.WAP,),
    Browser.OTHER: (Method.H5, Method.WAP),
}


class WechatReturn(BaseModel):
    """What WeChat adds to the address; other parameters are of no interest."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    code: str = Field("", max_length=512)
    state: str = Field("", max_length=128)


Scan = Call[None, WechatReturn | None]
Handler = Callable[[Scan], Awaitable[Reply]]


def page(rule: Rule, handler: Handler, *, words: Words, back: Callable[[Scan], str]) -> Handler:
    """A handler whose failures are pages as well, and which is asked by one address only so often."""

    async def handle(call: Scan) -> Reply:
        try:
            await call.res.limiter.check(rule, call.client_ip)
            return await handler(call)
        except NotFound:
            return scan_views.problem(words.unknown_code, words, status=404, back=None)
        except BeingPaid as busy:
            # Who pays at this moment is nobody's business here.
            return scan_views.problem(words.being_paid, words, status=busy.status, back=back(call))
        except AppError as error:
            return scan_views.problem(error.message, words, status=error.status, back=back(call))

    return handle


def browser_of(user_agent: str) -> Browser:
    """Which app's browser this is, by what it says of itself."""
    if "MicroMessenger" in user_agent:
        return Browser.WECHAT
    return Browser.ALIPAY if "AlipayClient" in user_agent else Browser.OTHER


def browser(call: Scan) -> Browser:
    """Which app's browser asks."""
    return browser_of(call.headers.get("user-agent", ""))


async def official_account(call: Scan, company_id: UUID) -> App | None:
    """The official account by which the company's pages log in; None where it has none."""
    found = await apps.apps_of_company(call.res.db, call.res.keyring, company_id=company_id, kind=AppKind.OFFICIAL)
    return found[0] if found else None


def to_wechat(call: Scan, app: App, *, back: str, code: str) -> Reply:
    """To WeChat and back to the address `back`; the cookie ties what comes back to this browser."""
    departure = official.depart(
        call.res.settings, call.res.keyring, app, back=back, page=code, now=call.res.clock.now()
    )  # fmt: skip
    kept = cookies.setting(
        call.res.settings, call.headers, COOKIE, departure.nonce, path="/p/",
        max_age_s=int(official.LIFETIME.total_seconds()),
    )  # fmt: skip
    return Reply(302, headers={"Location": departure.url, "Set-Cookie": kept})


async def openid(call: Scan, app: App, *, code: str) -> str:
    """Who WeChat says the browser is that we have sent there for this code; StateRefused, and what WeChat refuses."""
    given = came_back(call, code=code)
    return (await official.visitor_of(api.of(call.res), app, code=given.code)).openid


def came_back(call: Scan, *, code: str) -> WechatReturn:
    """What WeChat has added, where it sent back the browser that we had sent there for this code; StateRefused."""
    if call.query is None:
        raise NotFound
    nonce = cookies.read(call.headers, COOKIE)
    official.check_state(call.res.keyring, call.query.state, nonce=nonce, page=code, now=call.res.clock.now())
    return call.query


def sealed_payer(call: Scan, *, code: str, appid: str, openid: str) -> str:
    """App and openid for the page's forms to carry, which cannot read them."""
    until_s = int((call.res.clock.now() + PAYER_LIFETIME).timestamp())
    return base64.urlsafe_b64encode(call.res.keyring.seal(f"{until_s} {appid} {openid}", _context(code))).decode()


def opened_payer(call: Scan, sealed: str, *, code: str) -> tuple[str, str]:
    """App and openid that WeChat has told us for this code; StateRefused for anything else."""
    try:
        text = call.res.keyring.open(base64.urlsafe_b64decode(sealed), _context(code))
    except (SealError, binascii.Error, ValueError) as error:
        raise StateRefused from error
    until_s, appid, openid = text.split(" ")
    if call.res.clock.now().timestamp() > int(until_s):
        raise StateRefused
    return appid, openid


async def pay(
    call: Scan,
    what: Callable[[Tx], Awaitable[Sequence[Wish]]],
    *,
    form: Mapping[str, str],
    code: str,
    url: str,
    words: Words,
) -> Reply:
    """Place the order for `what` the transaction finds, in the way of the form's button, and lead to its cashier.

    `url`: the address of the page, to which a browser comes back.
    """
    method = _method(form.get("method", ""))
    payer = Payer(None, None, ip=call.client_ip)
    if method is Method.JSAPI:
        payer = Payer(None, None, *opened_payer(call, form.get("payer", ""), code=code), call.client_ip)
    way = Way(_channel(method), method, return_url=url)

    async def work(tx: Tx) -> Placed:
        return await orders.place(
            tx, payer, res=call.res, actor=call.principal.actor, wishes=await what(tx), way=way
        )  # fmt: skip

    placed = await closing.make_room(call.res, call.principal.actor, place=lambda: call.res.db.transact(work))
    opening = await prepay.opening(call.res, placed.order_id)
    back = urlsplit(url).path
    if opening.request_payment is not None:
        return scan_views.wechat_pay(
            opening.request_payment, words, appid=payer.appid, amount_fen=placed.amount_fen, back=back
        )
    return scan_views.leave(opening.open_url or "", method, words, amount_fen=placed.amount_fen, back=back)


def form_of(raw: bytes) -> dict[str, str]:
    """The fields of a form; BadRequest."""
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


def _context(code: str) -> Context:
    return Context("scan_page", "payer", code)
