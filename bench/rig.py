"""What every yardstick needs: servers of its own, a fresh database, interleaved pairs, a ratio with both figures.

A figure is ours ÷ limit, both measured in the same run on the same machine, in turn (limit, ours, limit …), with a
checkpoint before each; fsync and synchronous_commit are on (reliability.md section 4). A run whose limit varies by more
than 25 % is repeated once and says so.
"""

import asyncio
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from backend.composition import APPROVALS, CHECKS, MODELS
from backend.kernel import checks
from backend.kernel.config import Settings
from backend.kernel.embedded_postgres import PostgresServer, start_postgres
from backend.kernel.embedded_redis import RedisServer, start_redis
from backend.kernel.migrator import migrate
from backend.kernel.processes import free_port
from backend.kernel.resources import Resources, open_resources

ROOT = Path(__file__).parents[1]
PAIRS = 5
QUICK_PAIRS = 2
STEADY = 0.25
Measure = Callable[[], Awaitable[float]]
Process = subprocess.Popen[bytes]


@dataclass
class Rig:
    """Servers of one benchmark run."""

    directory: Path
    postgres: PostgresServer
    redis: RedisServer
    quick: bool = False
    made: int = 0
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def pairs(self) -> int:
        """How many pairs of limit and ours a figure takes."""
        return QUICK_PAIRS if self.quick else PAIRS

    def size(self, full: int) -> int:
        """`full` in a measured run, a tenth of it in a quick one."""
        return full // 10 if self.quick else full

    async def fresh(self, **more: Any) -> Settings:
        """Settings of a fresh, migrated database."""
        name = self._next_name()
        owner = urlsplit(self.postgres.migrator_url).username
        await self.admin(f'CREATE DATABASE {name} OWNER "{owner}"')
        settings = Settings(
            **{
                "data_dir": self.directory / name,
                "database_url": named(self.postgres.app_url, name),
                "migrator_url": named(self.postgres.migrator_url, name),
                "redis_url": self.redis.url,
                "log_level": "info",
                **more,
            }
        )
        settings.data_dir.mkdir()
        await migrate(settings, progress=lambda text: None)
        return settings

    @contextlib.asynccontextmanager
    async def copy(self, settings: Settings) -> AsyncIterator[Settings]:
        """A copy of a database to which nobody is connected, for one measurement; checkpointed, then dropped."""
        name = self._next_name()
        template = urlsplit(str(settings.database_url)).path.lstrip("/")
        owner = urlsplit(self.postgres.migrator_url).username
        await self.admin(f'CREATE DATABASE {name} OWNER "{owner}" TEMPLATE {template} STRATEGY file_copy', "CHECKPOINT")
        try:
            yield settings.model_copy(
                update={
                    "database_url": named(self.postgres.app_url, name),
                    "migrator_url": named(self.postgres.migrator_url, name),
                }
            )
        finally:
            await self.admin(f"DROP DATABASE {name} WITH (FORCE)")

    def _next_name(self) -> str:
        self.made += 1
        return f"bench_{self.made}"

    async def admin(self, *statements: str, settings: Settings | None = None) -> None:
        """Run statements as the superuser, in the database of `settings` where that is given."""
        url = self.postgres.admin_url
        connection = await asyncpg.connect(named(url, database_of(settings)) if settings else url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    @contextlib.asynccontextmanager
    async def owner(self, settings: Settings) -> AsyncIterator[asyncpg.Connection]:
        """A bare connection as the owner of the schema, without time-outs: for seeding and for looking."""
        connection = await asyncpg.connect(settings.migrator_url)
        try:
            yield connection
        finally:
            await connection.close()

    @contextlib.asynccontextmanager
    async def resources(self, settings: Settings) -> AsyncIterator[Resources]:
        """Resources of this process over `settings`; Redis is emptied first. This process logs warnings alone."""
        quiet = settings.model_copy(update={"log_level": "warning"})
        res = await open_resources(quiet, models=MODELS, approval_kinds=APPROVALS)
        await res.redis.flushdb()
        try:
            yield res
        finally:
            await res.close()

    async def sound(self, settings: Settings) -> None:
        """Every invariant holds; RuntimeError names those that do not."""
        async with self.resources(settings) as res:
            findings = await checks.run(res.db, CHECKS)
        broken = [f"{each.check.code} {each.check.title}: {each.samples}" for each in findings if each.offenders]
        if broken:
            raise RuntimeError("\n".join(broken))

    async def pgbench(self, settings: Settings, script: str, *, clients: int, transactions: int) -> float:
        """Transactions per second of a pgbench script with prepared statements; `transactions` for each client."""
        path = self.directory / "script.sql"
        path.write_text(script)
        parts = urlsplit(settings.migrator_url or "")
        argv = [
            str(self.postgres.binaries / "pgbench"), "-n", "-M", "prepared", "-f", str(path), "-c", str(clients),
            "-j", "2", "-t", str(transactions), "-D", "i=-1", "-D", f"clients={clients}", "-h", str(parts.hostname),
            "-p", str(parts.port), "-U", str(parts.username), parts.path.lstrip("/"),
        ]  # fmt: skip
        env = {**os.environ, "PGPASSWORD": parts.password or ""}
        done = await asyncio.to_thread(subprocess.run, argv, env=env, capture_output=True, text=True, check=False)
        if f"processed: {clients * transactions}/{clients * transactions}" not in done.stdout:
            raise RuntimeError(f"{done.stdout}\n{done.stderr}")
        return next(float(line.split("=")[1].split()[0]) for line in done.stdout.splitlines() if line[:3] == "tps")

    def start(self, module: str, settings: Settings, *, arguments: Sequence[str] = (), **extra: str) -> Process:
        """A process of ours over `settings`; what it says goes to a file of the run's directory."""
        env = {**os.environ, **environment(settings), **extra}
        argv = [sys.executable, "-m", module, *arguments]
        with (self.directory / f"{module}.log").open("wb") as log:
            process = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    @contextlib.asynccontextmanager
    async def serving(self, module: str, settings: Settings, **extra: str) -> AsyncIterator[int]:
        """A server of ours, ready to answer; its port."""
        port = free_port()
        serving = settings.model_copy(update={"http_port": port})
        process = self.start(module, serving, **extra)
        try:
            await answering(port, process)
            yield port
        finally:
            await self.stop(process)

    async def ended(self, process: Process) -> None:
        """Wait for a process that ends by itself."""
        await asyncio.to_thread(process.wait, 1800)
        self.processes.remove(process)

    async def stop(self, process: Process) -> None:
        """End a process by SIGTERM; by SIGKILL after 30 seconds."""
        self.processes.remove(process)
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, 30)
        except subprocess.TimeoutExpired:
            process.kill()


