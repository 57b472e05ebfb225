"""F-19: the clock at the edges of days, months and years in Asia/Shanghai, and jumping an hour to and fro.

The right period, due date, statement day and shift; nothing periodic done twice, nothing left out.
"""

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest

from backend.composition import PERIODIC
from backend.fees import handlers as fee_handlers
from backend.kernel.clock import FrozenClock, local_date, start_of_day
from backend.kernel.periodic import Daily, Minutes, Periodic
from backend.kernel.resources import Resources
from payments import janitor
from payments.reconcile import closing_day
from payments.reconcile import handlers as reconcile_handlers
from tests import factories, factories_counter, factories_fees, factories_messaging, factories_reconcile
from tests.conftest import Client, Run, Sandbox
from tests.factories_payments import Stage, sound, stage
from workers import schedule

DAY, HOUR, MOMENT = timedelta(days=1), timedelta(hours=1), timedelta(milliseconds=1)
# The end of a month, the days around 29 February, the end of a year.
EDGES = (date(2026, 9, 30), date(2026, 12, 31), date(2028, 2, 28), date(2028, 2, 29))
AT_EDGES = pytest.mark.parametrize("day", EDGES, ids=str)


def last_moment(day: date) -> datetime:
    """23:59:59.999 in Shanghai."""
    return start_of_day(day + DAY) - MOMENT


def jumps(day: date) -> list[datetime]:
    """Over the end of `day` in the machine's jumps: on by an hour, back by one, and the slow way; until noon."""
    midnight = start_of_day(day + DAY)
    around = [midnight - HOUR, midnight - MOMENT, midnight, midnight - HOUR, midnight - MOMENT + HOUR, midnight]
    later = [midnight + n * HOUR / 2 for n in range(1, 25)]
    return [*around, *(at + step for at in later for step in (timedelta(), -HOUR, HOUR))]


@AT_EDGES
async def test_f19_nothing_periodic_runs_twice_or_not_at_all(res: Resources, clock: FrozenClock, day: date) -> None:
    ran: Counter[tuple[str, str]] = Counter()

    def counted(work: Periodic) -> Periodic:
        async def note(_: Resources, period: str) -> None:
            ran[work.name, period] += 1

        return replace(work, run=note)

    periodic = [counted(work) for work in PERIODIC]
    clock.instant = start_of_day(day) + 12 * HOUR
    for instant in [clock.instant, *jumps(day)]:
        clock.instant = instant
        await schedule.tick(res.db, periodic)
        while await factories_messaging.work_due(res, schedule.handlers(periodic)):
            pass
    assert set(ran.values()) == {1}
    for work in periodic:
        done = sorted(period for name, period in ran if name == work.name)
        if isinstance(work.every, Daily):
            first = day if work.every.at <= time(12) else day - DAY
            last = day + DAY if work.every.at <= time(12) else day
            dates = {(first + n * DAY).isoformat() for n in range((last - first).days + 1)}
            assert dates <= set(done), work.name
            assert max(done) == (day + DAY).isoformat()
        else:
            assert isinstance(work.every, Minutes)
            assert done == sorted(set(done)) and done[-1] > f"{day + DAY}T12"
    assert await res.db.fetchval("SELECT count(*) FROM periodic_run WHERE state <> 'DONE'") == 0


@pytest.mark.parametrize(
    ("day", "starts_on", "ends_on", "due_on"),
    [
        (date(2026, 9, 30), date(2026, 10, 1), date(2026, 11, 1), date(2026, 10, 31)),
        (date(2026, 12, 31), date(2027, 1, 1), date(2027, 2, 1), date(2027, 1, 31)),
        (date(2028, 1, 31), date(2028, 2, 1), date(2028, 3, 1), date(2028, 3, 2)),
        (date(2028, 2, 29), date(2028, 3, 1), date(2028, 4, 1), date(2028, 3, 31)),
    ],
)
async def test_f19_the_first_of_a_month_has_one_run_of_its_period_with_its_due_date(
    res: Resources, clock: FrozenClock, day: date, starts_on: date, ends_on: date, due_on: date
) -> None:
    clock.instant = start_of_day(day) + 12 * HOUR
    place = await factories.community(res)
    await factories.house(res, place)
    await factories_fees.item(res, place)
    for instant in jumps(day):
        clock.instant = instant
        await schedule.tick(res.db, fee_handlers.PERIODIC)
        handlers = {**fee_handlers.HANDLERS, **schedule.handlers(fee_handlers.PERIODIC)}
        while await factories_messaging.work_due(res, handlers):
            pass
        if local_date(instant) == day:
            assert await res.db.fetchval("SELECT count(*) FROM billing_run") == 0
    rows = await res.db.fetch("SELECT period_start, period_end, due_on FROM billing_run")
    assert [tuple(row.values()) for row in rows] == [(starts_on, ends_on, due_on)]
    await sound(res)


