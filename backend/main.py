"""Root of the API process: settings → resources → Sanic application → serve until told to stop.

One process per supervisor slot (`single_process`); several may share the port by SO_REUSEPORT (stack notes). Run as
`python -m backend.main`; exit codes as in `backend.kernel.root`.
"""

import asyncio
import socket
import sys
import time
from typing import Any

from backend.composition import APPROVALS, MODELS, build_app
from backend.kernel import root, seals
from backend.kernel.config import ConfigError, Settings
from backend.kernel.log import get_logger
from backend.kernel.resources import open_resources
from backend.parking.lanes import pictures
from payments import merchants

logger = get_logger("main")
DRAIN_MARGIN_S = 2.0


def listen(host: str, port: int) -> socket.socket:
    """A listening socket that other processes of ours may share; ConfigError where a stranger has the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind((host, port))
        sock.listen(1024)
    except OSError as error:
        raise ConfigError(f"端口 {port} 已被占用或不可用，请换一个端口（LINLI_HTTP_PORT）后再启动。") from error
    sock.setblocking(False)
    return sock


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is in flight and close (F-20)."""
    res = await open_resources(settings, models=MODELS, approval_kinds=APPROVALS)
    try:
        await merchants.refuse_sandbox(res.db, settings.mode)
        stop = root.told_to_stop()
        sock = listen(settings.http_host, settings.http_port)
        server: Any = await build_app(res).create_server(sock=sock, return_asyncio_server=True, access_log=False)
        await server.startup()
        await server.start_serving()
        logger.info("serving", host=settings.http_host, port=settings.http_port)
        await seals.follow(res, stop)
        server.server.close()
        await _drain(server, settings.request_timeout_s + DRAIN_MARGIN_S)
        await pictures.settled(res)
    finally:
        await res.close()


async def _drain(server: Any, patience_s: float) -> None:
    """Wait until every connection is idle and closed, `patience_s` seconds at most."""
    deadline = time.monotonic() + patience_s
    while server.connections and time.monotonic() < deadline:
        for connection in list(server.connections):
            connection.close_if_idle()
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    sys.exit(root.run(serve))
