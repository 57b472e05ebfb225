"""Resident routes of parking: free spaces, one's vehicles and stays, a quote for any plate, and its payment (R5)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from uuid import UUID

from pydantic import Field

from backend.kernel.auth import RESIDENT
from backend.kernel.clock import local_date
from backend.kernel.db import Tx
from backend.kernel.errors import (
    BadRequest,
    ChannelUnknown,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from backend.kernel.http import Call, Page, Route, Stream, Strict, decode_cursor, encode_cursor, example
from backend.kernel.ratelimit import Rule
from backend.parking import lots, reads, vehicles
from backend.parking.prices import quotes
from backend.parking.views import AskedAnswer, StaysAnswer, StayView, stay_view
from miniprogram_api.paying import PaymentCreated, WayChoice, pay
from payments.payables import Kind, Wish

# A line that says nothing, so that nobody in between thinks that the connection is dead.
KEEP_ALIVE_S = 15
_ID = "01991b2a-7c00-7000-8000-000000000001"


class LotView(Strict):
    """A lot of one of my communities, and its free spaces at this moment."""

    model_config = example(id=_ID, community_id=_ID, name="地下停车场", spaces=320, free_spaces=41)
    id: UUID
    community_id: UUID
    name: str
    spaces: int
    free_spaces: int


class LotList(Strict):
    model_config = example(items=[])
    items: list[LotView]


class FollowQuery(Strict):
    """`for_s`: for how many seconds to be told of changes, then the page asks again; 0: once, now."""

    for_s: int = Field(0, ge=0, le=60)


class VehicleView(Strict):
    """A vehicle of one of my houses. `card_ends_on`: the first day without its card; null: no end, or no card.

    `outside_until`: the first day without leave for a vehicle of somebody else; null: the house's own.
    """

    model_config = example(
        id=_ID, house_id=_ID, plate="粤B12345", has_card=True, card_ends_on="2026-10-01", outside_until=None
    )  # fmt: skip
    id: UUID
    house_id: UUID
    plate: str
    has_card: bool
    card_ends_on: date | None
    outside_until: date | None


class VehicleList(Strict):
    model_config = example(items=[])
    items: list[VehicleView]


class QuoteBody(Strict):
    """Which car, and where it stands."""

    model_config = example(lot_id=_ID, plate="粤B12345")
    lot_id: UUID
    plate: str = Field(min_length=1, max_length=32)


class QuotePayment(WayChoice):
    """How to pay a quote."""

    model_config = example(channel="wechat", method="jsapi", return_path="/")


async def list_lots(call: Call[None, None]) -> LotList:
    """GET /api/v1/parking-lots."""
    communities = sorted({tie.community_id for tie in call.principal.ties})
    rows = await lots.in_communities(call.res.db, communities)
    return LotList(items=[LotView(**{name: row[name] for name in LotView.model_fields}) for row in rows])


async def follow_free_spaces(call: Call[None, FollowQuery]) -> Stream:
    """GET /api/v1/parking-lots/{lot_id}/free-spaces."""
    communities = sorted({tie.community_id for tie in call.principal.ties})
    lot_id, db = call.ids["lot_id"], call.res.db
    first = await lots.free_spaces(db, lot_id, communities=communities)

    async def told() -> AsyncIterator[bytes]:
        shown, free = None, first
        for second in range(call.query.for_s + 1):
            if second:
                await asyncio.sleep(1)
                free = await lots.free_spaces(db, lot_id, communities=communities)
            if free != shown:
                shown = free
                yield f'event: free_spaces\ndata: {{"free_spaces": {free}}}\n\n'.encode()
            elif second % KEEP_ALIVE_S == 0:
                yield b": \n\n"

    return Stream(told())


async def list_vehicles(call: Call[None, None]) -> VehicleList:
    """GET /api/v1/parking-vehicles."""
    ring, today = call.res.keyring, local_date(call.res.clock.now())
    rows = await vehicles.of_houses(call.res.db, call.principal.scope.full, today=today)
    return VehicleList(
        items=[
            VehicleView(
                id=row["id"],
                house_id=row["house_id"],
                plate=vehicles.opened(ring, "parking_vehicle", row) or "",
                has_card=row["has_card"],
                card_ends_on=row["card_ends_on"],
                outside_until=row["outside_until"],
            )
            for row in rows
        ]
    )


async def list_stays(call: Call[None, Page]) -> StaysAnswer:
    """GET /api/v1/parking-stays."""
    before = None if call.query.cursor is None else decode_cursor(call.query.cursor, (UUID,))[0]
    limit, houses = call.query.limit, call.principal.scope.full
    rows = await reads.of_houses(call.res.db, houses, before=before, limit=limit)
    return StaysAnswer(
        items=[StayView(**stay_view(call.res.keyring, row)) for row in rows],
        next_cursor=encode_cursor(rows[-1]["id"]) if len(rows) == limit else None,
    )


async def quote(call: Call[QuoteBody, None]) -> AskedAnswer:
    """POST /api/v1/parking-quotes."""

    async def work(tx: Tx) -> AskedAnswer:
        asked = await quotes.for_plate(
            tx, call.principal.actor, key=quotes.signing_key(call.res.settings), keyring=call.res.keyring,
            lot_id=call.body.lot_id, text=call.body.plate,
        )  # fmt: skip
        return AskedAnswer.of(asked)

    return await call.transact(work)


async def pay_quote(call: Call[QuotePayment, None]) -> PaymentCreated:
    """POST /api/v1/parking-quotes/{quote_id}/payments."""
    key = quotes.signing_key(call.res.settings)

    async def what(tx: Tx) -> list[Wish]:
        return [Wish(Kind.PARKING, await quotes.require_payable(tx, call.ids["quote_id"], key=key))]

    return await pay(call, call.body, what)


ROUTES = (
    Route(
        "GET", "/api/v1/parking-lots", list_lots, RESIDENT, "我的小区的停车场和空余车位", answer=LotList,
        errors=(Unauthenticated, Forbidden),
    ),
    Route(
        "GET", "/api/v1/parking-lots/{lot_id}/free-spaces", follow_free_spaces, RESIDENT,
        "空余车位实时推送（server-sent events）", query=FollowQuery, errors=(Unauthenticated, Forbidden, NotFound),
        rate=Rule("parking.follow", 30, 60),
    ),
    Route(
        "GET", "/api/v1/parking-vehicles", list_vehicles, RESIDENT, "我家的车辆和停车卡", answer=VehicleList,
        errors=(Unauthenticated, Forbidden),
    ),
    Route(
        "GET", "/api/v1/parking-stays", list_stays, RESIDENT, "我家车辆的停车记录", query=Page, answer=StaysAnswer,
        errors=(Unauthenticated, Forbidden, BadRequest),
    ),
    Route(
        "POST", "/api/v1/parking-quotes", quote, RESIDENT, "按车牌查询停车费，可为任何车辆查询", body=QuoteBody,
        answer=AskedAnswer, errors=(Unauthenticated, Forbidden, NotFound, Invalid, TooMany),
        rate=Rule("parking.quote", 20, 60, strict=True),
    ),
    Route(
        "POST", "/api/v1/parking-quotes/{quote_id}/payments", pay_quote, RESIDENT, "支付停车费，返回与支付账单相同",
        body=QuotePayment, answer=PaymentCreated, status=201, creates=True,
        errors=(Unauthenticated, Forbidden, NotFound, Conflict, Invalid, TooMany, ChannelUnknown, Unavailable),
        rate=Rule("parking.pay", 30, 60),
    ),
)  # fmt: skip
