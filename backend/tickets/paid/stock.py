"""Parts in stock (配件库存): in stores and with the workers, counted by movements that stay for good (D9).

Promises: a count is the sum of its movements and never below zero, whoever takes at the same time: it changes by one
conditional statement that holds its row, and the database refuses the rest. Rows are held by item, then place, so that
two who take the same parts wait and do not deadlock. What a ticket used can come back, no more than that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Batch, Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.tickets.paid.states import Movement, Sort

PLACE = """
    SELECT id, community_id, name, staff_id FROM ticket_stock_place WHERE id = $1 AND community_id = ANY ($2::uuid[])
"""

BAG = "SELECT id FROM ticket_stock_place WHERE community_id = $1 AND staff_id = $2"

PART = """
    SELECT i.id, i.name, i.unit FROM ticket_item i
      JOIN company_community c ON c.company_id = i.company_id AND c.community_id = $2
     WHERE i.id = $1 AND i.sort = $3 AND (i.community_id IS NULL OR i.community_id = $2)
"""

OPEN_ROW = """
    INSERT INTO ticket_stock (community_id, place_id, item_id, count) VALUES ($1, $2, $3, 0)
        ON CONFLICT ON CONSTRAINT ticket_stock_once DO NOTHING
"""

CHANGE = """
    UPDATE ticket_stock SET count = count + $3::integer
     WHERE place_id = $1 AND item_id = $2 AND count + $3::integer >= 0
 RETURNING count
"""

SHORT = """
    SELECT i.name, i.unit, coalesce(s.count, 0) AS count
      FROM ticket_item i LEFT JOIN ticket_stock s ON s.item_id = i.id AND s.place_id = $1
     WHERE i.id = $2
"""

# Index ticket_stock_movement_ticket.
USED = """
    SELECT coalesce(-sum(change), 0)::integer FROM ticket_stock_movement WHERE ticket_id = $1 AND item_id = $2
"""

HOLD_TICKET = "SELECT id FROM ticket WHERE id = $1 AND community_id = $2 FOR UPDATE"

# Index ticket_stock_movement_place.
MOVEMENTS = """
    SELECT m.id, m.item_id, i.name, i.unit, m.kind, m.change, m.ticket_id, t.no AS ticket_no, m.reason, m.at,
           n.name AS actor
      FROM ticket_stock_movement m
      JOIN ticket_item i ON i.id = m.item_id
      LEFT JOIN ticket t ON t.id = m.ticket_id
      LEFT JOIN ticket_staff_name n ON n.id = m.actor_id
     WHERE m.place_id = $1 AND ($2::bigint IS NULL OR m.id < $2)
     ORDER BY m.id DESC
     LIMIT $3
