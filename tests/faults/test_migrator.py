"""F-23: a migration killed half-way, two migrators at once, traffic meanwhile."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from backend.kernel.config import Settings
from backend.kernel.db import Database
from backend.kernel.embedded_postgres import PostgresServer
from backend.kernel.migrator import LOCK_TIMEOUT_S, migrate
from tests.conftest import Run
from tests.worker_database import Urls

pytestmark = pytest.mark.apart

ROOT = Path(__file__).parents[2]
COUNT = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'tortoise_migrations'"
MIGRATE = """
import asyncio, os, sys
from backend.kernel import failpoints
from backend.kernel.config import Settings
from backend.kernel.migrator import migrate
settings = Settings.from_env(os.environ)
failpoints.arm_from(settings)
print(len(asyncio.run(migrate(settings, progress=lambda text: None))))
"""


def _named(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture
def empty(postgres: PostgresServer, run: Run) -> Urls:
    """A database without any table."""
    name = f"m_{uuid4().hex}"
    owner = urlsplit(postgres.migrator_url).username

    async def make() -> None:
        connection = await asyncpg.connect(postgres.admin_url)
        await connection.execute(f'CREATE DATABASE {name} OWNER "{owner}"')
        await connection.close()

    run(make())
    return Urls(_named(postgres.app_url, name), _named(postgres.migrator_url, name), _named(postgres.admin_url, name))


def _child(urls: Urls, data_dir: Path, failpoints: str = "") -> "subprocess.Popen[str]":
    env = {
        **os.environ,
        "LINLI_DATA_DIR": str(data_dir),
        "LINLI_DATABASE_URL": urls.app,
        "LINLI_MIGRATOR_URL": urls.migrator,
        "LINLI_FAILPOINTS": failpoints,
    }
    return subprocess.Popen(
        [sys.executable, "-c", MIGRATE], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


async def _tables(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval(COUNT))
    finally:
        await connection.close()


async def test_a_killed_migrator_leaves_the_database_untouched(empty: Urls, tmp_path: Path) -> None:
    killed = _child(empty, tmp_path, "migrate.before_commit=exit137")
    assert await asyncio.to_thread(killed.wait, 60) == 137
    assert await _tables(empty.migrator) == 0
    again = _child(empty, tmp_path)
    out, err = await asyncio.to_thread(again.communicate, None, 60)
    assert again.returncode == 0, err
    assert int(out) > 5
    assert await _tables(empty.migrator) > 30


async def test_two_migrators_at_once_apply_everything_once(empty: Urls, tmp_path: Path) -> None:
    both = [
        _child(empty, tmp_path, "migrate.before_commit=sleep:1"),
        _child(empty, tmp_path, "migrate.before_commit=sleep:1"),
    ]
    results = [await asyncio.to_thread(child.communicate, None, 90) for child in both]
    assert [child.returncode for child in both] == [0, 0], results
    assert sorted(int(out) > 0 for out, _ in results) == [False, True]


async def test_a_migration_waits_for_a_lock_four_seconds_at_most_and_old_code_goes_on(
    db: Database, urls: Urls, tmp_path: Path
) -> None:
    blocker = await asyncpg.connect(urls.migrator)
    started = time.monotonic()
    try:
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE outbox IN ACCESS SHARE MODE")
            await blocker.execute("LOCK TABLE posting IN ACCESS SHARE MODE")
            settings = Settings(data_dir=tmp_path, database_url=urls.app, migrator_url=urls.migrator)
            waiting = await asyncpg.connect(urls.migrator)
            await waiting.execute(f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'")
            with pytest.raises(asyncpg.LockNotAvailableError):
                await waiting.execute("ALTER TABLE outbox ADD COLUMN never integer")
            await waiting.close()
            assert await migrate(settings, progress=lambda text: None) == []
    finally:
        await blocker.close()
    assert time.monotonic() - started < LOCK_TIMEOUT_S + 5
    assert await db.fetchval("SELECT count(*) FROM outbox") == 0
