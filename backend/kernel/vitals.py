"""Whether the parts of a running system answer, and what they say: for the pages that show it to people."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta

from redis.exceptions import RedisError

from backend.kernel import periodic
from backend.kernel.errors import AppError
from backend.kernel.resources import Resources

WITHIN_S = 2.0
# A worker completes periods every minute; its first ones follow its start by seconds.
WORKER_SEEN = timedelta(minutes=3)


async def said(answer: Awaitable[str]) -> tuple[bool, str]:
    """Whether a part answers within WITHIN_S seconds, and what it says."""
    try:
        async with asyncio.timeout(WITHIN_S):
            return True, await answer
    except (AppError, RedisError, OSError, TimeoutError):
        return False, "没有响应"


async def postgres(res: Resources) -> str:
    """PostgreSQL's version."""
    version = str(await res.db.fetchval("SHOW server_version"))
    return f"正常，版本 {version.split()[0]}"


async def redis(res: Resources) -> str:
    """Redis answers."""
    await res.redis.ping()
    return "正常"


async def worker(res: Resources) -> str:
    """Some worker has completed a period lately; TimeoutError where none has."""
    seen_at = await periodic.last_done_at(res.db)
    if seen_at is None or res.clock.now() - seen_at > WORKER_SEEN:
        raise TimeoutError
    return "正常"
