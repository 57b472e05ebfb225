"""Who is asked and told about visitors of a house: who lives there, by the present ties (I-23)."""

from datetime import date
from uuid import UUID

from backend.kernel.db import Reader

# A house that is let is lived in by its tenants.
LIVING_IN = """
    WITH tied AS (
        SELECT person_id, role FROM person_tie
         WHERE house_id = $1 AND starts_on <= $2 AND (ends_on IS NULL OR ends_on > $2))
    SELECT person_id FROM tied
     WHERE role = 'tenant' OR NOT EXISTS (SELECT FROM tied WHERE role = 'tenant')
     ORDER BY person_id
     LIMIT 50
"""


async def living_in(db: Reader, house_id: UUID, *, today: date) -> list[UUID]:
    """The people who live in a house today: its tenants where there are any, else owners and family."""
    return [row["person_id"] for row in await db.fetch(LIVING_IN, house_id, today)]
