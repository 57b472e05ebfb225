"""Staff routes of parking: lots, lanes, prices, cards, lists (R5); the guard's console stands in lanes/console.py."""

from uuid import UUID

from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.http import Call, Nothing, Route, decode_cursor, encode_cursor
from backend.parking import lots, oversight_admin, statistics_admin
from backend.parking.cards import admin as card_admin
from backend.parking.cards import application_admin, cards, space_admin, visitor_admin
from backend.parking.lanes import console, lane_code_admin, pictures_admin
from backend.parking.prices import class_admin, tariffs, what_if_admin
from backend.parking.schemas import (
    AddedAnswer,
    CardAnswer,
    CardBody,
    CardsAnswer,
    CardsQuery,
    LaneAnswer,
    LaneBody,
    LanesAnswer,
    ListEntryBody,
    LotAnswer,
    LotBody,
    LotsAnswer,
    ProposedAnswer,
    ReasonBody,
    RulesBody,
    TariffAnswer,
    TariffBody,
    TariffsAnswer,
)
from backend.parking.shops import admin as shop_admin

READ, EDIT, PRICE, CARD = "parking.read", "parking.edit", "parking.tariff_propose", "parking.card"


async def list_lots(call: Call[None, None]) -> LotsAnswer:
    """GET /admin/v1/parking-lots."""
    rows = await lots.in_communities(call.res.db, call.principal.communities(READ))
    return LotsAnswer(items=[LotAnswer.of(row) for row in rows])


async def create_lot(call: Call[LotBody, None]) -> LotAnswer:
    """POST /admin/v1/communities/{community_id}/parking-lots."""
    body, community_id = call.body, call.ids["community_id"]
    call.principal.require_community(EDIT, community_id)

    async def work(tx: Tx) -> LotAnswer:
        added = await lots.create(
            tx, call.principal.actor, community_id=community_id, code=body.code, rules=body.rules
        )  # fmt: skip
        return LotAnswer.of(await lots.one(tx, added.id, communities=[community_id]))

    return await call.once(work, LotAnswer)


async def change_lot(call: Call[RulesBody, None]) -> LotAnswer:
    """PUT /admin/v1/parking-lots/{lot_id}."""
    lot_id, communities = call.ids["lot_id"], call.principal.communities(EDIT)

    async def work(tx: Tx) -> LotAnswer:
        await lots.change(
            tx, call.principal.actor, lot_id=lot_id, communities=communities, rules=call.body.rules
        )  # fmt: skip
        return LotAnswer.of(await lots.one(tx, lot_id, communities=communities))

    return await call.transact(work)


async def list_lanes(call: Call[None, None]) -> LanesAnswer:
    """GET /admin/v1/parking-lots/{lot_id}/lanes."""
    lot = await lots.one(call.res.db, call.ids["lot_id"], communities=call.principal.communities(READ))
    return LanesAnswer(items=[LaneAnswer.of(row) for row in await lots.lanes(call.res.db, lot["id"])])


async def add_lane(call: Call[LaneBody, None]) -> AddedAnswer:
    """POST /admin/v1/parking-lots/{lot_id}/lanes."""
    body = call.body

    async def work(tx: Tx) -> AddedAnswer:
        added = await lots.add_lane(
            tx, call.principal.actor, lot_id=call.ids["lot_id"], communities=call.principal.communities(EDIT),
            direction=body.direction, name=body.name, camera_device_id=body.camera_device_id,
            barrier_device_id=body.barrier_device_id,
        )  # fmt: skip
        return AddedAnswer(id=added.id)

    return await call.once(work, AddedAnswer)


async def list_tariffs(call: Call[None, None]) -> TariffsAnswer:
    """GET /admin/v1/parking-lots/{lot_id}/tariffs."""
    lot = await lots.one(call.res.db, call.ids["lot_id"], communities=call.principal.communities(READ))
    return TariffsAnswer(items=[TariffAnswer.of(row) for row in await tariffs.of_lot(call.res.db, lot["id"])])


async def propose_tariff(call: Call[TariffBody, None]) -> ProposedAnswer:
    """POST /admin/v1/parking-lots/{lot_id}/tariffs."""
    body = call.body

    async def work(tx: Tx) -> ProposedAnswer:
        return ProposedAnswer.of(
            await tariffs.propose(
                tx, call.principal.actor, lot_id=call.ids["lot_id"], communities=call.principal.communities(PRICE),
                given=body.document, effective_from=body.effective_from, reason=body.reason,
                vehicle_class=body.vehicle_class,
            )
        )  # fmt: skip

    return await call.once(work, ProposedAnswer)


