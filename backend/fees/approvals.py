"""What in fees takes two people: a price, and voiding a bill (S3, design principle 9)."""

from collections.abc import Mapping

from backend.fees import bills, prices
from backend.kernel.approvals import ApprovalKind

APPROVALS: Mapping[str, ApprovalKind] = {
    prices.KIND: ApprovalKind("fees.price_approve", prices.apply),
    bills.VOID_KIND: ApprovalKind("fees.void_approve", bills.apply_void),
}
