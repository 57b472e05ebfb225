"""What operators watch of payments: attempts whose end is unknown, differences that wait for a person."""

from backend.kernel import metrics
from backend.kernel.db import Database

FIGURES = """
    SELECT (SELECT count(*) FROM payment_attempt WHERE state = 'UNKNOWN' AND ask_at IS NOT NULL) AS unknown,
           (SELECT count(*) FROM difference WHERE state IN ('OPEN', 'ESCALATED')) AS differences
"""


async def measure(db: Database) -> None:
    """Set the figures of payments from the database."""
    row = await db.fetchrow(FIGURES)
    assert row is not None
    metrics.unknown_attempts.set(row["unknown"])
    metrics.open_differences.set(row["differences"])
