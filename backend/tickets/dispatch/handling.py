"""How a company handles tickets (督办规则): dispatch at once, warnings, urging, how far back duplicates lie (D9).

A category's own rule counts before that of the category above it, and that before the company's; where nobody has set
anything, USUAL.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import NotFound

NAMES = "at_once, warn_before_m, escalate_after_m, urge_times, urge_hours, similar_days"

# The rule that counts for a category `c`; for a LEFT JOIN LATERAL. Index ticket_handling_once.
COUNTS = f"""
    SELECT {NAMES} FROM ticket_handling
     WHERE company_id = c.company_id AND (category_id IS NULL OR category_id IN (c.id, c.parent_id))
     ORDER BY category_id IS NULL, category_id <> c.id
     LIMIT 1
"""  # noqa: S608 - columns are constants

OF_CATEGORY = f"""
    SELECT h.* FROM ticket_category c JOIN LATERAL ({COUNTS}) h ON true WHERE c.id = $1
"""  # noqa: S608 - constants

OF_COMPANY = f"""
    SELECT category_id, {NAMES} FROM ticket_handling
     WHERE company_id = $1
     ORDER BY category_id NULLS FIRST
     LIMIT 500
"""  # noqa: S608 - columns are constants

ONE = f"SELECT {NAMES} FROM ticket_handling WHERE company_id = $1 AND category_id IS NOT DISTINCT FROM $2"  # noqa: S608

SET = f"""
    INSERT INTO ticket_handling (company_id, category_id, {NAMES}, changed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (company_id, category_id) DO UPDATE
       SET ({NAMES}, changed_at) = ROW ($3, $4, $5, $6, $7, $8, $9)
"""  # noqa: S608 - columns are constants

DROP = "DELETE FROM ticket_handling WHERE company_id = $1 AND category_id = $2"

OF_THE_COMPANY = "SELECT 1 FROM ticket_category WHERE id = $1 AND company_id = $2"


@dataclass(frozen=True, slots=True)
class Handling:
    """`at_once`: dispatched by rota when it comes in. Minutes before and after a promise ends; limits of urging."""

    at_once: bool = False
    warn_before_m: int = 15
    escalate_after_m: int = 60
    urge_times: int = 3
    urge_hours: int = 4
    similar_days: int = 7


USUAL = Handling()


async def of_category(db: Reader, category_id: UUID) -> Handling:
    """What counts for a category."""
    row = await db.fetchrow(OF_CATEGORY, category_id)
    return USUAL if row is None else _read(row)


async def of_company(db: Reader, company_id: UUID) -> Mapping[UUID | None, Handling]:
    """Category → its own rule; None: the company's."""
    rows = await db.fetch(OF_COMPANY, company_id)
    return {None: USUAL} | {row["category_id"]: _read(row) for row in rows}


async def set_rule(tx: Tx, actor: Actor, *, company_id: UUID, category_id: UUID | None, new: Handling | None) -> None:
    """Set the rule of the company or of one category; None takes a category's own away. NotFound."""
    if category_id is not None and await tx.fetchval(OF_THE_COMPANY, category_id, company_id) is None:
        raise NotFound
    before = await tx.fetchrow(ONE, company_id, category_id)
    if new is None:
        await tx.execute(DROP, company_id, category_id)
    else:
        await tx.execute(SET, company_id, category_id, *asdict(new).values(), tx.now)
    audit.record(
        tx, actor, action="ticket_handling.changed", target=f"ticket_handling:{category_id or company_id}",
        community_id=company_id, before=_shown(None if before is None else _read(before)), after=_shown(new),
    )  # fmt: skip


def _shown(rule: Handling | None) -> dict[str, Any]:
    return {} if rule is None else asdict(rule)


def _read(row: Record) -> Handling:
    return Handling(**{name: row[name] for name in asdict(USUAL)})
