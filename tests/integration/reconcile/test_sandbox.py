"""Reconciliation against the sandbox's own statements: both channels, a planted difference of every class.

Each is found and named, none is invented; what is missing here and true is settled by itself (D7, F-21, F-26).
"""

from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from backend.kernel.clock import local_date
from backend.kernel.resources import Resources
from payments.reconcile import runs
from payments.refunds import Part
from tests import factories, vectors
from tests.conftest import Client, Run, Sandbox
from tests.factories_alipay import APP_ID, Alipay, alipay
from tests.factories_payments import sound, stage
from tests.factories_refunds import Refunds
from tests.factories_statements import DAY
from tests.scripted_channel import Scripted

NEXT = DAY + timedelta(days=1)


@pytest.fixture
def desk(sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client, run: Run) -> Refunds:
    async def made() -> Refunds:
        play = await stage(sandbox_res, sandbox)
        asker = await factories.staff(sandbox_res, play.place, "cashier")
        approver = await factories.staff(sandbox_res, play.place, "manager")
        return Refunds(play, cast(Scripted, None), asker, approver)

    found: Refunds = run(made())
    return found


async def paid(desk: Refunds, till: Alipay | None, amount_fen: int) -> UUID:
    """An order paid at the channel, whose callback is delivered unless the channel loses it."""
    bill_id = await desk.play.bill(amount_fen)
    order_id = await (till.ready(bill_id) if till else desk.play.ready(bill_id))
    await (till.pays(order_id) if till else desk.play.user_pays(order_id))
    await (till.deliver() if till else desk.play.deliver())
    return order_id


async def given_back(desk: Refunds, till: Alipay | None, order_id: UUID, amount_fen: int) -> None:
    """A refund from request to the end."""
    (line,) = await desk.lines(order_id)
    await desk.refunded(order_id, Part(line["id"], amount_fen, 0))
    for _ in range(3):
        await desk.play.later(seconds=40)
        await (till.deliver() if till else desk.play.deliver())
        await desk.work()
        await desk.tick()


async def next_morning(desk: Refunds) -> None:
    """Half past ten of the day after: yesterday's statements are due, and everything that follows from them."""
    now = desk.play.res.clock.now()
    step = timedelta(days=1) - timedelta(hours=now.hour, minutes=now.minute) + timedelta(hours=2, minutes=30)
    desk.play.sandbox.clock.advance(step)
    await runs.plan(desk.play.res, local_date(desk.play.res.clock.now()) - timedelta(days=1))
    for _ in range(3):
        await desk.work()
        await desk.play.later(minutes=2)
    await desk.work()


async def plant(desk: Refunds, till: Alipay | None, kinds: list[str], **more: Any) -> dict[str, str]:
    """What was planted: kind → the channel's number."""
    if till is None:
        path, body = "/statements/plants", {"mchid": vectors.MCHID}
    else:
        path, body = "/alipay/plants", {"app_id": APP_ID}
    told = await desk.play.sandbox.ask(
        "POST", path, {**body, "date": DAY.isoformat(), "kinds": kinds, "seed": 7, **more}
    )
    return {
        each["kind"]: each["detail"].get("transaction_id") or each["detail"].get("trade_no") or each["subject"]
        for each in told["plants"]
    }


async def found(desk: Refunds) -> set[tuple[str, str, str]]:
    rows = await desk.play.res.db.fetch("SELECT class, state, transaction_no FROM difference")
    return {(row["class"], row["state"], row["transaction_no"]) for row in rows}


async def states(desk: Refunds) -> list[tuple[str, str, str | None]]:
    rows = await desk.play.res.db.fetch("SELECT * FROM reconciliation_run ORDER BY day, kind, channel")
    return [(f"{row['channel']} {row['day']} {row['kind']}", row["state"], row["error"]) for row in rows]


async def both(desk: Refunds, name: str) -> Alipay | None:
    return None if name == "wechat" else await alipay(desk.play)


CHANNELS = pytest.mark.parametrize("channel", ["wechat", "alipay"])


