"""Spaces (车位) of a lot as rows: who has which, since when and until when (D8).

Promises: a number stands once in a lot (unique key); a space is had by one house at a time, because its row is held
while it changes hands; every change is audited with its reason. Spaces that a house has give it the right to cards for
as many cars at once (entitlements.py); a card that is paid for lasts to its end when its space is given up. How many
cars fit into the lot is a rule of the lot and not the count of these rows, as a lot need not number its spaces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.parking import lots
from backend.parking.cards.states import SPACE_MOVES, SpaceKind, SpaceState

INSERT = """
    INSERT INTO parking_space (id, community_id, lot_id, number, kind, state, created_at)
    SELECT n.id, $1, $2, n.number, $3, 'free', $6
      FROM unnest($4::uuid[], $5::text[]) AS n (id, number)
        ON CONFLICT (lot_id, number) DO NOTHING
 RETURNING number
"""

_SPACE = """
    SELECT id, community_id, lot_id, number, kind, state, house_id, starts_on, ends_on FROM parking_space
"""

# Index parking_space_number.
OF_LOT = f"""{_SPACE}
     WHERE lot_id = $1 AND ($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR number > $3)
     ORDER BY number
     LIMIT $4
"""

OF_HOUSES = f"{_SPACE} WHERE house_id = ANY ($1::uuid[]) ORDER BY house_id, number LIMIT 100"

LOCK = f"{_SPACE} WHERE id = $1 AND community_id = ANY ($2::uuid[]) FOR UPDATE"

CHANGE = "UPDATE parking_space SET state = $2, house_id = $3, starts_on = $4, ends_on = $5 WHERE id = $1"

HOUSE = "SELECT id FROM parking_house WHERE id = $1 AND community_id = $2"


@dataclass(frozen=True, slots=True)
class Holding:
    """Who has a space and when. `ends_on`: the first day without it."""

    state: SpaceState
    house_id: UUID | None = None
    starts_on: date | None = None
    ends_on: date | None = None


FREE = Holding(SpaceState.FREE)


async def add(
    tx: Tx, actor: Actor, *, lot_id: UUID, communities: Sequence[UUID], kind: SpaceKind, numbers: Sequence[str]
) -> int:
    """Add free spaces with these numbers, all or none; how many. NotFound, Conflict `space_number_taken`."""
    lot = await lots.lock(tx, lot_id, communities=communities)
    wanted = sorted(set(numbers))
    added = await tx.fetch(
        INSERT, lot["community_id"], lot_id, kind.value, [uuid7(tx.now) for _ in wanted], wanted, tx.now
    )
    if len(added) < len(wanted):
        taken = sorted(set(wanted) - {row["number"] for row in added})
        raise Conflict(f"车位号 {'、'.join(taken[:5])} 已经有了，没有新增任何车位。", code="space_number_taken")
    audit.record(
        tx, actor, action="parking.spaces_added", target=f"parking_lot:{lot_id}", community_id=lot["community_id"],
        after={"kind": kind.value, "first": wanted[0], "last": wanted[-1], "count": len(wanted)},
    )  # fmt: skip
    return len(added)


async def assign(
    tx: Tx, actor: Actor, *, space_id: UUID, communities: Sequence[UUID], holding: Holding, reason: str
) -> Record:
    """Give a space to a house, reserve it, free it, or set another end of its rent.

    Raises NotFound, also for a house of another community, Invalid, Conflict `space_taken`.
    """
    row = await lock(tx, space_id, communities=communities)
    _require_whole(holding)
    before, same_house = SpaceState(row["state"]), row["house_id"] == holding.house_id
    extends = before is SpaceState.RENTED and holding.state is before and same_house
    if not extends and holding.state not in SPACE_MOVES[before]:
        raise Conflict("车位现在的状态不能这样变更，请先收回车位。", code="space_taken")
    if None not in (row["house_id"], holding.house_id) and not same_house:
        raise Conflict("这个车位已经属于另一套房屋，请先收回车位。", code="space_taken")
    if holding.house_id is not None and await tx.fetchval(HOUSE, holding.house_id, row["community_id"]) is None:
        raise NotFound
    await tx.execute(CHANGE, space_id, holding.state.value, holding.house_id, holding.starts_on, holding.ends_on)
    audit.record(
        tx, actor, action="parking.space_changed", target=f"parking_space:{space_id}",
        community_id=row["community_id"], reason=reason,
        before=_shown(Holding(before, row["house_id"], row["starts_on"], row["ends_on"])), after=_shown(holding),
    )  # fmt: skip
    return await lock(tx, space_id, communities=communities)


async def lock(tx: Tx, space_id: UUID, *, communities: Sequence[UUID]) -> Record:
    """A space of these communities, held; NotFound."""
    row = await tx.fetchrow(LOCK, space_id, list(communities))
    if row is None:
        raise NotFound
    return row


def _require_whole(holding: Holding) -> None:
    had = holding.state in (SpaceState.SOLD, SpaceState.RENTED)
    if had and (holding.house_id is None or holding.starts_on is None):
        raise Invalid("已售或已租的车位须填写房屋和开始日期。", fields=[{"field": "house_id"}])
    if not had and holding.starts_on is not None:
        raise Invalid("只有已售或已租的车位有开始日期。", fields=[{"field": "starts_on"}])
    if holding.ends_on is None:
        return
    if holding.state is not SpaceState.RENTED or holding.starts_on is None or holding.ends_on <= holding.starts_on:
        raise Invalid("只有已租的车位有结束日期，且必须晚于开始日期。", fields=[{"field": "ends_on"}])


def _shown(holding: Holding) -> dict[str, object]:
    return {
        "state": holding.state.value,
        "house_id": holding.house_id and str(holding.house_id),
        "starts_on": holding.starts_on and holding.starts_on.isoformat(),
        "ends_on": holding.ends_on and holding.ends_on.isoformat(),
    }


async def of_lot(
    db: Reader, lot_id: UUID, *, state: SpaceState | None, after: str | None, limit: int
) -> list[Record]:  # fmt: skip
    """The spaces of a lot that the caller has found in scope, by number."""
    return await db.fetch(OF_LOT, lot_id, state, after, limit)


async def of_houses(db: Reader, house_ids: Sequence[UUID]) -> list[Record]:
    """The spaces that these houses have, or that are kept for them."""
    return await db.fetch(OF_HOUSES, list(house_ids))
