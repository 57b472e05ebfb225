"""What a gate knows while it has no network (离线数据): keys, withdrawn passes, entries used, who is banned (I-20).

Promises: a gate is given its own community's and nothing else; a bundle with the changes since a version that was given
out is the bundle that would be given whole; a change that commits is in the next bundle. What stands in a bundle may be
newer than its version, never older. No name, phone or plate leaves the server: who is banned is a salted hash.

Changes are noted by triggers without a version, so that entries of a community do not wait for each other; the next
gate that asks stamps them (decision 0027; parking's list, decision 0022, stamps with each change).
"""

import asyncio
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple
from uuid import UUID

from backend.kernel import audit, versions
from backend.kernel.audit import Actor
from backend.kernel.clock import local_date
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Database, Record, Tx
from backend.kernel.errors import NotFound
from backend.kernel.versions import Version
from backend.visitors import signing_keys, sites

# So long a version can be followed by a bundle of changes; who is further behind is given the whole.
KEPT = timedelta(days=7)
# So long a resident's withdrawn code is told of; none of its live codes is younger.
DOORS_TOLD = timedelta(days=1)
HASH_BYTES = 16

HEAD = """
    SELECT g.community_id, s.no AS community_no, s.salt, coalesce(s.version, 0) AS version, v.mark, n.no AS gate_no,
           EXISTS (SELECT FROM visitor_gate_version old
                    WHERE old.community_id = g.community_id AND old.version = $2 AND old.mark = $3) AS known,
           EXISTS (SELECT FROM visitor_gate_change c
                    WHERE c.community_id = g.community_id AND c.version IS NULL) AS changed
      FROM visitor_gate g
      LEFT JOIN visitor_site s ON s.community_id = g.community_id
      LEFT JOIN visitor_gate_version v ON v.community_id = s.community_id AND v.version = s.version
      LEFT JOIN visitor_gate_number n ON n.device_id = g.id
     WHERE g.id = $1
"""

# Index visitor_gate_change_new. What commits later is stamped by who asks later.
STAMP = """
    WITH stamped AS (
        UPDATE visitor_gate_change SET version = $2 WHERE community_id = $1 AND version IS NULL RETURNING 1),
    made AS (
        INSERT INTO visitor_gate_version (community_id, version, mark, made_at)
        SELECT $1, $2, $3, $4 WHERE EXISTS (SELECT FROM stamped) RETURNING version)
    UPDATE visitor_site s SET version = made.version FROM made WHERE s.community_id = $1
"""

# Index visitor_gate_change_told.
CHANGED = "SELECT DISTINCT kind, subject_id FROM visitor_gate_change WHERE community_id = $1 AND version > $2"

_BANNED = """EXISTS (
    SELECT FROM visitor_ban b
     WHERE b.community_id = p.community_id AND b.lifted_at IS NULL AND (b.until_at IS NULL OR b.until_at > $2)
       AND (b.kind, b.value_blind) IN (('phone', p.phone_blind), ('plate', p.plate_blind)))"""

# Indexes visitor_pass_told, visitor_pass_live.
_PASSES = f"""
    SELECT p.id, p.entries_used AS used, p.revoked_at IS NOT NULL AS withdrawn, {_BANNED} AS banned
      FROM visitor_pass p
     WHERE p.community_id = $1 AND p.valid_until > $2
"""  # noqa: S608 - constants
_DOORS = """
    SELECT r.id, 0, true, false FROM resident_pass r
     WHERE r.community_id = $1 AND r.revoked_at > $3
"""
FULL = f"""
    {_PASSES} AND (p.revoked_at IS NOT NULL OR (p.entries_used > 0 AND p.entries_allowed IS NOT NULL))
     UNION ALL {_DOORS}
     UNION ALL SELECT * FROM ({_PASSES} AND p.state = 'ACTIVE' AND p.entries_used = 0) AS fresh WHERE fresh.banned
"""  # noqa: S608 - constants
DELTA = f"""
    {_PASSES} AND p.id = ANY ($4::uuid[]) AND (p.revoked_at IS NOT NULL OR p.entries_used > 0 OR {_BANNED})
     UNION ALL {_DOORS} AND r.id = ANY ($4::uuid[])
"""

# Index visitor_ban_list.
BANS = """
    SELECT id, kind, value_sealed FROM visitor_ban
     WHERE community_id = $1 AND lifted_at IS NULL AND (until_at IS NULL OR until_at > $2)
       AND ($3::uuid[] IS NULL OR id = ANY ($3))
     ORDER BY id
"""

FORGET = """
    WITH old AS (DELETE FROM visitor_gate_version v USING visitor_site s
                  WHERE v.community_id = s.community_id AND v.version < s.version AND v.made_at <= $1
              RETURNING v.community_id, v.version)
    DELETE FROM visitor_gate_change c USING old WHERE c.community_id = old.community_id AND c.version = old.version
"""

