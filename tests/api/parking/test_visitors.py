"""Visitors' vehicles: covered within their window and entries, charged as the lot says beyond it, few a day (D8)."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tests import factories, factories_parking
from tests.api.parking.conftest import Site
from tests.conftest import START, Client
from tests.factories_gate_list import fetch
from tests.factories_parking import CAR
from tests.factories_payments import sound

HOUR = timedelta(hours=1)


def window(start_h: float = 0, end_h: float = 3, **more: Any) -> dict[str, Any]:
    """A visit from some hours after 10 o'clock in Shanghai on."""
    times = {"starts_at": (START + start_h * HOUR).isoformat(), "ends_at": (START + end_h * HOUR).isoformat()}
    return {"plate": CAR, **times, "entries": 1, **more}


async def issued(site: Site, **more: Any) -> UUID:
    manager = await site.staff("manager")
    answer = await manager.post(f"/admin/v1/parking-lots/{site.lot.id}/visitor-cards", window(**more))
    assert answer.status == 201, answer.body
    return UUID(answer.json["id"])


async def resident(site: Site, code: str = "101") -> tuple[Client, str]:
    """Somebody who lives in a house, and the address at which visitors are announced for it."""
    house = await factories.house(site.res, site.place, code)
    who = await factories.person(site.res, f"1380000{code}0")
    await factories.occupy(site.res, who, house)
    return site.client.of(who.token), f"/api/v1/houses/{house}/visitor-vehicles"


async def limits(site: Site, per_day: int, hours: int = 24) -> None:
    await site.res.db.execute("UPDATE parking_lot SET visitors_per_day = $1, visitor_hours = $2", per_day, hours)


async def test_a_visitor_within_the_window_is_covered_once(site: Site) -> None:
    await issued(site)
    assert (await site.lot.arrives()).lines == ("欢迎回家",)
    site.res.clock.advance(2 * HOUR)
    assert (await site.lot.leaves()).open
    site.res.clock.advance(timedelta(minutes=5))
    assert (await site.lot.arrives()).lines == ("欢迎光临",), "the one entry is used up"
    first, second = await site.lot.stays()
    assert first["card_id"] is not None and second["card_id"] is None
    await sound(site.res)


async def test_a_voided_stay_gives_its_entry_back(site: Site) -> None:
    await issued(site)
    await site.lot.arrives()
    await factories_parking.void(site.lot, (await site.lot.stay())["id"])
    site.res.clock.advance(timedelta(minutes=1))
    assert (await site.lot.arrives()).lines == ("欢迎回家",)


@pytest.mark.parametrize(("start_h", "end_h"), [(1, 3), (-3, 0)])
async def test_a_visitor_before_and_after_the_window_is_a_guest(site: Site, start_h: int, end_h: int) -> None:
    site.res.clock.instant = START - 4 * HOUR
    await issued(site, start_h=start_h, end_h=end_h)
    site.res.clock.instant = START
    await site.lot.arrives()
    assert (await site.lot.stay())["card_id"] is None
    site.res.clock.advance(2 * HOUR)
    assert (await site.lot.leaves()).lines[0] == "请缴费10.00元"


@pytest.mark.parametrize(("rule", "line"), [("window_end", "请缴费10.00元"), ("entry", "请缴费20.00元")])
async def test_who_overstays_is_charged_from_the_end_or_from_the_entry_as_the_lot_says(
    site: Site, rule: str, line: str
) -> None:
    await site.res.db.execute("UPDATE parking_lot SET visitor_overstay = $1", rule)
    await issued(site, end_h=3)
    await site.lot.arrives()
    site.res.clock.advance(timedelta(hours=4, minutes=30))
    assert (await site.lot.leaves()).lines[0] == line, "1.5 hours beyond the window, or 4.5 hours capped"
    await sound(site.res)


@pytest.mark.parametrize("rule", ["window_end", "entry"])
async def test_who_leaves_at_the_end_of_the_window_pays_nothing(site: Site, rule: str) -> None:
    await site.res.db.execute("UPDATE parking_lot SET visitor_overstay = $1", rule)
    await issued(site, end_h=3)
    await site.lot.arrives()
    site.res.clock.advance(3 * HOUR)
    assert (await site.lot.leaves()).open


async def test_a_resident_announces_within_the_limits_of_the_lot(site: Site) -> None:
    me, path = await resident(site)
    lot = {"lot_id": str(site.lot.id)}
    assert (await me.post(path, window(**lot))).code == "visitors_off"
    await limits(site, 2, hours=5)
    assert (await me.post(path, window(end_h=6, **lot))).status == 422
    first = await me.post(path, window(**lot))
    assert first.status == 201, first.body
    (shown,) = (await me.get(path)).json["items"]
    assert (shown["id"], shown["plate"], shown["entries"], shown["cancelled"]) == (first.json["id"], CAR, 1, False)
    assert (await me.post(path, window(**lot | {"plate": "粤B54321"}))).status == 201
    assert (await me.post(path, window(**lot | {"plate": "粤B54322"}))).code == "visitors_used_up"
    tomorrow = window(start_h=24, end_h=26, **lot | {"plate": "粤B54322"})
    assert (await me.post(path, tomorrow)).status == 201, "another day"
    owner = await site.res.db.fetchval("SELECT count(*) FROM parking_vehicle WHERE house_id IS NOT NULL")
    assert owner == 0, "a visitor's car is not the host's"
    await sound(site.res)


async def test_many_announcements_at_once_keep_the_limit(site: Site) -> None:
    me, path = await resident(site)
    await limits(site, 2)
    bodies = [window(lot_id=str(site.lot.id), plate=f"粤B6000{number}") for number in range(8)]
    answers = await asyncio.gather(*(me.post(path, body) for body in bodies))
    assert sorted(answer.status for answer in answers) == [201] * 2 + [409] * 6
    assert await site.res.db.fetchval("SELECT count(*) FROM parking_visitor") == 2


async def test_another_house_and_another_communitys_lot_are_not_there(site: Site) -> None:
    me, path = await resident(site)
    await limits(site, 2)
    _, other = await resident(site, "102")
    assert (await me.post(other, window(lot_id=str(site.lot.id)))).status == 404
    assert (await me.get(other)).status == 404
    elsewhere = await factories_parking.lot(site.res, await factories.community(site.res), code="E1")
    assert (await me.post(path, window(lot_id=str(elsewhere.id)))).status == 404


async def test_a_visitors_card_stands_in_the_list_for_lanes_and_is_cancelled_like_any(site: Site) -> None:
    card = await issued(site)
    given = await fetch(site.lot, site.lot.camera_in)
    assert given.entries is not None and [each.card_id for each in given.entries] == [card]
    manager = await site.staff("manager")
    assert (await manager.post(f"/admin/v1/parking-cards/{card}/cancel", {"reason": "访客不来了"})).status == 200
    await site.lot.arrives()
    assert (await site.lot.stay())["card_id"] is None


async def test_a_window_that_is_over_or_backwards_is_refused(site: Site) -> None:
    manager = await site.staff("manager")
    for start_h, end_h in ((-3, -1), (2, 1), (0, 31 * 24)):
        answer = await manager.post(
            f"/admin/v1/parking-lots/{site.lot.id}/visitor-cards", window(start_h=start_h, end_h=end_h)
        )
        assert (answer.status, answer.json["error"]["details"]["fields"][0]["field"]) == (422, "ends_at")