@CHANNELS
async def test_two_quiet_days_tie_out_to_the_bank(desk: Refunds, channel: str) -> None:
    till = await both(desk, channel)
    orders = [await paid(desk, till, 10_000 + number) for number in range(3)]
    await given_back(desk, till, orders[0], 1_000)
    await next_morning(desk)
    await next_morning(desk)
    assert all(state == "DONE" for _, state, _ in await states(desk)), await states(desk)
    assert await found(desk) == set()
    assert await desk.play.clearing_fen() == 0
    assert await desk.play.count("channel_settlement") == 1
    await sound(desk.play.res)


async def test_newer_columns_and_padded_comments_are_read(desk: Refunds) -> None:
    till = await alipay(desk.play)
    await desk.play.sandbox.ask("PUT", "/alipay/hostile", {"new_account_columns": True})
    orders = [await paid(desk, till, 10_000 + number) for number in range(3)]
    await given_back(desk, till, orders[0], 1_000)
    await plant(desk, till, ["padded_comments"])
    await plant(desk, till, ["padded_comments"], statement="fund_flow")
    await next_morning(desk)
    assert all(state == "DONE" for _, state, _ in await states(desk)), await states(desk)
    assert await found(desk) == set()
    await sound(desk.play.res)


@CHANNELS
async def test_every_class_is_found_by_its_name_and_none_is_invented(desk: Refunds, channel: str) -> None:
    till = await both(desk, channel)
    orders = [await paid(desk, till, 10_000 + number) for number in range(12)]
    for number in range(4):
        await given_back(desk, till, orders[number], 1_000 + number)
    unpaid = await (till.ready(await desk.play.bill(500)) if till else desk.play.ready(await desk.play.bill(500)))
    assert await desk.play.state(unpaid) == "PAYING"
    kinds = {
        "missing_line": ("missing_there", "OPEN"),
        "extra_line": ("missing_here", "OPEN"),
        "duplicate_line": ("duplicate", "OPEN"),
        "changed_amount": ("amount", "OPEN"),
        "changed_status": ("status", "OPEN"),
        "changed_fee": ("fee", "OPEN"),
        "refund_missing": ("refund", "OPEN"),
        "refund_extra": ("refund", "OPEN"),
        "refund_changed": ("refund", "OPEN"),
        "cross_day": ("cross_day", "AUTO_RESOLVED"),
        "unknown_type": ("status", "OPEN"),
    }
    planted = await plant(desk, till, list(kinds))
    await next_morning(desk)
    await next_morning(desk)
    assert all(state == "DONE" for _, state, _ in await states(desk)), await states(desk)
    expected = {(*kinds[kind], number) for kind, number in planted.items()}
    assert await found(desk) == expected
    await sound(desk.play.res)


@CHANNELS
async def test_what_the_fund_flow_tells_otherwise_is_a_settlement(desk: Refunds, channel: str) -> None:
    till = await both(desk, channel)
    orders = [await paid(desk, till, 10_000 + number) for number in range(8)]
    for number in range(2):
        await given_back(desk, till, orders[number], 1_000 + number)
    kinds = ["missing_line", "extra_line", "duplicate_line", "changed_amount", "unknown_type"]
    planted = await plant(desk, till, kinds, statement="fund_flow")
    await next_morning(desk)
    assert all(state == "DONE" for _, state, _ in await states(desk)), await states(desk)
    assert {(kind, number) for kind, _, number in await found(desk)} == {
        ("settlement", number) for number in planted.values()
    }
    await sound(desk.play.res)


@CHANNELS
async def test_a_fee_that_only_the_fund_flow_tells_otherwise(desk: Refunds, channel: str) -> None:
    till = await both(desk, channel)
    for number in range(3):
        await paid(desk, till, 10_000 + number)
    planted = await plant(desk, till, ["changed_fee"], statement="fund_flow")
    await next_morning(desk)
    assert {kind for kind, _, _ in await found(desk)} == {"fee"}, planted
    await sound(desk.play.res)


@CHANNELS
@pytest.mark.parametrize("kind", ["cut_in_half", "cut_on_the_way", "totals_disagree", "unknown_column"])
async def test_a_broken_file_is_refused_whole_and_read_when_it_is_mended(
    desk: Refunds, channel: str, kind: str
) -> None:
    till = await both(desk, channel)
    for number in range(3):
        await paid(desk, till, 10_000 + number)
    await plant(desk, till, [kind])
    await next_morning(desk)
    told = {name: (state, bool(error)) for name, state, error in await states(desk)}
    assert told[f"{channel} {DAY} trades"] == ("FAILED", True)
    assert await found(desk) == set() and await desk.play.count("channel_fee") == 0
    await desk.play.sandbox.ask("DELETE", f"/{'statements' if till is None else 'alipay'}/plants?" + (
        f"mchid={vectors.MCHID}" if till is None else f"app_id={APP_ID}"))  # fmt: skip
    for _ in range(3):
        await desk.play.later(minutes=31)
        await desk.work()
    assert all(state == "DONE" for _, state, _ in await states(desk)), await states(desk)
    await sound(desk.play.res)


