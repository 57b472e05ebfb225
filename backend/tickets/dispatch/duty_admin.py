"""Staff routes of duty (值班), of what workers do (技能, 责任楼栋), and of the rules of handling (督办规则) (D9)."""

from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.http import Call, Nothing, Route
from backend.tickets.dispatch import duty, handling, workers
from backend.tickets.dispatch.duty_schemas import (
    DutyView,
    ExceptionBody,
    ExceptionMade,
    ExceptionView,
    FieldsBody,
    HandlingBody,
    HandlingList,
    HandlingView,
    PersonView,
    PlanBody,
    ShiftBody,
    WorkerList,
    WorkerView,
)

READ, SET = "ticket.read", "ticket.settings"


async def show_duty(call: Call[None, None]) -> DutyView:
    """GET /admin/v1/communities/{community_id}/ticket-duty."""
    community_id, db, now = call.ids["community_id"], call.res.db, call.res.clock.now()
    call.principal.require_community(READ, community_id)
    return DutyView(
        shifts=[ShiftBody.of(shift) for shift in await duty.plan(db, community_id)],
        exceptions=[ExceptionView.of(row) for row in await duty.exceptions(db, community_id, now=now)],
        on_duty=[
            PersonView(id=row["id"], name=row["name"]) for row in await duty.on_duty(db, community_id, now=now)
        ],
    )  # fmt: skip


async def set_duty(call: Call[PlanBody, None]) -> PlanBody:
    """PUT /admin/v1/communities/{community_id}/ticket-duty."""
    community_id = call.ids["community_id"]
    call.principal.require_community(SET, community_id)

    async def work(tx: Tx) -> PlanBody:
        shifts = [each.shift for each in call.body.shifts]
        await duty.set_plan(tx, call.principal.actor, community_id=community_id, shifts=shifts)
        return call.body

    return await call.transact(work)


async def add_exception(call: Call[ExceptionBody, None]) -> ExceptionMade:
    """POST /admin/v1/communities/{community_id}/ticket-duty/exceptions."""
    community_id = call.ids["community_id"]
    call.principal.require_community(SET, community_id)

    async def work(tx: Tx) -> ExceptionMade:
        made = await duty.add_exception(tx, call.principal.actor, community_id=community_id, new=call.body.new)
        return ExceptionMade(id=made)

    return await call.once(work, ExceptionMade)


async def withdraw_exception(call: Call[None, None]) -> Nothing:
    """DELETE /admin/v1/ticket-duty-exceptions/{exception_id}."""

    async def work(tx: Tx) -> Nothing:
        await duty.withdraw_exception(
            tx, call.principal.actor, exception_id=call.ids["exception_id"],
            communities=call.principal.communities(SET),
        )  # fmt: skip
        return Nothing()

    return await call.transact(work)


async def list_workers(call: Call[None, None]) -> WorkerList:
    """GET /admin/v1/communities/{community_id}/ticket-workers."""
    community_id = call.ids["community_id"]
    call.principal.require_community(READ, community_id)
    rows = await workers.of_community(call.res.db, community_id)
    return WorkerList(items=[WorkerView.of(row) for row in rows])


async def set_worker(call: Call[FieldsBody, None]) -> FieldsBody:
    """PUT /admin/v1/communities/{community_id}/ticket-workers/{staff_id}."""
    community_id = call.ids["community_id"]
    call.principal.require_community(SET, community_id)

    async def work(tx: Tx) -> FieldsBody:
        await workers.set_fields(
            tx, call.principal.actor, community_id=community_id, staff_id=call.ids["staff_id"], new=call.body.fields
        )
        return call.body

    return await call.transact(work)


async def list_handling(call: Call[None, None]) -> HandlingList:
    """GET /admin/v1/ticket-handling."""
    assert call.principal.company_id is not None
    rules = await handling.of_company(call.res.db, call.principal.company_id)
    return HandlingList(items=[HandlingView.of(category_id, rule) for category_id, rule in rules.items()])


async def set_handling(call: Call[HandlingBody, None]) -> Nothing:
    """PUT /admin/v1/ticket-handling."""
    company_id, body = call.principal.require_company(SET), call.body

    async def work(tx: Tx) -> Nothing:
        await handling.set_rule(
            tx, call.principal.actor, company_id=company_id, category_id=body.category_id,
            new=None if body.rule is None else body.rule.rule,
        )  # fmt: skip
        return Nothing()

    return await call.transact(work)


_PLACE = "/admin/v1/communities/{community_id}"
_HANDLING = "/admin/v1/ticket-handling"

ROUTES = (
    Route("GET", f"{_PLACE}/ticket-duty", show_duty, READ, "值班表和当前值班人", answer=DutyView, errors=(NotFound,)),
    Route(
        "PUT", f"{_PLACE}/ticket-duty", set_duty, SET, "修改每周值班表", body=PlanBody, answer=PlanBody,
        errors=(NotFound, Invalid),
    ),
    Route(
        "POST", f"{_PLACE}/ticket-duty/exceptions", add_exception, SET, "登记替班或请假", body=ExceptionBody,
        answer=ExceptionMade, status=201, creates=True, errors=(NotFound, Invalid),
    ),
    Route(
        "DELETE", "/admin/v1/ticket-duty-exceptions/{exception_id}", withdraw_exception, SET, "撤销替班或请假",
        answer=Nothing, errors=(NotFound, Conflict),
    ),
    Route(
        "GET", f"{_PLACE}/ticket-workers", list_workers, READ, "处理人的技能和责任楼栋", answer=WorkerList,
        errors=(NotFound,),
    ),
    Route(
        "PUT", f"{_PLACE}/ticket-workers/{{staff_id}}", set_worker, SET, "设置处理人的技能和责任楼栋", body=FieldsBody,
        answer=FieldsBody, errors=(NotFound,),
    ),
    Route("GET", _HANDLING, list_handling, READ, "督办规则：预警、升级、催单", answer=HandlingList),
    Route("PUT", _HANDLING, set_handling, SET, "修改督办规则", body=HandlingBody, answer=Nothing, errors=(NotFound,)),
)  # fmt: skip
