"""A TCP proxy on loopback that delays what passes through it, or cuts it off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CHUNK = 65_536


@dataclass
class Proxy:
    """`delay_s`: each piece of an answer waits so long; `refuse`: who comes is sent away. Both change in mid-use."""

    host: str
    target: int
    port: int = 0
    delay_s: float = 0.0
    refuse: bool = False
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: two pumps."""
        if self.refuse:
            writer.transport.abort()
            return
        theirs, ours = await asyncio.open_connection(self.host, self.target)
        self._writers |= {writer, ours}
        pumps = [
            asyncio.create_task(self._pump(reader, ours, slow=False)),
            asyncio.create_task(self._pump(theirs, writer, slow=True)),
        ]
        self._tasks |= set(pumps)
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for each in (writer, ours):
            each.close()
            self._writers.discard(each)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, slow: bool) -> None:
        with suppress(ConnectionError):
            while data := await source.read(CHUNK):
                if slow and self.delay_s:
                    await asyncio.sleep(self.delay_s)
                sink.write(data)
                await sink.drain()

    def cut(self) -> None:
        """Break off every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def end(self) -> None:
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def proxied(host: str, port: int) -> AsyncIterator[Proxy]:
    """A proxy before `host:port`."""
    proxy = Proxy(host, port)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
