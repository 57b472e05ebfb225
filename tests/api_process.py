"""The API as it runs in production: `python -m backend.main`, a child of the test on a port and data of its own."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from backend.kernel.clock import write_offset_s
from backend.kernel.config import Settings
from backend.kernel.processes import free_port
from tests.conftest import START, Client

ROOT = Path(__file__).parents[1]


def offset_s() -> int:
    """What leads from the machine's clock to START."""
    return int((START - datetime.now(UTC)).total_seconds())


class ApiProcess:
    """One API process over the database and Redis of `settings`; `changes` are further settings."""

    def __init__(self, settings: Settings, *, port: int | None = None, **changes: str) -> None:
        write_offset_s(settings.data_dir, offset_s())
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = settings.data_dir / f"api-{id(self)}.log"
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LINLI_")},
            "LINLI_DATA_DIR": str(settings.data_dir),
            "LINLI_DATABASE_URL": str(settings.database_url),
            "LINLI_REDIS_URL": str(settings.redis_url),
            "LINLI_PUBLIC_URL": settings.public_url,
            "LINLI_HTTP_PORT": str(self.port),
            "LINLI_WECHAT_API_URL": settings.wechat_api_url,
            "LINLI_WECHAT_PAY_URL": settings.wechat_pay_url,
            "LINLI_ALIPAY_URL": settings.alipay_url,
            "LINLI_LOG_LEVEL": "info",
            **{f"LINLI_{name.upper()}": value for name, value in changes.items()},
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "backend.main"], cwd=ROOT, env=self.env, stdout=log, stderr=log
            )

    def said(self) -> str:
        return self.log.read_text()

    async def serves(self) -> "ApiProcess":
        """Wait until this very process serves; another may be listening on the same port."""
        deadline = time.monotonic() + 40
        while '"serving"' not in self.said():
            assert time.monotonic() < deadline and self.process.poll() is None, self.said()
            await asyncio.sleep(0.05)
        return self

    async def ended(self, within_s: float = 40) -> int:
        return await asyncio.to_thread(self.process.wait, within_s)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """For the end of a test, whatever happened."""
        self.process.kill()
        self.process.wait()


@asynccontextmanager
async def serving(settings: Settings, **options: str) -> AsyncIterator[tuple[ApiProcess, Client]]:
    """One process that serves, and a client of it."""
    api = ApiProcess(settings, **options)
    try:
        await api.serves()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200)) as session:
            yield api, Client(api.url, session)
    finally:
        api.end()


async def refuses(url: str) -> bool:
    """Whether nobody takes connections there."""
    parts = urlsplit(url)
    try:
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except OSError:
        return True
    writer.close()
    return False
