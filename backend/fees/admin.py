"""Staff routes of fees: items, prices, exclusions, and the trial balance (R1, S3)."""

from dataclasses import fields
from uuid import UUID

from backend.fees import bill_admin, exclusions, items, prepaid_admin, prices, run_admin
from backend.fees.items import Changes, NewItem
from backend.fees.plan import Nature
from backend.fees.schemas import (
    ExclusionAnswer,
    ExclusionBody,
    ExclusionsAnswer,
    ItemAnswer,
    ItemChangesBody,
    ItemsAnswer,
    ItemsQuery,
    ListedItem,
    NewItemBody,
    PriceAnswer,
    PriceBody,
    PricesAnswer,
    ProposedAnswer,
    TrialAnswer,
    TrialLineAnswer,
    TrialQuery,
)
from backend.kernel.clock import local_date
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.http import Call, Nothing, Page, Route, decode_cursor, encode_cursor
from backend.ledger import balances

READ, EDIT, PRICE, BOOKS = "fees.read", "fees.edit", "fees.price_propose", "ledger.read"


async def list_items(call: Call[None, ItemsQuery]) -> ItemsAnswer:
    query = call.query
    after = None if query.cursor is None else decode_cursor(query.cursor, (int,))[0]
    rows = await items.in_communities(
        call.res.db,
        call.principal.communities(READ),
        community_id=query.community_id,
        on=local_date(call.res.clock.now()),
        after=after,
        limit=query.limit,
    )
    return ItemsAnswer(
        items=[ListedItem.listed(row) for row in rows],
        next_cursor=encode_cursor(rows[-1]["no"]) if len(rows) == query.limit else None,
    )


async def create_item(call: Call[NewItemBody, None]) -> ItemAnswer:
    body = call.body
    call.principal.require_community(EDIT, body.community_id)
    new = NewItem(**{field.name: getattr(body, field.name) for field in fields(NewItem)})

    async def work(tx: Tx) -> ItemAnswer:
        return ItemAnswer.of(await items.create(tx, call.principal.actor, community_id=body.community_id, new=new))

    return await call.once(work, ItemAnswer)


async def show_item(call: Call[None, None]) -> ItemAnswer:
    communities = call.principal.communities(READ)
    return ItemAnswer.of(await items.row_of(call.res.db, call.ids["item_id"], communities=communities))


async def change_item(call: Call[ItemChangesBody, None]) -> ItemAnswer:
    changes = Changes(**{field.name: getattr(call.body, field.name) for field in fields(Changes)})

    async def work(tx: Tx) -> ItemAnswer:
        return ItemAnswer.of(
            await items.change(
                tx,
                call.principal.actor,
                item_id=call.ids["item_id"],
                communities=call.principal.communities(EDIT),
                changes=changes,
            )
        )

    return await call.transact(work)


async def close_item(call: Call[None, None]) -> ItemAnswer:
    item_id, communities = call.ids["item_id"], call.principal.communities(EDIT)

    async def work(tx: Tx) -> ItemAnswer:
        await items.close(tx, call.principal.actor, item_id=item_id, communities=communities)
        return ItemAnswer.of(await items.row_of(tx, item_id, communities=communities))

    return await call.transact(work)


async def list_prices(call: Call[None, None]) -> PricesAnswer:
    row = await items.row_of(call.res.db, call.ids["item_id"], communities=call.principal.communities(READ))
    item = items.of_row(row)
    rates = await prices.of_item(call.res.db, item.id)
    return PricesAnswer(
        items=[PriceAnswer.of(rate, item.formula, one_off=item.nature is Nature.ONE_OFF) for rate in rates]
    )


async def propose_price(call: Call[PriceBody, None]) -> ProposedAnswer:
    body = call.body

    async def work(tx: Tx) -> ProposedAnswer:
        return ProposedAnswer.of(
            await prices.propose(
                tx,
                call.principal.actor,
                item_id=call.ids["item_id"],
                communities=call.principal.communities(PRICE),
                rate_micro=body.rate_micro,
                effective_from=body.effective_from,
                reason=body.reason,
            )
        )

    return await call.once(work, ProposedAnswer)


