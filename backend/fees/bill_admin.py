"""Staff routes of bills: of a house, one, why this amount, voiding (R1)."""

from backend.fees import bills
from backend.fees.bill_schemas import BillDetail, BillsAnswer, ExplanationAnswer, HouseBillsQuery
from backend.fees.explanation import explain
from backend.fees.schemas import ProposedAnswer, ReasonBody
from backend.kernel.clock import local_date
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.http import Call, Route

READ, VOID = "fees.read", "fees.void_propose"


async def list_bills(call: Call[None, HouseBillsQuery]) -> BillsAnswer:
    query = call.query
    rows = await bills.of_house(
        call.res.db,
        call.principal.communities(READ),
        house_id=query.house_id,
        states=query.states,
        before=query.before,
        limit=query.limit,
    )
    return BillsAnswer.of(rows, local_date(call.res.clock.now()), limit=query.limit)


async def show_bill(call: Call[None, None]) -> BillDetail:
    communities = call.principal.communities(READ)
    row = await bills.one_of_staff(call.res.db, communities, bill_id=call.ids["bill_id"])
    return BillDetail.of(row, await bills.lines_of(call.res.db, row["id"]), local_date(call.res.clock.now()))


async def explain_bill(call: Call[None, None]) -> ExplanationAnswer:
    communities = call.principal.communities(READ)
    row = await bills.one_of_staff(call.res.db, communities, bill_id=call.ids["bill_id"])
    lines = await bills.lines_of(call.res.db, row["id"])
    return ExplanationAnswer.of(row["id"], explain(bills.title(row), row["principal_fen"], lines))


async def propose_void(call: Call[ReasonBody, None]) -> ProposedAnswer:
    async def work(tx: Tx) -> ProposedAnswer:
        return ProposedAnswer.of(
            await bills.propose_void(
                tx,
                call.principal.actor,
                bill_id=call.ids["bill_id"],
                communities=call.principal.communities(VOID),
                reason=call.body.reason,
            )
        )

    return await call.once(work, ProposedAnswer)


_BILL = "/admin/v1/bills/{bill_id}"

ROUTES = (
    Route(
        "GET", "/admin/v1/bills", list_bills, READ, "某房屋的账单", query=HouseBillsQuery,
        answer=BillsAnswer,
    ),
    Route("GET", _BILL, show_bill, READ, "账单详情", answer=BillDetail, errors=(NotFound,)),
    Route(
        "GET", f"{_BILL}/explanation", explain_bill, READ, "账单金额说明", answer=ExplanationAnswer,
        errors=(NotFound,),
    ),
    Route(
        "POST", f"{_BILL}/void", propose_void, VOID, "申请作废账单，由另一人审批",
        body=ReasonBody, answer=ProposedAnswer, status=202, creates=True, errors=(NotFound, Conflict),
    ),
)  # fmt: skip
