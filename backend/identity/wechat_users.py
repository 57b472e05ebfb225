"""WeChat accounts: signing in with what code2session answered, and binding the phone that WeChat verified (D1).

The calls to WeChat are made by the caller, outside any transaction. The session key is kept sealed and never leaves the
server. The phone decides who someone is: a roster that lists it has made the person already, with the houses.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.identity import people, sessions
from backend.identity.people import Person
from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Reader, Tx
from backend.kernel.errors import NotFound
from backend.kernel.ids import uuid7

UPSERT = """
    INSERT INTO wechat_user (id, appid, openid, unionid, person_id, created_at)
    VALUES ($1, $2, $3, $4,
            (SELECT person_id FROM wechat_user WHERE unionid = $4 AND person_id IS NOT NULL LIMIT 1), $5)
        ON CONFLICT (appid, openid) DO UPDATE
       SET unionid = coalesce(EXCLUDED.unionid, wechat_user.unionid),
           person_id = coalesce(wechat_user.person_id, EXCLUDED.person_id)
    RETURNING id, person_id
"""
KEEP_KEY = "UPDATE wechat_user SET session_key_sealed = $2 WHERE id = $1"
# The same human under the company's other apps (official account) is known by the union id.
BIND = """
    UPDATE wechat_user u SET person_id = $2
      FROM wechat_user me
     WHERE me.id = $1 AND (u.id = me.id OR (u.unionid = me.unionid AND u.person_id IS NOT DISTINCT FROM me.person_id))
"""
ONE = "SELECT id, appid, openid, person_id, staff_id, session_key_sealed FROM wechat_user WHERE id = $1"
LOCK = "SELECT id, person_id FROM wechat_user WHERE id = $1 FOR UPDATE"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A fresh resident session. `person_id` is None until a phone is bound."""

    token: str
    expires_at: datetime
    wechat_user_id: UUID
    person_id: UUID | None


@dataclass(frozen=True, slots=True)
class Account:
    """Where a WeChat user is reached, and the key for data that the phone encrypted."""

    appid: str
    openid: str
    session_key: str | None
    is_staff: bool


async def sign_in(
    tx: Tx, keyring: Keyring, *, appid: str, openid: str, unionid: str | None, session_key: str
) -> SignedIn:
    """A session for what code2session answered (protocols/wechat-miniprogram 1.1); the newest key replaces the old."""
    user_id, person_id = await meet(tx, appid=appid, openid=openid, unionid=unionid)
    sealed = keyring.seal(session_key, Context("wechat_user", "session_key_sealed", user_id))
    await tx.execute(KEEP_KEY, user_id, sealed)
    session = await sessions.open_for_resident(tx, user_id)
    return SignedIn(session.token, session.expires_at, user_id, person_id)


async def meet(tx: Tx, *, appid: str, openid: str, unionid: str | None) -> tuple[UUID, UUID | None]:
    """Know a WeChat user of an app, such as a follower of the official account; returns user and, if known, person."""
    row = await tx.fetchrow(UPSERT, uuid7(tx.now), appid, openid, unionid, tx.now)
    assert row is not None
    return row["id"], row["person_id"]


async def bind_phone(tx: Tx, keyring: Keyring, actor: Actor, *, wechat_user_id: UUID, phone: str) -> Person:
    """Tie the WeChat user to the person of the verified `phone` (normalised), made where there is none.

    A second phone moves the account to the person of that phone: what a roster says about a number is for its holder.
    """
    before = await tx.fetchrow(LOCK, wechat_user_id)
    if before is None:
        raise NotFound
    person = await people.ensure(tx, keyring, phone=phone)
    if before["person_id"] != person.id:
        await tx.execute(BIND, wechat_user_id, person.id)
        audit.record(
            tx, actor, action="wechat_user.phone_bound", target=f"wechat_user:{wechat_user_id}",
            before={"person_id": before["person_id"] and str(before["person_id"])}, after={"person_id": str(person.id)},
        )  # fmt: skip
    return person


async def account(db: Reader, keyring: Keyring, wechat_user_id: UUID) -> Account:
    """The account of a signed-in WeChat user; raises NotFound."""
    row = await db.fetchrow(ONE, wechat_user_id)
    if row is None:
        raise NotFound
    sealed = row["session_key_sealed"]
    context = Context("wechat_user", "session_key_sealed", row["id"])
    return Account(
        appid=row["appid"],
        openid=row["openid"],
        session_key=None if sealed is None else keyring.open(bytes(sealed), context),
        is_staff=row["staff_id"] is not None,
    )
