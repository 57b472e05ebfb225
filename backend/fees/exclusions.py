"""Exclusions (不收费名单): houses that a person has taken out of an item, with a reason; runs name it (D3)."""

from collections.abc import Sequence
from uuid import UUID

from backend.fees import items
from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, NotFound

LABEL = "SELECT label FROM billable_house WHERE id = $1 AND community_id = $2"

INSERT = """
    INSERT INTO billing_exclusion (item_id, house_id, reason, created_by, created_at)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (item_id, house_id) DO NOTHING
    RETURNING house_id
"""

DELETE = "DELETE FROM billing_exclusion WHERE item_id = $1 AND house_id = $2 RETURNING reason"

OF_ITEM = """
    SELECT x.house_id, h.label, x.reason, x.created_at
      FROM billing_exclusion x JOIN billable_house h ON h.id = x.house_id
     WHERE x.item_id = $1 AND ($2::uuid IS NULL OR x.house_id > $2)
     ORDER BY x.house_id
     LIMIT $3
"""


async def of_item(db: Reader, item_id: UUID, *, after: UUID | None, limit: int) -> list[Record]:
    """The houses excluded from an item that the caller has found in scope."""
    return await db.fetch(OF_ITEM, item_id, after, limit)


async def add(tx: Tx, actor: Actor, *, item_id: UUID, house_id: UUID, communities: Sequence[UUID], reason: str) -> str:
    """Exclude a house of the item's community and return its label; NotFound, Conflict `already_excluded`."""
    item = await items.lock(tx, item_id, communities=communities)
    label = await tx.fetchval(LABEL, house_id, item.community_id)
    if label is None:
        raise NotFound
    if await tx.fetchval(INSERT, item_id, house_id, reason, actor.id, tx.now) is None:
        raise Conflict("该房屋已在不收费名单中。", code="already_excluded")
    audit.record(
        tx, actor, action="fees.house_excluded", target=f"fee_item:{item_id}", community_id=item.community_id,
        reason=reason, after={"house_id": str(house_id)},
    )  # fmt: skip
    return str(label)


async def remove(tx: Tx, actor: Actor, *, item_id: UUID, house_id: UUID, communities: Sequence[UUID]) -> None:
    """Charge the house again from the next run on; NotFound where it is not excluded."""
    item = await items.lock(tx, item_id, communities=communities)
    reason = await tx.fetchval(DELETE, item_id, house_id)
    if reason is None:
        raise NotFound
    audit.record(
        tx, actor, action="fees.house_included", target=f"fee_item:{item_id}", community_id=item.community_id,
        before={"house_id": str(house_id), "reason": reason},
    )  # fmt: skip
