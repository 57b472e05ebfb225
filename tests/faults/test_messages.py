"""F-22, D11: messages to many, by real processes: limits kept together, one refresh of the token, a worker killed.

Judged at the sandbox's books. Some hundreds here; 50,000 residents with `-m long`.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from backend.kernel.clock import read_offset_s, write_offset_s
from backend.kernel.config import Settings
from backend.kernel.resources import Resources
from backend.messaging.checks import CHECKS
from backend.messaging.templates import Channel
from tests import factories
from tests import factories_messaging as make
from tests import workers_rig as rig
from tests.api_process import serving
from tests.conftest import Run, Sandbox
from tests.soundness import broken

pytestmark = pytest.mark.apart

SUB = make.BILL_TEMPLATE[Channel.SUBSCRIPTION]
FETCH = "POST /cgi-bin/stable_token"
LEASE_S, JOB_TIMEOUT_S = 8, 6
CREDITS = 2
PLAN_CHUNK = 2_000


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Short leases, so that what a killed worker held comes back soon."""
    return settings.model_copy(update={"lease_s": LEASE_S, "job_timeout_s": JOB_TIMEOUT_S})


@pytest.fixture
def res(sandbox_res: Resources, sandbox: Sandbox) -> Resources:
    """The processes share the sandbox's clock through the data directory of their own."""
    write_offset_s(sandbox_res.settings.data_dir, read_offset_s(sandbox.data_dir))
    return sandbox_res


@pytest.fixture
def place(res: Resources, sandbox: Sandbox, run: Run) -> factories.Community:
    made: factories.Community = run(factories.community(res))
    run(make.plug_in(res, sandbox, made))
    return made


class Way(StrEnum):
    """How a resident can be reached: by the official account, by CREDITS subscription messages, by the inbox alone."""

    FOLLOWER = "follower"
    SUBSCRIBER = "subscriber"
    SILENT = "silent"


MIX = (Way.FOLLOWER, Way.SUBSCRIBER, Way.FOLLOWER, Way.SUBSCRIBER, Way.SILENT)


async def crowd(res: Resources, sandbox: Sandbox, count: int, mix: Sequence[Way] = MIX) -> dict[Way, list[UUID]]:
    """`count` residents, mixed as in `mix`, who have WeChat at the sandbox."""
    people: dict[Way, list[UUID]] = {way: [] for way in Way}
    numbers = iter(range(count))
    async with aiohttp.ClientSession(f"{sandbox.url}/control/", connector=aiohttp.TCPConnector(limit=8)) as session:

        async def several() -> None:
            for number in numbers:
                way = mix[number % len(mix)]
                people[way].append(await _resident(res, session, way))

        await asyncio.gather(*(several() for _ in range(8)))
    return people


