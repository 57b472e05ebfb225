"""Processes that we start: each in its own session, with a lock file and a death signal, and stopped with patience.

A process is known by pid, start time and boot, never by its pid or name alone, so that no stranger is ever signalled.
"""

import json
import os
import pwd
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from backend.kernel import exec_shim
from backend.kernel.exec_shim import Identity, identify

CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
_POLL_S = 0.05
# Apart from each other and from the ports of outgoing connections (32,768 and up on Linux): what is chosen now for a
# program that starts later must not be taken by a server that starts in between.
SERVER_PORTS = range(20_000, 30_000)
PROGRAM_PORTS = range(30_000, 32_768)


class StartError(Exception):
    """Something that we need cannot be started; the message is Chinese, for the person at the terminal."""


@dataclass(frozen=True)
class Account:
    """The unprivileged account that a server runs under, and the one capability that it keeps, if any."""

    uid: int
    gid: int
    capability: int | None


@dataclass(frozen=True)
class StopStep:
    """Send this signal, then wait so long for the process to be gone."""

    signal: signal.Signals
    patience_s: float


INTERRUPT = (StopStep(signal.SIGINT, 35.0), StopStep(signal.SIGKILL, 5.0))
TERMINATE = (StopStep(signal.SIGTERM, 35.0), StopStep(signal.SIGKILL, 5.0))


def spawn(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    output: IO[bytes] | None,
    env: Mapping[str, str] | None = None,
    lock: Path | None = None,
    account: Account | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    feed: bytes | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in its own session; it dies with the thread that calls this, so call it from the main thread.

    `output` takes both standard output and errors (None: ours); `feed` is what it reads on standard input.
    """
    plan = {
        "argv": [str(part) for part in argv],
        "lock": None if lock is None else str(lock.resolve()),
        "account": None if account is None else asdict(account),
        "death_signal": int(death_signal),
        "parent_pid": os.getpid(),
    }
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", exec_shim.__file__, json.dumps(plan)],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL if feed is None else subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        start_new_session=True,
    )
    if process.stdin is not None and feed is not None:
        process.stdin.write(feed)
        process.stdin.close()
    return process


def holder(lock: Path) -> Identity | None:
    """The process named by a lock file if it still runs; None for a stale lock, even when a stranger has its pid."""
    named = named_in(lock)
    return named if named is not None and identify(named.pid) == named else None


def named_in(lock: Path) -> Identity | None:
    """The process that a lock file names, running or not."""
    try:
        return Identity(**json.loads(lock.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def is_named_in(lock: Path, pid: int) -> bool:
    """Whether a lock file names this pid: a child that we spawned has come that far."""
    named = named_in(lock)
    return named is not None and named.pid == pid


def stop(identity: Identity, steps: Sequence[StopStep]) -> bool:
    """Walk through the steps until the process is gone; says whether it is."""
    for step in steps:
        if identify(identity.pid) != identity:
            return True
        os.kill(identity.pid, step.signal)
        if wait_gone(identity, step.patience_s):
            return True
    return False


def wait_gone(identity: Identity, patience_s: float) -> bool:
    """Wait for a process to end, whether or not it is our child."""
    deadline = time.monotonic() + patience_s
    while identify(identity.pid) == identity:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def stop_child(process: subprocess.Popen[bytes], steps: Sequence[StopStep]) -> bool:
    """Stop a child of ours and reap it; says whether it is gone."""
    for step in steps:
        if process.poll() is not None:
            return True
        process.send_signal(step.signal)
        try:
            process.wait(step.patience_s)
        except subprocess.TimeoutExpired:
            continue
        return True
    return process.poll() is not None


def free_port(among: Sequence[int] = SERVER_PORTS) -> int:
    """A TCP port on loopback that nobody has at this moment."""
    while True:
        port = secrets.choice(among)
        if port_is_free("127.0.0.1", port):
            return port


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now; a port in TIME_WAIT counts as free."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def port_answers(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((host, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def server_account(home: Path, *binaries: Path) -> Account | None:
    """The account for a server that refuses root; None when we are not root and nothing has to change.

    The owner of `home` if that is an ordinary user, else `nobody`. When that account cannot walk to its home or its
    binaries (a clone under a 0700 directory such as /root), no directory is opened for it: the server keeps the
    capability to search directories, and that one only.
    """
    if os.geteuid() != 0:
        return None
    uid, gid = _ordinary_owner(home) or _nobody()
    capability = _search_capability()
    reachable = all(_can_reach(uid, path) for path in (home, *binaries))
    return Account(uid=uid, gid=gid, capability=None if reachable else capability)


def _ordinary_owner(home: Path) -> tuple[int, int] | None:
    if not home.exists() or home.stat().st_uid == 0:
        return None
    found = home.stat()
    return found.st_uid, found.st_gid


def _nobody() -> tuple[int, int]:
    try:
        found = pwd.getpwnam("nobody")
    except KeyError:
        raise StartError(
            "以 root 运行时，自带的 PostgreSQL 需要系统里有 nobody 这个账号，但没有找到。"
            "请改用普通用户运行，或用 LINLI_DATABASE_URL 指定现成的数据库。"
        ) from None
    return found.pw_uid, found.pw_gid


def _can_reach(uid: int, path: Path) -> bool:
    for parent in path.resolve().parents:
        found = parent.stat()
        if not found.st_mode & 0o001 and not (found.st_uid == uid and found.st_mode & 0o100):
            return False
    return True


def _search_capability() -> int:
    """The smaller of the two that let us, and if need be the server, walk into directories of others."""
    status = Path("/proc/self/status").read_text()
    permitted = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapPrm")), 16)
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
        if permitted & 1 << capability:
            return capability
    raise StartError(
        "PostgreSQL 不能以 root 运行，要换成 nobody 账号；但这里的 root 没有访问其他用户文件的权限"
        "（容器去掉了 CAP_DAC_OVERRIDE）。请改用普通用户运行，或用 LINLI_DATABASE_URL 指定现成的数据库。"
    )
