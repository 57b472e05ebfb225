"""Companies, communities, buildings and units (D1): made and changed by staff, each change audited (I-22)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.property import search

ADD_COMPANY = "INSERT INTO company (id, name, created_at) VALUES ($1, $2, $3)"
RENAME_COMPANY = """
    UPDATE company c SET name = $2 FROM company old WHERE c.id = $1 AND old.id = c.id RETURNING old.name AS before
"""
ADD_COMMUNITY = """
    INSERT INTO community (id, company_id, code, name, address, created_at) VALUES ($1, $2, $3, $4, $5, $6)
"""
CHANGE_COMMUNITY = """
    UPDATE community c SET name = $2, address = $3
      FROM community old
     WHERE c.id = $1 AND old.id = c.id
 RETURNING old.name, old.address
"""
COMMUNITIES = """
    SELECT id, company_id, code, name, address FROM community WHERE id = ANY($1::uuid[]) ORDER BY code, id
"""
ADD_BUILDING = "INSERT INTO building (id, community_id, code, name) VALUES ($1, $2, $3, $4)"
ADD_UNIT = "INSERT INTO unit (id, community_id, building_id, code) VALUES ($1, $2, $3, $4)"
RENAME_BUILDING = """
    UPDATE building b SET name = $2 FROM building old
     WHERE b.id = $1 AND old.id = b.id
 RETURNING b.community_id, old.name AS before
"""
RELABEL = """
    UPDATE house h SET label = b.name || CASE u.code WHEN '' THEN '' ELSE u.code || '单元' END || h.code
      FROM building b, unit u
     WHERE h.building_id = $1 AND b.id = h.building_id AND u.id = h.unit_id
"""
BUILDINGS = """
    SELECT b.id, b.community_id, b.code, b.name,
           (SELECT count(*) FROM house h WHERE h.building_id = b.id) AS house_count
      FROM building b WHERE b.community_id = $1 ORDER BY length(b.code), b.code
"""
UNITS = "SELECT id, building_id, code FROM unit WHERE building_id = $1 ORDER BY length(code), code"
COMMUNITY_OF_BUILDING = "SELECT community_id FROM building WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Community:
    """A community (小区) of a company."""

    id: UUID
    company_id: UUID
    code: str
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Building:
    """A building (楼栋) and how many houses it has."""

    id: UUID
    community_id: UUID
    code: str
    name: str
    house_count: int


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit (单元); the empty code where the building has none."""

    id: UUID
    building_id: UUID
    code: str


async def create_company(tx: Tx, actor: Actor, *, name: str) -> UUID:
    """A new property company (物业公司)."""
    company_id = uuid7(tx.now)
    await tx.execute(ADD_COMPANY, company_id, name, tx.now)
    audit.record(
        tx, actor, action="company.created", target=f"company:{company_id}", community_id=company_id,
        after={"name": name},
    )  # fmt: skip
    return company_id


async def rename_company(tx: Tx, actor: Actor, *, company_id: UUID, name: str) -> None:
    """Change the company's name."""
    row = await tx.fetchrow(RENAME_COMPANY, company_id, name)
    if row is None:
        raise NotFound
    audit.record(
        tx, actor, action="company.renamed", target=f"company:{company_id}", community_id=company_id,
        before={"name": row["before"]}, after={"name": name},
    )  # fmt: skip


async def companies(db: Reader) -> dict[UUID, str]:
    """Id and name of every company; there are few."""
    return {row["id"]: row["name"] for row in await db.fetch("SELECT id, name FROM company ORDER BY name, id")}


async def company_name(db: Reader, company_id: UUID) -> str:
    """The company's name; raises NotFound."""
    name = await db.fetchval("SELECT name FROM company WHERE id = $1", company_id)
    if name is None:
        raise NotFound
    return str(name)


