"""Sessions: opaque tokens of 256 random bits, kept as SHA-256, sliding, revocable (security: authentication).

A token is made by us at login and never taken from a client, so that none can be planted (fixation). A resident's is
bound to the openid that logged in, a staff member's ends with every change of roles, password or state.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal
from uuid import UUID

from backend.kernel import ids
from backend.kernel.db import Tx

SessionKind = Literal["resident", "staff"]
LIFETIME: dict[SessionKind, timedelta] = {"resident": timedelta(days=7), "staff": timedelta(hours=12)}
PREFIX: dict[SessionKind, str] = {"resident": "r_", "staff": "s_"}

INSERT = """
    INSERT INTO session (token_hash, kind, wechat_user_id, staff_id, second_factor, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
SLIDE = "UPDATE session SET expires_at = $2 WHERE token_hash = $1 AND revoked_at IS NULL AND expires_at < $2"
REVOKE = "UPDATE session SET revoked_at = $2 WHERE token_hash = $1 AND revoked_at IS NULL"
REVOKE_STAFF = "UPDATE session SET revoked_at = $2 WHERE staff_id = $1 AND revoked_at IS NULL"


@dataclass(frozen=True, slots=True)
class Session:
    """A fresh session: the only moment at which the token is known to us."""

    token: str
    expires_at: datetime


def hash_token(token: str) -> bytes:
    """What is kept of a token."""
    return sha256(token.encode()).digest()


async def open_for_resident(tx: Tx, wechat_user_id: UUID) -> Session:
    """A session of seven days, sliding, bound to one openid."""
    return await _open(tx, "resident", wechat_user_id=wechat_user_id)


async def open_for_staff(tx: Tx, staff_id: UUID, *, second_factor: bool) -> Session:
    """A session of twelve hours, sliding."""
    return await _open(tx, "staff", staff_id=staff_id, second_factor=second_factor)


async def _open(
    tx: Tx,
    kind: SessionKind,
    *,
    wechat_user_id: UUID | None = None,
    staff_id: UUID | None = None,
    second_factor: bool = False,
) -> Session:
    token = PREFIX[kind] + ids.token()
    expires_at = tx.now + LIFETIME[kind]
    await tx.execute(INSERT, hash_token(token), kind, wechat_user_id, staff_id, second_factor, tx.now, expires_at)
    return Session(token, expires_at)


async def revoke(tx: Tx, token_hash: bytes) -> None:
    """End one session (logout)."""
    await tx.execute(REVOKE, token_hash, tx.now)


async def revoke_of_staff(tx: Tx, staff_id: UUID) -> None:
    """End every session of a member of staff: roles, password, second factor or state have changed."""
    await tx.execute(REVOKE_STAFF, staff_id, tx.now)
