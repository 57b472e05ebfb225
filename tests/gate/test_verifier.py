"""The reference verifier stands alone: its tests run where the product is not installed (D10, docs/gates.md)."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import cryptography

from tests.visitor_vectors import vectors

ROOT = Path(__file__).parents[2]
VERIFIER = ROOT / "gate" / "verifier.py"


def test_the_verifier_passes_its_own_tests_without_the_product(tmp_path: Path) -> None:
    """A folder with the two files and `cryptography`, and no other package beside Python's own library."""
    shutil.copy(VERIFIER, tmp_path)
    shutil.copy(Path(__file__).with_name("verifier_cases.py"), tmp_path)
    packages = Path(cryptography.__file__).parents[1]
    for name in ("cryptography", "cffi", "_cffi_backend*"):
        for found in packages.glob(name):
            (tmp_path / found.name).symlink_to(found)
    done = subprocess.run(
        [sys.executable, "-S", "-B", "verifier_cases.py", json.dumps(vectors())],
        cwd=tmp_path, env={}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 900


def test_the_verifier_imports_nothing_but_the_library_and_cryptography() -> None:
    imported = set()
    for node in ast.walk(ast.parse(VERIFIER.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        imported |= {name.split(".")[0] for name in names}
    assert imported - sys.stdlib_module_names == {"cryptography"}
