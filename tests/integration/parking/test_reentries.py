"""Several entries as one (D8): what an earlier stay settled is not asked for again."""

from copy import deepcopy
from typing import Any
from uuid import UUID

import pytest

from backend.kernel.db import Tx
from backend.parking import stays
from backend.parking.prices import dues, reentries
from tests import factories_parking
from tests.factories_parking import PRICES, Lot
from tests.factories_payments import sound
from tests.integration.parking.conftest import Garage

# Made up for the test: 5 yuan for an entry, and all entries within 4 hours of the first are one.
PER_ENTRY: dict[str, Any] = deepcopy(PRICES) | {"free": None, "day": None, "reentry": {"within_min": 240}}
PER_ENTRY["days"][0]["windows"][0] |= {"segments": [], "entry_fen": 500}
# Made up for the test: 5 yuan an hour, 30 minutes free (a threshold), one within 4 hours.
HOURLY: dict[str, Any] = deepcopy(PRICES) | {"reentry": {"within_min": 240}}


@pytest.fixture
def per_entry(garage: Garage, run: Any) -> Garage:
    run(factories_parking.tariff(garage.lot, PER_ENTRY))
    return garage


async def stays_for(garage: Garage, *, minutes: int) -> UUID:
    """A car comes, stays, pays what is asked for, and goes; its stay."""
    await garage.lot.arrives()
    session_id = UUID(str((await garage.lot.stays())[-1]["id"]))
    await garage.later(minutes=minutes)
    if not (await garage.lot.leaves()).open:
        await garage.pays(session_id)
        assert (await garage.lot.leaves()).open
    return session_id


async def owed_fen(lot: Lot) -> int:
    """What the car inside would pay now."""
    asked = await lot.quote()
    return asked.due.total_fen


async def test_d8_a_second_entry_within_the_time_costs_nothing_more(per_entry: Garage) -> None:
    await stays_for(per_entry, minutes=60)
    await per_entry.later(minutes=60)
    await stays_for(per_entry, minutes=60)
    first, second = await per_entry.lot.stays()
    assert (first["paid_fen"], second["paid_fen"], second["state"]) == (500, 0, "OUT")
    await per_entry.play.balanced()


async def test_d8_after_the_time_an_entry_costs_anew_and_is_the_first_of_the_next(per_entry: Garage) -> None:
    await stays_for(per_entry, minutes=60)
    await per_entry.later(minutes=181)
    await stays_for(per_entry, minutes=10)  # 241 minutes after the first
    await stays_for(per_entry, minutes=10)  # within 4 hours of the second
    assert [row["paid_fen"] for row in await per_entry.lot.stays()] == [500, 500, 0]
    await per_entry.play.balanced()


async def test_d8_the_free_time_is_given_once_and_the_quote_says_what_was_settled(garage: Garage) -> None:
    await factories_parking.tariff(garage.lot, HOURLY)
    await stays_for(garage, minutes=20)  # free
    await stays_for(garage, minutes=20)  # 40 minutes together: one begun hour
    await garage.later(minutes=30)
    await garage.lot.arrives()
    await garage.later(minutes=90)  # 130 minutes together: three begun hours, of which one is settled
    asked = await garage.lot.quote()
    assert asked.quote is not None and asked.quote["amount_fen"] == 1000
    assert asked.quote["lines"][-1]["label"] == "多次进出按一次计，此前已结清 5.00 元"
    assert [row["paid_fen"] for row in await garage.lot.stays()] == [0, 500, 0]
    await garage.play.balanced()


async def test_d8_asked_again_an_hour_of_questions_later_it_is_the_same(per_entry: Garage) -> None:
    await stays_for(per_entry, minutes=200)
    await per_entry.lot.arrives()
    await per_entry.later(minutes=30)
    before = await owed_fen(per_entry.lot)
    await per_entry.later(minutes=300)
    assert (before, await owed_fen(per_entry.lot)) == (0, 0)


async def test_d8_the_grace_of_an_earlier_stay_is_not_charged_by_the_next(garage: Garage) -> None:
    await factories_parking.tariff(garage.lot, HOURLY)
    await garage.lot.arrives()
    await garage.later(minutes=60)
    asked = await garage.lot.quote()
    await garage.pays(asked.session_id)
    await garage.later(minutes=14)
    assert (await garage.lot.leaves()).open
    await garage.lot.arrives()
    await garage.later(minutes=60)
    assert await owed_fen(garage.lot) == 500  # two begun hours in 60 + 60 minutes, not three in 74 + 60
    await garage.play.balanced()


async def test_d8_a_stay_that_left_unpaid_owes_for_itself(per_entry: Garage) -> None:
    await per_entry.lot.arrives()
    session_id = UUID(str((await per_entry.lot.stay())["id"]))
    await per_entry.later(minutes=60)
    await per_entry.play.res.db.execute(
        "UPDATE parking_session SET state = 'OUT', left_at = $2, flags = '{by_hand,left_unpaid}' WHERE id = $1",
        session_id, per_entry.play.res.clock.now(),
    )  # fmt: skip
    await per_entry.play.res.db.execute("DELETE FROM parking_wildcard")
    await per_entry.lot.arrives()
    await per_entry.later(minutes=10)
    assert await owed_fen(per_entry.lot) == 500
    await sound(per_entry.play.res)


async def test_d8_a_covered_stay_joins_nothing(garage: Garage) -> None:
    await factories_parking.tariff(garage.lot, HOURLY)
    card = await factories_parking.card(garage.lot)
    await stays_for(garage, minutes=60)
    await garage.play.res.db.execute("DELETE FROM parking_card_vehicle WHERE card_id = $1", card)
    await garage.lot.arrives()
    await garage.later(minutes=29)
    assert await owed_fen(garage.lot) == 0
    await garage.later(minutes=2)
    assert await owed_fen(garage.lot) == 500


async def test_d8_another_car_is_another_matter(per_entry: Garage) -> None:
    await stays_for(per_entry, minutes=60)
    await per_entry.lot.arrives("粤B54321")
    await per_entry.later(minutes=10)
    assert (await per_entry.lot.quote("粤B54321")).due.total_fen == 500


async def statements(lot: Lot, session_id: UUID, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the database is asked for to say what a stay costs."""
    asked: list[str] = []

    def listening(of: Any) -> Any:
        async def listen(tx: Tx, sql: str, *args: Any) -> Any:
            asked.append(sql)
            return await of(tx, sql, *args)

        return listen

    for name in ("fetch", "fetchrow", "fetchval", "execute"):
        monkeypatch.setattr(Tx, name, listening(getattr(Tx, name)))

    async def work(tx: Tx) -> None:
        await dues.due(tx, await stays.lock(tx, session_id, at=tx.now), at=tx.now)

    await lot.res.db.transact(work)
    return asked


@pytest.mark.parametrize(("prices", "more"), [(PRICES, []), (PER_ENTRY, [reentries.VISITS])])
async def test_d8_only_a_lot_that_joins_entries_is_asked_for_them(
    garage: Garage, prices: dict[str, Any], more: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await factories_parking.tariff(garage.lot, prices)
    await garage.lot.arrives()
    session_id = UUID(str((await garage.lot.stay())["id"]))
    await garage.later(minutes=61)
    assert await statements(garage.lot, session_id, monkeypatch) == [stays.LOCK, *more]
