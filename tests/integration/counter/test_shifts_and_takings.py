"""D5: a drawer from opening to counting; money taken settles like any other channel's."""

import asyncio
from typing import Any

import pytest

from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.ledger import balances
from backend.ledger.accounts import Code, Key
from payments.channels.base import Method
from payments.counter import shifts
from payments.counter.shifts import ShiftState
from tests import factories, vectors
from tests.factories_counter import Counter, counter, voucher_no
from tests.factories_payments import Stage, sound


async def balance(play: Stage, code: Code, subject: object) -> int:
    return await balances.balance_of(play.res.db, Key(play.place.id, code, subject))  # type: ignore[arg-type]


async def test_cash_for_several_bills_settles_and_stands_in_the_drawer(play: Stage, desk: Counter) -> None:
    first, second = await play.bill(26_805), await play.bill(195)
    taken = await desk.take(first, second, amount_fen=27_000, received_fen=30_000)
    assert (taken.amount_fen, taken.change_fen) == (27_000, 3_000)
    assert [await play.bill_state(bill) for bill in (first, second)] == ["PAID", "PAID"]
    attempt = await play.attempt(taken.order_id)
    assert (attempt["channel"], attempt["method"], attempt["settled_by"]) == ("counter", "cash", "counter")
    assert await balance(play, Code.CASH, desk.shift.id) == 27_000
    assert (await desk.report()).drawer_fen == 77_000
    await sound(play.res)


async def test_card_transfer_and_cheque_stand_at_the_counter_by_method(play: Stage, desk: Counter) -> None:
    for number, method in enumerate((Method.CARD, Method.TRANSFER, Method.CHEQUE), 1):
        taken = await desk.take(await play.bill(number * 100), amount_fen=number * 100, method=method)
        merchant_id = (await play.attempt(taken.order_id))["merchant_id"]
        assert await balance(play, Code(method.value), merchant_id) == number * 100
    assert await balance(play, Code.CASH, desk.shift.id) == 0
    totals = {total.method: total.taken_fen for total in (await desk.report()).methods}
    assert totals == {Method.CARD: 100, Method.TRANSFER: 200, Method.CHEQUE: 300}
    await sound(play.res)


async def test_part_of_a_bill_leaves_the_rest_due(play: Stage, desk: Counter) -> None:
    bill = await play.bill(26_805)
    await desk.take(bill, amount_fen=6_805, part=True)
    assert await play.bill_state(bill) == "PARTLY_PAID"
    await desk.take(bill, amount_fen=20_000)
    assert await play.bill_state(bill) == "PAID"
    await sound(play.res)


async def test_more_than_is_due_too_little_and_a_changed_sum_are_refused(play: Stage, desk: Counter) -> None:
    bill = await play.bill(100)
    with pytest.raises(Invalid, match="amount_out_of_bounds"):
        await desk.take(bill, amount_fen=101, part=True)
    with pytest.raises(Invalid, match="too_little"):
        await desk.take(bill, amount_fen=100, received_fen=99)
    with pytest.raises(Conflict, match="amount_changed"):
        await desk.take(bill, amount_fen=99)
    with pytest.raises(Invalid, match="no_change"):
        await desk.take(bill, amount_fen=100, received_fen=200, method=Method.CARD)
    assert await play.bill_state(bill) == "ISSUED"
    assert await play.count("payment_order") == 0
    await sound(play.res)


async def test_a_voucher_number_is_used_once_in_a_company(play: Stage, desk: Counter) -> None:
    number = voucher_no()
    first, second = await play.bill(), await play.bill()
    await desk.take(first, amount_fen=26_805, no=number)
    with pytest.raises(Conflict, match="voucher_taken"):
        await desk.take(second, amount_fen=26_805, no=number)
    assert await play.bill_state(second) == "ISSUED"
    await sound(play.res)


async def test_one_voucher_number_typed_twice_at_once_is_kept_once(play: Stage, desk: Counter) -> None:
    other, number = await counter(play), voucher_no()
    bills = [await play.bill(), await play.bill()]
    told = await asyncio.gather(
        desk.take(bills[0], amount_fen=26_805, no=number),
        other.take(bills[1], amount_fen=26_805, no=number),
        return_exceptions=True,
    )
    refused = [each for each in told if isinstance(each, Conflict)]
    assert len(refused) == 1 and refused[0].code == "voucher_taken"
    assert sorted([await play.bill_state(bill) for bill in bills]) == ["ISSUED", "PAID"]
    await sound(play.res)


async def test_two_cashiers_take_the_same_bill_at_once_and_one_wins(play: Stage, desk: Counter) -> None:
    other = await counter(play)
    for _ in range(5):
        bill = await play.bill()
        told = await asyncio.gather(
            desk.take(bill, amount_fen=26_805), other.take(bill, amount_fen=26_805), return_exceptions=True
        )
        refused = [each for each in told if isinstance(each, Conflict)]
        assert len(refused) == 1 and refused[0].code == "already_paid"
        assert await play.count("posting WHERE kind = 'bill.paid' AND bill_id = $1", bill) == 1
    assert await play.count("payment_order WHERE state = 'PAID'") == 5
    await sound(play.res)


async def test_a_live_online_order_is_asked_and_closed_at_its_channel_first(play: Stage, desk: Counter) -> None:
    bill = await play.bill()
    online = await play.ready(bill)
    await desk.take(bill, amount_fen=26_805)
    assert (await play.state(online), await play.bill_state(bill)) == ("CLOSED", "PAID")
    number = (await play.attempt(online))["out_trade_no"]
    assert (await play.sandbox.ask("GET", f"/orders/{vectors.MCHID}/{number}"))["state"] == "CLOSED"
    await sound(play.res)


