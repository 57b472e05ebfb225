"""What a ticket may be a duplicate of (疑似重复), for the desk at triage (D9)."""

from datetime import timedelta

from backend.kernel.db import Reader, Record
from backend.tickets import reads
from backend.tickets.dispatch import handling
from backend.tickets.states import ENDED, FINISHED

# Of the same house, or of the same building and category, while the other one is under way. Indexes ticket_by_house,
# ticket_by_building.
SIMILAR = f"""
    {reads.TICKET}
     WHERE t.community_id = $1 AND t.id <> $2 AND t.submitted_at >= $3 AND t.state <> ALL ($4::text[])
       AND (t.house_id = $5 OR (t.building_id IS NOT DISTINCT FROM $6 AND t.category_id = $7))
     ORDER BY t.house_id IS NOT DISTINCT FROM $5 AND t.category_id = $7 DESC, t.submitted_at DESC, t.id
     LIMIT 10
"""


async def of_ticket(db: Reader, ticket: Record) -> list[Record]:
    """The likeliest ones first; `ticket` was found in scope."""
    rule = await handling.of_category(db, ticket["category_id"])
    since = ticket["submitted_at"] - timedelta(days=rule.similar_days)
    over = sorted(ENDED | FINISHED)
    return await db.fetch(
        SIMILAR, ticket["community_id"], ticket["id"], since, over, ticket["house_id"], ticket["building_id"],
        ticket["category_id"],
    )  # fmt: skip
