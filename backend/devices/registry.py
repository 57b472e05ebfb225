"""The registry of devices (设备): registered by staff with a secret of their own, rotated with overlap, revoked.

The secret is shown once, when it is made; the database keeps it sealed (I-24). After a rotation the secret before it
still opens for OVERLAP, so that a device may be set up in peace. A revoked device is out with its next request.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from weakref import WeakKeyDictionary

from backend.devices.states import Kind
from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Database, Reader, Record, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.ids import token, uuid7
from backend.kernel.resources import Resources

OVERLAP = timedelta(hours=24)
FRESH_S = 5

INSERT = """
    INSERT INTO device (id, community_id, name, kind, vendor, serial, secret_sealed, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (vendor, serial) WHERE serial IS NOT NULL AND revoked_at IS NULL DO NOTHING
 RETURNING id
"""

LOCK = "SELECT * FROM device WHERE id = $1 AND community_id = ANY ($2::uuid[]) FOR UPDATE"

ROTATE = "UPDATE device SET secret_sealed = $2, previous_sealed = $3, previous_until = $4 WHERE id = $1"

REVOKE = "UPDATE device SET revoked_at = $2, previous_sealed = NULL, previous_until = NULL WHERE id = $1"

# Index device_community.
LIST = """
    SELECT id, community_id, name, kind, vendor, serial, previous_until, created_at, revoked_at
      FROM device
     WHERE community_id = ANY ($1::uuid[]) AND ($2::uuid IS NULL OR id > $2)
     ORDER BY id
     LIMIT $3
"""

KEYS = """
    SELECT id, community_id, kind, vendor, serial, secret_sealed, previous_sealed, previous_until
      FROM device WHERE id = $1 AND revoked_at IS NULL
"""


@dataclass(frozen=True, slots=True, repr=False)
class Issued:
    """A device and the secret that it was given; it is not shown again."""

    id: UUID
    secret: str


@dataclass(frozen=True, slots=True, repr=False)
class Known:
    """A device that may sign, and the secrets it may sign with: the current one first."""

    id: UUID
    community_id: UUID
    kind: Kind
    vendor: str
    serial: str | None
    secret: str
    previous: str | None
    previous_until: datetime | None

    def secrets(self, now: datetime) -> tuple[str, ...]:
        """The secrets that are believed at `now`."""
        if self.previous is None or self.previous_until is None or self.previous_until <= now:
            return (self.secret,)
        return (self.secret, self.previous)


async def register(
    tx: Tx,
    actor: Actor,
    *,
    keyring: Keyring,
    community_id: UUID,
    kind: Kind,
    vendor: str,
    name: str,
    serial: str | None = None,
) -> Issued:
    """Register a device of a community and give it a secret; Conflict `serial_taken` where it is in use already."""
    issued = Issued(uuid7(tx.now), token())
    sealed = keyring.seal(issued.secret, Context("device", "secret_sealed", issued.id))
    added = await tx.fetchval(INSERT, issued.id, community_id, name, kind.value, vendor, serial, sealed, tx.now)
    if added is None:
        raise Conflict("这个品牌的这个序列号已经登记过。", code="serial_taken")
    audit.record(
        tx, actor, action="devices.registered", target=f"device:{issued.id}", community_id=community_id,
        after={"kind": kind.value, "vendor": vendor, "serial": serial, "name": name},
    )  # fmt: skip
    return issued


async def rotate(tx: Tx, actor: Actor, *, keyring: Keyring, communities: Sequence[UUID], device_id: UUID) -> Issued:
    """Give a device a new secret; the old one is believed for OVERLAP more. NotFound, Conflict `device_revoked`."""
    row = await _lock(tx, communities, device_id)
    old = keyring.open(bytes(row["secret_sealed"]), Context("device", "secret_sealed", device_id))
    issued = Issued(device_id, token())
    await tx.execute(
        ROTATE,
        device_id,
        keyring.seal(issued.secret, Context("device", "secret_sealed", device_id)),
        keyring.seal(old, Context("device", "previous_sealed", device_id)),
        tx.now + OVERLAP,
    )
    audit.record(
        tx, actor, action="devices.secret_rotated", target=f"device:{device_id}", community_id=row["community_id"]
    )
    return issued


async def revoke(tx: Tx, actor: Actor, *, communities: Sequence[UUID], device_id: UUID, reason: str) -> None:
    """Let a device be heard no more. NotFound, Conflict `device_revoked`."""
    row = await _lock(tx, communities, device_id)
    await tx.execute(REVOKE, device_id, tx.now)
    audit.record(
        tx, actor, action="devices.revoked", target=f"device:{device_id}", community_id=row["community_id"],
        reason=reason,
    )  # fmt: skip


async def _lock(tx: Tx, communities: Sequence[UUID], device_id: UUID) -> Record:
    row = await tx.fetchrow(LOCK, device_id, list(communities))
    if row is None:
        raise NotFound
    if row["revoked_at"] is not None:
        raise Conflict("该设备已停用。", code="device_revoked")
    return row


async def require(tx: Tx, *, community_id: UUID, device_id: UUID) -> str:
    """The vendor of a device; NotFound unless it is one of this community, and not revoked."""
    vendor: str = (await _lock(tx, (community_id,), device_id))["vendor"]
    return vendor


async def in_communities(db: Reader, communities: Sequence[UUID], *, after: UUID | None, limit: int) -> list[Record]:
    """The devices of these communities, in order of registration."""
    return await db.fetch(LIST, list(communities), after, limit)


@dataclass(slots=True)
class _Kept:
    device: Known
    looked_s: float


_kept: WeakKeyDictionary[Database, dict[UUID, _Kept]] = WeakKeyDictionary()


async def known(res: Resources, device_id: UUID) -> Known | None:
    """A device that is not revoked, with its secrets; at most FRESH_S behind its row. None for an unknown id."""
    kept = _kept.setdefault(res.db, {})
    found, now_s = kept.get(device_id), time.monotonic()
    if found is not None and now_s - found.looked_s < FRESH_S:
        return found.device
    row = await res.db.fetchrow(KEYS, device_id)
    if row is None:
        kept.pop(device_id, None)
        return None
    kept[device_id] = _Kept(_opened(row, res.keyring), now_s)
    return kept[device_id].device


def _opened(row: Record, keyring: Keyring) -> Known:
    previous = row["previous_sealed"]
    return Known(
        id=row["id"],
        community_id=row["community_id"],
        kind=Kind(row["kind"]),
        vendor=row["vendor"],
        serial=row["serial"],
        secret=keyring.open(bytes(row["secret_sealed"]), Context("device", "secret_sealed", row["id"])),
        previous=previous and keyring.open(bytes(previous), Context("device", "previous_sealed", row["id"])),
        previous_until=row["previous_until"],
    )
