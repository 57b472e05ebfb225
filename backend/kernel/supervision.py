"""Services kept running: started in order, restarted with a growing pause when they die, stopped in reverse order.

Promises: one supervisor per data directory; a service that a killed supervisor left behind is stopped before its
successor starts; a signal to stop reaches every service once, in order, each with its own time to finish its work.
"""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol

from backend.kernel import embedded_home, processes
from backend.kernel.processes import INTERRUPT, TERMINATE, StartError, StopStep

_POLL_S = 0.1
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STABLE_S = 60.0


class Running(Protocol):
    """A service that was started: its process, the address that others were given, and its way to stop."""

    @property
    def process(self) -> subprocess.Popen[bytes]: ...

    @property
    def url(self) -> str: ...

    def stop(self) -> None: ...


@dataclass(frozen=True)
class Service:
    """A name for files, a title for people, and how to start it; `start` returns when it is ready."""

    name: str
    title: str
    start: Callable[[], Running]


@dataclass(frozen=True)
class Program:
    """A Python program of ours as a service.

    `ready` is asked until it says yes. It has `patience_s` to become ready, and `stop_steps` to finish its work.
    """

    name: str
    title: str
    argv: Sequence[str]
    env: Mapping[str, str]
    url: str
    ready: Callable[[], bool]
    patience_s: float = 60.0
    stop_steps: Sequence[StopStep] = TERMINATE


@dataclass(frozen=True)
class RunningProgram:
    program: Program
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return self.program.url

    def stop(self) -> None:
        processes.stop_child(self.process, self.program.stop_steps)


def start_program(program: Program, data_dir: Path) -> RunningProgram:
    """Start a program with its log under the data directory; StartError with the log's end if it does not come up."""
    log = embedded_home.open_log(data_dir, program.name)
    begin = log.stat().st_size
    lock = _lock(data_dir, program.name)
    with log.open("ab") as output:
        process = processes.spawn(program.argv, cwd=Path.cwd(), output=output, env=program.env, lock=lock)
    running = RunningProgram(program, process)
    deadline = time.monotonic() + program.patience_s
    try:
        while not (processes.is_named_in(lock, process.pid) and program.ready()):
            if process.poll() is not None:
                raise StartError(
                    f"{program.title}没有启动起来，它的日志（{log}）说：\n{embedded_home.log_tail(log, begin)}"
                )
            if time.monotonic() > deadline:
                raise StartError(f"{program.title}在 {program.patience_s:.0f} 秒内没有准备好，请查看它的日志：{log}")
            time.sleep(_POLL_S)
    except BaseException:
        running.stop()
        raise
    return running


def clear_leftover(data_dir: Path, name: str, title: str, say: Callable[[str], None]) -> None:
    """Stop the process of this name that a killed supervisor left running in this data directory."""
    left = processes.holder(_lock(data_dir, name))
    if left is not None:
        say(f"上一次启动的{title}（进程 {left.pid}）还没有退出，正在停止它……")
        if not processes.stop(left, TERMINATE):
            raise StartError(f"上一次启动的{title}（进程 {left.pid}）无法停止，请先结束它再试。")


def clear_all_leftovers(data_dir: Path) -> None:
    """Stop whatever a killed supervisor left running in this data directory, servers too."""
    for lock in data_dir.glob("*.lock"):
        left = processes.holder(lock)
        if left is not None and not processes.stop(left, INTERRUPT):
            raise StartError(f"上一次启动的进程 {left.pid} 无法停止，请先结束它再试。")


def _lock(data_dir: Path, name: str) -> Path:
    return data_dir / f"{name}.lock"


@contextmanager
def sole(data_dir: Path) -> Iterator[None]:
    """Be the only supervisor of this data directory; StartError when there is one already."""
    with (data_dir / "linli.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            pid = file.read().strip() or "未知"
            raise StartError(
                f"这个数据目录（{data_dir}）已经有一个邻里系统在运行，进程号 {pid}。"
                "请直接使用它；要重新启动，请先在它的窗口按 Ctrl-C。"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def is_supervised(data_dir: Path) -> bool:
    """Whether a supervisor of this data directory is running."""
    with (data_dir / "linli.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


class StopRequested(BaseException):
    """A signal asked us to stop; not an Exception, so that nothing on the way takes it for a failure."""


@dataclass
class _Slot:
    service: Service
    running: Running
    since: float
    pause_s: float = _FIRST_PAUSE_S
    restart_at: float | None = None


@dataclass
class Supervisor:
    """Keeps services running until a signal comes. Lives in the main thread: death signals hang on it."""

    say: Callable[[str], None]
    _slots: list[_Slot] = field(default_factory=list)
    _stopping: bool = False

    def catch_signals(self) -> None:
        """From now on Ctrl-C, SIGTERM and a closed terminal raise StopRequested, once."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self._stopping:
            self._stopping = True
            raise StopRequested

    def start(self, service: Service) -> Running:
        """Start a service and keep it from now on."""
        running = service.start()
        self._slots.append(_Slot(service, running, since=time.monotonic()))
        return running

    def watch(self) -> None:
        """Look after the services until StopRequested."""
        while True:
            for slot in self._slots:
                self._look_after(slot)
            time.sleep(_POLL_S)

    def _look_after(self, slot: _Slot) -> None:
        now = time.monotonic()
        if slot.running.process.poll() is None:
            if now - slot.since > _STABLE_S:
                slot.pause_s = _FIRST_PAUSE_S
        elif slot.restart_at is None:
            slot.restart_at = now + slot.pause_s
            code = slot.running.process.returncode
            self.say(f"意外退出：{slot.service.title}（退出码 {code}），{slot.pause_s:g} 秒后重新启动。")
        elif now >= slot.restart_at:
            self._restart(slot)

    def _restart(self, slot: _Slot) -> None:
        slot.restart_at = None
        slot.pause_s = min(slot.pause_s * 2, _LONGEST_PAUSE_S)
        before = slot.running.url
        try:
            slot.running = slot.service.start()
        except StartError as error:
            self.say(f"没有启动起来：{slot.service.title}。{error}")
            return
        slot.since = time.monotonic()
        self.say(f"已重新启动：{slot.service.title}。")
        if slot.running.url != before:
            self._renew_after(slot)

    def _renew_after(self, moved: _Slot) -> None:
        """A service came back at another address: those started after it must learn the new one."""
        for slot in self._slots[self._slots.index(moved) + 1 :]:
            slot.running.stop()

    def stop(self) -> None:
        """Stop everything, last started first; further signals are ignored, because this always ends."""
        self._stopping = True
        for slot in reversed(self._slots):
            self.say(f"正在停止：{slot.service.title}……")
            slot.running.stop()
        self._slots.clear()
