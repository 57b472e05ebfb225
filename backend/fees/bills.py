"""Bills (账单): reads by scope, and voiding one by two people.

Drafts (bills of a run that is not PUBLISHED) are invisible here. A resident sees all bills of houses owned or lived in
as family, and bills that name the person as liable, wherever (I-23). Voiding takes the issue back by a reversing
posting (I-02) and frees the period for a new bill.
"""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from backend.fees import periods
from backend.fees.states import OPEN_BILLS, BillState
from backend.kernel import approvals, audit
from backend.kernel.approvals import Approval, Stale
from backend.kernel.audit import Actor
from backend.kernel.auth import HouseScope
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.money import yuan_text
from backend.ledger import postings

VOID_KIND = "fees.void_bill"

_COLUMNS = """
    SELECT b.id, b.community_id, b.item_id, i.name AS item_name, b.house_id, h.label AS house_label, b.run_id,
           b.period_start, b.period_end, b.state, b.principal_fen, b.paid_fen - b.refunded_fen AS paid_fen,
           b.late_fee_fen, b.late_paid_fen - b.late_refunded_fen AS late_paid_fen, b.liable_kind, b.due_on,
           r.published_at AS issued_at, b.paid_at, b.voided_at, i.payable_online
      FROM bill b
      JOIN billing_run r ON r.id = b.run_id AND r.state = 'PUBLISHED'
      JOIN fee_item i ON i.id = b.item_id
      JOIN billable_house h ON h.id = b.house_id
"""

# Indexes bill_house and bill_liable. $1 full houses, $2 person: the scope.
OF_RESIDENT = f"""
{_COLUMNS}
     WHERE (b.house_id = ANY ($1::uuid[]) OR b.liable_person_id = $2)
       AND b.state = ANY ($3::text[])
       AND ($4::date IS NULL OR (b.period_start, b.id) < ($4, $5::uuid))
     ORDER BY b.period_start DESC, b.id DESC
     LIMIT $6
"""

ONE_OF_RESIDENT = f"""
{_COLUMNS}
     WHERE b.id = $3 AND (b.house_id = ANY ($1::uuid[]) OR b.liable_person_id = $2)
"""

SOME_OF_RESIDENT = f"""
{_COLUMNS}
     WHERE b.id = ANY ($3::uuid[]) AND (b.house_id = ANY ($1::uuid[]) OR b.liable_person_id = $2)
"""

OF_HOUSE = f"""
{_COLUMNS}
     WHERE b.house_id = $2 AND b.community_id = ANY ($1::uuid[])
       AND b.state = ANY ($3::text[])
       AND ($4::date IS NULL OR (b.period_start, b.id) < ($4, $5::uuid))
     ORDER BY b.period_start DESC, b.id DESC
     LIMIT $6
"""

ONE_OF_STAFF = f"""
{_COLUMNS}
     WHERE b.id = $2 AND b.community_id = ANY ($1::uuid[])
"""

# What is open of some houses, and what names a person as liable, wherever.
OPEN_OF = f"""
{_COLUMNS}
     WHERE b.community_id = ANY ($1::uuid[]) AND (b.house_id = ANY ($2::uuid[]) OR b.liable_person_id = $3)
       AND b.state = ANY ($4::text[])
     ORDER BY b.due_on, b.id
     LIMIT 200
"""

# Index bill_house.
OLDEST_DUE = """
    SELECT min(b.due_on)
      FROM bill b JOIN billing_run r ON r.id = b.run_id AND r.state = 'PUBLISHED'
     WHERE b.house_id = $1 AND b.state IN ('ISSUED', 'PARTLY_PAID')
"""

ISSUED_IN = """
    SELECT count(*)
      FROM bill b JOIN billing_run r ON r.id = b.run_id AND r.state = 'PUBLISHED'
     WHERE b.id = ANY ($1::uuid[]) AND b.community_id = $2
"""

LINES = """
    SELECT seq, label, inputs, area_cm2, coefficient, exact_num, exact_den, amount_fen
      FROM bill_line WHERE bill_id = $1 ORDER BY seq
"""

LOCK = "SELECT * FROM bill WHERE id = $1 FOR UPDATE"

VOID = "UPDATE bill SET state = 'VOIDED', voided_at = $2 WHERE id = $1"


def title(row: Record) -> str:
    """What a bill is called: 物业费 2026年9月."""
    return f"{row['item_name']} {periods.text(row['period_start'], row['period_end'])}"


def due_fen(row: Record) -> int:
    """What is still to be paid of a bill, in fen; 0 for one that is paid or voided."""
    if row["state"] not in OPEN_BILLS:
        return 0
    return int(row["principal_fen"] - row["paid_fen"] + row["late_fee_fen"] - row["late_paid_fen"])


def overdue(row: Record, today: date) -> bool:
    """Whether a bill is open after its last day to pay."""
    return row["state"] in OPEN_BILLS and row["due_on"] < today


