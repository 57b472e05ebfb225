"""A served application per module: the matrix asks some two thousand questions of one world."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import argon2
import pytest

from backend.kernel import passwords
from backend.kernel.config import Settings
from backend.kernel.embedded_postgres import PostgresServer
from backend.kernel.embedded_redis import RedisServer
from backend.kernel.processes import free_port
from backend.kernel.resources import Resources
from tests.conftest import START, Client, MovableClock, Run, Sandbox, _open, write_offset_s
from tests.security.witness import Witness
from tests.security.world import World, build
from tests.served_app import serve, stop
from tests.worker_database import Urls, copy_of, drop


@dataclass(frozen=True)
class Served:
    """The product over a database of its own, with the sandbox behind its channels."""

    res: Resources
    client: Client
    sandbox: Sandbox
    urls: Urls


@asynccontextmanager
async def serving(
    postgres: PostgresServer, template: str, redis_server: RedisServer, sandbox: tuple[str, Path], data_dir: Path
) -> AsyncIterator[Served]:
    """Everything of `tests.conftest.sandbox_client`, for as long as the caller likes."""
    urls = await copy_of(postgres, template)
    url, sandbox_dir = sandbox
    write_offset_s(sandbox_dir, int((START - datetime.now(UTC)).total_seconds()))
    box = Sandbox(url, sandbox_dir, MovableClock(sandbox_dir))
    await box.ask("POST", "/reset")
    settings = Settings(
        data_dir=data_dir, database_url=urls.app, migrator_url=urls.migrator, redis_url=redis_server.url,
        public_url=f"http://127.0.0.1:{free_port()}", wechat_api_url=url, wechat_pay_url=url,
        alipay_url=url, log_level="error",
    )  # fmt: skip
    res = await _open(settings, box.clock)
    app, server, session = await serve(res)
    try:
        yield Served(res, Client(settings.public_url, session, clock=box.clock), box, urls)
    finally:
        await stop(app, server, session)
        await res.close()
        await drop(postgres, urls)


@pytest.fixture(scope="module", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """What a hash costs is measured elsewhere; here dozens of people log in."""
    before = passwords._hasher
    passwords._hasher = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    yield
    passwords._hasher = before
    passwords._nobody.clear()


@pytest.fixture(scope="module")
def served(
    run: Run,
    postgres: PostgresServer,
    template: str,
    redis_server: RedisServer,
    _sandbox_process: tuple[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """The product, served to all tests of a module."""
    opened = serving(postgres, template, redis_server, _sandbox_process, tmp_path_factory.mktemp("security"))
    yield run(opened.__aenter__())
    run(opened.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def world(served: Served, run: Run) -> Iterator[World]:
    """Three communities of two companies with everybody in them, watched by a witness."""
    made = run(build(served.res, served.client, served.sandbox))
    made.witness = run(Witness.install(served.urls.admin))
    yield made
    run(made.witness.close())
