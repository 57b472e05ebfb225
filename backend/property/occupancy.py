"""Who lives where (住户): ties of people to houses, each with a role and a period (D1).

A person has at most one tie to a house at a time (exclusion constraint `occupancy_once`); two who bind at once make one
row. Moving out ends the period today, and with it the access of the next request, and keeps the row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

from backend.kernel import audit, outbox
from backend.kernel.audit import Actor
from backend.kernel.auth import TieRole
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.ids import uuid7

# Emitted with every end of a tie: what hung on it ends elsewhere.
ENDED = "property.occupancy_ended"

Source = Literal["roster", "phone", "family_code", "application", "staff"]

# An overlapping tie of the same person to the same house makes this insert nothing.
BIND = """
    INSERT INTO occupancy (id, community_id, house_id, house_no, person_id, person_no, role, starts_on, source,
                           created_at)
    SELECT $1, h.community_id, h.id, h.no, $3, $4, $5, $6, $7, $8 FROM house h WHERE h.id = $2
        ON CONFLICT ON CONSTRAINT occupancy_once DO NOTHING
    RETURNING id, community_id
"""
BIND_MANY = """
    INSERT INTO occupancy (id, community_id, house_id, house_no, person_id, person_no, role, starts_on, source,
                           created_at)
    SELECT t.id, $1, t.house_id, t.house_no, t.person_id, t.person_no, t.role, $8, 'roster', $9
      FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::uuid[], $6::bigint[], $7::text[])
           AS t (id, house_id, house_no, person_id, person_no, role)
     WHERE NOT EXISTS (
           SELECT 1 FROM occupancy o
            WHERE o.house_id = t.house_id AND o.person_id = t.person_id AND (o.ends_on IS NULL OR o.ends_on > $8))
        ON CONFLICT ON CONSTRAINT occupancy_once DO NOTHING
    RETURNING id
"""
ROLES = """
    SELECT o.house_id, o.person_id, o.role
      FROM occupancy o
     WHERE o.house_id = ANY($1::uuid[]) AND (o.ends_on IS NULL OR o.ends_on > $2)
"""
END = """
    UPDATE occupancy SET ends_on = greatest($2, starts_on)
     WHERE id = $1 AND (ends_on IS NULL OR ends_on > $2)
 RETURNING id, community_id, house_id, person_id, role
"""
ONE = "SELECT id, community_id, house_id, person_id, role, starts_on, ends_on, source FROM occupancy WHERE id = $1"
# Index occupancy_of_house.
OF_HOUSE = """
    SELECT id, community_id, house_id, person_id, role, starts_on, ends_on, source
      FROM occupancy
     WHERE house_id = ANY($1::uuid[]) AND ($3 OR ends_on IS NULL OR ends_on > $2)
     ORDER BY array_position(ARRAY['owner', 'family', 'tenant'], role), starts_on, id
"""
OF_PEOPLE = """
    SELECT id, community_id, house_id, person_id, role, starts_on, ends_on, source
      FROM occupancy
     WHERE person_id = ANY($1::uuid[]) AND community_id = ANY($2::uuid[]) AND (ends_on IS NULL OR ends_on > $3)
     ORDER BY starts_on, id
     LIMIT 100
"""

KNOWN = "SELECT 1 FROM occupancy WHERE person_id = $1 AND community_id = $2 LIMIT 1"


@dataclass(frozen=True, slots=True)
class Occupancy:
    """A tie of a person to a house; `ends_on` is the first day without it."""

    id: UUID
    community_id: UUID
    house_id: UUID
    person_id: UUID
    role: TieRole
    starts_on: date
    ends_on: date | None
    source: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A tie that a roster lists."""

    house_id: UUID
    house_no: int
    person_id: UUID
    person_no: int
    role: TieRole


async def bind(
    tx: Tx, actor: Actor, *, house_id: UUID, person_id: UUID, person_no: int, role: TieRole, source: Source
) -> UUID:
    """Tie a person to a house from today; raises NotFound, Conflict `already_bound`. `person_no` is the person's."""
    row = await tx.fetchrow(BIND, uuid7(tx.now), house_id, person_id, person_no, role, tx.today, source, tx.now)
    if row is None:
        if await tx.fetchval("SELECT 1 FROM house WHERE id = $1", house_id) is None:
            raise NotFound
        raise Conflict("此人已登记在这套房屋下，无需重复绑定。", code="already_bound")
    audit.record(
        tx, actor, action="occupancy.bound", target=f"occupancy:{row['id']}", community_id=row["community_id"],
        after={"house_id": str(house_id), "person_id": str(person_id), "role": role, "source": source},
    )  # fmt: skip
    occupancy_id: UUID = row["id"]
    return occupancy_id


async def bind_many(tx: Tx, *, community_id: UUID, listed: Sequence[Listed]) -> int:
    """Tie everybody that a roster lists and who is not tied yet; returns how many. The import is audited as a whole."""
    made = await tx.fetch(
        BIND_MANY,
        community_id,
        [uuid7(tx.now) for _ in listed],
        [tie.house_id for tie in listed],
        [tie.house_no for tie in listed],
        [tie.person_id for tie in listed],
        [tie.person_no for tie in listed],
        [tie.role for tie in listed],
        tx.today,
        tx.now,
    )
    return len(made)


async def end(tx: Tx, actor: Actor, *, occupancy_id: UUID, reason: str | None = None) -> Occupancy:
    """Move out (迁出): the tie ends today and access with it; Conflict `already_ended`. The caller has the right to."""
    row = await tx.fetchrow(END, occupancy_id, tx.today)
    if row is None:
        raise Conflict("该住户已经迁出。", code="already_ended")
    audit.record(
        tx, actor, action="occupancy.ended", target=f"occupancy:{occupancy_id}", community_id=row["community_id"],
        reason=reason,
        before={"house_id": str(row["house_id"]), "person_id": str(row["person_id"]), "role": row["role"]},
    )  # fmt: skip
    payload = {"house_id": str(row["house_id"]), "person_id": str(row["person_id"])}
    outbox.emit(tx, ENDED, payload, community_id=row["community_id"])
    return await one(tx, occupancy_id)


async def one(db: Reader, occupancy_id: UUID) -> Occupancy:
    """The tie of an id; raises NotFound."""
    row = await db.fetchrow(ONE, occupancy_id)
    if row is None:
        raise NotFound
    return Occupancy(**row)


async def of_houses(
    db: Reader, house_ids: Iterable[UUID], *, today: date, with_former: bool = False
) -> list[Occupancy]:
    """Who lives in the houses today; with `with_former` everybody who ever did."""
    return [Occupancy(**row) for row in await db.fetch(OF_HOUSE, list(house_ids), today, with_former)]


async def of_people(
    db: Reader, person_ids: Iterable[UUID], *, community_ids: Sequence[UUID], today: date
) -> list[Occupancy]:
    """The current ties of these people in these communities; at most 100."""
    return [Occupancy(**row) for row in await db.fetch(OF_PEOPLE, list(person_ids), list(community_ids), today)]


async def roles(db: Reader, house_ids: Sequence[UUID], *, today: date) -> dict[tuple[UUID, UUID], TieRole]:
    """(house, person) → role of every current tie of the houses."""
    rows: list[Record] = await db.fetch(ROLES, list(house_ids), today)
    return {(row["house_id"], row["person_id"]): row["role"] for row in rows}


async def is_known(db: Reader, *, person_id: UUID, community_id: UUID) -> bool:
    """Whether the person lives, or ever lived, in the community."""
    return await db.fetchval(KNOWN, person_id, community_id) is not None