async def list_exclusions(call: Call[None, Page]) -> ExclusionsAnswer:
    item_id, query = call.ids["item_id"], call.query
    await items.row_of(call.res.db, item_id, communities=call.principal.communities(READ))
    after = None if query.cursor is None else decode_cursor(query.cursor, (UUID,))[0]
    rows = await exclusions.of_item(call.res.db, item_id, after=after, limit=query.limit)
    return ExclusionsAnswer(
        items=[
            ExclusionAnswer(
                house_id=row["house_id"],
                house_label=row["label"],
                reason=row["reason"],
                created_at=row["created_at"],
            )
            for row in rows
        ],
        next_cursor=encode_cursor(rows[-1]["house_id"]) if len(rows) == query.limit else None,
    )


async def exclude_house(call: Call[ExclusionBody, None]) -> ExclusionAnswer:
    body = call.body

    async def work(tx: Tx) -> ExclusionAnswer:
        label = await exclusions.add(
            tx,
            call.principal.actor,
            item_id=call.ids["item_id"],
            house_id=body.house_id,
            communities=call.principal.communities(EDIT),
            reason=body.reason,
        )
        return ExclusionAnswer(house_id=body.house_id, house_label=label, reason=body.reason, created_at=tx.now)

    return await call.once(work, ExclusionAnswer)


async def include_house(call: Call[None, None]) -> Nothing:
    async def work(tx: Tx) -> Nothing:
        await exclusions.remove(
            tx,
            call.principal.actor,
            item_id=call.ids["item_id"],
            house_id=call.ids["house_id"],
            communities=call.principal.communities(EDIT),
        )
        return Nothing()

    return await call.transact(work)


async def show_trial_balance(call: Call[None, TrialQuery]) -> TrialAnswer:
    community_id = call.query.community_id
    call.principal.require_community(BOOKS, community_id)
    booked_on = call.query.booked_on or local_date(call.res.clock.now())
    lines = await balances.trial_balance(call.res.db, community_ids=[community_id], booked_on=booked_on)
    return TrialAnswer(
        community_id=community_id,
        booked_on=booked_on,
        lines=[TrialLineAnswer.of(line) for line in lines],
        total_fen=sum(line.closing_fen for line in lines),
    )


_ITEMS = "/admin/v1/fee-items"
_ITEM = f"{_ITEMS}/{{item_id}}"

ROUTES = (
    Route("GET", _ITEMS, list_items, READ, "收费项目列表", query=ItemsQuery, answer=ItemsAnswer),
    Route(
        "POST", _ITEMS, create_item, EDIT, "新增收费项目（首个单价须审批）", body=NewItemBody,
        answer=ItemAnswer, status=201, creates=True, errors=(NotFound, Conflict, Invalid),
    ),
    Route("GET", _ITEM, show_item, READ, "收费项目详情", answer=ItemAnswer, errors=(NotFound,)),
    Route(
        "PATCH", _ITEM, change_item, EDIT, "修改收费项目", body=ItemChangesBody, answer=ItemAnswer,
        errors=(NotFound, Conflict),
    ),
    Route(
        "POST", f"{_ITEM}/close", close_item, EDIT, "停用收费项目，不再出账", answer=ItemAnswer,
        errors=(NotFound, Conflict),
    ),
    Route(
        "GET", f"{_ITEM}/prices", list_prices, READ, "收费项目的单价版本", answer=PricesAnswer,
        errors=(NotFound,),
    ),
    Route(
        "POST", f"{_ITEM}/prices", propose_price, PRICE, "申请单价，由另一人审批",
        body=PriceBody, answer=ProposedAnswer, status=202, creates=True, errors=(NotFound, Conflict, Invalid),
    ),
    Route(
        "GET", f"{_ITEM}/exclusions", list_exclusions, READ, "不收费名单", query=Page,
        answer=ExclusionsAnswer, errors=(NotFound,),
    ),
    Route(
        "POST", f"{_ITEM}/exclusions", exclude_house, EDIT, "把房屋加入不收费名单", body=ExclusionBody,
        answer=ExclusionAnswer, status=201, creates=True, errors=(NotFound, Conflict),
    ),
    Route(
        "DELETE", f"{_ITEM}/exclusions/{{house_id}}", include_house, EDIT, "把房屋移出不收费名单", answer=Nothing,
        errors=(NotFound,),
    ),
    Route(
        "GET", "/admin/v1/trial-balance", show_trial_balance, BOOKS, "小区某日的试算平衡表",
        query=TrialQuery, answer=TrialAnswer, errors=(NotFound,),
    ),
    *run_admin.ROUTES,
    *bill_admin.ROUTES,
    *prepaid_admin.ROUTES,
)  # fmt: skip
