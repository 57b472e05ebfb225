"""D11: when quiet hours are over, in Asia/Shanghai, over midnight and not."""

from datetime import UTC, datetime, time

import pytest

from backend.messaging.quiet_hours import USUAL, Hours

NOON = Hours(time(12, 0), time(14, 0))


def utc(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 9, day, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "now", "ends"),
    [
        (USUAL, utc(1, 13, 29, 59), None),
        (USUAL, utc(1, 13, 30), utc(2, 0)),
        (USUAL, utc(1, 15, 59, 59), utc(2, 0)),
        (USUAL, utc(1, 16, 0), utc(2, 0)),
        (USUAL, utc(1, 23, 59, 59), utc(2, 0)),
        (USUAL, utc(2, 0), None),
        (NOON, utc(1, 4), utc(1, 6)),
        (NOON, utc(1, 6), None),
        (NOON, utc(1, 15), None),
        (Hours(time(9, 0), time(9, 0)), utc(1, 1), None),
    ],
)
def test_when_they_end(hours: Hours, now: datetime, ends: datetime | None) -> None:
    assert hours.end_after(now) == ends
