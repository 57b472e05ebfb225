"""Working time (工作时间): when a promise of so many working minutes or working days falls due (D9).

Pure. Working hours are windows of a working day in Asia/Shanghai; what a day is, the company's calendar says. Days are
counted from the day after the start, and end when the last window of the last one does. A pause gives back the working
time within it: of minutes what was left when it began counts on from its end; of days each working day that began
during it is given back. What was late before a pause stays late.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from backend.kernel.clock import SHANGHAI, local_date
from backend.property.calendars import WEEKDAYS, Calendar, DayKind

Window = tuple[time, time]
Span = tuple[datetime, datetime]
USUAL_HOURS: tuple[Window, ...] = ((time(8, 30), time(12)), (time(14), time(18)))
NONE = timedelta()
HORIZON_DAYS = 1500


class Measure(StrEnum):
    """What a promise counts: minutes round the clock, minutes of working hours, working days."""

    MINUTES = "minutes"
    WORKING_MINUTES = "working_minutes"
    WORKING_DAYS = "working_days"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a company works."""

    calendar: Calendar = WEEKDAYS
    hours: tuple[Window, ...] = USUAL_HOURS

    def works(self, day: date) -> bool:
        """Whether it is a working day."""
        return self.calendar.kind(day) is DayKind.WORKING_DAY

    def spans(self, day: date) -> list[Span]:
        """The working hours of a day as instants; none on a day off."""
        if not self.works(day):
            return []
        return [(_instant(day, opens), _instant(day, closes)) for opens, closes in self.hours]


def due(
    schedule: Schedule, started_at: datetime, *, within: int, measure: Measure, pauses: Iterable[Span] = ()
) -> datetime:
    """When a promise that began then falls due; `pauses` are (from, to), none within another."""
    due_at = _after(schedule, started_at, within=within, measure=measure)
    for paused_at, resumed_at in sorted(pauses):
        due_at = extended(schedule, due_at, measure=measure, paused_at=paused_at, resumed_at=resumed_at)
    return due_at


def extended(
    schedule: Schedule, due_at: datetime, *, measure: Measure, paused_at: datetime, resumed_at: datetime
) -> datetime:
    """When a promise falls due after a pause."""
    if paused_at >= due_at or resumed_at <= paused_at:
        return due_at
    if measure is Measure.MINUTES:
        return due_at + (resumed_at - paused_at)
    if measure is Measure.WORKING_MINUTES:
        return _add(schedule, resumed_at, worked(schedule, paused_at, due_at))
    lost = sum(schedule.works(day) for day in _days(local_date(paused_at), local_date(resumed_at)))
    return _end_of_day(schedule, local_date(due_at), lost) if lost else due_at


def worked(schedule: Schedule, start: datetime, end: datetime) -> timedelta:
    """The working hours between two instants."""
    total = NONE
    for day in _days(local_date(start) - timedelta(days=1), local_date(end)):
        for opens, closes in schedule.spans(day):
            total += max(NONE, min(closes, end) - max(opens, start))
    return total


def _after(schedule: Schedule, start: datetime, *, within: int, measure: Measure) -> datetime:
    if measure is Measure.MINUTES:
        return start + timedelta(minutes=within)
    if measure is Measure.WORKING_MINUTES:
        return _add(schedule, start, timedelta(minutes=within))
    return _end_of_day(schedule, local_date(start), within)


def _add(schedule: Schedule, start: datetime, left: timedelta) -> datetime:
    """The instant at which `left` of working time has passed since `start`."""
    today = local_date(start)
    for day in _days(today - timedelta(days=1), today + timedelta(days=HORIZON_DAYS)):
        for opens, closes in schedule.spans(day):
            begins = max(opens, start)
            if closes - begins >= left and closes > begins:
                return begins + left
            left -= max(NONE, closes - begins)
    raise ValueError(f"no such working time within {HORIZON_DAYS} days")


def _end_of_day(schedule: Schedule, day: date, count: int) -> datetime:
    """The end of work of the `count`-th working day after `day`."""
    for following in _days(day, day + timedelta(days=HORIZON_DAYS)):
        count -= schedule.works(following)
        if count <= 0 and schedule.works(following):
            return schedule.spans(following)[-1][1]
    raise ValueError(f"no such working day within {HORIZON_DAYS} days")


def _days(after: date, last: date) -> Iterator[date]:
    for number in range(1, (last - after).days + 1):
        yield after + timedelta(days=number)


def _instant(day: date, at: time) -> datetime:
    return datetime.combine(day, at, SHANGHAI).astimezone(UTC)


def problem_of_hours(hours: Sequence[Window]) -> str | None:
    """What is wrong with working hours, as a sentence; None where nothing is."""
    if not hours:
        return "至少要有一个工作时段。"
    for opens, closes in hours:
        if opens >= closes:
            return "每个工作时段的开始须早于结束。"
    if any(earlier[1] > later[0] for earlier, later in zip(hours, hours[1:], strict=False)):
        return "工作时段须按先后排列，不能重叠。"
    return None
