"""F-11: PostgreSQL crashes twice under load. Errors only while it is away; what clients were told is what it kept."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.kernel.config import Settings
from backend.kernel.embedded_redis import RedisServer
from backend.kernel.processes import free_port
from backend.kernel.resources import Resources
from tests.conftest import Client, Run, Sandbox
from tests.factories_payments import stage
from tests.mixed_load import Load, load
from tests.private_postgres import PrivatePostgres, private_postgres

pytestmark = pytest.mark.apart

# After PostgreSQL takes connections again, so long a broken connection of the pool may still be met.
AFTERMATH_S = 5.0


@pytest.fixture
def own(tmp_path: Path, run: Run) -> Iterator[PrivatePostgres]:
    with private_postgres(tmp_path / "own", run) as server:
        yield server


@pytest.fixture
def settings(own: PrivatePostgres, redis_server: RedisServer, tmp_path: Path) -> Settings:
    return own.settings(
        Settings(
            data_dir=tmp_path, redis_url=redis_server.url, public_url=f"http://127.0.0.1:{free_port()}",
            log_level="error", job_timeout_s=5,
        )
    )  # fmt: skip


@pytest.fixture
def clients(sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client, run: Run) -> Load:
    return run(load(run(stage(sandbox_res, sandbox)), sandbox_client, households=6, seed=11))


async def _restarted(clients: Load, own: PrivatePostgres, *, pause_s: float) -> None:
    """Load with two crashes, each after so many seconds of it, and as much load after the second."""
    await clients.open_shift()
    stop = asyncio.Event()
    loading = asyncio.create_task(clients.until(stop))
    working = asyncio.create_task(_jobs(clients, loading))
    gaps = []
    for _ in range(2):
        await asyncio.wait([loading], timeout=pause_s)
        began = time.monotonic()
        await own.crash()
        await asyncio.wait([loading], timeout=1.0)
        await own.start()
        gaps.append((began, time.monotonic() + AFTERMATH_S))
    await asyncio.wait([loading], timeout=pause_s)
    stop.set()
    await loading
    await working
    outside = [what for at, what in clients.troubles if not any(began <= at <= over for began, over in gaps)]
    assert outside == [], outside
    assert all(any(began <= at <= over for at, _ in clients.troubles) for began, over in gaps), "nobody has noticed"
    await clients.settle_down()
    await clients.right()


async def _jobs(clients: Load, loading: "asyncio.Task[None]") -> None:
    """The workers, patient, beside the load."""
    while not loading.done():
        await clients.patient(clients.jobs)
        await asyncio.wait([loading], timeout=0.2)


async def test_f11_two_crashes_under_load_lose_nothing_that_was_told(clients: Load, own: PrivatePostgres) -> None:
    await _restarted(clients, own, pause_s=1.0)


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_f11_crashes_after_ten_and_twenty_of_thirty_seconds(clients: Load, own: PrivatePostgres) -> None:
    await _restarted(clients, own, pause_s=10.0)
