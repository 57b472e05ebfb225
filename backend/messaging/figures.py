"""How many messages went which way and what became of them (发送统计), for staff and for notices' figures (R9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from backend.kernel.clock import start_of_day
from backend.kernel.db import Reader, Record

COUNTS = """
           count(*) AS planned,
           count(*) FILTER (WHERE state IN ('PENDING', 'SENDING')) AS waiting,
           count(*) FILTER (WHERE state = 'SENT' AND channel = 'template') AS sent_template,
           count(*) FILTER (WHERE state = 'SENT' AND channel = 'subscription') AS sent_subscription,
           count(*) FILTER (WHERE state = 'INBOX_ONLY') AS inbox_only,
           count(*) FILTER (WHERE state = 'UNKNOWN') AS unknown,
           count(*) FILTER (WHERE state = 'PARKED') AS parked,
           count(*) FILTER (WHERE delivery = 'DELIVERED') AS delivered,
           count(*) FILTER (WHERE delivery = 'BLOCKED') AS blocked,
           count(*) FILTER (WHERE delivery = 'FAILED') AS failed
"""
# Uses message_intent_age.
BY_MEANING = f"""
    SELECT meaning, {COUNTS}
      FROM message_intent
     WHERE community_id = $1 AND created_at >= $2 AND created_at < $3
     GROUP BY meaning
     ORDER BY meaning
"""  # noqa: S608 - constants of the code
# Uses message_intent_once.
BY_EVENT = f"SELECT event_key, {COUNTS} FROM message_intent WHERE event_key = ANY($1::text[]) GROUP BY event_key"  # noqa: S608 - constants of the code


@dataclass(frozen=True, slots=True)
class Figures:
    """Messages counted. Of those sent, WeChat has told so far: delivered, blocked, failed; of the rest nothing yet."""

    planned: int = 0
    waiting: int = 0
    sent_template: int = 0
    sent_subscription: int = 0
    inbox_only: int = 0
    unknown: int = 0
    parked: int = 0
    delivered: int = 0
    blocked: int = 0
    failed: int = 0


async def of_community(db: Reader, community_id: UUID, *, from_on: date, to_on: date) -> dict[str, Figures]:
    """By meaning, of messages planned from `from_on` to `to_on`, both included."""
    until = start_of_day(to_on + timedelta(days=1))
    return _read(await db.fetch(BY_MEANING, community_id, start_of_day(from_on), until), "meaning")


async def of_events(db: Reader, event_keys: Sequence[str]) -> dict[str, Figures]:
    """By event; an event of which nobody was told has no entry."""
    return _read(await db.fetch(BY_EVENT, list(event_keys)), "event_key")


def _read(rows: Sequence[Record], by: str) -> dict[str, Figures]:
    return {row[by]: Figures(**{name: value for name, value in row.items() if name != by}) for row in rows}
