"""The hostile camera, seeded (D8): cameras repeat, overtake, lose answers and hours, misread, and have wrong clocks.

What comes of it is held against what really happened. Each day ends with every invariant.
"""

from collections import defaultdict
from typing import Any

import pytest

from tests.api.parking.conftest import Site
from tests.api.parking.hostile import Day, Fault, Visit
from tests.factories_payments import sound

MANY = [pytest.param(seed, marks=pytest.mark.long) for seed in range(1000, 1100)]


async def stays(day: Day) -> dict[str, list[Any]]:
    """The rows of each plate as it was read, in order of time."""
    res, found = day.site.res, defaultdict(list)
    names = {res.keyring.blind(text, "plate"): text for each in day.visits + day.burst for text in each.read}
    for row in await res.db.fetch("SELECT * FROM parking_session ORDER BY coalesce(entered_at, left_at), created_at"):
        found[names[bytes(row["plate_blind"])]].append(row)
    return found


def as_told(visits: list[Visit]) -> list[Any]:
    return [("OUT", [], each.comes_at, each.left_at, each.paid_fen) for each in visits]


def as_kept(rows: list[Any]) -> list[Any]:
    return [(row["state"], row["flags"], row["entered_at"], row["left_at"], row["paid_fen"]) for row in rows]


async def settled(day: Day) -> None:
    """Money is what was asked for at the barrier, nobody is inside any more, and every invariant holds."""
    res = day.site.res
    assert await res.db.fetchval("SELECT coalesce(sum(paid_fen), 0)::bigint FROM parking_session") == day.income_fen
    assert await day.site.lot.free_spaces() == 100
    await sound(res)


@pytest.mark.parametrize("seed", [1, 212, *MANY])
async def test_repeats_overtaking_and_lost_answers_end_in_the_same_stays_and_money(site: Site, seed: int) -> None:
    day = Day(site, seed, faulty=False)
    await day.play()
    kept = await stays(day)
    for plate in {each.plate for each in day.visits + day.burst}:
        mine = [each for each in day.visits + day.burst if each.plate == plate]
        assert as_kept(kept.pop(plate)) == as_told(mine), plate
        assert all(each.paid_fen == each.price_fen(each.goes_at) for each in mine)
    assert not kept
    await settled(day)


@pytest.mark.parametrize("seed", [12, 13, *MANY])
async def test_what_is_lost_late_misread_or_badly_timed_is_named_and_never_charged_wrongly(
    site: Site, seed: int
) -> None:
    day = Day(site, seed, faulty=True)
    await day.play()
    kept, listed = await stays(day), await named(site)
    for plate in {each.plate for each in day.visits + day.burst}:
        mine = [each for each in day.visits + day.burst if each.plate == plate]
        if all(each.fault is Fault.NONE for each in mine):
            assert as_kept(kept[plate]) == as_told(mine), plate
            continue
        rows = [row for text in set().union(*(each.read for each in mine)) for row in kept[text]]
        unusual = {str(row["id"]) for row in rows if row["flags"]}
        assert unusual, [each.fault for each in mine]
        assert unusual <= listed
        assert sum(row["paid_fen"] for row in rows) == sum(each.paid_fen for each in mine)
    await settled(day)


async def named(site: Site) -> set[str]:
    """The ids of the unusual stays that the guard's console shows."""
    guard = await site.staff("guard")
    page = (await guard.get(f"/admin/v1/parking-lots/{site.lot.id}/stays?inside=false&unusual=true&limit=100")).json
    assert page["next_cursor"] is None
    return {each["id"] for each in page["items"]}
