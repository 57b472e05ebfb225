"""What the pages behind a paper code look like: small, plain, nothing from elsewhere, everything escaped.

The policy names the one style and the one script by their hashes; a form leads to this site alone.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

import orjson

from backend.kernel.http import Reply
from backend.kernel.money import yuan_text
from payments.channels.base import Method
from payments.channels.wechat_signing import RequestPayment

_HERE = Path(__file__).parent
PAGE_TEXT = (_HERE / "scan_page.html").read_text(encoding="utf-8")
PAGE = Template(PAGE_TEXT)
SCRIPT = (_HERE / "scan_pay.js").read_text(encoding="utf-8")

BUTTONS: Mapping[Method, tuple[str, str]] = {
    Method.JSAPI: ("微信支付", ""),
    Method.H5: ("微信支付", ""),
    Method.WAP: ("支付宝支付", "alipay"),
}


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_STYLE = re.search(r"<style>(.*?)</style>", PAGE_TEXT, re.S)
POLICY = (
    f"default-src 'none'; style-src {_hash(_STYLE[1] if _STYLE else '')}; script-src {_hash(SCRIPT)}; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Words:
    """What the pages behind one kind of paper code say. `paid`: once WeChat's cashier is done."""

    title: str
    back: str
    paid: str
    trouble: str
    unknown_code: str
    being_paid: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be paid at once: a heading, the lines (title, fen), and in which ways. `item`: empty for all of it."""

    heading: str
    item: str
    lines: Sequence[tuple[str, int]]
    methods: Sequence[Method]

    @property
    def total_fen(self) -> int:
        """The sum of the lines."""
        return sum(due_fen for _, due_fen in self.lines)


def reply(title: str, body: str, *, status: int = 200, refresh: str = "", script: str = "") -> Reply:
    """A page of these parts, which are HTML but for the title."""
    page = PAGE.substitute(title=escape(title), body=body, refresh=refresh, script=script)
    headers = {
        "Content-Security-Policy": POLICY,
        # WeChat Pay's H5 page looks at where the payer comes from (wechat-pay-v3.md 7.4).
        "Referrer-Policy": "origin",
    }
    return Reply(status, page.encode(), "text/html; charset=utf-8", headers)


def bills(place: str, offers: Sequence[Offer], *, action: str, payer: str, note: str) -> Reply:
    """What is due of a house, with a button for each way of paying it."""
    parts = [f"<h1>{escape(place)}</h1>"]
    if note:
        parts.append(f'<section role="status"><p>{escape(note)}</p></section>')
    parts += [_offer(offer, action, payer) for offer in offers]
    if not offers:
        parts.append("<section><p>现在没有待缴的账单。</p></section>")
    parts.append('<p class="note">代缴无需登录。付款后请稍等片刻再查看，不要重复支付。</p>')
    return reply("缴费", "\n".join(parts))


def _offer(offer: Offer, action: str, payer: str) -> str:
    lines = "".join(
        f"<li><span>{escape(title)}</span><span>{yuan_text(due_fen)} 元</span></li>" for title, due_fen in offer.lines
    )
    fields = hidden({"item": offer.item, "total_fen": str(offer.total_fen), "payer": payer})
    ways = buttons(offer.methods, offer.total_fen)
    return (
        f'<section><h2>{escape(offer.heading)}</h2><p class="sum">{yuan_text(offer.total_fen)} 元</p><ul>{lines}</ul>'
        f'<form method="post" action="{escape(action)}">{fields}{ways}</form></section>'
    )


def hidden(fields: Mapping[str, str]) -> str:
    """What a form sends back unseen."""
    return "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in fields.items()
    )  # fmt: skip


def buttons(methods: Sequence[Method], amount_fen: int) -> str:
    """A button for each way of paying; where there is none, where to go instead."""
    if not methods:
        return '<p class="note">请用手机浏览器、微信或支付宝扫码打开本页，或到物业服务中心缴费。</p>'
    return "".join(
        f'<button class="go {BUTTONS[method][1]}" name="method" value="{method}">{BUTTONS[method][0]} '
        f"{yuan_text(amount_fen)} 元</button>"
        for method in methods
    )


def wechat_pay(parameters: RequestPayment, words: Words, *, appid: str, amount_fen: int, back: str) -> Reply:
    """Opens WeChat's cashier; what it says is shown, and believed by nobody."""
    document = orjson.dumps({"appId": appid, **parameters}).decode().replace("<", "\\u003c")
    body = (
        f'<h1>微信支付 {yuan_text(amount_fen)} 元</h1><section role="status">'
        '<p id="waiting">正在打开微信支付……</p>'
        f'<p id="done" hidden>{words.paid}</p>'
        '<p id="cancelled" hidden>您取消了支付，没有扣款。</p>'
        '<p id="failed" hidden>支付没有完成，请再试一次。</p>'
        '<button class="go" id="again" hidden>再次支付</button></section>'
        f'<p><a href="{escape(back)}">{words.back}</a></p>'
    )
    data = f'<script type="application/json" id="parameters">{document}</script>'
    return reply("微信支付", body, script=f"{data}\n<script>{SCRIPT}</script>")


def leave(url: str, method: Method, words: Words, *, amount_fen: int, back: str) -> Reply:
    """Leads to the channel's own page."""
    name, look = BUTTONS[method]
    body = (
        f"<h1>{name} {yuan_text(amount_fen)} 元</h1><section><p>正在打开付款页面；没有自动打开时请点下面的按钮。</p>"
        f'<a class="go {look}" href="{escape(url)}">去付款</a></section>'
        f'<p class="note">付款后请<a href="{escape(back)}">{words.back}</a>查看，不要重复支付。</p>'
    )
    return reply(name, body, refresh=f'<meta http-equiv="refresh" content="0; url={escape(url)}">')


def problem(message: str, words: Words, *, status: int, back: str | None) -> Reply:
    """What went wrong, in words; no page says more than another about codes that lead nowhere."""
    link = f'<p><a href="{escape(back)}">{words.back}</a></p>' if back else ""
    body = f'<h1>{words.trouble}</h1><section role="alert"><p>{escape(message)}</p></section>{link}'
    return reply(words.title, body, status=status)
