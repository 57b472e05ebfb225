"""Messages that wait for a person (发送失败的消息): refused by WeChat for content or configuration (D11)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Tx
from backend.messaging import intents
from backend.wechat import errcodes

RETRY_AT_ONCE = 10_000
UNFIT = "内容放不进微信的模板，没有发出。请在“消息模板”里核对字段，再重新发送。"

# Uses message_intent_parked.
LIST = """
    SELECT id, community_id, meaning, channel, template_id, attempt, errcode, error, created_at,
           finished_at AS parked_at
      FROM message_intent
     WHERE state = 'PARKED' AND community_id = ANY($1::uuid[]) AND ($2::uuid IS NULL OR id > $2)
     ORDER BY id
     LIMIT $3
"""
RETRY = """
    UPDATE message_intent i
       SET state = 'PENDING', finished_at = NULL, first_sent_at = NULL
      FROM (SELECT id FROM message_intent
             WHERE state = 'PARKED' AND community_id = $1 AND ($2::uuid IS NULL OR id = $2)
             ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED) AS parked
     WHERE i.id = parked.id
 RETURNING i.id
"""


@dataclass(frozen=True, slots=True)
class ParkedMessage:
    """A message with WeChat's refusal."""

    id: UUID
    community_id: UUID
    meaning: str
    channel: str | None
    template_id: str | None
    attempt: int
    errcode: int | None
    error: str | None
    created_at: datetime
    parked_at: datetime

    @property
    def advice(self) -> str:
        """What to do about it; without an errcode it was ourselves who found the content unfit."""
        return UNFIT if self.errcode is None else errcodes.advice_of(self.errcode)


async def messages(db: Reader, communities: Sequence[UUID], *, after: UUID | None, limit: int) -> list[ParkedMessage]:
    """Parked messages of these communities, oldest first."""
    return [ParkedMessage(**dict(row.items())) for row in await db.fetch(LIST, list(communities), after, limit)]


async def retry(tx: Tx, actor: Actor, *, community_id: UUID, message_id: UUID | None = None) -> int:
    """Send the parked messages of a community again, or one of them; returns how many, RETRY_AT_ONCE at most."""
    found = [row["id"] for row in await tx.fetch(RETRY, community_id, message_id, RETRY_AT_ONCE)]
    intents.request_sending(tx, found, community_id=community_id)
    if found:
        audit.record(
            tx, actor, action="messages.retried", target=f"community:{community_id}", community_id=community_id,
            after={"count": len(found)},
        )  # fmt: skip
    return len(found)
