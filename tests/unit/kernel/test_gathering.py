"""Rounds of work that is done together (backend/kernel/gathering.py)."""

import asyncio
from collections.abc import Sequence

import pytest
import structlog

from backend.kernel import gathering, log
from backend.kernel.gathering import MOST, Together


class Rounds:
    """Work that waits until it is let on, and remembers what each round was asked."""

    def __init__(self) -> None:
        self.rounds: list[list[int]] = []
        self.let_on = asyncio.Event()
        self.together: Together[int, int] = Together(self.double)

    async def double(self, asked: Sequence[int]) -> list[int]:
        self.rounds.append(list(asked))
        await self.let_on.wait()
        if 13 in asked:
            raise ValueError("thirteen")
        return [2 * each for each in asked]

    async def started(self, *asked: int) -> list["asyncio.Task[int]"]:
        """Tasks that have asked, all but the first while the first one's round is under way."""
        tasks = [asyncio.create_task(self.alone(asked[0]))]
        await _turns()
        tasks += [asyncio.create_task(self.alone(each)) for each in asked[1:]]
        await _turns()
        return tasks

    async def alone(self, asked: int) -> int:
        return await self.together.ask(asked)


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_is_asked_in_one_turn_goes_together() -> None:
    work = Rounds()
    work.let_on.set()
    assert await asyncio.gather(*(work.alone(each) for each in (1, 2, 3))) == [2, 4, 6]
    assert work.rounds == [[1, 2, 3]]


async def test_what_is_asked_meanwhile_goes_together() -> None:
    work = Rounds()
    tasks = await work.started(1, 2, 3, 4)
    assert work.rounds == [[1]]
    work.let_on.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6, 8]
    assert work.rounds == [[1], [2, 3, 4]]
    assert await work.together.ask(5) == 10
    assert work.rounds[-1] == [5], "nobody is at it any more"


async def test_a_round_is_bounded() -> None:
    work = Rounds()
    tasks = await work.started(*range(20, 20 + 2 * MOST))
    work.let_on.set()
    await asyncio.gather(*tasks)
    assert [len(each) for each in work.rounds] == [1, MOST, MOST - 1]


async def test_what_a_round_raises_is_raised_to_those_in_it_alone() -> None:
    work = Rounds()
    tasks = await work.started(1, 13, 2)
    work.let_on.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(each) for each in answers] == ["2", "thirteen", "thirteen"]
    assert await work.together.ask(3) == 6


async def test_who_has_hung_up_is_not_worked_for() -> None:
    work = Rounds()
    first, second, third = await work.started(1, 2, 3)
    second.cancel()
    await _turns()
    work.let_on.set()
    assert await asyncio.gather(first, third) == [2, 6]
    assert work.rounds == [[1], [3]]


async def test_a_round_for_which_nobody_waits_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "PATIENCE_S", 0)
    work = Rounds()
    first, second = await work.started(1, 2)
    first.cancel()
    second.cancel()
    async with asyncio.timeout(10):
        while work.together._watches:
            await asyncio.sleep(0)
    work.let_on.set()
    assert await work.together.ask(3) == 6


async def test_what_a_round_logs_carries_the_id_of_no_request() -> None:
    seen: list[dict[str, object]] = []

    async def work(asked: Sequence[int]) -> Sequence[int]:
        seen.append(structlog.contextvars.get_contextvars())
        return asked

    together: Together[int, int] = Together(work)
    with log.bound(request_id="one"):
        await together.ask(1)
    assert seen == [{}]


async def test_the_first_may_hang_up_and_the_others_go_on() -> None:
    work = Rounds()
    first, second = await work.started(1, 2)
    first.cancel()
    await _turns()
    work.let_on.set()
    assert await second == 4
    assert first.cancelled()


async def test_a_round_that_takes_long_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "PATIENCE_S", 0)
    work = Rounds()
    tasks = await work.started(1, 2)
    async with asyncio.timeout(10):
        while len(work.rounds) < 2:
            await asyncio.sleep(0)
    assert work.rounds == [[1], [2]], "the second waits for the lock by itself"
    work.let_on.set()
    assert await asyncio.gather(*tasks) == [2, 4]
