"""What an order can pay: kind → how it is locked and priced, how it is marked paid (design section 2).

The only place where payments reaches the nouns that issue bills; those never learn that channels exist.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from backend.fees import payable as bills
from backend.fees.payable import AlreadyPaid, Priced
from backend.kernel.auth import HouseScope
from backend.kernel.db import Tx

__all__ = ["PAYABLES", "AlreadyPaid", "Kind", "Payable", "Priced"]

Line = tuple[UUID, UUID, int, int]
"""(line id, payable id, principal_fen, late_fee_fen)."""


class Kind(StrEnum):
    """Kinds of things that can be paid; the CHECK of payment_line holds the same list."""

    BILL = "bill"


@dataclass(frozen=True, slots=True)
class Payable:
    """One kind.

    `lock_and_price(tx, scope, ids)` locks the rows in id order and says what each costs now; NotFound for what the
    scope does not reach. `apply_paid(tx, lines=…, clearing_account=…)` marks all of the lines paid and posts them, or
    raises AlreadyPaid and leaves all as it was.
    """

    lock_and_price: Callable[[Tx, HouseScope, Sequence[UUID]], Awaitable[list[Priced]]]
    apply_paid: Callable[..., Awaitable[None]]


PAYABLES: Mapping[Kind, Payable] = {
    Kind.BILL: Payable(bills.lock_and_price, bills.apply_paid),
}
