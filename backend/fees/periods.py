"""Billing periods (计费周期): which days a run and its bills cover, when it is due to be made, how people write it.

Periods of n months are aligned with the calendar year. Years may also be counted from each house's handover: a run then
takes the houses whose year begins in its month, and each bill has a year of its own (`Cycle.years_of_houses`). Dates
are those of Asia/Shanghai; an end is the first day after.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Days from `starts_on` up to, and without, `ends_on`."""

    starts_on: date
    ends_on: date


class Anchor(StrEnum):
    """From where periods are counted: the calendar year, or each house's handover (交付日)."""

    CALENDAR = "calendar"
    HANDOVER = "handover"


@dataclass(frozen=True, slots=True)
class Cycle:
    """How an item's periods lie: `one_off` has the one day `valid_from` for its only period."""

    anchor: Anchor
    months: int
    one_off: bool
    prepaid: bool
    lead_days: int
    due_days: int
    valid_from: date
    valid_until: date | None

    def containing(self, day: date) -> Period:
        """The period of the run in which `day` lies; a one-off item has but one."""
        if self.one_off:
            return Period(self.valid_from, self.valid_from + ONE_DAY)
        months = 1 if self.anchor is Anchor.HANDOVER else self.months
        first = date(day.year, (day.month - 1) // months * months + 1, 1)
        return Period(first, add_months(first, months))

    def years_of_houses(self, period: Period) -> Iterator[Period]:
        """For years from handover: the years that begin on a day of the run's `period`."""
        for n in range((period.ends_on - period.starts_on).days):
            day = period.starts_on + n * ONE_DAY
            yield Period(day, anniversary(day, day.year + 1))

    def billed(self, period: Period) -> Period:
        """From the first to the last day that bills of a run may cover."""
        if self.anchor is Anchor.CALENDAR:
            return period
        return Period(period.starts_on, add_months(period.ends_on, self.months))

    def covers(self, period: Period) -> bool:
        """Whether any day that a run of `period` bills is within the item's validity."""
        days = self.billed(period)
        return self.valid_from < days.ends_on and (self.valid_until is None or days.starts_on < self.valid_until)

    def issue_on(self, period: Period) -> date:
        """The day on which a run of `period` is to be made: `lead_days` before its start (prepaid) or its end."""
        return (period.starts_on if self.prepaid else self.billed(period).ends_on) - timedelta(days=self.lead_days)

    def due_on(self, period: Period, *, made_on: date) -> date:
        """The last day to pay: `due_days` after the start or end of the period, or after the run if that is late."""
        basis = period.starts_on if self.prepaid else self.billed(period).ends_on
        return max(basis, made_on) + timedelta(days=self.due_days)

    def to_be_issued(self, *, since: date, until: date) -> Iterator[Period]:
        """The periods whose `issue_on` lies within [since, until], oldest first."""
        period = self.containing(max(self.valid_from, since - timedelta(days=32 * self.months)))
        while self.covers(period) and self.issue_on(period) <= until:
            if self.issue_on(period) >= since:
                yield period
            if self.one_off:
                return
            period = self.containing(period.ends_on)


def add_months(first: date, months: int) -> date:
    """The first day of the month `months` after that of `first`."""
    index = first.year * 12 + first.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def anniversary(day: date, year: int) -> date:
    """The same day in `year`; 29 February becomes the 28th where there is none."""
    if (day.month, day.day) == (2, 29) and days_of_month(date(year, 2, 1)) == 28:
        return date(year, 2, 28)
    return day.replace(year=year)


def days_of_month(day: date) -> int:
    """How many days the month of `day` has."""
    return (add_months(day, 1) - day.replace(day=1)).days


def text(starts_on: date, ends_on: date) -> str:
    """A period as people write it: 2026年, 2026年9月, 2026年7月至9月, 2026年9月10日至9月30日."""
    last = ends_on - ONE_DAY
    if starts_on.day == 1 and ends_on.day == 1:
        return _months_text(starts_on, last)
    begin = f"{starts_on.year}年{starts_on.month}月{starts_on.day}日"
    if starts_on == last:
        return begin
    year = "" if last.year == starts_on.year else f"{last.year}年"
    return f"{begin}至{year}{last.month}月{last.day}日"


def _months_text(first: date, last: date) -> str:
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.year}年{first.month}月"
    if first.year != last.year:
        return f"{first.year}年{first.month}月至{last.year}年{last.month}月"
    if (first.month, last.month) == (1, 12):
        return f"{first.year}年"
    return f"{first.year}年{first.month}月至{last.month}月"
