"""Staff's side of receipts: the list with its voided numbers, one, printing, and issuing one at the counter (R17)."""

from uuid import UUID

from backend.kernel import printing
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated, Unavailable
from backend.kernel.http import Call, Reply, Route, decode_cursor, encode_cursor
from backend.kernel.printing import PaperQuery
from payments import history
from payments.counter import papers, receipts
from payments.counter.receipt_schemas import ReceiptDetail, ReceiptList, ReceiptQuery, ReceiptView
from payments.counter.receipts import Receipt

READ = "receipt.read"
ISSUE = "receipt.issue"


async def list_receipts(call: Call[None, ReceiptQuery]) -> ReceiptList:
    """GET /admin/v1/receipts."""
    cursor = call.query.cursor
    company_id, no = decode_cursor(cursor, (UUID, int)) if cursor else (None, None)
    found = await receipts.page(
        call.res.db,
        call.principal.communities(READ),
        state=call.query.state,
        before=None if company_id is None or no is None else (company_id, no),
        limit=call.query.limit,
    )
    last = found[-1] if len(found) == call.query.limit else None
    return ReceiptList(
        items=[ReceiptView.of(receipt) for receipt in found],
        next_cursor=encode_cursor(last.company_id, last.no) if last else None,
    )


async def show_receipt(call: Call[None, None]) -> ReceiptDetail:
    """GET /admin/v1/receipts/{receipt_id}."""
    return ReceiptDetail.told(await _one(call))


async def print_receipt(call: Call[None, PaperQuery]) -> Reply:
    """GET /admin/v1/receipts/{receipt_id}/paper."""
    receipt = await _one(call)
    return await printing.reply(
        call.res.settings, papers.of_receipt(receipt), call.query, file_name=f"receipt-{receipt.number}"
    )


async def issue_receipt(call: Call[None, None]) -> ReceiptDetail:
    """POST /admin/v1/orders/{order_id}/receipt: the one that it has, else a new one with the next number."""
    communities = call.principal.communities(ISSUE)
    payment = await history.payment_in(call.res.db, communities=communities, order_id=call.ids["order_id"])
    issued = await call.res.db.transact(lambda tx: receipts.issue(tx, call.principal.actor, order_id=payment.id))
    return ReceiptDetail.told(issued)


async def _one(call: Call[None, None] | Call[None, PaperQuery]) -> Receipt:
    return await receipts.one(call.res.db, call.principal.communities(READ), receipt_id=call.ids["receipt_id"])


_ONE = (Unauthenticated, Forbidden, NotFound)

ROUTES = (
    Route(
        "GET", "/admin/v1/receipts", list_receipts, READ, "收据列表，含作废号码",
        query=ReceiptQuery, answer=ReceiptList, errors=(Unauthenticated, Forbidden, Invalid),
    ),
    Route(
        "GET", "/admin/v1/receipts/{receipt_id}", show_receipt, READ, "收据",
        answer=ReceiptDetail, errors=_ONE,
    ),
    Route(
        "GET", "/admin/v1/receipts/{receipt_id}/paper", print_receipt, READ, "打印收据：网页或 PDF",
        query=PaperQuery, errors=(*_ONE, Unavailable), rate=printing.RATE,
    ),
    Route(
        "POST", "/admin/v1/orders/{order_id}/receipt", issue_receipt, ISSUE, "开具收据：已开具的返回原收据",
        answer=ReceiptDetail, errors=(*_ONE, Conflict),
    ),
)  # fmt: skip
