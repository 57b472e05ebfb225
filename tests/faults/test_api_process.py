"""F-20: the API process told to stop, killed, left by its client. What was asked is answered, or rolled back whole."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import pytest

from backend.kernel.config import Settings
from backend.kernel.resources import Resources
from tests import factories as make
from tests.api_process import ApiProcess, refuses, serving
from tests.conftest import Client
from tests.worker_database import Urls

pytestmark = pytest.mark.apart

JOIN = "/api/v1/houses/join"
# A transaction that has stood still for half a second is one that waits at the failpoint, before its commit.
WAITING = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'linli' AND state = 'idle in transaction'
       AND clock_timestamp() - state_change > interval '0.5 s'
"""
# What one accepted family code writes, all of it in one transaction.
WRITTEN = """
    SELECT (SELECT count(*) FROM occupancy WHERE source = 'family_code') AS ties,
           (SELECT count(*) FROM family_code WHERE used_at IS NOT NULL) AS codes,
           (SELECT count(*) FROM idempotency WHERE answer IS NOT NULL) AS answers,
           (SELECT count(*) FROM audit_entry WHERE action LIKE 'occupancy.%') AS entries
"""


@dataclass(frozen=True)
class Guest:
    """Somebody about to join a house by a code."""

    who: make.Person
    code: str
    key: str

    async def join(self, client: Client) -> int:
        answer = await client.of(self.who.token).post(JOIN, {"code": self.code}, key=self.key)
        assert answer.status == 200, answer.body
        return answer.status

    def request(self, url: str) -> bytes:
        """The same as bytes, for a client that does not wait."""
        body = json.dumps({"code": self.code}).encode()
        return (
            f"POST {JOIN} HTTP/1.1\r\nHost: {url.removeprefix('http://')}\r\nAuthorization: Bearer {self.who.token}\r\n"
            f"Idempotency-Key: {self.key}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body


async def guests(res: Resources, count: int) -> list[Guest]:
    """A house with an owner, and `count` people with a code each."""
    place = await make.community(res)
    house_id = await make.house(res, place)
    owner = await make.person(res)
    await make.occupy(res, owner, house_id)
    return [await _guest(res, house_id, owner.id, number) for number in range(count)]


async def _guest(res: Resources, house_id: UUID, owner_id: UUID, number: int) -> Guest:
    code = f"K7QM2X{number:02}"
    now = res.clock.now()
    await res.db.execute(
        """INSERT INTO family_code (code_hash, house_id, role, created_by, created_at, expires_at)
           VALUES ($1, $2, 'family', $3, $4, $5)""",
        res.keyring.blind(code, "family_code"), house_id, owner_id, now, now + timedelta(hours=1),
    )  # fmt: skip
    who = await make.person(res, phone=f"139000000{number:02}", name=f"客人{number}")
    return Guest(who, code, uuid4().hex)


async def written(res: Resources) -> tuple[int, ...]:
    row = await res.db.fetchrow(WRITTEN)
    assert row is not None
    return tuple(row.values())


async def until(condition: Callable[[], Awaitable[bool]], *, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.02)


def waiting(urls: Urls, count: int) -> Callable[[], Awaitable[bool]]:
    """Whether `count` transactions wait at the failpoint."""

    async def holds() -> bool:
        connection = await asyncpg.connect(urls.admin)
        try:
            return int(await connection.fetchval(WAITING)) == count
        finally:
            await connection.close()

    return holds


async def test_sigterm_answers_what_is_in_flight_takes_nothing_new_and_ends_with_zero(
    res: Resources, urls: Urls
) -> None:
    invited = await guests(res, 8)
    async with serving(res.settings, failpoints="tx.before_commit=sleep:4") as (api, client):
        asked = [asyncio.create_task(guest.join(client)) for guest in invited]
        await until(waiting(urls, len(invited)))
        api.terminate()
        await until(lambda: refuses(api.url), within_s=2)
        assert not any(task.done() for task in asked)
        assert await asyncio.gather(*asked) == [200] * len(invited)
        assert await api.ended(10) == 0, api.said()
    assert await written(res) == (8, 8, 8, 8)


async def test_sigkill_in_the_middle_of_a_write_rolls_it_back_whole(res: Resources, urls: Urls) -> None:
    (guest,) = await guests(res, 1)
    async with serving(res.settings, failpoints="tx.before_commit=sleep:30") as (api, client):
        asked = asyncio.create_task(guest.join(client))
        await until(waiting(urls, 1))
        api.process.kill()
        with pytest.raises(aiohttp.ClientError):
            await asked
        await until(waiting(urls, 0))
    assert await written(res) == (0, 0, 0, 0)
    async with serving(res.settings) as (_, client):
        assert await guest.join(client) == 200
    assert await written(res) == (1, 1, 1, 1)


async def _send_and_leave(guest: Guest, url: str, when: Callable[[], Awaitable[bool]]) -> None:
    host, port = url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(guest.request(url))
    await writer.drain()
    await until(when)
    writer.close()


async def test_a_client_gone_in_mid_write_cancels_the_handler_and_nothing_is_half_written(
    res: Resources, urls: Urls
) -> None:
    (guest,) = await guests(res, 1)
    async with serving(res.settings, failpoints="tx.before_commit=sleep:30*1") as (api, client):
        await _send_and_leave(guest, api.url, waiting(urls, 1))
        await until(waiting(urls, 0), within_s=5)
        assert await written(res) == (0, 0, 0, 0)
        assert await guest.join(client) == 200
    assert await written(res) == (1, 1, 1, 1)


async def test_a_client_gone_after_the_commit_finds_the_stored_answer_when_it_repeats(
    res: Resources, urls: Urls
) -> None:
    (guest,) = await guests(res, 1)
    async with serving(res.settings, failpoints="tx.after_commit=sleep:30*1") as (api, client):

        async def committed() -> bool:
            return await written(res) == (1, 1, 1, 1)

        await _send_and_leave(guest, api.url, committed)
        assert await guest.join(client) == 200
    assert await written(res) == (1, 1, 1, 1)


async def _health(url: str) -> int:
    """The answer on a connection of its own, so that the kernel chooses a process anew."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/healthz") as answer:
        return answer.status


async def test_two_processes_share_a_port_and_one_can_leave(settings: Settings, res: Resources) -> None:
    async with serving(settings) as (whole, _):
        marked = ApiProcess(settings, port=whole.port, failpoints="http.before_answer=raise")
        try:
            await marked.serves()
            seen = {await _health(whole.url) for _ in range(60)}
            assert seen == {200, 500}
            marked.terminate()
            assert await marked.ended(10) == 0, marked.said()
            assert {await _health(whole.url) for _ in range(30)} == {200}
        finally:
            marked.end()
