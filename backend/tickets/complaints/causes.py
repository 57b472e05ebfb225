"""Root causes (根因) as a company names them: noted on a complaint before it is closed (D9, R7).

Promises: a cause that is withdrawn stays with the complaints that name it, and is given to no other.
"""

from uuid import UUID

import asyncpg

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.ids import uuid7

OF_COMPANY = """
    SELECT id, name, withdrawn_at FROM ticket_cause WHERE company_id = $1 ORDER BY withdrawn_at NULLS FIRST, name, id
     LIMIT 500
"""

USABLE_IN = """
    SELECT 1 FROM ticket_cause a JOIN company_community c ON c.company_id = a.company_id
     WHERE a.id = $1 AND c.community_id = $2 AND a.withdrawn_at IS NULL
"""

INSERT = "INSERT INTO ticket_cause (id, company_id, name, created_at) VALUES ($1, $2, $3, $4)"

WITHDRAW = """
    UPDATE ticket_cause SET withdrawn_at = $3 WHERE id = $1 AND company_id = $2 AND withdrawn_at IS NULL
 RETURNING name
"""


async def of_company(db: Reader, company_id: UUID) -> list[Record]:
    """The causes of a company, those in use first."""
    return await db.fetch(OF_COMPANY, company_id)


async def require_usable(db: Reader, cause_id: UUID, *, community_id: UUID) -> None:
    """NotFound unless a complaint of the community may name the cause."""
    if await db.fetchval(USABLE_IN, cause_id, community_id) is None:
        raise NotFound("没有找到这个根因，可能已经停用，请重新选择。")


async def create(tx: Tx, actor: Actor, *, company_id: UUID, name: str) -> UUID:
    """A new cause; Conflict `name_taken`."""
    cause_id = uuid7(tx.now)
    try:
        async with tx.savepoint():
            await tx.execute(INSERT, cause_id, company_id, name, tx.now)
    except asyncpg.UniqueViolationError as error:
        raise Conflict("已有这个名称的根因，请换一个。", code="name_taken") from error
    audit.record(
        tx, actor, action="ticket_cause.created", target=f"ticket_cause:{cause_id}", community_id=company_id,
        after={"name": name},
    )  # fmt: skip
    return cause_id


async def withdraw(tx: Tx, actor: Actor, *, cause_id: UUID, company_id: UUID) -> None:
    """Give a cause to no further complaint; NotFound, also for one that is withdrawn."""
    name = await tx.fetchval(WITHDRAW, cause_id, company_id, tx.now)
    if name is None:
        raise NotFound
    audit.record(
        tx, actor, action="ticket_cause.withdrawn", target=f"ticket_cause:{cause_id}", community_id=company_id,
        before={"name": name},
    )  # fmt: skip
