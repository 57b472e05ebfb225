"""Pauses of collection (暂停线上收款): a company or one of its communities takes no new payments online (D4).

Callbacks, queries and refunds go on, and so does the counter: only new orders stop (`merchants.choice` looks here).
"""

from collections.abc import Sequence
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import NotFound
from backend.kernel.ids import uuid7

PAUSE = """
    INSERT INTO collection_pause (id, company_id, community_id, reason, paused_by, paused_at)
    VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (company_id, community_id) DO UPDATE SET reason = EXCLUDED.reason
 RETURNING id
"""

RESUME = """
    DELETE FROM collection_pause WHERE company_id = $1 AND community_id IS NOT DISTINCT FROM $2 RETURNING id
"""

IN_FORCE = """
    SELECT community_id, reason, paused_by, paused_at
      FROM collection_pause
     WHERE company_id = $1 AND (community_id IS NULL OR community_id = ANY ($2::uuid[]))
     ORDER BY paused_at
"""


async def pause(tx: Tx, actor: Actor, *, company_id: UUID, community_id: UUID | None, reason: str) -> None:
    """Stop new orders of the community, None: of the whole company. Said again, it keeps the newer reason."""
    await tx.execute(PAUSE, uuid7(tx.now), company_id, community_id, reason, actor.id, tx.now)
    _record(tx, actor, "payments.collection_paused", company_id, community_id, reason)


async def resume(tx: Tx, actor: Actor, *, company_id: UUID, community_id: UUID | None, reason: str) -> None:
    """Allow new orders again; NotFound where they were not stopped."""
    if await tx.fetchval(RESUME, company_id, community_id) is None:
        raise NotFound
    _record(tx, actor, "payments.collection_resumed", company_id, community_id, reason)


async def in_force(db: Reader, company_id: UUID, *, communities: Sequence[UUID]) -> list[Record]:
    """The pauses of the company and of these of its communities, the oldest first."""
    return await db.fetch(IN_FORCE, company_id, list(communities))


def _record(tx: Tx, actor: Actor, action: str, company_id: UUID, community_id: UUID | None, reason: str) -> None:
    place = community_id or company_id
    audit.record(tx, actor, action=action, target=f"collection:{place}", community_id=place, reason=reason)
