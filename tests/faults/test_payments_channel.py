"""A channel that is silent, slow or not believable, and crashes between storing and calling: F-05 to F-08."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from backend.kernel import failpoints
from backend.kernel.errors import ChannelUnknown
from backend.kernel.resources import Resources
from payments import asking, closing, merchants, prepay
from payments.asking import Said
from payments.channels.wechat_v3 import WechatPayV3
from payments.merchants import Merchant
from tests.conftest import Client, Run, Sandbox
from tests.factories_alipay import alipay
from tests.factories_payments import Stage, stage

UNBELIEVABLE = ["500", "429", "bad_signature", "truncated", "old_serial"]


@pytest.fixture
def play(sandbox_res: Resources, sandbox: Sandbox, run: Run) -> Stage:
    return run(stage(sandbox_res, sandbox))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second for the channel, so that its silence is a short one."""

    def channel(res: Resources, merchant: Merchant) -> WechatPayV3:
        return WechatPayV3(res.egress, res.clock, res.settings.wechat_pay_url, total_s=0.5)

    monkeypatch.setattr(merchants, "channel", channel)


async def test_f05_a_crash_before_the_commit_leaves_no_order(play: Stage, sandbox_client: Client) -> None:
    bill = await play.bill()
    failpoints.arm("order.before_commit", "raise", times=1)
    assert (await play.create(sandbox_client, bill, key="k1")).status == 500
    assert await play.count("payment_order") == await play.count("payment_attempt") == 0
    assert (await play.create(sandbox_client, bill, key="k1")).status == 201
    await play.balanced()


@pytest.mark.parametrize("point", ["order.after_commit", "prepay.before_call", "prepay.after_call"])
async def test_f05_a_crash_after_the_commit_is_repaired_by_the_same_request(
    play: Stage, sandbox_client: Client, point: str
) -> None:
    bill = await play.bill()
    failpoints.arm(point, "raise", times=1)
    assert (await play.create(sandbox_client, bill, key="k1")).status == 500
    order_id = await play.res.db.fetchval("SELECT id FROM payment_order")
    assert (await play.attempt(order_id))["state"] == "CREATED"
    again = await play.create(sandbox_client, bill, key="k1")
    assert (again.status, again.json["payment_id"]) == (201, str(order_id))
    await play.user_pays(order_id)
    await play.deliver()
    assert await play.state(order_id) == "PAID"
    await play.balanced()


@pytest.mark.parametrize("point", ["order.after_commit", "prepay.before_call", "prepay.after_call"])
async def test_f05_an_order_nobody_comes_back_for_is_closed_by_the_janitor(
    play: Stage, sandbox_client: Client, point: str
) -> None:
    bill = await play.bill()
    failpoints.arm(point, "raise", times=1)
    assert (await play.create(sandbox_client, bill)).status == 500
    order_id = await play.res.db.fetchval("SELECT id FROM payment_order")
    await play.later(minutes=31)
    await play.janitor()
    assert await play.state(order_id) == "CLOSED"
    assert await play.count("payment_hold") == 0
    assert (await play.create(sandbox_client, bill)).status == 201
    await play.balanced()


@pytest.mark.parametrize("behaviour", ["act_then_hang", "act_then_500"])
async def test_f06_a_prepay_that_timed_out_though_the_channel_did_it_is_found_by_the_janitor(
    play: Stage, sandbox_client: Client, impatient: None, behaviour: str
) -> None:
    bill = await play.bill()
    await play.hostile(prepay=[behaviour], lose_callbacks=1)
    answer = await play.create(sandbox_client, bill, key="k1")
    assert (answer.status, answer.code) == (503, "channel_unknown")
    order_id = await play.res.db.fetchval("SELECT id FROM payment_order")
    assert (await play.attempt(order_id))["state"] == "UNKNOWN"
    shown = await sandbox_client.of(play.owner.token).get(f"/api/v1/payments/{order_id}")
    assert "确认" in shown.json["state_text"]
    await play.user_pays(order_id)
    await play.later(minutes=1)
    await play.janitor()
    assert await play.state(order_id) == "PAID"
    assert await play.count("payment_attempt") == 1
    await play.balanced()


async def test_f06_the_repeated_request_gets_the_same_order_at_the_channel(
    play: Stage, sandbox_client: Client, impatient: None
) -> None:
    bill = await play.bill()
    await play.hostile(prepay=["act_then_hang"])
    assert (await play.create(sandbox_client, bill, key="k1")).status == 503
    again = await play.create(sandbox_client, bill, key="k1")
    assert again.status == 201
    attempt = await play.attempt(again.json["payment_id"])
    assert (attempt["state"], attempt["error"]) == ("SENT", None)
    assert (await play.sandbox.ask("GET", "/stats"))["orders created"] == 1
    await play.balanced()


@pytest.mark.parametrize("behaviour", UNBELIEVABLE)
async def test_f07_an_answer_that_cannot_be_believed_settles_nothing_and_closes_nothing(
    play: Stage, sandbox_client: Client, impatient: None, behaviour: str
) -> None:
    bill = await play.bill()
    order_id = await play.ready(bill)
    await play.hostile(lose_callbacks=1)
    await play.user_pays(order_id)
    await play.hostile(query=[behaviour] * 2)
    assert await asking.ask_now(play.res, order_id) is Said.NOTHING
    with pytest.raises(ChannelUnknown):
        await closing.close(play.res, order_id, reason="cancelled")
    assert await play.state(order_id) == "PAYING"
    assert await asking.ask_now(play.res, order_id) is Said.PAID
    await play.balanced()


