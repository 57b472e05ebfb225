"""Work that is done together: what is asked in one turn of the loop, or while a round is under way, goes with the next
round (group commit, decision 0037).

Nobody waits for others: a round begins with the next turn. So a quiet process is as quick as before, and a busy one
shares its round trips to PostgreSQL and Redis. A round that takes long, because it waits for a lock, holds nobody else
up: after PATIENCE_S the next one goes. A round for which nobody waits any more is cut off by then.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context
from functools import partial
from typing import Any, Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")
MOST = 50
PATIENCE_S = 0.25


class Together(Generic[A, R]):
    """`work` takes what was asked, at most MOST at a time, and answers each in the same order.

    What it raises is raised to all for whom it worked. Whoever has hung up while he waited is not worked for.
    """

    def __init__(self, work: Callable[[Sequence[A]], Coroutine[Any, Any, Sequence[R]]]) -> None:
        self._work = work
        self._waiting: deque[tuple[A, asyncio.Future[R]]] = deque()
        self._newest: asyncio.Task[Sequence[R]] | asyncio.Handle | None = None
        self._watches: dict[asyncio.Task[Sequence[R]], asyncio.TimerHandle] = {}

    def ask(self, asked: A) -> "asyncio.Future[R]":
        """The answer to come, once `work` has been done for it, alone or with others."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[R] = loop.create_future()
        self._waiting.append((asked, answer))
        if self._newest is None:
            # A round belongs to no request: what it logs carries none's id.
            self._newest = loop.call_soon(self._begin, context=Context())
        return answer

    def _begin(self) -> None:
        """A round for those who wait now; none where they have all hung up."""
        taken: list[tuple[A, asyncio.Future[R]]] = []
        while self._waiting and len(taken) < MOST:
            each = self._waiting.popleft()
            if not each[1].done():
                taken.append(each)
        self._newest = None
        if taken:
            answers = [answer for _, answer in taken]
            self._newest = task = asyncio.create_task(self._work([asked for asked, _ in taken]))
            self._watch(task, answers)
            task.add_done_callback(partial(self._answer, answers))

    def _watch(self, task: "asyncio.Task[Sequence[R]]", answers: Sequence["asyncio.Future[R]"]) -> None:
        loop = asyncio.get_running_loop()
        self._watches[task] = loop.call_later(PATIENCE_S, self._takes_long, task, answers)

    def _takes_long(self, task: "asyncio.Task[Sequence[R]]", answers: Sequence["asyncio.Future[R]"]) -> None:
        self._go_on(task)
        if all(answer.done() for answer in answers):
            task.cancel()
        self._watch(task, answers)

    def _go_on(self, after: "asyncio.Task[Sequence[R]]") -> None:
        """The next round; nothing where one has gone already."""
        if self._newest is after:
            self._begin()

    def _answer(self, answers: Sequence["asyncio.Future[R]"], task: "asyncio.Task[Sequence[R]]") -> None:
        self._watches.pop(task).cancel()
        self._go_on(task)
        error = None if task.cancelled() else task.exception()
        for number, answer in enumerate(answers):
            if answer.done():
                continue
            if task.cancelled():
                answer.cancel()
            elif error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(task.result()[number])