# A community without a gate that asks has no site: the first bundle of one is whole, and read after its site is made.
FORGET_UNHEARD = """
    DELETE FROM visitor_gate_change c
     WHERE c.version IS NULL AND NOT EXISTS (SELECT FROM visitor_site s WHERE s.community_id = c.community_id)
"""


class Entry(NamedTuple):
    """What a gate must know of a pass or of a resident's code: entries used, and whether it opens nothing any more."""

    id: UUID
    used: int
    revoked: bool


class Ban(NamedTuple):
    """Somebody who must not come in, by a hash of phone, number or plate."""

    id: UUID
    hash: bytes


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a gate is given: everything, or the changes since the version that it has."""

    version: Version
    community_no: int
    gate_no: int
    salt: bytes
    keys: tuple[Record, ...]
    entries: tuple[Entry, ...]
    bans: tuple[Ban, ...]
    removed: tuple[UUID, ...]


async def of_gate(
    db: Database, actor: Actor, *, keyring: Keyring, gate_id: UUID, since: str | None, have: str | None, at: datetime
) -> tuple[Version, Bundle | None]:
    """The bundle of a gate's community, or what has changed since `since`; None where `have` names its tag already.

    The whole is given where `since` is unknown or older than KEPT, and that is audited. NotFound for what is no gate.
    """
    number, mark = versions.parsed(since)
    head = await db.fetchrow(HEAD, gate_id, number, mark)
    if head is None:
        raise NotFound("这台设备没有登记为门禁。")
    if head["changed"] or head["gate_no"] is None:
        place: UUID = head["community_id"]
        await db.transact(lambda tx: _prepare(tx, place, gate_id, keyring=keyring))
        head = await db.fetchrow(HEAD, gate_id, number, mark)
        assert head is not None and head["gate_no"] is not None, "it has just been numbered"
    version = Version(head["version"], head["mark"] or "", not head["known"], local_date(at))
    if version.is_among(have):
        return version, None
    if version.full:
        await db.transact(partial(_note, actor=actor, head=head, gate_id=gate_id))
    return version, await _bundle(db, head, version, keyring=keyring, since=number, at=at)


async def forget(tx: Tx) -> None:
    """Forget versions and changes that nobody is given any more."""
    await tx.execute(FORGET, tx.now - KEPT)
    await tx.execute(FORGET_UNHEARD)


def ban_hash(salt: bytes, kind: str, value: str) -> bytes:
    """How a gate recognises who is banned (docs/gates.md)."""
    return hmac.digest(salt, f"{kind}\0{value}".encode(), "sha256")[:HASH_BYTES]


async def _prepare(tx: Tx, community_id: UUID, gate_id: UUID, *, keyring: Keyring) -> None:
    """Number the gate, see that there is a key, and stamp what has changed."""
    await sites.numbers(tx, community_id, gate_ids=(gate_id,))
    await signing_keys.current(tx, community_id, keyring=keyring)
    site = await sites.lock(tx, community_id)
    await tx.execute(STAMP, community_id, site["version"] + 1, secrets.token_hex(8), tx.now)


async def _note(tx: Tx, *, actor: Actor, head: Record, gate_id: UUID) -> None:
    audit.record(
        tx, actor, action="visitor.bundle_given", target=f"device:{gate_id}", community_id=head["community_id"],
        after={"version": head["version"]},
    )  # fmt: skip


async def _bundle(
    db: Database, head: Record, version: Version, *, keyring: Keyring, since: int, at: datetime
) -> Bundle:
    place, changed = head["community_id"], None
    if version.full:
        rows = await db.fetch(FULL, place, at, at - DOORS_TOLD)
    else:
        changed = {row["subject_id"]: row["kind"] for row in await db.fetch(CHANGED, place, since)}
        rows = await db.fetch(DELTA, place, at, at - DOORS_TOLD, list(changed))
    banned = await db.fetch(BANS, place, at, None if changed is None else list(changed))
    entries = tuple(Entry(row["id"], row["used"], row["withdrawn"] or row["banned"]) for row in rows)
    bans = await asyncio.to_thread(_hashed, keyring, bytes(head["salt"]), banned)
    standing = {entry.id for entry in entries} | {ban.id for ban in bans}
    gone = [subject for subject, kind in (changed or {}).items() if kind != "key" and subject not in standing]
    return Bundle(
        version=version,
        community_no=head["community_no"],
        gate_no=head["gate_no"],
        salt=bytes(head["salt"]),
        keys=tuple(await signing_keys.believed(db, place, at=at)),
        entries=entries,
        bans=bans,
        removed=tuple(sorted(gone)),
    )


def _hashed(keyring: Keyring, salt: bytes, rows: Sequence[Record]) -> tuple[Ban, ...]:
    return tuple(
        Ban(
            row["id"],
            ban_hash(
                salt, row["kind"], keyring.open(row["value_sealed"], Context("visitor_ban", "value_sealed", row["id"]))
            ),
        )
        for row in rows
    )