async def test_f19_a_bill_is_overdue_from_the_first_moment_after_its_due_day(
    res: Resources, client: Client, clock: FrozenClock
) -> None:
    due_on = date(2026, 9, 30)
    clock.instant = last_moment(due_on)
    books = await factories_reconcile.books(res)
    bill_id = await books.stage.bill()

    async def overdue() -> bool:
        answer = await client.of(books.stage.owner.token).get(f"/api/v1/bills/{bill_id}")
        assert answer.json["bill"]["due_on"] == due_on.isoformat()
        return bool(answer.json["bill"]["overdue"])

    assert not await overdue()
    for step, expected in ((MOMENT, True), (-HOUR, False), (HOUR, True)):
        clock.advance(step)
        assert await overdue() is expected


@AT_EDGES
async def test_f19_a_payment_belongs_to_the_statement_of_its_day_in_shanghai(
    res: Resources, clock: FrozenClock, day: date, tmp_path: Path
) -> None:
    clock.instant = last_moment(day)
    books = await factories_reconcile.books(res)
    before = await books.pay(10_000, at=last_moment(day))
    after = await books.pay(20_000, at=last_moment(day) + MOMENT)
    clock.advance(DAY + 12 * HOUR)
    first = await books.trades(tmp_path, [before], day=day)
    second = await books.trades(tmp_path, [after], day=day + DAY)
    assert (first.matched, second.matched) == (1, 1)
    assert await books.found() == []
    for on, received_fen in ((day, 10_000), (day + DAY, 20_000)):
        closing = await closing_day.of_day(
            res.db, company_id=books.stage.place.company_id, communities=[books.stage.place.id], day=on
        )
        assert [(side.received_fen, side.agrees) for side in closing.sides] == [(received_fen, True)]
    await sound(res)


@AT_EDGES
async def test_f19_at_ten_the_statements_of_yesterday_are_asked_for_once(
    res: Resources, clock: FrozenClock, day: date
) -> None:
    clock.instant = start_of_day(day) + 11 * HOUR
    await factories_reconcile.books(res)
    ten = start_of_day(day + DAY) + 10 * HOUR

    async def asked() -> list[str]:
        await schedule.tick(res.db, reconcile_handlers.PERIODIC)
        await factories_messaging.work_due(res, schedule.handlers(reconcile_handlers.PERIODIC))
        rows = await res.db.fetch(
            "SELECT DISTINCT payload ->> 'day' AS day FROM outbox WHERE event = 'payments.reconcile_due' ORDER BY 1"
        )
        return [row["day"] for row in rows]

    known = [(day - DAY).isoformat()]
    assert await asked() == known
    clock.instant = ten - MOMENT
    assert await asked() == known
    for instant in (ten, ten - HOUR, ten + HOUR, ten):
        clock.instant = instant
        assert await asked() == [*known, day.isoformat()]
    due = await res.db.fetchval("SELECT count(*) FROM outbox WHERE event = 'payments.reconcile_due'")
    assert due == 2 * await res.db.fetchval("SELECT count(*) FROM merchant WHERE channel = 'wechat'") * 3


@AT_EDGES
async def test_f19_a_shift_over_midnight_keeps_its_takings_and_each_day_has_its_own_money(
    res: Resources, clock: FrozenClock, day: date
) -> None:
    clock.instant = last_moment(day) - HOUR
    stage = (await factories_reconcile.books(res)).stage
    desk = await factories_counter.counter(stage)
    clock.instant = last_moment(day)
    await desk.take(await stage.bill(10_000), amount_fen=10_000)
    clock.advance(MOMENT)
    await desk.take(await stage.bill(20_000), amount_fen=20_000)
    clock.advance(-HOUR)
    await desk.take(await stage.bill(5_000), amount_fen=5_000)
    report = await desk.close(50_000 + 35_000)
    assert (report.shift.expected_fen, report.shift.counted_fen) == (85_000, 85_000)
    for on, received_fen in ((day, 15_000), (day + DAY, 20_000)):
        closing = await closing_day.of_day(
            res.db, company_id=stage.place.company_id, communities=[stage.place.id], day=on
        )
        assert [(side.channel, side.received_fen, side.agrees) for side in closing.sides] == [
            ("counter", received_fen, True)
        ]
    await sound(res)


@pytest.fixture
def play(sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client, run: Run) -> Stage:
    return run(stage(sandbox_res, sandbox))


async def test_f19_a_jump_of_an_hour_closes_no_order_that_was_paid(play: Stage) -> None:
    """An hour is more than an order lives; the channel is asked before anything is closed."""
    await play.hostile(lose_callbacks=1)
    paid, unpaid, kept = await play.bill(), await play.bill(), await play.bill()
    told, forgotten = await play.ready(paid), await play.ready(unpaid)
    await play.user_pays(told)
    await play.later(hours=1)
    await play.janitor()
    assert (await play.state(told), await play.state(forgotten)) == ("PAID", "CLOSED")
    live = await play.ready(kept)
    await play.later(hours=-1)
    await play.janitor()
    assert (await play.state(told), await play.state(live)) == ("PAID", "PAYING")
    await play.user_pays(live)
    await play.deliver()
    await play.later(hours=1)
    await play.deliver()
    await janitor.tick(play.res, "")
    assert await play.state(live) == "PAID"
    await play.balanced()
