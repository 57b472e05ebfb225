"""Bills as something to pay: locked and priced for an order, marked paid by its settlement.

Payments reaches bills only through these functions. A bill takes a payment once: what is no longer open for the
amount refuses all lines together (AlreadyPaid), and nothing is changed then. Keeps I-04: paid_fen and the postings
`bill.paid`, refunded_fen and the postings `bill.refunded` move in one statement.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from backend.fees import periods
from backend.fees.states import BillState
from backend.kernel.auth import HouseScope
from backend.kernel.db import Part, Record, Tx, Write
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.money import yuan_text

Line = tuple[UUID, UUID, int, int]
"""(payment line id, bill id, principal_fen, late_fee_fen)."""


class AlreadyPaid(Conflict):
    """One of the bills is no longer open for the amount; nothing was changed."""

    code = "already_paid"
    message = "账单已经支付，无需重复支付。"


@dataclass(frozen=True, slots=True)
class Priced:
    """What a bill (a top-up, which belongs to no item; a stay, which belongs to no house) costs now, under its lock."""

    payable_id: UUID
    community_id: UUID
    house_id: UUID | None
    item_id: UUID | None
    principal_fen: int
    late_fee_fen: int
    title: str


# Locked in id order, so that two orders that share bills wait and do not deadlock (F-13). Drafts are not found.
LOCK = """
    SELECT b.id, b.community_id, b.house_id, b.item_id, b.period_start, b.period_end, b.state, i.name AS item_name,
           i.payable_online, b.principal_fen - b.paid_fen + b.refunded_fen AS principal_due_fen,
           b.late_fee_fen - b.late_paid_fen + b.late_refunded_fen AS late_fee_due_fen
      FROM bill b
      JOIN billing_run r ON r.id = b.run_id AND r.state = 'PUBLISHED'
      JOIN fee_item i ON i.id = b.item_id
     WHERE b.id = ANY ($1::uuid[])
       AND ($2::uuid IS NULL OR b.liable_person_id = $2 OR b.house_id = ANY ($3::uuid[]))
     ORDER BY b.id
       FOR UPDATE OF b
"""

# All or nothing: no bill changes unless every line fits its bill, as it is under the lock. `given` hides the length of
# the arrays from the planner, so that one plan serves for all of them (planning took longer than paying).
_PAY = """
    given AS MATERIALIZED (
        SELECT $1::uuid[] AS line_ids, $2::uuid[] AS bill_ids, $3::bigint[] AS principals, $4::bigint[] AS late_fees
    ), line AS (
        SELECT l.* FROM given, unnest(line_ids, bill_ids, principals, late_fees)
            AS l (reference, bill_id, principal_fen, late_fee_fen)
    ), fitting AS (
        SELECT b.id, l.reference, l.principal_fen
          FROM bill b JOIN line l ON l.bill_id = b.id
         WHERE b.state IN ('ISSUED', 'PARTLY_PAID')
           AND l.principal_fen BETWEEN 1 AND b.principal_fen - b.paid_fen + b.refunded_fen
           AND l.late_fee_fen = 0
         ORDER BY b.id
           FOR UPDATE OF b
    ), changed AS (
        UPDATE bill b
           SET paid_fen = b.paid_fen + f.principal_fen,
               state = CASE WHEN b.paid_fen + f.principal_fen - b.refunded_fen = b.principal_fen
                            THEN 'PAID' ELSE 'PARTLY_PAID' END,
               paid_at = $6
          FROM fitting f
         WHERE b.id = f.id AND (SELECT count(*) FROM fitting) = cardinality($2::uuid[])
     RETURNING b.id, b.community_id, b.house_id, f.reference, f.principal_fen
    ), posted AS (
        INSERT INTO posting (community_id, kind, reference, debit_account, credit_account, amount_fen, bill_id,
                             occurred_at, booked_on)
        SELECT c.community_id, 'bill.paid', c.reference, $5,
               (SELECT id FROM account
                 WHERE community_id = c.community_id AND code = 'receivable' AND subject_id = c.house_id),
               c.principal_fen, c.id, $6, $7
          FROM changed c
     RETURNING id
    ), applied AS (SELECT count(*) AS lines FROM posted)
