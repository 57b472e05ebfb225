"""Parking coupons (停车优惠券): what they take off the price of a stay, in which order, and which may go together (D8).

The order is fixed: minutes first, as they shorten the time that is charged; then money and percent by `order` and id;
then a free exit. An exclusive coupon is used alone; of all that may be done, what costs the driver least is done, and
on a tie the coupons that go together. Each step only lowers what is left, never below 0, and keeps the price from
falling with time (a minutes coupon after a percent coupon would not). A coupon that would take nothing off is not used.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

HUNDRED = 100


class CouponKind(StrEnum):
    """抵时长, 抵金额, 折扣, 免费放行."""

    MINUTES = "minutes"
    MONEY = "money"
    PERCENT = "percent"
    FREE = "free"


_TURN = {CouponKind.MINUTES: 0, CouponKind.MONEY: 1, CouponKind.PERCENT: 1, CouponKind.FREE: 2}


@dataclass(frozen=True, slots=True)
class Coupon:
    """`value` is minutes, fen, or percent taken off (20 is 八折); 0 for a free exit. ValueError for what is neither."""

    id: str
    kind: CouponKind
    value: int = 0
    order: int = 0
    exclusive: bool = False

    def __post_init__(self) -> None:
        sound = {
            CouponKind.MINUTES: self.value >= 1,
            CouponKind.MONEY: self.value >= 1,
            CouponKind.PERCENT: 1 <= self.value <= HUNDRED,
            CouponKind.FREE: self.value == 0,
        }
        if not sound[self.kind]:
            raise ValueError(f"a coupon of kind {self.kind} has no value {self.value}")


@dataclass(frozen=True, slots=True)
class Use:
    """A coupon and what it takes off, in fen, above 0."""

    coupon: Coupon
    off_fen: int


def choose(coupons: Sequence[Coupon], due_fen: int, worth_fen: Callable[[int], int]) -> tuple[Use, ...]:
    """What the coupons take off `due_fen`; `worth_fen(minutes)` is the price of the first minutes that are charged."""
    if not coupons or not due_fen:
        return ()
    ordered = sorted(coupons, key=lambda coupon: (_TURN[coupon.kind], coupon.order, coupon.id))
    choices = [[coupon for coupon in ordered if not coupon.exclusive]]
    choices += [[coupon] for coupon in ordered if coupon.exclusive]
    return max((_apply(choice, due_fen, worth_fen) for choice in choices), key=_off_fen)


def _apply(coupons: Sequence[Coupon], due_fen: int, worth_fen: Callable[[int], int]) -> tuple[Use, ...]:
    uses, left_fen, minutes, worth_before_fen = [], due_fen, 0, 0
    for coupon in coupons:
        if coupon.kind is CouponKind.MINUTES:
            minutes += coupon.value
            worth = worth_fen(minutes)
            off_fen, worth_before_fen = worth - worth_before_fen, worth
        elif coupon.kind is CouponKind.MONEY:
            off_fen = coupon.value
        elif coupon.kind is CouponKind.PERCENT:
            # What remains is rounded down to the fen, in the driver's favour.
            off_fen = left_fen - left_fen * (HUNDRED - coupon.value) // HUNDRED
        else:
            off_fen = left_fen
        off_fen = min(off_fen, left_fen)
        if off_fen > 0:
            uses.append(Use(coupon, off_fen))
            left_fen -= off_fen
    return tuple(uses)


def _off_fen(uses: tuple[Use, ...]) -> int:
    return sum(use.off_fen for use in uses)
