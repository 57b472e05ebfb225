"""What owner, family and tenant may do with a house (D1), as data."""

from enum import StrEnum

from backend.kernel.auth import Tie, TieRole
from backend.kernel.errors import Forbidden


class Right(StrEnum):
    """The columns of the table in D1. `OWN` rights reach only what names the person."""

    BILLS_ALL = "bills.all"
    BILLS_OWN = "bills.own"
    PAY_ALL = "pay.all"
    PAY_OWN = "pay.own"
    TICKETS_ALL = "tickets.all"
    TICKETS_OWN = "tickets.own"
    VISITORS = "visitors"
    VEHICLES = "vehicles"
    VEHICLES_BY_LEAVE = "vehicles.by_leave"
    VOTES = "votes"
    MEMBERS = "members"
    EXPORT_HOUSE = "export.house"
    EXPORT_OWN = "export.own"


RIGHTS: dict[TieRole, frozenset[Right]] = {
    "owner": frozenset(Right) - {Right.VEHICLES_BY_LEAVE},
    "family": frozenset(
        {
            Right.BILLS_ALL, Right.BILLS_OWN, Right.PAY_ALL, Right.PAY_OWN, Right.TICKETS_ALL, Right.TICKETS_OWN,
            Right.VISITORS, Right.VEHICLES, Right.EXPORT_OWN,
        }
    ),
    "tenant": frozenset(
        {
            Right.BILLS_OWN, Right.PAY_OWN, Right.TICKETS_OWN, Right.VISITORS, Right.VEHICLES_BY_LEAVE,
            Right.EXPORT_OWN,
        }
    ),
}  # fmt: skip


def require(tie: Tie, right: Right) -> None:
    """Forbidden `right_required` unless the tie's role has `right`."""
    if right not in RIGHTS[tie.role]:
        raise Forbidden("只有业主可以进行此操作。", code="right_required")
