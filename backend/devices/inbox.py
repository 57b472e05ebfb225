"""The inbox of devices: an event is heard once by its device's own key, and answered the same when it is repeated.

Devices repeat, reorder and come back after hours. The row is written first, so that of fifty deliveries at once one is
worked and the others wait for its answer. The device's own count is kept for people; it may restart, so what orders
events is when they happened. What the device said is sealed, because it may name a plate (I-24), and forgotten after
KEPT.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from backend.devices.states import Outcome
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Part, Reader, Record, Tx
from backend.kernel.ids import uuid7

KEPT = timedelta(days=90)

# Index device_event_once. A repeat waits for the first one's commit.
HEAR = """
    INSERT INTO device_event (id, community_id, device_id, event_key, sequence, kind, happened_at, received_at,
                              body_sealed, outcome)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'applied')
        ON CONFLICT (device_id, event_key) DO NOTHING
 RETURNING id
"""

# HEAR and CONCLUDE of events that are told for the first time, as a part; a repeat fails by device_event_once.
HEAR_AT_ONCE = """
    heard AS (
        INSERT INTO device_event (id, community_id, device_id, event_key, sequence, kind, happened_at, received_at,
                                  outcome, answer)
        SELECT id, community_id, device_id, event_key, sequence, kind, happened_at, $8, 'applied', answer
          FROM unnest((SELECT $1::uuid[]), (SELECT $2::uuid[]), (SELECT $3::uuid[]), (SELECT $4::text[]),
                      (SELECT $5::bigint[]), (SELECT $6::text[]), (SELECT $7::timestamptz[]), (SELECT $9::jsonb[]))
               AS told (id, community_id, device_id, event_key, sequence, kind, happened_at, answer)
     RETURNING id)
"""

ANSWERED = "SELECT id, answer, received_at FROM device_event WHERE device_id = $1 AND event_key = $2"

# Index device_event_community.
LATEST = """
    SELECT id, reason, happened_at, received_at FROM device_event
     WHERE community_id = $1 AND device_id = $2 AND kind = ANY ($3::text[]) AND happened_at >= $4
       AND received_at >= $4
     ORDER BY received_at DESC, id DESC
     LIMIT 1
"""

FIND = "SELECT id, happened_at FROM device_event WHERE device_id = $1 AND event_key = $2"

# With whatever the event has added, in one round trip.
CONCLUDE = """
    WITH concluded AS (UPDATE device_event SET outcome = $2, reason = $3, answer = $4 WHERE id = $1 RETURNING id)
    SELECT id FROM concluded
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What a device says: its own key for the event, its count where it keeps one, and the instant by its clock."""

    event_key: str
    kind: str
    happened_at: datetime
    sequence: int | None = None
    body: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """An event without a body that is told for the first time, and its answer."""

    id: UUID
    told: Told
    device_id: UUID
    community_id: UUID
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Heard:
    """An event in the inbox. `answer` is set when it has been heard before, at `first_at`: nothing is to be done."""

    id: UUID
    answer: Mapping[str, Any] | None
    first_at: datetime


async def hear(tx: Tx, told: Told, *, keyring: Keyring, device_id: UUID, community_id: UUID) -> Heard:
    """Write the event down; the answer it got where it has been heard before."""
    event_id = uuid7(tx.now)
    sealed = keyring.seal(told.body, Context("device_event", "body_sealed", event_id)) if told.body else None
    new = await tx.fetchval(
        HEAR, event_id, community_id, device_id, told.event_key, told.sequence, told.kind, told.happened_at, tx.now,
        sealed,
    )  # fmt: skip
    if new is not None:
        return Heard(event_id, None, tx.now)
    before = await tx.fetchrow(ANSWERED, device_id, told.event_key)
    assert before is not None, "the row that this one conflicts with is committed"
    return Heard(before["id"], before["answer"] or {}, before["received_at"])


def heard_at_once(events: Sequence[Answered], *, received_at: datetime) -> Part:
    """The part (`heard`) of a statement that works these events and writes them down with their answers."""
    told = [each.told for each in events]
    return Part(
        HEAR_AT_ONCE,
        (
            [each.id for each in events],
            [each.community_id for each in events],
            [each.device_id for each in events],
            [each.event_key for each in told],
            [each.sequence for each in told],
            [each.kind for each in told],
            [each.happened_at for each in told],
            received_at,
            [dict(each.answer) for each in events],
        ),
    )


async def find(db: Reader, *, device_id: UUID, event_key: str) -> Record | None:
    """An event that was heard: its `id`, and when it happened by the device's clock (`happened_at`)."""
    return await db.fetchrow(FIND, device_id, event_key)


async def conclude(
    tx: Tx, heard: Heard, *, outcome: Outcome, answer: Mapping[str, Any], reason: str | None = None
) -> None:
    """Keep what became of an event and what the device is told."""
    await tx.fetchrow_and_flush(CONCLUDE, heard.id, outcome.value, reason, dict(answer))


async def latest(
    db: Reader, *, community_id: UUID, device_id: UUID, kinds: Sequence[str], since: datetime
) -> Record | None:
    """The newest event of these kinds that a device has told since an instant, and that happened since then."""
    return await db.fetchrow(LATEST, community_id, device_id, list(kinds), since)
