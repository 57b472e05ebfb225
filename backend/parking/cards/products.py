"""Cards that a lot offers for money (停车卡产品): proposed by one person, approved by another, never changed (S3, D8).

A price that changes is a new product beside a withdrawn one, so that every sale says for ever what it was sold by. What
is withdrawn is sold no more; offers that were made before may still be paid.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from backend.kernel import approvals, audit
from backend.kernel.approvals import Approval, Stale
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.ids import uuid7
from backend.kernel.money import yuan_text
from backend.parking import lots
from backend.parking.cards.states import Audience

KIND = "parking.card_product"

_PRODUCT = """
    SELECT id, community_id, lot_id, name, covers, audience, months, price_fen, vehicles, created_at, withdrawn_at
      FROM parking_card_product
"""

# Index parking_card_product_name.
OF_LOT = f"{_PRODUCT} WHERE lot_id = $1 AND (withdrawn_at IS NULL OR $2) ORDER BY audience, months, name, id LIMIT 200"

OF_LOTS = f"{_PRODUCT} WHERE lot_id = ANY ($1::uuid[]) AND withdrawn_at IS NULL ORDER BY months, id LIMIT 500"

ONE = f"{_PRODUCT} WHERE id = $1 AND lot_id = $2"

INSERT = """
    INSERT INTO parking_card_product (id, community_id, lot_id, name, covers, audience, months, price_fen, vehicles,
                                      approval_id, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (lot_id, name) WHERE withdrawn_at IS NULL DO NOTHING
 RETURNING id
"""

NAMED = "SELECT id FROM parking_card_product WHERE lot_id = $1 AND name = $2 AND withdrawn_at IS NULL"

WITHDRAW = """
    UPDATE parking_card_product SET withdrawn_at = $3
     WHERE id = $1 AND community_id = ANY ($2::uuid[]) AND withdrawn_at IS NULL
 RETURNING community_id
"""

KNOWN = "SELECT id FROM parking_card_product WHERE id = $1 AND community_id = ANY ($2::uuid[])"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a product is: for whom, what it covers in words, for how many months and vehicles, and its price for each
    space in fen."""

    name: str
    covers: str
    audience: Audience
    months: int
    price_fen: int
    vehicles: int


async def propose(
    tx: Tx, actor: Actor, *, lot_id: UUID, communities: Sequence[UUID], terms: Terms, reason: str
) -> Approval:
    """Propose that a lot sells this card; NotFound, Conflict `product_name_taken`, `approval_pending`."""
    lot = await lots.lock(tx, lot_id, communities=communities)
    if await tx.fetchval(NAMED, lot_id, terms.name) is not None:
        raise Conflict("本停车场已有这个名称的停车卡产品，请先停售原来的。", code="product_name_taken")
    kept = {**asdict(terms), "audience": terms.audience.value}
    return await approvals.propose(
        tx,
        actor,
        kind=KIND,
        target=f"parking_lot:{lot_id}/card_product:{terms.name}",
        community_id=lot["community_id"],
        payload={"lot_id": str(lot_id), "terms": kept},
        shown={"before": {}, "after": {"停车场": lot["name"], "单价": f"{yuan_text(terms.price_fen)} 元", **kept}},
        reason=reason,
    )


async def apply(tx: Tx, approval: Approval, actor: Actor) -> None:
    """Offer an approved product; Stale where the lot sells another one of that name by now."""
    terms, lot_id = approval.payload["terms"], UUID(approval.payload["lot_id"])
    product_id = uuid7(tx.now)
    added = await tx.fetchval(
        INSERT, product_id, approval.community_id, lot_id, terms["name"], terms["covers"], terms["audience"],
        terms["months"], terms["price_fen"], terms["vehicles"], approval.id, tx.now,
    )  # fmt: skip
    if added is None:
        raise Stale
    audit.record(
        tx, actor, action="parking.card_product_added", target=f"parking_card_product:{product_id}",
        community_id=approval.community_id, after={"lot_id": str(lot_id), **terms},
    )  # fmt: skip


async def withdraw(tx: Tx, actor: Actor, *, product_id: UUID, communities: Sequence[UUID], reason: str) -> None:
    """Sell a product no more; NotFound, Conflict `product_withdrawn`."""
    community_id = await tx.fetchval(WITHDRAW, product_id, list(communities), tx.now)
    if community_id is None:
        if await tx.fetchval(KNOWN, product_id, list(communities)) is None:
            raise NotFound
        raise Conflict("这个停车卡产品已经停售。", code="product_withdrawn")
    audit.record(
        tx, actor, action="parking.card_product_withdrawn", target=f"parking_card_product:{product_id}",
        community_id=community_id, reason=reason,
    )  # fmt: skip


async def of_lot(db: Reader, lot_id: UUID, *, with_withdrawn: bool = False) -> list[Record]:
    """The products of a lot that the caller has found in scope."""
    return await db.fetch(OF_LOT, lot_id, with_withdrawn)


async def of_lots(db: Reader, lot_ids: Sequence[UUID]) -> list[Record]:
    """What these lots sell now, the shortest first."""
    return await db.fetch(OF_LOTS, list(lot_ids))


async def on_sale(tx: Tx, product_id: UUID, *, lot_id: UUID) -> Record:
    """A product that the lot sells now; NotFound, Conflict `product_withdrawn`."""
    row = await tx.fetchrow(ONE, product_id, lot_id)
    if row is None:
        raise NotFound
    if row["withdrawn_at"] is not None:
        raise Conflict("这个停车卡产品已经停售，请另选一种。", code="product_withdrawn")
    return row
