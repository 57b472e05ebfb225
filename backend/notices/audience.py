"""Whom a notice is for, as data: rules that name places, roles, arrears and vehicles (受众, D11).

All that one rule names must hold together; places are one of several. Somebody belongs to the audience by a tie to a
house, today, which `only` takes and `without` does not: an owner of two houses stays in by the other one.
One statement finds all, for counting and for freezing alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from backend.kernel.db import Reader, Tx
from backend.kernel.errors import NotFound
from backend.notices.states import Parking

Places = tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Arrears:
    """Houses whose bills overdue by at least `days` days come to at least `min_fen`, in fen."""

    days: int
    min_fen: int


@dataclass(frozen=True, slots=True)
class Rule:
    """What a tie must be; what is empty or None asks nothing. Without places: all of the community."""

    building_ids: Places = ()
    unit_ids: Places = ()
    house_ids: Places = ()
    roles: tuple[str, ...] = ()
    arrears: Arrears | None = None
    parking: Parking | None = None

    @property
    def places(self) -> tuple[tuple[str, Places], ...]:
        """The places by kind."""
        return (("building", self.building_ids), ("unit", self.unit_ids), ("house", self.house_ids))

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What `_matches` takes, in its order."""
        days, min_fen = (self.arrears.days, self.arrears.min_fen) if self.arrears else (None, None)
        places = [list(ids) for _, ids in self.places]
        return (*places, list(self.roles), days, min_fen, self.parking)

    def as_json(self) -> dict[str, Any]:
        """As it is stored: what `_rule` reads."""
        places = {f"{kind}_ids": [str(place_id) for place_id in ids] for kind, ids in self.places}
        arrears = None if self.arrears is None else asdict(self.arrears)
        return {**places, "roles": list(self.roles), "arrears": arrears, "parking": self.parking}


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is told: whom `only` takes, without whom `without` takes."""

    only: Rule = field(default_factory=Rule)
    without: Rule | None = None

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        without = None if self.without is None else self.without.as_json()
        return {"only": self.only.as_json(), "without": without}


def of_json(stored: Mapping[str, Any]) -> Audience:
    """The audience as `as_json` stored it."""
    without = stored["without"]
    return Audience(_rule(stored["only"]), None if without is None else _rule(without))


def _rule(stored: Mapping[str, Any]) -> Rule:
    arrears, parking = stored["arrears"], stored["parking"]
    return Rule(
        building_ids=tuple(map(UUID, stored["building_ids"])),
        unit_ids=tuple(map(UUID, stored["unit_ids"])),
        house_ids=tuple(map(UUID, stored["house_ids"])),
        roles=tuple(stored["roles"]),
        arrears=None if arrears is None else Arrears(arrears["days"], arrears["min_fen"]),
        parking=None if parking is None else Parking(parking),
    )


def _matches(first: int) -> str:
    """The condition of one rule whose arguments begin at `$first`. Debts go by bill_house, house by house."""
    buildings, units, houses, roles, days, min_fen, parking = (f"${number}" for number in range(first, first + 7))
    return f"""
        (cardinality({buildings}::uuid[]) + cardinality({units}::uuid[]) + cardinality({houses}::uuid[]) = 0
         OR t.building_id = ANY ({buildings}) OR t.unit_id = ANY ({units}) OR t.house_id = ANY ({houses}))
        AND (cardinality({roles}::text[]) = 0 OR t.role = ANY ({roles}))
        AND ({days}::integer IS NULL
             OR (SELECT sum(d.open_fen) FROM notice_debt d
                  WHERE d.house_id = t.house_id AND d.due_on <= $2::date - {days}) >= {min_fen}::bigint)
        AND CASE {parking}::text
                 WHEN 'vehicle' THEN EXISTS (SELECT FROM notice_vehicle v WHERE v.house_id = t.house_id)
                 WHEN 'card' THEN EXISTS (
                     SELECT FROM notice_card c
                      WHERE c.house_id = t.house_id AND c.starts_on <= $2 AND (c.ends_on IS NULL OR c.ends_on > $2))
                 ELSE true END
    """  # noqa: S608 - numbers of arguments


# $1 community, $2 today, $3 whether anybody is left out. coalesce: the debt of a house without bills is NULL.
FOUND = f"""
    WITH found AS MATERIALIZED (
        SELECT t.person_id, array_agg(DISTINCT t.house_id ORDER BY t.house_id) AS house_ids
          FROM notice_tie t
         WHERE t.community_id = $1 AND t.starts_on <= $2 AND (t.ends_on IS NULL OR t.ends_on > $2)
           AND ({_matches(4)}) AND NOT ($3 AND coalesce({_matches(11)}, false))
         GROUP BY t.person_id
    )
"""  # noqa: S608 - constants
LOOK = f"""
    {FOUND}
    SELECT coalesce(array_agg(person_id ORDER BY person_id), '{{}}') AS person_ids,
           (SELECT count(DISTINCT house_id) FROM found, unnest(house_ids) AS house_id) AS houses
      FROM found
"""  # noqa: S608 - constants
FREEZE = f"""
    {FOUND}, made AS (
        INSERT INTO notice_recipient (notice_id, person_id, community_id, house_ids)
        SELECT $18, person_id, $1, house_ids FROM found
     RETURNING house_ids
    )
    SELECT count(*) AS people, (SELECT count(DISTINCT house_id) FROM made, unnest(house_ids) AS house_id) AS houses
      FROM made
"""  # noqa: S608 - constants
PLACES = """
    SELECT count(*) FROM notice_place WHERE community_id = $1 AND kind = $2 AND id = ANY ($3::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Found:
    """The audience of the moment: its people, and how many houses they are reached by."""

    person_ids: Sequence[UUID]
    houses: int


@dataclass(frozen=True, slots=True)
class Frozen:
    """How many people and houses a notice was published to."""

    people: int
    houses: int


async def require_places(db: Reader, audience: Audience, *, community_id: UUID) -> None:
    """NotFound where a rule names a place that is not in the community."""
    for rule in (audience.only, audience.without):
        for kind, ids in rule.places if rule else ():
            if ids and await db.fetchval(PLACES, community_id, kind, list(ids)) != len(set(ids)):
                raise NotFound("没有找到所选的楼栋、单元或房屋，请重新选择。")


async def look(tx: Tx, audience: Audience, *, community_id: UUID) -> Found:
    """Who belongs to the audience today."""
    row = await tx.fetchrow(LOOK, *_arguments(audience, community_id, tx))
    assert row is not None
    return Found(row["person_ids"], row["houses"])


async def freeze(tx: Tx, audience: Audience, *, community_id: UUID, notice_id: UUID) -> Frozen:
    """Write down who belongs to the audience today, for good."""
    row = await tx.fetchrow(FREEZE, *_arguments(audience, community_id, tx), notice_id)
    assert row is not None
    return Frozen(row["people"], row["houses"])


def _arguments(audience: Audience, community_id: UUID, tx: Tx) -> tuple[Any, ...]:
    without = audience.without
    return (community_id, tx.today, without is not None, *audience.only.arguments, *(without or Rule()).arguments)
