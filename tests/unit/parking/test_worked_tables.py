"""Parking prices worked by hand (D8): every amount here was written down before it was computed.

Beijing's kerb-side prices are as transcribed from the published rules; every other tariff is made up for the test.
"""

from datetime import timedelta

import pytest

from backend.parking.prices import pricing, tariff
from tests.parking_tariffs import Document, all_day, at, day_kind, kerb, made, segment, window

ONE, TWO, THREE = kerb(1), kerb(2), kerb(3)

KERB = [
    # The cases of the published page.
    (ONE, "09:00", "09:14", 0),
    (ONE, "09:00", "10:00", 1000),
    (ONE, "09:00", "11:20", 2875),
    (ONE, "19:50", "23:30", 1100),
    # Around a unit.
    (ONE, "09:00", "09:00", 0),
    (ONE, "09:00", "09:14:59", 0),
    (ONE, "09:00", "09:15", 250),
    (ONE, "09:00", "09:15:01", 250),
    (ONE, "09:00:30", "09:15:29", 0),
    (ONE, "09:00:30", "09:15:30", 250),
    (ONE, "09:00", "09:29:59", 250),
    (ONE, "09:00", "09:30", 500),
    (ONE, "09:00", "10:14:59", 1000),
    (ONE, "09:00", "10:15", 1375),
    # Around 21:00.
    (ONE, "20:00", "20:59", 750),
    (ONE, "20:00", "21:00", 1000),
    (ONE, "20:00", "21:01", 1000),
    (ONE, "20:00", "22:59", 1000),
    (ONE, "20:00", "23:00", 1100),
    (ONE, "20:45", "21:00", 250),
    (ONE, "20:46", "21:01", 0),
    # Around 07:00.
    (ONE, "05:00", "06:59", 0),
    (ONE, "05:00", "07:00", 100),
    (ONE, "05:01", "07:00", 0),
    (ONE, "06:59", "07:14", 0),
    (ONE, "06:59", "07:15", 250),
    (ONE, "07:00", "07:15", 250),
    # Around midnight, which is no boundary of the night.
    (ONE, "2026-09-01 23:00", "2026-09-02 01:00", 100),
    (ONE, "2026-09-01 22:30", "2026-09-02 02:29", 100),
    (ONE, "2026-09-01 22:30", "2026-09-02 02:30", 200),
    # Whole windows and several days: 4 × 2.50 + 52 × 3.75 by day, 5 × 1.00 by night.
    (ONE, "07:00", "21:00", 20500),
    (ONE, "2026-09-01 21:00", "2026-09-02 07:00", 500),
    (ONE, "2026-09-01 21:00", "2026-09-02 07:15", 750),
    (ONE, "2026-09-01 07:00", "2026-09-02 07:00", 21000),
    (ONE, "2026-09-01 07:00", "2026-09-04 07:00", 63000),
    (TWO, "09:00", "09:14", 0),
    (TWO, "09:00", "10:00", 600),
    (TWO, "09:00", "11:20", 1725),
    (TWO, "19:50", "23:30", 700),
    (THREE, "09:00", "10:00", 200),
    (THREE, "09:00", "11:20", 575),
    (THREE, "19:50", "23:30", 300),
]

# Made up for the test: first two hours at most 10.00, each 24 hours at most 40.00, counted anew.
FIRST_AND_DAY_CAP = made(
    all_day(segment(0, 120, 15, 300, cap_fen=1000), segment(120, None, 60, 500)),
    day={"by": "rolling", "cap_fen": 4000, "counts_anew": True},
)
CAPPED = [
    (FIRST_AND_DAY_CAP, "09:00", "09:00:01", 300),
    (FIRST_AND_DAY_CAP, "09:00", "09:14:59", 300),
    (FIRST_AND_DAY_CAP, "09:00", "09:15", 300),
    (FIRST_AND_DAY_CAP, "09:00", "09:15:01", 600),
    (FIRST_AND_DAY_CAP, "09:00", "09:45", 900),
    (FIRST_AND_DAY_CAP, "09:00", "09:45:01", 1000),
    (FIRST_AND_DAY_CAP, "09:00", "11:00", 1000),
    (FIRST_AND_DAY_CAP, "09:00", "11:00:01", 1500),
    (FIRST_AND_DAY_CAP, "09:00", "17:00", 4000),
    (FIRST_AND_DAY_CAP, "09:00", "17:01", 4000),
    (FIRST_AND_DAY_CAP, "2026-09-01 09:00", "2026-09-02 09:00", 4000),
    (FIRST_AND_DAY_CAP, "2026-09-01 09:00", "2026-09-02 09:00:01", 4300),
    (FIRST_AND_DAY_CAP, "2026-09-01 09:00", "2026-09-02 09:45", 4900),
    (FIRST_AND_DAY_CAP, "2026-09-01 09:00", "2026-09-02 11:00", 5000),
    (FIRST_AND_DAY_CAP, "2026-09-01 09:00", "2026-09-03 09:00", 8000),
]

