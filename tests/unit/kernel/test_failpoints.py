"""Failpoints act when armed, as often as told, in sandbox mode only."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator

import asyncpg
import pytest

from backend.kernel import failpoints
from backend.kernel.config import ConfigError, Settings
from backend.kernel.failpoints import FailpointError, arm, arm_from, failpoint, failpoint_sync


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    failpoints.disarm_all()
    yield
    failpoints.disarm_all()


def test_nothing_happens_while_nothing_is_armed() -> None:
    asyncio.run(failpoint("a.b"))
    failpoint_sync("a.b")


def test_only_the_named_point_raises() -> None:
    arm("a.b", "raise")
    failpoint_sync("a.c")
    with pytest.raises(FailpointError, match=r"a\.b"):
        asyncio.run(failpoint("a.b"))


def test_a_point_acts_as_often_as_told() -> None:
    arm("a.b", "raise", times=2)
    for _ in range(2):
        with pytest.raises(FailpointError):
            failpoint_sync("a.b")
    failpoint_sync("a.b")
    assert failpoints.passes("a.b") == 3


def test_a_point_can_wait_for_its_third_pass() -> None:
    arm_from(Settings(failpoints="run.after_chunk=raise*1@3"))
    failpoint_sync("run.after_chunk")
    failpoint_sync("run.after_chunk")
    with pytest.raises(FailpointError):
        failpoint_sync("run.after_chunk")
    failpoint_sync("run.after_chunk")


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("raise40001", asyncpg.SerializationError),
        ("raise40P01", asyncpg.DeadlockDetectedError),
        ("raise57014", asyncpg.QueryCanceledError),
        ("raise55P03", asyncpg.LockNotAvailableError),
        ("cancel", asyncio.CancelledError),
    ],
)
def test_a_point_raises_what_the_database_would(action: str, error: type[BaseException]) -> None:
    arm("a.b", action)
    with pytest.raises(error):
        failpoint_sync("a.b")


def test_a_point_sleeps() -> None:
    arm("a.b", "sleep:0.05")
    started_s = time.monotonic()
    asyncio.run(failpoint("a.b"))
    failpoint_sync("a.b")
    assert time.monotonic() - started_s >= 0.1


def test_a_point_ends_the_process_like_a_kill() -> None:
    code = "from backend.kernel import failpoints as f; f.arm('a', 'exit137'); f.failpoint_sync('a')"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 137


def test_disarmed_points_are_silent() -> None:
    arm("a.b", "raise")
    failpoints.disarm_all()
    failpoint_sync("a.b")


@pytest.mark.parametrize("text", ["a", "a=", "a=explode", "a=raise*", "a=sleep:x", "a=raise;b=raise", "=raise"])
def test_unreadable_settings_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="故障点"):
        arm_from(Settings(failpoints=text))


def test_several_points_are_read_from_the_settings() -> None:
    arm_from(Settings(failpoints="a.b=raise, c.d=sleep:0.5*2"))
    with pytest.raises(FailpointError):
        failpoint_sync("a.b")


def test_live_mode_refuses_failpoints() -> None:
    live = Settings.model_construct(**{**Settings(failpoints="a.b=raise").model_dump(), "mode": "live"})
    with pytest.raises(ConfigError):
        arm_from(live)
    failpoint_sync("a.b")
