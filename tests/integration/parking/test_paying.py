"""A stay is quoted, paid for by whoever likes, and the barrier opens (D6, D8)."""

import asyncio
from uuid import UUID

import pytest

from backend.fees.payable import AlreadyPaid
from backend.kernel.errors import AppError, Conflict
from backend.parking.prices import quotes
from payments import prepay
from payments.channels.base import Channel
from payments.counter import codes
from payments.orders import BeingPaid, MustCloseFirst
from payments.payables import Kind, Wish
from tests import factories_counter, factories_parking
from tests.factories_alipay import alipay
from tests.factories_payments import sound
from tests.integration.parking.conftest import Garage


async def at_the_exit(garage: Garage) -> UUID:
    """A car that came an hour ago, and waits at the exit for 10 yuan to be paid."""
    await garage.lot.arrives()
    await garage.later(minutes=61)
    assert (await garage.lot.leaves()).lines[0] == "请缴费10.00元"
    stay = await garage.lot.stay()
    return UUID(str(stay["id"]))


async def test_a_car_at_the_exit_is_paid_for_and_the_barrier_opens(garage: Garage) -> None:
    session_id = await at_the_exit(garage)
    await garage.pays(session_id)
    stay = await garage.lot.stay()
    assert (stay["state"], stay["paid_fen"], await garage.income_fen()) == ("PAID", 1000, 1000)
    (command,) = await garage.lot.commands()
    assert (command["device_id"], command["kind"], command["state"]) == (garage.lot.camera_out.id, "open", "QUEUED")
    assert command["subject"] == f"parking_session:{session_id}"
    await garage.play.balanced()


async def test_the_stay_ends_when_the_barrier_has_opened(garage: Garage) -> None:
    session_id = await at_the_exit(garage)
    await garage.pays(session_id)
    client = garage.play.res
    rows = await factories_parking.obey(client, garage.lot.camera_out)
    assert len(rows) == 1
    await factories_counter.work_all(garage.play)
    stay = await garage.lot.stay()
    assert (stay["state"], stay["exit_lane_id"]) == ("OUT", garage.lot.lane_out)
    assert await garage.lot.events() == ["entered", "quoted", "seen_at_exit", "paid", "left"]
    await garage.play.balanced()


async def test_who_pays_before_leaving_leaves_within_the_grace(garage: Garage) -> None:
    await garage.lot.arrives()
    await garage.later(minutes=61)
    asked = await garage.lot.quote()
    assert asked.quote is not None and asked.quote["amount_fen"] == 1000
    await garage.pays(asked.session_id)
    assert await garage.lot.commands() == [], "nobody stands at the exit"
    await garage.later(minutes=14)
    assert (await garage.lot.leaves()).open
    assert (await garage.lot.stay())["state"] == "OUT"
    await garage.play.balanced()


async def test_after_the_grace_the_difference_is_asked_for_and_no_more(garage: Garage) -> None:
    await garage.lot.arrives()
    await garage.later(minutes=61)
    asked = await garage.lot.quote()
    await garage.pays(asked.session_id)
    await garage.later(minutes=70)
    assert (await garage.lot.leaves()).lines[0] == "请缴费5.00元"
    await garage.pays(asked.session_id)
    stay = await garage.lot.stay()
    assert (stay["state"], stay["paid_fen"], await garage.income_fen()) == ("PAID", 1500, 1500)
    await garage.play.balanced()


async def test_asked_twice_the_quote_is_the_same(garage: Garage) -> None:
    await garage.lot.arrives()
    await garage.later(minutes=61)
    first, second = await garage.lot.quote(), await garage.lot.quote()
    assert first.quote is not None and second.quote is not None
    assert first.quote["id"] == second.quote["id"]
    assert await garage.play.count("parking_quote") == 1
    await garage.play.balanced()


async def test_while_one_pays_another_is_told_and_nobody_pays_twice(garage: Garage) -> None:
    session_id = await at_the_exit(garage)
    await garage.order(session_id)
    with pytest.raises((BeingPaid, MustCloseFirst)):
        await garage.order(session_id, garage.play.family)
    assert await garage.play.count("payment_order") == 1
    await garage.play.balanced()


