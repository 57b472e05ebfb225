"""While Redis is away limits are kept in the process: money routes keep theirs, strict rules tighten."""

import asyncio
import socket
import time

import pytest
import redis.asyncio as aioredis

from backend.kernel import ratelimit
from backend.kernel.errors import TooMany
from backend.kernel.ratelimit import RateLimiter, Rule

PAY = Rule("pay", 8, 60)
LOGIN = Rule("login", 8, 60, strict=True)


def away() -> aioredis.Redis:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return aioredis.Redis(port=probe.getsockname()[1])


class Watch:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


async def allowed(limiter: RateLimiter, rule: Rule, subject: str = "a", tries: int = 50) -> int:
    count = 0
    for _ in range(tries):
        try:
            await limiter.check(rule, subject)
            count += 1
        except TooMany:
            pass
    return count


@pytest.mark.parametrize(
    ("rule", "expected"), [(PAY, 8), (LOGIN, 2), (Rule("code", 1, 60, strict=True), 1), (Rule("odd", 7, 0.9), 7)]
)
def test_without_redis_money_stays_open_and_strict_rules_tighten(rule: Rule, expected: int) -> None:
    assert asyncio.run(allowed(RateLimiter(away(), monotonic_s=Watch()), rule)) == expected


def test_subjects_and_rules_are_counted_apart() -> None:
    async def scenario() -> None:
        limiter = RateLimiter(away(), monotonic_s=Watch())
        assert await allowed(limiter, PAY, "a") == 8
        assert await allowed(limiter, PAY, "b") == 8
        assert await allowed(limiter, Rule("other", 3, 60), "a") == 3

    asyncio.run(scenario())


def test_the_bucket_fills_up_again_at_the_rules_rate() -> None:
    async def scenario() -> None:
        watch = Watch()
        limiter = RateLimiter(away(), monotonic_s=watch)
        await allowed(limiter, PAY)
        with pytest.raises(TooMany) as caught:
            await limiter.check(PAY, "a")
        assert caught.value.details["retry_after_s"] == 8
        watch.now_s += 7.5
        assert await allowed(limiter, PAY) == 1
        watch.now_s += 600
        assert await allowed(limiter, PAY) == 8

    asyncio.run(scenario())


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratelimit, "MAX_SUBJECTS", 10)

    async def scenario() -> int:
        limiter = RateLimiter(away(), monotonic_s=Watch())
        for number in range(100):
            await limiter.check(PAY, str(number))
        return len(limiter._full_at_us)

    assert asyncio.run(scenario()) == 10


def test_a_redis_that_hangs_delays_one_request_and_then_none() -> None:
    async def scenario() -> tuple[float, float]:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        client = aioredis.Redis(port=server.sockets[0].getsockname()[1])
        limiter = RateLimiter(client)
        started_s = time.monotonic()
        await limiter.check(PAY, "a")
        first_s = time.monotonic() - started_s
        for _ in range(5):
            await limiter.check(PAY, "a")
        rest_s = time.monotonic() - started_s - first_s
        await client.aclose()
        server.close()
        return first_s, rest_s

    first_s, rest_s = asyncio.run(scenario())
    assert 0.15 < first_s < 0.8
    assert rest_s < 0.15
