"""Pitfalls E6, E8: WeChat's later word about accepted messages, counted, whenever it comes."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from backend.kernel.clock import FrozenClock
from backend.kernel.resources import Resources
from backend.messaging import figures
from backend.messaging.checks import CHECKS
from backend.messaging.deliveries import LOOK_AGAIN_S
from backend.messaging.figures import Figures
from backend.messaging.templates import Channel
from tests import factories
from tests import factories_messaging as make
from tests.conftest import Run
from tests.soundness import broken

FINISHED, SENT = "templatesendjobfinish", "subscribe_msg_sent_event"


@pytest.fixture
def place(res: Resources, run: Run) -> factories.Community:
    made: factories.Community = run(factories.community(res))
    run(make.plug_in(res, None, made))
    return made


@pytest.fixture(autouse=True)
def _invariants(res: Resources, run: Run) -> Iterator[None]:
    yield
    assert run(broken(res.db, CHECKS)) == []


async def finished(res: Resources, who: factories.Person, msgid: str, status: str) -> None:
    fields = {"MsgID": msgid, "Status": status}
    await make.push(res, FINISHED, fields, appid=make.OFFICIAL, openid=who.openid)
    await make.work_due(res)


async def delivery(res: Resources, msgid: str) -> str | None:
    found: str | None = await res.db.fetchval("SELECT delivery FROM message_intent WHERE msgid = $1", msgid)
    return found


async def test_results_are_counted_by_event_and_by_meaning(
    res: Resources, clock: FrozenClock, place: factories.Community
) -> None:
    who = await factories.person(res)
    for msgid, status in (("1", "success"), ("2", "failed:user block"), ("3", "failed: system failed")):
        await make.sent(res, place, who, msgid, channel=Channel.TEMPLATE)
        await finished(res, who, msgid, status)
    await make.sent(res, place, who, "4", channel=Channel.SUBSCRIPTION)
    today = (clock.now() + timedelta(hours=8)).date()
    counted = await figures.of_community(res.db, place.id, from_on=today, to_on=today)
    assert counted == {
        "bill_issued": Figures(planned=4, sent_template=3, sent_subscription=1, delivered=1, blocked=1, failed=1)
    }
    assert await figures.of_events(res.db, ["sent-2", "never"]) == {
        "sent-2": Figures(planned=1, sent_template=1, blocked=1)
    }
    assert await res.db.fetchval("SELECT count(*) FROM message_intent WHERE delivery_at = $1", clock.now()) == 3


async def test_whoever_blocks_the_account_is_not_written_to_through_it_again(
    res: Resources, place: factories.Community
) -> None:
    who = await factories.person(res)
    await res.db.execute("UPDATE wechat_user SET appid = $1", make.OFFICIAL)
    await make.sent(res, place, who, "1", channel=Channel.TEMPLATE)
    await finished(res, who, "1", "failed:user block")
    assert await res.db.fetchval("SELECT reachable FROM wechat_user") is False
    await make.plan_bills(res, place, [who.id], event_key="next")
    await make.work_due(res)
    assert await res.db.fetchval("SELECT state FROM message_intent WHERE event_key = 'next'") == "INBOX_ONLY"


async def test_a_failure_of_the_system_stops_nobody(res: Resources, place: factories.Community) -> None:
    who = await factories.person(res)
    await make.sent(res, place, who, "1", channel=Channel.TEMPLATE)
    await finished(res, who, "1", "failed: system failed")
    assert await res.db.fetchval("SELECT bool_and(reachable) FROM wechat_user")


async def test_a_result_that_comes_before_our_answer_is_stored_is_not_lost(
    res: Resources, clock: FrozenClock, place: factories.Community
) -> None:
    who = await factories.person(res)
    await finished(res, who, "1", "success")
    assert await res.db.fetchval("SELECT state FROM outbox") == "READY"
    await make.sent(res, place, who, "1", channel=Channel.TEMPLATE)
    told_at = clock.now()
    clock.advance(timedelta(seconds=LOOK_AGAIN_S[0]))
    await make.work_due(res)
    assert await delivery(res, "1") == "DELIVERED"
    assert await res.db.fetchval("SELECT delivery_at FROM message_intent") == told_at
    assert await res.db.fetchval("SELECT state FROM outbox") == "DONE"


async def test_a_number_that_is_never_ours_ends_without_being_parked(
    res: Resources, clock: FrozenClock, place: factories.Community
) -> None:
    await finished(res, await factories.person(res), "another system's", "success")
    for wait_s in LOOK_AGAIN_S:
        assert await res.db.fetchval("SELECT state FROM outbox") == "READY"
        clock.advance(timedelta(seconds=wait_s))
        await make.work_due(res)
    assert await res.db.fetchval("SELECT state FROM outbox") == "DONE"


async def test_the_first_word_stands(res: Resources, place: factories.Community) -> None:
    who = await factories.person(res)
    await make.sent(res, place, who, "1", channel=Channel.TEMPLATE)
    await finished(res, who, "1", "success")
    await finished(res, who, "1", "failed: system failed")
    assert await delivery(res, "1") == "DELIVERED"


async def test_the_same_number_of_another_account_is_another_message(
    res: Resources, place: factories.Community
) -> None:
    who = await factories.person(res)
    await make.sent(res, place, who, "1", channel=Channel.SUBSCRIPTION)
    await finished(res, who, "1", "success")
    assert await delivery(res, "1") is None


async def test_subscription_messages_are_told_in_one_list(res: Resources, place: factories.Community) -> None:
    who = await factories.person(res)
    for msgid in ("1", "2"):
        await make.sent(res, place, who, msgid, channel=Channel.SUBSCRIPTION)
    items = [
        {"TemplateId": "t", "MsgID": "1", "ErrorCode": "0", "ErrorStatus": "success"},
        {"TemplateId": "t", "MsgID": "2", "ErrorCode": "-1", "ErrorStatus": "system error"},
    ]
    await make.push(res, SENT, {"SubscribeMsgSentEvent": {"List": items}}, appid=make.MINI, openid=who.openid)
    await make.work_due(res)
    assert (await delivery(res, "1"), await delivery(res, "2")) == ("DELIVERED", "FAILED")