async def test_the_callback_repeated_at_once_pays_once(garage: Garage) -> None:
    session_id = await at_the_exit(garage)
    order_id = await garage.pays(session_id)
    told = await garage.play.notification(order_id)
    await asyncio.gather(*(garage.play.repeat(told["id"]) for _ in range(5)))
    assert (await garage.lot.stay())["paid_fen"] == 1000
    assert len(await garage.lot.commands()) == 1
    await garage.play.balanced()


async def test_a_car_that_leaves_at_the_moment_in_which_it_is_paid_for_is_paid_for_once(garage: Garage) -> None:
    session_id = await at_the_exit(garage)
    order_id = await garage.order(session_id)
    await garage.play.user_pays(order_id)
    await asyncio.gather(garage.play.deliver(), *(garage.lot.leaves() for _ in range(5)))
    stay = await garage.lot.stay()
    assert stay["state"] in ("PAID", "OUT") and stay["paid_fen"] == 1000
    assert await garage.income_fen() == 1000
    await garage.play.balanced()


async def test_money_for_a_stay_that_was_voided_meanwhile_goes_back(garage: Garage) -> None:
    session_id = await at_the_exit(garage)
    order_id = await garage.order(session_id)
    await factories_parking.void(garage.lot, session_id)
    await garage.play.user_pays(order_id)
    await garage.play.deliver()
    assert [row[0] for row in await garage.play.differences()] == ["second_payment"]
    assert await garage.income_fen() == 0
    await garage.play.balanced()


async def test_a_quote_whose_row_was_changed_is_not_payable(garage: Garage) -> None:
    session_id = await at_the_exit(garage)
    res = garage.play.res
    quote_id = await res.db.fetchval("SELECT quote_id FROM parking_session WHERE id = $1", session_id)
    await res.db.execute(
        "UPDATE parking_quote SET amount_fen = 1, total_fen = paid_before_fen + 1 WHERE id = $1", quote_id
    )
    with pytest.raises(Conflict) as refused:
        await res.db.transact(lambda tx: quotes.require_payable(tx, quote_id, key=garage.lot.key))
    assert refused.value.code == "quote_invalid"


async def test_an_expired_quote_is_not_payable(garage: Garage) -> None:
    session_id = await at_the_exit(garage)
    await garage.later(minutes=11)
    with pytest.raises(AppError) as refused:
        await garage.order(session_id)
    assert refused.value.code == "quote_expired"


async def test_at_the_exit_alipay_pays_by_the_code_of_the_cashier(garage: Garage) -> None:
    session_id = await at_the_exit(garage)
    till, counter = await alipay(garage.play), await factories_counter.counter(garage.play)
    placed = await garage.play.res.db.transact(
        lambda tx: codes.place(
            tx, counter.actor, res=garage.play.res, communities=counter.communities,
            wishes=[Wish(Kind.PARKING, session_id)], channel=Channel.ALIPAY,
        )
    )  # fmt: skip
    await prepay.opening(garage.play.res, placed.order_id)
    await till.pays(placed.order_id)
    await till.deliver()
    assert (await garage.lot.stay())["state"] == "PAID"
    assert len(await garage.lot.commands()) == 1
    await sound(garage.play.res)


async def test_the_counter_takes_cash_for_a_stay_and_opens_the_barrier(garage: Garage) -> None:
    session_id = await at_the_exit(garage)
    counter = await factories_counter.counter(garage.play)
    await factories_parking.take_cash(counter, session_id, amount_fen=1000)
    assert (await garage.lot.stay())["state"] == "PAID"
    assert len(await garage.lot.commands()) == 1
    with pytest.raises(AlreadyPaid):
        await factories_parking.take_cash(counter, session_id, amount_fen=1000)
    await garage.play.balanced()
    await factories_counter.work_all(garage.play)
    assert await garage.play.count("receipt") == 1
