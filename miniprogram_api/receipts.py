"""Receipts for residents: of one's own payment, and of those for one's house (R17). No rules are made here."""

from backend.kernel import printing
from backend.kernel.auth import RESIDENT
from backend.kernel.errors import Forbidden, NotFound, Unauthenticated, Unavailable
from backend.kernel.http import Call, Reply, Route
from backend.kernel.printing import PaperQuery
from payments.counter import papers, receipts
from payments.counter.receipt_schemas import ReceiptDetail


async def show(call: Call[None, None]) -> ReceiptDetail:
    """GET /api/v1/payments/{payment_id}/receipt; 404 until it is given, seconds after the payment."""
    found = await receipts.of_resident(call.res.db, call.principal.scope, order_id=call.ids["payment_id"])
    return ReceiptDetail.told(found)


async def print_mine(call: Call[None, PaperQuery]) -> Reply:
    """GET /api/v1/payments/{payment_id}/receipt/paper."""
    found = await receipts.of_resident(call.res.db, call.principal.scope, order_id=call.ids["payment_id"])
    return await printing.reply(
        call.res.settings, papers.of_receipt(found), call.query, file_name=f"receipt-{found.number}"
    )


_RECEIPT = "/api/v1/payments/{payment_id}/receipt"
_ERRORS = (Unauthenticated, Forbidden, NotFound)

ROUTES = (
    Route("GET", _RECEIPT, show, RESIDENT, "收据：自己的支付或自己房屋的缴费", answer=ReceiptDetail, errors=_ERRORS),
    Route(
        "GET", f"{_RECEIPT}/paper", print_mine, RESIDENT, "打印收据：网页或 PDF",
        query=PaperQuery, errors=(*_ERRORS, Unavailable), rate=printing.RATE,
    ),
)  # fmt: skip
