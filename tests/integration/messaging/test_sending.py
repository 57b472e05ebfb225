"""D11, F-22: the way of each message, WeChat's refusals, unknown outcomes, and limits, against the real sandbox."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from backend.kernel import failpoints
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from backend.messaging.checks import CHECKS
from tests import factories
from tests import factories_messaging as make
from tests.conftest import Run, Sandbox
from tests.soundness import broken


@pytest.fixture
def res(sandbox_res: Resources) -> Resources:
    return sandbox_res


@pytest.fixture
def place(res: Resources, sandbox: Sandbox, run: Run) -> factories.Community:
    made: factories.Community = run(factories.community(res))
    run(make.plug_in(res, sandbox, made))
    return made


@pytest.fixture(autouse=True)
def _invariants(res: Resources, run: Run) -> Iterator[None]:
    yield
    assert run(broken(res.db, CHECKS)) == []


async def sent(sandbox: Sandbox) -> list[dict[str, object]]:
    return (await sandbox.ask("GET", "/messages"))["messages"]  # type: ignore[no-any-return]


async def inbox_count(res: Resources) -> int:
    return int(await res.db.fetchval("SELECT count(*) FROM inbox_message"))


async def credits(res: Resources, who: make.Reader) -> int:
    return int(await res.db.fetchval("SELECT credits FROM message_consent WHERE person_id = $1", who.id))


async def test_each_person_is_reached_by_the_best_way_open(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    follower = await make.reader(res, sandbox, 1, follows=True, credits=1)
    subscriber = await make.reader(res, sandbox, 2, credits=1)
    silent = await make.reader(res, sandbox, 3)
    assert await make.plan_bills(res, place, [follower.id, subscriber.id, silent.id]) == 3
    assert await inbox_count(res) == 3
    await make.work_due(res)
    assert (await make.intent(res, follower.id))["channel"] == "template"
    assert (await make.intent(res, subscriber.id))["channel"] == "subscription"
    assert await make.states(res) == {"SENT": 2, "INBOX_ONLY": 1}
    assert await credits(res, follower) == 1
    assert await credits(res, subscriber) == 0
    messages = await sent(sandbox)
    assert {m["openid"] for m in messages} == {follower.official_openid, subscriber.person.openid}
    assert messages[0]["data"]["thing1"] == {"value": "1栋1单元101"}  # type: ignore[index]
    by_key = {m["client_msg_id"] for m in messages}
    assert (await make.intent(res, follower.id))["id"].hex in by_key  # type: ignore[attr-defined]


async def test_planning_the_same_event_again_writes_to_nobody_twice(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    who = await make.reader(res, sandbox, 1, follows=True)
    assert await make.plan_bills(res, place, [who.id]) == 1
    assert await make.plan_bills(res, place, [who.id]) == 0
    await make.work_due(res)
    assert len(await sent(sandbox)) == 1
    assert await inbox_count(res) == 1


async def test_somebody_who_was_removed_gets_nothing(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    who = await make.reader(res, sandbox, 1, follows=True)
    await res.db.execute("UPDATE person SET removed_at = created_at")
    assert await make.plan_bills(res, place, [who.id]) == 0
    assert await inbox_count(res) == 0


async def test_a_follower_who_left_is_marked_and_reached_by_subscription(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    who = await make.reader(res, sandbox, 1, follows=True, credits=1)
    await sandbox.ask("POST", f"/users/{who.user_id}/unfollow", {"appid": make.OFFICIAL})
    await make.plan_bills(res, place, [who.id])
    await make.work_due(res)
    assert (await make.intent(res, who.id))["errcode"] == 43004
    assert await res.db.fetchval("SELECT reachable FROM wechat_user WHERE appid = $1", make.OFFICIAL) is False
    await make.work_due(res)
    assert (await make.intent(res, who.id))["state"] == "SENT"
    assert (await make.intent(res, who.id))["channel"] == "subscription"


async def test_a_used_up_subscription_is_zeroed_and_left_to_the_inbox(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    who = await make.reader(res, sandbox, 1, credits=1)
    await res.db.execute("UPDATE message_consent SET credits = 3")
    await res.db.execute(
        """INSERT INTO message_consent_event (person_id, template_id, event, at, source)
           SELECT person_id, template_id, 'accept', at, 'phone' FROM message_consent_event, generate_series(1, 2)"""
    )
    for number in (1, 2):
        await make.plan_bills(res, place, [who.id], event_key=f"e{number}")
    await make.work_due(res)
    assert await make.states(res) == {"SENT": 1, "INBOX_ONLY": 1}
    assert await credits(res, who) == 0
    assert await res.db.fetchval("SELECT count(*) FROM message_consent_event WHERE event = 'exhausted'") == 1


async def test_one_credit_is_never_counted_on_twice(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    who = await make.reader(res, sandbox, 1, credits=1)
    for number in range(5):
        await make.plan_bills(res, place, [who.id], event_key=f"e{number}")
    await make.work_due(res)
    assert await make.states(res) == {"SENT": 1, "INBOX_ONLY": 4}
    assert (await sandbox.ask("GET", "/stats")).get("messages accepted subscribe") == 1


async def test_one_credit_is_never_counted_on_twice_within_one_job(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    who = await make.reader(res, sandbox, 1, credits=1)
    for number in range(5):
        await make.plan_bills(res, place, [who.id], event_key=f"e{number}")
    await res.db.execute("DELETE FROM outbox")
    ids = [row["id"] for row in await res.db.fetch("SELECT id FROM message_intent")]

    async def as_one(tx: Tx) -> None:
        make.intents.request_sending(tx, ids, community_id=place.id)

    await res.db.transact(as_one)
    await make.work_due(res)
    assert await make.states(res) == {"SENT": 1, "INBOX_ONLY": 4}
    events = await res.db.fetch("SELECT event, count(*) AS n FROM message_consent_event GROUP BY event")
    assert {row["event"]: row["n"] for row in events} == {"accept": 1, "used": 1}


async def test_an_expired_token_is_fetched_once_and_everything_is_sent(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    readers = [await make.reader(res, sandbox, number, follows=True) for number in range(1, 41)]
    first = readers.pop()
    await make.plan_bills(res, place, [first.id])
    await make.work_due(res)
    before = await sandbox.ask("GET", "/stats")
    await sandbox.ask("POST", "/tokens/invalidate", {"appid": make.OFFICIAL})
    await make.plan_bills(res, place, [reader.id for reader in readers], event_key="e2")
    await make.work_due(res)
    after = await sandbox.ask("GET", "/stats")
    assert await make.states(res) == {"SENT": 40}
    grown = {name: after[name] - before.get(name, 0) for name in after if "token" in name and "POST" in name}
    assert sum(grown.values()) <= 2, (before, after)


async def test_a_template_message_of_unknown_outcome_is_repeated_with_the_same_key_and_arrives_once(
    res: Resources, sandbox: Sandbox, place: factories.Community, impatient: None
) -> None:
    who = await make.reader(res, sandbox, 1, follows=True)
    await sandbox.ask("PUT", "/hostile", {"messages": ["act_then_hang"]})
    await make.plan_bills(res, place, [who.id])
    await make.work_due(res)
    assert (await make.intent(res, who.id))["state"] == "SENDING"
    sandbox.clock.advance(timedelta(seconds=31))
    await make.work_due(res)
    assert (await make.intent(res, who.id))["state"] == "SENT"
    assert len(await sent(sandbox)) == 1
    assert (await sandbox.ask("GET", "/stats"))["messages repeated"] == 1


async def test_after_ten_minutes_a_template_message_of_unknown_outcome_is_not_repeated(
    res: Resources, sandbox: Sandbox, place: factories.Community, impatient: None
) -> None:
    who = await make.reader(res, sandbox, 1, follows=True)
    await sandbox.ask("PUT", "/hostile", {"messages": ["act_then_hang"]})
    await make.plan_bills(res, place, [who.id])
    await make.work_due(res)
    sandbox.clock.advance(timedelta(minutes=11))
    await make.work_due(res)
    assert (await make.intent(res, who.id))["state"] == "UNKNOWN"
    assert len(await sent(sandbox)) == 1
    assert await inbox_count(res) == 1


async def test_a_subscription_message_of_unknown_outcome_is_not_sent_again(
    res: Resources, sandbox: Sandbox, place: factories.Community, impatient: None
) -> None:
    who = await make.reader(res, sandbox, 1, credits=2)
    await sandbox.ask("PUT", "/hostile", {"messages": ["act_then_hang"]})
    await make.plan_bills(res, place, [who.id])
    await make.work_due(res)
    sandbox.clock.advance(timedelta(minutes=1))
    await make.work_due(res)
    assert (await make.intent(res, who.id))["state"] == "UNKNOWN"
    assert len(await sent(sandbox)) == 1
    assert await credits(res, who) == 1


@pytest.mark.parametrize("point", ["send.prepared", "send.delivered"])
@pytest.mark.parametrize("follows", [True, False])
async def test_a_crash_between_the_transactions_sends_at_most_once(
    res: Resources, sandbox: Sandbox, place: factories.Community, point: str, follows: bool
) -> None:
    who = await make.reader(res, sandbox, 1, follows=follows, credits=2)
    await make.plan_bills(res, place, [who.id])
    failpoints.arm(point, "raise", times=1)
    await make.work_due(res)
    assert (await make.intent(res, who.id))["state"] == "SENDING"
    sandbox.clock.advance(timedelta(seconds=2))
    await make.work_due(res)
    assert (await make.intent(res, who.id))["state"] == ("SENT" if follows else "UNKNOWN")
    assert len(await sent(sandbox)) == (1 if follows or point == "send.delivered" else 0)


async def test_a_busy_answer_is_tried_again_and_costs_no_credit(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    who = await make.reader(res, sandbox, 1, credits=1)
    await sandbox.ask("PUT", "/hostile", {"messages": [{"errcode": -1}]})
    await make.plan_bills(res, place, [who.id])
    await make.work_due(res)
    assert (await make.intent(res, who.id))["state"] == "PENDING"
    assert await credits(res, who) == 1
    sandbox.clock.advance(timedelta(seconds=16))
    await make.work_due(res)
    assert (await make.intent(res, who.id))["state"] == "SENT"
    assert await credits(res, who) == 0


async def test_the_daily_limit_of_wechat_stops_the_day_and_the_rest_goes_next_morning(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    readers = [await make.reader(res, sandbox, number, follows=True) for number in range(1, 5)]
    await sandbox.ask("PUT", "/hostile", {"messages": [{"errcode": 45009}]})
    await make.plan_bills(res, place, [readers[0].id])
    await make.work_due(res)
    await make.plan_bills(res, place, [reader.id for reader in readers[1:]], event_key="e2")
    calls = len(await sent(sandbox))
    await make.work_due(res)
    assert await make.states(res) == {"PENDING": 4}
    assert len(await sent(sandbox)) == calls
    sandbox.clock.advance(timedelta(hours=24))
    await make.work_due(res)
    assert await make.states(res) == {"SENT": 4}


async def test_our_own_daily_limit_is_never_exceeded(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    readers = [await make.reader(res, sandbox, number, follows=True) for number in range(1, 9)]
    await res.db.execute("INSERT INTO send_limit VALUES ($1, 'template', 5, 100)", make.OFFICIAL)
    for number, reader in enumerate(readers):
        await make.plan_bills(res, place, [reader.id], event_key=f"e{number}")
    await asyncio.gather(*(make.work_due(res) for _ in range(3)))
    assert await make.states(res) == {"SENT": 5, "PENDING": 3}
    assert len(await sent(sandbox)) == 5
    assert await res.db.fetchval("SELECT used FROM send_quota") == 5
    sandbox.clock.advance(timedelta(hours=24))
    await make.work_due(res)
    assert await make.states(res) == {"SENT": 8}


async def test_no_message_leaves_before_its_slot_of_the_second_hand(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    """Two messages a second: the n-th is never sent before n half seconds have passed, however late it may come."""
    readers = [await make.reader(res, sandbox, number, follows=True) for number in range(1, 13)]
    await res.db.execute("INSERT INTO send_limit VALUES ($1, 'template', 100000, 2)", make.OFFICIAL)
    for number in range(0, 12, 4):
        people = [reader.id for reader in readers[number : number + 4]]
        await make.plan_bills(res, place, people, event_key=f"e{number}")
    began = res.clock.now()

    async def all_sent() -> bool:
        await make.work_due(res)
        return await make.states(res) == {"SENT": 12}

    for _ in range(200):
        if await all_sent():
            break
        await asyncio.sleep(0.1)
    assert await make.states(res) == {"SENT": 12}
    arrived = sorted(datetime.fromisoformat(message["sent_at"]) for message in await sent(sandbox))
    slots = [(began + number * timedelta(seconds=0.5)).replace(microsecond=0) for number in range(12)]
    assert all(at >= slot for at, slot in zip(arrived, slots, strict=True)), (arrived, slots)


async def test_a_wrong_template_parks_the_message_and_keeps_the_credit(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    who = await make.reader(res, sandbox, 1, credits=1)
    await res.db.execute("UPDATE message_template SET template_id = template_id || 'x' WHERE kind = 'template'")
    await sandbox.ask("PUT", "/hostile", {"messages": [{"errcode": 40037}]})
    await make.plan_bills(res, place, [who.id])
    await make.work_due(res)
    row = await make.intent(res, who.id)
    assert (row["state"], row["errcode"]) == ("PARKED", 40037)
    assert await credits(res, who) == 1


async def test_values_are_fitted_to_the_fields_before_sending(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    who = await make.reader(res, sandbox, 1, follows=True)
    values = {**make.VALUES, "houses": "幸福里花园二期北区12栋3单元2801室、2802室和储藏间\n另有车位"}
    await res.db.transact(
        lambda tx: make.intents.plan(
            tx, make.BILL_ISSUED, event_key="long", community_id=place.id,
            recipients=[make.Recipient(who.id, values)],
        )
    )  # fmt: skip
    await make.work_due(res)
    assert (await make.intent(res, who.id))["state"] == "SENT"
    assert len((await sent(sandbox))[0]["data"]["thing1"]["value"]) == 20  # type: ignore[index]


async def test_many_recipients_are_sent_in_jobs_of_two_hundred(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    people = [(await factories.person(res, phone=f"139{number:08}")).id for number in range(450)]
    assert await make.plan_bills(res, place, people) == 450
    assert await res.db.fetchval("SELECT count(*) FROM outbox WHERE event = 'messaging.planned'") == 3
    await make.work_due(res)
    assert await make.states(res) == {"INBOX_ONLY": 450}