async def test_a_bill_that_turns_out_to_be_paid_online_is_not_taken_again(play: Stage, desk: Counter) -> None:
    bill = await play.bill()
    online = await play.ready(bill)
    await play.hostile(lose_callbacks=1)
    await play.user_pays(online)
    with pytest.raises(Conflict, match="already_paid"):
        await desk.take(bill, amount_fen=26_805)
    assert await play.state(online) == "PAID"
    assert await play.count("counter_voucher") == 0
    await play.balanced()


async def test_a_bill_of_another_community_is_unknown_at_this_counter(play: Stage, desk: Counter) -> None:
    bill = await play.bill()
    elsewhere = await factories.community(play.res, "LL02", company_id=play.place.company_id)
    desk.play = play
    cashier = await factories.staff(play.res, elsewhere, "cashier")
    await play.res.db.transact(
        lambda tx: shifts.open_shift(tx, Actor("staff", cashier.id), community_id=elsewhere.id, float_fen=0)
    )
    stranger = Counter(play, cashier, desk.shift)
    stranger.play.place, kept = elsewhere, stranger.play.place
    with pytest.raises(NotFound):
        await stranger.take(bill, amount_fen=26_805)
    play.place = kept
    assert await play.bill_state(bill) == "ISSUED"


async def test_without_a_shift_nothing_is_taken(play: Stage, desk: Counter) -> None:
    await desk.close(50_000)
    with pytest.raises(Conflict, match="no_open_shift"):
        await desk.take(await play.bill(), amount_fen=26_805)


async def test_a_cashier_has_one_open_shift(play: Stage, desk: Counter) -> None:
    with pytest.raises(Conflict, match="shift_open"):
        await play.res.db.transact(
            lambda tx: shifts.open_shift(tx, desk.actor, community_id=play.place.id, float_fen=0)
        )
    await desk.close(50_000)
    again = await play.res.db.transact(
        lambda tx: shifts.open_shift(tx, desk.actor, community_id=play.place.id, float_fen=0)
    )
    assert again.state is ShiftState.OPEN


@pytest.mark.parametrize("over_fen", [-5, 0, 7])
async def test_closing_counts_against_the_books_and_names_what_differs(
    play: Stage, desk: Counter, over_fen: int
) -> None:
    await desk.take(await play.bill(1_000), amount_fen=1_000)
    note = "找零有误" if over_fen else None
    report = await desk.close(51_000 + over_fen, note)
    assert (report.shift.expected_fen, report.over_fen, report.shift.state) == (51_000, over_fen, ShiftState.CLOSED)
    assert report.drawer_fen == 51_000 + over_fen
    assert await balance(play, Code.CASH_OVER, desk.shift.id) == -over_fen
    assert await play.count("audit_entry WHERE action = 'counter.shift_closed'") == 1
    await sound(play.res)


async def test_a_difference_needs_words_and_a_shift_closes_once(play: Stage, desk: Counter) -> None:
    with pytest.raises(Invalid, match="note_required"):
        await desk.close(49_999)
    await desk.close(50_000)
    with pytest.raises(Conflict, match="shift_closed"):
        await desk.close(50_000)


async def test_a_shift_closes_behind_a_taking_that_is_under_way(play: Stage, desk: Counter) -> None:
    """The taking has looked at its shift and waits for the bill, which somebody holds; closing waits for the taking."""
    at_once, bill = await counter(play, float_fen=0), await play.bill(500)
    held, let_go = asyncio.Event(), asyncio.Event()

    async def hold(tx: Tx) -> None:
        await tx.fetchrow("SELECT FROM bill WHERE id = $1 FOR UPDATE", bill)
        held.set()
        await let_go.wait()

    async def until_waiting(count: int, last: asyncio.Task[Any]) -> None:
        async with asyncio.timeout(5):
            while not last.done() and await play.count("pg_stat_activity WHERE wait_event_type = 'Lock'") < count:
                await asyncio.sleep(0.01)

    holding = asyncio.create_task(play.res.db.transact(hold))
    await held.wait()
    taking = asyncio.create_task(at_once.take(bill, amount_fen=500))
    await until_waiting(1, taking)
    closing = asyncio.create_task(at_once.close(500))
    await until_waiting(2, closing)
    let_go.set()
    await asyncio.gather(holding, taking)
    report = await closing
    assert (report.over_fen, report.drawer_fen) == (0, 500)
    await sound(play.res)


async def test_closing_and_taking_at_once_end_in_one_order_or_the_other(play: Stage, desk: Counter) -> None:
    for _ in range(4):
        at_once = await counter(play, float_fen=0)
        bill = await play.bill(500)
        await asyncio.gather(at_once.take(bill, amount_fen=500), at_once.close(500, "清点"), return_exceptions=True)
        assert (await at_once.report()).drawer_fen == 500
        await sound(play.res)


async def test_the_counter_takes_what_somebody_of_the_family_is_asked_for_online(play: Stage, desk: Counter) -> None:
    bill = await play.bill()
    online = await play.ready(bill, who=play.family)
    taken = await desk.take(bill, amount_fen=26_805)
    assert await play.state(online) == "CLOSED"
    assert await play.state(taken.order_id) == "PAID"
    await sound(play.res)
