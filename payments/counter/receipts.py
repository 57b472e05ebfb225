"""Receipts (收据): one per paid order, numbered without gaps per company (D5, R17).

Promises: the row of the series is locked while a number is given, and the number is part of the same transaction, so
that there is no gap and no number twice; a receipt is given after the settlement and never inside it, by a job or when
it is printed, and asking again gives the same one; it keeps a snapshot of what it said; when all of its money went back
it is voided, and its number stays listed. A snapshot holds no personal data: the payer is named by the house (I-24).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from backend.identity import staff
from backend.kernel import audit
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.auth import HouseScope
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.ids import uuid7
from backend.property import communities, houses
from backend.property.communities import Community
from payments import history


class ReceiptState(StrEnum):
    """A receipt. The trigger of 0011_counter.sql holds the one move."""

    ISSUED = "ISSUED"
    VOIDED = "VOIDED"


# Counting locks the series until the commit.
INSERT = """
    WITH series AS (
        INSERT INTO receipt_series (company_id, last_no) VALUES ($2, 1)
            ON CONFLICT (company_id) DO UPDATE SET last_no = receipt_series.last_no + 1
     RETURNING last_no)
    INSERT INTO receipt (id, company_id, community_id, no, order_id, state, snapshot, issued_at)
    SELECT $1, $2, $3, last_no, $4, 'ISSUED', $5, $6 FROM series
 RETURNING no
"""
KNOWN = "SELECT id FROM receipt WHERE order_id = $1 LIMIT 1"

# refunded_fen: what has gone back of the order so far.
_COLUMNS = """
    SELECT r.id, r.company_id, r.community_id, r.no, r.order_id, r.state, r.snapshot, r.issued_at, r.voided_at,
           r.void_reason,
           (SELECT coalesce(sum(f.amount_fen), 0)::bigint
              FROM refund f JOIN payment_attempt a ON a.id = f.attempt_id
             WHERE a.order_id = r.order_id AND f.state = 'SUCCEEDED') AS refunded_fen
      FROM receipt r
"""
OF_ORDER = f"{_COLUMNS} WHERE r.order_id = $1 ORDER BY r.no DESC LIMIT 1"
ONE = f"{_COLUMNS} WHERE r.id = $1 AND r.community_id = ANY($2::uuid[])"
PAGE = f"""{_COLUMNS}
     WHERE r.community_id = ANY($1::uuid[]) AND ($2::bigint IS NULL OR (r.company_id, r.no) < ($3, $2))
       AND ($4::text IS NULL OR r.state = $4)
     ORDER BY r.company_id DESC, r.no DESC
     LIMIT $5
"""

# One's own payment, or one that was all for houses owned or lived in as family.
OF_RESIDENT = f"""{_COLUMNS}
      JOIN payment_order o ON o.id = r.order_id
     WHERE r.order_id = $1
       AND (o.payer_person_id = $2
            OR NOT EXISTS (SELECT FROM payment_line l
                            WHERE l.order_id = o.id AND (l.house_id IS NULL OR l.house_id <> ALL ($3::uuid[]))))
     ORDER BY r.no DESC
     LIMIT 1
"""

# A refund locks the order as well: it is over before a receipt is given, or finds the receipt. So does another giver.
HOLD_ORDER = "SELECT state FROM payment_order WHERE id = $1 FOR NO KEY UPDATE"

PAID = """
    SELECT o.id, o.community_id, o.amount_fen, o.paid_at, a.channel, a.method, a.out_trade_no, a.transaction_no,
           v.voucher_no, v.received_fen, v.change_fen, c.cashier_id,
           (SELECT coalesce(sum(amount_fen), 0)::bigint
              FROM refund WHERE attempt_id = a.id AND state = 'SUCCEEDED') AS refunded_fen
      FROM payment_order o
      JOIN payment_attempt a ON a.order_id = o.id AND a.state = 'PAID'
      LEFT JOIN counter_voucher v ON v.attempt_id = a.id
      LEFT JOIN cashier_shift c ON c.id = v.shift_id
     WHERE o.id = $1
"""

VOID = """
    UPDATE receipt SET state = 'VOIDED', voided_at = $2, void_reason = $3
     WHERE order_id = $1 AND state = 'ISSUED'
 RETURNING id, community_id, no
"""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt. `refunded_fen`: what has gone back of its money until now."""

    id: UUID
    company_id: UUID
    community_id: UUID
    no: int
    order_id: UUID
    state: ReceiptState
    snapshot: dict[str, Any]
    issued_at: datetime
    voided_at: datetime | None
    void_reason: str | None
    refunded_fen: int

    @property
    def number(self) -> str:
        """The number as it is printed: eight digits at least."""
        return f"{self.no:08d}"


