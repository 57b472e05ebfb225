"""Prepaid accounts: topped up by payments, used for due bills by themselves, never below zero (D4)."""

from functools import partial
from uuid import UUID, uuid4

import pytest

from backend.fees import approvals as fee_approvals
from backend.fees import prepaid, prepaid_returns
from backend.fees.handlers import settle_due
from backend.fees.prepaid import Purpose
from backend.kernel import approvals
from backend.kernel.approvals import Approval
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.auth import HouseScope
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from backend.kernel.resources import Resources
from payments.orders import Payer
from payments.payables import Kind, Wish
from payments.settlement import Outcome
from tests import factories, factories_fees
from tests.conftest import Run, Sandbox
from tests.factories_payments import Stage, sound, stage
from tests.factories_prepaid import (
    account,
    balance_fen,
    bill,
    item_of_type,
    order,
    settle,
    state,
    success,
    top_up,
    work_off,
)


@pytest.fixture
def play(sandbox_res: Resources, sandbox: Sandbox, run: Run) -> Stage:
    return run(stage(sandbox_res, sandbox))


async def overdue(play: Stage) -> None:
    """The due day of the stage's bills, 30 September, has passed."""
    await play.later(days=31)


async def test_a_top_up_is_in_the_account_when_its_order_is_paid_and_not_before(play: Stage) -> None:
    mine = await account(play)
    order_id = await order(play, Wish(Kind.PREPAID, mine, 50_000))
    assert await balance_fen(play, mine) == 0
    assert await success(play, order_id) is Outcome.APPLIED
    assert await balance_fen(play, mine) == 50_000
    assert await success(play, order_id) is Outcome.DIFFERENCE
    assert await balance_fen(play, mine) == 50_000
    await sound(play.res)


async def test_an_order_may_pay_bills_and_fill_an_account_at_once(play: Stage) -> None:
    mine, owed = await account(play), await bill(play, 26_805)
    order_id = await order(play, Wish(Kind.BILL, owed), Wish(Kind.PREPAID, mine, 10_000))
    await success(play, order_id)
    assert (await play.bill_state(owed), await balance_fen(play, mine)) == ("PAID", 10_000)
    await sound(play.res)


@pytest.mark.parametrize("amount_fen", [None, 99, 0, -5, 5_000_001])
async def test_i06_an_amount_out_of_bounds_is_refused(play: Stage, amount_fen: int | None) -> None:
    mine = await account(play)
    with pytest.raises(Invalid) as refused:
        await order(play, Wish(Kind.PREPAID, mine, amount_fen))
    assert refused.value.code == "amount_out_of_bounds"


async def test_i23_an_account_of_another_house_is_an_unknown_one(play: Stage) -> None:
    foreign = await factories.house(play.res, play.place, "909")
    theirs = await account(play, house_id=foreign)
    with pytest.raises(NotFound):
        await order(play, Wish(Kind.PREPAID, theirs, 10_000))
    assert play.payer.scope is not None
    with pytest.raises(NotFound):
        await prepaid.one_of_resident(play.res.db, play.payer.scope, account_id=theirs)
    tenant = HouseScope(uuid4(), (), (), (foreign,))
    with pytest.raises(NotFound):
        await prepaid.one_of_resident(play.res.db, tenant, account_id=theirs)
    with pytest.raises(NotFound):
        await play.res.db.transact(
            partial(prepaid.open_for_resident, actor=SYSTEM, scope=tenant, house_id=foreign, purpose=Purpose.GENERAL)
        )


async def test_an_account_is_opened_once_for_a_house_and_purpose(play: Stage) -> None:
    assert await account(play) == await account(play)
    assert await account(play, Purpose.UTILITY) != await account(play)
    assert await play.count("prepaid_account") == 2


async def test_bills_settle_after_their_due_day_oldest_first_as_far_as_the_money_reaches(play: Stage) -> None:
    mine = await account(play)
    first, second, third = [await bill(play, 10_000) for _ in range(3)]
    await top_up(play, mine, 15_000)
    assert (await settle(play)).bills == 0
    await overdue(play)
    settled = await settle(play)
    assert (settled.bills, settled.amount_fen) == (2, 15_000)
    assert [await play.bill_state(each) for each in (first, second, third)] == ["PAID", "PARTLY_PAID", "ISSUED"]
    assert await balance_fen(play, mine) == 0
    assert (await settle(play)).amount_fen == 0
    await sound(play.res)


async def test_money_of_a_purpose_goes_to_bills_of_that_purpose_and_before_general_money(play: Stage) -> None:
    general, own, utility = [await account(play, each) for each in Purpose]
    water, deposit = await item_of_type(play, "water"), await item_of_type(play, "deposit")
    property_bill, water_bill = await bill(play, 10_000), await bill(play, 10_000, item_id=water)
    deposit_bill = await bill(play, 10_000, item_id=deposit)
    await top_up(play, general, 30_000)
    await top_up(play, own, 4_000)
    await top_up(play, utility, 50_000)
    await overdue(play)
    await settle(play)
    states = [await play.bill_state(each) for each in (property_bill, water_bill, deposit_bill)]
    assert states == ["PAID", "PAID", "ISSUED"]
    assert [await balance_fen(play, each) for each in (general, own, utility)] == [24_000, 0, 40_000]
    await sound(play.res)


