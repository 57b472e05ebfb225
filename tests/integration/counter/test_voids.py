"""D5: money goes back at the counter by two people, out of the drawer of whoever hands it over, once."""

import asyncio
from uuid import UUID

import pytest

from backend.composition import APPROVALS
from backend.kernel import approvals
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.errors import Conflict, Forbidden, NotFound
from backend.ledger import balances
from backend.ledger.accounts import Code, Key
from payments import refunds
from payments.channels.base import Method
from payments.counter import receipts, voids
from payments.counter.voids import PaidOut
from payments.refunds import Limit, Part, Requested
from tests import factories, vectors
from tests.factories_counter import Counter, counter, voucher_no, work_all
from tests.factories_payments import Stage, sound


async def ask(desk: Counter, voucher_id: UUID) -> Requested:
    return await desk.play.res.db.transact(
        lambda tx: voids.propose(
            tx, desk.actor, voucher_id=voucher_id, limits={desk.play.place.id: Limit(10_000_000)}, reason="收错房号"
        )
    )


async def ask_part(desk: Counter, order_id: UUID, amount_fen: int) -> Requested:
    line_id = await desk.play.res.db.fetchval("SELECT id FROM payment_line WHERE order_id = $1", order_id)
    return await desk.play.res.db.transact(
        lambda tx: refunds.request(
            tx, desk.actor, order_id=order_id, limits={desk.play.place.id: Limit(10_000_000)},
            parts=[Part(line_id, amount_fen)], reason="多收",
        )
    )  # fmt: skip


async def approve(desk: Counter, requested: Requested, *, by: UUID | None = None) -> None:
    second = by or (await factories.staff(desk.play.res, desk.play.place, "manager")).id
    await desk.play.res.db.transact(
        lambda tx: approvals.decide(
            tx, Actor("staff", second), requested.approval_id, approve=True, note="同意", kinds=APPROVALS
        )
    )


async def pay_out(desk: Counter, requested: Requested, *, no: str | None = None) -> PaidOut:
    return await desk.play.res.db.transact(
        lambda tx: voids.pay_out(
            tx, desk.actor, communities=desk.communities, refund_id=requested.refund_id, voucher_no=no or voucher_no()
        )
    )


async def state(play: Stage, requested: Requested) -> str:
    return await play.res.db.fetchval("SELECT state FROM refund WHERE id = $1", requested.refund_id)


async def test_a_cash_void_of_the_same_day_returns_cash_and_voids_the_receipt(play: Stage, desk: Counter) -> None:
    bill = await play.bill(1_000)
    taken = await desk.take(bill, amount_fen=1_000)
    await work_all(play)
    requested = await ask(desk, taken.voucher_id)
    await approve(desk, requested)
    await work_all(play)
    assert await state(play, requested) == "APPROVED", "the counter pays out by hand"
    paid = await pay_out(desk, requested)
    assert (paid.method, paid.amount_fen) == (Method.CASH, 1_000)
    assert await state(play, requested) == "SUCCEEDED"
    assert await play.bill_state(bill) == "ISSUED"
    report = await desk.report()
    assert (report.drawer_fen, report.methods[0].returned_fen) == (50_000, 1_000)
    given = await play.res.db.transact(lambda tx: receipts.issue(tx, SYSTEM, order_id=taken.order_id))
    assert (given.no, given.state, given.void_reason) == (1, "VOIDED", "款项已全部退还")
    await work_all(play)
    await desk.close(50_000)
    await sound(play.res)


async def test_nobody_approves_his_own_void_and_nothing_leaves_without_approval(play: Stage, desk: Counter) -> None:
    taken = await desk.take(await play.bill(1_000), amount_fen=1_000)
    requested = await ask(desk, taken.voucher_id)
    with pytest.raises(Forbidden, match="second_person_required"):
        await approve(desk, requested, by=desk.cashier.id)
    with pytest.raises(Conflict, match="not_approved"):
        await pay_out(desk, requested)
    assert (await desk.report()).drawer_fen == 51_000
    await sound(play.res)


async def test_two_cashiers_pay_one_refund_out_once(play: Stage, desk: Counter) -> None:
    other = await counter(play)
    taken = await desk.take(await play.bill(1_000), amount_fen=1_000)
    requested = await ask(desk, taken.voucher_id)
    await approve(desk, requested)
    told = await asyncio.gather(pay_out(desk, requested), pay_out(other, requested), return_exceptions=True)
    refused = [each for each in told if isinstance(each, Conflict)]
    assert len(refused) == 1 and refused[0].code == "paid_out"
    assert await play.count("counter_voucher WHERE refund_id IS NOT NULL") == 1
    await sound(play.res)


