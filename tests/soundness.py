"""The invariant checks, as a test asks them: all at once where the worker's own database is behind `db`."""

from collections.abc import Sequence

from backend.kernel import checks as kernel_checks
from backend.kernel.checks import Check, Finding
from backend.kernel.db import Database
from tests.worker_database import KeptDatabase


async def broken(db: Database, checks: Sequence[Check]) -> list[Finding]:
    """The checks that rows break; one statement says that there are none, and only else each is asked by itself."""
    if isinstance(db, KeptDatabase) and await db.holds(checks):
        return []
    return [finding for finding in await kernel_checks.run(db, checks) if finding.offenders]
