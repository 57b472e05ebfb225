"""Houses (房屋): one row each, found by what people type, made and changed by staff with an audit entry (D1, I-22)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import random_text, uuid7
from backend.property import search
from backend.property.kinds import HouseKind

PAY_CODE_LENGTH = 10


_COLUMNS = """
    h.id, h.no, h.community_id, h.building_id, h.unit_id, h.code, h.label, h.kind, h.gross_area_cm2, h.inner_area_cm2,
    h.floor, h.fee_coefficient, h.handover_on, h.attributes, h.pay_code
"""
ONE = f"SELECT {_COLUMNS} FROM house h WHERE h.id = $1"  # noqa: S608 - columns are constants
LOCK = f"SELECT {_COLUMNS} FROM house h WHERE h.id = $1 FOR UPDATE"  # noqa: S608 - columns are constants
MANY = f"SELECT {_COLUMNS} FROM house h WHERE h.id = ANY($1::uuid[]) ORDER BY h.no"  # noqa: S608 - columns are constants
# Index house_by_community.
PAGE = f"""
    SELECT {_COLUMNS} FROM house h
     WHERE h.community_id = $1 AND h.no > $2
     ORDER BY h.no
     LIMIT $3
"""  # noqa: S608 - columns are constants
# Indexes house_search and house_door; the exact key first, then the shortest.
FOUND = f"""
    SELECT {_COLUMNS} FROM house h
     WHERE h.community_id = ANY($1::uuid[])
       AND (h.search_key LIKE $2 OR h.search_key LIKE $3 OR h.code LIKE $4)
     ORDER BY h.search_key <> $5, length(h.search_key), h.search_key, h.no
     LIMIT $6
"""  # noqa: S608 - columns are constants
NAMED = f"""
    SELECT {_COLUMNS}, h.search_key = $2 AS is_exact FROM house h
     WHERE h.community_id = $1 AND (h.search_key = $2 OR h.search_key LIKE $3)
     ORDER BY h.search_key <> $2
     LIMIT 2
"""  # noqa: S608 - columns are constants
OF_PAY_CODE = f"SELECT {_COLUMNS} FROM house h WHERE h.pay_code = $1"  # noqa: S608 - columns are constants
PLACES = """
    SELECT h.id, b.name, u.code FROM house h JOIN building b ON b.id = h.building_id JOIN unit u ON u.id = h.unit_id
     WHERE h.id = ANY($1::uuid[])
"""
UNIT = """
    SELECT u.community_id, u.building_id, u.code AS unit, b.code AS building, b.name
      FROM unit u JOIN building b ON b.id = u.building_id
     WHERE u.id = $1
