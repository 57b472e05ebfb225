"""Runs: published at once, cancelled and cleared, supplements, single bills, void and reissue (D3)."""

import asyncio
from datetime import date, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest

from backend.fees import billing_run, bills, handlers, payable, runs
from backend.fees.approvals import APPROVALS
from backend.fees.states import BILL_MOVES, RUN_MOVES
from backend.kernel import approvals, failpoints
from backend.kernel.audit import SYSTEM
from backend.kernel.clock import FrozenClock
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.failpoints import FailpointError
from backend.kernel.outbox import Job
from backend.kernel.resources import Resources
from backend.ledger import accounts, balances
from backend.ledger.accounts import Code, Key
from tests import factories, factories_fees


async def _state(res: Resources, run_id: UUID) -> str:
    return str(await res.db.fetchval("SELECT state FROM billing_run WHERE id = $1", run_id))


async def _work(res: Resources, event: str) -> int:
    """Run the one READY outbox row of `event` as a worker does; returns how many are left."""
    row = await res.db.fetchrow("SELECT id, payload FROM outbox WHERE event = $1 AND state = 'READY'", event)
    assert row is not None, event
    await res.db.execute(
        "UPDATE outbox SET state = 'LEASED', attempt = 1, lease_until = $2 WHERE id = $1", row["id"], res.clock.now()
    )
    await handlers.HANDLERS[event](Job(res, row["id"], 1, event, row["payload"]))
    assert await res.db.fetchval("SELECT state FROM outbox WHERE id = $1", row["id"]) == "DONE"
    return int(await res.db.fetchval("SELECT count(*) FROM outbox WHERE event = $1 AND state = 'READY'", event))


async def test_the_requested_run_is_generated_by_its_job(res: Resources) -> None:
    place = await factories.community(res)
    await factories.house(res, place)
    run = await factories_fees.draft(res, await factories_fees.item(res, place))
    assert await _state(res, run.id) == "DRAFT"
    assert await _work(res, "fees.run_requested") == 0
    assert await _state(res, run.id) == "READY"


async def test_runs_of_two_items_at_once_open_the_accounts_of_a_house_once(res: Resources) -> None:
    place = await factories.community(res)
    await factories.house(res, place)
    drafts = [
        await factories_fees.draft(res, await factories_fees.item(res, place, code=code)) for code in ("WYF", "SF")
    ]
    failpoints.arm("tx.before_commit", "sleep:0.5", times=1)
    await asyncio.gather(*(factories_fees.generate(res, run.id) for run in drafts))
    for run in drafts:
        await factories_fees.publish(res, run)
    assert await res.db.fetchval("SELECT count(*) FROM account WHERE code = 'receivable'") == 1
    assert await res.db.fetchval("SELECT count(*) FROM bill") == 2
    await factories_fees.assert_books(res.db)


