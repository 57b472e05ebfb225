"""Rounds of deliveries: what is due is started ten times a second and whenever woken, each row once at a time."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

import aiohttp

from sandbox.store import Row

ANSWER_WITHIN_S = 5.0
POLL_EVERY_S = 0.1
MOST_IN_FLIGHT = 200


class Rounds(ABC):
    """A postman's rounds: a subclass says what is due and how one row is delivered. Rows are told apart by `id`."""

    def __init__(self, *, auto_decompress: bool = True) -> None:
        self._wake = asyncio.Event()
        self._on_the_way: dict[object, asyncio.Task[None]] = {}
        self._calls_total = 0
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=MOST_IN_FLIGHT, force_close=True),
            timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN_S),
            auto_decompress=auto_decompress,
        )

    @abstractmethod
    def _due(self, limit: int) -> Sequence[Row]:
        """Up to `limit` rows whose time has come."""

    @abstractmethod
    async def _deliver(self, row: Row) -> int:
        """Deliver and move the row on; returns the number of calls made."""

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            self._start_due()
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_EVERY_S):
                    await self._wake.wait()
            self._wake.clear()

    def wake(self) -> None:
        """Something may be due now."""
        self._wake.set()

    async def stop(self) -> None:
        """Drop what is on its way; it is still due after the next start."""
        await self.drop()
        await self._http.close()

    async def drop(self) -> None:
        """Break off what is on its way; what the store still knows is due again at once."""
        tasks = list(self._on_the_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def flush(self) -> int:
        """Deliver all that is due and wait until none of it is in flight; returns the number of calls made."""
        before = self._calls_total
        self._start_due()
        while self._on_the_way:
            await asyncio.wait(list(self._on_the_way.values()))
            self._start_due()
        return self._calls_total - before

    def _start_due(self) -> None:
        for row in self._due(MOST_IN_FLIGHT):
            if row["id"] not in self._on_the_way and len(self._on_the_way) < MOST_IN_FLIGHT:
                task = asyncio.create_task(self._count(row))
                self._on_the_way[row["id"]] = task
                task.add_done_callback(partial(self._arrived, row["id"]))

    async def _count(self, row: Row) -> None:
        self._calls_total += await self._deliver(row)

    def _arrived(self, key: object, task: asyncio.Task[None]) -> None:
        self._on_the_way.pop(key, None)
        self.wake()


@asynccontextmanager
async def going(postman: Rounds) -> AsyncIterator[None]:
    """The postman goes on its rounds as long as the block lasts."""
    rounds = asyncio.create_task(postman.run())
    yield
    rounds.cancel()
    with suppress(asyncio.CancelledError):
        await rounds
    await postman.stop()
