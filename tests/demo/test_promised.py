"""The player's own arithmetic of promised times, worked by hand (D9)."""

from datetime import date, datetime, timedelta, timezone

import pytest

from demo.promised import Calendar

SHANGHAI = timezone(timedelta(hours=8))
# National Day of 2026: off from Thursday 1 to Wednesday 7 October, at work on Saturday 10.
CALENDAR = Calendar(frozenset(date(2026, 10, n) for n in range(1, 8)), frozenset({date(2026, 10, 10)}))


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("start", "minutes", "due"),
    [
        ("2026-09-28T10:30:20", 30, "2026-09-28T11:00:20"),
        ("2026-09-28T12:40:00", 30, "2026-09-28T14:30:00"),
        ("2026-09-28T11:45:00", 15, "2026-09-28T12:00:00"),
        ("2026-09-28T17:50:00", 240, "2026-09-29T14:20:00"),
        ("2026-09-30T17:50:00", 30, "2026-10-08T08:50:00"),
        ("2026-10-09T18:00:00", 960, "2026-10-13T09:30:00"),
    ],
)
def test_working_minutes_pass_over_lunch_nights_and_holidays(start: str, minutes: int, due: str) -> None:
    assert CALENDAR.in_minutes(_at(start), minutes) == _at(due)


@pytest.mark.parametrize(
    ("start", "count", "due"),
    [
        ("2026-09-28T08:00:00", 1, "2026-09-29T18:00:00"),
        ("2026-09-30T09:00:00", 3, "2026-10-10T18:00:00"),
        ("2026-10-10T09:00:00", 1, "2026-10-12T18:00:00"),
    ],
)
def test_working_days_count_from_the_day_after_and_end_with_the_work(start: str, count: int, due: str) -> None:
    assert CALENDAR.in_days(_at(start), count) == _at(due)
