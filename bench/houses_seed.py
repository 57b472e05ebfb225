"""What Y-3, Y-9 and the million start from: a community of houses with an owner each, and one item with a price.

Houses and people are seeded set-based, the item by the product's own commands. House n has number n + 1.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from hashlib import sha256
from uuid import UUID, uuid4

from backend.fees import items, prices
from backend.fees.items import NewItem
from backend.fees.plan import Formula, Liable, Nature
from backend.kernel.audit import SYSTEM
from backend.kernel.config import Settings
from backend.kernel.db import Tx
from backend.kernel.money import Rounding, RoundingUnit
from bench.rig import Rig

SINCE = date(2020, 1, 1)
RATE_MICRO = 2_500_000
ITEM = NewItem(
    code="WYF",
    name="物业费",
    type="property",
    nature=Nature.RECURRING,
    formula=Formula.GROSS_AREA,
    cycle_months=1,
    prepaid=True,
    lead_days=0,
    due_days=30,
    rounding=Rounding.HALF_UP,
    rounding_unit=RoundingUnit.FEN,
    house_kinds=("residence",),
    liable=Liable.OWNER,
    payable_online=True,
    valid_from=SINCE,
)

GIVEN = """
    CREATE TEMP TABLE g AS
    SELECT $1::integer AS houses, $2::uuid AS one, $3::uuid AS place, $4::timestamptz AS at, $5::text AS salt
"""

HOUSE = "('b0000001-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"
PERSON = "('b0000002-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"
USER = "('b0000003-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"
EACH = "FROM g, generate_series(0, g.houses - 1) AS n ORDER BY n"

ROWS = f"""
    INSERT INTO company (id, name, created_at) SELECT one, '物业', at FROM g;
    INSERT INTO community (id, company_id, code, name, created_at) SELECT place, one, 'B', '小区', at FROM g;
    INSERT INTO building (id, community_id, code, name) SELECT one, place, '1', '1栋' FROM g;
    INSERT INTO unit (id, community_id, building_id, code) SELECT one, place, one, '1' FROM g;
    INSERT INTO house (id, community_id, building_id, unit_id, code, label, search_key, kind, gross_area_cm2,
                       handover_on, pay_code, created_at)
    SELECT {HOUSE}, place, one, one, n, '1栋' || n, '1-' || n, 'residence', 600000 + n % 700 * 1000, '2020-01-01',
           'H' || n, at {EACH};
    INSERT INTO person (id, created_at) SELECT {PERSON}, at {EACH};
    INSERT INTO occupancy (id, community_id, house_id, house_no, person_id, person_no, role, starts_on, source,
                           created_at)
    SELECT {HOUSE}, place, {HOUSE}, n + 1, {PERSON}, n + 1, 'owner', '2020-01-01', 'roster', at {EACH}
"""  # noqa: S608 - constants only

SESSIONS = f"""
    INSERT INTO wechat_user (id, appid, openid, person_id, created_at)
    SELECT {USER}, 'wxd678efh567hg6787', 'o' || n, {PERSON}, at {EACH};
    INSERT INTO session (token_hash, kind, wechat_user_id, created_at, expires_at)
    SELECT sha256(convert_to('r_' || salt || n, 'UTF8')), 'resident', {USER}, at, at + interval '7 days' {EACH}
"""


@dataclass(frozen=True, slots=True)
class Estate:
    """A seeded database that nobody is connected to."""

    settings: Settings
    community_id: UUID
    item_id: UUID
    houses: int
    salt: str

    def token(self, number: int) -> str:
        """The session token of the owner of house `number`."""
        return f"r_{self.salt}{number}"


async def seed(rig: Rig, houses: int, *, sessions: bool = False) -> Estate:
    """A fresh database with `houses` houses; with a session for each owner where they are wanted."""
    settings = await rig.fresh()
    community_id, at, salt = uuid4(), datetime.now(UTC), sha256(uuid4().bytes).hexdigest()
    async with rig.owner(settings) as owner:
        await owner.execute(GIVEN, houses, uuid4(), community_id, at, salt)
        for statement in (ROWS + (";" + SESSIONS if sessions else "")).split(";\n"):
            await owner.execute(statement)
        await owner.execute("VACUUM ANALYZE")
    async with rig.resources(settings) as res:
        item_id = await res.db.transact(partial(_item, community_id=community_id))
    return Estate(settings, community_id, item_id, houses, salt)


async def _item(tx: Tx, *, community_id: UUID) -> UUID:
    row = await items.create(tx, SYSTEM, community_id=community_id, new=ITEM)
    await prices.add(tx, SYSTEM, item=items.of_row(row), rate_micro=RATE_MICRO, effective_from=SINCE)
    item_id: UUID = row["id"]
    return item_id


def amount_fen(number: int) -> int:
    """What house `number` owes for a month: area × 2.50 yuan, rounded half up; worked out apart from the product."""
    area_cm2 = 600_000 + number % 700 * 1000
    return (area_cm2 * 25 + 500) // 1000
