"""The keys that sign visitors' tokens (Ed25519), a chain for each community; the private parts never leave the server.

Promises: at any instant one key signs; the next one is made LEAD before it signs, so that a gate that syncs within that
time knows it in time; a key is believed until the last token that it can have signed is over, and not a moment longer
once it is distrusted. The private part is sealed (I-24), and destroyed when its time to sign is over.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from backend.kernel import audit
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.ids import uuid7
from backend.visitors import sites

TABLE, COLUMN = "visitor_key", "private_sealed"
SIGNS = timedelta(days=90)
LEAD = timedelta(days=14)
# The longest pass that a community can allow has 366 days.
BELIEVED = timedelta(days=367)

INSERT = """
    INSERT INTO visitor_key (id, community_id, public_key, private_sealed, signs_from, signs_until, believed_until,
                             created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
 RETURNING id, no, private_sealed
"""

# Index visitor_key_period.
CURRENT = """
    SELECT id, no, private_sealed FROM visitor_key
     WHERE community_id = $1 AND distrusted_at IS NULL AND signs_from <= $2 AND signs_until > $2
     ORDER BY signs_from DESC LIMIT 1
"""

BELIEVED_IN = """
    SELECT no, public_key, signs_from, believed_until FROM visitor_key
     WHERE community_id = $1 AND distrusted_at IS NULL AND believed_until > $2
     ORDER BY no
"""

# Communities whose last key will soon stop signing.
RUNNING_OUT = """
    SELECT community_id FROM visitor_key WHERE distrusted_at IS NULL
     GROUP BY community_id HAVING max(signs_until) <= $1
     ORDER BY community_id
"""

LAST = "SELECT max(signs_until) FROM visitor_key WHERE community_id = $1 AND distrusted_at IS NULL"
DESTROY = "UPDATE visitor_key SET private_sealed = NULL WHERE private_sealed IS NOT NULL AND signs_until <= $1"

DISTRUST = """
    UPDATE visitor_key SET distrusted_at = $2, private_sealed = NULL
     WHERE community_id = $1 AND distrusted_at IS NULL
 RETURNING no
"""


@dataclass(frozen=True, slots=True, repr=False)
class Signing:
    """A key that signs, by the number that stands in its tokens."""

    no: int
    private: Ed25519PrivateKey


async def current(tx: Tx, community_id: UUID, *, keyring: Keyring) -> Signing:
    """The key that signs a community's tokens now; made where there is none."""
    row = await tx.fetchrow(CURRENT, community_id, tx.now)
    if row is None:
        await sites.lock(tx, community_id)
        row = await tx.fetchrow(CURRENT, community_id, tx.now)
    if row is None:
        row = await _make(tx, community_id, keyring=keyring, signs_from=tx.now)
    raw = keyring.open(bytes(row["private_sealed"]), Context(TABLE, COLUMN, row["id"]))
    return Signing(row["no"], Ed25519PrivateKey.from_private_bytes(bytes.fromhex(raw)))


async def believed(db: Reader, community_id: UUID, *, at: datetime) -> list[Record]:
    """The keys whose tokens are believed, those included that do not sign yet."""
    return await db.fetch(BELIEVED_IN, community_id, at)


async def running_out(db: Reader, *, at: datetime) -> list[UUID]:
    """The communities that need their next key."""
    return [row["community_id"] for row in await db.fetch(RUNNING_OUT, at + LEAD)]


async def prolong(tx: Tx, community_id: UUID, *, keyring: Keyring) -> None:
    """Make a community's next key, unless somebody else just has."""
    await sites.lock(tx, community_id)
    last: datetime | None = await tx.fetchval(LAST, community_id)
    if last is not None and last <= tx.now + LEAD:
        await _make(tx, community_id, keyring=keyring, signs_from=max(last, tx.now))


async def destroy_spent(tx: Tx) -> None:
    """Destroy the private parts of keys that sign no more."""
    await tx.execute(DESTROY, tx.now)


async def distrust(tx: Tx, actor: Actor, *, keyring: Keyring, community_id: UUID, reason: str) -> int:
    """Believe no token that a community has given out until now, and sign with a new key; the new key's number.

    For when a private key may have become known. The caller has found the community in scope.
    """
    await sites.lock(tx, community_id)
    old = await tx.fetch(DISTRUST, community_id, tx.now)
    made = await _make(tx, community_id, keyring=keyring, signs_from=tx.now)
    audit.record(
        tx, actor, action="visitor.keys_distrusted", target=f"community:{community_id}", community_id=community_id,
        reason=reason, before={"keys": sorted(row["no"] for row in old)}, after={"key": made["no"]},
    )  # fmt: skip
    number: int = made["no"]
    return number


async def _make(tx: Tx, community_id: UUID, *, keyring: Keyring, signs_from: datetime) -> Record:
    private, key_id = Ed25519PrivateKey.generate(), uuid7(tx.now)
    raw = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    sealed = keyring.seal(raw.hex(), Context(TABLE, COLUMN, key_id))
    public, signs_until = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), signs_from + SIGNS
    row = await tx.fetchrow(
        INSERT, key_id, community_id, public, sealed, signs_from, signs_until, signs_until + BELIEVED, tx.now
    )
    assert row is not None, "INSERT returns its row"
    audit.record(
        tx, SYSTEM, action="visitor.key_made", target=f"{TABLE}:{key_id}", community_id=community_id,
        after={"key": row["no"], "signs_from": signs_from.isoformat()},
    )  # fmt: skip
    return row
