"""Working time (D9): tables worked by hand over a weekend, Spring Festival and National Day of 2026, with pauses.

Instants are written as in Asia/Shanghai. Working hours 08:30–12:00 and 14:00–18:00: 450 minutes a day. Announced
for 2026: Saturday 14 February works, 15–23 February are off, Saturday 28 February works; 1–7 October are
off, Saturday 10 October works.
"""

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.kernel.clock import SHANGHAI
from backend.property.calendars import Calendar, Day, DayKind
from backend.tickets import working_time
from backend.tickets.working_time import Measure, Schedule

USUAL = Schedule()
M, W, D = Measure


def at(text: str) -> datetime:
    """`02-13 17:00` of 2026."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("started", "within", "measure", "due"),
    [
        # Within a day, over the midday break, before and after hours.
        ("09-01 10:00", 30, W, "09-01 10:30"),
        ("09-01 11:50", 20, W, "09-01 14:10"),
        ("09-01 11:30", 30, W, "09-01 12:00"),
        ("09-01 12:30", 60, W, "09-01 15:00"),
        ("09-01 07:00", 60, W, "09-01 09:30"),
        ("09-01 20:00", 60, W, "09-02 09:30"),
        ("09-01 10:00", 450, W, "09-02 10:00"),
        # A weekend: Friday 4 September.
        ("09-04 17:30", 60, W, "09-07 09:00"),
        ("09-05 11:00", 60, W, "09-07 09:30"),
        # Friday 13 February, then a Saturday on which people work, then nine days off.
        ("02-13 17:30", 60, W, "02-14 09:00"),
        ("02-14 17:30", 60, W, "02-24 09:00"),
        ("02-18 10:00", 30, W, "02-24 09:00"),
        # Friday 27 February, then a Saturday on which people work, then a Sunday.
        ("02-27 17:00", 120, W, "02-28 09:30"),
        ("02-28 17:00", 120, W, "03-02 09:30"),
        # National Day: Wednesday 30 September to Thursday 8 October.
        ("09-30 17:00", 90, W, "10-08 09:00"),
        ("10-09 17:30", 60, W, "10-10 09:00"),
        # Round the clock.
        ("02-14 17:30", 60, M, "02-14 18:30"),
        ("02-14 23:30", 60, M, "02-15 00:30"),
        # Working days count from the day after.
        ("09-01 09:00", 1, D, "09-02 18:00"),
        ("09-04 09:00", 1, D, "09-07 18:00"),
        ("09-05 09:00", 1, D, "09-07 18:00"),
        ("02-13 09:00", 1, D, "02-14 18:00"),
        ("02-13 09:00", 2, D, "02-24 18:00"),
        ("02-16 09:00", 5, D, "02-28 18:00"),
        ("02-16 09:00", 6, D, "03-02 18:00"),
        ("09-30 23:59", 3, D, "10-10 18:00"),
    ],
)
def test_d9_a_promise_falls_due(started: str, within: int, measure: Measure, due: str) -> None:
    assert working_time.due(USUAL, at(started), within=within, measure=measure) == at(due)


@pytest.mark.parametrize(
    ("started", "within", "measure", "pauses", "due"),
    [
        # 60 minutes from 10:00; half an hour is left when the pause begins.
        ("09-01 10:00", 60, W, [("09-01 10:30", "09-01 11:00")], "09-01 11:30"),
        ("09-01 10:00", 60, W, [("09-01 10:30", "09-01 13:00")], "09-01 14:30"),
        ("09-01 10:00", 60, W, [("09-01 10:30", "09-04 17:50")], "09-07 08:50"),
        ("09-01 10:00", 60, W, [("09-01 10:30", "09-05 12:00")], "09-07 09:00"),
        # Over Spring Festival; and two pauses one after the other, told in the wrong order.
        ("02-13 17:00", 120, W, [("02-14 08:30", "02-24 16:00")], "02-24 17:00"),
        ("09-01 10:00", 60, W, [("09-01 14:10", "09-01 15:00"), ("09-01 10:30", "09-01 11:50")], "09-01 15:10"),
        # What was late before the pause stays late; a pause that ends as it begins gives nothing.
        ("09-01 10:00", 60, W, [("09-01 11:00", "09-02 11:00")], "09-01 11:00"),
        ("09-01 10:00", 60, W, [("09-01 10:30", "09-01 10:30")], "09-01 11:00"),
        ("09-01 10:00", 60, M, [("09-01 10:30", "09-02 10:30")], "09-02 11:00"),
        # Days: each working day that begins during the pause is given back.
        ("09-01 09:00", 3, D, [("09-02 10:00", "09-02 17:00")], "09-04 18:00"),
        ("09-01 09:00", 3, D, [("09-02 10:00", "09-03 09:00")], "09-07 18:00"),
        ("09-01 09:00", 3, D, [("09-04 10:00", "09-07 09:00")], "09-07 18:00"),
        ("02-13 09:00", 2, D, [("02-14 10:00", "02-25 09:00")], "02-26 18:00"),
    ],
)
def test_d9_pauses_are_given_back(
    started: str, within: int, measure: Measure, pauses: list[tuple[str, str]], due: str
) -> None:
    spans = [(at(paused), at(resumed)) for paused, resumed in pauses]
    assert working_time.due(USUAL, at(started), within=within, measure=measure, pauses=spans) == at(due)


def test_d9_a_year_that_nobody_knows_counts_by_weekends_and_one_that_was_entered_by_its_rows() -> None:
    start = datetime(2027, 2, 5, 17, 30, tzinfo=SHANGHAI)
    assert working_time.due(USUAL, start, within=60, measure=W) == datetime(2027, 2, 8, 9, tzinfo=SHANGHAI)
    off = {date(2027, 2, day): Day(date(2027, 2, day), DayKind.HOLIDAY, "春节") for day in range(6, 13)}
    entered = Schedule(Calendar({2027: off}))
    assert working_time.due(entered, start, within=60, measure=W) == datetime(2027, 2, 15, 9, tzinfo=SHANGHAI)


def test_d9_a_company_that_never_works_is_told_apart_from_an_endless_loop() -> None:
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(2191)]
    never = {
        year: {day: Day(day, DayKind.HOLIDAY, "休") for day in days if day.year == year} for year in range(2026, 2032)
    }
    for measure in (W, D):
        with pytest.raises(ValueError, match="within"):
            working_time.due(Schedule(Calendar(never)), at("09-01 10:00"), within=1, measure=measure)


@pytest.mark.parametrize(
    ("hours", "problem"),
    [
        ([], "至少要有一个工作时段。"),
        ([(time(9), time(9))], "每个工作时段的开始须早于结束。"),
        ([(time(9), time(12)), (time(11), time(18))], "工作时段须按先后排列，不能重叠。"),
        ([(time(9), time(12)), (time(12), time(18))], None),
    ],
)
def test_d9_hours_that_make_no_sense_are_told(hours: list[tuple[time, time]], problem: str | None) -> None:
    assert working_time.problem_of_hours(hours) == problem


INSTANTS = st.integers(0, 60 * 24 * 400).map(lambda minutes: at("01-05 00:00") + timedelta(minutes=minutes))


@given(start=INSTANTS, within=st.integers(1, 3000), gap=st.integers(0, 5000), length=st.integers(0, 5000))
def test_d9_exactly_so_much_is_worked_until_a_promise_falls_due(
    start: datetime, within: int, gap: int, length: int
) -> None:
    """The working time from the start to the due instant, without what lies in the pause, is what was promised."""
    pause = (start + timedelta(minutes=gap), start + timedelta(minutes=gap + length))
    due = working_time.due(USUAL, start, within=within, measure=W, pauses=[pause])
    lost = working_time.worked(USUAL, *pause) if pause[0] < due else timedelta()
    assert working_time.worked(USUAL, start, due) - lost == timedelta(minutes=within)
