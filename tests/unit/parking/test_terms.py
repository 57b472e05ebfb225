"""Months of cards by the calendar (D8)."""

from datetime import date

import pytest

from backend.parking.cards.terms import months_later


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2026, 9, 1), 1, date(2026, 10, 1)),
        (date(2026, 12, 15), 1, date(2027, 1, 15)),
        (date(2026, 8, 31), 6, date(2027, 2, 28)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2026, 5, 31), 36, date(2029, 5, 31)),
    ],
)
def test_a_month_goes_to_the_same_day_or_the_last_one(day: date, months: int, later: date) -> None:
    assert months_later(day, months) == later


def test_a_short_february_takes_nothing_from_the_months_that_follow() -> None:
    february = months_later(date(2026, 1, 31), 1, anchor_day=31)
    assert february == date(2026, 2, 28)
    assert months_later(february, 1, anchor_day=31) == date(2026, 3, 31) == months_later(date(2026, 1, 31), 2)
