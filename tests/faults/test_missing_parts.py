"""A part that is away, at the start and in mid-flight: one clear message, nothing changed, and work goes on after it.

PostgreSQL away: no start, 503 at once. Redis away: everything works, only stricter. WeChat away: a clear 503.
"""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from backend.kernel.audit import SYSTEM
from backend.kernel.config import Settings
from backend.kernel.db import Tx
from backend.kernel.egress import Egress
from backend.kernel.embedded_postgres import PostgresServer, start_postgres
from backend.kernel.embedded_redis import start_redis
from backend.kernel.migrator import migrate
from backend.kernel.outbox import Job
from backend.kernel.processes import free_port
from backend.kernel.resources import Resources
from backend.wechat import apps
from tests import factories as make
from tests import workers_rig as rig
from tests.api_process import ROOT, ApiProcess, serving
from tests.conftest import Client, Run, Sandbox
from tests.factories_payments import Stage, stage
from tests.served_app import serve, stop

pytestmark = pytest.mark.apart

DEAD = "http://127.0.0.1:9"
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def start_module(module: str, settings: Settings, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run a root to its end; returns what it said."""
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LINLI_")},
        "LINLI_DATA_DIR": str(settings.data_dir),
        "LINLI_DATABASE_URL": str(settings.database_url),
        "LINLI_REDIS_URL": str(settings.redis_url),
        "LINLI_LOG_LEVEL": "error",
        **changes,
    }
    argv = [sys.executable, "-m", *module.split()]
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("module", ["backend.main", "workers.main", "backend.checks"])
async def test_without_postgres_a_start_is_refused_in_one_sentence(settings: Settings, module: str) -> None:
    port = free_port()
    url = f"postgresql://linli:geheim@127.0.0.1:{port}/linli"
    done = await asyncio.to_thread(start_module, module, settings, LINLI_DATABASE_URL=url)
    assert done.returncode == 3
    assert len(done.stderr.strip().splitlines()) == 1
    assert f"连不上 PostgreSQL（127.0.0.1:{port}）" in done.stderr
    assert "geheim" not in done.stderr
    assert done.stdout == ""


async def test_a_refused_password_is_named_like_a_missing_server(settings: Settings) -> None:
    url = str(settings.database_url).replace("linli_app:", "linli_app:wrong")
    done = await asyncio.to_thread(start_module, "backend.checks", settings, LINLI_DATABASE_URL=url)
    assert done.returncode == 3
    assert "LINLI_DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("module", ["backend.main", "workers.main", "backend.checks"])
async def test_an_unmigrated_database_is_named_with_the_next_step(
    settings: Settings, postgres: PostgresServer, module: str
) -> None:
    name = f"bare_{uuid4().hex}"
    connection = await asyncpg.connect(postgres.admin_url)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    url = str(settings.database_url).rpartition("/")[0] + f"/{name}"
    done = await asyncio.to_thread(start_module, module, settings, LINLI_DATABASE_URL=url)
    assert done.returncode == 3
    assert len(done.stderr.strip().splitlines()) == 1
    assert "请先运行 linli migrate" in done.stderr


async def test_wrong_settings_are_refused_before_anything_starts(settings: Settings) -> None:
    done = await asyncio.to_thread(start_module, "workers.main", settings, LINLI_LEASE_S="soon", LINLI_LEAS_S="9")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "启动设置有误：",
        "  LINLI_LEASE_S：应是一个整数。",
        "  LINLI_LEAS_S：没有这个设置，请检查名字。是不是 LINLI_LEASE_S？",
    ]


@dataclass
class OwnPostgres:
    """A PostgreSQL that this test may stop, start and freeze, with the schema in it."""

    home: Path
    server: PostgresServer

    def start_again(self) -> None:
        port = self.server.port
        self.server = start_postgres(self.home, progress=lambda text: None, durable=False)
        assert self.server.port == port

    def send(self, sign: signal.Signals) -> None:
        """A signal to the server and all its backends."""
        pid = self.server.process.pid
        for backend in [*_children(pid), pid]:
            with suppress(ProcessLookupError):
                os.kill(backend, sign)


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if (entry / "stat").read_text().rpartition(")")[2].split()[1] == str(pid):
                    found.append(int(entry.name))
    return found


@pytest.fixture
def own_postgres(tmp_path: Path, run: Run) -> Iterator[OwnPostgres]:
    home = tmp_path / "own"
    server = start_postgres(home, progress=lambda text: None, durable=False)
    own = OwnPostgres(home, server)
    settings = Settings(data_dir=home, database_url=server.app_url, migrator_url=server.migrator_url)
    run(migrate(settings, progress=lambda text: None))
    yield own
    own.send(signal.SIGCONT)
    if own.server.alive():
        own.server.stop(immediate=True)


async def _answers_again(client: Client, path: str, *, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while (await client.get(path)).status != 200:
        assert time.monotonic() < deadline, f"{path} did not come back in {within_s} s"
        await asyncio.sleep(0.2)


async def test_postgres_gone_in_mid_flight_is_503_at_once_and_everything_recovers_after_it(
    settings: Settings, own_postgres: OwnPostgres
) -> None:
    linked = settings.model_copy(update={"database_url": own_postgres.server.app_url})
    async with serving(linked) as (api, client):
        assert (await client.get("/readyz")).status == 200
        own_postgres.server.stop(immediate=True)
        began = time.monotonic()
        told = await asyncio.gather(
            *(client.get("/healthz") for _ in range(10)),
            *(client.get("/readyz") for _ in range(10)),
            *(client.of("r_" + "x" * 43).get("/api/v1/me") for _ in range(30)),
            *(client.post("/admin/v1/login", {"login": "a", "password": "b"}) for _ in range(5)),
        )
        assert time.monotonic() - began < 6
        assert {(answer.status, answer.code) for answer in told} == {(503, "database_unavailable")}
        assert all(CHINESE.search(answer.json["error"]["message"]) for answer in told)
        assert all(answer.json["error"]["details"]["retryable"] for answer in told)
        own_postgres.start_again()
        await _answers_again(client, "/healthz", within_s=15)
        assert (await client.of("r_" + "x" * 43).get("/api/v1/me")).status == 401
        api.terminate()
        assert await api.ended() == 0


async def test_a_frozen_postgres_holds_no_request_beyond_the_deadline(
    settings: Settings, own_postgres: OwnPostgres
) -> None:
    linked = settings.model_copy(update={"database_url": own_postgres.server.app_url})
    async with serving(linked, request_timeout_s="2", database_pool="4") as (api, client):
        assert (await client.get("/healthz")).status == 200
        own_postgres.send(signal.SIGSTOP)
        began = time.monotonic()
        asked = client.of("r_" + "x" * 43)
        told = await asyncio.gather(*(asked.get("/api/v1/me") for _ in range(20)))
        assert time.monotonic() - began < 2 + 6
        assert {answer.status for answer in told} == {503}
        assert {answer.code for answer in told} <= {"timed_out", "database_unavailable"}
        own_postgres.send(signal.SIGCONT)
        await _answers_again(client, "/healthz", within_s=15)
        api.terminate()
        assert await api.ended() == 0


async def test_a_transaction_under_way_when_postgres_dies_changes_nothing(
    settings: Settings, own_postgres: OwnPostgres
) -> None:
    """A login that fails would be counted; the count dies with the transaction, the request is told so."""
    linked = settings.model_copy(update={"database_url": own_postgres.server.app_url})
    async with serving(linked, failpoints="tx.before_commit=sleep:2") as (_, client):
        asked = asyncio.create_task(client.post("/admin/v1/login", {"login": "nobody", "password": "wrong-one-8"}))
        await asyncio.sleep(1)
        own_postgres.server.stop(immediate=True)
        answer = await asked
        assert (answer.status, answer.code) == (503, "database_unavailable")
        own_postgres.start_again()
        connection = await asyncpg.connect(own_postgres.server.migrator_url)
        assert await connection.fetchval("SELECT count(*) FROM login_guard") == 0
        await connection.close()


async def _log_in(client: Client, number: int) -> int:
    return (await client.post("/admin/v1/login", {"login": f"staff{number}", "password": "wrong-one-8"})).status


async def test_without_redis_the_api_starts_serves_and_is_stricter_with_logins(
    settings: Settings, res: Resources
) -> None:
    resident = await make.person(res)
    bare = settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"})
    async with serving(bare) as (_, client):
        ready = await client.get("/readyz")
        assert (ready.status, ready.json) == (200, {"status": "degraded", "postgres": True, "redis": False})
        assert (await client.of(resident.token).get("/api/v1/me")).status == 200
        assert [await _log_in(client, number) for number in range(8)] == [401] * 7 + [429]
    async with serving(settings) as (_, client):
        assert (await client.get("/readyz")).json["status"] == "ok"
        assert [await _log_in(client, number) for number in range(8, 16)] == [401] * 8


async def test_redis_gone_in_mid_flight_degrades_and_comes_back(
    settings: Settings, res: Resources, tmp_path: Path
) -> None:
    own = start_redis(tmp_path / "own_redis")
    resident = await make.person(res)
    async with serving(settings.model_copy(update={"redis_url": own.url})) as (_, client):
        me = client.of(resident.token)
        assert (await client.get("/readyz")).json["status"] == "ok"
        own.process.kill()
        own.process.wait()
        began = time.monotonic()
        assert [(await me.get("/api/v1/me")).status for _ in range(10)] == [200] * 10
        assert (await client.get("/readyz")).json["status"] == "degraded"
        assert time.monotonic() - began < 10
        own = start_redis(tmp_path / "own_redis")
        deadline = time.monotonic() + 10
        while (await client.get("/readyz")).json["status"] != "ok":
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
    own.stop()


async def test_the_outbox_waits_for_a_redis_that_is_away_at_the_start_and_catches_up(
    res: Resources, tmp_path: Path
) -> None:
    async def effect(job: Job) -> None:
        insert = "INSERT INTO inbox (source, event_key, received_at) VALUES ('effect', $1, $2)"
        await job.transact(lambda tx: tx.execute(insert, str(job.payload["n"]), tx.now))

    own = start_redis(tmp_path / "own_redis")
    own.stop()
    await rig.emit_many(res.db, "test.counted", 200)
    async with rig.running(res, {"test.counted": effect}, redis_url=own.url):
        await asyncio.sleep(2)
        assert await rig.states(res.db) == {"READY": 200}
        own = start_redis(tmp_path / "own_redis")
        await rig.all_done(res.db, within_s=20)
        assert await res.db.fetchval("SELECT count(*) FROM inbox WHERE source = 'effect'") == 200
    own.stop()


@pytest.fixture
def play(sandbox_res: Resources, sandbox: Sandbox, run: Run) -> Stage:
    return run(stage(sandbox_res, sandbox))


@pytest.fixture
def cut_off(play: Stage, run: Run) -> Iterator[Client]:
    """A client of an app that cannot reach WeChat and WeChat Pay."""
    settings = play.res.settings.model_copy(update={"wechat_api_url": DEAD, "wechat_pay_url": DEAD})
    res = replace(play.res, settings=settings, egress=Egress(frozenset({DEAD})))
    app, server, session = run(serve(res))
    yield Client(settings.public_url, session)
    run(stop(app, server, session))
    run(res.egress.close())


async def test_a_login_without_wechat_is_a_clear_503_and_makes_no_account(play: Stage, cut_off: Client) -> None:
    before = await play.count("wechat_user"), await play.count("session")
    company_id = await play.res.db.fetchval("SELECT id FROM company")

    async def register(tx: Tx) -> None:
        await apps.register(
            tx, play.res.keyring, actor=SYSTEM, company_id=company_id, kind=apps.AppKind.MINIPROGRAM, appid=make.APPID,
            secret="0123456789abcdef0123456789abcdef",
        )  # fmt: skip

    await play.res.db.transact(register)
    answer = await cut_off.post("/api/v1/login", {"appid": make.APPID, "code": "0a3Bzq000tL9xS1"})
    assert (answer.status, answer.code) == (503, "wechat_unavailable")
    assert answer.json["error"]["message"] == "微信服务暂时不可用，请稍后再试。"
    assert answer.json["error"]["details"]["retryable"]
    assert (await play.count("wechat_user"), await play.count("session")) == before


async def test_a_payment_without_wechat_pay_waits_and_goes_on_when_it_is_back(
    play: Stage, cut_off: Client, run: Run
) -> None:
    """Nothing was sent, so nothing is in doubt: the attempt stays CREATED, and the same request goes on with it."""
    bill = await play.bill()
    answer = await play.create(cut_off, bill, key="k1")
    assert (answer.status, answer.code) == (503, "channel_unavailable")
    assert answer.json["error"]["message"] == "暂时连接不上支付渠道，请稍后再试。"
    order_id = await play.res.db.fetchval("SELECT id FROM payment_order")
    assert (await play.attempt(order_id))["state"] == "CREATED"
    shown = await cut_off.of(play.owner.token).get(f"/api/v1/payments/{order_id}")
    assert CHINESE.search(shown.json["state_text"])
    again = await play.create(cut_off, bill, key="k1")
    assert again.status == 503
    assert await play.count("payment_attempt") == 1
    await play.balanced()


async def test_the_port_of_a_stranger_is_named(settings: Settings) -> None:
    listening = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        api = ApiProcess(settings, port=port)
        try:
            assert await api.ended(40) == 2
            assert f"端口 {port} 已被占用" in api.said()
            assert "Traceback" not in api.said()
        finally:
            api.end()
