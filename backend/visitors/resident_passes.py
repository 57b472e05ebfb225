"""A resident's own code for the doors (住户通行码): one for a person and a house (D10).

Promises: it ends when the tie ends: by the event of moving out, and before that event has been worked already, since
whoever asks whether it opens looks at the present tie too. What a phone shows is made of it by `tokens.py`.
"""

import secrets
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from backend.kernel.auth import Tie
from backend.kernel.db import Reader, Tx
from backend.kernel.ids import uuid7
from backend.visitors.inviting import NONCE_BYTES

INSERT = """
    INSERT INTO resident_pass (id, community_id, house_id, person_id, token_nonce, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (person_id, house_id) WHERE revoked_at IS NULL DO NOTHING
"""

LIVE = "SELECT id, gate_ids FROM resident_pass WHERE person_id = $1 AND house_id = $2 AND revoked_at IS NULL"

REVOKE = """
    UPDATE resident_pass SET revoked_at = $3
     WHERE person_id = $1 AND house_id = $2 AND revoked_at IS NULL
       AND NOT EXISTS (SELECT FROM person_tie t
                        WHERE t.person_id = $1 AND t.house_id = $2 AND t.starts_on <= $4
                          AND (t.ends_on IS NULL OR t.ends_on > $4))
"""

OPENS = """
    SELECT EXISTS (
        SELECT FROM resident_pass r
          JOIN visitor_gate g ON g.id = $2 AND g.community_id = r.community_id
          JOIN person_tie t ON t.person_id = r.person_id AND t.house_id = r.house_id
         WHERE r.id = $1 AND r.revoked_at IS NULL AND (r.gate_ids IS NULL OR g.id = ANY (r.gate_ids))
           AND t.starts_on <= $3 AND (t.ends_on IS NULL OR t.ends_on > $3))
"""


@dataclass(frozen=True, slots=True)
class ResidentPass:
    """A resident's code as a row. `gate_ids` None: every gate of the community."""

    id: UUID
    gate_ids: list[UUID] | None


async def ensure(tx: Tx, *, tie: Tie, person_id: UUID) -> ResidentPass:
    """The code of a person for the house of a present tie, made now if need be; two at once make one."""
    await tx.execute(
        INSERT, uuid7(tx.now), tie.community_id, tie.house_id, person_id, secrets.token_bytes(NONCE_BYTES), tx.now
    )
    row = await tx.fetchrow(LIVE, person_id, tie.house_id)
    assert row is not None
    return ResidentPass(row["id"], row["gate_ids"])


async def revoke_of(tx: Tx, *, house_id: UUID, person_id: UUID) -> None:
    """End the code of somebody who is no longer tied to the house."""
    await tx.execute(REVOKE, person_id, house_id, tx.now, tx.today)


async def opens(db: Reader, resident_pass_id: UUID, *, gate_id: UUID, today: date) -> bool:
    """Whether a resident's code opens a gate today."""
    return bool(await db.fetchval(OPENS, resident_pass_id, gate_id, today))
