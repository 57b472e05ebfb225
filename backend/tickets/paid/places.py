"""Where parts lie (库存地点): stores of a community, and what each of its workers carries (D9)."""

from collections.abc import Sequence
from uuid import UUID

from backend.identity.roles import PERMISSIONS
from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.ids import uuid7
from backend.tickets.guards import FIT, WORK

ADD = """
    INSERT INTO ticket_stock_place (id, community_id, name, staff_id, created_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT DO NOTHING
 RETURNING id
"""

OF_COMMUNITIES = """
    SELECT p.id, p.community_id, p.name, p.staff_id, n.name AS staff
      FROM ticket_stock_place p LEFT JOIN ticket_staff_name n ON n.id = p.staff_id
     WHERE p.community_id = ANY ($1::uuid[])
     ORDER BY p.community_id, p.staff_id NULLS FIRST, p.name
     LIMIT 500
"""

COUNTS = """
    SELECT s.place_id, s.item_id, i.name, i.unit, s.count
      FROM ticket_stock s JOIN ticket_item i ON i.id = s.item_id
     WHERE s.place_id = ANY ($1::uuid[])
     ORDER BY i.name, s.item_id
"""


async def add(tx: Tx, actor: Actor, *, community_id: UUID, name: str, staff_id: UUID | None) -> UUID:
    """A store, or what a worker of the community carries; NotFound for the worker, Conflict `place_taken`."""
    if staff_id is not None:
        allowed = sorted(role.value for role in PERMISSIONS[WORK])
        if await tx.fetchval(FIT, staff_id, community_id, allowed) is None:
            raise NotFound("没有找到这位处理人，或其在本小区没有接单权限。")
    made: UUID | None = await tx.fetchval(ADD, uuid7(tx.now), community_id, name, staff_id, tx.now)
    if made is None:
        raise Conflict("本小区已有这个名称的库存地点，或这位处理人已有随身库存。", code="place_taken")
    audit.record(
        tx, actor, action="ticket_stock.place_added", target=f"ticket_stock_place:{made}", community_id=community_id,
        after={"name": name, "staff_id": staff_id and str(staff_id)},
    )  # fmt: skip
    return made


async def of_communities(db: Reader, communities: Sequence[UUID]) -> list[Record]:
    """The places of communities, stores first."""
    return await db.fetch(OF_COMMUNITIES, list(communities))


async def counts(db: Reader, place_ids: Sequence[UUID]) -> list[Record]:
    """What lies at places that were found in scope."""
    return await db.fetch(COUNTS, list(place_ids))
