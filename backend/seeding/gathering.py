"""Many small things at once, but not too many; the first that fails stops the others before it is told."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")
AT_ONCE = 8


async def each(things: Iterable[A], do: Callable[[A], Awaitable[B]]) -> list[B]:
    """What `do` answers for each thing, in their order; raises the first failure itself."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(thing: A) -> B:
        async with gate:
            return await do(thing)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(thing)) for thing in things]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return [task.result() for task in tasks]
