"""Waiting for a commit in any process: PostgreSQL's LISTEN, for long polls and pages that stay open.

A wake is a hint and no promise: whoever waits looks at the rows again, after a wake and every LOOK_AGAIN_S, so that a
cut connection costs a moment and loses nothing. One connection of the pool listens for each channel while somebody
waits.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from backend.kernel.db import Database

T = TypeVar("T")
LOOK_AGAIN_S = 2.0
_channels: WeakKeyDictionary[Database, dict[str, "_Channel"]] = WeakKeyDictionary()


class _Channel:
    """Everybody in this process who waits for wakes of one channel, by what the wake says."""

    def __init__(self, db: Database, name: str) -> None:
        self._db = db
        self._name = name
        self._connection: Any = None
        self._lock = asyncio.Lock()
        self._waiting: dict[str, set[asyncio.Event]] = {}

    @asynccontextmanager
    async def wait(self, subject: str) -> AsyncIterator[asyncio.Event]:
        event = asyncio.Event()
        self._waiting.setdefault(subject, set()).add(event)
        try:
            await self._listen()
            yield event
        finally:
            self._waiting[subject].discard(event)
            if not self._waiting[subject]:
                del self._waiting[subject]
            if not self._waiting:
                await self._stop()

    async def _listen(self) -> None:
        async with self._lock:
            if self._connection is not None and not self._connection.is_closed():
                return
            await self._give_back()
            self._connection = await self._db.pool.acquire()
            await self._connection.add_listener(self._name, self._heard)

    async def _stop(self) -> None:
        async with self._lock:
            if not self._waiting:
                await self._give_back()

    async def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if not connection.is_closed():
            await connection.remove_listener(self._name, self._heard)
        await self._db.pool.release(connection)

    def _heard(self, _connection: Any, _pid: int, _channel: str, subject: str) -> None:
        for event in self._waiting.get(subject, ()):
            event.set()


async def until(
    db: Database, channel: str, *, subject: str, look: Callable[[], Awaitable[T | None]], wait_s: int
) -> T | None:
    """What `look` finds, at once or after a wake of `subject` on `channel`; None when `wait_s` seconds have passed."""
    if wait_s == 0:
        return await look()
    waiting = _channels.setdefault(db, {}).setdefault(channel, _Channel(db, channel))
    ends_s = asyncio.get_running_loop().time() + wait_s
    async with waiting.wait(subject) as event:
        while True:
            event.clear()
            found = await look()
            left_s = ends_s - asyncio.get_running_loop().time()
            if found is not None or left_s <= 0:
                return found
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), min(LOOK_AGAIN_S, left_s))
