"""Taking messages back: what is not sent yet is not sent (撤回, D11).

`withdraw` counts from its commit: whatever is chosen for sending later ends in the inbox alone, also what comes back
from a try that surely sent nothing. What WeChat has by then cannot be taken back. `clear` lets the inboxes say so.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from backend.kernel.db import Tx

CHUNK = 5_000

WITHDRAW = """
    INSERT INTO message_withdrawn (event_key, community_id, title, body, withdrawn_at)
    SELECT event_key, $2, $3, $4, $5 FROM unnest($1::text[]) AS event_key
        ON CONFLICT (event_key) DO NOTHING
"""
END = """
    UPDATE message_intent i
       SET state = 'INBOX_ONLY', error = w.title, finished_at = $2
      FROM message_withdrawn w
     WHERE i.id = ANY ($1::uuid[]) AND i.state = 'PENDING' AND w.event_key = i.event_key
"""
# Locked in the order in which sending locks. Uses message_intent_once.
PENDING = """
    SELECT id FROM message_intent
     WHERE event_key = ANY ($1::text[]) AND state = 'PENDING'
     ORDER BY id
     LIMIT $2
       FOR UPDATE
"""
# Uses inbox_message_once.
REWRITE = """
    WITH old AS (
        SELECT m.id, w.title, w.body
          FROM message_withdrawn w JOIN inbox_message m ON m.event_key = w.event_key
         WHERE w.event_key = ANY ($1::text[]) AND (m.title, m.body) <> (w.title, w.body)
         LIMIT $2
           FOR UPDATE OF m
    ), told AS (
        UPDATE inbox_message m SET title = old.title, body = old.body FROM old WHERE m.id = old.id RETURNING 1
    )
    SELECT count(*) FROM told
"""


async def withdraw(tx: Tx, *, event_keys: Collection[str], community_id: UUID, title: str, body: str) -> None:
    """From now on nothing about these events is sent; `title` and `body` are what inboxes say once they are cleared."""
    await tx.execute(WITHDRAW, list(event_keys), community_id, title, body, tx.now)


async def end(tx: Tx, intent_ids: Sequence[UUID]) -> None:
    """End those of the intents that are withdrawn and not under way."""
    await tx.execute(END, list(intent_ids), tx.now)


async def clear(tx: Tx, *, event_keys: Collection[str], limit: int = CHUNK) -> bool:
    """End what waits to be sent and rewrite inboxes, `limit` of each; whether there may be more."""
    pending = [row["id"] for row in await tx.fetch(PENDING, list(event_keys), limit)]
    await end(tx, pending)
    told = await tx.fetchval(REWRITE, list(event_keys), limit)
    return len(pending) == limit or told == limit
