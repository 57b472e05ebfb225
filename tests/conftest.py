"""Real parts for every test: PostgreSQL, Redis, the sandbox, the served app. Nothing outside this directory is touched.

Each xdist worker has servers of its own; each test that asks for `db` begins with an empty migrated database (see
worker_database.py). A test may be `async def`: it runs in the session's loop, where the served app lives as well.
"""

import asyncio
import functools
import hashlib
import hmac
import importlib.util
import inspect
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import pytest
import uvloop
from yarl import URL

from backend.composition import APPROVALS, MODELS
from backend.kernel import failpoints
from backend.kernel.clock import Clock, FrozenClock, SharedClock, SystemClock, read_offset_s, write_offset_s
from backend.kernel.config import SITES, Settings
from backend.kernel.db import Database
from backend.kernel.embedded_postgres import PostgresServer, start_postgres
from backend.kernel.embedded_redis import RedisServer, start_redis
from backend.kernel.migrator import migrate
from backend.kernel.processes import free_port
from backend.kernel.resources import Resources, open_resources
from payments.channels import alipay_keys, wechat_merchant
from tests.served_app import KEPT_PORT, serve, stop
from tests.worker_database import Urls, WorkerDatabase, as_admin, copy_of, drop, named

MEMORY = Path("/dev/shm")
PLENTY = 4 << 30
START = datetime(2026, 9, 1, 2, 0, tzinfo=UTC)
Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run `async def` tests in the session's loop."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    loop = pyfuncitem.session.config.stash[LOOP]
    names = pyfuncitem._fixtureinfo.argnames
    loop.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


# Modules that take long go out first, so that the workers end together (with --no-loadscope-reorder, see the Makefile).
LONG_MODULES = ("tests/demo/", "tests/faults/", "tests/simulation/", "tests/processes/", "tests/integration/seed/")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order of the suite: what takes long, then everything else."""
    items.sort(key=lambda item: next((i for i, part in enumerate(LONG_MODULES) if part in item.nodeid), 99))


LOOP: pytest.StashKey[asyncio.Runner] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LOOP] = asyncio.Runner(loop_factory=uvloop.new_event_loop)


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[LOOP].close()


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest) -> Run:
    """Run a coroutine in the session's loop."""
    return request.config.stash[LOOP].run


@pytest.fixture(autouse=True)
def _no_failpoint_left() -> Iterator[None]:
    yield
    failpoints.disarm_all()


@pytest.fixture(scope="session", autouse=True)
def _keys_proven_once() -> Iterator[None]:
    """Proving a private key's arithmetic costs 85 ms of CPU; here the same few are entered by hundreds of tests."""
    before = wechat_merchant._private_key, alipay_keys._private_key
    wechat_merchant._private_key, alipay_keys._private_key = map(functools.cache, before)
    yield
    wechat_merchant._private_key, alipay_keys._private_key = before


@pytest.fixture(scope="session")
def servers_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the worker's servers live: in memory where there is plenty, because every test has a database copied."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= PLENTY:
        with tempfile.TemporaryDirectory(prefix="linli-tests-", dir=MEMORY) as directory:
            Path(directory).chmod(0o755)
            yield Path(directory)
    else:
        yield tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def postgres(servers_dir: Path) -> Iterator[PostgresServer]:
    """A PostgreSQL of this worker, without fsync: tests of durability start one of their own."""
    server = start_postgres(servers_dir, progress=lambda text: None, durable=False)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_server(servers_dir: Path) -> Iterator[RedisServer]:
    server = start_redis(servers_dir)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def template(postgres: PostgresServer, run: Run, servers_dir: Path) -> str:
    """A migrated database to clone."""
    owner = urlsplit(postgres.migrator_url).username
    run(as_admin(postgres, f'CREATE DATABASE template_linli OWNER "{owner}"'))
    settings = Settings(
        data_dir=servers_dir,
        migrator_url=named(postgres.migrator_url, "template_linli"),
        database_url=named(postgres.app_url, "template_linli"),
    )
    run(migrate(settings, progress=lambda text: None))
    return "template_linli"


@pytest.fixture(scope="session")
def _worker_database(postgres: PostgresServer, template: str, run: Run) -> Iterator[WorkerDatabase]:
    database = WorkerDatabase(postgres, template)
    yield database
    run(database.throw_away())


def _apart(request: pytest.FixtureRequest) -> bool:
    return request.node.get_closest_marker("apart") is not None


@pytest.fixture
def urls(
    request: pytest.FixtureRequest, postgres: PostgresServer, template: str, _worker_database: WorkerDatabase, run: Run
) -> Iterator[Urls]:
    """A migrated, empty database: the worker's, or one of this test's own."""
    if _apart(request):
        own = run(copy_of(postgres, template))
        yield own
        run(drop(postgres, own))
    else:
        yield run(_worker_database.urls())
        run(_worker_database.clear())


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(START)


@pytest.fixture
def settings(request: pytest.FixtureRequest, urls: Urls, redis_server: RedisServer, tmp_path: Path) -> Settings:
    """Settings of this test; nothing listens behind the channels' addresses."""
    return Settings(
        data_dir=tmp_path,
        database_url=urls.app,
        migrator_url=urls.migrator,
        redis_url=redis_server.url,
        public_url=f"http://127.0.0.1:{free_port() if _apart(request) else KEPT_PORT}",
        wechat_api_url="http://127.0.0.1:9",
        wechat_pay_url="http://127.0.0.1:9",
        alipay_url="http://127.0.0.1:9",
        log_level="error",
    )


