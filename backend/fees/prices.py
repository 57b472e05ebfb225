"""Price versions (单价版本): what an item costs from which day on. One person proposes, another approves (S3).

Versions of an item never overlap (EXCLUDE in the database): one price a day. A new one begins after the last one began
and ends it; an item's first price goes the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from backend.fees import items
from backend.fees.plan import Formula, Item, Nature
from backend.fees.proration import Rate
from backend.fees.states import ItemState
from backend.kernel import approvals, audit
from backend.kernel.approvals import Approval, Stale
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Tx
from backend.kernel.errors import Conflict, Invalid
from backend.kernel.ids import uuid7

KIND = "fees.price"

OF_ITEM = """
    SELECT id, rate_micro, effective_from, effective_until
      FROM price_version WHERE item_id = $1 ORDER BY effective_from
"""

END_LAST = "UPDATE price_version SET effective_until = $2 WHERE id = $1"

INSERT = """
    INSERT INTO price_version (id, item_id, item_no, rate_micro, effective_from, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)
"""


@dataclass(frozen=True, slots=True)
class Added:
    """A price version that has come into being."""

    id: UUID
    item_id: UUID
    effective_from: date


def rate_text(rate_micro: int) -> str:
    """Millionths of a yuan as people write them: 2500000 is 2.50, 123456 is 0.123456."""
    yuan, micro = divmod(rate_micro, 1_000_000)
    return f"{yuan}.{f'{micro:06d}'.rstrip('0').ljust(2, '0')}"


def unit_text(formula: Formula, *, one_off: bool) -> str:
    """The unit in which a price is said: 元/m²·月, 元/m², 元/月, 元."""
    if formula is Formula.FIXED:
        return "元" if one_off else "元/月"
    return "元/m²" if one_off else "元/m²·月"


async def of_item(db: Reader, item_id: UUID) -> tuple[Rate, ...]:
    """The item's price versions, in order of time."""
    rows = await db.fetch(OF_ITEM, item_id)
    return tuple(Rate(row["id"], row["rate_micro"], row["effective_from"], row["effective_until"]) for row in rows)


async def propose(
    tx: Tx,
    actor: Actor,
    *,
    item_id: UUID,
    communities: Sequence[UUID],
    rate_micro: int,
    effective_from: date,
    reason: str,
) -> Approval:
    """Propose that the item costs `rate_micro` from `effective_from` on; nothing changes before the approval.

    Raises NotFound, Conflict `item_closed` or `approval_pending`, Invalid for a day not after the last version's.
    """
    item = await items.lock(tx, item_id, communities=communities)
    last = _last(await of_item(tx, item_id))
    _require_fit(item, last, effective_from)
    return await approvals.propose(
        tx,
        actor,
        kind=KIND,
        target=f"fee_item:{item_id}",
        community_id=item.community_id,
        payload={
            "item_id": str(item_id),
            "rate_micro": rate_micro,
            "effective_from": effective_from.isoformat(),
            "last_version_id": None if last is None else str(last.version_id),
        },
        shown={
            "before": None if last is None else _shown(item, last.rate_micro, last.since),
            "after": _shown(item, rate_micro, effective_from),
        },
        reason=reason,
    )


async def apply(tx: Tx, approval: Approval, actor: Actor) -> None:
    """Make an approved price a version; Stale where the item was closed or another price came between."""
    item_id = UUID(approval.payload["item_id"])
    effective_from = date.fromisoformat(approval.payload["effective_from"])
    item = await items.lock(tx, item_id, communities=None)
    last = _last(await of_item(tx, item_id))
    if item.state != ItemState.ACTIVE or approval.payload["last_version_id"] != (last and str(last.version_id)):
        raise Stale
    await add(tx, actor, item=item, rate_micro=approval.payload["rate_micro"], effective_from=effective_from)


async def add(tx: Tx, actor: Actor, *, item: Item, rate_micro: int, effective_from: date) -> Added:
    """Add a version to an item that the caller has locked: approvals do, and the import of a new community."""
    last = _last(await of_item(tx, item.id))
    _require_fit(item, last, effective_from)
    if last is not None:
        await tx.execute(END_LAST, last.version_id, effective_from)
    added = Added(uuid7(tx.now), item.id, effective_from)
    await tx.execute(INSERT, added.id, item.id, item.no, rate_micro, effective_from, tx.now)
    audit.record(
        tx,
        actor,
        action="fees.price_added",
        target=f"price_version:{added.id}",
        community_id=item.community_id,
        before=None if last is None else _shown(item, last.rate_micro, last.since),
        after=_shown(item, rate_micro, effective_from),
    )
    return added


def _last(rates: Sequence[Rate]) -> Rate | None:
    return rates[-1] if rates else None


def _require_fit(item: Item, last: Rate | None, effective_from: date) -> None:
    if item.state != ItemState.ACTIVE:
        raise Conflict("该收费项目已停用。", code="item_closed")
    if last is not None and effective_from <= last.since:
        raise Invalid(
            f"新单价的生效日期必须晚于现行单价的生效日期（{last.since.isoformat()}）。",
            fields=[{"field": "effective_from"}],
        )


def _shown(item: Item, rate_micro: int, since: date) -> dict[str, Any]:
    return {
        "收费项目": item.name,
        "单价": f"{rate_text(rate_micro)} {unit_text(item.formula, one_off=item.nature is Nature.ONE_OFF)}",
        "生效日期": since.isoformat(),
    }