def named(url: str, name: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def database_of(settings: Settings) -> str:
    return urlsplit(str(settings.database_url)).path.lstrip("/")


async def answering(port: int, process: Process) -> None:
    """Wait until somebody listens; RuntimeError when the process ends first or takes a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return
    raise RuntimeError("the server under test does not answer")


def environment(settings: Settings) -> dict[str, str]:
    """The variables from which a child reads the same settings."""
    given = settings.model_dump(exclude_unset=True)
    return {f"LINLI_{name.upper()}": str(value) for name, value in given.items() if value is not None}


@contextlib.contextmanager
def servers(*, quick: bool) -> Iterator[Rig]:
    """PostgreSQL and Redis for one run, in a directory that is removed afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="linli-bench-"))
    directory.chmod(0o755)
    postgres = start_postgres(directory, progress=lambda text: None)
    redis = start_redis(directory)
    rig = Rig(directory, postgres, redis, quick)
    try:
        yield rig
    finally:
        for process in rig.processes:
            process.kill()
        redis.stop()
        postgres.stop()
        shutil.rmtree(directory, ignore_errors=True)


async def pairs(rig: Rig, limit: Measure, ours: Measure) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Pairs in turn; once more when the limit varied by more than 25 %."""
    for _ in range(1 if rig.quick else 2):
        limits, mine = [], []
        for number in range(rig.pairs):
            limits.append(await limit())
            mine.append(await ours())
            progress(f"  pair {number + 1}/{rig.pairs}: limit {limits[-1]:,.0f}, ours {mine[-1]:,.0f}")
        if spread(limits) <= STEADY:
            break
        progress(f"  the limit varied by {spread(limits):.0%}")
    return tuple(limits), tuple(mine)


def spread(values: Sequence[float]) -> float:
    """How far the values lie apart, as a share of their median."""
    return (max(values) - min(values)) / statistics.median(values)


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
