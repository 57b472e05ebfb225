"""`make mutants`: takes each protection away in a copy of the tree and expects the named test to go red.

A mutation is a file `<name>.patch`: lines `Protects: …` and `Test: <pytest id>`, then a unified diff. First every named
test must pass on the untouched tree; a mutant that survives, a patch that does not apply, or a test that is red before
fails the run. Two mutants are played at a time.
"""

import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TEST_TIMEOUT_S = 300
UNTOUCHED_TIMEOUT_S = 1800
AT_ONCE = 2


@dataclass(frozen=True)
class Mutation:
    """One protection taken away, and the tests that must notice."""

    path: Path
    protects: str
    tests: tuple[str, ...]


def read(path: Path) -> Mutation:
    lines = path.read_text().splitlines()
    protects = [line.removeprefix("Protects: ") for line in lines if line.startswith("Protects: ")]
    tests = tuple(line.removeprefix("Test: ").strip() for line in lines if line.startswith("Test: "))
    if not protects or not tests:
        raise SystemExit(f"{path.name} names no protection or no test")
    return Mutation(path, protects[0], tests)


def copy(into: Path) -> None:
    """The tracked and new files of the tree, and a link to the environment."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    for name in filter(None, listed):
        source = ROOT / name
        if source.is_file():
            target = into / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def pytest(tree: Path, *argv: str, timeout_s: int = TEST_TIMEOUT_S) -> tuple[bool, str]:
    """Whether all tests of `argv` pass in `tree`, and what pytest said."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *argv]
    try:
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        return False, f"ran into the time-out of {timeout_s} s"
    if done.returncode not in (0, 1):
        raise SystemExit(f"pytest could not run {argv}:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    return done.returncode == 0, done.stdout[-3000:]


def survives(mutation: Mutation) -> str | None:
    """None when the mutant is caught; else why not."""
    with tempfile.TemporaryDirectory(prefix="linli-mutant-") as name:
        tree = Path(name)
        tree.chmod(0o755)
        copy(tree)
        applied = subprocess.run(
            ["patch", "-p1", "--no-backup-if-mismatch", "-i", str(mutation.path)],
            cwd=tree, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if applied.returncode != 0:
            return f"the patch does not apply: {applied.stdout}"
        passed, _ = pytest(tree, "-x", *mutation.tests)
        return "the test stays green" if passed else None


def main(names: list[str]) -> int:
    """Run all mutations, or those named; exit code 1 when one survives."""
    mutations = [read(path) for path in sorted(HERE.glob("*.patch")) if not names or path.stem in names]
    if not mutations:
        print("no such mutation")
        return 1
    tests = tuple(dict.fromkeys(test for mutation in mutations for test in mutation.tests))
    print(f"{len(mutations)} mutations; their {len(tests)} tests on the untouched tree first …", flush=True)
    passed, output = pytest(ROOT, "-n", str(AT_ONCE), *tests, timeout_s=UNTOUCHED_TIMEOUT_S)
    if not passed:
        print(output)
        print("a named test is red before any mutation")
        return 1
    bad = 0
    with ThreadPoolExecutor(AT_ONCE) as players:
        for number, (mutation, why) in enumerate(zip(mutations, players.map(survives, mutations), strict=True), 1):
            bad += why is not None
            verdict = "caught" if why is None else f"SURVIVED: {why}"
            print(f"[{number}/{len(mutations)}] {mutation.path.stem}: {mutation.protects}: {verdict}", flush=True)
    print(f"{len(mutations) - bad} caught, {bad} survived")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
