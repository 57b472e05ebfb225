"""Many at once, with real commits: F-01, F-09, F-13 and the hold of a bill (D6)."""

import asyncio

import pytest

from backend.kernel import failpoints
from backend.kernel.resources import Resources
from payments import asking, prepay
from payments.asking import Said
from payments.payables import Kind, Wish
from tests import factories_prepaid
from tests.conftest import Client, Run, Sandbox
from tests.factories_payments import Stage, stage


@pytest.fixture
def play(sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client, run: Run) -> Stage:
    return run(stage(sandbox_res, sandbox))


async def _same_callback_a_hundred_times(play: Stage, client: Client, rounds: int) -> None:
    for _ in range(rounds):
        bill = await play.bill()
        order_id = await play.ready(bill)
        callback = await play.captured(order_id)
        answers = await asyncio.gather(*(play.send(client, callback) for _ in range(100)))
        assert answers == [204] * 100
        assert await play.state(order_id) == "PAID"
        assert await play.count("posting WHERE kind = 'bill.paid' AND bill_id = $1", bill) == 1
    assert await play.count("inbox") == rounds
    assert await play.count("outbox WHERE event = 'payments.paid'") == rounds
    assert await play.differences() == []
    await play.balanced()


async def test_f01_the_same_callback_a_hundred_times_in_parallel_is_one_payment(
    play: Stage, sandbox_client: Client
) -> None:
    await _same_callback_a_hundred_times(play, sandbox_client, 3)


@pytest.mark.long
async def test_f01_twenty_rounds(play: Stage, sandbox_client: Client) -> None:
    await _same_callback_a_hundred_times(play, sandbox_client, 20)


async def _three_doors_at_once(play: Stage, client: Client, rounds: int) -> None:
    for _ in range(rounds):
        bill = await play.bill()
        order_id = await play.ready(bill)
        callback = await play.captured(order_id)
        attempt = await play.attempt(order_id)
        told = await asyncio.gather(
            play.send(client, callback), asking.ask(play.res, attempt), asking.ask_now(play.res, attempt["order_id"])
        )
        assert told == [204, Said.PAID, Said.PAID]
        assert await play.state(order_id) == "PAID"
        assert await play.count("posting WHERE kind = 'bill.paid' AND bill_id = $1", bill) == 1
    assert await play.count("audit_entry WHERE action = 'payments.settled'") == rounds
    assert await play.differences() == []
    await play.balanced()


async def test_f09_callback_janitor_and_client_in_the_same_instant_settle_once(
    play: Stage, sandbox_client: Client
) -> None:
    await _three_doors_at_once(play, sandbox_client, 50)


async def test_f09_of_two_doors_the_second_waits_for_the_order_and_finds_it_paid(play: Stage) -> None:
    """A top-up is paid step by step, so that nothing but the lock keeps the doors apart."""
    account_id = await factories_prepaid.account(play)
    order_id = await factories_prepaid.order(play, Wish(Kind.PREPAID, account_id, 10_000))
    await prepay.pay_parameters(play.res, order_id)
    await play.hostile(lose_callbacks=1)
    await play.user_pays(order_id)
    failpoints.arm("settle.after_lock", "sleep:0.5", times=1)
    told = await asyncio.gather(asking.ask_now(play.res, order_id), asking.ask_now(play.res, order_id))
    assert told == [Said.PAID, Said.PAID]
    assert await factories_prepaid.balance_fen(play, account_id) == 10_000
    await play.balanced()


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_f09_two_hundred_rounds(play: Stage, sandbox_client: Client) -> None:
    await _three_doors_at_once(play, sandbox_client, 200)


async def test_fifty_requests_to_pay_one_bill_make_one_live_order(play: Stage, sandbox_client: Client) -> None:
    bill = await play.bill()
    answers = await asyncio.gather(*(play.create(sandbox_client, bill) for _ in range(30)))
    created = {answer.json["payment_id"] for answer in answers if answer.status == 201}
    assert {answer.status for answer in answers} <= {201, 429} and len(created) == 1
    others = await asyncio.gather(*(play.create(sandbox_client, bill, who=play.family) for _ in range(20)))
    assert {(answer.status, answer.code) for answer in others} == {(409, "being_paid")}
    assert await play.count("payment_order") == 1
    assert await play.count("payment_hold WHERE payable_id = $1", bill) == 1
    await play.balanced()


async def test_f13_two_orders_that_share_bills_in_opposite_order_do_not_deadlock(
    play: Stage, sandbox_client: Client
) -> None:
    for _ in range(10):
        first, second = await play.bill(), await play.bill()
        answers = await asyncio.gather(
            play.create(sandbox_client, first, second),
            play.create(sandbox_client, second, first, who=play.family),
        )
        assert sorted(answer.status for answer in answers) == [201, 409]
    await play.balanced()


async def test_f13_a_serialization_failure_is_retried(play: Stage, sandbox_client: Client) -> None:
    bill = await play.bill()
    failpoints.arm("order.before_commit", "raise40001", times=2)
    created = await play.create(sandbox_client, bill)
    assert created.status == 201
    failpoints.arm("settle.before_write", "raise40P01", times=1)
    failpoints.arm("settle.before_commit", "raise40P01", times=2)
    await play.user_pays(created.json["payment_id"])
    await play.deliver()
    assert await play.state(created.json["payment_id"]) == "PAID"
    assert await play.count("payment_order") == 1
    await play.balanced()
