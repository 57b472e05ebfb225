"""The JS-SDK of pages that are open in WeChat (wechat-official-account.md section 5).

The ticket is one for all processes, kept like the access token, since fetching it has a quota of its own (pitfalls
D10). What is signed is the page's address as the browser has it, up to `#`, and an address of ours alone.
"""

import hashlib
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from backend.kernel.config import Settings
from backend.kernel.egress import Egress, EgressError
from backend.kernel.errors import Invalid
from backend.kernel.ids import random_text
from backend.kernel.resources import Resources
from backend.wechat import api
from backend.wechat.apps import App
from backend.wechat.errors import WechatSilent
from backend.wechat.sites import is_ours
from backend.wechat.tokens import Given, Shared

NONCE_LENGTH = 16


class ForeignPage(Invalid):
    """An address that is not of this site."""

    code = "foreign_page"
    message = "只能为本站的页面签名。"


@dataclass(frozen=True, slots=True)
class Signed:
    """What `wx.config` is given; it spells the nonce `nonceStr`."""

    appid: str
    nonce_str: str
    timestamp: int
    signature: str


_BY_EGRESS: WeakKeyDictionary[Egress, Shared] = WeakKeyDictionary()


def _tickets(res: Resources) -> Shared:
    """The tickets of all accounts, as this process knows them."""

    wechat = api.of(res)

    async def fetch(app: App) -> Given:
        return Given.of(await wechat.ask(app, "/cgi-bin/ticket/getticket", {"type": "jsapi"}), "ticket")

    found = _BY_EGRESS.get(res.egress)
    if found is None:
        found = _BY_EGRESS[res.egress] = Shared(res.redis, res.clock, "js-ticket", fetch)
    return found


async def sign(res: Resources, app: App, *, url: str) -> Signed:
    """What lets the page at `url` use the JS-SDK of the official account `app`; ForeignPage, Unavailable."""
    page = own_page(res.settings, url)
    try:
        ticket = await _tickets(res).current(app)
    except EgressError as error:
        raise WechatSilent(str(error)) from error
    nonce, timestamp = random_text(NONCE_LENGTH), int(res.clock.now().timestamp())
    return Signed(app.appid, nonce, timestamp, signature(ticket, nonce, timestamp, page))


def own_page(settings: Settings, url: str) -> str:
    """The address up to `#`, where it is of this site; ForeignPage."""
    page = url.partition("#")[0]
    if not is_ours(page.partition("?")[0], settings.sites):
        raise ForeignPage
    return page


def signature(ticket: str, nonce_str: str, timestamp: int, url: str) -> str:
    """Lower-case hex SHA-1 over these four, in this order and with raw values."""
    text = f"jsapi_ticket={ticket}&noncestr={nonce_str}&timestamp={timestamp}&url={url}"
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
