"""A stay cut into pieces, each within one window, one date and one day of the cap, in Asia/Shanghai.

Instants are whole seconds since 1970 of the clock in Shanghai: parts of a second are dropped, at the entry and at the
exit alike. Shanghai has been UTC+8 without summer time since 1991, so that days and windows are plain arithmetic.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from backend.parking.prices.tariff import DayBy, Tariff
from backend.parking.prices.timetable import DAY_S, Band
from backend.property.calendars import DayKind

SHANGHAI_S = 8 * 3_600
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = date(1970, 1, 1).toordinal()
ONE_SECOND = timedelta(seconds=1)

Kinds = Callable[[date], DayKind]
Span = tuple[int, int]


class Piece(NamedTuple):
    """Seconds [starts_s, ends_s) in `band`.

    `occurrence` numbers the windows as they come; a window that goes on over midnight keeps its number. `day` numbers
    the days of the cap; it is 0 where the tariff knows none.
    """

    starts_s: int
    ends_s: int
    band: Band
    occurrence: int
    day: int


@dataclass(frozen=True, slots=True)
class Presence:
    """When the car was there: spans in order, the last one the present stay, which may still go on."""

    spans: tuple[Span, ...]

    @property
    def total_s(self) -> int:
        return sum(ends_s - starts_s for starts_s, ends_s in self.spans)

    @property
    def before_s(self) -> int:
        """Seconds of the stays before the present one."""
        return sum(ends_s - starts_s for starts_s, ends_s in self.spans[:-1])

    def first(self, seconds: int) -> "Presence":
        """The car leaves for good after that many seconds of being there."""
        kept = []
        for starts_s, ends_s in self.spans:
            kept.append((starts_s, min(ends_s, starts_s + seconds)))
            seconds -= ends_s - starts_s
            if seconds <= 0:
                break
        return Presence(tuple(kept))

    def after(self, seconds: int) -> "Presence":
        """Without the first seconds of being there; they may be more than there were so far."""
        for number, (starts_s, ends_s) in enumerate(self.spans[:-1]):
            if seconds < ends_s - starts_s:
                return Presence(((starts_s + seconds, ends_s), *self.spans[number + 1 :]))
            seconds -= ends_s - starts_s
        starts_s, ends_s = self.spans[-1]
        return Presence(((starts_s + seconds, max(ends_s, starts_s + seconds)),))


def seconds(instant: datetime) -> int:
    """An aware instant as whole seconds of the clock in Shanghai; TypeError for a naive one."""
    return (instant - EPOCH) // ONE_SECOND + SHANGHAI_S


def instant(at_s: int) -> datetime:
    """The aware UTC instant of a second in Shanghai."""
    return EPOCH + timedelta(seconds=at_s - SHANGHAI_S)


def date_of(at_s: int) -> date:
    """The date in Shanghai."""
    return date.fromordinal(at_s // DAY_S + EPOCH_DAY)


def pieces(
    tariff: Tariff, *, entered_s: int, starts_s: int, ends_s: int, marks: Sequence[int], day_kind: Kinds
) -> Iterator[Piece]:
    """The time from `starts_s` to the midnight after `ends_s`, cut also at each of `marks`.

    `entered_s` is where the first rolling day begins. The cost is per window, not per minute.
    """
    table = tariff.timetable
    by = tariff.day.by if tariff.day else None
    band: Band | None = None
    at, occurrence, day = starts_s, 0, 0
    while at < ends_s:
        number = at // DAY_S
        for hours in table[day_kind(date.fromordinal(number + EPOCH_DAY))]:
            end = number * DAY_S + hours.ends_s
            if end <= at:
                continue
            if hours.band is not band or hours.starts_s:
                band, occurrence = hours.band, occurrence + 1
            while at < end:
                stop = end
                if by is DayBy.CALENDAR:
                    day = number
                elif by is DayBy.ROLLING:
                    day = (at - entered_s) // DAY_S
                    stop = min(stop, entered_s + (day + 1) * DAY_S)
                for mark in marks:
                    if at < mark < stop:
                        stop = mark
                yield Piece(at, stop, band, occurrence, day)
                at = stop