async def of_resident(
    db: Reader,
    scope: HouseScope,
    *,
    states: Sequence[BillState],
    before: tuple[date, UUID] | None,
    limit: int,
) -> list[Record]:
    """The bills that a resident may see, newest period first, in one statement."""
    day, bill_id = before or (None, None)
    return await db.fetch(OF_RESIDENT, list(scope.full), scope.person_id, list(states), day, bill_id, limit)


async def one_of_resident(db: Reader, scope: HouseScope, *, bill_id: UUID) -> Record:
    """A bill that a resident may see; NotFound for unknown, foreign and draft ones."""
    return _found(await db.fetchrow(ONE_OF_RESIDENT, list(scope.full), scope.person_id, bill_id))


async def some_of_resident(db: Reader, scope: HouseScope, *, bill_ids: Collection[UUID]) -> list[Record]:
    """Bills that a resident may see, by their ids; NotFound unless he may see all of them."""
    rows = await db.fetch(SOME_OF_RESIDENT, list(scope.full), scope.person_id, list(bill_ids))
    if len(rows) < len(bill_ids):
        raise NotFound
    return rows


async def of_house(
    db: Reader,
    communities: Sequence[UUID],
    *,
    house_id: UUID,
    states: Sequence[BillState],
    before: tuple[date, UUID] | None,
    limit: int,
) -> list[Record]:
    """The bills of a house for staff of its community, newest period first; none for foreign houses."""
    day, bill_id = before or (None, None)
    return await db.fetch(OF_HOUSE, list(communities), house_id, list(states), day, bill_id, limit)


async def open_of(
    db: Reader, communities: Sequence[UUID], *, house_ids: Sequence[UUID], person_id: UUID | None
) -> list[Record]:
    """What is still to be paid for these houses or by this person, the longest due first; at most 200 bills."""
    return await db.fetch(OPEN_OF, list(communities), list(house_ids), person_id, list(OPEN_BILLS))


async def oldest_due_on(db: Reader, house_id: UUID) -> date | None:
    """The last day to pay of the house's oldest open bill; None where nothing is open."""
    found: date | None = await db.fetchval(OLDEST_DUE, house_id)
    return found


async def require_in(db: Reader, community_id: UUID, *, bill_ids: Sequence[UUID]) -> None:
    """NotFound unless all of these bills are of the community and issued."""
    wanted = sorted(set(bill_ids))
    if await db.fetchval(ISSUED_IN, wanted, community_id) != len(wanted):
        raise NotFound


async def one_of_staff(db: Reader, communities: Sequence[UUID], *, bill_id: UUID) -> Record:
    """A bill for staff of its community; NotFound for unknown, foreign and draft ones."""
    return _found(await db.fetchrow(ONE_OF_STAFF, list(communities), bill_id))


def _found(row: Record | None) -> Record:
    if row is None:
        raise NotFound
    return row


async def lines_of(db: Reader, bill_id: UUID) -> list[Record]:
    """The stored lines of a bill that the caller has found in scope."""
    return await db.fetch(LINES, bill_id)


async def propose_void(tx: Tx, actor: Actor, *, bill_id: UUID, communities: Sequence[UUID], reason: str) -> Approval:
    """Propose to void a bill on which nothing is paid; NotFound, Conflict `bill_not_voidable`, `approval_pending`."""
    bill = await one_of_staff(tx, communities, bill_id=bill_id)
    locked = await tx.fetchrow(LOCK, bill_id)
    if locked is None or not _voidable(locked):
        raise Conflict("只有未收款的账单可以作废，已收款的请先退款。", code="bill_not_voidable")
    return await approvals.propose(
        tx,
        actor,
        kind=VOID_KIND,
        target=f"bill:{bill_id}",
        community_id=bill["community_id"],
        payload={"bill_id": str(bill_id)},
        shown={
            "before": {"账单": title(bill), "房屋": bill["house_label"], "应收": yuan_text(bill["principal_fen"])},
            "after": {"账单": "作废"},
        },
        reason=reason,
    )


async def apply_void(tx: Tx, approval: Approval, actor: Actor) -> None:
    """Void the bill of an approval and take its issue back in the ledger; Stale where money came in meanwhile."""
    bill_id = UUID(approval.payload["bill_id"])
    bill = await tx.fetchrow(LOCK, bill_id)
    if bill is None or not _voidable(bill):
        raise Stale
    await tx.execute(VOID, bill_id, tx.now)
    await postings.reverse(tx, "bill.voided", of_kind="bill.issued", reference=bill_id)
    after: dict[str, Any] = {"state": BillState.VOIDED.value}
    audit.record(
        tx, actor, action="fees.bill_voided", target=f"bill:{bill_id}", community_id=bill["community_id"],
        reason=approval.reason, before={"state": bill["state"], "principal_fen": bill["principal_fen"]}, after=after,
    )  # fmt: skip


def _voidable(bill: Record) -> bool:
    return (
        bill["state"] in OPEN_BILLS
        and bill["paid_fen"] == bill["refunded_fen"]
        and bill["late_paid_fen"] == bill["late_refunded_fen"]
    )
