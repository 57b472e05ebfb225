"""Billing periods (计费周期): which days a bill covers, when it is due to be made, and how people write it.

Periods of n months are aligned with the calendar year. Dates are those of Asia/Shanghai; an end is the first day after.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Days from `starts_on` up to, and without, `ends_on`."""

    starts_on: date
    ends_on: date


@dataclass(frozen=True, slots=True)
class Cycle:
    """How an item's periods lie: `one_off` has the one day `valid_from` for its only period."""

    months: int
    one_off: bool
    prepaid: bool
    lead_days: int
    due_days: int
    valid_from: date
    valid_until: date | None

    def containing(self, day: date) -> Period:
        """The period in which `day` lies; a one-off item has but one."""
        if self.one_off:
            return Period(self.valid_from, self.valid_from + ONE_DAY)
        first = date(day.year, (day.month - 1) // self.months * self.months + 1, 1)
        return Period(first, add_months(first, self.months))

    def covers(self, period: Period) -> bool:
        """Whether any day of `period` is within the item's validity."""
        return self.valid_from < period.ends_on and (self.valid_until is None or period.starts_on < self.valid_until)

    def issue_on(self, period: Period) -> date:
        """The day on which a run of `period` is to be made: `lead_days` before its start (prepaid) or its end."""
        return (period.starts_on if self.prepaid else period.ends_on) - timedelta(days=self.lead_days)

    def due_on(self, period: Period, *, made_on: date) -> date:
        """The last day to pay: `due_days` after the start or end of the period, or after the run if that is late."""
        return max(period.starts_on if self.prepaid else period.ends_on, made_on) + timedelta(days=self.due_days)

    def to_be_issued(self, *, since: date, until: date) -> Iterator[Period]:
        """The periods whose `issue_on` lies within [since, until], oldest first."""
        period = self.containing(max(self.valid_from, since - timedelta(days=31 * self.months)))
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
