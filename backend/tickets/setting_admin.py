"""Staff routes of categories (工单类别) and rules (工单规则) of the company."""

from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.http import Call, Nothing, Route
from backend.tickets import categories, rules
from backend.tickets.schemas import ReasonBody
from backend.tickets.setting_schemas import (
    CategoryBody,
    CategoryList,
    CategoryMade,
    CategoryView,
    RulesBody,
    SettingsBody,
)

READ, SET = "ticket.read", "ticket.settings"


async def list_categories(call: Call[None, None]) -> CategoryList:
    """GET /admin/v1/ticket-categories: those of the whole company and of the communities that the caller works in."""
    assert call.principal.company_id is not None
    mine = call.principal.communities(READ)
    rows = await categories.of_company(call.res.db, call.principal.company_id, with_withdrawn=True)
    return CategoryList(
        items=[CategoryView.of(row) for row in rows if row["community_id"] is None or row["community_id"] in mine]
    )


async def create_category(call: Call[CategoryBody, None]) -> CategoryMade:
    """POST /admin/v1/ticket-categories."""
    company_id, body = call.principal.require_company(SET), call.body
    if body.community_id is not None:
        call.principal.require_community(SET, body.community_id)

    async def work(tx: Tx) -> CategoryMade:
        made = await categories.create(
            tx, call.principal.actor, company_id=company_id, community_id=body.community_id,
            parent_id=body.parent_id, new=body.settings,
        )  # fmt: skip
        return CategoryMade(id=made)

    return await call.once(work, CategoryMade)


async def change_category(call: Call[SettingsBody, None]) -> Nothing:
    """PUT /admin/v1/ticket-categories/{category_id}."""
    company_id = call.principal.require_company(SET)

    async def work(tx: Tx) -> Nothing:
        await categories.change(
            tx, call.principal.actor, category_id=call.ids["category_id"], company_id=company_id,
            new=call.body.settings,
        )  # fmt: skip
        return Nothing()

    return await call.transact(work)


async def withdraw_category(call: Call[ReasonBody, None]) -> Nothing:
    """POST /admin/v1/ticket-categories/{category_id}/withdraw."""
    company_id = call.principal.require_company(SET)

    async def work(tx: Tx) -> Nothing:
        await categories.withdraw(
            tx, call.principal.actor, category_id=call.ids["category_id"], company_id=company_id,
            reason=call.body.reason,
        )  # fmt: skip
        return Nothing()

    return await call.transact(work)


async def show_rules(call: Call[None, None]) -> RulesBody:
    """GET /admin/v1/ticket-rules."""
    assert call.principal.company_id is not None
    return RulesBody.of(await rules.of_company(call.res.db, call.principal.company_id))


async def change_rules(call: Call[RulesBody, None]) -> RulesBody:
    """PUT /admin/v1/ticket-rules."""
    company_id = call.principal.require_company(SET)

    async def work(tx: Tx) -> RulesBody:
        await rules.set_rules(tx, call.principal.actor, company_id=company_id, new=call.body.rules)
        return call.body

    return await call.transact(work)


_CATEGORIES, _RULES = "/admin/v1/ticket-categories", "/admin/v1/ticket-rules"

ROUTES = (
    Route("GET", _CATEGORIES, list_categories, READ, "工单类别", answer=CategoryList),
    Route(
        "POST", _CATEGORIES, create_category, SET, "新建工单类别", body=CategoryBody, answer=CategoryMade, status=201,
        creates=True, errors=(NotFound, Conflict, Invalid),
    ),
    Route(
        "PUT", f"{_CATEGORIES}/{{category_id}}", change_category, SET, "修改工单类别", body=SettingsBody,
        answer=Nothing, errors=(NotFound, Conflict, Invalid),
    ),
    Route(
        "POST", f"{_CATEGORIES}/{{category_id}}/withdraw", withdraw_category, SET, "停用工单类别", body=ReasonBody,
        answer=Nothing, errors=(NotFound, Conflict),
    ),
    Route("GET", _RULES, show_rules, READ, "工单规则：工作时间和上限", answer=RulesBody),
    Route(
        "PUT", _RULES, change_rules, SET, "修改工单规则", body=RulesBody, answer=RulesBody, errors=(NotFound, Invalid),
    ),
)  # fmt: skip
