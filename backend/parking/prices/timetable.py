"""A tariff made ready for computing: prices in seconds of the day, windows and segments with their words.

Promises: windows that say the same in several kinds of days are one `Band`, so that a night which is charged alike on
both sides of midnight is one night.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from backend.property.calendars import DayKind

MINUTE_S = 60
HOUR_MIN = 60
DAY_MIN = 24 * HOUR_MIN
DAY_S = DAY_MIN * MINUTE_S

KIND_TEXT = {DayKind.WORKING_DAY: "工作日", DayKind.WEEKEND: "周末", DayKind.HOLIDAY: "节假日"}


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A segment: units of `unit_s` seconds that start at [starts_s, ends_s) of the counted time cost `price_fen` each.

    The last segment of a window has no end: None.
    """

    starts_s: int
    ends_s: int | None
    unit_s: int
    price_fen: int
    cap_fen: int | None
    text: str
    unit_text: str


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """A window of the day with its prices; compared by identity."""

    text: str
    steps: tuple[Step, ...]
    cap_fen: int | None
    entry_fen: int

    def step(self, counted_s: int) -> Step | None:
        """The segment of a unit that starts after `counted_s` seconds; None where time costs nothing."""
        for step in self.steps:
            if step.ends_s is None or counted_s < step.ends_s:
                return step
        return None


@dataclass(frozen=True, slots=True)
class Hours:
    """Seconds [starts_s, ends_s) of a day that belong to `band`."""

    starts_s: int
    ends_s: int
    band: Band


# The hours of each kind of day, in order, from the first second to the last.
Timetable = Mapping[DayKind, tuple[Hours, ...]]


def span_text(minutes: int) -> str:
    """`90` as `90 分钟`, `120` as `2 小时`."""
    hours, rest = divmod(minutes, HOUR_MIN)
    return f"{minutes} 分钟" if rest or not hours else f"{hours} 小时"


def segment_text(from_min: int, to_min: int | None) -> str:
    """`首小时内`, `前 2 小时内`, `1 小时后`, `1 小时后至 2 小时内`; nothing for a price that never changes."""
    if from_min == 0:
        if to_min is None:
            return ""
        return "首小时内" if to_min == HOUR_MIN else f"前 {span_text(to_min)}内"
    after = "首小时后" if from_min == HOUR_MIN else f"{span_text(from_min)}后"
    return after if to_min is None else f"{after}至 {span_text(to_min)}内"
