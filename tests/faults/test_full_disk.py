"""F-25: the disk of PostgreSQL is full. Writes are refused clearly, nothing that was told is lost."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
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

DISK = "192m"
WITHIN_S = 25.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory on a file system of its own, which the test may fill."""
    home = tmp_path / "small"
    home.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=711", "tmpfs", home], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield home
    subprocess.run(["umount", "-l", home], check=True)


@pytest.fixture
def own(small_disk: Path, run: Run) -> Iterator[PrivatePostgres]:
    with private_postgres(small_disk, run) as server:
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
    return run(load(run(stage(sandbox_res, sandbox)), sandbox_client, households=4, seed=25))


def fill(directory: Path) -> Path:
    """Take every byte that is left; the file that holds them."""
    ballast = directory / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 65_536)
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 512)
    return ballast


async def _told(clients: Load, codes: set[str], loading: "asyncio.Task[None]") -> None:
    """Wait until a client has been told one of these codes."""
    deadline = time.monotonic() + WITHIN_S
    while not any(what.split()[-1] in codes for _, what in clients.troubles):
        assert time.monotonic() < deadline, clients.odd()
        assert not loading.done(), "the disk was not full enough"
        await asyncio.sleep(0.05)


async def _use_up_the_log(own: PrivatePostgres) -> None:
    """Go on to segments of the write-ahead log for which there is no room: PostgreSQL gives up at some point."""
    for _ in range(20):
        if not own.server.alive():
            return
        with suppress(asyncpg.PostgresError, OSError, asyncpg.InterfaceError):
            connection = await asyncpg.connect(own.server.admin_url, timeout=5)
            try:
                await connection.execute("SELECT pg_logical_emit_message(false, 'linli', 'next'), pg_switch_wal()")
            finally:
                connection.terminate()


async def _runs_again(own: PrivatePostgres) -> None:
    """What an operator does once there is room: start PostgreSQL if it has given up, else wait for its recovery."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        if not own.server.alive():
            await own.start()
        with suppress(asyncpg.PostgresError, OSError):
            await (await asyncpg.connect(own.server.app_url, timeout=5)).close()
            return
        assert time.monotonic() < deadline, own.said()[-2000:]
        await asyncio.sleep(0.1)


@pytest.mark.timeout(300)
async def test_f25_a_full_disk_refuses_writes_clearly_and_loses_nothing_that_was_told(
    clients: Load, own: PrivatePostgres, small_disk: Path
) -> None:
    await clients.open_shift()
    await clients.bill_all(4)
    await clients.rounds(1)
    assert clients.troubles == []
    ballast = fill(small_disk)
    loading = asyncio.create_task(clients.rounds(3))
    await _told(clients, {"database_full"}, loading)
    reading = await clients.client.of(clients.households[0].who.token).get("/api/v1/bills?state=open")
    assert reading.status == 200
    await _use_up_the_log(own)
    await _told(clients, {"database_unavailable"}, loading)
    ballast.unlink()
    await _runs_again(own)
    await loading
    assert {what for _, what in clients.troubles} <= {
        "503 database_full", "503 database_unavailable", "503 database_busy", "503 timed_out",
    }, clients.troubles  # fmt: skip
    await clients.settle_down()
    await clients.right()
