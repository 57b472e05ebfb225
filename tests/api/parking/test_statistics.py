"""Two days of a lot, by hand: income to the fen, cars, lengths, the fullest hours, exits by hand (D13)."""

import io
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import openpyxl

from backend.kernel.audit import SYSTEM
from backend.kernel.clock import start_of_day
from backend.kernel.db import Tx
from backend.ledger import accounts
from backend.ledger.accounts import Code, Key
from backend.parking import payable
from backend.parking.cards import cards
from backend.parking.states import ListKind
from tests import factories_parking
from tests.api.parking.conftest import Site

FIRST, SECOND = date(2026, 9, 1), date(2026, 9, 2)
GUEST, CARD, WHITE, PAYS, BY_HAND, NIGHT, STAYS = (f"粤B6000{number}" for number in range(7))
LEDGER = """
    SELECT coalesce(sum(CASE p.credit_account WHEN a.id THEN p.amount_fen ELSE -p.amount_fen END), 0)::bigint
      FROM account a JOIN posting p ON a.id IN (p.debit_account, p.credit_account)
     WHERE a.code = 'parking_income' AND a.subject_id = $1 AND p.booked_on >= $2 AND p.booked_on < $3
"""


def at(site: Site, day: date, hour: int, minute: int = 0) -> None:
    """The clock of Shanghai."""
    site.res.clock.instant = start_of_day(day) + timedelta(hours=hour, minutes=minute)


async def money(site: Site, session_id: UUID, amount_fen: int, *, back: bool = False) -> None:
    """Payments settles, or gives back, what a stay was asked for."""

    async def work(tx: Tx) -> None:
        clearing = await accounts.ensure(tx, Key(site.place.id, Code.CASH, site.place.id))
        apply = payable.apply_refunded if back else payable.apply_paid
        await apply(tx, lines=[(uuid4(), session_id, amount_fen, 0)], clearing_account=clearing)

    await site.res.db.transact(work)


async def pays(site: Site, plate: str, amount_fen: int) -> UUID:
    asked = await site.lot.quote(plate)
    assert asked.quote is not None and asked.quote["amount_fen"] == amount_fen
    await money(site, asked.session_id, amount_fen)
    assert (await site.lot.leaves(plate)).open
    return asked.session_id


async def whitelisted(site: Site, plate: str) -> None:
    lot = site.lot
    await site.res.db.transact(
        lambda tx: cards.put_on_list(
            tx, SYSTEM, keyring=site.res.keyring, lot_id=lot.id, communities=[site.place.id], kind=ListKind.WHITE,
            plate=plate, starts_on=FIRST, ends_on=None, reason="业委会",
        )
    )  # fmt: skip


async def opens_exit(site: Site, plate: str | None, reason: str) -> None:
    session_id = None
    if plate is not None:
        blind = site.res.keyring.blind(plate, "plate")
        session_id = str(await site.res.db.fetchval("SELECT id FROM parking_session WHERE plate_blind = $1", blind))
    path = f"/admin/v1/parking-lots/{site.lot.id}/lanes/{site.lot.lane_out}/open"
    answer = await site.guard.post(path, {"reason": reason, "session_id": session_id, "plate": None})
    assert answer.status == 200, answer.body


async def two_days(site: Site) -> None:
    await factories_parking.card(site.lot, [CARD])
    await whitelisted(site, WHITE)
    at(site, FIRST, 10)
    await site.lot.arrives(GUEST)
    await site.lot.arrives(CARD)
    at(site, FIRST, 10, 20)
    await site.lot.leaves(GUEST)
    at(site, FIRST, 10, 30)
    await site.lot.arrives(WHITE)
    at(site, FIRST, 11)
    await site.lot.arrives(PAYS)
    at(site, FIRST, 12, 30)
    await site.lot.leaves(WHITE)
    paid = await pays(site, PAYS, 1_000)
    at(site, FIRST, 13)
    await site.lot.arrives(BY_HAND)
    at(site, FIRST, 15)
    await opens_exit(site, BY_HAND, "老人就医")
    at(site, FIRST, 15, 1)
    await opens_exit(site, None, "救护车")
    at(site, FIRST, 23, 30)
    await site.lot.arrives(NIGHT)
    at(site, SECOND, 0, 30)
    await pays(site, NIGHT, 500)
    at(site, SECOND, 9)
    await money(site, paid, 1_000, back=True)
    at(site, SECOND, 10)
    await site.lot.leaves(CARD)
    at(site, SECOND, 11)
    await site.lot.arrives(STAYS)
    at(site, SECOND, 12)


async def figures(site: Site, query: str) -> Any:
    cashier = await site.staff("cashier")
    answer = await cashier.get(f"/admin/v1/parking-lots/{site.lot.id}/figures?{query}")
    assert answer.status == 200, answer.body
    return answer.json


def line(first_on: date, income_fen: int, refunded_fen: int, entries: int, **exits: int) -> dict[str, Any]:
    kinds = dict.fromkeys(("card", "list", "free", "paid", "by_hand", "unpaid"), 0)
    return {
        "first_on": first_on.isoformat(), "income_fen": income_fen, "refunded_fen": refunded_fen,
        "net_fen": income_fen - refunded_fen, "entries": entries, "exits": kinds | exits, "turnover_percent": entries,
    }  # fmt: skip