async def _resident(res: Resources, session: aiohttp.ClientSession, way: Way) -> UUID:
    async def ask(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        async with session.request(method, path, json=body) as answer:
            return await answer.json()

    user_id = (await ask("POST", "users", {"nickname": way}))["user_id"]
    appid, credits = (make.OFFICIAL, 0) if way is Way.FOLLOWER else (make.MINI, CREDITS * (way is Way.SUBSCRIBER))
    if way is Way.FOLLOWER:
        openid = (await ask("POST", f"users/{user_id}/follow", {"appid": appid}))["openid"]
    else:
        openid = (await ask("GET", f"users/{user_id}/openid?appid={appid}"))["openid"]
    for _ in range(credits):
        await ask("POST", f"users/{user_id}/consent", {"appid": appid, "template_id": SUB, "answer": "accept"})
    return await _known_here(res, appid, openid, credits)


async def _known_here(res: Resources, appid: str, openid: str, credits: int) -> UUID:
    person_id: UUID = await res.db.fetchval(
        """WITH p AS (INSERT INTO person (id, created_at) VALUES (gen_random_uuid(), $3) RETURNING id),
                u AS (INSERT INTO wechat_user (id, appid, openid, person_id, created_at)
                      SELECT gen_random_uuid(), $1, $2, id, $3 FROM p),
                c AS (INSERT INTO message_consent (person_id, template_id, credits, last_answer, answered_at)
                      SELECT id, $5, $4, 'accept', $3 FROM p WHERE $4 > 0),
                e AS (INSERT INTO message_consent_event (person_id, template_id, event, at, source)
                      SELECT id, $5, 'accept', $3, 'phone' FROM p, generate_series(1, $4))
           SELECT id FROM p""",
        appid, openid, res.clock.now(), credits, SUB,
    )  # fmt: skip
    return person_id


async def accepted(sandbox: Sandbox) -> list[dict[str, Any]]:
    """What WeChat has accepted, by its own books."""
    found: list[dict[str, Any]] = (await sandbox.ask("GET", "/messages"))["messages"]
    return found


async def nothing_due(res: Resources) -> bool:
    """Whether no job is under way, and none is due before tomorrow."""
    later = res.clock.now() + timedelta(hours=1)
    sql = "SELECT count(*) FROM outbox WHERE state = 'LEASED' OR state = 'READY' AND run_at <= $1"
    return not await res.db.fetchval(sql, later)


async def test_two_processes_never_exceed_the_days_limit_and_send_nothing_before_its_slot(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    per_day, per_second = 60, 60
    await res.db.execute("INSERT INTO send_limit VALUES ($1, 'template', $2, $3)", make.OFFICIAL, per_day, per_second)
    people = (await crowd(res, sandbox, 75, [Way.FOLLOWER]))[Way.FOLLOWER]
    began = res.clock.now()
    for number in range(0, len(people), 10):
        await make.plan_bills(res, place, people[number : number + 10], event_key=f"e{number}")
    with rig.worker_process(res.settings), rig.worker_process(res.settings):
        await rig.until(lambda: nothing_due(res), within_s=40, every_s=0.1)
    assert await make.states(res) == {"SENT": per_day, "PENDING": len(people) - per_day}
    arrived = sorted(datetime.fromisoformat(message["sent_at"]) for message in await accepted(sandbox))
    assert len(arrived) == per_day
    slots = [(began + number * timedelta(seconds=1 / per_second)).replace(microsecond=0) for number in range(per_day)]
    assert all(at >= slot for at, slot in zip(arrived, slots, strict=True))
    assert await res.db.fetchval("SELECT used FROM send_quota") == per_day


async def test_two_api_processes_and_two_workers_refresh_a_dead_token_once(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    """Pitfalls D1, D2: whoever meets 40001 first fetches the new token, the others find it."""
    people = (await crowd(res, sandbox, 40, [Way.FOLLOWER]))[Way.FOLLOWER]
    boss = await factories.staff(res, place, "administrator", all_communities=True)
    user_id = (await sandbox.ask("POST", "/users", {"nickname": "管理员"}))["user_id"]
    openid = (await sandbox.ask("POST", f"/users/{user_id}/follow", {"appid": make.OFFICIAL}))["openid"]
    await res.db.execute(
        """INSERT INTO wechat_user (id, appid, openid, staff_id, created_at)
           VALUES (gen_random_uuid(), $1, $2, $3, $4)""",
        make.OFFICIAL, openid, boss.id, res.clock.now(),
    )  # fmt: skip
    template = await res.db.fetchval("SELECT id FROM message_template WHERE kind = 'template'")
    path = f"/admin/v1/message-templates/{template}/test"
    async with serving(res.settings) as (_, one), serving(res.settings) as (_, other):
        write_offset_s(res.settings.data_dir, read_offset_s(sandbox.data_dir))
        with rig.worker_process(res.settings), rig.worker_process(res.settings):
            for api in (one, other):
                assert (await api.of(boss.token).post(path)).json["accepted"]
            before = (await sandbox.ask("GET", "/stats"))[FETCH]
            await sandbox.ask("POST", "/tokens/invalidate", {"appid": make.OFFICIAL})
            for number in range(0, len(people), 10):
                await make.plan_bills(res, place, people[number : number + 10], event_key=f"e{number}")
            told = await asyncio.gather(*(api.of(boss.token).post(path) for api in (one, other)))
            await rig.until(lambda: nothing_due(res), within_s=40, every_s=0.1)
    assert [answer.json["accepted"] for answer in told] == [True, True]
    assert await make.states(res) == {"SENT": len(people)}
    assert (await sandbox.ask("GET", "/stats"))[FETCH] - before == 1


async def _told_and_killed(
    res: Resources, sandbox: Sandbox, place: factories.Community, *, count: int, kills: Sequence[int], within_s: float
) -> None:
    """Tell `count` residents; kill the worker with SIGKILL whenever WeChat has accepted so many; a last one ends it."""
    crowded = await crowd(res, sandbox, count)
    people = [person_id for way in Way for person_id in crowded[way]]
    for start in range(0, count, PLAN_CHUNK):
        chunk = people[start : start + PLAN_CHUNK]
        assert await make.plan_bills(res, place, chunk) == len(chunk)
        assert await make.plan_bills(res, place, chunk) == 0
    for enough in kills:
        with rig.worker_process(res.settings) as doomed:
            await rig.until(lambda enough=enough: _accepted(sandbox, enough), within_s=within_s, every_s=0.01)
            doomed.kill()
            await asyncio.to_thread(doomed.wait)
    with rig.worker_process(res.settings):
        await rig.until(lambda: nothing_due(res), within_s=within_s, every_s=0.2)
    await _assert_nobody_left_out_and_nobody_told_twice(res, sandbox, crowded)


async def _accepted(sandbox: Sandbox, enough: int) -> bool:
    stats = await sandbox.ask("GET", "/stats")
    return sum(number for name, number in stats.items() if name.startswith("messages accepted")) >= enough


async def _assert_nobody_left_out_and_nobody_told_twice(
    res: Resources, sandbox: Sandbox, crowded: dict[Way, list[UUID]]
) -> None:
    count = sum(map(len, crowded.values()))
    found = await accepted(sandbox)
    told = Counter((message["kind"], message["openid"]) for message in found)
    assert set(told.values()) == {1}, "WeChat has accepted a second message to somebody"
    followers = [message for message in found if message["kind"] == "template"]
    assert len(followers) == len({message["client_msg_id"] for message in followers}) == len(crowded[Way.FOLLOWER])
    by_state = await make.states(res)
    assert sum(by_state.values()) == count == await res.db.fetchval("SELECT count(*) FROM inbox_message")
    assert by_state["INBOX_ONLY"] == len(crowded[Way.SILENT])
    unknown = by_state.get("UNKNOWN", 0)
    assert by_state["SENT"] == len(crowded[Way.FOLLOWER]) + len(crowded[Way.SUBSCRIBER]) - unknown
    assert (
        await res.db.fetchval(
            "SELECT count(*) FROM message_intent WHERE state = 'UNKNOWN' AND channel = 'subscription'"
        )
        == unknown
    )
    assert await res.db.fetchval("SELECT sum(credits) FROM message_consent") == len(crowded[Way.SUBSCRIBER])
    assert await broken(res.db, CHECKS) == []


async def test_a_worker_killed_in_the_middle_leaves_nobody_out_and_tells_nobody_twice(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    await _told_and_killed(res, sandbox, place, count=250, kills=[random.Random(22).randrange(30, 150)], within_s=60)


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_fifty_thousand_are_told_by_workers_killed_again_and_again(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    chance = random.Random(50)
    kills = sorted(chance.randrange(500, 38_000) for _ in range(6))
    await _told_and_killed(res, sandbox, place, count=50_000, kills=kills, within_s=1500)
