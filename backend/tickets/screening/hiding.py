"""What residents are not shown: words and pictures that the check found risky, or that staff have blocked (R6, R7).

Staff see everything, with the worst that is found of a ticket as its flag.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.kernel.db import Reader

MASK = "内容正在核实，暂不显示。"

# Parts of selects from `ticket t`. Index ticket_check_found.
HIDDEN = """
    EXISTS (SELECT FROM ticket_check k JOIN ticket_event e ON e.id = k.event_id
             WHERE k.ticket_id = t.id AND k.kind = 'words' AND k.state IN ('RISKY', 'BLOCKED') AND e.move = 'submit')
"""
FLAG = """
    (SELECT CASE WHEN bool_or(k.state <> 'REVIEW') THEN 'risky' WHEN count(*) > 0 THEN 'review' END
       FROM ticket_check k WHERE k.ticket_id = t.id AND k.state IN ('REVIEW', 'RISKY', 'BLOCKED'))
"""

OF_TICKET = """
    SELECT k.event_id, k.media_id, e.at
      FROM ticket_check k JOIN ticket_event e ON e.id = k.event_id
     WHERE k.ticket_id = $1 AND k.state IN ('RISKY', 'BLOCKED')
"""


@dataclass(frozen=True, slots=True)
class Hidden:
    """Of one ticket: events whose words are hidden, the instants of those events, pictures."""

    events: frozenset[int] = frozenset()
    instants: frozenset[datetime] = frozenset()
    media: frozenset[UUID] = frozenset()


NOTHING = Hidden()


async def of_ticket(db: Reader, ticket_id: UUID) -> Hidden:
    """What is hidden of a ticket from residents."""
    rows = await db.fetch(OF_TICKET, ticket_id)
    return Hidden(
        events=frozenset(row["event_id"] for row in rows if row["media_id"] is None),
        instants=frozenset(row["at"] for row in rows if row["media_id"] is None),
        media=frozenset(row["media_id"] for row in rows if row["media_id"] is not None),
    )
