"""The price list of repairs (维修价目): items of work and parts, each with prices by date (D9, S3).

Promises: a price is proposed by one person and approved by another, counts from a day that has not passed, and never
changes; a quote keeps the price that it was made by. An item without a community counts in all of the company's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from backend.kernel import approvals, audit
from backend.kernel.approvals import Approval, Stale
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.kernel.money import yuan_text
from backend.tickets.paid.states import Sort

KIND = "ticket.price"
SORT_TEXT = {Sort.LABOUR: "人工", Sort.PART: "配件"}

OF_COMPANY = """
    SELECT i.id, i.community_id, i.sort, i.name, i.unit, i.withdrawn_at, p.price_fen, p.starts_on
      FROM ticket_item i
      LEFT JOIN LATERAL (SELECT price_fen, starts_on FROM ticket_price
                          WHERE item_id = i.id AND starts_on <= $3 ORDER BY starts_on DESC LIMIT 1) AS p ON true
     WHERE i.company_id = $1 AND (i.community_id IS NULL OR i.community_id = ANY ($2::uuid[]))
     ORDER BY i.sort, i.name, i.community_id NULLS FIRST, i.id
     LIMIT 1000
"""

# The price of the day, of items that may be used in the community.
PRICES = """
    SELECT DISTINCT ON (i.id) i.id, i.sort, i.name, i.unit, p.price_fen, p.starts_on
      FROM ticket_item i
      JOIN company_community c ON c.company_id = i.company_id AND c.community_id = $2
      JOIN ticket_price p ON p.item_id = i.id AND p.starts_on <= $3
     WHERE i.id = ANY ($1::uuid[]) AND (i.community_id IS NULL OR i.community_id = $2) AND i.withdrawn_at IS NULL
     ORDER BY i.id, p.starts_on DESC
"""

NAMED = """
    SELECT id, sort, unit FROM ticket_item
     WHERE company_id = $1 AND community_id IS NOT DISTINCT FROM $2 AND name = $3 AND withdrawn_at IS NULL
       FOR UPDATE
"""

ADD_ITEM = """
    INSERT INTO ticket_item (id, company_id, community_id, sort, name, unit, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (company_id, community_id, name) WHERE withdrawn_at IS NULL DO NOTHING
 RETURNING id
"""

ADD_PRICE = """
    INSERT INTO ticket_price (id, item_id, price_fen, starts_on, approval_id, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT ON CONSTRAINT ticket_price_once DO NOTHING
 RETURNING id
"""

PRICED_ON = "SELECT price_fen FROM ticket_price WHERE item_id = $1 AND starts_on = $2"

LOCK = "SELECT community_id, withdrawn_at FROM ticket_item WHERE id = $1 AND company_id = $2 FOR UPDATE"

WITHDRAW = "UPDATE ticket_item SET withdrawn_at = $2 WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Terms:
    """An item and what one unit of it costs from a day on."""

    sort: Sort
    name: str
    unit: str
    price_fen: int
    starts_on: date


async def of_company(db: Reader, company_id: UUID, communities: Sequence[UUID], *, today: date) -> list[Record]:
    """The items of a company, and of these communities of it, with today's prices; withdrawn ones too."""
    return await db.fetch(OF_COMPANY, company_id, list(communities), today)


async def prices(db: Reader, community_id: UUID, *, item_ids: Sequence[UUID], today: date) -> dict[UUID, Record]:
    """Today's prices of those of the items that may be used in the community and have one."""
    return {row["id"]: row for row in await db.fetch(PRICES, list(item_ids), community_id, today)}


async def propose(
    tx: Tx, actor: Actor, *, company_id: UUID, community_id: UUID | None, terms: Terms, reason: str
) -> Approval:
    """Propose a price; the caller has checked the scope. Invalid `day_passed`, Conflict `other_item`, `price_set`."""
    if terms.starts_on < tx.today:
        problem = "生效日期不能早于今天。"
        raise Invalid(problem, code="day_passed", fields=[{"field": "starts_on", "message": problem}])
    item = await _item(tx, company_id, community_id, terms)
    if item is not None and await tx.fetchval(PRICED_ON, item["id"], terms.starts_on) is not None:
        raise Conflict("这个项目在该日期已有价格，请另选生效日期。", code="price_set")
    scope = community_id or company_id
    return await approvals.propose(
        tx, actor, kind=KIND, target=f"ticket_price_list:{scope}/{terms.name}/{terms.starts_on}", community_id=scope,
        payload={
            "company_id": str(company_id), "community_id": community_id and str(community_id), "sort": terms.sort.value,
            "name": terms.name, "unit": terms.unit, "price_fen": terms.price_fen,
            "starts_on": terms.starts_on.isoformat(),
        },
        shown={
            "before": {},
            "after": {
                "项目": f"{SORT_TEXT[terms.sort]} {terms.name}",
                "单价": f"{yuan_text(terms.price_fen)} 元/{terms.unit}",
                "生效日期": terms.starts_on.isoformat(),
            },
        },
        reason=reason,
    )  # fmt: skip


async def apply(tx: Tx, approval: Approval, actor: Actor) -> None:
    """The price counts from its day; Stale where that has passed or has a price, or the item is another by now."""
    said = approval.payload
    company_id, community_id = UUID(said["company_id"]), said["community_id"] and UUID(said["community_id"])
    terms = Terms(
        Sort(said["sort"]), said["name"], said["unit"], said["price_fen"], date.fromisoformat(said["starts_on"])
    )
    if terms.starts_on < tx.today:
        raise Stale
    try:
        item = await _item(tx, company_id, community_id, terms)
    except Conflict as error:
        raise Stale from error
    item_id = item["id"] if item is not None else await tx.fetchval(
        ADD_ITEM, uuid7(tx.now), company_id, community_id, terms.sort, terms.name, terms.unit, tx.now
    )  # fmt: skip
    if item_id is None or await tx.fetchval(
        ADD_PRICE, uuid7(tx.now), item_id, terms.price_fen, terms.starts_on, approval.id, tx.now
    ) is None:  # fmt: skip
        raise Stale
    audit.record(
        tx, actor, action="ticket_price.set", target=f"ticket_item:{item_id}", community_id=approval.community_id,
        reason=approval.reason, after={"price_fen": terms.price_fen, "starts_on": terms.starts_on.isoformat()},
    )  # fmt: skip


async def withdraw(tx: Tx, actor: Actor, *, item_id: UUID, company_id: UUID, reason: str) -> None:
    """An item is offered no more, anywhere in the company; NotFound, Conflict `item_withdrawn`."""
    row = await tx.fetchrow(LOCK, item_id, company_id)
    if row is None:
        raise NotFound
    if row["withdrawn_at"] is not None:
        raise Conflict("这个项目已经停用。", code="item_withdrawn")
    await tx.execute(WITHDRAW, item_id, tx.now)
    audit.record(
        tx, actor, action="ticket_item.withdrawn", target=f"ticket_item:{item_id}",
        community_id=row["community_id"] or company_id, reason=reason,
    )  # fmt: skip


async def _item(tx: Tx, company_id: UUID, community_id: UUID | None, terms: Terms) -> Record | None:
    """The item of this name, held; None where there is none. Conflict `other_item` where it is something else."""
    row = await tx.fetchrow(NAMED, company_id, community_id, terms.name)
    if row is not None and (row["sort"], row["unit"]) != (terms.sort, terms.unit):
        raise Conflict("同名的项目已存在，但类别或单位不同，请改用其他名称。", code="other_item")
    return row
