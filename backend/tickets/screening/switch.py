"""Whether a company has WeChat check what residents write and send (内容安全开关); off unless it says so."""

from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Tx

OF_COMPANY = "SELECT enabled FROM ticket_screening WHERE company_id = $1"

OF_COMMUNITY = """
    SELECT s.enabled FROM company_community c JOIN ticket_screening s ON s.company_id = c.company_id
     WHERE c.community_id = $1
"""

SET = """
    INSERT INTO ticket_screening (company_id, enabled, changed_at) VALUES ($1, $2, $3)
        ON CONFLICT (company_id) DO UPDATE SET enabled = $2, changed_at = $3
"""


async def of_company(db: Reader, company_id: UUID) -> bool:
    """Whether the company has it on."""
    return bool(await db.fetchval(OF_COMPANY, company_id))


async def of_community(db: Reader, community_id: UUID) -> bool:
    """Whether the company of a community has it on."""
    return bool(await db.fetchval(OF_COMMUNITY, community_id))


async def turn(tx: Tx, actor: Actor, *, company_id: UUID, enabled: bool) -> None:
    """Turn it on or off; what has come in before is not checked afterwards."""
    before = await of_company(tx, company_id)
    await tx.execute(SET, company_id, enabled, tx.now)
    audit.record(
        tx, actor, action="ticket_screening.changed", target=f"ticket_screening:{company_id}", community_id=company_id,
        before={"enabled": before}, after={"enabled": enabled},
    )  # fmt: skip