async def test_a_long_generation_goes_on_in_another_job(res: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    place = await factories.community(res)
    for n in range(5):
        await factories.house(res, place, f"{101 + n}")
    run = await factories_fees.draft(res, await factories_fees.item(res, place))
    monkeypatch.setattr(handlers, "BUDGET_S", -1.0)
    monkeypatch.setattr(billing_run, "generate_chunk", partial(billing_run.generate_chunk, houses=2))
    assert await _work(res, "fees.run_requested") == 1
    assert await _work(res, "fees.run_requested") == 1
    assert await _work(res, "fees.run_requested") == 0
    assert await _state(res, run.id) == "READY"
    assert await res.db.fetchval("SELECT count(*) FROM bill") == 5


async def test_a_run_that_cannot_be_computed_fails_and_frees_its_period(res: Resources) -> None:
    place = await factories.community(res)
    await factories.house(res, place)
    item_id = await factories_fees.item(res, place)
    run = await factories_fees.draft(res, item_id)
    await res.db.execute("""UPDATE billing_run SET plan = jsonb_set(plan, '{max_fen}', '"many"')""")
    await _work(res, "fees.run_requested")
    row = await res.db.fetchrow("SELECT state, error FROM billing_run WHERE id = $1", run.id)
    assert row is not None and row["state"] == "FAILED" and row["error"].startswith("22P02")
    await _work(res, "fees.run_given_up")
    await factories_fees.published(res, item_id)
    await factories_fees.assert_books(res.db)


async def test_drafts_are_invisible_until_one_row_publishes_all(res: Resources) -> None:
    place = await factories.community(res)
    house_id = await factories.house(res, place)
    owner = await factories.person(res)
    await factories.occupy(res, owner, house_id)
    run = await factories_fees.ready(res, await factories_fees.item(res, place))
    bill_id = await factories_fees.bill_of(res.db, house_id)
    with pytest.raises(NotFound):
        await bills.one_of_staff(res.db, [place.id], bill_id=bill_id)
    with pytest.raises(NotFound):
        await res.db.transact(partial(payable.lock_and_price, scope=None, wanted={bill_id: None}))
    assert await balances.house_balance(res.db, community_id=place.id, house_id=house_id) == 0
    await factories_fees.assert_books(res.db)

    await factories_fees.publish(res, run)
    assert (await bills.one_of_staff(res.db, [place.id], bill_id=bill_id))["principal_fen"] == 22_338
    assert await balances.house_balance(res.db, community_id=place.id, house_id=house_id) == 22_338
    events = await res.db.fetch("SELECT payload FROM outbox WHERE event = 'fees.run_published'")
    assert [row["payload"] for row in events] == [{"run_id": str(run.id)}]
    await factories_fees.assert_books(res.db)


async def test_a_publishing_that_fails_before_its_commit_has_done_nothing(res: Resources) -> None:
    place = await factories.community(res)
    await factories.house(res, place)
    run = await factories_fees.ready(res, await factories_fees.item(res, place))
    failpoints.arm("tx.before_commit", "raise", times=1)
    with pytest.raises(FailpointError):
        await factories_fees.publish(res, run)
    assert await _state(res, run.id) == "READY"
    assert await res.db.fetchval("SELECT count(*) FROM posting") == 0
    await factories_fees.publish(res, run)
    await factories_fees.assert_books(res.db)


async def test_of_ten_publishings_at_once_one_publishes(res: Resources) -> None:
    place = await factories.community(res)
    for n in range(20):
        await factories.house(res, place, f"{101 + n}")
    run = await factories_fees.ready(res, await factories_fees.item(res, place))
    done = await asyncio.gather(*(factories_fees.publish(res, run) for _ in range(10)), return_exceptions=True)
    assert [type(each) for each in done if each is not None] == [Conflict] * 9
    assert await res.db.fetchval("SELECT count(*) FROM posting") == 20
    assert await res.db.fetchval("SELECT count(*) FROM outbox WHERE event = 'fees.run_published'") == 1
    await factories_fees.assert_books(res.db)


async def test_a_publishing_waits_for_the_one_under_way_and_is_told_so(res: Resources) -> None:
    """The first waits for the income account, which somebody is just opening; the second for the first."""
    place = await factories.community(res)
    await factories.house(res, place)
    item_id = await factories_fees.item(res, place)
    run = await factories_fees.ready(res, item_id)
    held, let_go = asyncio.Event(), asyncio.Event()

    async def hold(tx: Tx) -> None:
        await accounts.ensure(tx, Key(place.id, Code.INCOME, item_id))
        held.set()
        await let_go.wait()

    holding = asyncio.create_task(res.db.transact(hold))
    await held.wait()
    publishing = [asyncio.create_task(factories_fees.publish(res, run)) for _ in range(2)]
    async with asyncio.timeout(5):
        while await res.db.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") < 2:
            await asyncio.sleep(0.01)
    let_go.set()
    done = await asyncio.gather(*publishing, return_exceptions=True)
    assert [type(each) for each in done if each is not None] == [Conflict]
    await holding
    await factories_fees.assert_books(res.db)


async def test_a_run_that_is_not_ready_is_not_published(res: Resources) -> None:
    place = await factories.community(res)
    await factories.house(res, place)
    run = await factories_fees.draft(res, await factories_fees.item(res, place))
    with pytest.raises(Conflict, match="run_not_ready"):
        await factories_fees.publish(res, run)


async def test_a_period_has_one_unpublished_run(res: Resources) -> None:
    place = await factories.community(res)
    item_id = await factories_fees.item(res, place)
    done = await asyncio.gather(*(factories_fees.draft(res, item_id) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(each, Conflict) for each in done) == 4
    assert await res.db.fetchval("SELECT count(*) FROM billing_run") == 1


async def test_a_cancelled_run_is_cleared_and_the_period_is_free_again(res: Resources) -> None:
    place = await factories.community(res)
    await factories.house(res, place)
    await factories.house(res, place, "102", gross_area_cm2=None)
    item_id = await factories_fees.item(res, place)
    run = await factories_fees.ready(res, item_id)
    await res.db.transact(
        partial(billing_run.cancel, actor=SYSTEM, run_id=run.id, communities=(place.id,), reason="单价有误")
    )
    with pytest.raises(Conflict, match="run_clearing"):
        await factories_fees.draft(res, item_id)
    with pytest.raises(Conflict, match="run_not_ready"):
        await factories_fees.publish(res, run)
    await _work(res, "fees.run_given_up")
    assert await res.db.fetchval("SELECT count(*) FROM bill") == 0
    assert await res.db.fetchval("SELECT count(*) FROM bill_line") == 0
    again = await factories_fees.published(res, item_id)
    assert again.supplement == 1
    await factories_fees.assert_books(res.db)


async def test_a_supplement_bills_only_whom_the_run_left_out(res: Resources) -> None:
    place = await factories.community(res)
    first = await factories.house(res, place)
    late = await factories.house(res, place, "102", gross_area_cm2=None)
    item_id = await factories_fees.item(res, place)
    await factories_fees.published(res, item_id)
    await res.db.execute("UPDATE house SET gross_area_cm2 = 1000000 WHERE id = $1", late)
    supplement = await factories_fees.published(res, item_id)
    assert supplement.supplement == 1
    rows = await res.db.fetch("SELECT house_id, principal_fen FROM bill ORDER BY principal_fen")
    assert [tuple(row) for row in rows] == [(first, 22_338), (late, 25_000)]
    (omitted,) = await runs.omissions_of(res.db, supplement.id)
    assert (omitted.reason, omitted.houses, omitted.samples) == ("already_billed", 1, ("1栋1单元101",))
    await factories_fees.assert_books(res.db)


async def test_overlapping_periods_of_another_cycle_are_billed_already(res: Resources) -> None:
    place = await factories.community(res)
    await factories.house(res, place)
    item_id = await factories_fees.item(res, place)
    await factories_fees.published(res, item_id, date(2026, 8, 1))
    await res.db.execute("UPDATE fee_item SET cycle_months = 3")
    await factories_fees.published(res, item_id, date(2026, 8, 1))
    assert await res.db.fetchval("SELECT count(*) FROM bill") == 1
    assert await res.db.fetchval("SELECT reason FROM billing_omission") == "already_billed"


async def _approve_void(res: Resources, place: factories.Community, bill_id: UUID) -> None:
    cashier = await factories.staff(res, place, "cashier")
    manager = await factories.staff(res, place, "manager")
    proposed = await res.db.transact(
        partial(
            bills.propose_void, actor=factories_fees.actor(cashier), bill_id=bill_id, communities=(place.id,),
            reason="面积登记错误",
        )
    )  # fmt: skip
    await res.db.transact(
        partial(
            approvals.decide, actor=factories_fees.actor(manager), approval_id=proposed.id, approve=True, note="同意",
            kinds=APPROVALS,
        )
    )  # fmt: skip


async def test_void_and_reissue(res: Resources) -> None:
    place = await factories.community(res)
    house_id = await factories.house(res, place)
    item_id = await factories_fees.item(res, place)
    await factories_fees.published(res, item_id)
    bill_id = await factories_fees.bill_of(res.db, house_id)

    with pytest.raises(Conflict, match="bill_exists"):
        await factories_fees.draft(res, item_id, house_id=house_id)
    await _approve_void(res, place, bill_id)
    assert await balances.house_balance(res.db, community_id=place.id, house_id=house_id) == 0
    await res.db.execute("UPDATE house SET gross_area_cm2 = 1000000")
    single = await factories_fees.published(res, item_id, house_id=house_id)
    assert single.only_house_id == house_id
    again = await factories_fees.bill_of(res.db, house_id)
    assert again != bill_id
    assert await balances.house_balance(res.db, community_id=place.id, house_id=house_id) == 25_000
    with pytest.raises(Conflict, match="bill_exists"):
        await factories_fees.draft(res, item_id, house_id=house_id)
    await factories_fees.assert_books(res.db)


async def _pay(res: Resources, place: factories.Community, bill_id: UUID, fen: int) -> None:
    async def work(tx: object) -> None:
        clearing = await accounts.ensure(
            tx,
            accounts.Key(place.id, accounts.Code.CLEARING, uuid4()),  # type: ignore[arg-type]
        )
        await payable.apply_paid(tx, lines=[(uuid4(), bill_id, fen, 0)], clearing_account=clearing)  # type: ignore[arg-type]

    await res.db.transact(work)


async def test_a_bill_with_money_on_it_is_not_voided(res: Resources) -> None:
    place = await factories.community(res)
    house_id = await factories.house(res, place)
    await factories_fees.published(res, await factories_fees.item(res, place))
    bill_id = await factories_fees.bill_of(res.db, house_id)
    cashier = factories_fees.actor(await factories.staff(res, place, "cashier"))
    manager = factories_fees.actor(await factories.staff(res, place, "manager"))
    proposed = await res.db.transact(
        partial(bills.propose_void, actor=cashier, bill_id=bill_id, communities=(place.id,), reason="重复出账")
    )
    await _pay(res, place, bill_id, 22_338)
    with pytest.raises(approvals.Stale):
        await res.db.transact(
            partial(approvals.decide, actor=manager, approval_id=proposed.id, approve=True, note="", kinds=APPROVALS)
        )
    with pytest.raises(Conflict, match="bill_not_voidable"):
        await res.db.transact(
            partial(bills.propose_void, actor=cashier, bill_id=bill_id, communities=(place.id,), reason="重复出账")
        )
    await factories_fees.assert_books(res.db)


async def test_of_two_payments_of_a_bill_one_is_applied_and_the_other_changes_nothing(res: Resources) -> None:
    place = await factories.community(res)
    first, second = [await factories.house(res, place, code) for code in ("101", "102")]
    await factories_fees.published(res, await factories_fees.item(res, place))
    paid, open_ = await factories_fees.bill_of(res.db, first), await factories_fees.bill_of(res.db, second)
    await _pay(res, place, paid, 22_338)

    async def work(tx: object) -> None:
        clearing = await accounts.ensure(tx, accounts.Key(place.id, accounts.Code.CLEARING, uuid4()))  # type: ignore[arg-type]
        lines = [(uuid4(), open_, 22_338, 0), (uuid4(), paid, 22_338, 0)]
        with pytest.raises(payable.AlreadyPaid):
            await payable.apply_paid(tx, lines=lines, clearing_account=clearing)  # type: ignore[arg-type]

    await res.db.transact(work)
    states = await res.db.fetch("SELECT id, state, paid_fen FROM bill ORDER BY paid_fen")
    assert [tuple(row) for row in states] == [(open_, "ISSUED", 0), (paid, "PAID", 22_338)]
    await factories_fees.assert_books(res.db)


async def test_fifty_payments_of_a_bill_at_once_pay_it_once(res: Resources) -> None:
    place = await factories.community(res)
    house_id = await factories.house(res, place)
    await factories_fees.published(res, await factories_fees.item(res, place))
    bill_id = await factories_fees.bill_of(res.db, house_id)
    done = await asyncio.gather(*(_pay(res, place, bill_id, 22_338) for _ in range(50)), return_exceptions=True)
    assert sum(each is None for each in done) == 1
    assert all(isinstance(each, payable.AlreadyPaid) for each in done if each is not None)
    assert await balances.house_balance(res.db, community_id=place.id, house_id=house_id) == 0
    await factories_fees.assert_books(res.db)


async def test_part_payments_add_up_and_the_last_fen_makes_it_paid(res: Resources) -> None:
    place = await factories.community(res)
    house_id = await factories.house(res, place)
    await factories_fees.published(res, await factories_fees.item(res, place))
    bill_id = await factories_fees.bill_of(res.db, house_id)
    await _pay(res, place, bill_id, 22_337)
    assert await res.db.fetchval("SELECT state FROM bill") == "PARTLY_PAID"
    (priced,) = await res.db.transact(partial(payable.lock_and_price, scope=None, wanted={bill_id: None}))
    assert (priced.principal_fen, priced.title) == (1, "物业费 2026年9月")
    with pytest.raises(payable.AlreadyPaid):
        await _pay(res, place, bill_id, 2)
    await _pay(res, place, bill_id, 1)
    assert await res.db.fetchval("SELECT state FROM bill") == "PAID"
    with pytest.raises(payable.AlreadyPaid):
        await res.db.transact(partial(payable.lock_and_price, scope=None, wanted={bill_id: None}))
    await factories_fees.assert_books(res.db)


async def test_a_foreign_item_run_or_house_is_unknown(res: Resources) -> None:
    place, other = await factories.community(res), await factories.community(res, "LL02")
    foreign_house = await factories.house(res, other)
    item_id = await factories_fees.item(res, place)
    run = await factories_fees.ready(res, item_id)
    for refused in (
        partial(billing_run.create, actor=SYSTEM, item_id=item_id, communities=(other.id,), day=date(2026, 9, 1)),
        partial(billing_run.create, actor=SYSTEM, item_id=uuid4(), communities=(place.id,), day=date(2026, 9, 1)),
        partial(
            billing_run.create, actor=SYSTEM, item_id=item_id, communities=(place.id,), day=date(2026, 8, 1),
            house_id=foreign_house,
        ),
        partial(billing_run.publish, actor=SYSTEM, run_id=run.id, communities=(other.id,)),
        partial(billing_run.cancel, actor=SYSTEM, run_id=run.id, communities=(), reason="x"),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await res.db.transact(refused)
    assert await _state(res, run.id) == "READY"


async def test_no_run_outside_the_validity_or_of_a_closed_item(res: Resources) -> None:
    place = await factories.community(res)
    item_id = await factories_fees.item(res, place)
    with pytest.raises(Invalid):
        await factories_fees.draft(res, item_id, date(2019, 12, 31))
    await res.db.execute("UPDATE fee_item SET state = 'CLOSED'")
    with pytest.raises(Conflict, match="item_closed"):
        await factories_fees.draft(res, item_id)


async def test_the_daily_scan_makes_missed_runs_once_and_never_publishes(res: Resources, clock: FrozenClock) -> None:
    place = await factories.community(res)
    await factories.house(res, place)
    item_id = await factories_fees.item(res, place)
    await handlers.scan(res, "2026-09-01")
    clock.advance(timedelta(days=95))
    await handlers.scan(res, "2026-12-05")
    await handlers.scan(res, "2026-12-05")
    rows = await res.db.fetch("SELECT period_start, state, created_by FROM billing_run ORDER BY period_start")
    assert [tuple(row) for row in rows] == [(date(2026, month, 1), "DRAFT", None) for month in (9, 10, 11, 12)]
    await res.db.execute(
        "UPDATE billing_run SET state = 'CANCELLED', cleared_at = $1 WHERE period_start = '2026-10-01'", clock.now()
    )
    await handlers.scan(res, "2026-12-05")
    assert await res.db.fetchval("SELECT count(*) FROM billing_run WHERE item_id = $1", item_id) == 4


async def test_the_database_knows_the_moves_of_states(res: Resources) -> None:
    for table, moves in (("billing_run", RUN_MOVES), ("bill", BILL_MOVES)):
        trigger = await res.db.fetchval(
            "SELECT tgargs FROM pg_trigger WHERE tgrelid = $1::regclass AND tgname = $2", table, f"{table}_moves"
        )
        known = {text.decode() for text in bytes(trigger).split(b"\0") if text}
        assert known == {f"{old}>{new}" for old, allowed in moves.items() for new in allowed}
