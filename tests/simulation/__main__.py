"""`make simulate SEEDS=n`: n towns of 300 houses over twelve months, on two processes.

Shows each town that ends, remembers those that passed at this state of the tree, so that a run that was cut off goes
on, and says how to play a failing one alone. Exit code 1 when a town failed. A failing seed is added to `KEPT` in
`test_towns.py`.
"""

import argparse
import hashlib
import itertools
import json
import multiprocessing
import os
import subprocess
import tempfile
import time
from pathlib import Path

from tests.simulation.host import ROOT
from tests.simulation.playing import Asked, Told, play, stay

PASSED = ROOT / ".linli" / "simulation" / "passed.jsonl"
HOUSES, MONTHS, PROCESSES = 300, 12, 2


def state_of_tree() -> str:
    """A name for the code as it is now, changes that are not committed included."""
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    changes = subprocess.run(["git", "diff", "HEAD"], cwd=ROOT, capture_output=True, check=False).stdout
    return f"{head.strip()[:12]}-{hashlib.sha256(changes).hexdigest()[:8]}"


def passed(notes: Path, state: str, houses: int, months: int) -> set[int]:
    """Seeds that passed before at this state and size."""
    if not notes.exists():
        return set()
    same = {"state": state, "houses": houses, "months": months}
    lines = [json.loads(line) for line in notes.read_text().splitlines()]
    return {line["seed"] for line in lines if same.items() <= line.items()}


def remember(notes: Path, state: str, asked: Asked, told: Told) -> None:
    """Note a town that passed."""
    notes.parent.mkdir(parents=True, exist_ok=True)
    with notes.open("a") as file:
        line = {"seed": told.seed, "state": state, "houses": asked.houses, "months": asked.months}
        file.write(json.dumps(line | {"seconds": round(told.seconds, 1)}) + "\n")


def main() -> int:
    """Play the towns that are left."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=200, help="play seeds 1 to n")
    parser.add_argument("--only", type=int, help="play this seed alone")
    parser.add_argument("--houses", type=int, default=HOUSES)
    parser.add_argument("--months", type=int, default=MONTHS)
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--passed", type=Path, default=PASSED, help="where towns that passed are noted")
    given = parser.parse_args()
    state = state_of_tree()
    wanted = [given.only] if given.only else range(1, given.seeds + 1)
    done = set() if given.only else passed(given.passed, state, given.houses, given.months)
    left = [Asked(seed, given.houses, given.months) for seed in wanted if seed not in done]
    print(f"{len(wanted)} towns, {len(done.intersection(wanted))} passed before, {len(left)} to play", flush=True)
    started, failed = time.monotonic(), []
    context, places = multiprocessing.get_context("spawn"), min(given.processes, len(left) or 1)
    cores = context.SimpleQueue()
    for _, core in zip(range(places), itertools.cycle(sorted(os.sched_getaffinity(0))), strict=False):
        cores.put(core)
    with (
        tempfile.TemporaryDirectory(prefix="linli-towns-", ignore_cleanup_errors=True) as home,
        context.Pool(places, stay, (cores, Path(home))) as pool,
    ):
        Path(home).chmod(0o755)
        for number, told in enumerate(pool.imap_unordered(play, left), start=1):
            minutes = (time.monotonic() - started) / 60
            asked = Asked(told.seed, given.houses, given.months)
            if told.wrong:
                failed.append(told.seed)
                print(f"seed {told.seed} FAILED after {told.seconds:.0f} s: {told.wrong}", flush=True)
                print(f"  alone: {Path('.venv/bin/python')} -m tests.simulation --only {told.seed}", flush=True)
                continue
            remember(given.passed, state, asked, told)
            paid, refused = told.counted.get("paid", 0), sum(n for name, n in told.counted.items() if name[:1] in "45")
            print(
                f"seed {told.seed} passed in {told.seconds:.0f} s ({paid} payments, {refused} refusals); "
                f"{number} of {len(left)} in {minutes:.0f} min",
                flush=True,
            )
    print(f"{len(left) - len(failed)} passed, {len(failed)} failed{': ' + str(sorted(failed)) if failed else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
