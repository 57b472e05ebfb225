"""Alipay's notifications forged, wrong, repeated, in parallel and with crashes: F-01, F-03, F-07, F-09, F-10."""

import asyncio
from uuid import UUID

import pytest

from backend.kernel import failpoints
from backend.kernel.errors import ChannelUnknown
from backend.kernel.resources import Resources
from payments import asking, closing, merchants
from payments.asking import Said
from payments.channels.alipay import Alipay as AlipayChannel
from payments.channels.base import Method
from tests import vectors
from tests.conftest import Answered, Client, Run, Sandbox
from tests.factories_alipay import Alipay, alipay, trade_no
from tests.factories_payments import sound, stage

SUCCESS = (200, b"success")


@pytest.fixture
def till(sandbox_res: Resources, sandbox: Sandbox, run: Run) -> Alipay:
    async def made() -> Alipay:
        return await alipay(await stage(sandbox_res, sandbox))

    return run(made())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second for Alipay, so that its silence is a short one."""

    def channel(res: Resources, merchant: merchants.Merchant) -> AlipayChannel:
        return AlipayChannel(res.egress, res.clock, res.settings.alipay_url, total_s=0.5)

    monkeypatch.setattr(merchants, "channel", channel)


async def _paid_once(till: Alipay, order_id: object, bill: object) -> None:
    play = till.play
    assert await play.state(str(order_id)) == "PAID"
    assert await play.count("posting WHERE kind = 'bill.paid' AND bill_id = $1", bill) == 1
    assert await play.differences() == []
    await sound(play.res)


async def _same_notification_a_hundred_times(till: Alipay, sandbox_client: Client, rounds: int) -> None:
    for _ in range(rounds):
        bill = await till.play.bill()
        order_id = await till.ready(bill)
        body = await till.body(order_id)
        assert await asyncio.gather(*(till.send(sandbox_client, body) for _ in range(100))) == [SUCCESS] * 100
        await _paid_once(till, order_id, bill)
    assert await till.play.count("inbox") == rounds


async def test_f01_the_same_notification_a_hundred_times_in_parallel_is_one_payment(
    till: Alipay, sandbox_client: Client
) -> None:
    await _same_notification_a_hundred_times(till, sandbox_client, 2)


@pytest.mark.long
async def test_f01_twenty_rounds(till: Alipay, sandbox_client: Client) -> None:
    await _same_notification_a_hundred_times(till, sandbox_client, 20)


async def _three_doors_at_once(till: Alipay, sandbox_client: Client, rounds: int) -> None:
    await till.hostile(lose_notices=rounds)
    for _ in range(rounds):
        bill = await till.play.bill()
        order_id = await till.ready(bill)
        paid = await till.pays(order_id)
        body = await till.body(order_id, trade_no=paid["trade_no"])
        attempt = await till.play.attempt(order_id)
        told = await asyncio.gather(
            till.send(sandbox_client, body),
            asking.ask(till.play.res, attempt),
            asking.ask_now(till.play.res, attempt["order_id"]),
        )
        assert told == [SUCCESS, Said.PAID, Said.PAID]
        await _paid_once(till, order_id, bill)


async def test_f09_notification_janitor_and_client_in_the_same_instant_settle_once(
    till: Alipay, sandbox_client: Client
) -> None:
    await _three_doors_at_once(till, sandbox_client, 10)


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_f09_two_hundred_rounds(till: Alipay, sandbox_client: Client) -> None:
    await _three_doors_at_once(till, sandbox_client, 200)


@pytest.mark.parametrize(
    "point", ["settle.before_write", "settle.after_inbox", "settle.before_flush", "settle.before_commit"]
)
async def test_f03_what_fails_before_the_commit_is_not_acknowledged_and_repeated(
    till: Alipay, sandbox_client: Client, point: str
) -> None:
    bill = await till.play.bill()
    order_id = await till.ready(bill, method=Method.WAP)
    if point != "settle.before_write":
        failpoints.arm("settle.after_look", "raise40001")
    failpoints.arm(point, "raise", times=1)
    await till.pays(order_id)
    await till.deliver()
    assert await till.play.count("inbox") == 0
    assert (await till.play.state(order_id), await till.play.bill_state(bill)) == ("PAYING", "ISSUED")
    await till.play.later(minutes=4)
    await till.deliver()
    sent = (await till.notices(order_id))[0]["attempts"]
    assert sent[0]["status"] == 500 and sent[0]["answer"] != "success"
    assert (sent[-1]["status"], sent[-1]["answer"]) == (200, "success")
    await _paid_once(till, order_id, bill)


async def test_f04_what_was_committed_before_a_crash_is_acknowledged_when_repeated(
    till: Alipay, sandbox_client: Client
) -> None:
    bill = await till.play.bill()
    order_id = await till.ready(bill)
    body = await till.body(order_id)
    failpoints.arm("callback.before_answer", "raise", times=1)
    status, answer = await till.send(sandbox_client, body)
    assert status == 500 and answer != b"success"
    assert await till.send(sandbox_client, body) == SUCCESS
    await _paid_once(till, order_id, bill)


WRONG = {
    "amount": {"total_amount": "1.00"},
    "merchant": {"seller_id": "2088000000000000"},
    "app": {"app_id": "2021004100000000"},
    "unknown_order": {"out_trade_no": "LLnobodyknowsthis"},
}


@pytest.mark.parametrize("kind", WRONG)
async def test_f10_verified_but_wrong_is_a_difference_in_suspense_and_acknowledged(
    till: Alipay, sandbox_client: Client, kind: str
) -> None:
    play = till.play
    bill = await play.bill(26_805)
    order_id = await till.ready(bill)
    body = await till.body(order_id, **WRONG[kind])
    assert await till.send(sandbox_client, body) == SUCCESS
    amount_fen = 100 if kind == "amount" else 26_805
    assert await play.differences() == [(kind, "OPEN", amount_fen)]
    assert await play.count("posting WHERE kind = 'payment.suspense' AND amount_fen = $1", amount_fen) == 1
    assert await play.count("inbox WHERE outcome = 'difference' AND reason = $1", kind) == 1
    assert (await play.state(order_id), await play.bill_state(bill)) == ("PAYING", "ISSUED")
    await sound(play.res)


@pytest.mark.parametrize("yuan", ["268.04", "268.06", "26805.00", "0.01"])
async def test_a5_every_fen_of_the_total_counts(till: Alipay, sandbox_client: Client, yuan: str) -> None:
    play = till.play
    bill = await play.bill(26_805)
    order_id = await till.ready(bill)
    assert await till.send(sandbox_client, await till.body(order_id, total_amount=yuan)) == SUCCESS
    assert [kind for kind, _, _ in await play.differences()] == ["amount"]
    assert await play.bill_state(bill) == "ISSUED"


async def test_what_is_not_proven_is_refused_and_leaves_no_trace(till: Alipay, sandbox_client: Client) -> None:
    play = till.play
    bill = await play.bill()
    order_id = await till.ready(bill)
    body = (await till.body(order_id)).partition(b"&alipay_cert_sn=")[0]
    forged = await till.body(order_id, key=vectors.key_m())
    probes = [b"", b"sign=x", b"\xff\xfe", forged, body.replace(b"RSA2", b"RSA"), body + b"&total_amount=1"]
    for position in range(0, len(body), 29):
        probes.append(body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :])
    for probe in probes:
        status, answer = await till.send(sandbox_client, probe)
        assert (status, answer) == (401, b"failure"), probe
    assert await play.count("inbox") == 0
    assert (await play.state(order_id), await play.differences()) == ("PAYING", [])
    assert await till.send(sandbox_client, body) == SUCCESS


async def test_a_message_to_another_merchant_or_channel_is_no_message_to_this_one(
    till: Alipay, sandbox_client: Client
) -> None:
    play = till.play
    order_id = await till.ready(await play.bill())
    body = await till.body(order_id)
    for path in (f"/pay/notify/alipay/{play.merchant_id}", f"/pay/notify/wechat/{till.merchant_id}"):
        answer = await sandbox_client.call("POST", path, raw=body)
        assert answer.status == 404
    assert await play.count("inbox") == 0


async def test_alipay_repeats_for_a_day_and_is_still_believed(till: Alipay, sandbox_client: Client) -> None:
    """There is no window of time: the last of eight deliveries comes 25 hours later."""
    bill = await till.play.bill()
    order_id = await till.ready(bill)
    body = await till.body(order_id)
    await till.play.later(hours=25)
    assert await till.send(sandbox_client, body) == SUCCESS
    await _paid_once(till, order_id, bill)


@pytest.mark.parametrize("behaviour", ["http_500", "error", "limit", "bad_signature", "unsigned", "truncated"])
async def test_f07_an_answer_that_cannot_be_believed_settles_nothing_and_closes_nothing(
    till: Alipay, behaviour: str
) -> None:
    order_id = await till.ready(await till.play.bill())
    await till.hostile(lose_notices=1)
    await till.pays(order_id)
    await till.hostile(query=[behaviour] * 2)
    assert await asking.ask_now(till.play.res, order_id) is Said.NOTHING
    with pytest.raises(ChannelUnknown):
        await closing.close(till.play.res, order_id, reason="cancelled")
    assert await till.play.state(order_id) == "PAYING"
    assert await asking.ask_now(till.play.res, order_id) is Said.PAID


async def _create(till: Alipay, client: Client, bill: UUID, key: str) -> Answered:
    body = {"bill_ids": [str(bill)], "channel": "alipay", "method": "precreate"}
    return await client.of(till.play.owner.token).post("/api/v1/payments", body, key=key)


@pytest.mark.parametrize("behaviour", ["act_then_hang", "act_then_error", "http_500", "unsigned", "bad_signature"])
async def test_f06_a_code_whose_answer_was_lost_is_asked_for_again(
    till: Alipay, sandbox_client: Client, impatient: None, behaviour: str
) -> None:
    bill = await till.play.bill()
    await till.hostile(precreate=[behaviour])
    lost = await _create(till, sandbox_client, bill, "k1")
    assert (lost.status, lost.code) == (503, "channel_unknown")
    order_id = await till.play.res.db.fetchval("SELECT id FROM payment_order")
    assert (await till.play.attempt(order_id))["state"] == "UNKNOWN"
    again = await _create(till, sandbox_client, bill, "k1")
    assert (again.status, again.json["payment_id"]) == (201, str(order_id))
    await till.pays(order_id)
    await till.deliver()
    await _paid_once(till, order_id, bill)


@pytest.mark.parametrize("lost_by", ["the channel", "a crash of ours"])
async def test_f06_a_code_that_alipay_does_not_give_twice_ends_its_order_and_frees_the_bill(
    till: Alipay, sandbox_client: Client, impatient: None, lost_by: str
) -> None:
    bill = await till.play.bill()
    await till.hostile(refuse_repeated_precreate=True)
    if lost_by == "the channel":
        await till.hostile(precreate=["act_then_hang"])
    else:
        failpoints.arm("prepay.after_call", "raise", times=1)
    assert (await _create(till, sandbox_client, bill, "k1")).status in (500, 503)
    order_id = await till.play.res.db.fetchval("SELECT id FROM payment_order")
    assert (await _create(till, sandbox_client, bill, "k1")).status == 409
    assert await till.play.state(order_id) == "CLOSED"
    fresh = await _create(till, sandbox_client, bill, "k2")
    assert fresh.status == 201
    await till.pays(fresh.json["payment_id"])
    await till.deliver()
    await _paid_once(till, fresh.json["payment_id"], bill)


async def test_f26_an_order_lost_with_a_restored_backup_is_named_by_what_the_channel_carried(
    till: Alipay, sandbox_client: Client
) -> None:
    play = till.play
    order_id = await till.ready(await play.bill(26_805))
    attempt = await play.attempt(order_id)
    body = await till.body(order_id)
    await play.res.db.execute("DELETE FROM payment_hold WHERE order_id = $1", order_id)
    await play.res.db.execute("DELETE FROM payment_line WHERE order_id = $1", order_id)
    await play.res.db.execute("DELETE FROM payment_attempt WHERE order_id = $1", order_id)
    digest = await play.res.db.fetchval("DELETE FROM payment_order WHERE id = $1 RETURNING digest", order_id)
    assert await till.send(sandbox_client, body) == SUCCESS
    lost = await play.res.db.fetchrow("SELECT * FROM difference")
    assert lost is not None and (lost["class"], lost["booked_fen"]) == ("unknown_order", 26_805)
    assert lost["transaction_no"] == trade_no(attempt["out_trade_no"])
    assert lost["detail"]["order_id"] == str(order_id)
    assert (lost["detail"]["kind"], lost["detail"]["digest"]) == ("bill", digest[:16].hex())
