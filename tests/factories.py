"""Builders of rows that most tests need. They write by SQL, so that a test of one noun does not run another's code."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from backend.kernel.crypto import Context
from backend.kernel.ids import uuid7
from backend.kernel.personal import normalise_phone
from backend.kernel.resources import Resources

APPID = "wxd678efh567hg6787"


@dataclass(frozen=True)
class Community:
    """A community with one building of one unit."""

    id: UUID
    company_id: UUID
    building_id: UUID
    unit_id: UUID
    code: str


async def community(res: Resources, code: str = "LL01", *, company_id: UUID | None = None) -> Community:
    """A community with building 1 and unit 1; a new company unless one is given."""
    db, now = res.db, res.clock.now()
    if company_id is None:
        company_id = uuid7(now)
        await db.execute("INSERT INTO company (id, name, created_at) VALUES ($1, '邻里物业', $2)", company_id, now)
    made = Community(uuid7(now), company_id, uuid7(now), uuid7(now), code)
    await db.execute(
        "INSERT INTO community (id, company_id, code, name, created_at) VALUES ($1, $2, $3, $4, $5)",
        made.id, company_id, code, f"{code}小区", now,
    )  # fmt: skip
    await db.execute(
        "INSERT INTO building (id, community_id, code, name) VALUES ($1, $2, '1', '1栋')", made.building_id, made.id
    )
    await db.execute(
        "INSERT INTO unit (id, community_id, building_id, code) VALUES ($1, $2, $3, '1')",
        made.unit_id, made.id, made.building_id,
    )  # fmt: skip
    return made


async def building(res: Resources, place: Community, code: str) -> UUID:
    """Another building."""
    building_id = uuid7(res.clock.now())
    await res.db.execute(
        "INSERT INTO building (id, community_id, code, name) VALUES ($1, $2, $3, $4)",
        building_id, place.id, code, f"{code}栋",
    )  # fmt: skip
    return building_id


async def house(
    res: Resources,
    place: Community,
    code: str = "101",
    *,
    gross_area_cm2: int | None = 893_500,
    handover_on: date | None = date(2020, 1, 1),
    kind: str = "residence",
) -> UUID:
    """A house of 89.35 m², handed over in 2020."""
    house_id = uuid7(res.clock.now())
    await res.db.execute(
        """INSERT INTO house (id, community_id, building_id, unit_id, code, label, search_key, kind, gross_area_cm2,
                              inner_area_cm2, handover_on, pay_code, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11, $12)""",
        house_id, place.id, place.building_id, place.unit_id, code, f"1栋1单元{code}", f"1-1-{code}", kind,
        gross_area_cm2, handover_on, secrets.token_hex(8), res.clock.now(),
    )  # fmt: skip
    return house_id


@dataclass(frozen=True)
class Person:
    """A person with a WeChat account and a session."""

    id: UUID
    wechat_user_id: UUID
    openid: str
    token: str


async def person(
    res: Resources, phone: str = "13800000001", name: str = "张三", *, openid: str | None = None
) -> Person:
    """A resident who has logged in and bound a phone."""
    now, ring = res.clock.now(), res.keyring
    person_id, user_id = uuid7(now), uuid7(now)
    openid = openid or f"o{secrets.token_urlsafe(20)}"
    number = normalise_phone(phone)
    await res.db.execute(
        """INSERT INTO person (id, name_sealed, phone_sealed, phone_blind, phone_tail_blind, created_at)
           VALUES ($1, $2, $3, $4, $5, $6)""",
        person_id, ring.seal(name, Context("person", "name_sealed", person_id)),
        ring.seal(number, Context("person", "phone_sealed", person_id)),
        ring.blind(number, "phone"), ring.blind(number[-4:], "phone_tail"), now,
    )  # fmt: skip
    await res.db.execute(
        "INSERT INTO wechat_user (id, appid, openid, person_id, created_at) VALUES ($1, $2, $3, $4, $5)",
        user_id, APPID, openid, person_id, now,
    )  # fmt: skip
    token = f"r_{secrets.token_urlsafe(32)}"
    await res.db.execute(
        """INSERT INTO session (token_hash, kind, wechat_user_id, created_at, expires_at)
           VALUES ($1, 'resident', $2, $3, $4)""",
        hashlib.sha256(token.encode()).digest(), user_id, now, now + timedelta(days=7),
    )  # fmt: skip
    return Person(person_id, user_id, openid, token)


async def occupy(
    res: Resources, who: Person, house_id: UUID, role: str = "owner", *, starts_on: date = date(2020, 1, 1),
    ends_on: date | None = None,
) -> None:  # fmt: skip
    """Tie a person to a house."""
    await res.db.execute(
        """INSERT INTO occupancy (id, community_id, house_id, house_no, person_id, person_no, role, starts_on, ends_on,
                                  source, created_at)
           SELECT $1, h.community_id, h.id, h.no, p.id, p.no, $4, $5, $6, 'roster', $7
             FROM house h, person p WHERE h.id = $2 AND p.id = $3""",
        uuid7(res.clock.now()), house_id, who.id, role, starts_on, ends_on, res.clock.now(),
    )  # fmt: skip


@dataclass(frozen=True)
class Staff:
    """A member of staff with a session that has passed the second factor."""

    id: UUID
    token: str


async def staff(res: Resources, place: Community, role: str, *, all_communities: bool = False) -> Staff:
    """A member of staff of `place`'s company with `role` there, logged in."""
    now, staff_id = res.clock.now(), uuid7(res.clock.now())
    await res.db.execute(
        """INSERT INTO staff (id, company_id, login, name, password_hash, state, created_at)
           VALUES ($1, $2, $3, $4, 'none', 'ACTIVE', $5)""",
        staff_id, place.company_id, f"{role}-{staff_id.hex[-8:]}", role, now,
    )  # fmt: skip
    await res.db.execute(
        "INSERT INTO staff_role (staff_id, role, community_id, granted_at) VALUES ($1, $2, $3, $4)",
        staff_id, role, None if all_communities else place.id, now,
    )  # fmt: skip
    token = f"s_{secrets.token_urlsafe(32)}"
    await res.db.execute(
        """INSERT INTO session (token_hash, kind, staff_id, second_factor, created_at, expires_at)
           VALUES ($1, 'staff', $2, true, $3, $4)""",
        hashlib.sha256(token.encode()).digest(), staff_id, now, now + timedelta(hours=12),
    )  # fmt: skip
    return Staff(staff_id, token)
