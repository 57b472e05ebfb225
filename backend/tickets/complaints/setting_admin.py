"""Staff routes of what the company sets for complaints: promises and tags (投诉规则), causes (根因)."""

from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.http import Call, Nothing, Route
from backend.tickets.complaints import causes, policy
from backend.tickets.complaints.schemas import CauseBody, CauseList, CauseMade, CauseView, PolicyBody

READ, SET = "ticket.read", "ticket.settings"


async def show_policy(call: Call[None, None]) -> PolicyBody:
    """GET /admin/v1/complaint-policy."""
    assert call.principal.company_id is not None
    return PolicyBody.of(await policy.of_company(call.res.db, call.principal.company_id))


async def change_policy(call: Call[PolicyBody, None]) -> PolicyBody:
    """PUT /admin/v1/complaint-policy."""
    company_id = call.principal.require_company(SET)

    async def work(tx: Tx) -> PolicyBody:
        await policy.set_policy(tx, call.principal.actor, company_id=company_id, new=call.body.policy)
        return PolicyBody.of(call.body.policy)

    return await call.transact(work)


async def list_causes(call: Call[None, None]) -> CauseList:
    """GET /admin/v1/complaint-causes."""
    assert call.principal.company_id is not None
    rows = await causes.of_company(call.res.db, call.principal.company_id)
    return CauseList(items=[CauseView(**dict(row.items())) for row in rows])


async def create_cause(call: Call[CauseBody, None]) -> CauseMade:
    """POST /admin/v1/complaint-causes."""
    company_id = call.principal.require_company(SET)

    async def work(tx: Tx) -> CauseMade:
        return CauseMade(
            id=await causes.create(tx, call.principal.actor, company_id=company_id, name=call.body.name)
        )  # fmt: skip

    return await call.once(work, CauseMade)


async def withdraw_cause(call: Call[None, None]) -> Nothing:
    """DELETE /admin/v1/complaint-causes/{cause_id}."""
    company_id = call.principal.require_company(SET)

    async def work(tx: Tx) -> Nothing:
        await causes.withdraw(tx, call.principal.actor, cause_id=call.ids["cause_id"], company_id=company_id)
        return Nothing()

    return await call.transact(work)


_POLICY, _CAUSES = "/admin/v1/complaint-policy", "/admin/v1/complaint-causes"

ROUTES = (
    Route("GET", _POLICY, show_policy, READ, "投诉规则：时限、评价标签、账单异议", answer=PolicyBody),
    Route(
        "PUT", _POLICY, change_policy, SET, "修改投诉规则", body=PolicyBody, answer=PolicyBody,
        errors=(NotFound, Invalid),
    ),
    Route("GET", _CAUSES, list_causes, READ, "投诉根因", answer=CauseList),
    Route(
        "POST", _CAUSES, create_cause, SET, "新增投诉根因", body=CauseBody, answer=CauseMade, status=201, creates=True,
        errors=(NotFound, Conflict),
    ),
    Route("DELETE", f"{_CAUSES}/{{cause_id}}", withdraw_cause, SET, "停用投诉根因", answer=Nothing, errors=(NotFound,)),
)  # fmt: skip
