"""The parking tariff (停车收费标准) as data: what a version of a lot's prices for one class of vehicles says (D8).

Promises: a document is read strictly or refused with a sentence for each field; `parse(document(t)) == t`; two
documents that differ only in the order of days or windows are one tariff. What would break a law of prices (an amount
that falls with time or exceeds a cap) cannot be written down: `_conflict` lists it. Money is integer fen.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Self

import orjson
from pydantic import Field, ValidationError, field_validator, model_validator

from backend.kernel import problems
from backend.kernel.errors import Invalid
from backend.kernel.http import Strict
from backend.parking.prices.timetable import (
    DAY_MIN,
    HOUR_MIN,
    KIND_TEXT,
    MINUTE_S,
    Band,
    Hours,
    Step,
    Timetable,
    segment_text,
    span_text,
)
from backend.property.calendars import DayKind

MAX_PRICE_FEN = 1_000_000
MAX_SEGMENT_MIN = 31 * DAY_MIN
MAX_PROBLEMS = 50

Fen = Annotated[int, Field(ge=0, le=MAX_PRICE_FEN)]
Cap = Annotated[int, Field(ge=1, le=MAX_PRICE_FEN)]


class Crossing(StrEnum):
    """At the edge of a window: each window counts its own minutes, or a unit belongs to the window of its start."""

    COUNTED_APART = "counted_apart"
    BY_START = "by_start"


class Rounding(StrEnum):
    """不足一个单位不收费, or 不足一个单位按一个单位收费."""

    WHOLE_UNITS = "whole_units"
    BEGUN_UNITS = "begun_units"


class FreeKind(StrEnum):
    """THRESHOLD: who stays longer pays from the entry on. DEDUCTED: charging starts when the free minutes end."""

    THRESHOLD = "threshold"
    DEDUCTED = "deducted"


class DayBy(StrEnum):
    """A day for the cap: 24 hours from the entry and so on, or a date in Asia/Shanghai."""

    ROLLING = "rolling"
    CALENDAR = "calendar"


class Segment(Strict):
    """Minutes [from_min, to_min) counted: each `increment_min` costs `price_fen`, together at most `cap_fen`."""

    from_min: int = Field(ge=0, le=MAX_SEGMENT_MIN)
    to_min: int | None = Field(None, ge=1, le=MAX_SEGMENT_MIN)
    increment_min: int = Field(ge=1, le=DAY_MIN)
    price_fen: Fen
    cap_fen: Cap | None = None


class Window(Strict):
    """A window of the day, such as 07:00–21:00 or 21:00–07:00, with its segments, its cap and its price per entry.

    No segment: time costs nothing in it. `entry_fen` is charged once, by the window in which charging begins.
    """

    name: str = Field("", max_length=20)
    starts: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    ends: str = Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")
    segments: tuple[Segment, ...] = Field((), max_length=20)
    cap_fen: Cap | None = None
    entry_fen: Fen = 0

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.ends == "00:00":
            raise ValueError("时段到半夜结束时，ends 写 24:00。")
        if self.starts == self.ends:
            raise ValueError("时段的 starts 和 ends 不能相同；全天写 00:00 到 24:00。")
        if self.whole_day and self.cap_fen is not None:
            raise ValueError("全天的时段不能另设 cap_fen，请用 day.cap_fen（每日封顶）。")
        expected = 0
        for number, segment in enumerate(self.segments, start=1):
            last = number == len(self.segments)
            if segment.from_min != expected:
                raise ValueError(f"第 {number} 段的 from_min 应是 {expected}：各段应从 0 开始，首尾相接。")
            if last != (segment.to_min is None):
                raise ValueError(f"第 {number} 段的 to_min 不对：只有最后一段没有 to_min，而且必须没有。")
            if segment.to_min is not None:
                length = segment.to_min - segment.from_min
                if length <= 0 or length % segment.increment_min:
                    raise ValueError(f"第 {number} 段的长度应是 increment_min 的整数倍。")
                expected = segment.to_min
        return self

    @property
    def whole_day(self) -> bool:
        return (self.starts, self.ends) == ("00:00", "24:00")

    def minutes(self) -> Iterator[tuple[int, int]]:
        """The minutes of a day, as one stretch or, over midnight, as two."""
        starts, ends = _minute(self.starts), _minute(self.ends)
        if starts < ends:
            yield starts, ends
        else:
            yield 0, ends
            yield starts, DAY_MIN


class Days(Strict):
    """The windows of one or several kinds of days; a minute has the price of the date on which it lies."""

    kinds: tuple[DayKind, ...] = Field(min_length=1, max_length=len(DayKind))
    windows: tuple[Window, ...] = Field(min_length=1, max_length=24)

    @field_validator("kinds")
    @classmethod
    def _in_order(cls, kinds: tuple[DayKind, ...]) -> tuple[DayKind, ...]:
        return tuple(sorted(kinds, key=list(DayKind).index))

    @field_validator("windows")
    @classmethod
    def _cover_the_day(cls, windows: tuple[Window, ...]) -> tuple[Window, ...]:
        reached = 0
        for starts, ends in sorted(stretch for window in windows for stretch in window.minutes()):
            if starts != reached:
                what = "重叠" if starts < reached else "空缺"
                at = min(starts, reached)
                raise ValueError(f"各时段应正好覆盖全天，{at // HOUR_MIN:02d}:{at % HOUR_MIN:02d} 起有{what}。")
            reached = ends
        if reached != DAY_MIN:
            raise ValueError(f"各时段应正好覆盖全天，{reached // HOUR_MIN:02d}:{reached % HOUR_MIN:02d} 起有空缺。")
        return tuple(sorted(windows, key=lambda window: window.starts))


class Free(Strict):
    """Free minutes (免费时长), once for a stay."""

    minutes: int = Field(ge=1, le=DAY_MIN)
    kind: FreeKind


class Day(Strict):
    """What a day is, how much it costs at most, and whether segments are counted anew in each."""

    by: DayBy
    cap_fen: Cap | None = None
    counts_anew: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.cap_fen is None and not self.counts_anew:
            raise ValueError("day 应写明 cap_fen（每日封顶）或 counts_anew（每日重新计算），否则请不写 day。")
        return self


class Reentry(Strict):
    """Entries of one plate within `within_min` minutes of the first are one stay (多次进出按一次计)."""

    within_min: int = Field(ge=1, le=7 * DAY_MIN)


class Tariff(Strict):
    """A version of prices. `grace_min` is the time to leave after paying; the caller keeps it."""

    crossing: Crossing
    rounding: Rounding
    days: tuple[Days, ...] = Field(min_length=1, max_length=len(DayKind))
    free: Free | None = None
    day: Day | None = None
    stay_cap_fen: Cap | None = None
    minimum_fen: Fen = 0
    grace_min: int = Field(15, ge=0, le=DAY_MIN)
    reentry: Reentry | None = None

    @field_validator("days")
    @classmethod
    def _each_kind_once(cls, days: tuple[Days, ...]) -> tuple[Days, ...]:
        named = [kind for each in days for kind in each.kinds]
        for kind in DayKind:
            if named.count(kind) != 1:
                raise ValueError(f"{KIND_TEXT[kind]}（{kind.value}）应正好出现一次。")
        return tuple(sorted(days, key=lambda each: list(DayKind).index(each.kinds[0])))

    @model_validator(mode="after")
    def _keeps_its_caps(self) -> Self:
        if problem := _conflict(self):
            raise ValueError(problem)
        return self

    @cached_property
    def timetable(self) -> Timetable:
        """The prices made ready for computing."""
        bands = {window: _band(self, window) for each in self.days for window in each.windows}
        return {
            kind: tuple(
                Hours(starts * MINUTE_S, ends * MINUTE_S, bands[window])
                for starts, ends, window in sorted(
                    ((*stretch, window) for window in each.windows for stretch in window.minutes()),
                    key=lambda found: found[0],
                )
            )
            for each in self.days
            for kind in each.kinds
        }

    @cached_property
    def kinds_apart(self) -> bool:
        """Whether the price depends on what kind of day it is."""
        return len(self.days) > 1

    @cached_property
    def timed(self) -> bool:
        """Whether any time costs anything."""
        return any(segment.price_fen for window in _windows(self) for segment in window.segments)


def parse(document: Mapping[str, Any]) -> Tariff:
    """Read a tariff strictly; Invalid (422) with `details["fields"]`, a sentence for each field that is wrong (D8)."""
    try:
        return Tariff.model_validate_json(orjson.dumps(document))
    except orjson.JSONEncodeError as error:
        raise Invalid("收费标准不是有效的 JSON。") from error
    except ValidationError as error:
        fields = [
            {
                "field": ".".join(map(str, item["loc"])) or "tariff",
                "kind": item["type"],
                "message": problems.sentence(item),
            }
            for item in error.errors(include_input=False, include_url=False)[:MAX_PROBLEMS]
        ]
        raise Invalid(f"收费标准有误，{fields[0]['field']}：{fields[0]['message']}", fields=fields) from error


def document(tariff: Tariff) -> dict[str, Any]:
    """The tariff as JSON with every field, in one form: equal tariffs have equal documents."""
    return tariff.model_dump(mode="json")


def _minute(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * HOUR_MIN + int(minutes)


def _windows(tariff: Tariff) -> Iterator[Window]:
    return (window for each in tariff.days for window in each.windows)


def _conflict(tariff: Tariff) -> str | None:
    """A sentence on what would exceed a cap by itself: the minimum, or the price of an entry."""
    day_cap_fen = tariff.day.cap_fen if tariff.day else None
    whole = [cap for cap in (day_cap_fen, tariff.stay_cap_fen) if cap is not None]
    parts = [window.cap_fen for window in _windows(tariff)]
    parts += [segment.cap_fen for window in _windows(tariff) for segment in window.segments]
    if tariff.minimum_fen > min([*whole, *(cap for cap in parts if cap is not None)], default=MAX_PRICE_FEN):
        return "minimum_fen（最低收费）不能高于任何一个封顶（cap_fen、stay_cap_fen）。"
    if max(window.entry_fen for window in _windows(tariff)) > min(whole, default=MAX_PRICE_FEN):
        return "entry_fen（按次收费）不能高于 day.cap_fen（每日封顶）或 stay_cap_fen（单次封顶）。"
    return None


def _band(tariff: Tariff, window: Window) -> Band:
    kinds = [kind for each in tariff.days if window in each.windows for kind in each.kinds]
    hours = "全天" if window.whole_day else f"{window.starts}–{window.ends}"
    words = "、".join(KIND_TEXT[kind] for kind in DayKind if kind in kinds) if len(kinds) < len(DayKind) else ""
    return Band(
        text=" ".join(word for word in (words, window.name, hours) if word),
        steps=tuple(
            Step(
                starts_s=segment.from_min * MINUTE_S,
                ends_s=None if segment.to_min is None else segment.to_min * MINUTE_S,
                unit_s=segment.increment_min * MINUTE_S,
                price_fen=segment.price_fen,
                cap_fen=segment.cap_fen,
                text=segment_text(segment.from_min, segment.to_min),
                unit_text=span_text(segment.increment_min),
            )
            for segment in window.segments
        ),
        cap_fen=window.cap_fen,
        entry_fen=window.entry_fen,
    )