async def test_another_days_cash_comes_out_of_the_drawer_that_hands_it_over(play: Stage, desk: Counter) -> None:
    taken = await desk.take(await play.bill(1_000), amount_fen=1_000)
    await desk.close(51_000)
    await play.later(days=1)
    today = await counter(play, float_fen=300)
    requested = await ask(today, taken.voucher_id)
    await approve(today, requested)
    with pytest.raises(Conflict, match="not_so_much_cash"):
        await pay_out(today, requested)
    await today.take(await play.bill(900), amount_fen=900)
    await pay_out(today, requested)
    assert (await today.report()).drawer_fen == 200
    assert (await desk.report()).drawer_fen == 51_000
    await today.close(200)
    await sound(play.res)


async def test_a_part_goes_back_the_way_it_came_and_the_receipt_stays(play: Stage, desk: Counter) -> None:
    bill = await play.bill(1_000)
    taken = await desk.take(bill, amount_fen=1_000, method=Method.CARD)
    await work_all(play)
    requested = await ask_part(desk, taken.order_id, 400)
    await approve(desk, requested)
    await pay_out(desk, requested)
    await work_all(play)
    merchant_id = (await play.attempt(taken.order_id))["merchant_id"]
    card = Key(play.place.id, Code.CARD, merchant_id)
    assert await balances.balance_of(play.res.db, card) == 600
    assert await play.bill_state(bill) == "PARTLY_PAID"
    given = await play.res.db.transact(lambda tx: receipts.issue(tx, SYSTEM, order_id=taken.order_id))
    assert (given.state, given.refunded_fen) == ("ISSUED", 400)
    await sound(play.res)


async def test_a_refund_voucher_needs_a_number_of_its_own(play: Stage, desk: Counter) -> None:
    number = voucher_no()
    taken = await desk.take(await play.bill(1_000), amount_fen=1_000, no=number)
    requested = await ask(desk, taken.voucher_id)
    await approve(desk, requested)
    with pytest.raises(Conflict, match="voucher_taken"):
        await pay_out(desk, requested, no=number)
    assert await state(play, requested) == "APPROVED"
    await sound(play.res)


async def test_foreign_vouchers_and_refunds_are_unknown(play: Stage, desk: Counter) -> None:
    taken = await desk.take(await play.bill(1_000), amount_fen=1_000)
    with pytest.raises(NotFound):
        await play.res.db.transact(
            lambda tx: voids.propose(
                tx, desk.actor, voucher_id=taken.voucher_id, limits={play.item_id: Limit(10_000_000)}, reason="收错房号"
            )
        )
    with pytest.raises(NotFound):
        await pay_out(desk, Requested(play.house_id, play.house_id, 1))


async def test_an_online_payment_is_not_paid_out_at_the_counter(play: Stage, desk: Counter) -> None:
    online = await play.ready(await play.bill(1_000))
    await play.user_pays(online)
    await play.deliver()
    requested = await ask_part(desk, online, 400)
    await approve(desk, requested)
    with pytest.raises(Conflict, match="not_at_counter"):
        await pay_out(desk, requested)


async def test_an_order_that_was_given_back_before_its_receipt_gets_none(play: Stage, desk: Counter) -> None:
    taken = await desk.take(await play.bill(1_000), amount_fen=1_000)
    requested = await ask(desk, taken.voucher_id)
    await approve(desk, requested)
    await pay_out(desk, requested)
    await work_all(play)
    assert await play.count("receipt") == 0
    assert await play.count("outbox WHERE event = 'payments.receipt_due' AND state = 'DONE'") == 1
    await sound(play.res)


async def test_an_online_payment_that_all_went_back_voids_its_receipt(play: Stage, desk: Counter) -> None:
    online = await play.ready(await play.bill(1_000))
    await play.user_pays(online)
    await play.deliver()
    await work_all(play)
    assert await play.count("receipt WHERE state = 'ISSUED'") == 1
    for amount_fen, voided in ((400, 0), (600, 1)):
        requested = await ask_part(desk, online, amount_fen)
        await approve(desk, requested)
        await play.later(minutes=2)
        await work_all(play)
        number = await play.res.db.fetchval("SELECT out_refund_no FROM refund WHERE id = $1", requested.refund_id)
        await play.sandbox.ask("POST", f"/refunds/{vectors.MCHID}/{number}/finish", {})
        await play.deliver()
        await work_all(play)
        assert await state(play, requested) == "SUCCEEDED"
        assert await play.count("receipt WHERE state = 'VOIDED'") == voided
    await sound(play.res)
