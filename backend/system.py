"""The whole system on one machine: servers, migrations, first data, and the processes that serve.

Promises: comes up from an empty directory or from whatever a killed start left behind; every part that is missing is
named in one sentence with the next step; stops in the order in which nothing is lost (API, worker, sandbox, Redis,
PostgreSQL). API, worker, sandbox, migrator and seed are processes, started from the table COMMANDS, never imported.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import redis

from backend.kernel import embedded_home, processes, supervision
from backend.kernel.clock import OFFSET_FILE
from backend.kernel.config import Mode, Settings
from backend.kernel.embedded_postgres import start_postgres
from backend.kernel.embedded_redis import start_redis
from backend.kernel.processes import TERMINATE, StartError
from backend.kernel.supervision import Program, Running, Service, StopRequested, Supervisor

Say = Callable[[str], None]

_STATE_FILE = "running.json"
_PROBE_S = 5.0
_LEFTOVERS = (
    ("api", "接口服务"),
    ("worker", "后台任务"),
    ("seed", "示例数据准备"),
    ("migrate", "数据库结构更新"),
    ("sandbox", "沙箱"),
)


@dataclass(frozen=True)
class Commands:
    """What each process runs: arguments for this Python."""

    migrate: Sequence[str] = ("-m", "backend.migrate")
    seed: Sequence[str] = ("-m", "backend.seed")
    sandbox: Sequence[str] = ("-m", "sandbox")
    worker: Sequence[str] = ("-m", "workers.main")
    api: Sequence[str] = ("-m", "backend.main")


COMMANDS = Commands()


def run(
    settings: Settings,
    environ: Mapping[str, str],
    work: "Callable[[System], None]",
    *,
    say: Say,
    commands: Commands = COMMANDS,
) -> None:
    """Bring everything up, do `work`, and take everything down after it or when a signal comes. Raises StartError."""
    data_dir = embedded_home.prepare(settings.data_dir)
    with supervision.sole(data_dir):
        system = System(settings, data_dir, environ, commands, say, Supervisor(say))
        system.supervisor.catch_signals()
        try:
            system.start()
            work(system)
        except StopRequested:
            say("收到停止信号。")
        finally:
            system.supervisor.stop()
    say("全部停止了，数据都已保存。")


def keep_up(system: "System") -> None:
    """The work of `linli up`: say where everything is, and look after it until a signal comes."""
    system.say(system.welcome())
    system.supervisor.watch()


def with_servers(settings: Settings, environ: Mapping[str, str], work: Callable[[dict[str, str]], int]) -> int:
    """Do some work with a database and Redis: the given ones, a running system's, or ones started for the purpose.

    `work` gets the environment that names them and returns an exit code.
    """
    if settings.database_url is not None and settings.redis_url is not None:
        return work(dict(environ))
    data_dir = embedded_home.prepare(settings.data_dir)
    if supervision.is_supervised(data_dir):
        return work(dict(environ) | _running_env(data_dir))
    with supervision.sole(data_dir):
        system = System(settings, data_dir, environ, COMMANDS, _say_nothing, Supervisor(_say_nothing))
        system.supervisor.catch_signals()
        try:
            system.start_servers()
            return work(system.owner_env())
        except StopRequested:
            return 130
        finally:
            system.supervisor.stop()


def _say_nothing(text: str) -> None:
    """For commands whose own output is all that people want to see."""


def _running_env(data_dir: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads((data_dir / _STATE_FILE).read_text())
    except FileNotFoundError:
        raise StartError("系统正在启动，还没有准备好，请稍候再试。") from None
    return found


@dataclass
class System:
    """One running system: what was started, and where it is reached."""

    settings: Settings
    data_dir: Path
    environ: Mapping[str, str]
    commands: Commands
    say: Say
    supervisor: Supervisor
    database_url: str = ""
    migrator_url: str = ""
    redis_url: str = ""

    @property
    def api_url(self) -> str:
        host = self.settings.http_host
        return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{self.settings.http_port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.sandbox_port}"

    @property
    def sandboxed(self) -> bool:
        return self.settings.mode is Mode.SANDBOX

    def start(self) -> None:
        """Everything, in order; the API comes last, so that who reaches it reaches all of it."""
        (self.data_dir / _STATE_FILE).unlink(missing_ok=True)
        for name, title in _LEFTOVERS:
            supervision.clear_leftover(self.data_dir, name, title, self.say)
        self._check_ports()
        self.start_servers()
        self._run("更新数据库结构", "migrate", self.commands.migrate, self.owner_env())
        if self.sandboxed:
            self._keep(self._sandbox)
            self._run("准备示例数据", "seed", self.commands.seed, self.owner_env())
        self._keep(self._worker)
        self._keep(self._api)
        embedded_home.write_private(self.data_dir / _STATE_FILE, json.dumps(self._addresses(), indent=2))

    def start_servers(self) -> None:
        """PostgreSQL and Redis: the given ones if they answer, else our own."""
        if self.settings.database_url is None:
            self.say("正在启动 PostgreSQL……")
            self.supervisor.start(Service("postgres", "PostgreSQL", self._start_postgres))
        else:
            self.database_url = self.settings.database_url
            self.migrator_url = self.settings.migrator_url or self.database_url
            asyncio.run(_probe_database(self.database_url))
        if self.settings.redis_url is None:
            self.say("正在启动 Redis……")
            self.supervisor.start(Service("redis", "Redis", self._start_redis))
        else:
            self.redis_url = self.settings.redis_url
            _probe_redis(self.redis_url)

    def _start_postgres(self) -> Running:
        server = start_postgres(self.data_dir, progress=self.say)
        self.database_url, self.migrator_url = server.app_url, server.migrator_url
        return server

    def _start_redis(self) -> Running:
        server = start_redis(self.data_dir)
        self.redis_url = server.url
        return server

    def _check_ports(self) -> None:
        wanted = [("接口服务", self.settings.http_host, self.settings.http_port, "LINLI_HTTP_PORT")]
        if self.sandboxed:
            wanted.append(("沙箱", "127.0.0.1", self.settings.sandbox_port, "LINLI_SANDBOX_PORT"))
        for title, host, port, variable in wanted:
            if not processes.port_is_free(host, port):
                raise StartError(
                    f"{title}要用的端口 {port} 已被别的程序占用。"
                    f"请关闭那个程序，或换一个端口：{variable}={port + 1000} make run"
                )

    def env(self) -> dict[str, str]:
        """The environment of API and worker: all addresses, but not the role that owns the schema."""
        given = {name: value for name, value in self.environ.items() if name != "LINLI_MIGRATOR_URL"}
        return given | {
            "PYTHONUNBUFFERED": "1",
            "LINLI_DATA_DIR": str(self.data_dir),
            **{name: value for name, value in self._addresses().items() if name != "LINLI_MIGRATOR_URL"},
        }

    def owner_env(self) -> dict[str, str]:
        """The same and the role that owns the schema: for the migrator and for first data."""
        return self.env() | {"LINLI_MIGRATOR_URL": self.migrator_url}

    def _addresses(self) -> dict[str, str]:
        found = {
            "LINLI_DATABASE_URL": self.database_url,
            "LINLI_MIGRATOR_URL": self.migrator_url,
            "LINLI_REDIS_URL": self.redis_url,
            "LINLI_HTTP_HOST": self.settings.http_host,
            "LINLI_HTTP_PORT": str(self.settings.http_port),
        }
        if self.sandboxed:
            found["LINLI_SANDBOX_PORT"] = str(self.settings.sandbox_port)
            for field, url in (
                ("public_url", self.api_url),
                ("wechat_api_url", self.sandbox_url),
                ("wechat_open_url", self.sandbox_url),
                ("wechat_mp_url", self.sandbox_url),
                ("wechat_pay_url", self.sandbox_url),
                ("alipay_url", self.sandbox_url),
            ):
                given = field in self.settings.model_fields_set
                found[f"LINLI_{field.upper()}"] = getattr(self.settings, field) if given else url
        return found

    def _sandbox(self) -> Program:
        port = self.settings.sandbox_port
        options = ["--host", "127.0.0.1", "--port", str(port), "--data-dir", str(self.data_dir / "sandbox")]
        return Program(
            name="sandbox",
            title="沙箱",
            argv=[sys.executable, *self.commands.sandbox, *options, "--clock-file", str(self.data_dir / OFFSET_FILE)],
            env=_without_settings(self.environ),
            url=self.sandbox_url,
            ready=lambda: processes.port_answers("127.0.0.1", port),
        )

    def _worker(self) -> Program:
        return Program(
            name="worker",
            title="后台任务",
            argv=[sys.executable, *self.commands.worker],
            env=self.env(),
            url="",
            ready=lambda: True,
        )

    def _api(self) -> Program:
        parts = urlsplit(self.api_url)
        return Program(
            name="api",
            title="接口服务",
            argv=[sys.executable, *self.commands.api],
            env=self.env(),
            url=self.api_url,
            ready=lambda: processes.port_answers(str(parts.hostname), int(parts.port or 0)),
        )

    def _keep(self, program: Callable[[], Program]) -> None:
        """Start a program and keep it; it is asked for anew at each restart, because addresses may have moved."""
        first = program()
        self.say(f"正在启动{first.title}……")
        self.supervisor.start(
            Service(first.name, first.title, lambda: supervision.start_program(program(), self.data_dir))
        )

    def _run(self, title: str, name: str, command: Sequence[str], env: Mapping[str, str]) -> None:
        """Run one step to its end; what it prints is for the person who waits."""
        self.say(f"正在{title}……")
        step: subprocess.Popen[bytes] = processes.spawn(
            [sys.executable, *command],
            cwd=Path.cwd(),
            output=None,
            env=env,
            lock=self.data_dir / f"{name}.lock",
        )
        try:
            code = step.wait()
        except BaseException:
            processes.stop_child(step, TERMINATE)
            raise
        if code != 0:
            raise StartError(f"{title}没有成功（退出码 {code}），原因见上面的输出。数据没有丢失，解决后再启动即可。")

    def welcome(self) -> str:
        """Where everything is, for the person at the terminal."""
        rows = [
            ("首页", f"{self.api_url}/"),
            ("接口", f"{self.api_url}/api/v1"),
            *([("接口文档", f"{self.api_url}/docs")] if self.sandboxed else []),
            *([("沙箱收银台", f"{self.sandbox_url}/cashier/下单得到的 prepay_id")] if self.sandboxed else []),
            ("PostgreSQL", _public(self.database_url)),
            ("Redis", _public(self.redis_url)),
            ("数据目录", f"{self.data_dir}（日志在 logs 里，连接密码在 {_STATE_FILE} 里）"),
        ]
        lines = [f"  {title}{' ' * (12 - _width(title))}{value}" for title, value in rows]
        return "\n".join(["", "邻里已经启动好了。", *lines, "按 Ctrl-C 停止；数据会保留，下次启动接着用。"])


async def _probe_database(url: str) -> None:
    try:
        connection = await asyncpg.connect(url, timeout=_PROBE_S)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartError(
            f"连不上 LINLI_DATABASE_URL 指定的 PostgreSQL（{_public(url)}）：{error or '超时'}。"
            "请确认它在运行、地址和密码正确；去掉这个变量则会使用自带的 PostgreSQL。"
        ) from None
    await connection.close()


def _probe_redis(url: str) -> None:
    try:
        with redis.Redis.from_url(url, socket_timeout=_PROBE_S, socket_connect_timeout=_PROBE_S) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise StartError(
            f"连不上 LINLI_REDIS_URL 指定的 Redis（{_public(url)}）：{error}。"
            "请确认它在运行、地址和密码正确；去掉这个变量则会使用自带的 Redis。"
        ) from None


def _public(url: str) -> str:
    """An address without its password."""
    parts = urlsplit(url)
    user = f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{user}{parts.netloc.rpartition('@')[2]}{parts.path}"


def _width(text: str) -> int:
    return sum(2 if ord(letter) > 0x2E80 else 1 for letter in text)


def _without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a stranger: the sandbox knows nothing of our settings."""
    return {name: value for name, value in environ.items() if not name.startswith("LINLI_")} | {"PYTHONUNBUFFERED": "1"}
