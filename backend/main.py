"""Root of the API process: settings → resources → Sanic application → serve until told to stop.

One process per supervisor slot (`single_process`); several may share the port by SO_REUSEPORT (stack notes). Run as
`python -m backend.main`.
"""

import asyncio
import os
import signal
import socket
import sys
import time
from typing import Any

import uvloop

from backend.composition import APPROVALS, MODELS, build_app
from backend.kernel.config import ConfigError, Settings
from backend.kernel.errors import AppError
from backend.kernel.log import get_logger
from backend.kernel.resources import open_resources

logger = get_logger("main")
DRAIN_S = 20.0


def listen(host: str, port: int) -> socket.socket:
    """A listening socket that other processes of ours may share."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((host, port))
    sock.listen(1024)
    sock.setblocking(False)
    return sock


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is in flight within DRAIN_S seconds and close (F-20)."""
    res = await open_resources(settings, models=MODELS, approval_kinds=APPROVALS)
    app = build_app(res)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    try:
        sock = listen(settings.http_host, settings.http_port)
    except OSError as error:
        raise ConfigError(
            f"端口 {settings.http_port} 已被占用或不可用，请换一个端口（LINLI_HTTP_PORT）后再启动。"
        ) from error
    server: Any = await app.create_server(sock=sock, return_asyncio_server=True, access_log=False)
    await server.startup()
    await server.start_serving()
    logger.info("serving", host=settings.http_host, port=settings.http_port)
    await stop.wait()
    server.server.close()
    await _drain(server)
    await res.close()


async def _drain(server: Any) -> None:
    """Wait until every connection is idle and closed, DRAIN_S seconds at most."""
    deadline = time.monotonic() + DRAIN_S
    while server.connections and time.monotonic() < deadline:
        for connection in list(server.connections):
            connection.close_if_idle()
        await asyncio.sleep(0.02)


def main() -> int:
    """Exit code 2 for settings that do not allow a start, 3 where a needed part is away."""
    try:
        settings = Settings.from_env(os.environ)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except AppError as error:
        print(f"无法启动：{error.message}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