"""

MOVEMENT = Batch(
    table="ticket_stock_movement",
    columns=(
        ("community_id", "uuid"), ("place_id", "uuid"), ("item_id", "uuid"), ("kind", "text"), ("change", "integer"),
        ("ticket_id", "uuid"), ("transfer_id", "uuid"), ("approval_id", "uuid"), ("reason", "text"),
        ("actor_id", "uuid"), ("at", "timestamptz"),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Why:
    """What a movement is: its kind, the reason in words, and what it belongs to."""

    kind: Movement
    reason: str
    ticket_id: UUID | None = None
    transfer_id: UUID | None = None
    approval_id: UUID | None = None


async def place(db: Reader, place_id: UUID, *, communities: Sequence[UUID]) -> Record:
    """A place of these communities; NotFound."""
    row = await db.fetchrow(PLACE, place_id, list(communities))
    if row is None:
        raise NotFound
    return row


async def receive(
    tx: Tx, actor: Actor, *, place_id: UUID, item_id: UUID, quantity: int, reason: str, communities: Sequence[UUID]
) -> int:
    """Parts come in from outside; the new count. NotFound for place and part."""
    where = await place(tx, place_id, communities=communities)
    await _require_part(tx, item_id, where["community_id"])
    return await change(tx, actor, where, item_id=item_id, by=quantity, why=Why(Movement.RECEIVED, reason))


async def transfer(
    tx: Tx, actor: Actor, *, place_id: UUID, to_id: UUID, item_id: UUID, quantity: int, reason: str,
    communities: Sequence[UUID],
) -> int:  # fmt: skip
    """Parts go from one place of a community to another; what is left there.

    Raises NotFound, Invalid `same_place`, Conflict `stock_short`.
    """
    source = await place(tx, place_id, communities=communities)
    target = await place(tx, to_id, communities=[source["community_id"]])
    if source["id"] == target["id"]:
        raise Invalid("调入地点与调出地点相同。", code="same_place")
    await _require_part(tx, item_id, source["community_id"])
    why = Why(Movement.TRANSFERRED, reason, transfer_id=uuid7(tx.now))
    left = 0
    for where, by in sorted(((source, -quantity), (target, quantity)), key=lambda side: side[0]["id"]):
        count = await change(tx, actor, where, item_id=item_id, by=by, why=why)
        left = count if where is source else left
    return left


async def use(
    tx: Tx, actor: Actor, *, community_id: UUID, staff_id: UUID, parts: Mapping[UUID, int], ticket_id: UUID
) -> None:
    """The worker uses parts of his own stock for a ticket whose row is held; Conflict `stock_short`."""
    if not parts:
        return
    bag = await tx.fetchval(BAG, community_id, staff_id)
    if bag is None:
        raise Conflict("处理人还没有随身库存，请先由库管建立并领料。", code="stock_short")
    where = {"id": bag, "community_id": community_id}
    why = Why(Movement.USED, "工单用料", ticket_id=ticket_id)
    for item_id in sorted(parts):
        await change(tx, actor, where, item_id=item_id, by=-parts[item_id], why=why)


async def put_back(
    tx: Tx, actor: Actor, *, place_id: UUID, ticket_id: UUID, item_id: UUID, quantity: int, reason: str,
    communities: Sequence[UUID],
) -> int:  # fmt: skip
    """Parts that a ticket used come back; the new count. NotFound, Conflict `not_used` for more than it has used."""
    where = await place(tx, place_id, communities=communities)
    if await tx.fetchval(HOLD_TICKET, ticket_id, where["community_id"]) is None:
        raise NotFound
    await _require_part(tx, item_id, where["community_id"])
    used = await tx.fetchval(USED, ticket_id, item_id)
    if quantity > used:
        raise Conflict(f"这张工单用了 {used} 件此配件，退回的不能多于所用的。", code="not_used")
    why = Why(Movement.PUT_BACK, reason, ticket_id=ticket_id)
    return await change(tx, actor, where, item_id=item_id, by=quantity, why=why)


async def change(tx: Tx, actor: Actor, where: Record | Mapping[str, UUID], *, item_id: UUID, by: int, why: Why) -> int:
    """One movement at a place that was found in scope; the new count. Conflict `stock_short` below zero."""
    if by > 0:
        await tx.execute(OPEN_ROW, where["community_id"], where["id"], item_id)
    count: int | None = await tx.fetchval(CHANGE, where["id"], item_id, by)
    if count is None:
        raise await _short(tx, where["id"], item_id, wanted=-by)
    assert actor.id is not None, "stock is moved by people"
    tx.add(
        MOVEMENT, where["community_id"], where["id"], item_id, why.kind.value, by, why.ticket_id, why.transfer_id,
        why.approval_id, why.reason, actor.id, tx.now,
    )  # fmt: skip
    audit.record(
        tx, actor, action=f"ticket_stock.{why.kind}", target=f"ticket_stock_place:{where['id']}",
        community_id=where["community_id"], reason=why.reason, after={"item_id": str(item_id), "change": by},
    )  # fmt: skip
    return count


async def movements(db: Reader, place_id: UUID, *, before: int | None, limit: int) -> list[Record]:
    """What came to and went from a place that was found in scope, the newest first."""
    return await db.fetch(MOVEMENTS, place_id, before, limit)


async def _require_part(tx: Tx, item_id: UUID, community_id: UUID) -> None:
    if await tx.fetchrow(PART, item_id, community_id, Sort.PART) is None:
        raise NotFound("没有找到这个配件。")


async def _short(tx: Tx, place_id: UUID, item_id: UUID, *, wanted: int) -> Conflict:
    row = await tx.fetchrow(SHORT, place_id, item_id)
    assert row is not None
    told = (
        f"库存不足：{row['name']}需要 {wanted} {row['unit']}，这里只有 {row['count']} {row['unit']}，请先领料或补货。"
    )
    return Conflict(told, code="stock_short")
