"""What is due for a stay (应付停车费): its prices, the card that covers it, the visits that count as one with it,
its coupons (D8).

Promises: the same stay has the same amount however often it is asked for; what a price does not depend on is not read.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from backend.kernel.clock import local_date, start_of_day
from backend.kernel.db import Record, Tx
from backend.parking.prices import coupon_uses, day_notes, pricing, reentries, tariffs
from backend.parking.prices.pricing import Price
from backend.parking.prices.tariff import Tariff
from backend.parking.states import Overstay
from backend.property import calendars
from backend.property.calendars import WEEKDAYS, Calendar


@dataclass(frozen=True, slots=True)
class Due:
    """What is due for a stay at an instant: nothing of `total_fen` where a card or a list covers it."""

    total_fen: int
    paid_fen: int
    price: Price | None
    tariff_id: UUID | None

    @property
    def open_fen(self) -> int:
        """What is still to be paid."""
        return max(0, self.total_fen - self.paid_fen)


async def due(tx: Tx, stay: Record, *, at: datetime) -> Due:
    """What is due for a locked stay if the car leaves at `at`.

    A card covers the days that it reaches; what comes after, until a card that had lapsed is renewed, is priced like
    any stay that begins then. A lot without a tariff costs nothing.
    """
    kept_fen = stay["paid_fen"] - stay["refunded_fen"]
    since, at = _charged_since(stay, at), _charged_until(stay, at)
    if since is None or stay["white"] or stay["tariff_id"] is None or since >= at:
        return Due(0, kept_fen, None, stay["tariff_id"])
    tariff = tariffs.parsed(stay["tariff_id"], stay["document"])
    coupons = await coupon_uses.of_stay(tx, stay)
    calendar = await _calendar(tx, stay, tariff, since=since, at=at)
    price = pricing.price(
        tariff, entered_at=since, left_at=at, day_kind=calendar.kind, coupons=coupons,
        earlier=await reentries.before(tx, stay, tariff, entered_at=since),
    )  # fmt: skip
    if tariff.kinds_apart:
        notes = day_notes.of_stay(calendar, entered_at=since, left_at=at)
        price = replace(price, lines=(*notes, *price.lines))
    return Due(price.amount_fen, kept_fen, price, stay["tariff_id"])


async def _calendar(tx: Tx, stay: Record, tariff: Tariff, *, since: datetime, at: datetime) -> Calendar:
    """The calendar where the price depends on it, with the years of earlier visits and of the month to come."""
    if not tariff.kinds_apart:
        return WEEKDAYS
    years = range(local_date(since).year - 1, local_date(at).year + 2)
    return await calendars.of_community(tx, stay["community_id"], years=years)


def _charged_since(stay: Record, at: datetime) -> datetime | None:
    """From when on a stay is charged; None where its card has no end or no entry is known."""
    entered: datetime | None = stay["entered_at"]
    if stay["card_id"] is None or entered is None:
        return entered
    ends_on: date | None = stay["card_ends_on"]
    if not stay["card_known"]:
        return entered
    if ends_on is None:
        return None
    ends_at = start_of_day(ends_on)
    if stay["visitor_ends_at"] is not None:
        ends_at = min(ends_at, stay["visitor_ends_at"])
        if stay["visitor_overstay"] == Overstay.ENTRY and at > ends_at:
            return entered
    return max(entered, ends_at)


def _charged_until(stay: Record, at: datetime) -> datetime:
    """Until when a stay is charged: a card that begins during it covers what follows."""
    begins_on: date | None = stay["card_next_on"]
    return at if begins_on is None else min(at, start_of_day(begins_on))
