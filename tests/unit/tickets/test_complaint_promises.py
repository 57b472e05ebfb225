"""Working days of complaints by nature and urgency, over the National Day holiday of 2026, worked by hand (R7, D9)."""

from datetime import datetime

import pytest

from backend.kernel.clock import SHANGHAI
from backend.property.calendars import Calendar
from backend.tickets import working_time
from backend.tickets.complaints.policy import Policy, Promise
from backend.tickets.complaints.words import Nature, Urgency
from backend.tickets.states import ClockKind
from backend.tickets.working_time import Measure, Schedule

NOISE_AT_ONCE = Promise(Nature.NOISE, Urgency.USUAL, 1, 3)
ANY = Promise(None, Urgency.USUAL, 3, 10)
OURS = Policy((ANY, NOISE_AT_ONCE))


def at(text: str) -> datetime:
    return datetime.strptime(f"2026-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("policy", "nature", "urgency", "days"),
    [
        (Policy(), Nature.NOISE, Urgency.USUAL, (2, 7)),
        (Policy(), Nature.OTHER, Urgency.URGENT, (1, 3)),
        (Policy(), Nature.OTHER, Urgency.GRAVE, (1, 2)),
        # A line that names the nature comes before one that names none, wherever it stands; other urgencies as usual.
        (OURS, Nature.NOISE, Urgency.USUAL, (1, 3)),
        (OURS, Nature.FEES, Urgency.USUAL, (3, 10)),
        (OURS, Nature.NOISE, Urgency.URGENT, (1, 3)),
        (Policy((NOISE_AT_ONCE,)), Nature.FEES, Urgency.USUAL, (2, 7)),
    ],
)
def test_r7_what_is_promised_goes_by_nature_and_urgency(
    policy: Policy, nature: Nature, urgency: Urgency, days: tuple[int, int]
) -> None:
    assert policy.promise(nature, urgency).clocks == {ClockKind.CONTACT: days[0], ClockKind.ANSWER: days[1]}


@pytest.mark.parametrize(
    ("came", "urgency", "contact", "answer"),
    [
        # Off: 25 September; 1 to 7 October, Thursday to Wednesday. Worked: Sunday 20 September, Saturday 10 October.
        ("09-28 09:00", Urgency.USUAL, "09-30 18:00", "10-13 18:00"),
        ("09-30 17:59", Urgency.URGENT, "10-08 18:00", "10-10 18:00"),
        ("09-30 23:30", Urgency.GRAVE, "10-08 18:00", "10-09 18:00"),
        ("10-03 10:00", Urgency.USUAL, "10-09 18:00", "10-15 18:00"),
        ("10-09 10:00", Urgency.URGENT, "10-10 18:00", "10-13 18:00"),
        ("09-18 10:00", Urgency.URGENT, "09-20 18:00", "09-22 18:00"),
        ("09-24 10:00", Urgency.GRAVE, "09-28 18:00", "09-29 18:00"),
    ],
)
def test_r7_working_days_over_national_day_2026(came: str, urgency: Urgency, contact: str, answer: str) -> None:
    clocks = Policy().promise(Nature.OTHER, urgency).clocks
    due = {
        kind: working_time.due(Schedule(Calendar()), at(came), within=days, measure=Measure.WORKING_DAYS)
        for kind, days in clocks.items()
    }
    assert due == {ClockKind.CONTACT: at(contact), ClockKind.ANSWER: at(answer)}
