"""Resident routes of parking coupons (停车优惠券): a shop gives them, a driver enters the code of one (D8)."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from backend.kernel.auth import RESIDENT
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Unauthenticated
from backend.kernel.http import Call, Nothing, Route, Strict, example
from backend.kernel.ratelimit import Rule
from backend.parking.prices import quotes
from backend.parking.shops import coupons as shop_coupons
from backend.parking.shops import shops
from backend.parking.shops.admin import ShopsAnswer
from backend.parking.views import AskedAnswer

_ID = "01991b2a-7c00-7000-8000-000000000001"


class GiveBody(Strict):
    """The car that stands in the shop's lot."""

    model_config = example(plate="粤B12345")
    plate: str = Field(min_length=1, max_length=32)


class CodeAnswer(Strict):
    """A code for one driver and one stay, shown as a QR code; shown once."""

    model_config = example(code="7K3M9QWERT2X", expires_at="2026-09-01T04:00:00Z")
    code: str
    expires_at: datetime


class EnterBody(Strict):
    model_config = example(lot_id=_ID, plate="粤B12345", code="7K3M9QWERT2X")
    lot_id: UUID
    plate: str = Field(min_length=1, max_length=32)
    code: str = Field(min_length=1, max_length=32)


class EnteredAnswer(Strict):
    """What the car would pay now; `asked` null: it stood at the exit, owes nothing any more and is let out."""

    model_config = example(asked=None)
    asked: AskedAnswer | None


async def list_shops(call: Call[None, None]) -> ShopsAnswer:
    """GET /api/v1/parking-shops."""
    return ShopsAnswer.of(await shops.of_houses(call.res.db, call.principal.scope, now=call.res.clock.now()))


async def make_code(call: Call[None, None]) -> CodeAnswer:
    """POST /api/v1/parking-coupon-offers/{offer_id}/codes."""
    made = await call.res.db.transact(
        lambda tx: shop_coupons.make_code(
            tx, call.principal.actor, keyring=call.res.keyring, scope=call.principal.scope,
            offer_id=call.ids["offer_id"],
        )
    )  # fmt: skip
    return CodeAnswer(code=made.code, expires_at=made.expires_at)


async def give(call: Call[GiveBody, None]) -> Nothing:
    """POST /api/v1/parking-coupon-offers/{offer_id}/coupons."""

    async def work(tx: Tx) -> Nothing:
        await shop_coupons.give(
            tx, call.principal.actor, keyring=call.res.keyring, key=quotes.signing_key(call.res.settings),
            scope=call.principal.scope, offer_id=call.ids["offer_id"], plate=call.body.plate,
        )  # fmt: skip
        return Nothing()

    return await call.once(work, Nothing)


async def enter(call: Call[EnterBody, None]) -> EnteredAnswer:
    """POST /api/v1/parking-coupons: entered again, it is the same."""

    async def work(tx: Tx) -> EnteredAnswer:
        asked = await shop_coupons.enter(
            tx, call.principal.actor, keyring=call.res.keyring, key=quotes.signing_key(call.res.settings),
            lot_id=call.body.lot_id, plate=call.body.plate, code=call.body.code,
        )  # fmt: skip
        return EnteredAnswer(asked=None if asked is None else AskedAnswer.of(asked))

    return await call.transact(work)


_OFFER = "/api/v1/parking-coupon-offers/{offer_id}"

ROUTES = (
    Route(
        "GET", "/api/v1/parking-shops", list_shops, RESIDENT, "我家商铺可以发放的停车优惠券", answer=ShopsAnswer,
        errors=(Unauthenticated, Forbidden),
    ),
    Route(
        "POST", f"{_OFFER}/codes", make_code, RESIDENT, "商铺生成一张优惠券的一次性优惠码", answer=CodeAnswer,
        status=201, errors=(Unauthenticated, Forbidden, NotFound, Conflict, TooMany),
        rate=Rule("parking.coupon_code", 60, 3600),
    ),
    Route(
        "POST", f"{_OFFER}/coupons", give, RESIDENT, "商铺按车牌发放优惠券", body=GiveBody, answer=Nothing,
        creates=True, errors=(Unauthenticated, Forbidden, NotFound, Conflict, Invalid, TooMany),
        rate=Rule("parking.coupon_give", 60, 3600),
    ),
    Route(
        "POST", "/api/v1/parking-coupons", enter, RESIDENT, "为车辆输入优惠码，返回现在的停车费", body=EnterBody,
        answer=EnteredAnswer, errors=(Unauthenticated, Forbidden, NotFound, Conflict, Invalid, TooMany),
        rate=Rule("parking.coupon_enter", 20, 600, strict=True),
    ),
)  # fmt: skip
