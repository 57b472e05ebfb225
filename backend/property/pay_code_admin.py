"""Staff routes of paper codes: the code of a house, a new one, sheets for the printer (D6)."""

import asyncio
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from uuid import UUID

from pydantic import Field

from backend.kernel.db import Tx
from backend.kernel.errors import BadRequest, NotFound
from backend.kernel.http import Call, Page, Reply, Route, Strict, decode_cursor, encode_cursor, example
from backend.property import pay_codes
from backend.property.pay_codes import Card

MANAGE = "pay_code.manage"
SHEET = Template((Path(__file__).parent / "pay_code_sheet.html").read_text(encoding="utf-8"))
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_ID = "0198f2a0-0000-7000-8000-000000000001"


class PayCodeAnswer(Strict):
    """The code of a house and where it leads."""

    model_config = example(
        house_id=_ID, label="1栋1单元101", pay_code="7QK2M9XRPA", url="https://wy.example.com/p/7QK2M9XRPA"
    )

    house_id: UUID
    label: str
    pay_code: str
    url: str


class ReplaceBody(Strict):
    """Why the old code must no longer work."""

    model_config = example(reason="张贴的缴费码遗失")

    reason: str = Field(min_length=2, max_length=200)


class SheetQuery(Page):
    """Which houses; `cursor` is the header X-Next-Cursor of the sheet before."""

    building_id: UUID | None = None


async def show(call: Call[None, None]) -> PayCodeAnswer:
    """GET /admin/v1/houses/{house_id}/pay-code."""
    return _answer(call, await _card(call))


async def draw(call: Call[None, None]) -> Reply:
    """GET /admin/v1/houses/{house_id}/pay-code.svg."""
    found = await _card(call)
    drawn = await asyncio.to_thread(pay_codes.svg, _url(call, found))
    return Reply(body=drawn.encode(), content_type="image/svg+xml; charset=utf-8")


async def replace(call: Call[ReplaceBody, None]) -> PayCodeAnswer:
    """POST /admin/v1/houses/{house_id}/pay-code."""
    house_id = (await _card(call)).house_id

    async def work(tx: Tx) -> PayCodeAnswer:
        return _answer(
            call, await pay_codes.replace(tx, call.principal.actor, house_id=house_id, reason=call.body.reason)
        )

    return await call.once(work, PayCodeAnswer)


async def print_sheet(call: Call[None, SheetQuery]) -> Reply:
    """GET /admin/v1/communities/{community_id}/pay-code-sheet."""
    community_id, query = call.ids["community_id"], call.query
    call.principal.require_community(MANAGE, community_id)
    after = 0 if query.cursor is None else decode_cursor(query.cursor, (int,))[0]
    found = await pay_codes.cards(
        call.res.db, community_id, building_id=query.building_id, after=after, limit=query.limit
    )
    page = await asyncio.to_thread(_sheet, found, [_url(call, each) for each in found])
    more = {"X-Next-Cursor": encode_cursor(found[-1].no)} if len(found) == query.limit else {}
    return Reply(
        body=page.encode(), content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": POLICY, **more}
    )


async def _card(call: Call[Any, None]) -> Card:
    found = await pay_codes.card(call.res.db, call.ids["house_id"])
    call.principal.require_community(MANAGE, found.community_id)
    return found


def _url(call: Call[Any, Any], found: Card) -> str:
    return pay_codes.address(call.res.settings.public_url, found.pay_code)


def _answer(call: Call[Any, Any], found: Card) -> PayCodeAnswer:
    return PayCodeAnswer(house_id=found.house_id, label=found.label, pay_code=found.pay_code, url=_url(call, found))


def _sheet(found: Sequence[Card], urls: Sequence[str]) -> str:
    cards = "\n".join(
        f"<li><h2>{escape(each.community)}</h2><p>{escape(each.label)}</p>{pay_codes.svg(url)}"
        f'<p class="code">{escape(each.pay_code)}</p><p class="how">微信、支付宝扫一扫，缴物业费</p></li>'
        for each, url in zip(found, urls, strict=True)
    )
    return SHEET.substitute(cards=cards)


_CODE = "/admin/v1/houses/{house_id}/pay-code"

ROUTES: tuple[Route, ...] = (
    Route("GET", _CODE, show, MANAGE, "房屋的缴费码", answer=PayCodeAnswer, errors=(NotFound,)),
    Route("POST", _CODE, replace, MANAGE, "更换房屋的缴费码，原码立即失效", body=ReplaceBody, answer=PayCodeAnswer,
          creates=True, errors=(NotFound,)),
    Route("GET", f"{_CODE}.svg", draw, MANAGE, "缴费码图片（SVG）", errors=(NotFound,)),
    Route("GET", "/admin/v1/communities/{community_id}/pay-code-sheet", print_sheet, MANAGE, "缴费码打印页（A4）",
          query=SheetQuery, errors=(BadRequest, NotFound)),
)  # fmt: skip
