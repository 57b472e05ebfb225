"""Fee items (收费项目): what is charged, to which houses, by which formula, how often (D2).

A command audits in its own transaction (I-22). What a run has planned keeps the item as it was; changes reach the next
run. Reads take the communities that the asker may see: a foreign item is an unknown one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any
from uuid import UUID

from backend.fees.periods import Anchor, Cycle
from backend.fees.plan import Formula, Item, Liable, Nature
from backend.fees.states import ItemState
from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.kernel.money import Rounding, RoundingUnit

CYCLES = (1, 2, 3, 6, 12)


@dataclass(frozen=True, slots=True)
class NewItem:
    """What a new item says. `cycle_months` is one of CYCLES; `valid_until` is the first day after."""

    code: str
    name: str
    type: str
    nature: Nature
    formula: Formula
    cycle_months: int
    prepaid: bool
    lead_days: int
    due_days: int
    rounding: Rounding
    rounding_unit: RoundingUnit
    house_kinds: tuple[str, ...]
    liable: Liable
    payable_online: bool
    valid_from: date
    valid_until: date | None = None
    anchor: Anchor = Anchor.CALENDAR


@dataclass(frozen=True, slots=True)
class Changes:
    """What may change of an item that is in use; None leaves it as it is."""

    name: str | None = None
    lead_days: int | None = None
    due_days: int | None = None
    rounding: Rounding | None = None
    rounding_unit: RoundingUnit | None = None
    house_kinds: tuple[str, ...] | None = None
    payable_online: bool | None = None


INSERT = """
    INSERT INTO fee_item (id, community_id, code, name, type, nature, formula, cycle_months, prepaid, lead_days,
                          due_days, rounding, rounding_unit, house_kinds, liable, payable_online, valid_from,
                          valid_until, anchor, state, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, 'ACTIVE', $20)
    ON CONFLICT (community_id, code) DO NOTHING
    RETURNING *
"""

ONE = "SELECT * FROM fee_item WHERE id = $1 AND ($2::uuid[] IS NULL OR community_id = ANY ($2))"

# NO KEY: runs of the item may be inserted meanwhile, but no two of its runs generate at once.
LOCK = ONE + " FOR NO KEY UPDATE"

LIST = """
    SELECT i.*, p.rate_micro, p.effective_from
      FROM fee_item i
      LEFT JOIN LATERAL (SELECT v.rate_micro, v.effective_from FROM price_version v
                          WHERE v.item_id = i.id AND v.effective_from <= $3
                          ORDER BY v.effective_from DESC LIMIT 1) AS p ON true
     WHERE i.community_id = ANY ($1::uuid[]) AND ($2::uuid IS NULL OR i.community_id = $2)
       AND ($4::bigint IS NULL OR i.no > $4)
     ORDER BY i.no
     LIMIT $5
"""

CHANGE = """
    UPDATE fee_item
       SET name = coalesce($2, name), lead_days = coalesce($3, lead_days), due_days = coalesce($4, due_days),
           rounding = coalesce($5, rounding), rounding_unit = coalesce($6, rounding_unit),
           house_kinds = coalesce($7, house_kinds), payable_online = coalesce($8, payable_online)
     WHERE id = $1
 RETURNING *
"""

CLOSE = "UPDATE fee_item SET state = 'CLOSED' WHERE id = $1"


def of_row(row: Record) -> Item:
    """The item that a row of the table holds."""
    return Item(
        id=row["id"],
        no=row["no"],
        community_id=row["community_id"],
        code=row["code"],
        name=row["name"],
        formula=Formula(row["formula"]),
        nature=Nature(row["nature"]),
        rounding=Rounding(row["rounding"]),
        rounding_unit=RoundingUnit(row["rounding_unit"]),
        house_kinds=tuple(row["house_kinds"]),
        liable=Liable(row["liable"]),
        state=row["state"],
        cycle=Cycle(
            anchor=Anchor(row["anchor"]),
            months=row["cycle_months"],
            one_off=row["nature"] == Nature.ONE_OFF,
            prepaid=row["prepaid"],
            lead_days=row["lead_days"],
            due_days=row["due_days"],
            valid_from=row["valid_from"],
            valid_until=row["valid_until"],
        ),
    )


async def row_of(db: Reader, item_id: UUID, *, communities: Sequence[UUID] | None) -> Record:
    """The item's row; NotFound for unknown and foreign ones. None for communities: a job, which sees all."""
    row = await db.fetchrow(ONE, item_id, None if communities is None else list(communities))
    if row is None:
        raise NotFound
    return row


