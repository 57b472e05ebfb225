"""What of paid repairs takes a second person (S3, design principle 9)."""

from collections.abc import Mapping

from backend.kernel.approvals import ApprovalKind
from backend.tickets.paid import costs, price_list, stocktaking, waivers

APPROVALS: Mapping[str, ApprovalKind] = {
    price_list.KIND: ApprovalKind("ticket.price_approve", price_list.apply),
    stocktaking.KIND: ApprovalKind("ticket.stock_approve", stocktaking.apply),
    waivers.KIND: ApprovalKind("ticket.waive_approve", waivers.apply),
    costs.KIND: ApprovalKind("ticket.cost_approve", costs.apply, costs.drop),
}
