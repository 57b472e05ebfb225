"""The product under simulation: in this process, torn down and built again when it "crashes", or in one of its own."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import asyncpg
from sanic import Sanic

from backend.composition import APPROVALS, CHECKS, HANDLERS, MODELS, PERIODIC
from backend.kernel import checks, failpoints, leases
from backend.kernel.clock import SharedClock
from backend.kernel.config import Settings
from backend.kernel.resources import Resources, open_resources
from tests.conftest import Client
from tests.served_app import serve, stop
from workers import edge, schedule

ROOT = Path(__file__).parents[2]
LEASE_S = 120.0
# A town has no gates, tickets or notices. The checks of the hour run at the end of each month: they look at everything.
ABSENT = ("devices", "media", "notices", "parking", "tickets", "visitors", "invariants")
SCHEDULED = tuple(work for work in PERIODIC if work.name.partition(".")[0] not in ABSENT)
WORK = {**HANDLERS, **schedule.handlers(SCHEDULED)}


class Host:
    """API and workers over one database. `killed`: the API is a process of its own, ended by SIGKILL."""

    def __init__(self, settings: Settings, clock: SharedClock, *, killed: bool) -> None:
        self.settings = settings
        self.clock = clock
        self.killed = killed
        self.restarts = 0
        self.res: Resources
        self.client: Client
        self._served: tuple[Sanic, object, aiohttp.ClientSession] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Open everything and serve."""
        self.res = await open_resources(self.settings, models=MODELS, approval_kinds=APPROVALS, clock=self.clock)
        if self.killed:
            self._process = await self._spawn()
            session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100))
        else:
            app, server, session = await serve(self.res)
            self._served = app, server, session
        self.client = Client(self.settings.public_url, session)

    async def stop(self) -> None:
        """Close what is open; a process is killed."""
        failpoints.disarm_all()
        if self._served is not None:
            await stop(*self._served)
            self._served = None
        else:
            await self.client.session.close()
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
            self._process = None
        await self.res.close()

    async def crash(self) -> None:
        """Everything in memory is gone; then it comes back."""
        self.restarts += 1
        await self.stop()
        await self.start()

    async def work(self) -> None:
        """Make what the clock demands and do all jobs that are due, as the workers would."""
        await schedule.tick(self.res.db, SCHEDULED)
        while claimed := await leases.claim(self.res.db, limit=100, lease_s=LEASE_S):
            for lease in claimed:
                await edge.work(self.res, WORK, lease, False)

    async def analyze(self) -> None:
        """What autovacuum would have done by the end of a month: without it PostgreSQL plans for empty tables."""
        connection = await asyncpg.connect(self.settings.migrator_url)
        try:
            await connection.execute("ANALYZE")
        finally:
            await connection.close()

    async def broken(self) -> list[str]:
        """Every invariant that does not hold, with samples."""
        found = await checks.run(self.res.db, CHECKS)
        return [f"{each.check.code} {each.check.title}: {each.samples}" for each in found if each.offenders]

    async def _spawn(self) -> subprocess.Popen[bytes]:
        given = self.settings.model_dump(exclude_unset=True)
        variables = {f"LINLI_{name.upper()}": str(value) for name, value in given.items() if value is not None}
        port = self.settings.public_url.rpartition(":")[2]
        env = {**os.environ, **variables, "LINLI_HTTP_PORT": port, "LINLI_LOG_LEVEL": "info"}
        log = self.settings.data_dir / f"api-{self.restarts}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "backend.main"], cwd=ROOT, env=env, stdout=output, stderr=output
            )
        deadline = time.monotonic() + 60
        while b'"serving"' not in log.read_bytes():
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(log.read_text())
            await asyncio.sleep(0.05)
        return process
