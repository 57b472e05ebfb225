"""Shifts (收费班次): a drawer from opening to counting (D5).

Promises: a cashier has one open shift; what the drawer should hold is the balance of the shift's cash account in the
ledger and the float, never a figure of its own; closing counts it, and what is over or short is posted and named. A
shift takes and gives money while it is open and its row is locked, so that nothing slips in behind the count.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.kernel.money import yuan_text
from backend.ledger import accounts, balances, postings
from backend.ledger.accounts import Code, Key
from payments.channels.base import Method

COUNTED = "counter.cash_counted"


class ShiftState(StrEnum):
    """A shift. The trigger of 0011_counter.sql holds the one move."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"


OPEN = """
    INSERT INTO cashier_shift (id, company_id, community_id, cashier_id, state, float_fen, opened_at)
    SELECT $1, c.company_id, c.id, $3, 'OPEN', $4, $5 FROM community c WHERE c.id = $2
        ON CONFLICT (cashier_id) WHERE state = 'OPEN' DO NOTHING
 RETURNING id
"""

_COLUMNS = """
    SELECT id, company_id, community_id, cashier_id, state, float_fen, opened_at, closed_at, expected_fen, counted_fen,
           note
      FROM cashier_shift
"""

# Takings of one shift go side by side; closing, paying out and depositing have it alone.
SHARE_OPEN = f"{_COLUMNS} WHERE cashier_id = $1 AND state = 'OPEN' FOR SHARE"
LOCK_OPEN = f"{_COLUMNS} WHERE cashier_id = $1 AND state = 'OPEN' FOR UPDATE"
LOCK = f"{_COLUMNS} WHERE id = $1 AND community_id = ANY($2::uuid[]) FOR UPDATE"
ONE = f"{_COLUMNS} WHERE id = $1 AND community_id = ANY($2::uuid[])"

PAGE = f"""{_COLUMNS}
     WHERE community_id = ANY($1::uuid[]) AND ($2::uuid IS NULL OR id < $2)
       AND ($3::text IS NULL OR state = $3)
     ORDER BY id DESC
     LIMIT $4
"""

CLOSE = """
    UPDATE cashier_shift SET state = 'CLOSED', closed_at = $2, expected_fen = $3, counted_fen = $4, note = $5
     WHERE id = $1
"""

BY_METHOD = """
    SELECT method,
           count(*) FILTER (WHERE attempt_id IS NOT NULL) AS takings,
           coalesce(sum(amount_fen) FILTER (WHERE attempt_id IS NOT NULL), 0)::bigint AS taken_fen,
           count(*) FILTER (WHERE refund_id IS NOT NULL) AS returns,
           coalesce(sum(amount_fen) FILTER (WHERE refund_id IS NOT NULL), 0)::bigint AS returned_fen
      FROM counter_voucher
     WHERE shift_id = $1
     GROUP BY method
     ORDER BY method
"""

DEPOSITED = "SELECT coalesce(sum(amount_fen), 0)::bigint FROM bank_deposit WHERE shift_id = $1"


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift as it stands; `expected_fen` and `counted_fen` once it is closed. All money in fen."""

    id: UUID
    company_id: UUID
    community_id: UUID
    cashier_id: UUID
    state: ShiftState
    float_fen: int
    opened_at: datetime
    closed_at: datetime | None
    expected_fen: int | None
    counted_fen: int | None
    note: str | None

    @property
    def drawer(self) -> Key:
        """The account of its cash."""
        return Key(self.community_id, Code.CASH, self.id)


@dataclass(frozen=True, slots=True)
class MethodTotal:
    """What a shift took and gave back by one method."""

    method: Method
    takings: int
    taken_fen: int
    returns: int
    returned_fen: int


@dataclass(frozen=True, slots=True)
class Report:
    """A shift's figures: per method; `drawer_fen` is what the drawer holds by the books, the float included."""

    shift: Shift
    methods: tuple[MethodTotal, ...]
    deposited_fen: int
    drawer_fen: int

    @property
    def over_fen(self) -> int | None:
        """Counted less expected: more than 0 is over (长款), less than 0 short (短款)."""
        if self.shift.counted_fen is None or self.shift.expected_fen is None:
            return None
        return self.shift.counted_fen - self.shift.expected_fen


async def open_shift(tx: Tx, actor: Actor, *, community_id: UUID, float_fen: int) -> Shift:
    """A shift of the acting cashier with `float_fen` in its drawer; Conflict `shift_open` while another one is open."""
    if actor.id is None:
        raise Forbidden
    shift_id = uuid7(tx.now)
    if await tx.fetchval(OPEN, shift_id, community_id, actor.id, float_fen, tx.now) is None:
        raise Conflict("您还有一个没有交班的班次，请先清点交班。", code="shift_open")
    audit.record(
        tx, actor, action="counter.shift_opened", target=f"cashier_shift:{shift_id}", community_id=community_id,
        after={"float_fen": float_fen},
    )  # fmt: skip
    return await one(tx, (community_id,), shift_id=shift_id)


