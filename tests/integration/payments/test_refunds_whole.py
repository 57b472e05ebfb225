"""Refunds from request to callback with the sandbox's own channels: nothing scripted, both channels, their consoles."""

from typing import cast
from uuid import UUID

import pytest

from backend.kernel.resources import Resources
from payments import merchants
from payments.channels.base import Method, RefundRequest
from payments.refunds import Part
from tests import factories
from tests.conftest import Client, Run, Sandbox
from tests.factories_alipay import Alipay, alipay
from tests.factories_payments import Stage, sound, stage
from tests.factories_refunds import Refunds
from tests.scripted_channel import Scripted


@pytest.fixture
def desk(sandbox_res: Resources, sandbox: Sandbox, run: Run) -> Refunds:
    async def made() -> Refunds:
        play = await stage(sandbox_res, sandbox)
        asker = await factories.staff(sandbox_res, play.place, "cashier")
        approver = await factories.staff(sandbox_res, play.place, "manager")
        return Refunds(play, cast(Scripted, None), asker, approver)

    return run(made())


async def _settle_everything(desk: Refunds, till: Alipay | None = None) -> None:
    for _ in range(4):
        await desk.play.later(seconds=40)
        await desk.play.deliver()
        if till is not None:
            await till.deliver()
        await desk.work()
        await desk.tick()


async def _part(desk: Refunds, order_id: UUID, amount_fen: int) -> Part:
    (line,) = await desk.lines(order_id)
    return Part(line["id"], amount_fen, 0)


async def _went_back(play: Stage) -> int:
    return await play.count("posting WHERE kind = 'bill.refunded'")


async def test_wechat_gives_back_a_part_and_tells_at_the_address_of_refunds(
    desk: Refunds, sandbox_client: Client
) -> None:
    play = desk.play
    bill = await play.bill(26_805)
    order_id = await play.ready(bill)
    await play.user_pays(order_id)
    await play.deliver()
    await desk.refunded(order_id, await _part(desk, order_id, 800))
    await _settle_everything(desk)
    assert await desk.state() == "SUCCEEDED"
    assert (await _went_back(play), await play.bill_state(bill)) == (1, "PARTLY_PAID")
    assert await play.count("inbox WHERE source LIKE 'wechat:%'") == 2
    assert await play.differences() == []
    assert await play.clearing_fen() == 26_005
    await sound(play.res)


async def test_alipay_gives_back_a_part_and_hints_at_the_address_of_the_payment(
    desk: Refunds, sandbox_client: Client
) -> None:
    play, till = desk.play, await alipay(desk.play)
    bill = await play.bill(26_805)
    order_id = await till.ready(bill)
    await till.pays(order_id)
    await till.deliver()
    await desk.refunded(order_id, await _part(desk, order_id, 800))
    await _settle_everything(desk, till)
    assert await desk.state() == "SUCCEEDED"
    assert (await _went_back(play), await play.bill_state(bill)) == (1, "PARTLY_PAID")
    assert await play.count("inbox WHERE source LIKE 'alipay:%' AND outcome = 'duplicate'") == 1
    assert await play.count("outbox WHERE event = 'payments.refund_hinted' AND state = 'DONE'") == 1
    assert await play.differences() == []
    assert (await desk.unexplained(), await play.clearing_fen()) == ([], 26_005)
    await sound(play.res)


async def test_a_refund_made_at_alipays_console_is_found_by_its_hint_and_shown_to_a_person(
    desk: Refunds, sandbox_client: Client
) -> None:
    play, till = desk.play, await alipay(desk.play)
    bill = await play.bill(26_805)
    order_id = await till.ready(bill, method=Method.WAP)
    await till.pays(order_id)
    await till.deliver()
    attempt = await play.attempt(order_id)
    merchant = await merchants.merchant(play.res, till.merchant_id)
    told = await merchants.channel(play.res, merchant).refund(
        merchant.keys,
        RefundRequest(
            out_refund_no="console1", out_trade_no=attempt["out_trade_no"], transaction_no=attempt["transaction_no"],
            amount_fen=26_805, total_fen=26_805, reason="在商家后台退款", notify_url="",
        ),
    )  # fmt: skip
    assert told.state == "SUCCESS"
    await _settle_everything(desk, till)
    assert (await _went_back(play), await play.bill_state(bill)) == (1, "ISSUED")
    assert [(kind, state) for kind, state, _ in await play.differences()] == [("refund", "OPEN")]
    assert (await desk.unexplained(), await play.clearing_fen()) == ([], 0)
    await sound(play.res)


async def test_of_two_channels_that_are_both_paid_the_second_goes_back_by_itself(
    desk: Refunds, sandbox_client: Client
) -> None:
    """Scanned at Alipay after its order was closed, while WeChat Pay was paid: money is kept once (A7)."""
    play, till = desk.play, await alipay(desk.play)
    bill = await play.bill(26_805)
    by_alipay = await till.ready(bill)
    made = await play.create(sandbox_client, bill)
    assert made.status == 201, made.body
    assert await play.state(by_alipay) == "CLOSED"
    await play.user_pays(made.json["payment_id"])
    await play.deliver()
    await till.pays(by_alipay)
    await till.deliver()
    await _settle_everything(desk, till)
    assert await play.state(made.json["payment_id"]) == "PAID"
    assert [(kind, state) for kind, state, _ in await play.differences()] == [("late_payment", "AUTO_RESOLVED")]
    assert (await desk.state(), await play.bill_state(bill)) == ("SUCCEEDED", "PAID")
    assert (await desk.unexplained(), await play.clearing_fen()) == ([], 26_805)
    assert (await till.told(by_alipay))["trade_status"] == "TRADE_CLOSED"
    await sound(play.res)
