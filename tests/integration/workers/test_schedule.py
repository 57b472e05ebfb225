"""I-18: each (periodic job, period) has one completed run, in Asia/Shanghai; what was missed is seen and run."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

import pytest

from backend.kernel import figures, metrics
from backend.kernel.clock import FrozenClock
from backend.kernel.periodic import Daily, Minutes, Periodic, due_periods
from backend.kernel.resources import Resources
from tests import factories_messaging as make
from tests.conftest import Run
from tests.soundness import broken
from workers import schedule
from workers.checks import CHECKS

ran: list[str] = []


async def note(res: Resources, period: str) -> None:
    ran.append(period)


async def fail(res: Resources, period: str) -> None:
    raise ValueError("no luck")


DAILY = Periodic("test.daily", Daily(at=time(1, 10)), note)
OFTEN = Periodic("test.often", Minutes(5), note)
BROKEN = Periodic("test.broken", Minutes(5), fail)


@pytest.fixture(autouse=True)
def _invariants(res: Resources, run: Run) -> Iterator[None]:
    ran.clear()
    yield
    assert run(broken(res.db, CHECKS)) == []


async def runs(res: Resources, name: str) -> dict[str, str]:
    rows = await res.db.fetch("SELECT period, state FROM periodic_run WHERE name = $1 ORDER BY period", name)
    return {row["period"]: row["state"] for row in rows}


@pytest.mark.parametrize(
    ("utc", "period"),
    [
        (datetime(2026, 8, 31, 17, 9, 59, tzinfo=UTC), "2026-08-31"),
        (datetime(2026, 8, 31, 17, 10, tzinfo=UTC), "2026-09-01"),
        (datetime(2026, 12, 31, 16, 30, tzinfo=UTC), "2026-12-31"),
        (datetime(2028, 2, 28, 18, 0, tzinfo=UTC), "2028-02-29"),
    ],
)
def test_a_date_begins_in_shanghai_at_its_hour(utc: datetime, period: str) -> None:
    assert due_periods(DAILY.every, None, utc) == [period]


def test_missed_dates_are_all_due_and_missed_minutes_are_one() -> None:
    now = datetime(2026, 9, 4, 2, 3, tzinfo=UTC)
    assert due_periods(DAILY.every, "2026-09-01", now) == ["2026-09-02", "2026-09-03", "2026-09-04"]
    assert due_periods(OFTEN.every, "2026-09-01T10:00", now) == ["2026-09-04T10:00"]
    assert due_periods(Daily(DAILY.every.at, catch_up=False), "2026-09-01", now) == ["2026-09-04"]
    assert due_periods(DAILY.every, "2026-09-04", now) == []
    assert due_periods(DAILY.every, "2026-09-05", now) == []


async def test_a_period_is_made_once_and_completed_with_its_job(res: Resources) -> None:
    assert await schedule.tick(res.db, [DAILY, OFTEN]) == 2
    assert await schedule.tick(res.db, [DAILY, OFTEN]) == 0
    await make.work_due(res, schedule.handlers([DAILY, OFTEN]))
    assert sorted(ran) == ["2026-09-01", "2026-09-01T10:00"]
    assert await runs(res, "test.daily") == {"2026-09-01": "DONE"}


async def test_ten_schedules_at_once_make_one_run(res: Resources) -> None:
    made = await asyncio.gather(*(schedule.tick(res.db, [DAILY]) for _ in range(10)))
    assert sum(made) == 1
    await make.work_due(res, schedule.handlers([DAILY]))
    assert ran == ["2026-09-01"]


async def test_days_missed_while_nothing_ran_are_run_once_each(res: Resources, clock: FrozenClock) -> None:
    await schedule.tick(res.db, [DAILY])
    await make.work_due(res, schedule.handlers([DAILY]))
    clock.advance(timedelta(days=3))
    assert await schedule.tick(res.db, [DAILY]) == 3
    await make.work_due(res, schedule.handlers([DAILY]))
    assert await runs(res, "test.daily") == dict.fromkeys(
        ["2026-09-01", "2026-09-02", "2026-09-03", "2026-09-04"], "DONE"
    )


async def test_a_clock_that_goes_back_runs_nothing_twice(res: Resources, clock: FrozenClock) -> None:
    await schedule.tick(res.db, [DAILY, OFTEN])
    clock.advance(timedelta(hours=-1))
    assert await schedule.tick(res.db, [DAILY, OFTEN]) == 0


async def test_a_period_that_does_not_complete_is_a_missed_one_to_operators(res: Resources, clock: FrozenClock) -> None:
    await schedule.tick(res.db, [BROKEN])
    await make.work_due(res, schedule.handlers([BROKEN]))
    assert await runs(res, "test.broken") == {"2026-09-01T10:00": "RUNNING"}
    await figures.measure(res.db)
    assert metrics.missed_periods._value.get() == 0
    clock.advance(timedelta(minutes=16))
    await figures.measure(res.db)
    assert metrics.missed_periods._value.get() == 1
