"""Holidays and working weekends (D8): what a year says, who knows it, and what is refused."""

from datetime import date

import pytest

from backend.property import calendars
from backend.property.calendars import Calendar, Day, DayKind, Source

ENTERED = Calendar({2027: {date(2027, 10, 1): Day(date(2027, 10, 1), DayKind.HOLIDAY, "国庆节")}})


# As announced by the State Council for 2026, as transcribed by the library.
@pytest.mark.parametrize(
    ("day", "kind", "name"),
    [
        (date(2026, 9, 30), DayKind.WORKING_DAY, None),
        (date(2026, 10, 1), DayKind.HOLIDAY, "国庆节"),
        (date(2026, 10, 3), DayKind.HOLIDAY, "国庆节"),
        (date(2026, 10, 7), DayKind.HOLIDAY, "国庆节"),
        (date(2026, 10, 8), DayKind.WORKING_DAY, None),
        (date(2026, 10, 10), DayKind.WORKING_DAY, "国庆节"),
        (date(2026, 10, 11), DayKind.WEEKEND, None),
        (date(2026, 2, 17), DayKind.HOLIDAY, "春节"),
    ],
)
def test_d8_the_days_of_2026_are_those_that_were_announced(day: date, kind: DayKind, name: str | None) -> None:
    named = calendars.WEEKDAYS.named(day)
    assert (calendars.WEEKDAYS.kind(day), named and named.name) == (kind, name)


def test_d8_a_year_that_was_entered_counts_whole() -> None:
    assert ENTERED.kind(date(2027, 10, 1)) is DayKind.HOLIDAY
    assert ENTERED.kind(date(2027, 10, 2)) is DayKind.WEEKEND
    assert ENTERED.source(2027) is Source.STAFF
    over = Calendar({2026: {date(2026, 10, 1): Day(date(2026, 10, 1), DayKind.HOLIDAY, "国庆节")}})
    assert over.kind(date(2026, 10, 2)) is DayKind.WORKING_DAY


def test_d8_a_year_that_nobody_knows_counts_by_the_weekday_and_says_so() -> None:
    assert calendars.WEEKDAYS.source(2030) is Source.UNKNOWN
    assert calendars.WEEKDAYS.kind(date(2030, 10, 1)) is DayKind.WORKING_DAY
    assert calendars.WEEKDAYS.kind(date(2030, 10, 5)) is DayKind.WEEKEND


def test_d8_administrators_are_told_which_years_to_enter() -> None:
    assert calendars.missing(calendars.WEEKDAYS, today=date(2026, 11, 30)) == []
    assert calendars.missing(calendars.WEEKDAYS, today=date(2026, 12, 1)) == [2027]
    assert calendars.missing(calendars.WEEKDAYS, today=date(2027, 3, 1)) == [2027]
    assert calendars.missing(ENTERED, today=date(2027, 12, 1)) == [2028]
