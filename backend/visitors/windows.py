"""When a pass opens: a window of instants, and within it hours of weekdays in Asia/Shanghai (每周时段). Pure (I-20).

A window includes its start and excludes its end. So does a slot; one whose end is not after its start runs over
midnight and ends on the day after, and belongs to the weekday on which it starts. 24:00 is minute 1440, the 00:00 of
the day after. The database holds the same rule, `linli_weekly_open`.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from backend.kernel.clock import SHANGHAI

DAY_MIN = 1440
MAX_SLOTS = 4
EVERY_DAY = 0b1111111
_MINUTE = timedelta(minutes=1)


class Slot(NamedTuple):
    """Hours of weekdays (`days`: bit 0 is Monday) in minutes of the day; an end before the start is the next day's."""

    days: int
    start_min: int
    end_min: int

    @property
    def minutes(self) -> int:
        """How long the slot lasts."""
        return self.end_min - self.start_min + (0 if self.end_min > self.start_min else DAY_MIN)

    def starts_on(self, day: date) -> bool:
        return bool(self.days >> day.weekday() & 1)


Weekly = tuple[Slot, ...]


def is_open(weekly: Weekly | None, at: datetime) -> bool:
    """Whether a weekly pattern is open at an instant; without one it always is."""
    return weekly is None or _ends_at(weekly, at) is not None


def open_until(valid_until: datetime, weekly: Weekly | None, at: datetime) -> datetime:
    """Until when who comes in at `at`, while it is open, may stay: slots without a gap between them are one."""
    if weekly is None:
        return valid_until
    end = at
    while end < valid_until and (further := _ends_at(weekly, end)) is not None:
        end = further
    return min(end, valid_until)


def opens_on(weekly: Weekly | None, day: date) -> bool:
    """Whether a pattern is open at any minute of a day."""
    if weekly is None:
        return True
    before = day - timedelta(days=1)
    return any(slot.starts_on(day) or (slot.starts_on(before) and slot.end_min < slot.start_min) for slot in weekly)


def fault(weekly: Weekly) -> str | None:
    """What is wrong with a pattern that somebody entered, in words for that person."""
    if not 1 <= len(weekly) <= MAX_SLOTS:
        return f"每周时段最少 1 段，最多 {MAX_SLOTS} 段。"
    for slot in weekly:
        if not 1 <= slot.days <= EVERY_DAY:
            return "每个时段至少要选一天。"
        if not 0 <= slot.start_min < DAY_MIN or not 0 < slot.end_min <= DAY_MIN:
            return "时段须在 00:00 到 24:00 之间。"
        if slot.start_min == slot.end_min:
            return "时段的开始和结束不能相同；全天请填 00:00 到 24:00。"
    return None


def words(weekly: Weekly | None) -> str:
    """A pattern for people: `周一、周三 08:00–18:00`."""
    if weekly is None:
        return "不限"
    return "；".join(
        f"{'、'.join(f'周{name}' for bit, name in enumerate('一二三四五六日') if slot.days >> bit & 1)} "
        f"{_clock(slot.start_min)}–{'次日' if slot.end_min < slot.start_min else ''}{_clock(slot.end_min)}"
        for slot in weekly
    )


def to_row(weekly: Weekly | None) -> list[int] | None:
    """The pattern as `visitor_pass.weekly` holds it."""
    return None if weekly is None else [number for slot in weekly for number in slot]


def of_row(numbers: Sequence[int] | None) -> Weekly | None:
    """The pattern that a row holds."""
    if numbers is None:
        return None
    return tuple(Slot(*numbers[first : first + 3]) for first in range(0, len(numbers), 3))


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _ends_at(weekly: Weekly, at: datetime) -> datetime | None:
    """The latest end of the slots that are open at `at`; None where none is."""
    local = at.astimezone(SHANGHAI)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    ends = []
    for days_ago in (0, 1):
        day = midnight - timedelta(days=days_ago)
        for slot in weekly:
            starts = day + slot.start_min * _MINUTE
            ends_at = starts + slot.minutes * _MINUTE
            if slot.starts_on(day.date()) and starts <= local < ends_at:
                ends.append(ends_at)
    return max(ends).astimezone(at.tzinfo) if ends else None