async def test_a_wrong_hash_refuses_the_file(desk: Refunds) -> None:
    await paid(desk, None, 10_000)
    await plant(desk, None, ["wrong_hash"])
    await next_morning(desk)
    told = {name: state for name, state, _ in await states(desk)}
    assert told[f"wechat {DAY} trades"] == "FAILED"
    assert await desk.play.count("channel_fee") == 0 and await found(desk) == set()


@CHANNELS
async def test_a_payment_that_nobody_told_us_of_is_settled_by_the_statement(desk: Refunds, channel: str) -> None:
    """The third door: no callback, no janitor; the statement alone."""
    till = await both(desk, channel)
    path, budget = ("/hostile", "lose_callbacks") if till is None else ("/alipay/hostile", "lose_notices")
    await desk.play.sandbox.ask("PUT", path, {budget: 10})
    order_id = await paid(desk, till, 26_805)
    await next_morning(desk)
    assert await desk.play.state(order_id) == "PAID"
    attempt = await desk.play.attempt(order_id)
    assert await found(desk) == {("missing_here", "AUTO_RESOLVED", attempt["transaction_no"])}
    assert attempt["settled_by"] == "statement"
    await sound(desk.play.res)


@pytest.mark.parametrize("same_day", [True, False], ids=["that day", "the day after"])
async def test_a_refund_that_the_channel_closes_leaves_nothing_unexplained(desk: Refunds, same_day: bool) -> None:
    """Closed on its own day it is in no statement; closed later it was, and the fund flow takes money and fee back."""
    orders = [await paid(desk, None, 20_000 + number) for number in range(2)]
    await desk.play.hostile(refund_outcomes=["CLOSED" if same_day else "ABNORMAL"])
    await given_back(desk, None, orders[0], 10_000)
    if not same_day:
        number = await desk.play.res.db.fetchval("SELECT out_refund_no FROM refund WHERE state = 'ABNORMAL'")
        await next_morning(desk)
        await desk.play.sandbox.ask("POST", f"/refunds/{vectors.MCHID}/{number}/finish", {"state": "CLOSED"})
    await desk.play.deliver()
    await desk.work()
    assert await desk.play.count("refund WHERE state = 'CLOSED'") == 1
    await sound(desk.play.res)
    for _ in range(2):
        await next_morning(desk)
    assert all(state == "DONE" for _, state, _ in await states(desk)), await states(desk)
    assert await found(desk) == set()
    await sound(desk.play.res)


async def test_a_refund_that_reached_the_channel_the_day_after_leaves_no_day_open(desk: Refunds) -> None:
    """The channel has no statement of the day on which we sent it; it is believed after two hours, not never."""
    order_id = await paid(desk, None, 20_000)
    await desk.play.hostile(refund=["500"])
    (line,) = await desk.lines(order_id)
    await desk.refunded(order_id, Part(line["id"], 10_000, 0))
    assert await desk.state() == "SUBMITTING"
    await desk.play.later(hours=15)
    for _ in range(3):
        await desk.work()
        await desk.tick()
        await desk.play.later(seconds=40)
        await desk.play.deliver()
    assert await desk.state() == "SUCCEEDED"
    await next_morning(desk)
    assert {state for _, state, _ in await states(desk)} == {"DONE", "FAILED"}
    for _ in range(10):
        await desk.play.later(minutes=31)
        await desk.work()
    assert {state for _, state, _ in await states(desk)} == {"DONE"}
    await next_morning(desk)
    assert {state for _, state, _ in await states(desk)} == {"DONE"}
    assert {(kind, state) for kind, state, _ in await found(desk)} == {
        ("cross_day", "AUTO_RESOLVED"),
        ("settlement", "AUTO_RESOLVED"),
    }
    assert await desk.unexplained() == []
    await sound(desk.play.res)
