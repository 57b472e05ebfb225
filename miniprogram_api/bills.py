"""Resident routes of bills (账单): my bills, one of them, why this amount (R1).

Reads take the scope of the session, so that a foreign bill is an unknown one (I-23).
"""

from backend.fees import bills
from backend.fees.bill_schemas import BillDetail, BillsAnswer, BillsQuery, ExplanationAnswer
from backend.fees.explanation import explain
from backend.kernel.auth import RESIDENT
from backend.kernel.clock import local_date
from backend.kernel.errors import BadRequest, Forbidden, NotFound
from backend.kernel.http import Call, Route


async def list_bills(call: Call[None, BillsQuery]) -> BillsAnswer:
    query = call.query
    rows = await bills.of_resident(
        call.res.db, call.principal.scope, states=query.states, before=query.before, limit=query.limit
    )
    return BillsAnswer.of(rows, local_date(call.res.clock.now()), limit=query.limit)


async def show_bill(call: Call[None, None]) -> BillDetail:
    row = await bills.one_of_resident(call.res.db, call.principal.scope, bill_id=call.ids["bill_id"])
    return BillDetail.of(row, await bills.lines_of(call.res.db, row["id"]), local_date(call.res.clock.now()))


async def explain_bill(call: Call[None, None]) -> ExplanationAnswer:
    row = await bills.one_of_resident(call.res.db, call.principal.scope, bill_id=call.ids["bill_id"])
    lines = await bills.lines_of(call.res.db, row["id"])
    return ExplanationAnswer.of(row["id"], explain(bills.title(row), row["principal_fen"], lines))


_BILLS = "/api/v1/bills"
_BILL = f"{_BILLS}/{{bill_id}}"

ROUTES = (
    Route(
        "GET", _BILLS, list_bills, RESIDENT, "我的账单", query=BillsQuery, answer=BillsAnswer,
        errors=(BadRequest, Forbidden),
    ),
    Route("GET", _BILL, show_bill, RESIDENT, "账单详情", answer=BillDetail, errors=(NotFound,)),
    Route(
        "GET", f"{_BILL}/explanation", explain_bill, RESIDENT, "账单金额说明", answer=ExplanationAnswer,
        errors=(NotFound,),
    ),
)  # fmt: skip
