"""A community and its gates by the short numbers that tokens carry; given when first needed, and never again."""

import secrets
from collections.abc import Sequence
from uuid import UUID

from backend.kernel.db import Record, Tx
from backend.kernel.errors import NotFound

SALT_BYTES = 16

FIND = "SELECT community_id, no, salt, version FROM visitor_site WHERE community_id = $1"
ADD = "INSERT INTO visitor_site (community_id, salt) VALUES ($1, $2) ON CONFLICT (community_id) DO NOTHING"
LOCK = f"{FIND} FOR UPDATE"

NUMBERED = "SELECT device_id, no FROM visitor_gate_number WHERE device_id = ANY ($1::uuid[]) AND community_id = $2"

# The lock of the site is held: nobody else gives a number of this community.
NUMBER = """
    INSERT INTO visitor_gate_number (device_id, community_id, no)
    SELECT g.id, g.community_id, row_number() OVER (ORDER BY g.id)
           + (SELECT coalesce(max(no), 0) FROM visitor_gate_number WHERE community_id = $2)
      FROM visitor_gate g
     WHERE g.id = ANY ($1::uuid[]) AND g.community_id = $2
 RETURNING device_id, no
"""


async def of_community(tx: Tx, community_id: UUID) -> Record:
    """The site of a community (`no`, `salt`, `version`)."""
    site = await tx.fetchrow(FIND, community_id)
    if site is None:
        await tx.execute(ADD, community_id, secrets.token_bytes(SALT_BYTES))
        site = await tx.fetchrow(FIND, community_id)
    assert site is not None, "it has just been added, by us or by somebody whose commit we waited for"
    return site


async def lock(tx: Tx, community_id: UUID) -> Record:
    """The site of a community, held until the commit."""
    await of_community(tx, community_id)
    site = await tx.fetchrow(LOCK, community_id)
    assert site is not None, "sites are not deleted"
    return site


async def numbers(tx: Tx, community_id: UUID, *, gate_ids: Sequence[UUID]) -> dict[UUID, int]:
    """The numbers of gates of a community; NotFound for what is none, or is in use no more and never had a number."""
    known = {row["device_id"]: row["no"] for row in await tx.fetch(NUMBERED, list(gate_ids), community_id)}
    missing = [gate_id for gate_id in gate_ids if gate_id not in known]
    if missing:
        await lock(tx, community_id)
        known |= {row["device_id"]: row["no"] for row in await tx.fetch(NUMBERED, missing, community_id)}
        missing = [gate_id for gate_id in missing if gate_id not in known]
        known |= {row["device_id"]: row["no"] for row in await tx.fetch(NUMBER, missing, community_id)}
    if len(known) < len(set(gate_ids)):
        raise NotFound("这台设备不是本小区在用的门禁。")
    return known