# Made up for the test: per entry, alike all day, and by the window of the entry.
ENTRY = made(all_day(entry_fen=500))
ENTRY_DAY_NIGHT = made(window("07:00", "21:00", entry_fen=500), window("21:00", "07:00", entry_fen=300))
PER_ENTRY = [
    (ENTRY, "09:00", "09:00", 0),
    (ENTRY, "09:00", "09:00:01", 500),
    (ENTRY, "2026-09-01 09:00", "2026-09-06 09:00", 500),
    (ENTRY_DAY_NIGHT, "20:59", "23:00", 500),
    (ENTRY_DAY_NIGHT, "21:00", "23:00", 300),
    (ENTRY_DAY_NIGHT, "06:59", "08:00", 300),
    (ENTRY_DAY_NIGHT, "07:00", "08:00", 500),
]

# Made up for the test: 30 free minutes, 4.00 an hour, a begun hour counts.
HOURLY = segment(0, None, 60, 400)
THRESHOLD = made(all_day(HOURLY), free={"minutes": 30, "kind": "threshold"})
DEDUCTED = made(all_day(HOURLY), free={"minutes": 30, "kind": "deducted"})
DEDUCTED_DAY_NIGHT = made(
    window("07:00", "21:00", HOURLY),
    window("21:00", "07:00", segment(0, None, 60, 100)),
    free={"minutes": 30, "kind": "deducted"},
)
FREE = [
    (THRESHOLD, "09:00", "09:29:59", 0),
    (THRESHOLD, "09:00", "09:30", 0),
    (THRESHOLD, "09:00", "09:30:01", 400),
    (THRESHOLD, "09:00", "10:00", 400),
    (THRESHOLD, "09:00", "10:00:01", 800),
    (DEDUCTED, "09:00", "09:30", 0),
    (DEDUCTED, "09:00", "09:30:01", 400),
    (DEDUCTED, "09:00", "10:30", 400),
    (DEDUCTED, "09:00", "10:30:01", 800),
    (DEDUCTED_DAY_NIGHT, "20:40", "21:10", 0),
    (DEDUCTED_DAY_NIGHT, "20:40", "21:40", 100),
    (DEDUCTED_DAY_NIGHT, "20:00", "21:30", 500),
]

# Made up for the test: 08–20 6.00 an hour, 20–08 2.00 an hour, at most 30.00 a day.
DAY_NIGHT = (window("08:00", "20:00", segment(0, None, 60, 600)), window("20:00", "08:00", segment(0, None, 60, 200)))
BY_DATE = made(*DAY_NIGHT, day={"by": "calendar", "cap_fen": 3000})
BY_24_HOURS = made(*DAY_NIGHT, day={"by": "rolling", "cap_fen": 3000})
MIDNIGHT = [
    (BY_DATE, "2026-09-01 18:00", "2026-09-01 23:59", 2000),
    (BY_DATE, "2026-09-01 18:00", "2026-09-02 00:00", 2000),
    (BY_DATE, "2026-09-01 18:00", "2026-09-02 00:01", 2200),
    (BY_DATE, "2026-09-01 18:00", "2026-09-02 10:00", 4800),
    (BY_DATE, "2026-09-01 18:00", "2026-09-02 11:00", 5000),
    (BY_DATE, "2026-09-01 10:00", "2026-09-02 00:00", 3000),
    (BY_DATE, "2026-09-01 10:00", "2026-09-02 02:00", 3400),
    (BY_24_HOURS, "2026-09-01 18:00", "2026-09-02 00:00", 2000),
    (BY_24_HOURS, "2026-09-01 18:00", "2026-09-02 05:00", 3000),
    (BY_24_HOURS, "2026-09-01 18:00", "2026-09-02 10:00", 3000),
    (BY_24_HOURS, "2026-09-01 18:00", "2026-09-02 18:00", 3000),
    (BY_24_HOURS, "2026-09-01 18:00", "2026-09-02 18:00:01", 3600),
]

# Made up for the test: the two rules for a boundary, and kinds of days.
FIVE_ONE = (window("07:00", "21:00", segment(0, None, 60, 500)), window("21:00", "07:00", segment(0, None, 60, 100)))
APART = made(*FIVE_ONE)
BY_START = made(*FIVE_ONE, crossing="by_start")
BY_START_WHOLE = made(*FIVE_ONE, crossing="by_start", rounding="whole_units")
WORK, REST = all_day(segment(0, None, 60, 500)), all_day(segment(0, None, 60, 200))
KINDS: Document = {"days": [{"kinds": ["working_day"], "windows": [WORK]},
                            {"kinds": ["weekend", "holiday"], "windows": [REST]}]}  # fmt: skip
