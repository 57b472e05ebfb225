"""What in fees takes two people: a price, voiding a bill, giving back what it took of prepaid money (S3)."""

from collections.abc import Mapping

from backend.fees import bills, prepaid_returns, prices
from backend.kernel.approvals import ApprovalKind

APPROVALS: Mapping[str, ApprovalKind] = {
    prices.KIND: ApprovalKind("fees.price_approve", prices.apply),
    bills.VOID_KIND: ApprovalKind("fees.void_approve", bills.apply_void),
    prepaid_returns.KIND: ApprovalKind("fees.void_approve", prepaid_returns.apply),
}
