"""Who of the staff is meant by "the desk" and "the manager" of a community, when tickets need somebody (D9)."""

from collections.abc import Sequence
from uuid import UUID

from backend.identity.roles import Role
from backend.kernel.db import Reader

# The first of the roles that somebody holds there.
DESK = (Role.CUSTOMER_SERVICE, Role.MANAGER, Role.ADMINISTRATOR)
MANAGER = (Role.MANAGER, Role.ADMINISTRATOR)

HOLDERS = """
    SELECT DISTINCT s.role, s.id
      FROM ticket_staff s JOIN company_community m ON m.company_id = s.company_id
     WHERE m.community_id = $1 AND (s.community_id IS NULL OR s.community_id = $1) AND s.role = ANY ($2::text[])
     ORDER BY s.role, s.id
"""


async def holders(db: Reader, community_id: UUID, *, ladder: Sequence[Role]) -> list[UUID]:
    """Who holds the first role of the ladder that anybody holds in the community."""
    rows = await db.fetch(HOLDERS, community_id, list(ladder))
    found = ([row["id"] for row in rows if row["role"] == role] for role in ladder)
    return next((each for each in found if each), [])
