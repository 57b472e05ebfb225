"""F-11: PostgreSQL crashes twice under load. Errors only while it is away; what clients were told is what it kept."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.kernel.config import Settings
from backend.kernel.embedded_redis import RedisServer
from backend.kernel.resources import Resources
from tests.conftest import Client, Run, Sandbox, free_port
from tests.factories_payments import stage
from tests.mixed_load import Load, load
from tests.private_postgres import PrivatePostgres, private_postgres

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


async def _restarted(clients: Load, own: PrivatePostgres, *, rounds: int, crashes_s: tuple[float, ...]) -> None:
    """Load for `rounds`, with a crash so many seconds after the start and after the end of each gap."""
    await clients.open_shift()
    await clients.bill_all(rounds)
    gaps: list[tuple[float, float]] = []
    loading = asyncio.create_task(clients.rounds(rounds))
    working = asyncio.create_task(_jobs(clients, loading))
    for pause_s in crashes_s:
        await asyncio.wait([loading], timeout=pause_s)
        assert not loading.done(), "the load is over before the crash"
        began = time.monotonic()
        await own.crash()
        await asyncio.wait([loading], timeout=1.0)
        await own.start()
        gaps.append((began, time.monotonic()))
    await loading
    await working
    outside = [what for at, what in clients.troubles if not any(a <= at <= b + AFTERMATH_S for a, b in gaps)]
    assert outside == [], outside
    assert clients.troubles, "no client has noticed anything"
    await clients.settle_down()
    await clients.right()


async def _jobs(clients: Load, loading: "asyncio.Task[None]") -> None:
    """The workers, patient, beside the load."""
    while not loading.done():
        await clients.patient(clients.jobs)
        await asyncio.wait([loading], timeout=0.2)


async def test_f11_two_crashes_under_load_lose_nothing_that_was_told(clients: Load, own: PrivatePostgres) -> None:
    await _restarted(clients, own, rounds=2, crashes_s=(1.0, 1.0))


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_f11_crashes_after_ten_and_twenty_seconds_of_load(clients: Load, own: PrivatePostgres) -> None:
    await _restarted(clients, own, rounds=25, crashes_s=(10.0, 10.0))