async def lock(tx: Tx, item_id: UUID, *, communities: Sequence[UUID] | None) -> Item:
    """The item, locked to the end of the transaction; NotFound for unknown and foreign ones."""
    row = await tx.fetchrow(LOCK, item_id, None if communities is None else list(communities))
    if row is None:
        raise NotFound
    return of_row(row)


async def in_communities(
    db: Reader, communities: Sequence[UUID], *, community_id: UUID | None, on: date, after: int | None, limit: int
) -> list[Record]:
    """Items in order of `no`, with the price in force on `on`."""
    return await db.fetch(LIST, list(communities), community_id, on, after, limit)


async def create(tx: Tx, actor: Actor, *, community_id: UUID, new: NewItem) -> Record:
    """Create an item without a price; Invalid for what does not fit, Conflict `item_code_taken`."""
    _require_sound(new)
    row = await tx.fetchrow(
        INSERT, uuid7(tx.now), community_id, new.code, new.name, new.type, new.nature, new.formula, new.cycle_months,
        new.prepaid, new.lead_days, new.due_days, new.rounding, new.rounding_unit, list(new.house_kinds), new.liable,
        new.payable_online, new.valid_from, new.valid_until, new.anchor, tx.now,
    )  # fmt: skip
    if row is None:
        raise Conflict("该小区已有这个编码的收费项目，请换一个编码。", code="item_code_taken")
    audit.record(
        tx, actor, action="fees.item_created", target=f"fee_item:{row['id']}", community_id=community_id,
        after=_shown(row),
    )  # fmt: skip
    return row


def _require_sound(new: NewItem) -> None:
    if new.cycle_months not in CYCLES:
        raise Invalid("计费周期只能是 1、2、3、6 或 12 个月。", fields=[{"field": "cycle_months"}])
    if new.anchor is Anchor.HANDOVER and (new.cycle_months != 12 or new.nature is Nature.ONE_OFF):
        raise Invalid("从交付日起算的项目只能按年收费。", fields=[{"field": "anchor"}])
    if (new.nature is Nature.RECURRING_UNTIL) != (new.valid_until is not None):
        raise Invalid("只有“到期为止”的项目要填写截止日期，而且必须填写。", fields=[{"field": "valid_until"}])
    if new.valid_until is not None and new.valid_until <= new.valid_from:
        raise Invalid("截止日期必须晚于起始日期。", fields=[{"field": "valid_until"}])
    if not new.house_kinds:
        raise Invalid("请至少选择一种适用的房屋。", fields=[{"field": "house_kinds"}])


async def change(tx: Tx, actor: Actor, *, item_id: UUID, communities: Sequence[UUID], changes: Changes) -> Record:
    """Change an active item; runs already planned keep what they have. NotFound, Conflict `item_closed`."""
    item = await lock(tx, item_id, communities=communities)
    _require_active(item)
    before = await row_of(tx, item_id, communities=None)
    kinds = None if changes.house_kinds is None else list(changes.house_kinds)
    row = await tx.fetchrow(
        CHANGE, item_id, changes.name, changes.lead_days, changes.due_days, changes.rounding, changes.rounding_unit,
        kinds, changes.payable_online,
    )  # fmt: skip
    if row is None:
        raise NotFound
    names = [field.name for field in fields(changes) if getattr(changes, field.name) is not None]
    audit.record(
        tx, actor, action="fees.item_changed", target=f"fee_item:{item_id}", community_id=item.community_id,
        before={name: before[name] for name in names}, after={name: row[name] for name in names},
    )  # fmt: skip
    return row


async def close(tx: Tx, actor: Actor, *, item_id: UUID, communities: Sequence[UUID]) -> Item:
    """Close an item: no new run of it; bills stay. Closing twice is Conflict `item_closed`."""
    item = await lock(tx, item_id, communities=communities)
    _require_active(item)
    await tx.execute(CLOSE, item_id)
    audit.record(
        tx, actor, action="fees.item_closed", target=f"fee_item:{item_id}", community_id=item.community_id,
        before={"state": item.state}, after={"state": ItemState.CLOSED.value},
    )  # fmt: skip
    return item


def _require_active(item: Item) -> None:
    if item.state != ItemState.ACTIVE:
        raise Conflict("该收费项目已停用。", code="item_closed")


def _shown(row: Record) -> dict[str, Any]:
    kept = ("code", "name", "type", "nature", "formula", "cycle_months", "rounding", "rounding_unit", "house_kinds")
    return {name: row[name] for name in kept} | {"valid_from": row["valid_from"].isoformat()}
