"""What an order can pay: kind → how it is locked and priced, marked paid, and taken back (design section 2).

The only place where payments reaches the nouns that issue bills; those never learn that channels exist.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from backend.fees import payable as bills
from backend.fees import prepaid
from backend.fees.payable import AlreadyPaid, Priced
from backend.kernel.auth import HouseScope
from backend.kernel.db import Part, Tx
from backend.parking import payable as stays
from backend.parking.cards import payable as cards
from backend.tickets.paid import payable as repairs

__all__ = ["PAYABLES", "AlreadyPaid", "Kind", "Payable", "Priced", "Wish"]

Line = tuple[UUID, UUID, int, int]
"""(line id, payable id, principal_fen, late_fee_fen)."""


class Kind(StrEnum):
    """Kinds of things that can be paid; the CHECK of payment_line holds the same list."""

    BILL = "bill"
    PREPAID = "prepaid"
    PARKING = "parking"
    PARKING_CARD = "parking_card"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True)
class Wish:
    """One thing to be paid. `amount_fen` None: all that is due; else the payer's choice, checked under lock (I-06)."""

    kind: Kind
    payable_id: UUID
    amount_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Payable:
    """One kind.

    `lock_and_price(tx, scope, wanted)` takes payable id → chosen amount or None, locks the rows in id order and says
    what each costs now; NotFound for what the scope does not reach (None: staff, paper codes). `apply_paid(tx, lines=…,
    clearing_account=…)` marks all of the lines paid and posts them, or raises AlreadyPaid and leaves all as it was.
    `paid_along` of the same arguments, where there is one, is what `apply_paid` does as a part of another statement.
    `apply_refunded(tx, lines=…, clearing_account=…)` takes lines back that were paid; a line is named by its row in
    refund_line. Raises Conflict `not_refundable` and leaves all as it was. `lock_refundable(tx, lines=…)` is called
    when a refund is asked for, before its refund lines are written, where what was paid may be spent meanwhile (prepaid
    money); it raises the same and holds its rows.
    """

    lock_and_price: Callable[[Tx, HouseScope | None, Mapping[UUID, int | None]], Awaitable[list[Priced]]]
    apply_paid: Callable[..., Awaitable[None]]
    apply_refunded: Callable[..., Awaitable[None]]
    paid_along: Callable[..., Part] | None = None
    lock_refundable: Callable[..., Awaitable[None]] | None = None


PAYABLES: Mapping[Kind, Payable] = {
    Kind.BILL: Payable(bills.lock_and_price, bills.apply_paid, bills.apply_refunded, paid_along=bills.paid_along),
    Kind.PREPAID: Payable(
        prepaid.lock_and_price, prepaid.apply_paid, prepaid.apply_refunded, lock_refundable=prepaid.lock_refundable
    ),
    Kind.PARKING: Payable(stays.lock_and_price, stays.apply_paid, stays.apply_refunded),
    Kind.PARKING_CARD: Payable(cards.lock_and_price, cards.apply_paid, cards.apply_refunded),
    Kind.TICKET: Payable(repairs.lock_and_price, repairs.apply_paid, repairs.apply_refunded),
}


async def lock_and_price(tx: Tx, scope: HouseScope | None, wishes: Sequence[Wish]) -> list[tuple[Kind, Priced]]:
    """Lock and price things of several kinds, always in one order, so that two payers wait and do not deadlock."""
    priced: list[tuple[Kind, Priced]] = []
    for kind in sorted({wish.kind for wish in wishes}):
        wanted = {wish.payable_id: wish.amount_fen for wish in wishes if wish.kind is kind}
        priced.extend((kind, each) for each in await PAYABLES[kind].lock_and_price(tx, scope, wanted))
    return priced
