"""Family codes (家庭邀请码): an owner invites a member of the family or a tenant; five minutes, once (D1).

Only the blind index of a code is kept. It is used up by one UPDATE that checks everything, so that of many who type it
at the same moment one comes in.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.crypto import Keyring
from backend.kernel.db import Tx
from backend.kernel.errors import Forbidden
from backend.kernel.ids import random_text
from backend.property import occupancy

LIFETIME = timedelta(minutes=5)
LENGTH = 8
InvitedRole = Literal["family", "tenant"]

INSERT = """
    INSERT INTO family_code (code_hash, house_id, role, created_by, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6)
"""
# The owner who made the code must still be the owner.
USE = """
    UPDATE family_code c SET used_by = $2, used_at = $3
     WHERE c.code_hash = $1 AND c.used_at IS NULL AND c.expires_at > $3
       AND EXISTS (SELECT 1 FROM occupancy o
                    WHERE o.house_id = c.house_id AND o.person_id = c.created_by AND o.role = 'owner'
                      AND o.starts_on <= $4 AND (o.ends_on IS NULL OR o.ends_on > $4))
 RETURNING c.house_id, c.role
"""
PURGE = "DELETE FROM family_code WHERE expires_at < $1"


@dataclass(frozen=True, slots=True)
class FamilyCode:
    """A fresh code, shown once."""

    code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Joined:
    """What a code led to."""

    house_id: UUID
    role: InvitedRole


async def create(
    tx: Tx, keyring: Keyring, actor: Actor, *, house_id: UUID, community_id: UUID, owner_id: UUID, role: InvitedRole
) -> FamilyCode:
    """A code for one person to join the house; the caller has checked that `owner_id` is an owner of it."""
    code = random_text(LENGTH)
    expires_at = tx.now + LIFETIME
    await tx.execute(INSERT, keyring.blind(code, "family_code"), house_id, role, owner_id, tx.now, expires_at)
    audit.record(
        tx, actor, action="family_code.created", target=f"house:{house_id}", community_id=community_id,
        after={"role": role},
    )  # fmt: skip
    return FamilyCode(code, expires_at)


async def join(tx: Tx, keyring: Keyring, actor: Actor, *, code: str, person_id: UUID, person_no: int) -> Joined:
    """Use a code: the person is tied to its house. Forbidden `code_refused` for wrong, used and old codes alike.

    Conflict `already_bound` for someone who lives there leaves the code unused.
    """
    blind = keyring.blind(code.strip().upper(), "family_code")
    row = await tx.fetchrow(USE, blind, person_id, tx.now, tx.today)
    if row is None:
        raise Forbidden("邀请码不正确或已失效，请让业主重新生成。", code="code_refused")
    await occupancy.bind(
        tx, actor, house_id=row["house_id"], person_id=person_id, person_no=person_no, role=row["role"],
        source="family_code",
    )  # fmt: skip
    return Joined(row["house_id"], row["role"])


async def purge(tx: Tx, *, kept: timedelta = timedelta(days=30)) -> None:
    """Retention: forget codes that ended longer ago than `kept`."""
    await tx.execute(PURGE, tx.now - kept)
