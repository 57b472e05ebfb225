"""`linli up` as a whole: it comes up, stays up, goes away without a trace, and says in Chinese what is wrong."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from backend.kernel.processes import _can_reach
from tests.processes.launchers import Launcher, living_in, until

PYTHON = [sys.executable]


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    made = Launcher(tmp_path, PYTHON)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.interrupt()
    until(lambda: not living_in(tmp_path), what="nothing is left after the test")


@pytest.fixture
def ordinary(launcher: Launcher) -> Iterator[Launcher]:
    """A launcher that runs as an ordinary user, whoever runs the tests."""
    if os.geteuid() != 0:
        yield launcher
        return
    account = pwd.getpwnam("nobody").pw_uid
    python = next((found for found in (sys.executable, _system_python()) if found and _can_run(account, found)), None)
    if python is None:
        pytest.skip("no Python of this version that an ordinary user can run")
    home = Path(tempfile.mkdtemp(prefix="linli-ordinary-"))
    os.chown(home, account, account)
    made = Launcher(home, [python], user=account)
    packages = sysconfig.get_paths()["purelib"]
    made.env = {"PYTHONPATH": f"{Path(__file__).parents[2]}:{packages}", "HOME": str(home)}
    yield made
    if made.process is not None and made.process.poll() is None:
        made.interrupt()
    until(lambda: not living_in(home), what="nothing is left after the test")
    shutil.rmtree(home)


def _system_python() -> str | None:
    return shutil.which(f"python{sys.version_info.major}.{sys.version_info.minor}", path="/usr/local/bin:/usr/bin")


def _can_run(account: int, python: str) -> bool:
    return _can_reach(account, Path(python).resolve()) and _can_reach(account, Path(sysconfig.get_paths()["purelib"]))


def _ping(url: str) -> bool:
    with redis.Redis.from_url(url, socket_timeout=1) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False


def test_interrupt_leaves_no_process_and_the_next_start_keeps_the_data(launcher: Launcher) -> None:
    launcher.start()
    launcher.sql("CREATE TABLE kept AS SELECT 42 AS answer")
    assert launcher.interrupt() == 0, launcher.said()
    assert living_in(launcher.home) == {}
    launcher.start()
    assert launcher.sql("SELECT answer FROM kept") == "42"


def test_services_stop_from_the_api_down_to_the_database(launcher: Launcher) -> None:
    launcher.start()
    launcher.interrupt()
    stops = [line.split("：")[1] for line in launcher.said().splitlines() if line.startswith("正在停止：")]
    assert stops == ["接口服务……", "后台任务……", "沙箱……", "Redis……", "PostgreSQL……"]


def test_killed_launcher_leaves_no_process_and_the_next_start_keeps_the_data(launcher: Launcher) -> None:
    launcher.start()
    launcher.sql("CREATE TABLE kept AS SELECT 42 AS answer")
    launcher.kill()
    until(lambda: not living_in(launcher.home), within_s=20, what="everything dies with the launcher")
    launcher.start()
    assert launcher.sql("SELECT answer FROM kept") == "42"


def test_a_start_right_after_a_kill_waits_for_what_is_still_dying(launcher: Launcher) -> None:
    launcher.start()
    launcher.sql("CREATE TABLE kept AS SELECT 42 AS answer")
    before = set(living_in(launcher.home))
    launcher.kill()
    launcher.start()
    assert launcher.sql("SELECT answer FROM kept") == "42"
    assert not before & set(living_in(launcher.home))


def test_an_ordinary_user_can_run_it_and_a_kill_leaves_nothing(ordinary: Launcher) -> None:
    ordinary.start()
    ordinary.sql("CREATE TABLE kept AS SELECT 42 AS answer")
    assert (ordinary.data / "postgres").stat().st_uid == (ordinary.user or os.geteuid())
    ordinary.kill()
    until(lambda: not living_in(ordinary.home), within_s=20, what="everything dies with the launcher")
    ordinary.start()
    assert ordinary.sql("SELECT answer FROM kept") == "42"
    assert ordinary.interrupt() == 0
    assert living_in(ordinary.home) == {}


@pytest.mark.parametrize("after_s", [0.2, 0.5, 0.8])
def test_a_kill_in_the_first_start_does_not_spoil_the_next(launcher: Launcher, after_s: float) -> None:
    launcher.launch()
    assert launcher.process is not None
    with pytest.raises(subprocess.TimeoutExpired):
        launcher.process.wait(after_s)
    launcher.kill()
    launcher.start()


def test_interrupt_in_the_first_start_leaves_no_process(launcher: Launcher) -> None:
    launcher.launch()
    until(lambda: "PostgreSQL" in launcher.said())
    assert launcher.interrupt() == 0, launcher.said()
    until(lambda: not living_in(launcher.home), within_s=10)
    launcher.start()


def test_a_second_start_on_the_same_data_is_refused_and_harms_nothing(launcher: Launcher) -> None:
    launcher.start()
    second = Launcher(launcher.home, PYTHON)
    second.output = launcher.home / "second"
    second.launch()
    assert second.process is not None
    assert second.process.wait(30) == 1
    assert "已经有一个邻里系统在运行" in second.said()
    assert str(launcher.process.pid if launcher.process else "") in second.said()
    assert launcher.sql("SELECT 1") == "1"
    assert launcher.code() is None


def test_the_system_stops_when_the_process_that_started_it_is_gone(launcher: Launcher) -> None:
    """As `make run` does: SIGKILL of make must not leave the system behind."""
    launcher.wrapper = [sys.executable, "-c", "import subprocess, sys; subprocess.call(sys.argv[1:])"]
    launcher.start("--stop-with-parent")
    launcher.kill()
    until(lambda: not living_in(launcher.home), within_s=20, what="the system ends with its parent")
    assert "全部停止了" in launcher.said()


@pytest.mark.parametrize("name", ["api", "worker", "sandbox"])
def test_a_killed_process_is_started_again_and_the_others_are_left_alone(launcher: Launcher, name: str) -> None:
    launcher.start()
    before = {each: launcher.pid_of(each) for each in ("api", "worker", "sandbox", "redis", "postgres")}
    os.kill(before[name], signal.SIGKILL)
    until(lambda: "已重新启动" in launcher.said())
    after = {each: launcher.pid_of(each) for each in before}
    assert {each for each in before if before[each] != after[each]} == {name}, launcher.said()


def test_a_killed_redis_comes_back_empty_at_the_same_address(launcher: Launcher) -> None:
    launcher.start()
    url = launcher.addresses()["LINLI_REDIS_URL"]
    with redis.Redis.from_url(url) as client:
        client.set("lost", "1")
    os.kill(launcher.pid_of("redis"), signal.SIGKILL)
    until(lambda: "已重新启动：Redis" in launcher.said())
    assert _ping(url)
    with redis.Redis.from_url(url) as client:
        assert client.get("lost") is None


def test_a_killed_postgres_recovers_at_the_same_address_with_its_data(launcher: Launcher) -> None:
    launcher.start()
    launcher.sql("CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(launcher.pid_of("postgres"), signal.SIGKILL)
    until(lambda: "已重新启动：PostgreSQL" in launcher.said(), within_s=60)
    assert launcher.sql("SELECT answer FROM kept") == "42"


@pytest.mark.parametrize("variable", ["LINLI_HTTP_PORT", "LINLI_SANDBOX_PORT"])
def test_a_taken_port_is_named_with_the_way_out(launcher: Launcher, variable: str) -> None:
    with socket.create_server(("127.0.0.1", int(launcher.ports[variable]))):
        launcher.launch()
        assert launcher.process is not None
        assert launcher.process.wait(30) == 1
    assert launcher.ports[variable] in launcher.said()
    assert variable in launcher.said()
    assert "Traceback" not in launcher.said()


@pytest.mark.parametrize(("variable", "scheme"), [("LINLI_DATABASE_URL", "postgresql"), ("LINLI_REDIS_URL", "redis")])
def test_a_given_server_that_does_not_answer_is_named_without_its_password(
    launcher: Launcher, variable: str, scheme: str
) -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        port = nobody_listens.getsockname()[1]
        launcher.env = {variable: f"{scheme}://someone:geheim@127.0.0.1:{port}/0"}
        launcher.launch()
        assert launcher.process is not None
        assert launcher.process.wait(30) == 1
    assert variable in launcher.said()
    assert str(port) in launcher.said()
    assert "geheim" not in launcher.said()
    assert "Traceback" not in launcher.said()
    assert living_in(launcher.home) == {}
