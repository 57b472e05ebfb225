"""From a token to a principal, with one query each (design section 5; I-23).

The ties of a resident and the roles of a member of staff are read with every request: who moves out or loses a role is
out at once. The second query, which slides the session, runs at most every few hours of a session's life.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from backend.identity import roles, sessions
from backend.identity.sessions import SessionKind
from backend.kernel.auth import Kind, Principal, Tie
from backend.kernel.clock import local_date
from backend.kernel.db import Database, Reader, Record
from backend.kernel.errors import Unauthenticated
from backend.kernel.resources import Resources

SLIDE_STEPS = 7

RESIDENT = """
    SELECT s.wechat_user_id, s.expires_at, u.person_id, t.house_id, t.community_id, t.role
      FROM session s
      JOIN wechat_user u ON u.id = s.wechat_user_id
      LEFT JOIN person_tie t
        ON t.person_id = u.person_id AND t.starts_on <= $3 AND (t.ends_on IS NULL OR t.ends_on > $3)
     WHERE s.token_hash = $1 AND s.kind = 'resident' AND s.revoked_at IS NULL AND s.expires_at > $2
     ORDER BY t.house_id
"""

# Indexes of the ties of a person; a company's communities are few.
OF_PERSON = """
    SELECT t.house_id, t.community_id, t.role
      FROM person_tie t JOIN company_community c USING (community_id)
     WHERE t.person_id = $1 AND c.company_id = $2 AND t.starts_on <= $3 AND (t.ends_on IS NULL OR t.ends_on > $3)
     ORDER BY t.house_id
     LIMIT 100
"""

STAFF = """
    SELECT s.staff_id, s.expires_at, s.second_factor, m.company_id, r.role,
           CASE WHEN r.community_id IS NULL THEN m.company_id END AS company_wide,
           array_agg(c.community_id) AS community_ids
      FROM session s
      JOIN staff m ON m.id = s.staff_id AND m.state = 'ACTIVE'
      LEFT JOIN staff_role r ON r.staff_id = m.id
      LEFT JOIN company_community c
        ON c.company_id = m.company_id AND (r.community_id IS NULL OR c.community_id = r.community_id)
     WHERE s.token_hash = $1 AND s.kind = 'staff' AND s.revoked_at IS NULL AND s.expires_at > $2
     GROUP BY s.token_hash, m.id, r.role, r.community_id
"""


async def authenticate(res: Resources, token: str, request_id: str) -> Principal:
    """The principal behind a bearer token; raises Unauthenticated for one that is unknown, ended or expired."""
    token_hash = sessions.hash_token(token)
    now = res.clock.now()
    if token.startswith(sessions.PREFIX["resident"]):
        return await _resident(res.db, token_hash, now, request_id)
    if token.startswith(sessions.PREFIX["staff"]):
        return await _staff(res.db, token_hash, now, request_id)
    raise Unauthenticated


async def of_person(db: Reader, person_id: UUID, *, company_id: UUID, on: date) -> Principal:
    """A resident who writes to us without a session, with the ties to houses that the company manages."""
    rows = await db.fetch(OF_PERSON, person_id, company_id, on)
    ties = tuple(Tie(row["house_id"], row["community_id"], row["role"]) for row in rows)
    return Principal(kind=Kind.RESIDENT, id=person_id, ties=ties)


async def _resident(db: Database, token_hash: bytes, now: datetime, request_id: str) -> Principal:
    rows = await db.fetch(RESIDENT, token_hash, now, local_date(now))
    first = _first(rows)
    await _slide(db, token_hash, "resident", first["expires_at"], now)
    return Principal(
        kind=Kind.RESIDENT,
        id=first["person_id"],
        session=token_hash,
        wechat_user_id=first["wechat_user_id"],
        ties=tuple(
            Tie(row["house_id"], row["community_id"], row["role"]) for row in rows if row["house_id"] is not None
        ),
        request_id=request_id,
    )


async def _staff(db: Database, token_hash: bytes, now: datetime, request_id: str) -> Principal:
    rows = await db.fetch(STAFF, token_hash, now)
    first = _first(rows)
    await _slide(db, token_hash, "staff", first["expires_at"], now)
    held = [(roles.Role(row["role"]), _scopes(row)) for row in rows if row["role"] is not None]
    return Principal(
        kind=Kind.STAFF,
        id=first["staff_id"],
        session=token_hash,
        grants=roles.grants(held, second_factor=first["second_factor"]),
        second_factor=first["second_factor"],
        company_id=first["company_id"],
        request_id=request_id,
    )


def _scopes(row: Record) -> list[UUID]:
    """The communities of one role; with the company's own id where it is held for the whole company."""
    return [scope for scope in (row["company_wide"], *row["community_ids"]) if scope is not None]


def _first(rows: Sequence[Record]) -> Record:
    if not rows:
        raise Unauthenticated("登录已失效，请重新登录。")
    return rows[0]


async def _slide(db: Database, token_hash: bytes, kind: SessionKind, expires_at: datetime, now: datetime) -> None:
    lifetime: timedelta = sessions.LIFETIME[kind]
    if expires_at - now < lifetime - lifetime / SLIDE_STEPS:
        await db.execute(sessions.SLIDE, token_hash, now + lifetime)
