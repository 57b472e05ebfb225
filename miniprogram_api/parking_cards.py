"""Resident routes of cards (停车卡): what one has, what is sold, buying and renewing by any online way (R5).

Owner and family only: a tenant's vehicles need the owner's leave (D1), so that the owner buys for them.
"""

from datetime import date
from typing import Any
from uuid import UUID

from pydantic import Field

from backend.kernel.auth import RESIDENT
from backend.kernel.clock import local_date
from backend.kernel.db import Record, Tx
from backend.kernel.errors import (
    ChannelUnknown,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from backend.kernel.http import Call, Route, Strict, example
from backend.kernel.ratelimit import Rule
from backend.parking import lots, vehicles
from backend.parking.cards import products, sales
from backend.parking.cards.sales import Asked
from backend.parking.cards.schemas import ProductsAnswer, ProductView
from backend.parking.cards.states import Audience
from backend.parking.states import CardKind
from backend.property import rights
from backend.property.rights import Right
from miniprogram_api.paying import PaymentCreated, WayChoice, pay
from payments.payables import Kind, Wish

_ID = "01991b2a-7c00-7000-8000-000000000001"
_RENEWAL = {
    "product_id": _ID, "name": "租赁车位月卡", "months": 1, "amount_fen": 30_000, "starts_on": "2026-10-01",
    "ends_on": "2026-11-01",
}  # fmt: skip


class RenewalView(Strict):
    """One way to renew a card: what it costs for all of the card's spaces, and the days that it gives if paid today."""

    model_config = example(**_RENEWAL)
    product_id: UUID
    name: str
    months: int
    amount_fen: int
    starts_on: date
    ends_on: date


class CardView(Strict):
    """A card of one of my houses. `ends_on`: the first day without it; null: no end. `lapsed`: it covers nothing."""

    model_config = example(
        id=_ID, lot_id=_ID, lot_name="地下停车场", house_id=_ID, kind="monthly", spaces=1, plates=["粤B12345"],
        starts_on="2026-09-01", ends_on="2026-10-01", lapsed=False, renewals=[_RENEWAL],
    )  # fmt: skip
    id: UUID
    lot_id: UUID
    lot_name: str
    house_id: UUID
    kind: CardKind
    spaces: int
    plates: list[str]
    starts_on: date
    ends_on: date | None
    lapsed: bool
    renewals: list[RenewalView]


class CardList(Strict):
    model_config = example(items=[])
    items: list[CardView]


class RenewalPayment(WayChoice):
    """By which product a card is renewed, and how that is paid."""

    model_config = example(product_id=_ID, channel="wechat", method="jsapi", return_path="/")
    product_id: UUID


class CardPayment(WayChoice):
    """Which card, for which vehicles of a house, which share `spaces`; and how it is paid."""

    model_config = example(
        product_id=_ID, house_id=_ID, vehicle_ids=[_ID], spaces=1, channel="wechat", method="jsapi", return_path="/"
    )  # fmt: skip
    product_id: UUID
    house_id: UUID
    vehicle_ids: list[UUID] = Field(min_length=1, max_length=10)
    spaces: int = Field(1, ge=1, le=100)


async def list_cards(call: Call[None, None]) -> CardList:
    """GET /api/v1/parking-cards."""
    db, houses, today = call.res.db, call.principal.scope.full, local_date(call.res.clock.now())
    cards = await sales.of_houses(db, houses)
    sold = await products.of_lots(db, sorted({card["lot_id"] for card in cards}))
    plates = {
        row["id"]: vehicles.opened(call.res.keyring, "parking_vehicle", row) or ""
        for row in await vehicles.of_houses(db, houses, today=today)
    }
    return CardList(items=[_card_view(card, sold, plates, today) for card in cards])


def _card_view(card: Record, sold: list[Record], plates: dict[UUID, str], today: date) -> CardView:
    known = {name: card[name] for name in ("id", "lot_id", "lot_name", "house_id", "spaces", "starts_on", "ends_on")}
    return CardView(
        **known,
        kind=CardKind(card["kind"]),
        plates=sorted(plates[each] for each in card["vehicle_ids"] if each in plates),
        lapsed=card["ends_on"] is not None and card["ends_on"] <= today,
        renewals=[_renewal_view(card, product, today) for product in sold if _suits(card, product)],
    )


def _suits(card: Record, product: Record) -> bool:
    """Whether a card may be renewed by a product: of its own sort; of one that staff have issued its kind tells."""
    if product["lot_id"] != card["lot_id"] or card["kind"] not in sales.SOLD or card["ends_on"] is None:
        return False
    audience = card["audience"] or {CardKind.OWNED: Audience.OWNED}.get(CardKind(card["kind"]))
    return bool(product["audience"] == audience if audience else product["audience"] != Audience.OWNED)


def _renewal_view(card: Record, product: Record, today: date) -> RenewalView:
    starts_on, ends_on = sales.days(card, product["months"], today=today)
    return RenewalView(
        product_id=product["id"],
        name=product["name"],
        months=product["months"],
        amount_fen=product["price_fen"] * card["spaces"],
        starts_on=starts_on,
        ends_on=ends_on,
    )


async def list_products(call: Call[None, None]) -> ProductsAnswer:
    """GET /api/v1/parking-lots/{lot_id}/card-products."""
    lot = await lots.one(call.res.db, call.ids["lot_id"], communities=_communities(call))
    rows = await products.of_lot(call.res.db, lot["id"])
    return ProductsAnswer(items=[ProductView.of(row) for row in rows])


async def renew(call: Call[RenewalPayment, None]) -> PaymentCreated:
    """POST /api/v1/parking-cards/{card_id}/payments."""

    async def what(tx: Tx) -> list[Wish]:
        offer = await sales.renewal(
            tx, card_id=call.ids["card_id"], product_id=call.body.product_id, scope=call.principal.scope
        )
        return [Wish(Kind.PARKING_CARD, offer.card_id, offer.amount_fen)]

    return await pay(call, call.body, what)


async def buy(call: Call[CardPayment, None]) -> PaymentCreated:
    """POST /api/v1/parking-lots/{lot_id}/card-payments."""
    body = call.body
    tie = call.principal.tie(body.house_id)
    rights.require(tie, Right.VEHICLES)
    asked = Asked(body.product_id, body.house_id, tuple(body.vehicle_ids), body.spaces)

    async def what(tx: Tx) -> list[Wish]:
        offer = await sales.purchase(
            tx, lot_id=call.ids["lot_id"], asked=asked, communities=(tie.community_id,)
        )  # fmt: skip
        return [Wish(Kind.PARKING_CARD, offer.card_id, offer.amount_fen)]

    return await pay(call, body, what)


def _communities(call: Call[Any, Any]) -> list[UUID]:
    return sorted({tie.community_id for tie in call.principal.ties})


_PAY_ERRORS = (Unauthenticated, Forbidden, NotFound, Conflict, Invalid, TooMany, ChannelUnknown, Unavailable)

ROUTES = (
    Route(
        "GET", "/api/v1/parking-cards", list_cards, RESIDENT, "我家的停车卡和可选的续费", answer=CardList,
        errors=(Unauthenticated, Forbidden),
    ),
    Route(
        "GET", "/api/v1/parking-lots/{lot_id}/card-products", list_products, RESIDENT, "停车场发售的停车卡",
        answer=ProductsAnswer, errors=(Unauthenticated, Forbidden, NotFound),
    ),
    Route(
        "POST", "/api/v1/parking-cards/{card_id}/payments", renew, RESIDENT, "停车卡续费，返回与支付账单相同",
        body=RenewalPayment, answer=PaymentCreated, status=201, creates=True, errors=_PAY_ERRORS,
        rate=Rule("parking.card_pay", 30, 60),
    ),
    Route(
        "POST", "/api/v1/parking-lots/{lot_id}/card-payments", buy, RESIDENT, "办理停车卡，返回与支付账单相同",
        body=CardPayment, answer=PaymentCreated, status=201, creates=True, errors=_PAY_ERRORS,
        rate=Rule("parking.card_pay", 30, 60),
    ),
)  # fmt: skip