async def test_two_days_are_what_was_worked_by_hand(site: Site) -> None:
    await two_days(site)
    told = await figures(site, "starts_on=2026-09-01&ends_on=2026-09-03")
    assert told["items"] == [
        line(FIRST, 1_000, 0, 6, free=1, list=1, paid=1, by_hand=1),
        line(SECOND, 500, 1_000, 1, paid=1, card=1),
    ]
    assert told["total"] == line(FIRST, 1_500, 1_000, 7, free=1, list=1, paid=2, by_hand=1, card=1)
    lengths = {each["from_min"]: each["stays"] for each in told["stay_lengths"] if each["stays"]}
    assert lengths == {0: 1, 60: 2, 120: 2, 1440: 1}
    hours = {each["hour"]: (each["peak"], each["average"]) for each in told["hours"]}
    assert len(hours) == 24
    expected = {9: (1, 1), 10: (2, 1), 11: (3, 2), 12: (3, 2), 13: (2, 2), 16: (1, 1), 23: (2, 2), 0: (2, 1)}
    assert {hour: hours[hour] for hour in expected} == expected
    (eleven,) = [each for each in told["hours"] if each["hour"] == 11]
    assert datetime.fromisoformat(eleven["peak_at"]) == start_of_day(FIRST) + timedelta(hours=11)


async def test_income_is_that_of_the_ledger_on_the_same_days(site: Site) -> None:
    await two_days(site)
    told = await figures(site, "starts_on=2026-09-01&ends_on=2026-09-03")
    for each, on in zip(told["items"], (FIRST, SECOND), strict=True):
        booked_fen = await site.res.db.fetchval(LEDGER, site.lot.id, on, on + timedelta(days=1))
        assert each["net_fen"] == booked_fen
    (month,) = (await figures(site, "starts_on=2026-09-01&ends_on=2026-10-01&by=month"))["items"]
    assert month == told["total"]
    assert month["net_fen"] == await site.res.db.fetchval(LEDGER, site.lot.id, FIRST, date(2026, 10, 1))


async def test_another_lot_and_other_days_are_not_counted(site: Site) -> None:
    await two_days(site)
    other = await factories_parking.lot(site.res, site.place, code="P2")
    await other.arrives("粤B99999")
    told = await figures(site, "starts_on=2026-09-03&ends_on=2026-09-04")
    assert told["total"] == line(date(2026, 9, 3), 0, 0, 0)
    assert {each["peak"] for each in told["hours"]} == {1}, "the car that came the day before is still there"


async def test_exits_opened_by_hand_name_the_guard_the_reason_and_what_was_not_paid(site: Site) -> None:
    await two_days(site)
    manager = await site.staff("manager")
    path = f"/admin/v1/parking-lots/{site.lot.id}/hand-openings?starts_on=2026-09-01&ends_on=2026-09-03&limit=1"
    first = (await manager.get(path)).json
    second = (await manager.get(f"{path}&cursor={first['next_cursor']}")).json
    (chosen,), (unknown,) = first["items"], second["items"]
    assert (chosen["reason"], chosen["open_fen"], chosen["plate_masked"]) == ("老人就医", 1_000, "粤B***04")
    assert (unknown["reason"], unknown["open_fen"], unknown["plate_masked"]) == ("救护车", 0, None)
    staff = await site.res.db.fetchrow("SELECT id, name FROM staff WHERE id = $1", UUID(chosen["staff_id"]))
    assert staff is not None and chosen["staff_name"] == staff["name"]
    assert (await manager.get(f"{path}&cursor={second['next_cursor']}")).json["items"] == []


async def test_the_workbook_holds_the_same_figures(site: Site) -> None:
    await two_days(site)
    manager = await site.staff("manager")
    answer = await manager.get(
        f"/admin/v1/parking-lots/{site.lot.id}/figures.xlsx?starts_on=2026-09-01&ends_on=2026-09-03"
    )
    assert answer.status == 200
    rows = list(openpyxl.load_workbook(io.BytesIO(answer.body)).worksheets[0].values)
    assert [row[0] for row in rows] == ["日期", "2026-09-01", "2026-09-02", "合计"]
    assert rows[1][1:] == (1_000, 0, 1_000, 6, 0, 1, 1, 1, 1, 0, 6)
    assert rows[3][1:] == (1_500, 1_000, 500, 7, 1, 1, 1, 2, 1, 0, 7)


async def test_a_period_that_is_empty_or_too_long_is_refused(site: Site) -> None:
    manager = await site.staff("manager")
    for query in ("starts_on=2026-09-02&ends_on=2026-09-02", "starts_on=2026-01-01&ends_on=2026-09-01"):
        answer = await manager.get(f"/admin/v1/parking-lots/{site.lot.id}/figures?{query}")
        assert (answer.status, answer.json["error"]["details"]["fields"][0]["field"]) == (422, "ends_on")


async def test_a_voided_stay_counts_nowhere(site: Site) -> None:
    await site.lot.arrives(GUEST)
    await factories_parking.void(site.lot, (await site.lot.stay())["id"])
    told = await figures(site, "starts_on=2026-09-01&ends_on=2026-09-02")
    assert told["total"] == line(FIRST, 0, 0, 0)
    assert {each["peak"] for each in told["hours"]} == {0}
