"""The WeChat of Y-5, which costs almost nothing: what has a `client_msg_id` is accepted, anything else gets a token.

A process of its own, run as `python -m bench.wechat_stub`; it listens on BENCH_PORT and, told to stop, writes to the
file BENCH_SEEN a line for each message: key, number given, seconds of the clock at which it came.
"""

import asyncio
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import uvloop

KEY = re.compile(rb'"client_msg_id":"(\w+)"')
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
TOKEN = b'{"access_token":"stub-token-of-the-benchmark","expires_in":7200}'
seen: list[tuple[bytes, int, float]] = []


class Connection(asyncio.Protocol):
    """One connection: requests come one after the other."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no class of asyncio's.
        self._transport: Any = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not separator or len(body) < (int(length[1]) if length else 0):
            return
        self._buffer = b""
        answer = self._answer(body)
        self._transport.write(HEAD % (len(answer), answer))

    def _answer(self, body: bytes) -> bytes:
        key = KEY.search(body)
        if key is None:
            return TOKEN
        seen.append((key[1], len(seen) + 1, time.time()))
        return b'{"errcode":0,"errmsg":"ok","msgid":%d}' % len(seen)


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", int(os.environ["BENCH_PORT"]))
    await stop.wait()
    server.close()
    lines = (f"{key.decode()} {number} {at}\n" for key, number, at in seen)
    await asyncio.to_thread(Path(os.environ["BENCH_SEEN"]).write_text, "".join(lines))


if __name__ == "__main__":
    uvloop.run(main())