async def list_cards(call: Call[None, CardsQuery]) -> CardsAnswer:
    """GET /admin/v1/parking-lots/{lot_id}/cards."""
    query = call.query
    lot = await lots.one(call.res.db, call.ids["lot_id"], communities=call.principal.communities(CARD))
    after = None if query.cursor is None else decode_cursor(query.cursor, (UUID,))[0]
    rows = await cards.of_lot(call.res.db, lot["id"], after=after, limit=query.limit)
    return CardsAnswer(
        items=[CardAnswer.of(row) for row in rows],
        next_cursor=encode_cursor(rows[-1]["id"]) if len(rows) == query.limit else None,
    )


async def issue_card(call: Call[CardBody, None]) -> AddedAnswer:
    """POST /admin/v1/parking-lots/{lot_id}/cards."""

    async def work(tx: Tx) -> AddedAnswer:
        issued = await cards.issue(
            tx, call.principal.actor, keyring=call.res.keyring, lot_id=call.ids["lot_id"],
            communities=call.principal.communities(CARD), new=call.body.new,
        )  # fmt: skip
        return AddedAnswer(id=issued.id)

    return await call.once(work, AddedAnswer)


async def cancel_card(call: Call[ReasonBody, None]) -> Nothing:
    """POST /admin/v1/parking-cards/{card_id}/cancel."""

    async def work(tx: Tx) -> Nothing:
        await cards.cancel(
            tx, call.principal.actor, card_id=call.ids["card_id"], communities=call.principal.communities(CARD),
            reason=call.body.reason,
        )  # fmt: skip
        return Nothing()

    return await call.transact(work)


async def put_on_list(call: Call[ListEntryBody, None]) -> AddedAnswer:
    """POST /admin/v1/parking-lots/{lot_id}/list-entries."""
    body = call.body

    async def work(tx: Tx) -> AddedAnswer:
        added = await cards.put_on_list(
            tx, call.principal.actor, keyring=call.res.keyring, lot_id=call.ids["lot_id"],
            communities=call.principal.communities(EDIT), kind=body.kind, plate=body.plate, starts_on=body.starts_on,
            ends_on=body.ends_on, reason=body.reason,
        )  # fmt: skip
        return AddedAnswer(id=added.id)

    return await call.once(work, AddedAnswer)


_LOT = "/admin/v1/parking-lots/{lot_id}"
_WRITE_ERRORS = (NotFound, Conflict, Invalid)

ROUTES = (
    Route("GET", "/admin/v1/parking-lots", list_lots, READ, "停车场列表和空余车位", answer=LotsAnswer),
    Route(
        "POST", "/admin/v1/communities/{community_id}/parking-lots", create_lot, EDIT, "新增停车场", body=LotBody,
        answer=LotAnswer, status=201, creates=True, errors=_WRITE_ERRORS,
    ),
    Route(
        "PUT", _LOT, change_lot, EDIT, "修改停车场的规则", body=RulesBody, answer=LotAnswer,
        errors=(NotFound, Invalid),
    ),
    Route("GET", f"{_LOT}/lanes", list_lanes, READ, "停车场的车道", answer=LanesAnswer, errors=(NotFound,)),
    Route(
        "POST", f"{_LOT}/lanes", add_lane, EDIT, "新增车道", body=LaneBody, answer=AddedAnswer, status=201,
        creates=True, errors=_WRITE_ERRORS,
    ),
    Route("GET", f"{_LOT}/tariffs", list_tariffs, READ, "停车收费各版本", answer=TariffsAnswer, errors=(NotFound,)),
    Route(
        "POST", f"{_LOT}/tariffs", propose_tariff, PRICE, "申请停车收费标准，由另一人审批", body=TariffBody,
        answer=ProposedAnswer, status=202, creates=True, errors=_WRITE_ERRORS,
    ),
    Route(
        "GET", f"{_LOT}/cards", list_cards, CARD, "停车卡列表", query=CardsQuery, answer=CardsAnswer,
        errors=(NotFound,),
    ),
    Route(
        "POST", f"{_LOT}/cards", issue_card, CARD, "办理停车卡", body=CardBody, answer=AddedAnswer, status=201,
        creates=True, errors=_WRITE_ERRORS,
    ),
    Route(
        "POST", "/admin/v1/parking-cards/{card_id}/cancel", cancel_card, CARD, "作废停车卡，当天起不再免费",
        body=ReasonBody, answer=Nothing, errors=(NotFound, Conflict),
    ),
    Route(
        "POST", f"{_LOT}/list-entries", put_on_list, EDIT, "加入黑名单或白名单", body=ListEntryBody,
        answer=AddedAnswer, status=201, creates=True, errors=_WRITE_ERRORS,
    ),
    *card_admin.ROUTES,
    *space_admin.ROUTES,
    *application_admin.ROUTES,
    *what_if_admin.ROUTES,
    *lane_code_admin.ROUTES,
    *console.ROUTES,
    *class_admin.ROUTES,
    *shop_admin.ROUTES,
    *statistics_admin.ROUTES,
    *oversight_admin.ROUTES,
    *pictures_admin.ROUTES,
    *visitor_admin.ROUTES,
)  # fmt: skip
