"""What a worker does, and where (技能, 责任楼栋) (D9).

Who has no skill listed does everything; who has no building listed works everywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from backend.identity.roles import PERMISSIONS
from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import NotFound

WORK = "ticket.work"
ROLES = sorted(role.value for role in PERMISSIONS[WORK])

# Whether worker `s` fits ticket `t` of category `c`. Indexes ticket_skill_once, ticket_patch_once.
FITS = """
    (NOT EXISTS (SELECT FROM ticket_skill k WHERE k.community_id = t.community_id AND k.staff_id = s.id)
     OR EXISTS (SELECT FROM ticket_skill k WHERE k.community_id = t.community_id AND k.staff_id = s.id
                   AND k.category_id IN (c.id, c.parent_id)))
    AND (t.building_id IS NULL
     OR NOT EXISTS (SELECT FROM ticket_patch p WHERE p.community_id = t.community_id AND p.staff_id = s.id)
     OR EXISTS (SELECT FROM ticket_patch p WHERE p.community_id = t.community_id AND p.staff_id = s.id
                   AND p.building_id = t.building_id))
"""

FIT = f"""
    SELECT 1 FROM ticket t JOIN ticket_category c ON c.id = t.category_id CROSS JOIN (SELECT $2::uuid AS id) s
     WHERE t.id = $1 AND {FITS}
"""  # noqa: S608 - constants

# Who works in a community, as rows (id, name).
AT_WORK = """
    SELECT DISTINCT s.id, s.name
      FROM ticket_staff s JOIN company_community m ON m.company_id = s.company_id
     WHERE m.community_id = $1 AND (s.community_id IS NULL OR s.community_id = $1) AND s.role = ANY ($2::text[])
"""

LISTED = f"""
    SELECT w.id, w.name,
           ARRAY(SELECT category_id FROM ticket_skill k
                  WHERE k.community_id = $1 AND k.staff_id = w.id ORDER BY k.id) AS skills,
           ARRAY(SELECT building_id FROM ticket_patch p
                  WHERE p.community_id = $1 AND p.staff_id = w.id ORDER BY p.id) AS buildings
      FROM ({AT_WORK}) w
     ORDER BY w.name, w.id
     LIMIT 500
"""  # noqa: S608 - constants

KNOWN_CATEGORIES = """
    SELECT count(*) FROM ticket_category
     WHERE id = ANY ($1::uuid[]) AND (community_id IS NULL OR community_id = $2)
       AND company_id = (SELECT company_id FROM company_community WHERE community_id = $2)
"""
KNOWN_BUILDINGS = "SELECT count(*) FROM ticket_building WHERE id = ANY ($1::uuid[]) AND community_id = $2"
HOLD = "SELECT pg_advisory_xact_lock(hashtextextended('linli.ticket.plan:' || $1::uuid::text, 0))"
FORGET = """
    WITH skills AS (DELETE FROM ticket_skill WHERE community_id = $1 AND staff_id = $2)
    DELETE FROM ticket_patch WHERE community_id = $1 AND staff_id = $2
"""
SKILLS = "INSERT INTO ticket_skill (community_id, staff_id, category_id) SELECT $1, $2, unnest($3::uuid[])"
PATCHES = "INSERT INTO ticket_patch (community_id, staff_id, building_id) SELECT $1, $2, unnest($3::uuid[])"


@dataclass(frozen=True, slots=True)
class Fields:
    """What a worker does and where; empty: everything, everywhere."""

    skill_ids: Sequence[UUID]
    building_ids: Sequence[UUID]


async def of_community(db: Reader, community_id: UUID) -> list[Record]:
    """Who works in a community, with what they do and where."""
    return await db.fetch(LISTED, community_id, ROLES)


async def names(db: Reader, community_id: UUID) -> Mapping[UUID, str]:
    """Who works in a community, by id."""
    return {row["id"]: row["name"] for row in await db.fetch(AT_WORK, community_id, ROLES)}


async def require(db: Reader, community_id: UUID, staff_ids: Sequence[UUID]) -> None:
    """All of them work in the community; NotFound."""
    if set(staff_ids) - set(await names(db, community_id)):
        raise NotFound("没有找到这位处理人，或其在本小区没有接单权限。")


async def fits(db: Reader, staff_id: UUID, *, ticket_id: UUID) -> bool:
    """Whether the ticket is of a kind that the worker does, where he does it."""
    return await db.fetchval(FIT, ticket_id, staff_id) is not None


async def set_fields(tx: Tx, actor: Actor, *, community_id: UUID, staff_id: UUID, new: Fields) -> None:
    """Replace what a worker does in a community, and where; NotFound for who or what is not there."""
    await tx.execute(HOLD, community_id)
    if staff_id not in await names(tx, community_id):
        raise NotFound
    skills, buildings = list(dict.fromkeys(new.skill_ids)), list(dict.fromkeys(new.building_ids))
    if await tx.fetchval(KNOWN_CATEGORIES, skills, community_id) != len(skills):
        raise NotFound
    if await tx.fetchval(KNOWN_BUILDINGS, buildings, community_id) != len(buildings):
        raise NotFound
    await tx.execute(FORGET, community_id, staff_id)
    await tx.execute(SKILLS, community_id, staff_id, skills)
    await tx.execute(PATCHES, community_id, staff_id, buildings)
    audit.record(
        tx, actor, action="ticket_worker.changed", target=f"staff:{staff_id}", community_id=community_id,
        after={"skills": [str(each) for each in skills], "buildings": [str(each) for each in buildings]},
    )  # fmt: skip