"""
INSERT = """
    INSERT INTO house (id, community_id, building_id, unit_id, code, label, search_key, kind, gross_area_cm2,
                       inner_area_cm2, floor, fee_coefficient, handover_on, attributes, pay_code, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
"""
CHANGE = """
    UPDATE house SET kind = $2, gross_area_cm2 = $3, inner_area_cm2 = $4, floor = $5, fee_coefficient = $6,
                     handover_on = $7, attributes = $8
     WHERE id = $1
"""


@dataclass(frozen=True, slots=True)
class Features:
    """What staff may change about a house. Areas in cm² (1 m² = 10 000 cm²)."""

    kind: HouseKind = HouseKind.RESIDENCE
    gross_area_cm2: int | None = None
    inner_area_cm2: int | None = None
    floor: int | None = None
    fee_coefficient: Decimal = Decimal(1)
    handover_on: date | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class House:
    """A house as staff see it."""

    id: UUID
    no: int
    community_id: UUID
    building_id: UUID
    unit_id: UUID
    code: str
    label: str
    pay_code: str
    features: Features


def _house(row: Record) -> House:
    features = {name: row[name] for name in Features.__dataclass_fields__}
    own = {name: row[name] for name in House.__dataclass_fields__ if name != "features"}
    return House(**own, features=replace(Features(**features), kind=HouseKind(row["kind"])))


async def create(tx: Tx, actor: Actor, *, community_id: UUID, unit_id: UUID, door: str, features: Features) -> House:
    """A new house; Conflict `code_taken` where the unit has this door, Invalid `bad_door`, NotFound for the unit."""
    code = search.door_code(door)
    if not code:
        raise Invalid("房号不能为空，例如“101”。", code="bad_door")
    unit = await tx.fetchrow(UNIT, unit_id)
    if unit is None or unit["community_id"] != community_id:
        raise NotFound
    house_id = uuid7(tx.now)
    label = unit["name"] + (f"{unit['unit']}单元" if unit["unit"] else "") + code
    key = search.key_of(unit["building"], unit["unit"], code)
    try:
        async with tx.savepoint():
            await tx.execute(
                INSERT, house_id, unit["community_id"], unit["building_id"], unit_id, code, label, key,
                *_values(features), random_text(PAY_CODE_LENGTH), tx.now,
            )  # fmt: skip
    except asyncpg.UniqueViolationError as error:
        raise Conflict("这个房号已存在。", code="code_taken") from error
    audit.record(
        tx, actor, action="house.created", target=f"house:{house_id}", community_id=unit["community_id"],
        after={"label": label, **_shown(features)},
    )  # fmt: skip
    return await one(tx, house_id)


async def change(tx: Tx, actor: Actor, *, house_id: UUID, features: Features) -> House:
    """Replace the features of a house; raises NotFound."""
    row = await tx.fetchrow(LOCK, house_id)
    if row is None:
        raise NotFound
    before = _house(row)
    await tx.execute(CHANGE, house_id, *_values(features))
    audit.record(
        tx, actor, action="house.changed", target=f"house:{house_id}", community_id=before.community_id,
        before=_shown(before.features), after=_shown(features),
    )  # fmt: skip
    return replace(before, features=features)


async def one(db: Reader, house_id: UUID) -> House:
    """The house of an id; raises NotFound."""
    row = await db.fetchrow(ONE, house_id)
    if row is None:
        raise NotFound
    return _house(row)


async def of_pay_code(db: Reader, pay_code: str) -> House:
    """The house whose paper code this is; raises NotFound."""
    row = await db.fetchrow(OF_PAY_CODE, pay_code)
    if row is None:
        raise NotFound
    return _house(row)


async def by_ids(db: Reader, house_ids: Sequence[UUID]) -> list[House]:
    """The houses of these ids."""
    return [_house(row) for row in await db.fetch(MANY, list(house_ids))]


async def count(db: Reader, community_id: UUID) -> int:
    """How many houses a community has."""
    return int(await db.fetchval("SELECT count(*) FROM house WHERE community_id = $1", community_id))


async def places(db: Reader, house_ids: Sequence[UUID]) -> list[tuple[UUID, str, str]]:
    """House, name of its building, code of its unit."""
    return [(row["id"], row["name"], row["code"]) for row in await db.fetch(PLACES, list(house_ids))]


async def page(db: Reader, community_id: UUID, *, after_no: int = 0, limit: int = 20) -> list[House]:
    """The houses of a community in the order in which they were made."""
    return [_house(row) for row in await db.fetch(PAGE, community_id, after_no, limit)]


async def matching(db: Reader, community_ids: Sequence[UUID], typed: str, *, limit: int = 20) -> list[House]:
    """Houses that what someone typed may mean, the exact one first (D1)."""
    wanted = search.patterns(typed)
    if wanted is None:
        return []
    first, second = (*wanted.by_key, None)[:2]
    rows = await db.fetch(FOUND, list(community_ids), first, second, wanted.by_door, wanted.exact, limit)
    return [_house(row) for row in rows]


async def named(db: Reader, community_id: UUID, typed: str) -> House:
    """The one house that a typed name means in a community; Invalid `house_unclear` for none and for several."""
    wanted = search.patterns(typed)
    rows: Sequence[Record] = []
    if wanted is not None:
        any_unit = wanted.by_key[1].removesuffix("%") if len(wanted.by_key) == 2 else None
        rows = await db.fetch(NAMED, community_id, wanted.exact, any_unit)
    rows = [row for row in rows if row["is_exact"]] or rows
    if len(rows) != 1:
        raise Invalid("没有找到这套房屋，请按“1栋1单元101”的写法填写。", code="house_unclear")
    return _house(rows[0])


def _values(features: Features) -> tuple[Any, ...]:
    return (
        features.kind,
        features.gross_area_cm2,
        features.inner_area_cm2,
        features.floor,
        features.fee_coefficient,
        features.handover_on,
        dict(features.attributes),
    )


def _shown(features: Features) -> dict[str, Any]:
    """Features in JSON types, for the audit."""
    shown = asdict(features)
    shown["fee_coefficient"] = str(features.fee_coefficient)
    shown["handover_on"] = None if features.handover_on is None else features.handover_on.isoformat()
    return shown
