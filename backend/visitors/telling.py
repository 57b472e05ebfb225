"""What residents are told of their visitors by messages; names are masked, since messages are kept (D11, I-24)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from backend.kernel.clock import SHANGHAI
from backend.kernel.db import Record, Tx
from backend.messaging import intents
from backend.messaging.intents import Recipient
from backend.messaging.meanings import VISIT_CHANGED, Meaning

HOUSE = "SELECT label FROM visitor_house WHERE id = $1"


async def house_label(tx: Tx, house_id: UUID) -> str:
    """A house as people call it."""
    label: str = await tx.fetchval(HOUSE, house_id)
    return label


async def tell(
    tx: Tx, meaning: Meaning, *, event_key: str, community_id: UUID, people: Sequence[UUID], values: dict[str, str]
) -> None:
    """One message to each of these people."""
    recipients = [Recipient(person_id, values) for person_id in people]
    await intents.plan(tx, meaning, event_key=event_key, community_id=community_id, recipients=recipients)


async def changed(tx: Tx, row: Record, *, asked_by: UUID, subject: str, result: str, key: str) -> None:
    """Tell who has asked for a pass or a permit what became of it."""
    await tell(
        tx, VISIT_CHANGED, event_key=f"visit.{key}:{row['id']}", community_id=row["community_id"], people=[asked_by],
        values={"subject": subject, "result": result},
    )  # fmt: skip


def minute(at: datetime) -> str:
    """An instant for people, in Asia/Shanghai."""
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