async def create(tx: Tx, actor: Actor, *, company_id: UUID, code: str, name: str, address: str = "") -> UUID:
    """A new community; Conflict `code_taken` where the company has one of this code."""
    community_id = uuid7(tx.now)
    await _insert(tx, ADD_COMMUNITY, community_id, company_id, code, name, address, tx.now)
    audit.record(
        tx, actor, action="community.created", target=f"community:{community_id}", community_id=community_id,
        after={"code": code, "name": name, "address": address},
    )  # fmt: skip
    return community_id


async def change(tx: Tx, actor: Actor, *, community_id: UUID, name: str, address: str) -> None:
    """Change name and address."""
    row = await tx.fetchrow(CHANGE_COMMUNITY, community_id, name, address)
    if row is None:
        raise NotFound
    audit.record(
        tx, actor, action="community.changed", target=f"community:{community_id}", community_id=community_id,
        before=dict(row), after={"name": name, "address": address},
    )  # fmt: skip


async def by_ids(db: Reader, community_ids: Sequence[UUID]) -> list[Community]:
    """The communities of these ids, by code."""
    return [Community(**row) for row in await db.fetch(COMMUNITIES, list(community_ids))]


async def every_name(db: Reader) -> dict[UUID, str]:
    """Every community's name, for a resident who chooses where to apply."""
    return {row["id"]: row["name"] for row in await db.fetch("SELECT id, name FROM community ORDER BY name LIMIT 1000")}


async def add_building(tx: Tx, actor: Actor, *, community_id: UUID, name: str, units: Sequence[str]) -> UUID:
    """A new building with its units; without units it gets the one with the empty code."""
    code = search.building_code(name)
    if not code:
        raise Invalid("楼栋名称里要有编号，例如“1栋”。", code="bad_building")
    building_id = uuid7(tx.now)
    await _insert(tx, ADD_BUILDING, building_id, community_id, code, search.building_name(name))
    codes = sorted({search.unit_code(unit) for unit in units} or {""})
    for unit in codes:
        await tx.execute(ADD_UNIT, uuid7(tx.now), community_id, building_id, unit)
    audit.record(
        tx, actor, action="building.created", target=f"building:{building_id}", community_id=community_id,
        after={"code": code, "units": codes},
    )  # fmt: skip
    return building_id


async def rename_building(tx: Tx, actor: Actor, *, building_id: UUID, name: str) -> None:
    """Change how a building is shown; the labels of its houses follow, its code stays."""
    row = await tx.fetchrow(RENAME_BUILDING, building_id, name)
    if row is None:
        raise NotFound
    await tx.execute(RELABEL, building_id)
    audit.record(
        tx, actor, action="building.renamed", target=f"building:{building_id}", community_id=row["community_id"],
        before={"name": row["before"]}, after={"name": name},
    )  # fmt: skip


async def add_unit(tx: Tx, actor: Actor, *, building_id: UUID, name: str) -> UUID:
    """A new unit of a building; Conflict `code_taken`."""
    community_id = await community_of_building(tx, building_id)
    unit_id, code = uuid7(tx.now), search.unit_code(name)
    await _insert(tx, ADD_UNIT, unit_id, community_id, building_id, code)
    audit.record(
        tx, actor, action="unit.created", target=f"unit:{unit_id}", community_id=community_id, after={"code": code}
    )
    return unit_id


async def community_of_building(db: Reader, building_id: UUID) -> UUID:
    """The community that a building stands in; raises NotFound."""
    community_id: UUID | None = await db.fetchval(COMMUNITY_OF_BUILDING, building_id)
    if community_id is None:
        raise NotFound
    return community_id


async def buildings(db: Reader, community_id: UUID) -> list[Building]:
    """The buildings of a community in the order people count them."""
    return [Building(**row) for row in await db.fetch(BUILDINGS, community_id)]


async def units(db: Reader, building_id: UUID) -> list[Unit]:
    """The units of a building."""
    return [Unit(**row) for row in await db.fetch(UNITS, building_id)]


async def _insert(tx: Tx, sql: str, *values: object) -> None:
    try:
        async with tx.savepoint():
            await tx.execute(sql, *values)
    except asyncpg.UniqueViolationError as error:
        raise Conflict("这个编号已存在，请换一个。", code="code_taken") from error
