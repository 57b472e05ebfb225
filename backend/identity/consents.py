"""Consents to the use of personal data (个人信息授权), by purpose and version of the text shown (D12)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Tx
from backend.kernel.errors import NotFound


class Purpose(StrEnum):
    """What personal data may be used for."""

    SERVICE = "service"
    MESSAGES = "messages"
    VEHICLES = "vehicles"


REVOKE = """
    UPDATE personal_consent SET revoked_at = $3
     WHERE person_id = $1 AND purpose = $2 AND revoked_at IS NULL
 RETURNING version
"""
GRANT = """
    INSERT INTO personal_consent (person_id, purpose, version, granted_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (person_id, purpose) WHERE revoked_at IS NULL DO NOTHING
"""
OF_PERSON = """
    SELECT purpose, version, granted_at, revoked_at
      FROM personal_consent
     WHERE person_id = $1
     ORDER BY id DESC
     LIMIT 100
"""


@dataclass(frozen=True, slots=True)
class Consent:
    """One consent; revoked ones are kept."""

    purpose: str
    version: int
    granted_at: datetime
    revoked_at: datetime | None


async def grant(tx: Tx, actor: Actor, *, person_id: UUID, purpose: Purpose, version: int) -> None:
    """Consent to version `version` of a purpose's text; an older consent to the same purpose ends."""
    live = await tx.fetchval(
        "SELECT version FROM personal_consent WHERE person_id = $1 AND purpose = $2 AND revoked_at IS NULL FOR UPDATE",
        person_id,
        purpose,
    )
    if live == version:
        return
    await tx.execute(REVOKE, person_id, purpose, tx.now)
    await tx.execute(GRANT, person_id, purpose, version, tx.now)
    audit.record(
        tx,
        actor,
        action="consent.granted",
        target=f"person:{person_id}",
        after={"purpose": purpose, "version": version},
    )


async def revoke(tx: Tx, actor: Actor, *, person_id: UUID, purpose: Purpose) -> None:
    """Take the consent to a purpose back; raises NotFound where there is none."""
    version = await tx.fetchval(REVOKE, person_id, purpose, tx.now)
    if version is None:
        raise NotFound
    audit.record(
        tx,
        actor,
        action="consent.revoked",
        target=f"person:{person_id}",
        before={"purpose": purpose, "version": version},
    )


async def of_person(db: Reader, person_id: UUID) -> list[Consent]:
    """The latest hundred consents of a person, the newest first."""
    return [Consent(**row) for row in await db.fetch(OF_PERSON, person_id)]
