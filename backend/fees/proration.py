"""Proration (按天折算): how many months a stretch of days counts, as an exact fraction, split where the price changes.

Whole calendar months count 1; the days of a month that is not whole count days over the days of that month (D2). So
parts add up: the months of [a, b) and [b, c) are those of [a, c).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from uuid import UUID

from backend.fees.periods import add_months, days_of_month


@dataclass(frozen=True, slots=True)
class Rate:
    """A price version: `rate_micro` millionths of a yuan per m² and month, or per month, on [since, until)."""

    version_id: UUID
    rate_micro: int
    since: date
    until: date | None


@dataclass(frozen=True, slots=True)
class Span:
    """Days [starts_on, ends_on) as whole months, days before the first of them and days after the last."""

    starts_on: date
    ends_on: date
    whole_months: int
    head_days: int
    head_of: int
    tail_days: int
    tail_of: int

    @property
    def months(self) -> Fraction:
        """The months that the span counts."""
        return self.whole_months + Fraction(self.head_days, self.head_of) + Fraction(self.tail_days, self.tail_of)


@dataclass(frozen=True, slots=True)
class Segment:
    """A span with one price."""

    span: Span
    rate: Rate


def span(starts_on: date, ends_on: date) -> Span:
    """Count the days [starts_on, ends_on); ValueError when there are none."""
    if ends_on <= starts_on:
        raise ValueError(f"no day from {starts_on} to {ends_on}")
    first_whole = starts_on if starts_on.day == 1 else add_months(starts_on, 1)
    head_days = (min(first_whole, ends_on) - starts_on).days
    last_first = ends_on.replace(day=1)
    whole = max(0, (last_first.year - first_whole.year) * 12 + last_first.month - first_whole.month)
    tail_days = (ends_on - last_first).days if ends_on > first_whole else 0
    return Span(starts_on, ends_on, whole, head_days, days_of_month(starts_on), tail_days, days_of_month(ends_on))


def segments(starts_on: date, ends_on: date, rates: Sequence[Rate]) -> tuple[Segment, ...] | None:
    """The days [starts_on, ends_on) split where the price changes; None where a day has no price.

    `rates` are in order of time and do not overlap (the database excludes it).
    """
    found, day = [], starts_on
    for rate in rates:
        end = ends_on if rate.until is None else min(rate.until, ends_on)
        if rate.since <= day < end:
            found.append(Segment(span(day, end), rate))
            day = end
    return tuple(found) if found and day == ends_on else None
