"""The days of a stay that are not what their weekday says, in words for the driver (D8)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from backend.kernel.clock import local_date
from backend.parking.prices.pricing import Line
from backend.property.calendars import Calendar, DayKind, Source

_ONE_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Note:
    """What one day is; days in a row that are the same are told together."""

    kind: DayKind
    name: str
    unknown_year: int | None


def of_stay(calendar: Calendar, *, entered_at: datetime, left_at: datetime) -> list[Line]:
    """A line of 0 fen for each row of days that are a holiday, a working weekend, or of a year that is not known."""
    lines = []
    for first, last, note in _rows(calendar, local_date(entered_at), local_date(max(entered_at, left_at - _INSTANT))):
        inputs = {"kind": "calendar", "first": first.isoformat(), "last": last.isoformat(), "day": note.kind.value}
        lines.append(Line(_label(first, last, note), entered_at, left_at, 0, 0, inputs))
    return lines


def _rows(calendar: Calendar, first: date, last: date) -> Iterator[tuple[date, date, _Note]]:
    since, running = first, None
    day = first
    while day <= last:
        note = _note(calendar, day)
        if note != running:
            if running is not None:
                yield since, day - _ONE_DAY, running
            since, running = day, note
        day += _ONE_DAY
    if running is not None:
        yield since, last, running


def _note(calendar: Calendar, day: date) -> _Note | None:
    if calendar.source(day.year) is Source.UNKNOWN:
        return _Note(DayKind.WORKING_DAY, "", day.year)
    named = calendar.named(day)
    return None if named is None else _Note(named.kind, named.name, None)


def _label(first: date, last: date, note: _Note) -> str:
    days = _written(first) if first == last else f"{_written(first)}至{_written(last)}"
    if note.unknown_year is not None:
        return f"{days} 节假日表尚未录入 {note.unknown_year} 年，按星期计费"
    if note.kind is DayKind.HOLIDAY:
        return f"{days} {note.name}，按节假日计费"
    return f"{days} {note.name}调休上班，按工作日计费"


def _written(day: date) -> str:
    return f"{day.month}月{day.day}日"