KINDS_APART = made() | KINDS
KINDS_BY_START = made(crossing="by_start") | KINDS
CROSSING = [
    (APART, "20:30", "21:00", 500),
    (APART, "20:30", "21:00:01", 600),
    (APART, "20:30", "21:30", 600),
    (BY_START, "20:30", "21:00:01", 500),
    (BY_START, "20:30", "21:30", 500),
    (BY_START, "20:30", "21:30:01", 600),
    (BY_START, "06:30", "07:30", 100),
    (BY_START, "06:30", "07:31", 600),
    (BY_START_WHOLE, "20:30", "21:29:59", 0),
    (BY_START_WHOLE, "20:30", "21:30", 500),
    (BY_START_WHOLE, "20:30", "22:30", 600),
    # 4 September 2026 is a Friday, 1 October a holiday after a Wednesday.
    (KINDS_APART, "2026-09-04 23:30", "2026-09-05 00:30", 700),
    (KINDS_BY_START, "2026-09-04 23:30", "2026-09-05 00:30", 500),
    (KINDS_BY_START, "2026-09-04 23:30", "2026-09-05 00:31", 700),
    (KINDS_APART, "2026-09-30 23:00", "2026-10-01 01:00", 700),
    (KINDS_APART, "2026-09-06 23:00", "2026-09-07 01:00", 700),
]

# Made up for the test: a cap for each night, a cap of the stay, a minimum.
NIGHT_CAP = made(
    window("08:00", "20:00", segment(0, None, 60, 600)),
    window("20:00", "08:00", segment(0, None, 60, 200), cap_fen=500),
)
STAY_CAP = made(all_day(HOURLY), stay_cap_fen=1000)
QUARTERS = all_day(segment(0, None, 15, 100))
MINIMUM = made(QUARTERS, minimum_fen=500)
MINIMUM_WHOLE = made(QUARTERS, minimum_fen=500, rounding="whole_units")
LIMITS = [
    (NIGHT_CAP, "20:00", "22:00", 400),
    (NIGHT_CAP, "20:00", "23:00", 500),
    (NIGHT_CAP, "2026-09-01 20:00", "2026-09-02 08:00", 500),
    (NIGHT_CAP, "2026-09-01 20:00", "2026-09-02 09:00", 1100),
    (NIGHT_CAP, "2026-09-01 20:00", "2026-09-03 08:00", 8200),
    (STAY_CAP, "09:00", "11:00", 800),
    (STAY_CAP, "09:00", "11:00:01", 1000),
    (STAY_CAP, "2026-09-01 09:00", "2026-09-30 09:00", 1000),
    (MINIMUM, "09:00", "09:00:01", 500),
    (MINIMUM, "09:00", "10:15", 500),
    (MINIMUM, "09:00", "10:15:01", 600),
    (MINIMUM_WHOLE, "09:00", "09:14:59", 0),
    (MINIMUM_WHOLE, "09:00", "09:15", 500),
]


@pytest.mark.parametrize(
    ("document", "entered", "left", "amount_fen"),
    [*KERB, *CAPPED, *PER_ENTRY, *FREE, *MIDNIGHT, *CROSSING, *LIMITS],
)
def test_d8_worked_by_hand(document: Document, entered: str, left: str, amount_fen: int) -> None:
    found = pricing.price(tariff.parse(document), entered_at=at(entered), left_at=at(left), day_kind=day_kind)
    assert found.amount_fen == amount_fen
    assert sum(line.amount_fen for line in found.lines) == amount_fen


STEADY = [
    (ONE, "09:00", "09:10", "09:14:59"),
    (ONE, "09:00", "09:15", "09:29:59"),
    (ONE, "19:50", "20:50", "22:59:59"),
    (THRESHOLD, "09:00", "09:10", "09:30"),
    (THRESHOLD, "09:00", "09:31", "10:00"),
    (DEDUCTED, "09:00", "09:31", "10:30"),
    (MINIMUM, "09:00", "09:01", "10:15"),
    (BY_24_HOURS, "2026-09-01 18:00", "2026-09-02 05:00", "2026-09-02 18:00"),
    (NIGHT_CAP, "2026-09-01 20:00", "2026-09-01 23:30", "2026-09-02 08:00"),
    (ENTRY, "09:00", "09:00", "09:00"),
]


@pytest.mark.parametrize(("document", "entered", "left", "until"), STEADY)
def test_d8_how_long_an_amount_stays(document: Document, entered: str, left: str, until: str) -> None:
    found = pricing.price(tariff.parse(document), entered_at=at(entered), left_at=at(left), day_kind=day_kind)
    assert found.steady_until == at(until)


@pytest.mark.parametrize(("document", "left"), [(ENTRY, "09:01"), (STAY_CAP, "12:00"), (made(all_day()), "09:01")])
def test_d8_an_amount_that_never_grows_again_has_no_end(document: Document, left: str) -> None:
    found = pricing.price(tariff.parse(document), entered_at=at("09:00"), left_at=at(left), day_kind=day_kind)
    assert found.steady_until is None


def test_a_car_that_leaves_before_it_enters_is_refused() -> None:
    with pytest.raises(ValueError, match="before it enters"):
        pricing.price(
            tariff.parse(ONE), entered_at=at("09:00"), left_at=at("09:00") - timedelta(seconds=1), day_kind=day_kind
        )
