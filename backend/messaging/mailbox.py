"""The resident's own inbox (站内消息): every message, whatever WeChat did with it. Reads take the person (I-23)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.kernel.db import Reader, Tx
from backend.kernel.errors import NotFound

# Uses inbox_message_person.
LIST = """
    SELECT id, title, body, page, created_at, read_at
      FROM inbox_message
     WHERE person_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3))
     ORDER BY created_at DESC, id DESC
     LIMIT $4
"""
UNREAD = "SELECT count(*) FROM inbox_message WHERE person_id = $1 AND read_at IS NULL"
READ = """
    UPDATE inbox_message SET read_at = coalesce(read_at, $3) WHERE id = $1 AND person_id = $2
 RETURNING id, title, body, page, created_at, read_at
"""

APPID = "SELECT appid FROM message_address WHERE person_id = $1 AND wechat_user_id = $2"


@dataclass(frozen=True, slots=True)
class Letter:
    """One message as its reader sees it."""

    id: UUID
    title: str
    body: str
    page: str
    created_at: datetime
    read_at: datetime | None


async def letters(db: Reader, person_id: UUID, *, before: tuple[datetime, UUID] | None, limit: int) -> list[Letter]:
    """The newest messages of a person, older than `before`."""
    at, last = before or (None, None)
    return [Letter(**dict(row.items())) for row in await db.fetch(LIST, person_id, at, last, limit)]


async def unread_count(db: Reader, person_id: UUID) -> int:
    """How many messages wait to be read."""
    return int(await db.fetchval(UNREAD, person_id))


async def read(tx: Tx, person_id: UUID, *, message_id: UUID) -> Letter:
    """Mark a message of the person as read; the first time counts. NotFound for anybody else's."""
    row = await tx.fetchrow(READ, message_id, person_id, tx.now)
    if row is None:
        raise NotFound
    return Letter(**dict(row.items()))


async def appid_of(db: Reader, person_id: UUID, *, wechat_user_id: UUID | None) -> str:
    """The app in which the person is logged in; NotFound where the account is not bound to the person."""
    appid = await db.fetchval(APPID, person_id, wechat_user_id)
    if appid is None:
        raise NotFound
    return str(appid)
