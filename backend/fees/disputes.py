"""A disputed bill (账单异议): while one stands, the bill's late fee and dunning stand still (D3, D4).

Promises: one dispute of a bill at a time, whoever opens it (bill_dispute_open). Opening and ending leave an entry
in the audit. What a dispute says of the amount is no business of this module: a bill changes by its own approved ways.
"""

from collections.abc import Collection
from enum import StrEnum
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict
from backend.kernel.ids import uuid7

# Index bill_dispute_open decides between two at once.
OPEN = """
    INSERT INTO bill_dispute (id, community_id, bill_id, opened_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (bill_id) WHERE ended_at IS NULL DO NOTHING
 RETURNING id
"""

END = """
    UPDATE bill_dispute SET ended_at = $2, outcome = $3 WHERE bill_id = $1 AND ended_at IS NULL
 RETURNING id, community_id
"""

STANDING = "SELECT bill_id FROM bill_dispute WHERE bill_id = ANY ($1::uuid[]) AND ended_at IS NULL"

OF_BILL = """
    SELECT opened_at, ended_at, outcome FROM bill_dispute WHERE bill_id = $1 ORDER BY opened_at DESC LIMIT 50
"""


class Outcome(StrEnum):
    """How a dispute ended: the bill is wrong, its amount is, it is right, or nobody disputes it any more."""

    UPHELD = "upheld"
    ADJUSTED = "adjusted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


async def open_one(tx: Tx, actor: Actor, *, bill_id: UUID, community_id: UUID) -> UUID:
    """Dispute a bill that the caller has found in scope; Conflict `bill_disputed` while another dispute stands."""
    made: UUID | None = await tx.fetchval(OPEN, uuid7(tx.now), community_id, bill_id, tx.now)
    if made is None:
        raise Conflict("这张账单已有异议在处理，请在工单里查看进度。", code="bill_disputed")
    audit.record(tx, actor, action="bill_dispute.opened", target=f"bill:{bill_id}", community_id=community_id)
    return made


async def end(tx: Tx, actor: Actor, *, bill_id: UUID, outcome: Outcome) -> None:
    """End the dispute that stands; nothing where none does."""
    ended = await tx.fetchrow(END, bill_id, tx.now, outcome)
    if ended is not None:
        audit.record(
            tx, actor, action="bill_dispute.ended", target=f"bill:{bill_id}", community_id=ended["community_id"],
            after={"outcome": outcome},
        )  # fmt: skip


async def standing(db: Reader, bill_ids: Collection[UUID]) -> frozenset[UUID]:
    """Which of the bills are disputed now."""
    return frozenset(row["bill_id"] for row in await db.fetch(STANDING, list(bill_ids)))


async def of_bill(db: Reader, bill_id: UUID) -> list[Record]:
    """The disputes of a bill that the caller has found in scope, the newest first."""
    return await db.fetch(OF_BILL, bill_id)
