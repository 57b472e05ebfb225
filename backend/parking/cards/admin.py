"""Staff routes of cards that are sold: what a lot sells, and what waits to be paid at the counter (R5, S5)."""

from backend.kernel.clock import local_date
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.http import Call, Nothing, Route
from backend.parking import lots, plates, vehicles
from backend.parking.cards import products, sales
from backend.parking.cards.sales import Asked
from backend.parking.cards.schemas import (
    HouseCards,
    HouseCardsQuery,
    HouseCardView,
    NewCardBody,
    OfferAnswer,
    ProductBody,
    RenewalBody,
    StaffProduct,
    StaffProducts,
)
from backend.parking.schemas import ProposedAnswer, ReasonBody
from backend.parking.states import CardKind

READ, EDIT, PRICE, OFFER = "parking.read", "parking.edit", "parking.tariff_propose", "parking.card_offer"


async def list_products(call: Call[None, None]) -> StaffProducts:
    """GET /admin/v1/parking-lots/{lot_id}/card-products."""
    lot = await lots.one(call.res.db, call.ids["lot_id"], communities=call.principal.communities(READ))
    rows = await products.of_lot(call.res.db, lot["id"], with_withdrawn=True)
    return StaffProducts(items=[StaffProduct.told(row) for row in rows])


async def propose_product(call: Call[ProductBody, None]) -> ProposedAnswer:
    """POST /admin/v1/parking-lots/{lot_id}/card-products."""

    async def work(tx: Tx) -> ProposedAnswer:
        return ProposedAnswer.of(
            await products.propose(
                tx, call.principal.actor, lot_id=call.ids["lot_id"], communities=call.principal.communities(PRICE),
                terms=call.body.terms, reason=call.body.reason,
            )
        )  # fmt: skip

    return await call.once(work, ProposedAnswer)


async def withdraw_product(call: Call[ReasonBody, None]) -> Nothing:
    """POST /admin/v1/parking-card-products/{product_id}/withdraw."""

    async def work(tx: Tx) -> Nothing:
        await products.withdraw(
            tx, call.principal.actor, product_id=call.ids["product_id"], communities=call.principal.communities(EDIT),
            reason=call.body.reason,
        )  # fmt: skip
        return Nothing()

    return await call.transact(work)


async def list_cards_of_house(call: Call[None, HouseCardsQuery]) -> HouseCards:
    """GET /admin/v1/parking-cards."""
    db, houses, today = call.res.db, [call.query.house_id], local_date(call.res.clock.now())
    allowed = call.principal.communities(OFFER)
    masked = {
        row["id"]: plates.mask(vehicles.opened(call.res.keyring, "parking_vehicle", row) or "")
        for row in await vehicles.of_houses(db, houses, today=today)
    }
    rows = [row for row in await sales.of_houses(db, houses) if row["community_id"] in allowed]
    names = [name for name in HouseCardView.model_fields if name not in ("kind", "plates_masked")]
    return HouseCards(
        items=[
            HouseCardView(
                **{name: row[name] for name in names},
                kind=CardKind(row["kind"]),
                plates_masked=sorted(masked[each] for each in row["vehicle_ids"] if each in masked),
            )
            for row in rows
        ]
    )


async def offer_renewal(call: Call[RenewalBody, None]) -> OfferAnswer:
    """POST /admin/v1/parking-cards/{card_id}/offers."""

    async def work(tx: Tx) -> OfferAnswer:
        return OfferAnswer.of(
            await sales.renewal(
                tx, card_id=call.ids["card_id"], product_id=call.body.product_id, scope=None,
                communities=call.principal.communities(OFFER),
            )
        )  # fmt: skip

    return await call.transact(work)


async def offer_card(call: Call[NewCardBody, None]) -> OfferAnswer:
    """POST /admin/v1/parking-lots/{lot_id}/card-offers."""
    body, communities = call.body, call.principal.communities(OFFER)

    async def work(tx: Tx) -> OfferAnswer:
        lot = await lots.one(tx, call.ids["lot_id"], communities=communities)
        texts = sorted({vehicles.required(text) for text in body.plates})
        found = [
            await vehicles.ensure(
                tx, keyring=call.res.keyring, community_id=lot["community_id"], house_id=body.house_id, text=text
            )
            for text in texts
        ]
        asked = Asked(body.product_id, body.house_id, tuple(each.id for each in found), body.spaces)
        return OfferAnswer.of(await sales.purchase(tx, lot_id=lot["id"], asked=asked, communities=communities))

    return await call.transact(work)


_PRODUCTS = "/admin/v1/parking-lots/{lot_id}/card-products"
_WRITE_ERRORS = (NotFound, Conflict, Invalid)

ROUTES = (
    Route("GET", _PRODUCTS, list_products, READ, "停车卡产品", answer=StaffProducts, errors=(NotFound,)),
    Route(
        "POST", _PRODUCTS, propose_product, PRICE, "申请发售停车卡产品，由另一人审批", body=ProductBody,
        answer=ProposedAnswer, status=202, creates=True, errors=_WRITE_ERRORS,
    ),
    Route(
        "POST", "/admin/v1/parking-card-products/{product_id}/withdraw", withdraw_product, EDIT, "停售停车卡产品",
        body=ReasonBody, answer=Nothing, errors=(NotFound, Conflict),
    ),
    Route(
        "GET", "/admin/v1/parking-cards", list_cards_of_house, OFFER, "一套房屋的停车卡", query=HouseCardsQuery,
        answer=HouseCards,
    ),
    Route(
        "POST", "/admin/v1/parking-cards/{card_id}/offers", offer_renewal, OFFER,
        "停车卡续费报价，半小时内在收费窗口收款", body=RenewalBody, answer=OfferAnswer, errors=_WRITE_ERRORS,
    ),
    Route(
        "POST", "/admin/v1/parking-lots/{lot_id}/card-offers", offer_card, OFFER,
        "新办停车卡报价，半小时内在收费窗口收款", body=NewCardBody, answer=OfferAnswer, errors=_WRITE_ERRORS,
    ),
)  # fmt: skip
