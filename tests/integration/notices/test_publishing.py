"""D11: published at once or at an instant, by one, to a frozen audience, each person once, whatever breaks off."""

import asyncio
from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from backend.kernel import failpoints
from backend.kernel.clock import FrozenClock
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid
from backend.kernel.resources import Resources
from backend.messaging import intents
from backend.messaging.handlers import HANDLERS as MESSAGE_HANDLERS
from backend.notices import handlers, publishing, sending
from backend.notices.audience import Audience, Rule
from tests import factories
from tests import factories_messaging as messages
from tests import factories_notices as make
from tests.conftest import Run
from tests.factories_notices import Town

ALL = sorted({"owner", "family", "landlord", "tenant", "both", "far"})
HOUR = timedelta(hours=1)
WAITING = "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def town(res: Resources, run: Run) -> Iterator[Town]:
    made: Town = run(make.town(res))
    yield made
    run(made.sound())


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two persons a chunk."""
    monkeypatch.setattr(sending, "CHUNK", 2)


async def remind(town: Town, notice_id: object) -> None:
    await town.res.db.transact(
        lambda tx: sending.remind(tx, town.actor, notice_id=notice_id, communities=[town.place.id])  # type: ignore[arg-type]
    )


async def test_everybody_of_the_frozen_audience_has_one_message(town: Town, small: None) -> None:
    notice_id = await town.published(urgent=True)
    row = await town.notice(notice_id)
    assert (row["state"], row["person_count"], row["house_count"]) == ("PUBLISHED", 6, 4)
    await town.work()
    assert await town.told(notice_id) == ALL
    told = await town.res.db.fetch("SELECT DISTINCT urgent, page, values_shown FROM message_intent")
    assert [dict(one.items()) for one in told] == [
        {
            "urgent": True,
            "page": f"pages/notices/show?id={notice_id}",
            "values_shown": {
                "community": "LL01小区", "kind": "停水停电", "title": "2栋周三停水",
                "summary": "因更换水泵，2栋周三 9:00 至 12:00 停水， 请提前储水。", "published_at": "2026-09-01 10:00",
            },
        }
    ]  # fmt: skip
    (sent,) = await town.res.db.fetch("SELECT planned_count, done_at FROM notice_sending")
    assert (sent["planned_count"], sent["done_at"]) == (6, town.res.clock.now())


async def test_who_moves_in_after_publishing_is_not_among_the_recipients(town: Town) -> None:
    notice_id = await town.published()
    late = await factories.person(town.res, "13800009999", "晚来")
    await factories.occupy(town.res, late, town.houses["101"], "family")
    await town.work()
    assert await town.told(notice_id) == ALL


@pytest.mark.parametrize("point", ["notices.chunk_planned", "tx.before_commit", "tx.after_commit"])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
async def test_a_round_that_breaks_off_at_any_boundary_leaves_nobody_out_and_tells_nobody_twice(
    town: Town, small: None, clock: FrozenClock, point: str, number: int
) -> None:
    notice_id = await town.published()
    for _ in range(number - 1):
        await messages.work_due(town.res, handlers.HANDLERS | {"messaging.planned": make._leave})
    failpoints.arm(point, "raise", times=1)
    await town.work()
    failpoints.disarm_all()
    clock.advance(HOUR)
    await town.work()
    assert await town.told(notice_id) == ALL


async def test_two_workers_with_the_same_chunk_tell_everybody_once(town: Town, small: None) -> None:
    notice_id = await town.published()
    sending_id = await town.res.db.fetchval("SELECT id FROM notice_sending")
    for _ in range(4):
        await asyncio.gather(*(town.res.db.transact(lambda tx: sending.chunk(tx, sending_id)) for _ in range(2)))
    await town.work()
    assert await town.told(notice_id) == ALL


async def test_of_two_who_publish_at_once_one_wins(town: Town) -> None:
    notice_id = await town.draft()
    published, may_commit = asyncio.Event(), asyncio.Event()

    async def publish(tx: Tx) -> None:
        await publishing.publish(tx, town.actor, notice_id=notice_id, communities=[town.place.id])
        published.set()
        await may_commit.wait()

    first = asyncio.create_task(town.res.db.transact(publish))
    await published.wait()
    second = asyncio.create_task(town.publish(notice_id))
    while not second.done() and not await town.res.db.fetchval(f"SELECT count(*) FROM {WAITING}"):
        await asyncio.sleep(0)
    may_commit.set()
    await first
    with pytest.raises(Conflict) as refused:
        await second
    assert refused.value.code == "notice_moved"
    await town.work()
    assert await town.told(notice_id) == ALL


async def test_a_notice_for_nobody_is_not_published(town: Town) -> None:
    nobody = Audience(Rule(house_ids=(town.houses["101"],), roles=("tenant",)))
    notice_id = await town.draft(nobody)
    with pytest.raises(Conflict, match="没有住户"):
        await town.publish(notice_id)
    assert (await town.notice(notice_id))["state"] == "DRAFT"


async def test_a_schedule_fires_at_its_instant(town: Town, clock: FrozenClock) -> None:
    notice_id = await town.draft()
    await town.schedule(notice_id, clock.now() + HOUR)
    clock.advance(HOUR - timedelta(seconds=1))
    await town.work()
    assert (await town.notice(notice_id))["state"] == "SCHEDULED"
    clock.advance(timedelta(seconds=1))
    await town.work()
    assert (await town.notice(notice_id))["published_at"] == clock.now()
    assert await town.told(notice_id) == ALL


async def test_a_schedule_that_was_moved_fires_at_the_new_instant_alone(town: Town, clock: FrozenClock) -> None:
    notice_id = await town.draft()
    await town.schedule(notice_id, clock.now() + HOUR)
    await town.schedule(notice_id, clock.now() + 3 * HOUR)
    clock.advance(2 * HOUR)
    await town.work()
    assert (await town.notice(notice_id))["state"] == "SCHEDULED"
    clock.advance(HOUR)
    await town.work()
    assert (await town.notice(notice_id))["state"] == "PUBLISHED"


async def test_a_schedule_that_was_taken_back_does_not_fire(town: Town, clock: FrozenClock) -> None:
    draft, gone = await town.draft(), await town.draft()
    for notice_id in (draft, gone):
        await town.schedule(notice_id, clock.now() + HOUR)
    await town.res.db.transact(
        lambda tx: publishing.unschedule(tx, town.actor, notice_id=draft, communities=[town.place.id])
    )
    await town.withdraw(gone)
    clock.advance(2 * HOUR)
    await town.work()
    assert [(await town.notice(one))["state"] for one in (draft, gone)] == ["DRAFT", "WITHDRAWN"]
    # Scheduled anew, the first schedule still finds another version.
    await town.schedule(draft, clock.now() + HOUR)
    await town.res.db.execute("UPDATE outbox SET state = 'READY', finished_at = NULL WHERE event = 'notices.due'")
    await town.work()
    assert (await town.notice(draft))["state"] == "SCHEDULED"


async def test_a_schedule_lies_ahead_and_before_the_end(town: Town, clock: FrozenClock) -> None:
    notice_id = await town.draft(expires_at=clock.now() + 2 * HOUR)
    for at in (clock.now(), clock.now() + 2 * HOUR, clock.now() + timedelta(days=400)):
        with pytest.raises(Invalid):
            await town.schedule(notice_id, at)


async def test_what_is_withdrawn_is_not_sent_and_every_inbox_says_why(town: Town, small: None) -> None:
    notice_id = await town.published()
    await messages.work_due(town.res, handlers.HANDLERS | {"messaging.planned": make._leave})
    await town.withdraw(notice_id, "停水改期")
    await town.work()
    assert len(await town.told(notice_id)) == 2, "the round has ended where the notice did"
    assert await messages.states(town.res) == {"INBOX_ONLY": 2}
    told = {row["body"] for row in await town.res.db.fetch("SELECT title, body FROM inbox_message")}
    assert told == {"物业已撤回公告“2栋周三停水”，原因：停水改期。如有疑问，请联系物业服务中心。"}
    assert await town.res.db.fetchval("SELECT count(*) FROM notice_sending WHERE done_at IS NULL") == 0


async def test_a_withdrawal_waits_for_the_chunk_that_is_being_planned(town: Town, small: None) -> None:
    notice_id = await town.published()
    sending_id = await town.res.db.fetchval("SELECT id FROM notice_sending")

    async def plan(tx: Tx) -> asyncio.Task[None]:
        await sending.chunk(tx, sending_id)
        withdrawing = asyncio.create_task(town.withdraw(notice_id))
        await asyncio.wait({withdrawing}, timeout=0.2)
        assert not withdrawing.done(), "what is being planned would be left out of the inboxes that are put right"
        return withdrawing

    await (await town.res.db.transact(plan))
    await town.work()
    titles = await town.res.db.fetch("SELECT title FROM inbox_message")
    assert [row["title"] for row in titles] == ["公告已撤回"] * 2


async def test_what_comes_back_from_a_try_after_the_withdrawal_ends_in_the_inbox(town: Town) -> None:
    notice_id = await town.published()
    await town.work()
    await town.withdraw(notice_id)
    # Sending had taken it up before, and WeChat surely did not take it: it is pending once more.
    ids = [row["id"] for row in await town.res.db.fetch("SELECT id FROM message_intent")]

    async def again(tx: Tx) -> None:
        intents.request_sending(tx, ids, community_id=town.place.id)

    await town.res.db.transact(again)
    await messages.work_due(town.res, MESSAGE_HANDLERS | {publishing.WITHDRAWN: make._leave})
    left = await town.res.db.fetch("SELECT state, error FROM message_intent WHERE id = ANY ($1::uuid[])", ids)
    assert {(row["state"], row["error"]) for row in left} == {("INBOX_ONLY", "公告已撤回")}


async def test_a_reminder_goes_to_the_unread_once_a_day(town: Town, clock: FrozenClock, small: None) -> None:
    notice_id = await town.published(urgent=True)
    await town.work()
    await town.res.db.execute(
        "UPDATE notice_recipient SET read_at = $2 WHERE person_id = $1", town.people["owner"].id, clock.now()
    )
    await remind(town, notice_id)
    with pytest.raises(Conflict, match="每天最多提醒一次"):
        await remind(town, notice_id)
    await town.work()
    unread = [name for name in ALL if name != "owner"]
    assert await town.told(notice_id, "reminder") == unread
    assert not await town.res.db.fetchval(
        "SELECT bool_or(urgent) FROM message_intent WHERE meaning = 'notice_reminder'"
    )
    clock.advance(timedelta(days=1))
    await remind(town, notice_id)
    await town.work()
    assert await town.told(notice_id, "reminder") == sorted(unread * 2)


async def test_a_notice_is_over_by_the_clock_and_is_not_reminded_of(town: Town, clock: FrozenClock) -> None:
    notice_id = await town.published(expires_at=clock.now() + HOUR)
    await town.work()
    await handlers.expire(town.res, "")
    assert (await town.notice(notice_id))["state"] == "PUBLISHED"
    clock.advance(HOUR)
    await handlers.expire(town.res, "")
    assert (await town.notice(notice_id))["state"] == "EXPIRED"
    with pytest.raises(Conflict):
        await remind(town, notice_id)


async def test_what_waits_when_a_notice_is_over_is_not_sent(town: Town, clock: FrozenClock) -> None:
    await town.published(expires_at=clock.now() + HOUR)
    while await town.res.db.fetchval("SELECT count(*) FROM notice_sending WHERE done_at IS NULL"):
        await messages.work_due(town.res, handlers.HANDLERS)
    clock.advance(HOUR)
    await handlers.expire(town.res, "")
    await town.res.db.execute("UPDATE outbox SET state = 'READY', lease_until = NULL WHERE event = $1", intents.SEND)
    await messages.work_due(town.res, MESSAGE_HANDLERS)
    left = await town.res.db.fetch("SELECT DISTINCT state, error FROM message_intent")
    assert [(row["state"], row["error"]) for row in left] == [("INBOX_ONLY", "公告已过期")]
    titles = await town.res.db.fetch("SELECT DISTINCT title FROM inbox_message")
    assert [row["title"] for row in titles] == ["小区公告"], "what was written stays"


async def test_who_has_moved_out_is_not_reminded(town: Town, clock: FrozenClock) -> None:
    notice_id = await town.published()
    await town.work()
    await town.res.db.execute(
        "UPDATE occupancy SET ends_on = '2026-09-01' WHERE person_id = $1", town.people["tenant"].id
    )
    await remind(town, notice_id)
    await town.work()
    assert await town.told(notice_id, "reminder") == [name for name in ALL if name != "tenant"]


async def test_who_has_read_is_forgotten_after_two_years(town: Town, clock: FrozenClock) -> None:
    await town.published()
    await town.work()
    for days, left in ((729, 6), (2, 0)):
        clock.advance(timedelta(days=days))
        await handlers.retention.forget(town.res, str(date(2028, 9, 1)))
        assert await town.res.db.fetchval("SELECT count(*) FROM notice_recipient") == left
        if left:
            continue
        await town.res.db.execute("DELETE FROM message_intent")
