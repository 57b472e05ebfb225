"""A client that costs little: raw HTTP/1.1 over keep-alive connections, so that the server is what is measured.

Closed loop: each connection sends its next request when its last is answered. Paced: requests leave by the clock, and
an answer's time counts from the instant at which its request was due, so that a slow server cannot hide a queue.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LIMIT_S = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request came to. `seconds` from when it was due to its last byte."""

    status: int
    body: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class Run:
    """Answers in the order of the requests, and how long all of them took."""

    answers: Sequence[Answer]
    seconds: float


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._buffer = b""
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator or self._waiting is None:
            return
        length = 0
        for line in head.split(b"\r\n"):
            if line[:15].lower() == b"content-length:":
                length = int(line[15:])
        if len(rest) >= length:
            self._buffer = b""
            self._waiting.set_result((int(head[9:12]), rest))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionError("the server hung up"))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        self._transport.close()


def request(method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def drive(port: int, requests: Sequence[bytes], *, connections: int, per_second: float | None = None) -> Run:
    """Send all requests, as fast as they are answered or `per_second` of them; TimeoutError after LIMIT_S."""
    loop = asyncio.get_running_loop()
    answers: list[Answer | None] = [None] * len(requests)
    pool = [(await loop.create_connection(_Connection, "127.0.0.1", port))[1] for _ in range(connections)]
    queue = iter(enumerate(requests))
    started = time.perf_counter()

    async def work(connection: _Connection) -> None:
        for number, each in queue:
            due = time.perf_counter() if per_second is None else started + number / per_second
            wait_s = due - time.perf_counter()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            status, body = await connection.ask(each)
            answers[number] = Answer(status, body, time.perf_counter() - due)

    try:
        async with asyncio.timeout(LIMIT_S):
            await asyncio.gather(*(work(connection) for connection in pool))
    finally:
        for connection in pool:
            connection.close()
    return Run([answer for answer in answers if answer is not None], time.perf_counter() - started)
