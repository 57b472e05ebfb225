"""Outbox rows that wait for a person (待人工处理的任务): shown with their reason, and sent off again (I-16).

Rows without a community belong to the company as a whole: who may see them holds the permission for all of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Tx
from backend.kernel.errors import NotFound

# Uses outbox_parked.
LIST = """
    SELECT id, event, community_id, attempt, failures, emitted_at, finished_at AS parked_at, last_error AS reason
      FROM outbox
     WHERE state = 'PARKED' AND id > $1
       AND (community_id = ANY($2::uuid[]) OR (community_id IS NULL AND $3))
     ORDER BY id
     LIMIT $4
"""
RETRY = """
    UPDATE outbox
       SET state = 'READY', failures = 0, run_at = $2, finished_at = NULL
     WHERE id = $1 AND state = 'PARKED'
       AND (community_id = ANY($3::uuid[]) OR (community_id IS NULL AND $4))
 RETURNING event, community_id
"""


@dataclass(frozen=True, slots=True)
class ParkedRow:
    """One parked row. The payload stays inside: it holds nothing that the reason does not say."""

    id: int
    event: str
    community_id: UUID | None
    attempt: int
    failures: int
    emitted_at: datetime
    parked_at: datetime
    reason: str


async def rows(
    db: Reader, communities: Sequence[UUID], *, company_wide: bool, after: int, limit: int
) -> list[ParkedRow]:
    """Parked rows of these communities behind number `after`, oldest first."""
    found = await db.fetch(LIST, after, list(communities), company_wide, limit)
    return [ParkedRow(**dict(row.items())) for row in found]


async def retry(tx: Tx, actor: Actor, *, number: int, communities: Sequence[UUID], company_wide: bool) -> None:
    """Let a parked row run again at once; NotFound where there is none within reach."""
    row = await tx.fetchrow(RETRY, number, tx.now, list(communities), company_wide)
    if row is None:
        raise NotFound
    audit.record(
        tx, actor, action="outbox.retried", target=f"outbox:{number}", community_id=row["community_id"],
        after={"event": row["event"]},
    )  # fmt: skip
