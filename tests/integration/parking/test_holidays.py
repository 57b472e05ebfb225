"""Holidays in prices (D8): by the calendar that administrators keep, and told to the driver."""

from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from backend.kernel.audit import Actor
from backend.kernel.errors import Invalid
from backend.kernel.resources import Resources
from backend.parking.prices import tariffs, what_if
from backend.property import calendars
from backend.property.calendars import Day, DayKind
from tests import factories, factories_parking
from tests.factories import Community
from tests.factories_parking import PRICES, Lot
from tests.factories_payments import sound
from tests.parking_tariffs import all_day, at, segment


def prices(working_fen: int = 400, weekend_fen: int = 600, holiday_fen: int = 1_000) -> dict[str, Any]:
    """Made up for the test: each begun hour by the kind of its day, nothing free, no cap."""
    kinds = {"working_day": working_fen, "weekend": weekend_fen, "holiday": holiday_fen}
    days = [{"kinds": [kind], "windows": [all_day(segment(0, None, 60, fen))]} for kind, fen in kinds.items()]
    return deepcopy(PRICES) | {"days": days, "free": None, "day": None}


@pytest.fixture
def place(res: Resources, run: Any) -> Community:
    return run(factories.community(res))


async def asked(res: Resources, place: Community, entered: str, left: str) -> tuple[int, list[str]]:
    """What a stay between two instants in Shanghai costs, and its lines."""
    lot = await stay(res, place, entered)
    res.clock.advance(at(left) - res.clock.now())
    quote = (await lot.quote()).quote
    assert quote is not None
    await sound(res)
    return quote["amount_fen"], [line["label"] for line in quote["lines"]]


async def stay(res: Resources, place: Community, entered: str) -> Lot:
    res.clock.advance(at(entered) - res.clock.now())
    lot = await factories_parking.lot(res, place, prices=prices())
    await lot.arrives()
    return lot


async def enter(res: Resources, place: Community, year: int, *days: Day) -> None:
    actor = Actor("staff", uuid4())
    await res.db.transact(
        lambda tx: calendars.set_year(
            tx, actor, company_id=place.company_id, year=year, days=days, reason="国务院办公厅放假通知"
        )
    )


async def test_d8_the_first_of_october_is_a_holiday(res: Resources, place: Community) -> None:
    fen, labels = await asked(res, place, "2026-10-01 09:00", "2026-10-01 11:00")
    assert fen == 2_000
    assert labels == ["10月1日 国庆节，按节假日计费", "节假日 全天 2 个 1 小时 × 10.00 元 = 20.00 元"]


async def test_d8_a_saturday_on_which_people_work_is_a_working_day(res: Resources, place: Community) -> None:
    fen, labels = await asked(res, place, "2026-10-10 09:00", "2026-10-10 11:00")
    assert fen == 800
    assert labels == ["10月10日 国庆节调休上班，按工作日计费", "工作日 全天 2 个 1 小时 × 4.00 元 = 8.00 元"]


async def test_d8_a_stay_over_midnight_pays_each_day_by_its_kind(res: Resources, place: Community) -> None:
    fen, labels = await asked(res, place, "2026-09-30 22:00", "2026-10-01 01:30")
    assert fen == 2 * 400 + 2 * 1_000
    assert labels == [
        "10月1日 国庆节，按节假日计费",
        "9月30日 工作日 全天 2 个 1 小时 × 4.00 元 = 8.00 元",
        "10月1日 节假日 全天 2 个 1 小时 × 10.00 元 = 20.00 元",
    ]


async def test_d8_a_stay_that_ends_at_midnight_is_not_told_of_the_next_day(res: Resources, place: Community) -> None:
    fen, labels = await asked(res, place, "2026-09-30 22:00", "2026-10-01 00:00")
    assert (fen, labels) == (800, ["工作日 全天 2 个 1 小时 × 4.00 元 = 8.00 元"])


async def test_d8_days_in_a_row_are_told_together(res: Resources, place: Community) -> None:
    _, labels = await asked(res, place, "2026-10-06 12:00", "2026-10-08 12:00")
    assert labels[0] == "10月6日至10月7日 国庆节，按节假日计费"


