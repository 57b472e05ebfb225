"""Cash brought to the bank (缴存): out of a shift's drawer, into the company's bank account (D5).

Promises: a deposit takes no more out of a drawer than its takings left there, looked at under the shift's lock; a slip
number is used once in a company (unique key); it is posted at once, and matched with a line of the bank's file later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid
from backend.kernel.ids import uuid7
from backend.kernel.money import yuan_text
from backend.ledger import accounts, postings
from backend.ledger.accounts import Code, Key
from payments.counter import shifts

DEPOSITED = "counter.deposited"

INSERT = """
    INSERT INTO bank_deposit (id, company_id, community_id, shift_id, amount_fen, deposited_on, slip_no, created_by,
                              created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (company_id, slip_no) DO NOTHING
 RETURNING *
"""

PAGE = """
    SELECT * FROM bank_deposit
     WHERE community_id = ANY($1::uuid[]) AND ($2::uuid IS NULL OR id < $2)
     ORDER BY id DESC
     LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Deposit:
    """Cash of a shift that was brought to the bank; `matched_at` once the bank's file shows it."""

    id: UUID
    company_id: UUID
    community_id: UUID
    shift_id: UUID
    amount_fen: int
    deposited_on: date
    slip_no: str
    created_by: UUID
    created_at: datetime
    bank_line_id: int | None
    matched_at: datetime | None


async def bring(
    tx: Tx,
    actor: Actor,
    *,
    communities: tuple[UUID, ...],
    shift_id: UUID,
    amount_fen: int,
    deposited_on: date,
    slip_no: str,
) -> Deposit:
    """Book cash of a shift, open or closed, as brought to the bank.

    Raises NotFound for a foreign shift, Conflict `not_so_much_cash` and `slip_taken`, Invalid `deposited_too_late`.
    """
    if actor.id is None:
        raise Forbidden
    shift = await shifts.locked(tx, communities, shift_id=shift_id)
    if deposited_on > tx.today:
        raise Invalid("缴存日期不能晚于今天。", code="deposited_too_late")
    cash_fen = await shifts.cash_fen(tx, shift)
    if amount_fen > cash_fen:
        raise Conflict(
            f"这个班次可缴存的现金是 {yuan_text(max(cash_fen, 0))} 元，请核对金额。",
            code="not_so_much_cash",
            cash_fen=cash_fen,
        )
    deposit_id = uuid7(tx.now)
    row = await tx.fetchrow(
        INSERT, deposit_id, shift.company_id, shift.community_id, shift.id, amount_fen, deposited_on, slip_no,
        actor.id, tx.now,
    )  # fmt: skip
    if row is None:
        raise Conflict(f"缴存单号 {slip_no} 已经录入过，请核对银行回单。", code="slip_taken")
    bank, drawer = await accounts.ensure_all(tx, (Key(shift.community_id, Code.BANK, shift.company_id), shift.drawer))
    postings.post(
        tx, DEPOSITED, reference=deposit_id, debit=bank, credit=drawer, amount_fen=amount_fen,
        community_id=shift.community_id,
    )  # fmt: skip
    audit.record(
        tx, actor, action="counter.deposited", target=f"bank_deposit:{deposit_id}", community_id=shift.community_id,
        after={"amount_fen": amount_fen, "slip_no": slip_no, "shift_id": str(shift.id)},
    )  # fmt: skip
    return _deposit(row)


async def page(db: Reader, communities: Sequence[UUID], *, before_id: UUID | None, limit: int) -> list[Deposit]:
    """Deposits of these communities, newest first."""
    return [_deposit(row) for row in await db.fetch(PAGE, list(communities), before_id, limit)]


def _deposit(row: Record) -> Deposit:
    return Deposit(**dict(row))
