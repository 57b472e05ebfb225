"""The guard sees cars that stay longer than the lot's days, the oldest first, and what they owe stays short (D8)."""

from datetime import timedelta
from typing import Any

from tests import factories_parking
from tests.api.parking.conftest import Site
from tests.factories_payments import sound


async def long(site: Site, query: str = "") -> Any:
    guard = await site.staff("guard")
    answer = await guard.get(f"/admin/v1/parking-lots/{site.lot.id}/long-stays?{query}")
    assert answer.status == 200, answer.body
    return answer.json


async def test_who_stays_longer_than_the_lots_days_is_listed_the_oldest_first(site: Site) -> None:
    other = await factories_parking.lot(site.res, site.place, code="P2")
    await other.arrives("粤B99999")
    for plate in ("粤B10001", "粤B10002"):
        await site.lot.arrives(plate)
        site.res.clock.advance(timedelta(days=1))
    site.res.clock.advance(timedelta(days=29))
    assert [(each["plate_masked"], each["days"]) for each in (await long(site))["items"]] == [("粤B***01", 31)]
    manager = await site.staff("manager")
    days = {"long_stay_days": 7, "picture_days": 14}
    limits = {**days, "visitors_per_day": 2, "visitor_hours": 12, "visitor_overstay": "entry"}
    assert (await manager.call("PUT", f"/admin/v1/parking-lots/{site.lot.id}/limits", limits)).json == limits
    assert (await manager.get(f"/admin/v1/parking-lots/{site.lot.id}/limits")).json == limits
    first = await long(site, "limit=1")
    second = await long(site, f"limit=1&cursor={first['next_cursor']}")
    assert [each["items"][0]["plate_masked"] for each in (first, second)] == ["粤B***01", "粤B***02"]
    assert (await long(site, f"limit=1&cursor={second['next_cursor']}"))["items"] == []


async def test_a_car_that_stayed_for_years_is_quoted_in_a_few_lines(site: Site) -> None:
    await site.lot.arrives()
    site.res.clock.advance(timedelta(days=3 * 365, hours=2))
    (stay,) = (await long(site))["items"]
    guard = await site.staff("guard")
    quote = (await guard.post(f"/admin/v1/parking-stays/{stay['id']}/quote")).json["quote"]
    assert quote["amount_fen"] == 3 * 365 * 2_000 + 1_000
    assert sum(line["amount_fen"] for line in quote["lines"]) == quote["amount_fen"]
    assert len(quote["lines"]) <= 8, [line["label"] for line in quote["lines"]]
    await sound(site.res)
