"""Who follows an official account (关注、取消关注), and which person that is (R10, D11).

WeChat tells it by pushes that may come late or out of order: what it tells of an earlier instant changes nothing. Who
has unfollowed cannot be reached, and nothing is kept of them but that, for TOMBSTONE (pitfalls E20; a constraint says
so). The person behind a follower is found by the union id, which both of a company's apps know.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from backend.kernel.db import Reader, Record, Tx
from backend.kernel.ids import uuid7

TOMBSTONE = timedelta(days=30)

FOLLOW = """
    INSERT INTO wechat_user AS u (id, appid, openid, follows, follow_told_at, created_at)
    VALUES ($1, $2, $3, true, $4, $5)
        ON CONFLICT (appid, openid) DO UPDATE
       SET reachable = true, follows = true, follow_told_at = excluded.follow_told_at
     WHERE u.follow_told_at IS NULL OR u.follow_told_at <= excluded.follow_told_at
 RETURNING id, person_id
"""
UNFOLLOW = """
    INSERT INTO wechat_user AS u (id, appid, openid, reachable, follows, follow_told_at, created_at)
    VALUES ($1, $2, $3, false, false, $4, $5)
        ON CONFLICT (appid, openid) DO UPDATE
       SET reachable = false, follows = false, follow_told_at = excluded.follow_told_at,
           person_id = NULL, staff_id = NULL, unionid = NULL, session_key_sealed = NULL, by_scan = false
     WHERE u.follow_told_at IS NULL OR u.follow_told_at <= excluded.follow_told_at
 RETURNING id, person_id
"""
# Only who follows still: the answer that brought the union id may be older than an unfollowing. And not who is tied by
# a scan: by the union id that WeChat would open the mini-program as the person whose code it has scanned.
LINK = """
    UPDATE wechat_user u
       SET unionid = $3,
           person_id = coalesce(u.person_id, (SELECT m.person_id FROM wechat_user m
                                               WHERE m.unionid = $3 AND m.person_id IS NOT NULL LIMIT 1))
     WHERE u.appid = $1 AND u.openid = $2 AND u.follows AND NOT u.by_scan
"""
ONE = "SELECT id, person_id FROM wechat_user WHERE appid = $1 AND openid = $2"
BOUND = """
    SELECT 1 FROM wechat_user
     WHERE person_id = $1 AND appid = $2 AND reachable AND follows IS DISTINCT FROM false LIMIT 1
"""
PURGE = """
    DELETE FROM wechat_user u
     WHERE NOT u.follows AND u.follow_told_at < $1
       AND NOT EXISTS (SELECT 1 FROM session s WHERE s.wechat_user_id = u.id)
"""


@dataclass(frozen=True, slots=True)
class Follower:
    """A user of the account; `person_id` is None while it is not known who it is."""

    wechat_user_id: UUID
    person_id: UUID | None


async def follow(tx: Tx, *, appid: str, openid: str, at: datetime) -> Follower | None:
    """Somebody follows, as told of the instant `at`, and is reachable again; None where that is out of date."""
    return _follower(await tx.fetchrow(FOLLOW, uuid7(tx.now), appid, openid, at, tx.now))


async def unfollow(tx: Tx, *, appid: str, openid: str, at: datetime) -> bool:
    """Somebody has gone: unreachable, and tied to nobody; False where that is out of date."""
    return await tx.fetchrow(UNFOLLOW, uuid7(tx.now), appid, openid, at, tx.now) is not None


async def link(tx: Tx, *, appid: str, openid: str, unionid: str) -> None:
    """A follower is whom the company's other app knows by the same union id; who is bound already stays so."""
    await tx.execute(LINK, appid, openid, unionid)


async def one(db: Reader, *, appid: str, openid: str) -> Follower | None:
    """The user of an openid, where it was met before."""
    return _follower(await db.fetchrow(ONE, appid, openid))


async def is_bound(db: Reader, *, person_id: UUID, appid: str) -> bool:
    """Whether the person is reached through the account."""
    return await db.fetchval(BOUND, person_id, appid) is not None


async def purge(tx: Tx) -> None:
    """Retention: forget also that somebody has gone."""
    await tx.execute(PURGE, tx.now - TOMBSTONE)


def _follower(row: Record | None) -> Follower | None:
    return None if row is None else Follower(row["id"], row["person_id"])
