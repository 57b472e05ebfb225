"""Periodic work: a row per (name, period), so that nothing runs twice and what was missed is seen and run (I-18).

A noun exports `PERIODIC: tuple[Periodic, ...]`; the schedule in `workers` makes the rows. Periods are counted in
Asia/Shanghai. Work for a date catches up on every date that was missed; work that only looks at the present (`Minutes`,
and what is kept long enough by now) runs once for all of them.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from backend.kernel.clock import SHANGHAI
from backend.kernel.db import Reader
from backend.kernel.resources import Resources

Run = Callable[[Resources, str], Awaitable[None]]

LAST_DONE = "SELECT max(finished_at) FROM periodic_run WHERE state = 'DONE'"


@dataclass(frozen=True, slots=True)
class Minutes:
    """Every `every` minutes (a divisor of 1440), named by its start: `2026-09-01T10:05`."""

    every: int
    catch_up = False

    def latest(self, now: datetime) -> str:
        """The period in which `now` lies."""
        local = now.astimezone(SHANGHAI)
        minute = (local.hour * 60 + local.minute) // self.every * self.every
        return f"{local.date()}T{minute // 60:02}:{minute % 60:02}"

    def after(self, period: str) -> str:
        """The period that follows `period`."""
        start = datetime.fromisoformat(period).replace(tzinfo=SHANGHAI)
        return self.latest(start + timedelta(minutes=self.every))


@dataclass(frozen=True, slots=True)
class Daily:
    """Once a date, due at `at` o'clock: `2026-09-01`. `catch_up`: missed dates are each made good, oldest first."""

    at: time
    catch_up: bool = True

    def latest(self, now: datetime) -> str:
        """The last date that is due at `now`."""
        local = now.astimezone(SHANGHAI)
        due = local.time().replace(tzinfo=None) >= self.at
        return (local.date() if due else local.date() - timedelta(days=1)).isoformat()

    def after(self, period: str) -> str:
        """The date that follows."""
        return (date.fromisoformat(period) + timedelta(days=1)).isoformat()


@dataclass(frozen=True, slots=True)
class Periodic:
    """One periodic job. `run(res, period)` must be repeatable; it holds its own transactions."""

    name: str
    every: Minutes | Daily
    run: Run


def due_periods(every: Minutes | Daily, last: str | None, now: datetime, *, limit: int = 400) -> list[str]:
    """The periods due at `now` after `last` (None: never run, so only the present one), oldest first."""
    latest = every.latest(now)
    if last is not None and last >= latest:
        return []
    if last is None or not every.catch_up:
        return [latest]
    periods = [every.after(last)]
    while periods[-1] < latest and len(periods) < limit:
        periods.append(every.after(periods[-1]))
    return periods


async def last_done_at(db: Reader) -> datetime | None:
    """When a worker last completed a period: some are done every minute, so it tells whether any worker is at work."""
    at: datetime | None = await db.fetchval(LAST_DONE)
    return at
