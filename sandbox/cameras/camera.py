"""One camera in one lane: it sees, pushes, repeats, stores what it could not send, and obeys whatever it is answered.

Chance comes from a seed, so that every run can be run again. The camera keeps its books by itself: what it has sent,
and every opening of its barrier.
"""

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace

from aiohttp import ClientError, ClientSession, ClientTimeout

from sandbox.cameras.models import MODELS
from sandbox.cameras.shots import Bar, Identity, Obeyed, Post, Record, Shot, misread

ANSWER_WITHIN_S = 5.0
POLL_WITHIN_S = 30.0
Send = Callable[[Post], Awaitable[tuple[int, bytes]]]
Push = Callable[[Record, Identity], Post]


class Unreachable(Exception):
    """No connection, or no answer in time."""


def over_http(session: ClientSession, url: str, *, within_s: float = ANSWER_WITHIN_S) -> Send:
    """Pushes to `url`; Unreachable when nothing answers within `within_s` seconds."""

    async def send(post: Post) -> tuple[int, bytes]:
        try:
            async with session.post(
                url, data=post.body, headers=post.headers, timeout=ClientTimeout(total=within_s)
            ) as answer:
                return answer.status, await answer.read()
        except (ClientError, TimeoutError) as error:
            raise Unreachable from error

    return send


class Camera:
    """A camera of one maker that pushes by `send`, and polls by `wait` where the maker knows polls.

    `misreads` is the share of shots of which one character is read wrongly; `lose_answers` of the next answers are lost
    on their way, after the server did its part.
    """

    def __init__(
        self,
        vendor: str,
        send: Send,
        *,
        wait: Send | None = None,
        identity: Identity | None = None,
        seed: int = 0,
        misreads: float = 0.0,
    ) -> None:
        self.model = MODELS[vendor]
        self.identity = identity or Identity(self.model.serial)
        self.bar = Bar()
        self.connected = True
        self.backlog: list[Record] = []
        self.lose_answers = 0
        self.sent: list[Record] = []
        self._send = send
        self._wait = wait or send
        self._chance = random.Random(seed)
        self._misreads = misreads
        self._number = self._chance.randrange(1, 5000)

    def record(self, shot: Shot) -> Record:
        """What the camera makes of a shot: perhaps one wrong character, and a number of its own."""
        if shot.plate and self._chance.random() < self._misreads:
            shot = replace(shot, plate=misread(shot.plate, self._chance))
        self._number += 1
        return Record(self._number, str(uuid.UUID(int=self._chance.getrandbits(128), version=4)), shot)

    async def see(self, shot: Shot, *, copies: int = 1) -> Obeyed | None:
        """A car comes: push it, in `copies` at once as to spare servers. None when it went into the store."""
        record = self.record(shot)
        if not self.connected:
            self.backlog.append(record)
            return None
        answers = await asyncio.gather(*(self._deliver(record) for _ in range(copies)))
        taken = [answer for answer in answers if answer is not None]
        if not taken:
            self.backlog.append(record)
            return None
        return next((answer for answer in taken if answer.opens), taken[0])

    async def see_plate_first(self, shot: Shot, *, pictures: bool = True) -> list[Obeyed | None]:
        """A car in two stages: the plate at once, the pictures later, or never."""
        if self.model.push_first is None:
            raise ValueError("this maker's cameras have one stage")
        record = self.record(shot)
        first = await self._once(record, self.model.push_first)
        return [first, await self._deliver(record)] if pictures else [first]

    async def see_out_of_order(self, shots: Sequence[Shot]) -> list[Obeyed | None]:
        """Several cars whose pushes overtake each other."""
        records = [self.record(shot) for shot in shots]
        self._chance.shuffle(records)
        return [await self._deliver(record) for record in records]

    async def come_back(self, live: Iterable[Shot] = ()) -> int:
        """The network is back: send the store one by one. Each of `live` interrupts a record, which is then sent again.

        Returns how many records are left: a Zhenshi camera stops when it gets no leave to go on.
        """
        self.connected = True
        waiting = iter(live)
        while self.backlog:
            record = self.backlog[0].from_store()
            interruption = next(waiting, None)
            if interruption is not None:
                await self._once(record)
                await self.see(interruption)
            answer = await self._deliver(record)
            if answer is None:
                break
            del self.backlog[0]
            if self.model.chains and not answer.next_late:
                break
        for shot in waiting:
            await self.see(shot)
        return len(self.backlog)

    async def poll(self) -> Obeyed:
        """One heartbeat or comet poll; what it is answered is done."""
        if self.model.poll is None:
            raise ValueError("this maker's cameras do not poll")
        answer = self.model.obey(*await self._wait(self.model.poll(self.identity)))
        if answer.opens:
            self.bar.openings.append(None)
        return answer

    def request(self, method: str, path: str, body: bytes) -> Obeyed:
        """A request from inside the site's network; the digest login is left out."""
        if self.model.request is None:
            raise ValueError("this maker's cameras take no requests")
        answer = self.model.request(method, path, body)
        if answer.opens:
            self.bar.openings.append(None)
        return answer

    async def _deliver(self, record: Record) -> Obeyed | None:
        """Send until it is taken, at most as often as the maker repeats."""
        for _ in range(1 + self.model.repeats):
            answer = await self._once(record)
            if answer is not None and answer.taken:
                return answer
        return None

    async def _once(self, record: Record, push: Push | None = None) -> Obeyed | None:
        self.sent.append(record)
        try:
            status, body = await self._send((push or self.model.push)(record, self.identity))
        except Unreachable:
            return None
        if self.lose_answers > 0:
            self.lose_answers -= 1
            return None
        answer = self.model.obey(status, body)
        if answer.opens:
            self.bar.openings.append(record.number)
        return answer
