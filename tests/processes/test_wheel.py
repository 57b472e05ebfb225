"""A wheel of the tree is all that is needed: installed away from the source, it brings everything up (Shows 9)."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.processes.launchers import UP, living_in, program_ports, until

ROOT = Path(__file__).parents[2]
PACKAGES = ("backend", "demo", "migrations", "miniprogram_api", "payments", "sandbox", "workers")
PROJECT = ("pyproject.toml", "README.md")
UNSHIPPED = shutil.ignore_patterns("__pycache__", "*.pyc")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that building leaves nothing in the tree."""
    home = tmp_path_factory.mktemp("wheel")
    copy, dist = home / "source", home / "dist"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=UNSHIPPED)
    for name in PROJECT:
        shutil.copy(ROOT / name, copy / name)
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(dist), str(copy)]
    _pip(*build)
    (built,) = dist.glob("linli-*.whl")
    return built


def _pip(*words: str) -> None:
    argv = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    subprocess.run(argv, check=True, env=_bare(), capture_output=True)


def _bare() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


@dataclass
class Installed:
    """An environment of the wheel and its dependencies, and an empty directory to run it in."""

    bin: Path
    home: Path

    def env(self) -> dict[str, str]:
        return _bare() | program_ports()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [str(self.bin / words[0]), *words[1:]]
        return subprocess.run(argv, cwd=self.home, env=_bare(), capture_output=True, text=True, check=False)


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Iterator[Installed]:
    """Dependencies come from the environment that runs the tests; its link to the source is not followed."""
    home, place = tmp_path / "empty", tmp_path / "environment"
    home.mkdir()
    venv.create(place, symlinks=True)
    packages = next((place / "lib").glob("python*/site-packages"))
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    _pip("--python", str(place / "bin" / "python"), "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    yield Installed(place / "bin", home)
    until(lambda: not living_in(home), what="nothing is left after the test")


def test_the_wheel_has_every_file_of_its_packages(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in shipped if name.endswith((".sql", ".html"))}
    assert shipped - names == set()
    assert not {name for name in names if name.startswith("tests/")}


def test_it_runs_in_an_empty_directory_and_the_books_are_sound(installed: Installed) -> None:
    where = installed.run("python", "-c", "import backend, migrations; print(backend.__file__, migrations.__file__)")
    assert str(ROOT) not in where.stdout and where.returncode == 0, where.stdout + where.stderr
    output = installed.home.parent / "output"
    with output.open("wb") as writing:
        process = subprocess.Popen(
            [str(installed.bin / "linli"), "up"],
            cwd=installed.home, env=installed.env(), stdout=writing, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 150
        while UP not in output.read_text():
            assert process.poll() is None and time.monotonic() < deadline, output.read_text()
            time.sleep(0.1)
        check = installed.run("linli", "check")
        assert check.returncode == 0, check.stdout + check.stderr
        assert "全部相符" in check.stdout
        assert sorted(path.name for path in installed.home.iterdir()) == [".linli"]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, output.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
