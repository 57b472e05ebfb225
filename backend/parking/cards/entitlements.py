"""Who may hold which card: a house with spaces, a house with vehicles, a house with leave for an outside vehicle (D8).

Promises: of spaces that a house has, its cards for that audience never use more (the spaces are held while it is
counted); a card for an outside vehicle never reaches beyond the leave that the house has for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.parking.cards.states import SPACE_OF, Audience

# In id order; held, so that of two cards for the last space of a house one is refused.
LOCK_SPACES = """
    SELECT id, ends_on FROM parking_space
     WHERE lot_id = $1 AND house_id = $2 AND state = $3 AND starts_on <= $4
     ORDER BY id
       FOR UPDATE
"""

# Read after the lock. Index parking_card_house.
USED = """
    SELECT coalesce(sum(spaces), 0)::integer FROM parking_card
     WHERE house_id = $2 AND lot_id = $1 AND state = 'ACTIVE' AND id <> $4
       AND coalesce(audience, CASE kind WHEN 'owned' THEN 'owned' END) = $3
       AND (ends_on IS NULL OR ends_on > $5)
"""

VEHICLES = """
    SELECT id, no, house_id, outside_until FROM parking_vehicle
     WHERE id = ANY ($1::uuid[]) AND community_id = $2
     ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Use:
    """The days and spaces for which a house wants a card."""

    lot_id: UUID
    house_id: UUID | None
    card_id: UUID
    audience: Audience
    spaces: int
    starts_on: date
    ends_on: date


async def vehicles(tx: Tx, vehicle_ids: Sequence[UUID], *, community_id: UUID, house_id: UUID | None) -> list[Record]:
    """These vehicles of the house (None: of whomever); NotFound where one is unknown or another's."""
    rows = await tx.fetch(VEHICLES, list(vehicle_ids), community_id)
    foreign = [row for row in rows if house_id is not None and row["house_id"] != house_id]
    if len(rows) < len(set(vehicle_ids)) or foreign:
        raise NotFound
    return rows


async def require(tx: Tx, use: Use, cars: Sequence[Record]) -> None:
    """Conflict `not_for_this_vehicle`, `beyond_leave`, `no_such_space`, `more_than_spaces`, `beyond_rent`."""
    outside = [car["outside_until"] for car in cars if car["outside_until"] is not None]
    if (use.audience is Audience.OUTSIDE) != (len(outside) == len(cars)) or (outside and len(outside) < len(cars)):
        raise Conflict("外来车辆请选外来车辆的停车卡，自家车辆请选其他停车卡。", code="not_for_this_vehicle")
    if outside and use.ends_on > min(outside):
        raise Conflict("外来车辆的批准期限不够长，请先重新申请，或选更短的停车卡。", code="beyond_leave")
    if use.audience in SPACE_OF:
        await _require_spaces(tx, use)
    elif use.spaces != 1:
        raise Conflict("没有固定车位的停车卡只管一个车位。", code="more_than_spaces")


async def _require_spaces(tx: Tx, use: Use) -> None:
    state = SPACE_OF[use.audience]
    held = await tx.fetch(LOCK_SPACES, use.lot_id, use.house_id, state.value, tx.today)
    if not held:
        raise Conflict("这套房屋在本停车场没有这类车位，请另选停车卡。", code="no_such_space")
    used: int = await tx.fetchval(
        USED, use.lot_id, use.house_id, use.audience.value, use.card_id, use.starts_on
    )  # fmt: skip
    if used + use.spaces > len(held):
        raise Conflict(
            f"这套房屋在本停车场有 {len(held)} 个这类车位，其中 {used} 个已有停车卡。", code="more_than_spaces"
        )
    lasting = [row for row in held if row["ends_on"] is None or row["ends_on"] >= use.ends_on]
    if used + use.spaces > len(lasting):
        raise Conflict("车位的租期不够长，请先续租，或选更短的停车卡。", code="beyond_rent")