async def working(tx: Tx, actor: Actor, *, communities: tuple[UUID, ...], alone: bool = False) -> Shift:
    """The cashier's open shift, held against closing until the end of the transaction; `alone`: against all others.

    Conflict `no_open_shift` where there is none in a community in which the cashier still works.
    """
    row = await tx.fetchrow(LOCK_OPEN if alone else SHARE_OPEN, actor.id)
    if row is None or row["community_id"] not in communities:
        raise Conflict("请先开班，再办理收款。", code="no_open_shift")
    return _shift(row)


async def close(
    tx: Tx,
    actor: Actor,
    *,
    communities: tuple[UUID, ...],
    managed: tuple[UUID, ...] = (),
    shift_id: UUID,
    counted_fen: int,
    note: str | None,
) -> Report:
    """Close a shift of the acting cashier by what was counted; what is over or short is posted to 现金长短款.

    In the communities `managed` the shifts of others may be closed as well. Raises NotFound for a foreign shift,
    Conflict `shift_closed`, Invalid `note_required` for a wordless difference.
    """
    shift = await locked(tx, communities, shift_id=shift_id)
    if shift.cashier_id != actor.id and shift.community_id not in managed:
        raise NotFound
    if shift.state is ShiftState.CLOSED:
        raise Conflict("这个班次已经交班。", code="shift_closed")
    expected_fen = await drawer_fen(tx, shift)
    over_fen = counted_fen - expected_fen
    if over_fen and not note:
        kind = "长款" if over_fen > 0 else "短款"
        raise Invalid(
            f"清点与账面不符，{kind} {yuan_text(abs(over_fen))} 元，请写明原因。",
            code="note_required",
            over_fen=over_fen,
        )
    await _post_difference(tx, shift, over_fen)
    await tx.execute(CLOSE, shift.id, tx.now, expected_fen, counted_fen, note)
    audit.record(
        tx, actor, action="counter.shift_closed", target=f"cashier_shift:{shift.id}",
        community_id=shift.community_id, reason=note,
        after={"expected_fen": expected_fen, "counted_fen": counted_fen},
    )  # fmt: skip
    await tx.flush()
    return await report(tx, communities, shift_id=shift.id)


async def _post_difference(tx: Tx, shift: Shift, over_fen: int) -> None:
    if not over_fen:
        return
    drawer, over = await accounts.ensure_all(tx, (shift.drawer, Key(shift.community_id, Code.CASH_OVER, shift.id)))
    postings.post(
        tx,
        COUNTED,
        reference=shift.id,
        debit=drawer if over_fen > 0 else over,
        credit=over if over_fen > 0 else drawer,
        amount_fen=abs(over_fen),
        community_id=shift.community_id,
    )


async def drawer_fen(db: Reader, shift: Shift) -> int:
    """What the drawer of a shift holds by the books: its cash account and the float."""
    return await cash_fen(db, shift) + shift.float_fen


async def cash_fen(db: Reader, shift: Shift) -> int:
    """The balance of a shift's cash account, 0 before its first posting."""
    return await balances.balance_of(db, shift.drawer)


async def locked(tx: Tx, communities: tuple[UUID, ...], *, shift_id: UUID) -> Shift:
    """A shift of these communities, locked; NotFound elsewhere."""
    return _shift(_found(await tx.fetchrow(LOCK, shift_id, list(communities))))


async def one(db: Reader, communities: tuple[UUID, ...], *, shift_id: UUID) -> Shift:
    """A shift of these communities; NotFound elsewhere."""
    return _shift(_found(await db.fetchrow(ONE, shift_id, list(communities))))


async def page(
    db: Reader, communities: tuple[UUID, ...], *, state: ShiftState | None, before_id: UUID | None, limit: int
) -> list[Shift]:
    """Shifts of these communities, newest first."""
    return [_shift(row) for row in await db.fetch(PAGE, list(communities), before_id, state, limit)]


async def report(db: Reader, communities: tuple[UUID, ...], *, shift_id: UUID) -> Report:
    """The figures of a shift, open or closed; NotFound elsewhere."""
    shift = await one(db, communities, shift_id=shift_id)
    return Report(
        shift=shift,
        methods=tuple(
            MethodTotal(**{**dict(row), "method": Method(row["method"])}) for row in await db.fetch(BY_METHOD, shift.id)
        ),
        deposited_fen=await db.fetchval(DEPOSITED, shift.id),
        drawer_fen=await drawer_fen(db, shift),
    )


def _found(row: Record | None) -> Record:
    if row is None:
        raise NotFound
    return row


def _shift(row: Record) -> Shift:
    return Shift(**{**dict(row), "state": ShiftState(row["state"])})
