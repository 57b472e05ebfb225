"""The staff route that tries prices on past stays (试算), for those who may propose them."""

from typing import Any

from pydantic import Field

from backend.kernel.days import Instant
from backend.kernel.errors import Invalid, NotFound
from backend.kernel.http import Call, Route, Strict, example
from backend.kernel.ratelimit import Rule
from backend.parking import lots
from backend.parking.prices import what_if
from backend.parking.prices.classes import PriceClass

PRICE = "parking.tariff_propose"


class WhatIfBody(Strict):
    """Prices that nobody has proposed yet, and the period in which the stays ended; at most a year."""

    model_config = example(document={}, starts_at="2026-08-01T00:00:00+08:00", ends_at="2026-09-01T00:00:00+08:00")
    document: dict[str, Any]
    starts_at: Instant
    ends_at: Instant
    vehicle_class: PriceClass | None = Field(None, description="stays of this class alone; null: all")


class WhatIfAnswer(Strict):
    """What stays cost by the prices of their time (`then_fen`) and by the tried ones (`now_fen`), before coupons.

    `complete` is false where the period holds more stays than are tried: the oldest are.
    """

    model_config = example(
        stays=5832, then_fen=4_120_500, now_fen=4_377_000, dearer=1204, cheaper=96, unchanged=4532, complete=True
    )
    stays: int
    then_fen: int
    now_fen: int
    dearer: int
    cheaper: int
    unchanged: int
    complete: bool


async def try_prices(call: Call[WhatIfBody, None]) -> WhatIfAnswer:
    """POST /admin/v1/parking-lots/{lot_id}/tariffs/what-if."""
    lot = await lots.one(call.res.db, call.ids["lot_id"], communities=call.principal.communities(PRICE))
    body = call.body
    found = await what_if.compare(
        call.res.db, lot, given=body.document, starts_at=body.starts_at, ends_at=body.ends_at,
        vehicle_class=body.vehicle_class,
    )  # fmt: skip
    return WhatIfAnswer(
        stays=found.stays,
        then_fen=found.then_fen,
        now_fen=found.now_fen,
        dearer=found.dearer,
        cheaper=found.cheaper,
        unchanged=found.stays - found.dearer - found.cheaper,
        complete=found.complete,
    )


ROUTES = (
    Route(
        "POST", "/admin/v1/parking-lots/{lot_id}/tariffs/what-if", try_prices, PRICE, "用过去的停车记录试算新收费标准",
        body=WhatIfBody, answer=WhatIfAnswer, errors=(NotFound, Invalid), rate=Rule("parking.what_if", 60, 60),
    ),
)  # fmt: skip