"""
APPLY = f"WITH {_PAY} SELECT lines FROM applied"  # noqa: S608 - a constant


# The mirror of APPLY: a bill that was paid is owed again for what went back.
REFUND = """
    WITH given AS MATERIALIZED (
        SELECT $1::uuid[] AS line_ids, $2::uuid[] AS bill_ids, $3::bigint[] AS principals, $4::bigint[] AS late_fees
    ), line AS (
        SELECT l.* FROM given, unnest(line_ids, bill_ids, principals, late_fees)
            AS l (reference, bill_id, principal_fen, late_fee_fen)
    ), fitting AS (
        SELECT b.id, l.reference, l.principal_fen
          FROM bill b JOIN line l ON l.bill_id = b.id
         WHERE b.state IN ('PARTLY_PAID', 'PAID')
           AND l.principal_fen BETWEEN 1 AND b.paid_fen - b.refunded_fen
           AND l.late_fee_fen = 0
         ORDER BY b.id
           FOR UPDATE OF b
    ), changed AS (
        UPDATE bill b
           SET refunded_fen = b.refunded_fen + f.principal_fen,
               state = CASE WHEN b.paid_fen - b.refunded_fen = f.principal_fen THEN 'ISSUED' ELSE 'PARTLY_PAID' END,
               paid_at = NULL
          FROM fitting f
         WHERE b.id = f.id AND (SELECT count(*) FROM fitting) = cardinality($2::uuid[])
     RETURNING b.id, b.community_id, b.house_id, f.reference, f.principal_fen
    ), posted AS (
        INSERT INTO posting (community_id, kind, reference, debit_account, credit_account, amount_fen, bill_id,
                             occurred_at, booked_on)
        SELECT c.community_id, 'bill.refunded', c.reference,
               (SELECT id FROM account
                 WHERE community_id = c.community_id AND code = 'receivable' AND subject_id = c.house_id),
               $5, c.principal_fen, c.id, $6, $7
          FROM changed c
     RETURNING id
    )
    SELECT count(*) FROM posted
"""


async def lock_and_price(tx: Tx, scope: HouseScope | None, wanted: Mapping[UUID, int | None]) -> list[Priced]:
    """Lock the bills, in id order, and say what each costs now; a chosen amount pays a part of one.

    `scope` is the resident's, None for staff and jobs. Raises NotFound for what is unknown, foreign or still a draft,
    AlreadyPaid for what is paid, Conflict `bill_voided` and `not_payable_online`, Invalid `amount_out_of_bounds`.
    """
    person_id = scope.person_id if scope else None
    rows = await tx.fetch(LOCK, sorted(wanted), person_id, list(scope.full) if scope else [])
    if len(rows) < len(wanted) or not wanted:
        raise NotFound
    for row in rows:
        _require_open(row, online=scope is not None)
    return [
        Priced(
            payable_id=row["id"],
            community_id=row["community_id"],
            house_id=row["house_id"],
            item_id=row["item_id"],
            principal_fen=_chosen_fen(row, wanted[row["id"]]),
            late_fee_fen=row["late_fee_due_fen"],
            title=f"{row['item_name']} {periods.text(row['period_start'], row['period_end'])}",
        )
        for row in rows
    ]


def _chosen_fen(row: Record, chosen_fen: int | None) -> int:
    due_fen: int = row["principal_due_fen"]
    if chosen_fen is None:
        return due_fen
    if not 1 <= chosen_fen <= due_fen:
        raise Invalid(f"这笔账单可缴 0.01 元到 {yuan_text(due_fen)} 元。", code="amount_out_of_bounds")
    return chosen_fen


def _require_open(row: Record, *, online: bool) -> None:
    if row["state"] == BillState.PAID:
        raise AlreadyPaid
    if row["state"] == BillState.VOIDED:
        raise Conflict("账单已作废，请刷新后再看。", code="bill_voided")
    if online and not row["payable_online"]:
        raise Conflict("该收费项目请到物业服务中心缴纳。", code="not_payable_online")


async def apply_paid(tx: Tx, *, lines: Sequence[Line], clearing_account: int) -> None:
    """Mark every line's bill paid by its amount and post it: clearing against the house's receivable.

    Raises AlreadyPaid, and changes nothing, when any bill is not open for its line's amount.
    """
    if await tx.fetchval(APPLY, *_paying(tx, lines, clearing_account)) != len(lines):
        raise AlreadyPaid


def paid_along(write: Write, *, lines: Sequence[Line], clearing_account: int) -> Part:
    """The same as a part of another statement; its `applied.lines` tells how many bills were paid,
    and where that is not all of them, none was."""
    return Part(_PAY, _paying(write, lines, clearing_account))


def _paying(write: Write, lines: Sequence[Line], clearing_account: int) -> tuple[Any, ...]:
    return (*(list(column) for column in zip(*lines, strict=True)), clearing_account, write.now, write.today)


async def apply_refunded(tx: Tx, *, lines: Sequence[Line], clearing_account: int) -> None:
    """Take paid amounts back and post it: the house's receivable against clearing. Lines are rows of refund_line.

    Raises Conflict `not_refundable`, and changes nothing, when any bill has not kept as much as its line takes back.
    """
    references, bill_ids, principals, late_fees = (list(column) for column in zip(*lines, strict=True))
    posted = await tx.fetchval(REFUND, references, bill_ids, principals, late_fees, clearing_account, tx.now, tx.today)
    if posted != len(lines):
        raise Conflict("这笔账单已缴的金额不足以退还。", code="not_refundable")
