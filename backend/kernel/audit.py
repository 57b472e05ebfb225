"""Who changed what: append-only entries in the transaction of the change (I-22), hash-chained by a job (S4).

`before` and `after` never hold plain personal data: names of fields, masked values and amounts only.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

import orjson

from backend.kernel.db import Batch, Database, Record, Tx, Write

ActorKind = Literal["resident", "staff", "device", "channel", "system"]
SEAL_CHUNK = 5_000
_FIRST_HASH = bytes(32)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: the kind, the id where there is one, and the request in which it happens."""

    kind: ActorKind
    id: UUID | None = None
    request_id: str | None = None


SYSTEM = Actor("system")

ENTRY = Batch(
    table="audit_entry",
    columns=(
        ("at", "timestamptz"),
        ("actor_kind", "text"),
        ("actor_id", "uuid"),
        ("action", "text"),
        ("target", "text"),
        ("community_id", "uuid"),
        ("reason", "text"),
        ("before", "jsonb"),
        ("after", "jsonb"),
        ("request_id", "text"),
    ),
)


def record(
    tx: Write,
    actor: Actor,
    *,
    action: str,
    target: str,
    community_id: UUID | None = None,
    reason: str | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Add an entry to the transaction: `action` is `noun.verb`, `target` is `table:id`."""
    tx.add(ENTRY, tx.now, actor.kind, actor.id, action, target, community_id, reason, before, after, actor.request_id)


UNSEALED = """
    SELECT e.*
      FROM audit_entry e
     WHERE e.id > (SELECT coalesce(max(entry_id), 0) FROM audit_seal)
       AND e.at < $1
     ORDER BY e.id
     LIMIT $2
"""

LAST_SEAL = "SELECT hash FROM audit_seal ORDER BY entry_id DESC LIMIT 1"

SEALED = """
    SELECT e.*, s.hash AS seal
      FROM audit_entry e JOIN audit_seal s ON s.entry_id = e.id
     WHERE e.id > $1
     ORDER BY e.id
     LIMIT $2
"""


def _link(previous: bytes, entry: Record) -> bytes:
    """The seal of one entry: SHA-256 over the previous seal and the entry's fields in a fixed order."""
    fields = [entry["id"], entry["at"].isoformat()]
    fields += [entry[name] for name, _ in ENTRY.columns[1:]]
    return hashlib.sha256(previous + orjson.dumps(fields, default=str, option=orjson.OPT_SORT_KEYS)).digest()


async def seal(tx: Tx, *, settled_s: int = 60) -> int:
    """Chain up to SEAL_CHUNK entries older than `settled_s` seconds; returns how many.

    The margin lets transactions that took their id earlier commit first, so that the chain has no gap.
    """
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('linli.audit.seal'))")
    previous = await tx.fetchval(LAST_SEAL) or _FIRST_HASH
    entries = await tx.fetch(UNSEALED, tx.now - timedelta(seconds=settled_s), SEAL_CHUNK)
    seals = []
    for entry in entries:
        previous = _link(previous, entry)
        seals.append((entry["id"], previous))
    await tx.execute(
        "INSERT INTO audit_seal (entry_id, hash) SELECT * FROM unnest($1::bigint[], $2::bytea[])",
        [entry_id for entry_id, _ in seals],
        [value for _, value in seals],
    )
    return len(seals)


async def first_broken_entry(db: Database) -> int | None:
    """The id of the first entry whose seal does not fit, None while the chain verifies (I-22)."""
    previous, after = _FIRST_HASH, 0
    while entries := await db.fetch(SEALED, after, SEAL_CHUNK):
        for entry in entries:
            previous = _link(previous, entry)
            if previous != bytes(entry["seal"]):
                return int(entry["id"])
        after = entries[-1]["id"]
    return None
