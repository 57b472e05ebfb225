"""Commands to devices (指令): ordered in the transaction of their reason, fetched by long poll, acknowledged, expired.

Promises: a command is a row, so nothing that was ordered is lost with a connection; its commit wakes the device's long
poll in whatever process holds it; it is worthless LIFETIME after it was ordered; one that was delivered and not
acknowledged is delivered again after AGAIN, with the same id, by which the device does it once. Order and end are
audited.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from backend.devices.states import CommandKind, CommandState
from backend.kernel import audit, outbox, waking
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.db import Batch, Database, Record, Tx
from backend.kernel.errors import NotFound
from backend.kernel.ids import uuid7

LIFETIME = timedelta(seconds=30)
AGAIN = timedelta(seconds=5)
CHANNEL = "device_command"
AT_ONCE = 10

ROW = Batch(
    table="device_command",
    columns=(
        ("id", "uuid"),
        ("community_id", "uuid"),
        ("device_id", "uuid"),
        ("kind", "text"),
        ("subject", "text"),
        ("state", "text"),
        ("ordered_at", "timestamptz"),
        ("expires_at", "timestamptz"),
    ),
)

# Index device_command_open. Locked rows are being fetched by the device's other connection.
TAKE = """
    WITH due AS (
        SELECT id FROM device_command
         WHERE device_id = $1 AND expires_at > $2
           AND (state = 'QUEUED' OR (state = 'DELIVERED' AND delivered_at <= $3))
         ORDER BY id
         LIMIT $4
           FOR UPDATE SKIP LOCKED)
    UPDATE device_command c SET state = 'DELIVERED', delivered_at = $2
      FROM due WHERE c.id = due.id
 RETURNING c.id, c.kind, c.subject, c.ordered_at, c.expires_at
"""

# Index device_command_ordered.
ORDERED_SINCE = """
    SELECT EXISTS (SELECT FROM device_command WHERE device_id = $1 AND ordered_at >= $2 AND subject <> $3)
"""

LOCK = "SELECT id, community_id, kind, subject, state FROM device_command WHERE id = $1 AND device_id = $2 FOR UPDATE"

FINISH = """
    UPDATE device_command
       SET state = $2, finished_at = $3, detail = $4, delivered_at = coalesce(delivered_at, $3)
     WHERE id = $1
"""

# Index device_command_late.
EXPIRE = """
    UPDATE device_command SET state = 'EXPIRED', finished_at = $1
     WHERE state IN ('QUEUED', 'DELIVERED') AND expires_at <= $1
 RETURNING id, community_id, subject
"""


@dataclass(frozen=True, slots=True)
class Ordered:
    """A command that will be delivered after the commit."""

    id: UUID
    expires_at: datetime


def order(
    tx: Tx, actor: Actor, *, community_id: UUID, device_id: UUID, kind: CommandKind, subject: str, reason: str
) -> Ordered:
    """Tell a device to do something about `subject` (`table:id`), as soon as the transaction is committed."""
    ordered = Ordered(uuid7(tx.now), tx.now + LIFETIME)
    tx.add(
        ROW, ordered.id, community_id, device_id, kind.value, subject, CommandState.QUEUED.value, tx.now,
        ordered.expires_at,
    )  # fmt: skip
    audit.record(
        tx, actor, action="devices.command_ordered", target=f"device_command:{ordered.id}", community_id=community_id,
        reason=reason, after={"kind": kind.value, "device_id": str(device_id), "subject": subject},
    )  # fmt: skip
    return ordered


async def ordered_since(tx: Tx, device_id: UUID, *, since: datetime, but_for: str = "") -> bool:
    """Whether a device was told to do anything since an instant, but for what concerned the subject `but_for`."""
    told: bool = await tx.fetchval(ORDERED_SINCE, device_id, since, but_for)
    return told


async def wait(db: Database, device_id: UUID, *, wait_s: int) -> list[Record]:
    """The commands that are due for a device, as soon as there are any; none after `wait_s` seconds."""

    async def take(tx: Tx) -> list[Record] | None:
        return await tx.fetch(TAKE, device_id, tx.now, tx.now - AGAIN, AT_ONCE) or None

    async def look() -> list[Record] | None:
        return await db.transact(take)

    found = await waking.until(db, CHANNEL, subject=str(device_id), look=look, wait_s=wait_s)
    return sorted(found or [], key=lambda row: row["id"])


async def acknowledge(tx: Tx, actor: Actor, *, command_id: UUID, done: bool, detail: str) -> None:
    """The device says what came of a command; said again, it changes nothing. NotFound for another device's."""
    row = await tx.fetchrow(LOCK, command_id, actor.id)
    if row is None:
        raise NotFound
    if row["state"] in (CommandState.DONE, CommandState.FAILED):
        return
    if row["state"] == CommandState.QUEUED:
        raise NotFound
    state = CommandState.DONE if done else CommandState.FAILED
    await tx.execute(FINISH, command_id, state.value, tx.now, detail)
    audit.record(
        tx, actor, action="devices.command_finished", target=f"device_command:{command_id}",
        community_id=row["community_id"], before={"state": row["state"]}, after={"state": state.value},
    )  # fmt: skip
    outbox.emit(
        tx, "devices.command_finished", {"subject": row["subject"], "kind": row["kind"], "done": done},
        community_id=row["community_id"],
    )  # fmt: skip


async def expire(tx: Tx) -> int:
    """End what was not done in time; how many."""
    rows = await tx.fetch(EXPIRE, tx.now)
    for row in rows:
        audit.record(
            tx, SYSTEM, action="devices.command_expired", target=f"device_command:{row['id']}",
            community_id=row["community_id"], after={"subject": row["subject"]},
        )  # fmt: skip
    return len(rows)
