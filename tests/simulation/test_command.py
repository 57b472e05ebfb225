"""`make simulate`: plays towns on processes of its own, notes those that passed, goes on where it was cut off."""

import subprocess
import sys
from pathlib import Path

from tests.simulation.host import ROOT


def told(notes: Path, seeds: int) -> str:
    argv = [sys.executable, "-m", "tests.simulation", "--houses", "3", "--months", "1", "--passed", str(notes)]
    run = subprocess.run(
        [*argv, "--seeds", str(seeds)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_towns_that_passed_are_not_played_again(tmp_path: Path) -> None:
    first = told(tmp_path / "passed.jsonl", 2)
    assert "2 towns, 0 passed before, 2 to play" in first and "2 passed, 0 failed" in first
    assert "2 towns, 2 passed before, 0 to play" in told(tmp_path / "passed.jsonl", 2)
