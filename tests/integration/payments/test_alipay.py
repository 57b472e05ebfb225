"""Paying by Alipay: codes and pages, notifications, queries, and what Alipay cannot close (D6)."""

import pytest

from backend.kernel.resources import Resources
from payments import asking, closing, prepay
from payments.asking import Said
from payments.channels.base import Method
from tests.conftest import Client, Run, Sandbox
from tests.factories_alipay import Alipay, alipay
from tests.factories_payments import stage


@pytest.fixture
def till(sandbox_res: Resources, sandbox: Sandbox, run: Run) -> Alipay:
    async def made() -> Alipay:
        return await alipay(await stage(sandbox_res, sandbox))

    return run(made())


@pytest.mark.parametrize("method", [Method.PRECREATE, Method.WAP, Method.PAGE])
async def test_a_payment_is_settled_by_its_notification(till: Alipay, sandbox_client: Client, method: Method) -> None:
    play = till.play
    bill = await play.bill(26_805)
    order_id = await till.ready(bill, method=method)
    assert await play.state(order_id) == "PAYING"
    paid = await till.pays(order_id)
    await till.deliver()
    assert (await play.state(order_id), await play.bill_state(bill)) == ("PAID", "PAID")
    attempt = await play.attempt(order_id)
    assert (attempt["transaction_no"], attempt["settled_by"]) == (paid["trade_no"], "callback")
    sent = (await till.notices(order_id))[0]["attempts"]
    assert [(each["status"], each["answer"]) for each in sent] == [(200, "success")]
    assert await play.count("inbox WHERE source LIKE 'alipay:%' AND outcome = 'applied'") == 1


async def test_f08_without_a_notification_the_janitor_settles(till: Alipay) -> None:
    play = till.play
    bill = await play.bill()
    order_id = await till.ready(bill)
    await till.hostile(lose_notices=1)
    await till.pays(order_id)
    await play.later(minutes=1)
    await play.janitor()
    assert (await play.state(order_id), (await play.attempt(order_id))["settled_by"]) == ("PAID", "query")


async def test_c13_a_code_that_nobody_scanned_is_never_heard_of_and_closed_when_it_expires(till: Alipay) -> None:
    play = till.play
    bill = await play.bill()
    order_id = await till.ready(bill)
    assert await asking.ask_now(play.res, order_id) is Said.NEVER_HEARD
    await play.later(minutes=31)
    await play.janitor()
    assert (await play.state(order_id), await play.bill_state(bill)) == ("CLOSED", "ISSUED")
    assert await play.count("payment_hold") == 0


async def test_c14_a_late_payment_of_an_unscanned_code_is_found_without_any_notification(till: Alipay) -> None:
    """Closing cannot reach a code that nobody has scanned: it is asked about for hours after."""
    play = till.play
    bill = await play.bill()
    order_id = await till.ready(bill)
    assert await closing.close(play.res, order_id, reason="cancelled") == "CLOSED"
    await play.later(minutes=20)
    await play.janitor()
    await till.hostile(lose_notices=1)
    await till.pays(order_id)
    await play.later(minutes=45)
    await play.janitor()
    assert (await play.state(order_id), await play.bill_state(bill)) == ("PAID", "PAID")
    await play.later(hours=5)
    await play.janitor()
    assert (await play.attempt(order_id))["ask_at"] is None


async def test_an_ended_order_is_watched_until_its_code_is_dead(till: Alipay) -> None:
    play = till.play
    order_id = await till.ready(await play.bill())
    await closing.close(play.res, order_id, reason="cancelled")
    asked = []
    for _ in range(6):
        await play.later(hours=1)
        await play.janitor()
        asked.append((await play.attempt(order_id))["asked_count"])
    assert asked == [1, 2, 3, 3, 3, 3]


async def test_a_scanned_code_is_closed_at_alipay(till: Alipay) -> None:
    play = till.play
    order_id = await till.ready(await play.bill())
    await till.scans(order_id)
    assert await asking.ask_now(play.res, order_id) is Said.WAITING
    assert await closing.close(play.res, order_id, reason="cancelled") == "CLOSED"
    assert (await till.told(order_id))["trade_status"] == "TRADE_CLOSED"


async def test_the_code_is_used_again_while_it_lives(till: Alipay) -> None:
    order_id = await till.ready(await till.play.bill())
    first = await prepay.opening(till.play.res, order_id)
    assert first == await prepay.opening(till.play.res, order_id)
    assert first.qr_text is not None and first.qr_text.startswith("https://qr.alipay.com/")


async def test_c7_a_finished_trade_counts_as_paid(till: Alipay, sandbox_client: Client) -> None:
    play = till.play
    order_id = await till.ready(await play.bill())
    body = await till.body(order_id, trade_status="TRADE_FINISHED")
    assert await till.send(sandbox_client, body) == (200, b"success")
    assert await play.state(order_id) == "PAID"


async def test_c6_a_trade_that_timed_out_is_no_payment_and_acknowledged(till: Alipay, sandbox_client: Client) -> None:
    play = till.play
    order_id = await till.ready(await play.bill())
    body = await till.body(order_id, trade_status="TRADE_CLOSED", gmt_payment="")
    assert await till.send(sandbox_client, body) == (200, b"success")
    assert await play.state(order_id) == "PAYING"
    assert await play.count("inbox WHERE outcome = 'ignored'") == 1


async def test_c5_a_refunds_notification_does_not_pay_again_and_the_refund_is_asked_about(
    till: Alipay, sandbox_client: Client
) -> None:
    play = till.play
    bill = await play.bill(26_805)
    order_id = await till.ready(bill)
    await till.pays(order_id)
    await till.deliver()
    number = (await play.attempt(order_id))["transaction_no"]
    refunded = {"refund_fee": "1.00", "gmt_refund": "2026-09-01 10:30:00.123", "out_biz_no": "console1"}
    body = await till.body(order_id, trade_no=number, notify_id="refund1", **refunded)
    for _ in range(2):
        assert await till.send(sandbox_client, body) == (200, b"success")
    assert await play.count("posting WHERE kind = 'bill.paid'") == 1
    assert await play.count("inbox WHERE outcome = 'duplicate'") == 1
    hint = await play.res.db.fetchval("SELECT payload FROM outbox WHERE event = 'payments.refund_hinted'")
    assert (hint["out_refund_no"], hint["transaction_no"]) == ("console1", number)
    assert await play.count("outbox WHERE event = 'payments.refund_hinted'") == 1
