"""Limits counted in Redis hold for all processes together, and a Redis that comes and goes breaks no request."""

import asyncio
import signal
import time

import pytest
import redis.asyncio as aioredis

from backend.kernel import ratelimit
from backend.kernel.errors import TooMany
from backend.kernel.ratelimit import RateLimiter, Rule

RULE = Rule("pay", 8, 60)


async def is_allowed(limiter: RateLimiter, rule: Rule = RULE, subject: str = "a") -> bool:
    try:
        await limiter.check(rule, subject)
    except TooMany:
        return False
    return True


def test_two_processes_share_one_count(redis_server) -> None:
    async def scenario() -> int:
        clients = [aioredis.Redis(port=redis_server.port) for _ in range(2)]
        limiters = [RateLimiter(client) for client in clients]
        answers = await asyncio.gather(*(is_allowed(limiters[i % 2]) for i in range(50)))
        for client in clients:
            await client.aclose()
        return sum(answers)

    assert asyncio.run(scenario()) == 8


@pytest.mark.parametrize("count", [1, 3, 7, 8, 60])
def test_exactly_the_count_is_allowed_at_once(redis_server, count: int) -> None:
    async def scenario() -> int:
        async with aioredis.Redis(port=redis_server.port) as client:
            limiter = RateLimiter(client)
            return sum([await is_allowed(limiter, Rule("r", count, 60)) for _ in range(count + 5)])

    # A slow machine may see one use come back meanwhile.
    assert count <= asyncio.run(scenario()) <= count + 1


def test_a_use_comes_back_and_the_wait_is_told(redis_server) -> None:
    rule = Rule("code", 2, 1.0)

    async def scenario() -> None:
        async with aioredis.Redis(port=redis_server.port) as client:
            limiter = RateLimiter(client)
            assert await is_allowed(limiter, rule)
            assert await is_allowed(limiter, rule)
            with pytest.raises(TooMany) as caught:
                await limiter.check(rule, "a")
            assert caught.value.details["retry_after_s"] == 1
            deadline_s = time.monotonic() + 5
            while not await is_allowed(limiter, rule):
                assert time.monotonic() < deadline_s
                await asyncio.sleep(0.05)

    asyncio.run(scenario())


def test_nothing_readable_and_nothing_lasting_is_left_in_redis(redis_server) -> None:
    async def scenario() -> None:
        async with aioredis.Redis(port=redis_server.port) as client:
            await RateLimiter(client).check(RULE, "13812346666")
            (key,) = await client.keys("*")
            assert b"138" not in key or b"13812346666" not in key
            assert 0 < await client.pttl(key) <= 60_001

    asyncio.run(scenario())


def test_flushed_scripts_are_loaded_again(redis_server) -> None:
    async def scenario() -> None:
        async with aioredis.Redis(port=redis_server.port) as client:
            limiter = RateLimiter(client)
            await limiter.check(RULE, "a")
            await client.script_flush()
            await client.flushall()
            assert sum([await is_allowed(limiter) for _ in range(20)]) == 8

    asyncio.run(scenario())


def test_redis_killed_and_back_breaks_no_request(redis_server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratelimit, "REDIS_PAUSE_S", 0.05)
    wide = Rule("wide", 10_000, 60)

    async def scenario() -> None:
        async with aioredis.Redis(port=redis_server.port) as client:
            limiter = RateLimiter(client)
            assert await is_allowed(limiter, wide)
            redis_server.stop()
            assert all([await is_allowed(limiter, wide) for _ in range(20)])
            redis_server.start()
            await asyncio.sleep(0.06)
            assert await is_allowed(limiter, wide)
            assert await client.keys("rate:wide:*") != []

    asyncio.run(scenario())


def test_a_frozen_redis_delays_little_and_its_late_answer_confuses_nobody(
    redis_server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratelimit, "REDIS_PAUSE_S", 0.05)
    narrow = Rule("narrow", 3, 60)

    async def scenario() -> None:
        async with aioredis.Redis(port=redis_server.port) as client:
            limiter = RateLimiter(client)
            await limiter.check(narrow, "warm")
            redis_server.process.send_signal(signal.SIGSTOP)
            try:
                started_s = time.monotonic()
                assert await is_allowed(limiter, RULE)
                assert time.monotonic() - started_s < 1.0
            finally:
                redis_server.process.send_signal(signal.SIGCONT)
            await asyncio.sleep(0.1)
            assert sum([await is_allowed(limiter, narrow, "b") for _ in range(6)]) == 3

    asyncio.run(scenario())
