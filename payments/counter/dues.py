"""What the counter asks money for (应收): of a house by its id or pay code, or of a person (D5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from backend.fees import bills
from backend.kernel.db import Reader, Record
from backend.kernel.errors import NotFound
from backend.property import houses, occupancy

# Another order asks for it online at this moment; the counter closes that one first.
HELD = "SELECT payable_id FROM payment_hold WHERE kind = 'bill' AND payable_id = ANY($1::uuid[])"


@dataclass(frozen=True, slots=True)
class Due:
    """A bill that waits for money. `held`: a live order asks for it online at this moment."""

    bill: Record
    held: bool


async def of_house(db: Reader, communities: Sequence[UUID], *, house_id: UUID) -> list[Due]:
    """What is open of a house in these communities, the longest due first; nothing for a foreign one."""
    return await _due(db, communities, [house_id], None)


async def of_code(db: Reader, communities: Sequence[UUID], *, pay_code: str) -> list[Due]:
    """What is open of the house with this pay code; NotFound for an unknown code."""
    house = await houses.of_pay_code(db, pay_code)
    if house.community_id not in communities:
        raise NotFound
    return await _due(db, communities, [house.id], None)


async def of_person(db: Reader, communities: Sequence[UUID], *, person_id: UUID, today: date) -> list[Due]:
    """What is open of a person: of the houses owned or lived in as family, and what names the person as liable."""
    ties = await occupancy.of_people(db, [person_id], community_ids=communities, today=today)
    return await _due(db, communities, [tie.house_id for tie in ties if tie.role != "tenant"], person_id)


async def _due(db: Reader, communities: Sequence[UUID], house_ids: Sequence[UUID], person_id: UUID | None) -> list[Due]:
    rows = await bills.open_of(db, communities, house_ids=house_ids, person_id=person_id)
    held = {row["payable_id"] for row in await db.fetch(HELD, [row["id"] for row in rows])}
    return [Due(row, row["id"] in held) for row in rows]
