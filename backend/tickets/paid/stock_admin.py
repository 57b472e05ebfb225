"""Staff routes of the price list (维修价目) and of parts in stock (配件库存) (D9, R6)."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from backend.kernel.clock import local_date
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.http import Call, Nothing, Route, decode_cursor, encode_cursor
from backend.tickets.paid import places, price_list, stock, stocktaking
from backend.tickets.paid.stock_schemas import (
    CountAnswer,
    CountBody,
    CountView,
    ItemView,
    MovementList,
    MovementQuery,
    MovementView,
    PartsBody,
    PlaceBody,
    PlaceMade,
    PlaceView,
    PriceBody,
    PriceList,
    ReturnBody,
    StockAnswer,
    TransferBody,
)
from backend.tickets.schemas import ProposedAnswer, ReasonBody

READ, SET, PROPOSE, STOCK = "ticket.read", "ticket.settings", "ticket.price_propose", "ticket.stock"


async def list_prices(call: Call[None, None]) -> PriceList:
    """GET /admin/v1/ticket-prices: of the whole company and of the communities that the caller works in."""
    assert call.principal.company_id is not None
    rows = await price_list.of_company(
        call.res.db, call.principal.company_id, call.principal.communities(READ),
        today=local_date(call.res.clock.now()),
    )  # fmt: skip
    return PriceList(items=[ItemView.of(row) for row in rows])


async def propose_price(call: Call[PriceBody, None]) -> ProposedAnswer:
    """POST /admin/v1/ticket-prices."""
    body, company_id = call.body, call.principal.company_id
    if body.community_id is None:
        company_id = call.principal.require_company(PROPOSE)
    else:
        call.principal.require_community(PROPOSE, body.community_id)
    assert company_id is not None

    async def work(tx: Tx) -> ProposedAnswer:
        made = await price_list.propose(
            tx, call.principal.actor, company_id=company_id, community_id=body.community_id, terms=body.terms,
            reason=body.reason,
        )  # fmt: skip
        return ProposedAnswer(approval_id=made.id)

    return await call.once(work, ProposedAnswer)


async def withdraw_item(call: Call[ReasonBody, None]) -> Nothing:
    """POST /admin/v1/ticket-prices/{item_id}/withdraw."""
    company_id = call.principal.require_company(SET)

    async def work(tx: Tx) -> Nothing:
        await price_list.withdraw(
            tx, call.principal.actor, item_id=call.ids["item_id"], company_id=company_id, reason=call.body.reason
        )
        return Nothing()

    return await call.transact(work)


async def show_stock(call: Call[None, None]) -> StockAnswer:
    """GET /admin/v1/ticket-stock."""
    found = await places.of_communities(call.res.db, call.principal.communities(READ))
    lying: dict[UUID, list[CountView]] = {}
    for row in await places.counts(call.res.db, [each["id"] for each in found]):
        shown = {name: row[name] for name in CountView.model_fields}
        lying.setdefault(row["place_id"], []).append(CountView(**shown))
    return StockAnswer(items=[PlaceView(**dict(each.items()), counts=lying.get(each["id"], [])) for each in found])


async def add_place(call: Call[PlaceBody, None]) -> PlaceMade:
    """POST /admin/v1/ticket-stock."""
    body = call.body
    call.principal.require_community(STOCK, body.community_id)

    async def work(tx: Tx) -> PlaceMade:
        made = await places.add(
            tx, call.principal.actor, community_id=body.community_id, name=body.name, staff_id=body.staff_id
        )
        return PlaceMade(id=made)

    return await call.once(work, PlaceMade)


async def receive(call: Call[PartsBody, None]) -> CountAnswer:
    """POST /admin/v1/ticket-stock/{place_id}/receipts."""
    return await _count(call, stock.receive)


async def transfer(call: Call[TransferBody, None]) -> CountAnswer:
    """POST /admin/v1/ticket-stock/{place_id}/transfers."""
    return await _count(call, stock.transfer, to_id=call.body.to_id)


async def put_back(call: Call[ReturnBody, None]) -> CountAnswer:
    """POST /admin/v1/ticket-stock/{place_id}/returns."""
    return await _count(call, stock.put_back, ticket_id=call.body.ticket_id)


async def _count(call: Call[Any, None], command: Callable[..., Awaitable[int]], **more: UUID) -> CountAnswer:
    body = call.body

    async def work(tx: Tx) -> CountAnswer:
        count = await command(
            tx, call.principal.actor, place_id=call.ids["place_id"], item_id=body.item_id, quantity=body.quantity,
            reason=body.reason, communities=call.principal.communities(STOCK), **more,
        )  # fmt: skip
        return CountAnswer(count=count)

    return await call.once(work, CountAnswer)


async def count(call: Call[CountBody, None]) -> ProposedAnswer:
    """POST /admin/v1/ticket-stock/{place_id}/counts."""

    async def work(tx: Tx) -> ProposedAnswer:
        made = await stocktaking.propose(
            tx, call.principal.actor, place_id=call.ids["place_id"], counted=call.body.counted,
            reason=call.body.reason, communities=call.principal.communities(STOCK),
        )  # fmt: skip
        return ProposedAnswer(approval_id=made.id)

    return await call.once(work, ProposedAnswer)


async def list_movements(call: Call[None, MovementQuery]) -> MovementList:
    """GET /admin/v1/ticket-stock/{place_id}/movements."""
    query, db = call.query, call.res.db
    where = await stock.place(db, call.ids["place_id"], communities=call.principal.communities(READ))
    before = decode_cursor(query.cursor, (int,))[0] if query.cursor else None
    rows = await stock.movements(db, where["id"], before=before, limit=query.limit + 1)
    shown = rows[: query.limit]
    return MovementList(
        items=[MovementView.of(row) for row in shown],
        next_cursor=encode_cursor(shown[-1]["id"]) if len(rows) > query.limit else None,
    )


_PRICES, _STOCK = "/admin/v1/ticket-prices", "/admin/v1/ticket-stock"
_PLACE = f"{_STOCK}/{{place_id}}"
_REFUSALS = (NotFound, Conflict, Invalid)

ROUTES = (
    Route("GET", _PRICES, list_prices, READ, "维修价目表", answer=PriceList),
    Route(
        "POST", _PRICES, propose_price, PROPOSE, "提请新的维修价格", body=PriceBody, answer=ProposedAnswer, status=202,
        creates=True, errors=_REFUSALS,
    ),
    Route(
        "POST", f"{_PRICES}/{{item_id}}/withdraw", withdraw_item, SET, "停用工料项目", body=ReasonBody, answer=Nothing,
        errors=(NotFound, Conflict),
    ),
    Route("GET", _STOCK, show_stock, READ, "配件库存", answer=StockAnswer),
    Route(
        "POST", _STOCK, add_place, STOCK, "新建仓库或处理人的随身库存", body=PlaceBody, answer=PlaceMade, status=201,
        creates=True, errors=(NotFound, Conflict),
    ),
    Route(
        "POST", f"{_PLACE}/receipts", receive, STOCK, "配件入库", body=PartsBody, answer=CountAnswer, status=201,
        creates=True, errors=(NotFound,),
    ),
    Route(
        "POST", f"{_PLACE}/transfers", transfer, STOCK, "调拨配件，例如处理人领料", body=TransferBody,
        answer=CountAnswer, status=201, creates=True, errors=_REFUSALS,
    ),
    Route(
        "POST", f"{_PLACE}/returns", put_back, STOCK, "工单退料", body=ReturnBody, answer=CountAnswer, status=201,
        creates=True, errors=(NotFound, Conflict),
    ),
    Route(
        "POST", f"{_PLACE}/counts", count, STOCK, "提交盘点结果", body=CountBody, answer=ProposedAnswer, status=202,
        creates=True, errors=_REFUSALS,
    ),
    Route(
        "GET", f"{_PLACE}/movements", list_movements, READ, "库存流水", query=MovementQuery, answer=MovementList,
        errors=(NotFound,),
    ),
)  # fmt: skip