async def issue(tx: Tx, actor: Actor, *, order_id: UUID) -> Receipt:
    """The receipt of a paid order, given now or before. Raises as `give`."""
    await give(tx, actor, order_id=order_id)
    return _receipt(_found(await tx.fetchrow(OF_ORDER, order_id)))


async def give(tx: Tx, actor: Actor, *, order_id: UUID) -> None:
    """See that a paid order has its receipt: the one that it has, whatever its state, else one with the next number.

    Raises NotFound, Conflict `not_paid`, and `all_refunded` where nothing is left to give a receipt for.
    """
    if await tx.fetchval(HOLD_ORDER, order_id) is None:
        raise NotFound
    if await tx.fetchval(KNOWN, order_id) is not None:
        return
    row = await tx.fetchrow(PAID, order_id)
    if row is None:
        raise Conflict("这笔款项还没有收到，暂时不能开收据。", code="not_paid")
    if row["refunded_fen"] == row["amount_fen"]:
        raise Conflict("这笔款项已经全部退还，不再开收据。", code="all_refunded")
    (community,) = await communities.by_ids(tx, [row["community_id"]])
    snapshot, receipt_id = await _snapshot(tx, row, community), uuid7(tx.now)
    no = await tx.fetchval(INSERT, receipt_id, community.company_id, community.id, order_id, snapshot, tx.now)
    audit.record(
        tx, actor, action="counter.receipt_issued", target=f"receipt:{receipt_id}", community_id=row["community_id"],
        after={"no": no, "order_id": str(order_id), "amount_fen": row["amount_fen"]},
    )  # fmt: skip


async def void_refunded(tx: Tx, actor: Actor = SYSTEM, *, order_id: UUID) -> None:
    """Void the receipt of an order when all of its money went back; its number stays listed."""
    row = await tx.fetchrow(PAID, order_id)
    if row is None or row["refunded_fen"] < row["amount_fen"]:
        return
    voided = await tx.fetchrow(VOID, order_id, tx.now, "款项已全部退还")
    if voided is not None:
        audit.record(
            tx, actor, action="counter.receipt_voided", target=f"receipt:{voided['id']}",
            community_id=voided["community_id"], after={"no": voided["no"]},
        )  # fmt: skip


async def one(db: Reader, communities: Sequence[UUID], *, receipt_id: UUID) -> Receipt:
    """A receipt of these communities; NotFound elsewhere."""
    return _receipt(_found(await db.fetchrow(ONE, receipt_id, list(communities))))


async def of_resident(db: Reader, scope: HouseScope, *, order_id: UUID) -> Receipt:
    """The receipt of a resident's own payment, or of one for the resident's houses; NotFound for others (I-23)."""
    return _receipt(_found(await db.fetchrow(OF_RESIDENT, order_id, scope.person_id, list(scope.full))))


async def page(
    db: Reader,
    communities: Sequence[UUID],
    *,
    state: ReceiptState | None,
    before: tuple[UUID, int] | None,
    limit: int,
) -> list[Receipt]:
    """Receipts of these communities, the newest number first, voided ones too. `before`: company and number."""
    company_id, no = before or (None, None)
    rows = await db.fetch(PAGE, list(communities), no, company_id, state, limit)
    return [_receipt(row) for row in rows]


async def _snapshot(tx: Tx, row: Record, community: Community) -> dict[str, Any]:
    """What the receipt says, kept as it is said now."""
    lines = await history.lines_of(tx, row["id"])
    house_ids = sorted({line["house_id"] for line in lines if line["house_id"] is not None})
    cashier = None
    if row["cashier_id"] is not None:
        cashier = (await staff.member(tx, community.company_id, row["cashier_id"])).name
    return {
        "company": await communities.company_name(tx, community.company_id),
        "community": community.name,
        "houses": [house.label for house in await houses.by_ids(tx, house_ids)],
        "lines": [
            {"title": line["title"], "principal_fen": line["principal_fen"], "late_fee_fen": line["late_fee_fen"]}
            for line in lines
        ],
        "amount_fen": row["amount_fen"],
        "channel": row["channel"],
        "method": row["method"],
        "paid_at": row["paid_at"].isoformat(),
        "order_no": row["out_trade_no"],
        "transaction_no": row["voucher_no"] or row["transaction_no"],
        "received_fen": row["received_fen"] or row["amount_fen"],
        "change_fen": row["change_fen"] or 0,
        "cashier": cashier,
    }


def _found(row: Record | None) -> Record:
    if row is None:
        raise NotFound
    return row


def _receipt(row: Record) -> Receipt:
    return Receipt(**{**dict(row), "state": ReceiptState(row["state"])})
