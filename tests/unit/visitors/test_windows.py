"""Hours of weekdays in Asia/Shanghai: over midnight, at 00:00 and 24:00, and until when somebody may stay (I-20)."""

from datetime import UTC, date, datetime, timedelta

import pytest

from backend.kernel.clock import SHANGHAI
from backend.visitors import windows
from backend.visitors.windows import Slot

MON, TUE, SUN, WORKDAYS, EVERY_DAY = 1, 2, 64, 0b0011111, 0b1111111
# 2026-09-07 is a Monday.
TICK = timedelta(microseconds=1)


def at(day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    """An instant of September 2026 in Shanghai, as UTC. Day 7 is a Monday."""
    return datetime(2026, 9, day, hour, minute, second, tzinfo=SHANGHAI).astimezone(UTC)


DAY_SHIFT = (Slot(WORKDAYS, 8 * 60, 18 * 60),)
NIGHT_SHIFT = (Slot(MON, 22 * 60, 6 * 60),)
ALL_MONDAY = (Slot(MON, 0, 1440),)
INTO_MIDNIGHT = (Slot(SUN, 20 * 60, 1440),)


@pytest.mark.parametrize(
    ("weekly", "instant", "opens"),
    [
        (None, at(7), True),
        (DAY_SHIFT, at(7, 8), True),
        (DAY_SHIFT, at(7, 8) - TICK, False),
        (DAY_SHIFT, at(7, 18) - TICK, True),
        (DAY_SHIFT, at(7, 18), False),
        (DAY_SHIFT, at(12, 10), False),
        # Over midnight: the slot belongs to Monday and ends on Tuesday morning.
        (NIGHT_SHIFT, at(7, 22) - TICK, False),
        (NIGHT_SHIFT, at(7, 22), True),
        (NIGHT_SHIFT, at(8) - TICK, True),
        (NIGHT_SHIFT, at(8), True),
        (NIGHT_SHIFT, at(8, 6) - TICK, True),
        (NIGHT_SHIFT, at(8, 6), False),
        (NIGHT_SHIFT, at(7, 3), False),
        (NIGHT_SHIFT, at(8, 22), False),
        # 00:00 opens a whole day, 24:00 is the next day's 00:00 and no longer part of it.
        (ALL_MONDAY, at(7) - TICK, False),
        (ALL_MONDAY, at(7), True),
        (ALL_MONDAY, at(8) - TICK, True),
        (ALL_MONDAY, at(8), False),
        (INTO_MIDNIGHT, at(7) - TICK, True),
        (INTO_MIDNIGHT, at(7), False),
        # Sunday's night ends on Monday: the week has no edge.
        ((Slot(SUN, 23 * 60, 60),), at(14, 0, 30), True),
        ((Slot(SUN, 23 * 60, 60),), at(14, 1), False),
    ],
)
def test_i20_a_pattern_opens_in_its_hours_alone(
    weekly: tuple[Slot, ...] | None, instant: datetime, opens: bool
) -> None:
    assert windows.is_open(weekly, instant) is opens


@pytest.mark.parametrize(
    ("weekly", "instant", "until"),
    [
        (None, at(7, 9), at(20)),
        (DAY_SHIFT, at(7, 9), at(7, 18)),
        (NIGHT_SHIFT, at(8, 2), at(8, 6)),
        # Days that follow each other without a gap are one stay, until the window ends.
        ((Slot(EVERY_DAY, 0, 1440),), at(7, 9), at(20)),
        ((Slot(MON, 0, 1440), Slot(TUE, 0, 12 * 60)), at(7, 9), at(8, 12)),
        # A slot that is wider than what is left of the window.
        (DAY_SHIFT, at(18, 9), at(18, 18)),
    ],
)
def test_a_stay_ends_with_the_slot_or_the_window(
    weekly: tuple[Slot, ...] | None, instant: datetime, until: datetime
) -> None:
    assert windows.open_until(at(20), weekly, instant) == until
    assert windows.open_until(at(7, 10), DAY_SHIFT, at(7, 9)) == at(7, 10)


@pytest.mark.parametrize(
    ("weekly", "day", "opens"),
    [
        (None, 12, True),
        (DAY_SHIFT, 7, True),
        (DAY_SHIFT, 12, False),
        (NIGHT_SHIFT, 8, True),
        (NIGHT_SHIFT, 9, False),
        (ALL_MONDAY, 8, False),
    ],
)
def test_whether_a_pattern_opens_on_a_day(weekly: tuple[Slot, ...] | None, day: int, opens: bool) -> None:
    assert windows.opens_on(weekly, date(2026, 9, day)) is opens


@pytest.mark.parametrize(
    ("weekly", "says"),
    [
        ((), "最少 1 段"),
        (DAY_SHIFT * 5, "最多 4 段"),
        ((Slot(0, 0, 60),), "至少要选一天"),
        ((Slot(MON, -1, 60),), "00:00 到 24:00"),
        ((Slot(MON, 60, 1441),), "00:00 到 24:00"),
        ((Slot(MON, 60, 0),), "00:00 到 24:00"),
        ((Slot(MON, 60, 60),), "不能相同"),
        (DAY_SHIFT, None),
    ],
)
def test_a_pattern_that_cannot_be_is_named(weekly: tuple[Slot, ...], says: str | None) -> None:
    found = windows.fault(weekly)
    assert found is None if says is None else found is not None and says in found


def test_rows_and_words_of_a_pattern() -> None:
    pattern = (Slot(0b0000101, 8 * 60, 18 * 60), Slot(SUN, 22 * 60, 6 * 60))
    assert windows.of_row(windows.to_row(pattern)) == pattern
    assert windows.of_row(None) is None and windows.to_row(None) is None
    assert windows.words(pattern) == "周一、周三 08:00–18:00；周日 22:00–次日06:00"
    assert windows.words(None) == "不限"