@pytest.mark.parametrize("behaviour", UNBELIEVABLE)
async def test_f07_a_prepay_answer_that_cannot_be_believed_leaves_the_attempt_unknown(
    play: Stage, sandbox_client: Client, impatient: None, behaviour: str
) -> None:
    bill = await play.bill()
    await play.hostile(prepay=[behaviour])
    answer = await play.create(sandbox_client, bill, key="k1")
    assert (answer.status, answer.code) == (503, "channel_unknown")
    assert (await play.create(sandbox_client, bill, key="k1")).status == 201
    await play.balanced()


async def test_f07_a_close_that_is_not_answered_closes_nothing(play: Stage, impatient: None) -> None:
    order_id = await play.ready(await play.bill())
    await play.hostile(close=["hang"])
    with pytest.raises(ChannelUnknown):
        await closing.close(play.res, order_id, reason="cancelled")
    assert await play.state(order_id) == "PAYING"
    assert await closing.close(play.res, order_id, reason="cancelled") == "CLOSED"
    await play.balanced()


async def test_f08_without_any_callback_the_janitor_settles_in_its_first_step(play: Stage) -> None:
    bill = await play.bill()
    order_id = await play.ready(bill)
    await play.hostile(lose_callbacks=1)
    await play.user_pays(order_id)
    await play.deliver()
    await play.janitor()
    assert await play.state(order_id) == "PAYING"
    await play.later(minutes=1)
    await play.janitor()
    assert await play.state(order_id) == "PAID"
    assert (await play.attempt(order_id))["settled_by"] == "query"
    await play.balanced()


async def test_what_nobody_told_us_about_is_asked_before_its_order_is_closed(play: Stage) -> None:
    """Expired here, paid there: the channel's word comes first, at Alipay as at WeChat Pay."""
    till = await alipay(play)
    first, second = await play.bill(), await play.bill()
    by_wechat, by_alipay = await play.ready(first), await till.ready(second)
    await play.hostile(lose_callbacks=1)
    await till.hostile(lose_notices=1)
    await play.user_pays(by_wechat)
    await till.pays(by_alipay)
    await play.later(minutes=31)
    await play.janitor()
    assert (await play.state(by_wechat), await play.state(by_alipay)) == ("PAID", "PAID")
    assert (await play.bill_state(first), await play.bill_state(second)) == ("PAID", "PAID")


async def test_the_janitor_asks_by_its_schedule_and_closes_what_has_expired(play: Stage) -> None:
    order_id = await play.ready(await play.bill())
    asked: list[int] = []
    for minutes in (1, 1, 1, 2, 5, 10, 9):
        await play.later(minutes=minutes)
        await play.janitor()
        asked.append((await play.attempt(order_id))["asked_count"])
    assert asked == [1, 2, 2, 3, 4, 4, 4]
    await play.later(minutes=1, seconds=1)
    await play.janitor()
    attempt = await play.attempt(order_id)
    assert (await play.state(order_id), attempt["state"], attempt["asked_count"]) == ("CLOSED", "CLOSED", 5)
    await play.later(minutes=11)
    await play.janitor()
    assert (await play.attempt(order_id))["ask_at"] is None
    await play.balanced()


async def test_i17_a_silent_channel_is_asked_for_a_day_and_longer(play: Stage, impatient: None) -> None:
    order_id = await play.ready(await play.bill())
    await play.hostile(query=["500"] * 60)
    for _ in range(26):
        await play.later(hours=1)
        await play.janitor()
    attempt = await play.attempt(order_id)
    assert (await play.state(order_id), attempt["asked_count"]) == ("PAYING", 24)
    assert attempt["ask_at"] is not None
    await play.hostile(query=[])
    await play.later(days=1)
    await play.janitor()
    assert await play.state(order_id) == "CLOSED"
    await play.balanced()


async def test_two_janitors_share_the_work(play: Stage, run: Run) -> None:
    for bill in await play.bills(12):
        await play.ready(bill)
    await play.later(minutes=1)
    await asyncio.gather(play.janitor(), play.janitor(), play.janitor())
    rows = await play.res.db.fetch("SELECT asked_count FROM payment_attempt")
    assert [row["asked_count"] for row in rows] == [1] * 12


async def test_a_refused_prepay_closes_the_order_and_frees_its_bills(play: Stage, sandbox_client: Client) -> None:
    bill = await play.bill()
    await play.res.db.execute(
        "UPDATE wechat_user SET openid = 'nobody-knows-me' WHERE id = $1", play.owner.wechat_user_id
    )
    answer = await play.create(sandbox_client, bill)
    assert (answer.status, answer.code) == (409, "channel_refused")
    order_id: UUID = await play.res.db.fetchval("SELECT id FROM payment_order")
    assert (await play.state(order_id), (await play.attempt(order_id))["state"]) == ("CLOSED", "FAILED")
    assert await play.count("payment_hold") == 0
    await play.balanced()


async def test_a_handle_is_used_again_while_it_lives(play: Stage) -> None:
    order_id = await play.ready(await play.bill())
    before: Any = await play.sandbox.ask("GET", "/stats")
    await prepay.pay_parameters(play.res, order_id)
    assert await play.sandbox.ask("GET", "/stats") == before
