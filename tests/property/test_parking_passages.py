"""A hostile camera, seeded: whatever is repeated, reordered or told hours late ends in the same stays and money (D8).

A day of cars is played twice on real rows: once told in order as it happens, and once told at the end of the day by
cameras that were offline, shuffled, with repeats. The stays must be the same, none of them may be charged by the second
way, and no car may be left inside that has gone.
"""

import random
from datetime import datetime, timedelta

import pytest

from backend.kernel.resources import Resources
from tests import factories, factories_parking
from tests.conftest import START
from tests.factories_parking import Lot
from tests.factories_payments import sound

DAY = timedelta(hours=20)
Seen = tuple[datetime, str, str]


def a_day(chosen: random.Random) -> list[Seen]:
    """Up to three stays for each of a few cars, none closer than two minutes to the next, all over at the end."""
    seen: list[Seen] = []
    for number in range(chosen.randint(2, 4)):
        plate, stays = f"粤B5{number}00{number}", chosen.randint(1, 3)
        minutes = sorted(chosen.sample(range(2, 1_100, 2), 2 * stays))
        for position, minute in enumerate(minutes):
            seen.append((START + timedelta(minutes=minute), plate, "in" if position % 2 == 0 else "out"))
    return sorted(seen)


async def told(lot: Lot, what: Seen, *, late: bool) -> None:
    at, plate, way = what
    camera = lot.camera_in if way == "in" else lot.camera_out
    key = f"{plate}{at.isoformat()}{way}"
    one = factories_parking.sighting(lot.res, plate, at=at, key=key, sequence=int(at.timestamp()))
    await lot.see(camera, factories_parking.replayed(one) if late else one)


async def stays(lot: Lot) -> list[tuple[str, datetime, datetime]]:
    """Plate, entry and exit of every stay, whatever the cameras made of it."""
    found = []
    for row in await lot.stays():
        assert row["state"] in ("OUT", "VOIDED"), "nobody is left inside"
        found.append((factories_parking.plate_of(lot, row), row["entered_at"], row["left_at"]))
    return sorted(found, key=str)


@pytest.mark.parametrize("seed", range(12))
async def test_a_day_told_late_and_shuffled_ends_in_the_stays_that_were(res: Resources, seed: int) -> None:
    chosen = random.Random(f"passages {seed}")
    place = await factories.community(res)
    day = a_day(chosen)
    free = await factories_parking.lot(res, place, code="FREE", prices=None)
    for what in day:
        res.clock.instant = what[0]
        await told(free, what, late=False)
    res.clock.instant = START + DAY
    hostile = await factories_parking.lot(res, place, code="LATE")
    told_again = day + [chosen.choice(day) for _ in range(5)]
    chosen.shuffle(told_again)
    for what in told_again:
        await told(hostile, what, late=True)
    assert await stays(hostile) == await stays(free), f"seed {seed}"
    assert await res.db.fetchval("SELECT count(*) FROM parking_quote") == 0
    assert await hostile.free_spaces() == await free.free_spaces() == 100
    await sound(res)
