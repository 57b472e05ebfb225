"""Prices are tried on past stays before anybody proposes them (D8)."""

from datetime import timedelta
from typing import Any

from backend.parking.prices import what_if
from tests import factories_parking
from tests.api.parking.conftest import Site
from tests.conftest import START, Answered
from tests.factories_parking import PRICES
from tests.factories_payments import sound

# Made up for the test: the same, but 8 yuan for each begun hour, and only 15 free minutes.
DEARER = {**PRICES, "free": {"minutes": 15, "kind": "threshold"}}
DEARER["days"] = [
    {
        **PRICES["days"][0],
        "windows": [
            {
                "starts": "00:00",
                "ends": "24:00",
                "segments": [{"from_min": 0, "to_min": None, "increment_min": 60, "price_fen": 800}],
            }
        ],
    }
]


async def stayed(site: Site, plate: str, minutes: int) -> None:
    """A stay of so many minutes that is over; what it owed was let go by the guard."""
    await site.lot.arrives(plate)
    site.res.clock.advance(timedelta(minutes=minutes))
    await site.res.db.execute(
        """UPDATE parking_session SET state = 'OUT', left_at = $2
            WHERE lot_id = $1 AND state = 'IN' AND plate_blind = $3""",
        site.lot.id, site.res.clock.now(), site.res.keyring.blind(plate, "plate"),
    )  # fmt: skip
    await site.res.db.execute("DELETE FROM parking_wildcard")


async def asks(site: Site, document: dict[str, Any] = DEARER, days: int = 1) -> Answered:
    manager = await site.staff("manager")
    body = {"document": document, "starts_at": START.isoformat(), "ends_at": (START + timedelta(days=days)).isoformat()}
    return await manager.post(f"/admin/v1/parking-lots/{site.lot.id}/tariffs/what-if", body)


async def test_stays_are_priced_by_their_own_and_by_the_tried_prices(site: Site, monkeypatch: Any) -> None:
    monkeypatch.setattr(what_if, "CHUNK", 2)
    await factories_parking.card(site.lot, ("粤B00009",))
    # Then: 0, 0, 500, 1000, at most 2000 a day; now: 0, 800, 800, 1600, 2000. A card costs nothing by either.
    for number, minutes in enumerate((10, 20, 60, 61, 600)):
        await stayed(site, f"粤B0000{number}", minutes)
    await stayed(site, "粤B00009", 600)
    answer = await asks(site)
    assert (answer.status, answer.json) == (
        200,
        {"stays": 5, "then_fen": 3500, "now_fen": 5200, "dearer": 3, "cheaper": 0, "unchanged": 2, "complete": True},
    )
    assert (await asks(site, PRICES)).json["unchanged"] == 5
    await sound(site.res)


async def test_the_version_that_counted_for_a_stay_counts_again(site: Site) -> None:
    await stayed(site, "粤B00001", 60)
    await factories_parking.tariff(site.lot, DEARER, effective_from=site.res.clock.now())
    await stayed(site, "粤B00002", 60)
    answer = (await asks(site)).json
    assert (answer["then_fen"], answer["now_fen"], answer["dearer"]) == (500 + 800, 1600, 1)


async def test_more_stays_than_are_tried_are_said_to_be_left_out(site: Site, monkeypatch: Any) -> None:
    monkeypatch.setattr(what_if, "CHUNK", 1)
    monkeypatch.setattr(what_if, "MAX_STAYS", 2)
    for number in range(3):
        await stayed(site, f"粤B0000{number}", 60)
    answer = (await asks(site)).json
    assert (answer["stays"], answer["complete"]) == (2, False)


async def test_a_bad_document_and_a_bad_period_are_named(site: Site) -> None:
    refused = await asks(site, {"days": []})
    assert refused.status == 422
    assert {each["field"].split(".")[0] for each in refused.json["error"]["details"]["fields"]} == {"document"}
    assert (await asks(site, days=0)).status == 422
    assert (await asks(site, days=400)).status == 422
