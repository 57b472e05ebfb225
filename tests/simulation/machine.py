"""What the towns of one process run on: PostgreSQL, Redis, a sandbox; a fresh database for each town."""

import asyncio
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from redis.asyncio import Redis

from backend.kernel import processes
from backend.kernel.clock import write_offset_s
from backend.kernel.config import Settings
from backend.kernel.embedded_postgres import PostgresServer, start_postgres
from backend.kernel.embedded_redis import RedisServer, start_redis
from backend.kernel.migrator import migrate
from backend.kernel.processes import free_port
from tests.conftest import START, MovableClock, Sandbox
from tests.simulation.host import ROOT
from tests.worker_database import as_admin, named

TEMPLATE = "template_town"


@dataclass
class Machine:
    """Servers of this process; they die with it."""

    directory: Path
    postgres: PostgresServer
    redis: RedisServer
    sandbox: Sandbox

    @asynccontextmanager
    async def settings(self) -> AsyncIterator[Settings]:
        """Settings of an empty, migrated database beside an emptied sandbox, the clock at START."""
        name, owner = f"town_{uuid4().hex}", urlsplit(self.postgres.migrator_url).username
        await as_admin(self.postgres, f'CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER "{owner}" STRATEGY FILE_COPY')
        await as_admin(self.postgres, f"ALTER DATABASE {name} SET plan_cache_mode = force_generic_plan")
        write_offset_s(self.sandbox.data_dir, int((START - datetime.now(UTC)).total_seconds()))
        await self.sandbox.ask("POST", "/reset")
        async with Redis.from_url(self.redis.url) as redis:
            await redis.flushdb()
        try:
            yield Settings(
                data_dir=self.sandbox.data_dir,
                database_url=named(self.postgres.app_url, name) + f"?host={self.directory / 'postgres'}",
                migrator_url=named(self.postgres.migrator_url, name),
                redis_url=self.redis.url,
                public_url=f"http://127.0.0.1:{free_port()}",
                log_level="error",
                **dict.fromkeys(("wechat_api_url", "wechat_pay_url", "alipay_url"), self.sandbox.url),
            )
        finally:
            await as_admin(self.postgres, f"DROP DATABASE {name} WITH (FORCE)")


def build(home: Path) -> Machine:
    """Start everything in a directory of `home`, where the product's log goes too: towns are full of failures."""
    directory = Path(tempfile.mkdtemp(dir=home))
    directory.chmod(0o755)
    sys.stderr = (directory / "product.log").open("w")
    postgres = start_postgres(directory, progress=lambda text: None, durable=False, sockets=directory / "postgres")
    machine = Machine(directory, postgres, start_redis(directory), _sandbox(directory))
    asyncio.run(_migrate(machine))
    return machine


async def _migrate(machine: Machine) -> None:
    owner = urlsplit(machine.postgres.migrator_url).username
    await as_admin(machine.postgres, f'CREATE DATABASE {TEMPLATE} OWNER "{owner}"')
    settings = Settings(
        data_dir=machine.directory,
        migrator_url=named(machine.postgres.migrator_url, TEMPLATE),
        database_url=named(machine.postgres.app_url, TEMPLATE),
    )
    await migrate(settings, progress=lambda text: None)


def _sandbox(directory: Path) -> Sandbox:
    data_dir, port = directory / "sandbox", free_port()
    data_dir.mkdir()
    with (directory / "sandbox.log").open("wb") as output:
        argv = [sys.executable, "-m", "sandbox", "--host", "127.0.0.1", "--port", str(port), "--data-dir", data_dir]
        process = processes.spawn(argv, cwd=ROOT, output=output)
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 20
    while True:
        try:
            urllib.request.urlopen(f"{url}/control/health", timeout=1).close()
            return Sandbox(url, data_dir, MovableClock(data_dir))
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError((directory / "sandbox.log").read_text()) from None
            time.sleep(0.05)