async def test_d8_a_year_that_nobody_entered_counts_by_the_weekday_and_says_so(
    res: Resources, place: Community
) -> None:
    fen, labels = await asked(res, place, "2027-01-01 09:00", "2027-01-01 10:00")
    assert fen == 400
    assert labels[0] == "1月1日 节假日表尚未录入 2027 年，按星期计费"


async def test_d8_what_an_administrator_enters_counts_for_his_company_alone(res: Resources, place: Community) -> None:
    await enter(res, place, 2027, Day(date(2027, 1, 1), DayKind.HOLIDAY, "元旦"))
    fen, labels = await asked(res, place, "2027-01-01 09:00", "2027-01-01 10:00")
    assert (fen, labels[0]) == (1_000, "1月1日 元旦，按节假日计费")
    other = await factories.community(res, code="R1")
    assert other.company_id != place.company_id
    lot = await factories_parking.lot(res, other, prices=prices())
    await lot.arrives()
    res.clock.advance(timedelta(hours=1))
    assert (await lot.quote()).due.total_fen == 400


async def test_d8_entering_a_year_is_audited_with_what_it_was_before(res: Resources, place: Community) -> None:
    await enter(res, place, 2026, Day(date(2026, 10, 1), DayKind.HOLIDAY, "国庆节"))
    row = await res.db.fetchrow("SELECT * FROM audit_entry WHERE action = 'property.calendar_changed'")
    assert row is not None
    assert (len(row["before"]["days"]), len(row["after"]["days"])) == (39, 1)


@pytest.mark.parametrize(
    ("days", "message"),
    [
        ([Day(date(2026, 10, 1), DayKind.HOLIDAY, "国庆节")], "节假日表有误，2026-10-01 不在 2027 年。"),
        ([Day(date(2027, 1, 1), DayKind.HOLIDAY, "元旦")] * 2, "节假日表有误，2027-01-01 出现了两次。"),
        ([Day(date(2027, 1, 4), DayKind.WORKING_DAY, "元旦")], "节假日表有误，2027-01-04 本来就是工作日，不必列出。"),
        ([Day(date(2027, 1, 2), DayKind.WEEKEND, "元旦")],
         "节假日表有误，2027-01-02 应写明是节假日（holiday）还是调休上班（working_day）。"),
    ],
)  # fmt: skip
async def test_d8_a_year_that_contradicts_itself_is_refused(
    res: Resources, place: Community, days: list[Day], message: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await enter(res, place, 2027, *days)
    assert refused.value.message == message
    assert await res.db.fetchval("SELECT count(*) FROM calendar_year") == 0


async def propose(lot: Lot, effective_from: datetime) -> None:
    await lot.res.db.transact(
        lambda tx: tariffs.propose(
            tx, Actor("staff", uuid4()), lot_id=lot.id, communities=[lot.place.id], given=prices(),
            effective_from=effective_from, reason="备案价格调整",
        )
    )  # fmt: skip


async def test_d8_holidays_are_priced_apart_only_from_a_year_on_that_somebody_knows(
    res: Resources, place: Community
) -> None:
    lot = await factories_parking.lot(res, place)
    next_year = datetime(2026, 12, 31, 16, tzinfo=UTC)  # 2027 in Shanghai
    with pytest.raises(Invalid) as refused:
        await propose(lot, next_year)
    assert refused.value.code == "holidays_unknown"
    await enter(res, place, 2027, Day(date(2027, 1, 1), DayKind.HOLIDAY, "元旦"))
    await propose(lot, next_year)
    assert await res.db.fetchval("SELECT count(*) FROM approval WHERE state = 'PENDING'") == 1


async def test_d8_prices_are_tried_by_the_same_calendar(res: Resources, place: Community) -> None:
    lot = await stay(res, place, "2026-10-01 09:00")
    res.clock.advance(timedelta(minutes=50))
    await res.db.execute("UPDATE parking_session SET state = 'OUT', left_at = $1", res.clock.now())
    row = await res.db.fetchrow("SELECT * FROM parking_lot WHERE id = $1", lot.id)
    assert row is not None
    found = await what_if.compare(
        res.db, row, given=prices(holiday_fen=1_500), starts_at=at("2026-10-01 00:00"), ends_at=at("2026-10-02 00:00")
    )
    assert (found.then_fen, found.now_fen) == (1_000, 1_500)
