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

_MAKE = """
    made AS (
        INSERT INTO message_intent (id, community_id, event_key, person_id, meaning, values_shown, page, state,
                                    created_at, urgent)
        SELECT id, $6, $7, person_id, $8, values_shown, page, 'PENDING', $9, $11
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
PLAN = f"""
    WITH given AS (
        SELECT g.*
          FROM unnest($1::uuid[], $2::uuid[], $3::jsonb[], $4::text[], $5::text[])
               AS g (id, person_id, values_shown, body, page)
          JOIN message_person p USING (person_id)
    ), {_MAKE}
"""  # noqa: S608 - constants
PLAN_ALIKE = f"""
    WITH given AS (
        SELECT g.*, $3::jsonb AS values_shown, $4::text AS body, $5::text AS page
          FROM unnest($1::uuid[], $2::uuid[]) AS g (id, person_id)
          JOIN message_person p USING (person_id)
    ), {_MAKE}
"""  # noqa: S608 - constants


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
    tx: Tx,
    meaning: Meaning,
    *,
    event_key: str,
    community_id: UUID,
    recipients: Sequence[Recipient],
    urgent: bool = False,
) -> Planned:
    """Plan one message about `event_key` for every present recipient who has none yet, and emit the sending.

    `urgent` messages go in quiet hours too. Raises ValueError when a recipient lacks a value of the meaning.
    """
    for recipient in recipients:
        _require(meaning, recipient.values)
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
        urgent,
    )
    request_sending(tx, [row["id"] for row in rows], community_id=community_id)
    return Planned(len(rows))


async def plan_alike(
    tx: Tx,
    meaning: Meaning,
    *,
    event_key: str,
    community_id: UUID,
    person_ids: Sequence[UUID],
    values: Mapping[str, str],
    page: str | None = None,
    urgent: bool = False,
) -> Planned:
    """`plan` for many who are all told the same: one statement for thousands."""
    _require(meaning, values)
    rows = await tx.fetch(
        PLAN_ALIKE,
        [uuid7(tx.now) for _ in person_ids],
        list(person_ids),
        dict(values),
        meaning.words(values),
        page or meaning.page,
        community_id,
        event_key,
        meaning.name,
        tx.now,
        meaning.title,
        urgent,
    )
    request_sending(tx, [row["id"] for row in rows], community_id=community_id)
    return Planned(len(rows))


def _require(meaning: Meaning, values: Mapping[str, str]) -> None:
    if missing := set(meaning.values) - set(values):
        raise ValueError(f"{meaning.name} needs {', '.join(sorted(missing))}")


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
