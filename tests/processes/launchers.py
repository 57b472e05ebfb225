"""Starts `linli up` as a person would, and finds every process that belongs to it by directory, never by name."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.kernel import processes
from backend.kernel.embedded_postgres import find_binaries
from backend.kernel.exec_shim import identify

ROOT = Path(__file__).resolve().parents[2]
STUB = Path(__file__).parent / "stub_system.py"
UP = "按 Ctrl-C 停止"


def program_ports() -> dict[str, str]:
    """Ports for API and sandbox that neither a server nor another worker of this test run chooses meanwhile."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    mine = range(10_000 + 1_000 * worker, 11_000 + 1_000 * worker)
    return {
        "LINLI_HTTP_PORT": str(processes.free_port(mine[::2])),
        "LINLI_SANDBOX_PORT": str(processes.free_port(mine[1::2])),
    }


def until(true: Callable[[], bool], *, within_s: float = 30.0, what: str = "") -> None:
    """Poll until it holds; fails with `what` after the deadline."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what or true}"
        time.sleep(0.05)


def living_in(home: Path) -> dict[int, str]:
    """Processes that work in `home` or below, or name it in their command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid() or identify(int(entry.name)) is None:
            continue
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = os.readlink(entry / "cwd")
        except OSError:
            continue
        if str(home) in words or where == str(home) or where.startswith(f"{home}/"):
            found[int(entry.name)] = words
    return found


@dataclass
class Launcher:
    """One `linli up` in `home`, with its data in `home/data`."""

    home: Path
    python: Sequence[str]
    user: int | None = None
    env: dict[str, str] | None = None
    wrapper: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.ports = program_ports()
        self.output = self.home / "output"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.home / "data"

    def start(self, *options: str) -> "Launcher":
        """Start and wait until it says that everything is up."""
        self.launch(*options)
        until(lambda: UP in self.said() or self.code() is not None, within_s=60, what="linli up")
        assert self.code() is None, self.said()
        return self

    def launch(self, *options: str) -> None:
        """Start without waiting."""
        env = {"PATH": "/usr/bin:/bin", "LINLI_DATA_DIR": str(self.data), "PYTHONPATH": str(ROOT)} | self.ports
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*self.wrapper, *self.python, str(STUB), "up", *options],
                cwd=self.home,
                env=env | (self.env or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **({} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}),
            )

    def said(self) -> str:
        return self.output.read_text()

    def code(self) -> int | None:
        assert self.process is not None
        return self.process.poll()

    def interrupt(self) -> int:
        """Ctrl-C; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def kill(self) -> None:
        """SIGKILL to the launcher alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def pid_of(self, name: str) -> int:
        named = processes.named_in(self.data / f"{name}.lock")
        assert named is not None
        return named.pid

    def addresses(self) -> dict[str, str]:
        return json.loads((self.data / "running.json").read_text())

    def sql(self, statement: str) -> str:
        """Run SQL as the owner of the schema, return the first column."""
        return query(self.addresses()["LINLI_MIGRATOR_URL"], statement)


def query(url: str, statement: str) -> str:
    """One statement through psql of the wheel."""
    argv = [str(find_binaries() / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url, "-c", statement]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
