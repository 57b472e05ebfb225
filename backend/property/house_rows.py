"""Houses by the thousand, as a roster lists them: compared with what is there, and put there set-based (S1).

A row is known by building, unit and door. What a row leaves empty stays as it is; the same rows again change nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from backend.kernel.db import Reader, Tx
from backend.kernel.ids import random_text, uuid7
from backend.property.houses import PAY_CODE_LENGTH
from backend.property.kinds import HouseKind

# $1 community, then one array per column of the rows.
_ROWS = """
    unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::integer[], $9::date[])
    WITH ORDINALITY AS r (building, unit, door, kind, gross_area_cm2, inner_area_cm2, floor, handover_on, n)
"""
_PLACED = """
    LEFT JOIN building b ON b.community_id = $1 AND b.code = r.building
    LEFT JOIN unit u ON u.building_id = b.id AND u.code = r.unit
    LEFT JOIN house h ON h.unit_id = u.id AND h.code = r.door
"""
COMPARE = f"""
    SELECT h.id, h.no,
           h.kind IS DISTINCT FROM r.kind
           OR h.gross_area_cm2 IS DISTINCT FROM coalesce(r.gross_area_cm2, h.gross_area_cm2)
           OR h.inner_area_cm2 IS DISTINCT FROM coalesce(r.inner_area_cm2, h.inner_area_cm2)
           OR h.floor IS DISTINCT FROM coalesce(r.floor, h.floor)
           OR h.handover_on IS DISTINCT FROM coalesce(r.handover_on, h.handover_on) AS differs
      FROM {_ROWS} {_PLACED}
     ORDER BY r.n
"""  # noqa: S608 - constants
PUT_BUILDINGS = """
    INSERT INTO building (id, community_id, code, name)
    SELECT r.id, $1, r.code, r.name FROM unnest($2::uuid[], $3::text[], $4::text[]) AS r (id, code, name)
        ON CONFLICT (community_id, code) DO NOTHING
"""
PUT_UNITS = """
    INSERT INTO unit (id, community_id, building_id, code)
    SELECT r.id, $1, b.id, r.unit
      FROM unnest($2::uuid[], $3::text[], $4::text[]) AS r (id, building, unit)
      JOIN building b ON b.community_id = $1 AND b.code = r.building
        ON CONFLICT (building_id, code) DO NOTHING
"""
CHANGE_HOUSES = f"""
    UPDATE house SET kind = r.kind,
                     gross_area_cm2 = coalesce(r.gross_area_cm2, house.gross_area_cm2),
                     inner_area_cm2 = coalesce(r.inner_area_cm2, house.inner_area_cm2),
                     floor = coalesce(r.floor, house.floor),
                     handover_on = coalesce(r.handover_on, house.handover_on)
      FROM {_ROWS}
     WHERE house.id = ($10::uuid[])[r.n] AND house.community_id = $1
"""  # noqa: S608 - constants
PUT_HOUSES = f"""
    INSERT INTO house (id, community_id, building_id, unit_id, code, label, search_key, kind, gross_area_cm2,
                       inner_area_cm2, floor, handover_on, pay_code, created_at)
    SELECT ($10::uuid[])[r.n], $1, b.id, u.id, r.door,
           b.name || CASE r.unit WHEN '' THEN '' ELSE r.unit || '单元' END || r.door,
           ($11::text[])[r.n], r.kind, r.gross_area_cm2, r.inner_area_cm2, r.floor, r.handover_on,
           ($12::text[])[r.n], $13
      FROM {_ROWS}
      JOIN building b ON b.community_id = $1 AND b.code = r.building
      JOIN unit u ON u.building_id = b.id AND u.code = r.unit
     ORDER BY r.n
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class HouseRow:
    """One house of a roster. Areas in cm²; `search_key` as `search.key_of` makes it."""

    building: str
    building_name: str
    unit: str
    door: str
    search_key: str
    kind: HouseKind
    gross_area_cm2: int | None
    inner_area_cm2: int | None
    floor: int | None
    handover_on: date | None


@dataclass(frozen=True, slots=True)
class Known:
    """What the database holds of a row: the house, if it is there, and whether the row changes it."""

    house_id: UUID | None
    house_no: int | None
    differs: bool


@dataclass(frozen=True, slots=True)
class Put:
    """The outcome for a list of rows: every house in the order of the rows, and what was done."""

    houses: tuple[tuple[UUID, int], ...]
    created: int
    changed: int


async def compare(db: Reader, community_id: UUID, rows: Sequence[HouseRow]) -> list[Known]:
    """What is there of every row, in their order."""
    found = await db.fetch(COMPARE, community_id, *_arrays(rows))
    return [Known(row["id"], row["no"], row["id"] is not None and bool(row["differs"])) for row in found]


async def put(tx: Tx, community_id: UUID, rows: Sequence[HouseRow]) -> Put:
    """Make what is missing and change what differs, in five statements however many rows there are."""
    buildings = {row.building: row.building_name for row in rows}
    units = sorted({(row.building, row.unit) for row in rows})
    await tx.execute(
        PUT_BUILDINGS, community_id, [uuid7(tx.now) for _ in buildings], list(buildings), list(buildings.values())
    )
    await tx.execute(
        PUT_UNITS, community_id, [uuid7(tx.now) for _ in units], [one[0] for one in units], [one[1] for one in units]
    )
    known = await compare(tx, community_id, rows)
    changed = [(row, one.house_id) for row, one in zip(rows, known, strict=True) if one.differs]
    if changed:
        await tx.execute(
            CHANGE_HOUSES, community_id, *_arrays([row for row, _ in changed]), [house_id for _, house_id in changed]
        )
    fresh = [row for row, one in zip(rows, known, strict=True) if one.house_id is None]
    if fresh:
        await tx.execute(
            PUT_HOUSES, community_id, *_arrays(fresh), [uuid7(tx.now) for _ in fresh],
            [row.search_key for row in fresh], [random_text(PAY_CODE_LENGTH) for _ in fresh], tx.now,
        )  # fmt: skip
        known = await compare(tx, community_id, rows)
    houses = tuple(
        (one.house_id, one.house_no) for one in known if one.house_id is not None and one.house_no is not None
    )
    return Put(houses=houses, created=len(fresh), changed=len(changed))


def _arrays(rows: Sequence[HouseRow]) -> tuple[list[Any], ...]:
    return (
        [row.building for row in rows],
        [row.unit for row in rows],
        [row.door for row in rows],
        [row.kind for row in rows],
        [row.gross_area_cm2 for row in rows],
        [row.inner_area_cm2 for row in rows],
        [row.floor for row in rows],
        [row.handover_on for row in rows],
    )
