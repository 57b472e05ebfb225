"""The chain of migrations: numbered without a gap, each after the one before it, one file of SQL for each."""

import importlib
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "migrations"


def test_the_chain_is_straight_and_gapless() -> None:
    names = sorted(path.stem for path in FOLDER.glob("[0-9]*.py"))
    assert [name[:4] for name in names] == [f"{number:04}" for number in range(1, len(names) + 1)]
    assert sorted(path.stem for path in (FOLDER / "sql").glob("*.sql")) == names
    for earlier, name in zip([None, *names], names, strict=False):
        migration = importlib.import_module(f"migrations.{name}").Migration
        assert migration.dependencies == ([] if earlier is None else [("linli", earlier)])
