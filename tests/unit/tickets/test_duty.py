"""The weekly plan of duty as data (D9)."""

from uuid import UUID

import pytest

from backend.tickets.dispatch.duty import Shift, overlap

ONE, OTHER = UUID(int=1), UUID(int=2)
DAY, NIGHT = (480, 1200), (1200, 1920)


@pytest.mark.parametrize(
    ("shifts", "fine"),
    [
        ([], True),
        ([(ONE, 1, *DAY), (ONE, 1, *NIGHT), (ONE, 2, *DAY)], True),
        ([(ONE, 1, *DAY), (OTHER, 1, *DAY)], True),
        ([(ONE, 7, *NIGHT), (ONE, 1, *DAY)], True),
        ([(ONE, 1, *DAY), (ONE, 1, 1199, 1300)], False),
        ([(ONE, 1, *NIGHT), (ONE, 2, 479, 600)], False),
        ([(ONE, 7, *NIGHT), (ONE, 1, 479, 600)], False),
        ([(ONE, 3, 0, 1440), (ONE, 3, 0, 60)], False),
    ],
)
def test_d9_nobody_is_planned_twice_at_a_time(shifts: list[tuple[UUID, int, int, int]], fine: bool) -> None:
    """A shift may end on the next day, that of Sunday on Monday."""
    assert (overlap([Shift(*each) for each in shifts]) is None) == fine