async def test_a_bill_that_a_live_order_holds_is_left_to_it(play: Stage) -> None:
    mine, owed = await account(play), await bill(play, 10_000)
    await top_up(play, mine, 20_000)
    await overdue(play)
    order_id = await play.order(owed)
    assert (await settle(play)).bills == 0
    await success(play, order_id)
    assert (await play.bill_state(owed), await balance_fen(play, mine)) == ("PAID", 20_000)
    await sound(play.res)


@pytest.mark.parametrize("liable", ["tenant", "former"])
async def test_bills_of_a_tenant_and_of_an_owner_who_has_left_are_not_taken_from_the_house(
    play: Stage, liable: str
) -> None:
    mine, owed = await account(play), await bill(play, 10_000)
    await top_up(play, mine, 20_000)
    await play.res.db.execute(
        "UPDATE bill SET liable_kind = $2, liable_person_id = $3 WHERE id = $1",
        owed, "tenant" if liable == "tenant" else "owner", uuid4(),
    )  # fmt: skip
    await overdue(play)
    assert (await settle(play)).bills == 0
    await play.res.db.execute(
        "UPDATE bill SET liable_kind = 'owner', liable_person_id = $2 WHERE id = $1", owed, play.owner.id
    )
    assert (await settle(play)).bills == 1


async def promised(play: Stage, order_id: UUID, mine: UUID, amount_fen: int) -> UUID:
    """A refund of a top-up that has been asked for; its line."""
    attempt = await play.attempt(order_id)
    refund_id, line_id, now = uuid4(), uuid4(), play.res.clock.now()

    async def work(tx: Tx) -> None:
        line = await tx.fetchval("SELECT id FROM payment_line WHERE order_id = $1", order_id)
        await prepaid.lock_refundable(tx, lines=[(line_id, mine, amount_fen, 0)])
        await tx.execute(
            """INSERT INTO refund (id, community_id, merchant_id, channel, attempt_id, out_trade_no, transaction_no,
                                   out_refund_no, amount_fen, total_fen, clearing_account, automatic, reason, state,
                                   requested_by, requested_at)
               VALUES ($1, $2, $3, 'wechat', $4, $5, $6, $7, $8, $9, $10, false, '不再预存', 'REQUESTED', $11, $12)""",
            refund_id, attempt["community_id"], attempt["merchant_id"], attempt["id"], attempt["out_trade_no"],
            attempt["transaction_no"], refund_id.hex, amount_fen, attempt["amount_fen"], attempt["clearing_account"],
            uuid4(), now,
        )  # fmt: skip
        await tx.execute(
            "INSERT INTO refund_line (id, refund_id, line_id, kind, payable_id, principal_fen) "
            "VALUES ($1, $2, $3, 'prepaid', $4, $5)",
            line_id, refund_id, line, mine, amount_fen,
        )  # fmt: skip

    await play.res.db.transact(work)
    return line_id


async def test_money_promised_to_a_refund_is_not_used_and_not_promised_twice(play: Stage) -> None:
    mine, owed = await account(play), await bill(play, 10_000)
    order_id = await top_up(play, mine, 12_000)
    line_id = await promised(play, order_id, mine, 8_000)
    with pytest.raises(Conflict) as refused:
        await promised(play, order_id, mine, 5_000)
    assert refused.value.code == "not_refundable"
    await overdue(play)
    assert (await settle(play)).amount_fen == 4_000
    assert (await state(play, mine)).available_fen == 0
    clearing = (await play.attempt(order_id))["clearing_account"]
    lines = [(line_id, mine, 8_000, 0)]
    await play.res.db.transact(partial(prepaid.apply_refunded, lines=lines, clearing_account=clearing))
    assert await balance_fen(play, mine) == 0
    assert await play.bill_state(owed) == "PARTLY_PAID"


async def test_an_account_never_gives_back_more_than_it_holds(play: Stage) -> None:
    mine = await account(play)
    order_id = await top_up(play, mine, 5_000)
    clearing = (await play.attempt(order_id))["clearing_account"]
    lines = [(uuid4(), mine, 3_000, 0), (uuid4(), mine, 2_001, 0)]
    with pytest.raises(Conflict) as refused:
        await play.res.db.transact(partial(prepaid.apply_refunded, lines=lines, clearing_account=clearing))
    assert refused.value.code == "not_refundable"
    assert await balance_fen(play, mine) == 5_000


async def test_the_statement_has_every_entry_with_the_balance_after_it(play: Stage) -> None:
    mine = await account(play)
    await bill(play, 10_000)
    await top_up(play, mine, 15_000)
    await top_up(play, mine, 1_000)
    await overdue(play)
    await settle(play)
    found = await prepaid.entries(play.res.db, await state(play, mine), before=None, limit=10)
    assert [(each.title, each.amount_fen, each.balance_fen) for each in found] == [
        ("缴 物业费 2026年10月", -10_000, 6_000), ("存入", 1_000, 16_000), ("存入", 15_000, 15_000),
    ]  # fmt: skip
    later = await prepaid.entries(play.res.db, await state(play, mine), before=found[1].no, limit=10)
    assert [each.balance_fen for each in later] == [15_000]


