"""The player's own arithmetic of promised times: working hours, weekends, holidays."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from demo.stage import Stage

HOURS = ((time(8, 30), time(12)), (time(14), time(18)))
A_DAY = timedelta(days=1)
SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days that are not what their weekday says."""

    off: frozenset[date]
    working: frozenset[date]

    def works(self, day: date) -> bool:
        """Whether it is a working day."""
        return day in self.working or (day.weekday() < SATURDAY and day not in self.off)

    def next(self, day: date, count: int = 1) -> date:
        """The `count`-th working day after a day."""
        while count:
            day += A_DAY
            count -= self.works(day)
        return day

    def in_days(self, start: datetime, count: int) -> datetime:
        """The end of work of the `count`-th working day after the day of `start`."""
        return datetime.combine(self.next(start.date(), count), HOURS[-1][1], start.tzinfo)

    def in_minutes(self, start: datetime, minutes: int) -> datetime:
        """When so many minutes of working hours have passed."""
        left, day = timedelta(minutes=minutes), start.date()
        while True:
            for opens, closes in HOURS if self.works(day) else ():
                begins = max(start, datetime.combine(day, opens, start.tzinfo))
                ends = datetime.combine(day, closes, start.tzinfo)
                if begins + left <= ends:
                    return begins + left
                left -= max(ends - begins, timedelta())
            day += A_DAY


def calendar(stage: Stage) -> Calendar:
    """The company's calendar of this year and the next."""
    year = stage.today().year
    days = [each for one in (year, year + 1) for each in stage.manager.get(f"/admin/v1/calendar?year={one}")["days"]]
    named = {
        kind: frozenset(date.fromisoformat(each["day"]) for each in days if each["kind"] == kind)
        for kind in ("holiday", "working_day")
    }
    return Calendar(named["holiday"], named["working_day"])
