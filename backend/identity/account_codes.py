"""Binding the official account by a scan (扫码绑定公众号): a resident's code, good once and for LIFETIME (R10).

The code carries a scene that only the server can make from the code's id; its SHA-256 alone is kept. Whoever scans it
in WeChat is tied to the resident who asked for it, in one transaction. A code that is used, too old, of another account
or unknown is refused with one and the same word, and who is tied to another person stays so. A scan lets the account
write to whoever scanned, and nothing more: it opens no mini-program in the person's name.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.crypto import Keyring
from backend.kernel.db import Reader, Tx
from backend.kernel.ids import uuid7

LIFETIME = timedelta(minutes=10)
KEPT = timedelta(days=1)
SCENE = "bind_"

OFFER = """
    INSERT INTO account_code (id, person_id, appid, scene_hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
"""
KEEP = "UPDATE account_code SET drawn = $2, ticket = $3 WHERE id = $1 AND drawn IS NULL"
ONE = "SELECT drawn, ticket FROM account_code WHERE id = $1 AND drawn IS NOT NULL"
LOCK_USER = "SELECT id, person_id FROM wechat_user WHERE appid = $1 AND openid = $2 FOR UPDATE"
LOCK_CODE = """
    SELECT c.id, c.person_id
      FROM account_code c JOIN person p ON p.id = c.person_id AND p.removed_at IS NULL
     WHERE c.scene_hash = $1 AND c.appid = $2 AND c.used_at IS NULL AND c.expires_at > $3
       FOR UPDATE OF c
"""
USE = "UPDATE account_code SET used_at = $2 WHERE id = $1"
# Who is known to be the person already is so by the union id, and stays so.
BIND = """
    UPDATE wechat_user SET person_id = $2, unionid = NULL, by_scan = true WHERE id = $1 AND person_id IS NULL
"""
PURGE = "DELETE FROM account_code WHERE expires_at < $1"


class Binding(StrEnum):
    """What came of a scan."""

    BOUND = "bound"
    REFUSED = "refused"
    OF_ANOTHER = "of_another"


@dataclass(frozen=True, slots=True)
class Drawn:
    """What WeChat made of a code: the content to draw, and the ticket under which it shows a picture."""

    content: str
    ticket: str


async def offer(tx: Tx, keyring: Keyring, *, person_id: UUID, appid: str) -> tuple[UUID, datetime]:
    """A new code of the person for the official account `appid`: its id and its end."""
    code_id, expires_at = uuid7(tx.now), tx.now + LIFETIME
    await tx.execute(OFFER, code_id, person_id, appid, _hash(scene_of(keyring, code_id)), tx.now, expires_at)
    return code_id, expires_at


def scene_of(keyring: Keyring, code_id: UUID) -> str:
    """What the code carries: 37 characters that nobody else can make."""
    return SCENE + keyring.blind(str(code_id), "account_code").hex()


async def keep_drawn(tx: Tx, code_id: UUID, drawn: Drawn) -> None:
    """Keep what WeChat made of a code; what was kept before stays."""
    await tx.execute(KEEP, code_id, drawn.content, drawn.ticket)


async def drawn_of(db: Reader, code_id: UUID) -> Drawn | None:
    """What WeChat has made of a code."""
    row = await db.fetchrow(ONE, code_id)
    return None if row is None else Drawn(row["drawn"], row["ticket"])


async def bind(tx: Tx, *, appid: str, openid: str, scene: str) -> Binding:
    """Use the code with this scene for a follower, who is known here; of two scans of one code one is refused."""
    user = await tx.fetchrow(LOCK_USER, appid, openid)
    code = await tx.fetchrow(LOCK_CODE, _hash(scene), appid, tx.now)
    if user is None or code is None:
        return Binding.REFUSED
    if user["person_id"] not in (None, code["person_id"]):
        return Binding.OF_ANOTHER
    await tx.execute(USE, code["id"], tx.now)
    await tx.execute(BIND, user["id"], code["person_id"])
    audit.record(
        tx, Actor("resident", code["person_id"]), action="wechat_user.account_bound",
        target=f"wechat_user:{user['id']}", after={"person_id": str(code["person_id"])},
    )  # fmt: skip
    return Binding.BOUND


async def purge(tx: Tx) -> None:
    """Retention: forget old codes."""
    await tx.execute(PURGE, tx.now - KEPT)


def _hash(scene: str) -> bytes:
    return sha256(scene.encode()).digest()