async def test_the_day_s_job_settles_every_house_and_goes_on_where_it_was_cut_off(
    play: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.fees.handlers.HOUSES", 1)
    bills, anybody = [], Payer(None, None, factories.APPID, play.owner.openid)
    for code in ("501", "502", "503"):
        house_id = await factories.house(play.res, play.place, code)
        await top_up(play, await account(play, house_id=house_id), 20_000, payer=anybody)
        bills.append(await play.bill(10_000, house_id=house_id))
    await overdue(play)
    await settle_due(play.res, "2026-10-02")
    await settle_due(play.res, "2026-10-02")
    assert await play.count("outbox WHERE event = 'fees.prepaid_due'") == 1
    monkeypatch.setattr("backend.fees.handlers.BUDGET_S", 0.0)
    while await work_off(play, "fees.prepaid_due"):
        monkeypatch.setattr("backend.fees.handlers.BUDGET_S", 20.0)
    assert [await play.bill_state(each) for each in bills] == ["PAID"] * 3
    await sound(play.res)


async def test_a_top_up_settles_what_is_overdue_already(play: Stage) -> None:
    mine, owed = await account(play), await bill(play, 10_000)
    await play.later(days=31)
    await top_up(play, mine, 10_000)
    assert await work_off(play, "fees.prepaid_topped_up")
    assert (await play.bill_state(owed), await balance_fen(play, mine)) == ("PAID", 0)
    await sound(play.res)


async def test_a_run_that_is_published_after_its_due_day_settles_at_once(play: Stage) -> None:
    mine = await account(play)
    await top_up(play, mine, 50_000)
    item_id = await factories_fees.item(play.res, play.place, due_days=0)
    run = await factories_fees.ready(play.res, item_id)
    await play.later(days=3)
    await factories_fees.publish(play.res, run)
    assert await work_off(play, "fees.prepaid_due")
    owed = await factories_fees.bill_of(play.res.db, play.house_id)
    assert await play.bill_state(owed) == "PAID"
    assert await balance_fen(play, mine) == 50_000 - 22_338
    await sound(play.res)


async def test_what_a_bill_took_goes_back_by_two_people_and_is_not_taken_again(play: Stage) -> None:
    general, own, owed = await account(play), await account(play, Purpose.PROPERTY), await bill(play, 10_000)
    await top_up(play, general, 20_000)
    await top_up(play, own, 4_000)
    await overdue(play)
    await settle(play)
    clerk, second = [await factories.staff(play.res, play.place, role) for role in ("cashier", "manager")]

    async def propose(tx: Tx) -> Approval:
        return await prepaid_returns.propose(
            tx, Actor("staff", clerk.id), bill_id=owed, communities=[play.place.id], reason="账单有误"
        )

    async def decide(tx: Tx, who: factories.Staff) -> None:
        await approvals.decide(
            tx, Actor("staff", who.id), asked.id, approve=True, note="", kinds=fee_approvals.APPROVALS
        )

    asked = await play.res.db.transact(propose)
    with pytest.raises(Forbidden):
        await play.res.db.transact(partial(decide, who=clerk))
    await play.res.db.transact(partial(decide, who=second))
    assert await play.bill_state(owed) == "ISSUED"
    assert [await balance_fen(play, each) for each in (general, own)] == [20_000, 4_000]
    assert (await settle(play)).bills == 0
    with pytest.raises(Conflict) as refused:
        await play.res.db.transact(propose)
    assert refused.value.code == "nothing_to_return"
    found = await prepaid.entries(play.res.db, await state(play, own), before=None, limit=10)
    assert [(each.title, each.balance_fen) for each in found] == [
        ("撤销缴 物业费 2026年10月", 4_000), ("缴 物业费 2026年10月", 0), ("存入", 4_000),
    ]  # fmt: skip
    await sound(play.res)


async def test_a_return_that_is_not_as_it_was_shown_is_stale(play: Stage) -> None:
    mine, owed = await account(play), await bill(play, 10_000)
    await top_up(play, mine, 4_000)
    await overdue(play)
    await settle(play)
    clerk, second = [await factories.staff(play.res, play.place, role) for role in ("cashier", "manager")]

    async def propose(tx: Tx) -> Approval:
        return await prepaid_returns.propose(
            tx, Actor("staff", clerk.id), bill_id=owed, communities=[play.place.id], reason="账单有误"
        )

    asked = await play.res.db.transact(propose)
    await top_up(play, mine, 1_000)
    await settle(play)
    with pytest.raises(approvals.Stale):
        await play.res.db.transact(
            lambda tx: approvals.decide(
                tx, Actor("staff", second.id), asked.id, approve=True, note="", kinds=fee_approvals.APPROVALS
            )
        )
    assert await balance_fen(play, mine) == 0
    await sound(play.res)
