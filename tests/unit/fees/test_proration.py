"""Periods and proration: whole months by calendar, head and tail days over the days of that month (D2)."""

from datetime import date, timedelta
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.fees import periods, proration
from backend.fees.periods import Anchor, Cycle, Period
from backend.fees.proration import Rate

DAYS = st.dates(date(2023, 1, 1), date(2032, 12, 31))
ONE = UUID(int=1)
TWO = UUID(int=2)

MONTHS = [
    (date(2026, 9, 1), date(2026, 10, 1), Fraction(1)),
    (date(2026, 9, 11), date(2026, 10, 1), Fraction(20, 30)),
    (date(2026, 9, 1), date(2026, 9, 11), Fraction(10, 30)),
    (date(2026, 9, 10), date(2026, 9, 20), Fraction(10, 30)),
    (date(2026, 8, 31), date(2026, 9, 2), Fraction(1, 31) + Fraction(1, 30)),
    (date(2028, 2, 15), date(2028, 3, 1), Fraction(15, 29)),
    (date(2027, 2, 15), date(2027, 3, 1), Fraction(14, 28)),
    (date(2026, 12, 31), date(2027, 1, 1), Fraction(1, 31)),
    (date(2026, 11, 16), date(2027, 2, 10), Fraction(15, 30) + 2 + Fraction(9, 28)),
    (date(2026, 1, 1), date(2027, 1, 1), Fraction(12)),
]


@pytest.mark.parametrize(("starts_on", "ends_on", "months"), MONTHS)
def test_worked_table_of_months(starts_on: date, ends_on: date, months: Fraction) -> None:
    assert proration.span(starts_on, ends_on).months == months


@given(st.lists(DAYS, min_size=3, max_size=3, unique=True).map(sorted))
def test_parts_of_a_stretch_add_up_to_the_whole(days: list[date]) -> None:
    first, middle, last = days
    whole = proration.span(first, last).months
    assert proration.span(first, middle).months + proration.span(middle, last).months == whole


@given(DAYS)
def test_the_days_of_a_month_add_up_to_one(day: date) -> None:
    first = day.replace(day=1)
    end = periods.add_months(first, 1)
    days = [first + timedelta(days=n) for n in range((end - first).days)]
    assert sum(proration.span(each, each + timedelta(days=1)).months for each in days) == 1


def test_no_day_is_no_span() -> None:
    with pytest.raises(ValueError, match="no day"):
        proration.span(date(2026, 9, 1), date(2026, 9, 1))


def test_a_price_change_splits_at_its_date() -> None:
    rates = [Rate(ONE, 1, date(2026, 1, 1), date(2026, 9, 16)), Rate(TWO, 2, date(2026, 9, 16), None)]
    found = proration.segments(date(2026, 9, 11), date(2026, 10, 1), rates)
    assert found is not None
    assert [(part.rate.version_id, part.span.months) for part in found] == [
        (ONE, Fraction(5, 30)),
        (TWO, Fraction(15, 30)),
    ]


@pytest.mark.parametrize(
    "rates",
    [
        [],
        [Rate(ONE, 1, date(2026, 9, 2), None)],
        [Rate(ONE, 1, date(2026, 1, 1), date(2026, 9, 30))],
        [Rate(ONE, 1, date(2026, 1, 1), date(2026, 9, 5)), Rate(TWO, 2, date(2026, 9, 6), None)],
    ],
)
def test_a_day_without_a_price_gives_no_segments(rates: list[Rate]) -> None:
    assert proration.segments(date(2026, 9, 1), date(2026, 10, 1), rates) is None


def _cycle(months: int = 1, **over: object) -> Cycle:
    known = {
        "anchor": Anchor.CALENDAR,
        "one_off": False,
        "prepaid": True,
        "lead_days": 0,
        "due_days": 30,
        "valid_from": date(2020, 1, 1),
    }
    return Cycle(months=months, valid_until=None, **{**known, **over})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("months", "first", "end"),
    [
        (1, date(2026, 11, 1), date(2026, 12, 1)),
        (2, date(2026, 11, 1), date(2027, 1, 1)),
        (3, date(2026, 10, 1), date(2027, 1, 1)),
        (6, date(2026, 7, 1), date(2027, 1, 1)),
        (12, date(2026, 1, 1), date(2027, 1, 1)),
    ],
)
def test_periods_are_aligned_with_the_year(months: int, first: date, end: date) -> None:
    assert _cycle(months).containing(date(2026, 11, 30)) == Period(first, end)


def test_a_prepaid_run_is_due_before_its_period_and_a_postpaid_one_after_it() -> None:
    period = Period(date(2026, 9, 1), date(2026, 10, 1))
    assert _cycle(lead_days=5).issue_on(period) == date(2026, 8, 27)
    assert _cycle(prepaid=False).issue_on(period) == date(2026, 10, 1)
    assert _cycle().due_on(period, made_on=date(2026, 8, 20)) == date(2026, 10, 1)
    assert _cycle().due_on(period, made_on=date(2026, 9, 20)) == date(2026, 10, 20)


def test_all_missed_periods_are_to_be_issued_oldest_first() -> None:
    found = list(_cycle(lead_days=10).to_be_issued(since=date(2026, 9, 1), until=date(2026, 12, 22)))
    assert [period.starts_on for period in found] == [date(2026, month, 1) for month in (10, 11, 12)] + [
        date(2027, 1, 1)
    ]
    once = _cycle(one_off=True, valid_from=date(2026, 9, 15))
    assert list(once.to_be_issued(since=date(2026, 9, 1), until=date(2026, 9, 14))) == []
    assert [p.starts_on for p in once.to_be_issued(since=date(2026, 9, 1), until=date(2027, 9, 14))] == [
        date(2026, 9, 15)
    ]


def test_a_year_from_handover_begins_on_its_day_and_counts_twelve_months() -> None:
    cycle = _cycle(12, anchor=Anchor.HANDOVER)
    september = cycle.containing(date(2026, 9, 20))
    assert september == Period(date(2026, 9, 1), date(2026, 10, 1))
    years = list(cycle.years_of_houses(september))
    assert len(years) == 30
    assert years[10] == Period(date(2026, 9, 11), date(2027, 9, 11))
    assert all(proration.span(year.starts_on, year.ends_on).months == 12 for year in years)
    leap = list(cycle.years_of_houses(cycle.containing(date(2028, 2, 1))))
    assert leap[-1] == Period(date(2028, 2, 29), date(2029, 2, 28))


@pytest.mark.parametrize(
    ("starts_on", "ends_on", "text"),
    [
        (date(2026, 9, 1), date(2026, 10, 1), "2026年9月"),
        (date(2026, 7, 1), date(2026, 10, 1), "2026年7月至9月"),
        (date(2026, 1, 1), date(2027, 1, 1), "2026年"),
        (date(2026, 11, 1), date(2027, 2, 1), "2026年11月至2027年1月"),
        (date(2026, 9, 10), date(2026, 10, 1), "2026年9月10日至9月30日"),
        (date(2026, 12, 20), date(2027, 1, 5), "2026年12月20日至2027年1月4日"),
        (date(2026, 9, 5), date(2026, 9, 6), "2026年9月5日"),
    ],
)
def test_periods_read_as_people_write_them(starts_on: date, ends_on: date, text: str) -> None:
    assert periods.text(starts_on, ends_on) == text
