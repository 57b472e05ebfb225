"""D5: receipts are numbered without gaps; cash that is brought to the bank leaves the drawer."""

import asyncio
from datetime import date

import pytest

from backend.kernel.audit import SYSTEM
from backend.kernel.auth import HouseScope
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.ledger import balances
from backend.ledger.accounts import Code, Key
from payments.counter import deposits, receipts
from payments.counter.deposits import Deposit
from payments.counter.receipts import Receipt
from tests import factories
from tests.factories_counter import Counter, counter, work_all
from tests.factories_payments import Stage, sound


async def issue(play: Stage, order_id: object) -> Receipt:
    return await play.res.db.transact(lambda tx: receipts.issue(tx, SYSTEM, order_id=order_id))  # type: ignore[arg-type]


async def test_a_job_gives_every_paid_order_its_receipt(play: Stage, desk: Counter) -> None:
    taken = await desk.take(await play.bill(26_805), amount_fen=26_805, received_fen=30_000)
    online = await play.ready(await play.bill(100))
    await play.user_pays(online)
    await play.deliver()
    assert await play.count("receipt") == 0, "never inside settle"
    await work_all(play)
    at_counter, by_phone = await issue(play, taken.order_id), await issue(play, online)
    assert sorted([at_counter.no, by_phone.no]) == [1, 2]
    assert at_counter.snapshot["houses"] == ["1栋1单元101"]
    assert at_counter.snapshot["cashier"] == "cashier"
    assert (at_counter.snapshot["received_fen"], at_counter.snapshot["change_fen"]) == (30_000, 3_195)
    assert by_phone.snapshot["channel"] == "wechat"
    assert await play.count("outbox WHERE event = 'payments.receipt_due' AND state = 'DONE'") == 2
    await sound(play.res)


async def test_fifty_receipts_at_once_leave_no_gap(play: Stage, desk: Counter) -> None:
    orders = [(await desk.take(await play.bill(100), amount_fen=100)).order_id for _ in range(50)]
    at_once = asyncio.Semaphore(play.res.settings.database_pool)

    async def one(order_id: object) -> int:
        async with at_once:
            return (await issue(play, order_id)).no

    numbers = await asyncio.gather(*(one(order_id) for order_id in orders))
    assert sorted(numbers) == list(range(1, 51))
    await sound(play.res)


async def test_printing_and_the_job_at_once_give_one_receipt(play: Stage, desk: Counter) -> None:
    taken = await desk.take(await play.bill(100), amount_fen=100)
    given = await asyncio.gather(*(issue(play, taken.order_id) for _ in range(8)))
    assert {receipt.no for receipt in given} == {1}
    assert await play.count("receipt") == 1


async def test_a_number_that_was_not_committed_is_given_again(play: Stage, desk: Counter) -> None:
    taken = await desk.take(await play.bill(100), amount_fen=100)

    async def breaks(tx: object) -> None:
        await receipts.issue(tx, SYSTEM, order_id=taken.order_id)  # type: ignore[arg-type]
        raise RuntimeError("the printer is on fire")

    with pytest.raises(RuntimeError):
        await play.res.db.transact(breaks)
    assert (await issue(play, taken.order_id)).no == 1
    await sound(play.res)


async def test_an_unpaid_order_gets_no_receipt(play: Stage, desk: Counter) -> None:
    online = await play.order(await play.bill())
    with pytest.raises(Conflict, match="not_paid"):
        await issue(play, online)
    with pytest.raises(NotFound):
        await issue(play, play.place.id)


async def test_a_receipt_is_seen_by_who_paid_and_by_the_house(play: Stage, desk: Counter) -> None:
    taken = await desk.take(await play.bill(100), amount_fen=100)
    await issue(play, taken.order_id)
    stranger = await factories.person(play.res, "13800000077", "王五")
    db = play.res.db
    seen = await receipts.of_resident(
        db, HouseScope(play.owner.id, (play.house_id,), (play.house_id,), ()), order_id=taken.order_id
    )
    assert seen.no == 1
    with pytest.raises(NotFound):
        await receipts.of_resident(db, HouseScope(stranger.id, (), (), (play.house_id,)), order_id=taken.order_id)


async def bring(desk: Counter, amount_fen: int, slip_no: str, day: date = date(2026, 9, 1)) -> Deposit:
    return await desk.play.res.db.transact(
        lambda tx: deposits.bring(
            tx, desk.actor, communities=desk.communities, shift_id=desk.shift.id, amount_fen=amount_fen,
            deposited_on=day, slip_no=slip_no,
        )
    )  # fmt: skip


async def test_a_deposit_moves_cash_from_the_drawer_to_the_bank(play: Stage, desk: Counter) -> None:
    await desk.take(await play.bill(1_000), amount_fen=1_000)
    await bring(desk, 600, "B1")
    bank = Key(play.place.id, Code.BANK, play.place.company_id)
    assert await balances.balance_of(play.res.db, bank) == 600
    assert (await desk.report()).drawer_fen == 50_400
    await desk.close(50_400)
    await bring(desk, 400, "B2")
    with pytest.raises(Conflict, match="not_so_much_cash"):
        await bring(desk, 1, "B3")
    await sound(play.res)


async def test_a_slip_is_entered_once_and_not_for_tomorrow(play: Stage, desk: Counter) -> None:
    await desk.take(await play.bill(1_000), amount_fen=1_000)
    await bring(desk, 100, "B1")
    with pytest.raises(Conflict, match="slip_taken"):
        await bring(desk, 100, "B1")
    with pytest.raises(Invalid, match="deposited_too_late"):
        await bring(desk, 100, "B2", date(2026, 9, 3))
    await sound(play.res)


async def test_two_deposits_at_once_bring_no_more_than_there_is(play: Stage, desk: Counter) -> None:
    await desk.take(await play.bill(1_000), amount_fen=1_000)
    told = await asyncio.gather(bring(desk, 700, "B1"), bring(desk, 700, "B2"), return_exceptions=True)
    assert sum(isinstance(each, Conflict) for each in told) == 1
    await sound(play.res)


async def test_two_cashiers_of_a_company_share_one_series(play: Stage, desk: Counter) -> None:
    other = await counter(play)
    first = await desk.take(await play.bill(100), amount_fen=100)
    second = await other.take(await play.bill(100), amount_fen=100)
    assert [(await issue(play, each.order_id)).no for each in (first, second)] == [1, 2]
    assert await play.count("receipt_series") == 1