def _existing(models: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in models if importlib.util.find_spec(name))


async def _open(settings: Settings, clock: Any, worker_database: WorkerDatabase | None = None) -> Resources:
    models = _existing(MODELS)
    lent = await worker_database.lend(settings, clock, models) if worker_database else None
    res = await open_resources(settings, models=models, approval_kinds=APPROVALS, clock=clock, db=lent)
    await res.redis.flushdb()
    return res


@pytest.fixture
def res(settings: Settings, clock: FrozenClock, _worker_database: WorkerDatabase, run: Run) -> Iterator[Resources]:
    """Open resources on an empty database, with a clock that stands still."""
    resources = run(_open(settings, clock, _worker_database))
    yield resources
    run(resources.close())


@pytest.fixture
def db(res: Resources) -> Database:
    return res.db


class MovableClock(SharedClock):
    """The clock that product and sandbox share; a test moves it forward."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self.data_dir = data_dir

    def advance(self, step: timedelta) -> None:
        write_offset_s(self.data_dir, read_offset_s(self.data_dir) + int(step.total_seconds()))
        self._seen_mtime_ns = -1


@dataclass(frozen=True)
class Sandbox:
    """The sandbox process and its control API (see sandbox/control.py)."""

    url: str
    data_dir: Path
    clock: MovableClock

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call `/control<path>` from outside the loop; returns the JSON answered."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/control{path}", data=data, method=method, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The same from inside the loop."""
        return await asyncio.to_thread(self.control, method, path, body)


@pytest.fixture(scope="session")
def _sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    data_dir = tmp_path_factory.mktemp("sandbox")
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--host", "127.0.0.1", "--port", str(port), "--data-dir", str(data_dir)],
        stdout=(data_dir / "out.log").open("wb"),
        stderr=subprocess.STDOUT,
        cwd=Path(__file__).parent.parent,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 20
    while True:
        try:
            urllib.request.urlopen(f"{url}/control/health", timeout=1).close()
            break
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError((data_dir / "out.log").read_text()) from None
            time.sleep(0.05)
    yield url, data_dir
    process.kill()
    process.wait()


@pytest.fixture
def sandbox(_sandbox_process: tuple[str, Path]) -> Sandbox:
    """The worker's sandbox, emptied, with the shared clock at START and running."""
    url, data_dir = _sandbox_process
    write_offset_s(data_dir, int((START - datetime.now(UTC)).total_seconds()))
    box = Sandbox(url, data_dir, MovableClock(data_dir))
    box.control("POST", "/reset")
    return box


@pytest.fixture
def sandbox_res(
    settings: Settings, sandbox: Sandbox, _worker_database: WorkerDatabase, run: Run
) -> Iterator[Resources]:
    """Open resources whose channels are the sandbox; the clock is shared with it and runs."""
    urls = {name: sandbox.url for name in SITES if name != "public_url"}
    linked = settings.model_copy(update=urls)
    resources = run(_open(linked, sandbox.clock, _worker_database))
    yield resources
    run(resources.close())


@dataclass(frozen=True)
class Answered:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error code of a refusal."""
        return str(self.json["error"]["code"])


def signed(token: str, method: str, path: str, body: bytes, *, at: datetime) -> str:
    """The Authorization header of a device, written anew from the description of the form."""
    device, secret = token[2:38], token[39:]
    timestamp, nonce = str(int(at.timestamp())), uuid4().hex
    text = f"{method}\n{path}\n{timestamp}\n{nonce}\n{hashlib.sha256(body).hexdigest()}"
    signature = hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()
    return f"LINLI-HMAC-SHA256 device={device},timestamp={timestamp},nonce={nonce},signature={signature}"


@dataclass(frozen=True)
class Client:
    """An HTTP client of the served app; `token` is a session token, or `d_<device>_<secret>` of a device that signs."""

    url: str
    session: aiohttp.ClientSession
    token: str | None = None
    clock: Clock = SystemClock()

    def of(self, token: str | None) -> "Client":
        """The same client, logged in by `token`."""
        return replace(self, token=token)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Answered:
        sent = dict(headers or {})
        data = raw
        if body is not None:
            data, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        if self.token and self.token.startswith("d_"):
            sent.setdefault(
                "Authorization",
                signed(self.token, method, URL(self.url + path).raw_path_qs, data or b"", at=self.clock.now()),
            )
        elif self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        async with self.session.request(method, self.url + path, data=data, headers=sent) as answer:
            return Answered(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, **options: Any) -> Answered:
        return await self.call("GET", path, **options)

    async def post(self, path: str, body: Any = None, *, key: str | None = None, **options: Any) -> Answered:
        """POST; `key` is the Idempotency-Key, a new one by default."""
        headers = {"Idempotency-Key": key or uuid4().hex, **options.pop("headers", {})}
        return await self.call("POST", path, body if body is not None else {}, headers=headers, **options)


@pytest.fixture
def client(res: Resources, run: Run) -> Iterator[Client]:
    """A client of the app over `res`."""
    app, server, session = run(serve(res))
    yield Client(res.settings.public_url, session, clock=res.clock)
    run(stop(app, server, session))


@pytest.fixture
def sandbox_client(sandbox_res: Resources, run: Run) -> Iterator[Client]:
    """A client of the app over `sandbox_res`; the sandbox can call it back."""
    app, server, session = run(serve(sandbox_res))
    yield Client(sandbox_res.settings.public_url, session, clock=sandbox_res.clock)
    run(stop(app, server, session))
