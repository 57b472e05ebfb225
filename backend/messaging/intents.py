"""Planning messages: one intent per (event, person), in the transaction of whoever plans them (D11, I-16).

The inbox holds every message from the same statement on; sending through WeChat is a job for SEND_BATCH intents at a
time. Planning the same event again adds nobody twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from backend.kernel import outbox
from backend.kernel.db import Tx
from backend.kernel.ids import uuid7
from backend.kernel.outbox import Lane
from backend.messaging.meanings import Meaning

SEND = "messaging.planned"
SEND_BATCH = 200

PLAN = """
    WITH given AS (
        SELECT g.*
          FROM unnest($1::uuid[], $2::uuid[], $3::jsonb[], $4::text[], $5::text[])
               AS g (id, person_id, values_shown, body, page)
          JOIN message_person p USING (person_id)
    ), made AS (
        INSERT INTO message_intent (id, community_id, event_key, person_id, meaning, values_shown, page, state,
                                    created_at)
        SELECT id, $6, $7, person_id, $8, values_shown, page, 'PENDING', $9
          FROM given
            ON CONFLICT (event_key, person_id) DO NOTHING
     RETURNING id
    ), boxed AS (
        INSERT INTO inbox_message (id, person_id, event_key, title, body, page, created_at)
        SELECT id, person_id, $7, $10, body, page, $9
          FROM given JOIN made USING (id)
            ON CONFLICT (event_key, person_id) DO NOTHING
    )
    SELECT id FROM made ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Recipient:
    """A person and what the message shows to that person."""

    person_id: UUID
    values: Mapping[str, str]
    page: str | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """How many messages are new."""

    count: int


async def plan(
    tx: Tx, meaning: Meaning, *, event_key: str, community_id: UUID, recipients: Sequence[Recipient]
) -> Planned:
    """Plan one message about `event_key` for every present recipient who has none yet, and emit the sending.

    Raises ValueError when a recipient lacks a value of the meaning.
    """
    for recipient in recipients:
        if missing := set(meaning.values) - set(recipient.values):
            raise ValueError(f"{meaning.name} needs {', '.join(sorted(missing))}")
    rows = await tx.fetch(
        PLAN,
        [uuid7(tx.now) for _ in recipients],
        [recipient.person_id for recipient in recipients],
        [dict(recipient.values) for recipient in recipients],
        [meaning.words(recipient.values) for recipient in recipients],
        [recipient.page or meaning.page for recipient in recipients],
        community_id,
        event_key,
        meaning.name,
        tx.now,
        meaning.title,
    )
    request_sending(tx, [row["id"] for row in rows], community_id=community_id)
    return Planned(len(rows))


def request_sending(
    tx: Tx,
    intent_ids: Sequence[UUID],
    *,
    community_id: UUID,
    run_at: datetime | None = None,
    reserved: Mapping[str, Any] | None = None,
) -> None:
    """Emit the sending of intents, SEND_BATCH per job, at once or at `run_at`; `reserved` are slots taken for then."""
    for start in range(0, len(intent_ids), SEND_BATCH):
        payload = {
            "community_id": str(community_id),
            "intent_ids": [str(intent_id) for intent_id in intent_ids[start : start + SEND_BATCH]],
            "reserved": dict(reserved or {}),
        }
        outbox.emit(tx, SEND, payload, community_id=community_id, run_at=run_at, lane=Lane.BULK)
