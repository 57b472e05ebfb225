"""The short way of a callback against whatever happens between its look and its write (payments/sql.py)."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from payments import closing, differences, merchants, orders
from payments.differences import Place
from payments.payables import Kind, Wish
from payments.states import DifferenceClass
from tests.conftest import Client, Run, Sandbox
from tests.factories_payments import Stage, stage

LOCK = "SELECT FROM payment_order WHERE id = $1 FOR UPDATE"
WAITING = "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def play(sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client, run: Run) -> Stage:
    return run(stage(sandbox_res, sandbox))


async def _callback_while(
    play: Stage, client: Client, order_id: UUID, meanwhile: Callable[[Tx], Awaitable[None]]
) -> int:
    """The callback has looked and waits for the order's lock while `meanwhile` happens; the status of its answer."""
    callback = await play.captured(order_id)

    async def hold(tx: Tx) -> asyncio.Task[int]:
        await tx.execute(LOCK, order_id)
        sending = asyncio.create_task(play.send(client, callback))
        async with asyncio.timeout(20):
            while await play.count(WAITING) < 1:
                await asyncio.sleep(0.01)
        await meanwhile(tx)
        return sending

    return await (await play.res.db.transact(hold))


async def test_an_order_that_is_closed_and_replaced_meanwhile_is_a_late_payment(
    play: Stage, sandbox_client: Client
) -> None:
    bill = await play.bill()
    order_id = await play.ready(bill)
    newer: list[UUID] = []

    async def replace(tx: Tx) -> None:
        await tx.fetchrow(closing.CLOSE, order_id, tx.now, "replaced")
        placed = await orders.place(
            tx, play.payer, res=play.res, actor=Actor("resident", play.owner.id), wishes=[Wish(Kind.BILL, bill)]
        )
        newer.append(placed.order_id)

    assert await _callback_while(play, sandbox_client, order_id, replace) == 204
    assert (await play.state(order_id), await play.bill_state(bill)) == ("PAID", "PAID")
    overtaken = await play.res.db.fetchval("SELECT payload FROM outbox WHERE event = 'payments.overtaken'")
    assert overtaken == {"order_id": str(newer[0])}
    assert await play.count("payment_hold WHERE order_id = $1", newer[0]) == 1
    assert await play.count("posting WHERE kind = 'bill.paid'") == 1


async def test_money_that_went_to_suspense_meanwhile_is_taken_out_of_it(play: Stage, sandbox_client: Client) -> None:
    bill = await play.bill()
    order_id = await play.ready(bill)
    attempt = await play.attempt(order_id)
    merchant = await merchants.merchant(play.res, play.merchant_id)

    async def dispute(tx: Tx) -> None:
        trade = await merchants.channel(play.res, merchant).query(merchant.keys, attempt["out_trade_no"])
        assert trade is not None and trade.paid
        place = Place(play.place.id, order_id, attempt["id"], attempt["amount_fen"])
        await differences.open_for(
            tx, merchant, trade=trade, problem=DifferenceClass.AMOUNT, place=place, source="query"
        )

    assert await _callback_while(play, sandbox_client, order_id, dispute) == 204
    assert (await play.state(order_id), await play.bill_state(bill)) == ("PAID", "PAID")
    assert await play.res.db.fetchval("SELECT sum(booked_fen) FROM difference") == 0
    await play.balanced()


async def test_an_attempt_that_was_touched_meanwhile_is_settled_in_a_transaction(
    play: Stage, sandbox_client: Client
) -> None:
    bill = await play.bill()
    order_id = await play.ready(bill)

    async def touch(tx: Tx) -> None:
        await tx.execute("UPDATE payment_attempt SET asked_count = asked_count + 1 WHERE order_id = $1", order_id)

    assert await _callback_while(play, sandbox_client, order_id, touch) == 204
    assert (await play.state(order_id), await play.bill_state(bill)) == ("PAID", "PAID")
    assert await play.count("inbox") == 1
    await play.balanced()
