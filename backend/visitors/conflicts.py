"""Entries that gates let in alone and the server would have refused (离线通行冲突): for staff to look at and settle.

Promises: each is named once, with gate, pass and reason (I-20); who settles it says what came of it, audited (I-22).
"""

from collections.abc import Sequence
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, NotFound

# Index visitor_conflict_open. A pass that is meant names its house; a resident's own code does too.
OPEN = """
    SELECT c.id, c.community_id, c.gate_id, d.name AS gate, c.subject_id, h.label AS house, c.reason, c.happened_at,
           c.told_at
      FROM visitor_conflict c
      LEFT JOIN visitor_gate d ON d.id = c.gate_id
      LEFT JOIN visitor_pass p ON p.id = c.subject_id
      LEFT JOIN resident_pass r ON r.id = c.subject_id
      LEFT JOIN visitor_house h ON h.id = coalesce(p.house_id, r.house_id)
     WHERE c.community_id = ANY ($1::uuid[]) AND c.settled_at IS NULL AND ($2::uuid IS NULL OR c.id < $2)
     ORDER BY c.id DESC
     LIMIT $3
"""

LOCK = """
    SELECT id, community_id, settled_at FROM visitor_conflict
     WHERE id = $1 AND community_id = ANY ($2::uuid[]) FOR UPDATE
"""
SETTLE = "UPDATE visitor_conflict SET settled_by = $2, settled_at = $3, note = $4 WHERE id = $1"


async def in_communities(db: Reader, communities: Sequence[UUID], *, before: UUID | None, limit: int) -> list[Record]:
    """The conflicts that nobody has settled, newest first."""
    return await db.fetch(OPEN, list(communities), before, limit)


async def settle(tx: Tx, actor: Actor, *, conflict_id: UUID, communities: Sequence[UUID], note: str) -> None:
    """Somebody has looked at a conflict; NotFound, Conflict `settled_already`."""
    row = await tx.fetchrow(LOCK, conflict_id, list(communities))
    if row is None:
        raise NotFound
    if row["settled_at"] is not None:
        raise Conflict("这条冲突已经处理过。", code="settled_already")
    await tx.execute(SETTLE, conflict_id, actor.id, tx.now, note)
    audit.record(
        tx, actor, action="visitor.conflict_settled", target=f"visitor_conflict:{conflict_id}",
        community_id=row["community_id"], reason=note,
    )  # fmt: skip
