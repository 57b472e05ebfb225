"""Invariant checks: SQL that returns the rows which should not exist (reliability section 1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from backend.kernel.db import Database, Tx

SAMPLE = 5


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant: its number, what it promises, and a query for the rows that break it."""

    code: str
    title: str
    sql: str


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: how many rows break it, and some of them as text."""

    check: Check
    offenders: int
    samples: tuple[str, ...]


async def run(db: Database, checks: Sequence[Check]) -> list[Finding]:
    """Run every check, one after the other, and return a finding for each."""
    return [await db.transact(partial(_look, check=check)) for check in checks]


async def _look(tx: Tx, *, check: Check) -> Finding:
    await tx.allow(statement_s=600)
    rows = await tx.fetch(f"SELECT *, count(*) OVER () AS offenders FROM ({check.sql}) AS broken LIMIT {SAMPLE}")  # noqa: S608 - checks are constants
    samples = tuple(", ".join(f"{name}={value}" for name, value in row.items() if name != "offenders") for row in rows)
    return Finding(check, rows[0]["offenders"] if rows else 0, samples)
