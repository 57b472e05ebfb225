"""Giving money back at the counter (作废、退款): asked for by one person, approved by another, paid out of a drawer.

Promises: it is a refund like any other, with its bounds and its second person; what the counter says about it goes
through the same `hear` as a channel's word; it is paid out once, with a paper voucher of its own; cash comes out of the
drawer of the cashier who hands it over, and only as much as is in it; card, transfer and cheque go back the way they
came. A receipt whose money all went back is void with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.money import yuan_text
from backend.ledger import accounts
from payments import merchants, refunding, refunds
from payments.channels.base import Channel, ChannelRefund, Method, RefundState
from payments.counter import receipts, shifts, takings
from payments.counter.shifts import Shift
from payments.counter.takings import Paper
from payments.refunds import Limit, Requested
from payments.settlement import Door, Outcome
from payments.states import RefundState as State

ORDER_OF_VOUCHER = """
    SELECT a.order_id
      FROM counter_voucher v JOIN payment_attempt a ON a.id = v.attempt_id
     WHERE v.id = $1 AND v.community_id = ANY($2::uuid[])
"""

# One's own refund row is locked already; this reads how it was paid.
PAID_BY = """
    SELECT r.id, r.state, r.amount_fen, a.method, a.order_id
      FROM refund r JOIN payment_attempt a ON a.id = r.attempt_id
     WHERE r.id = $1
"""

OUT_OF_DRAWER = "UPDATE refund SET clearing_account = $2 WHERE id = $1"
UNAPPLIED = "SELECT unapplied FROM refund WHERE id = $1"

# What waits to be handed over at a counter of these communities.
WAITING = """
    SELECT r.id, r.amount_fen, r.reason, r.requested_at, a.method, a.order_id, o.description
      FROM refund r
      JOIN payment_attempt a ON a.id = r.attempt_id
      JOIN payment_order o ON o.id = a.order_id
     WHERE r.community_id = ANY($1::uuid[]) AND r.channel = 'counter' AND r.state = 'APPROVED'
     ORDER BY r.id
     LIMIT 100
"""


@dataclass(frozen=True, slots=True)
class PaidOut:
    """Money that was given back."""

    voucher_id: UUID
    order_id: UUID
    shift_id: UUID
    method: Method
    amount_fen: int


async def propose(tx: Tx, actor: Actor, *, voucher_id: UUID, limits: Mapping[UUID, Limit], reason: str) -> Requested:
    """Ask for all that is left of a taking to be given back; raises as `refunds.request`, NotFound for what is foreign.

    `limits`: the communities in which the actor may ask, and how much.
    """
    order_id = await tx.fetchval(ORDER_OF_VOUCHER, voucher_id, list(limits))
    if order_id is None:
        raise NotFound
    return await refunds.request(tx, actor, order_id=order_id, limits=limits, parts=None, reason=reason)


async def waiting(db: Reader, communities: tuple[UUID, ...]) -> list[Record]:
    """Approved refunds of the counter that nobody has handed over yet, the oldest first."""
    return await db.fetch(WAITING, list(communities))


async def pay_out(tx: Tx, actor: Actor, *, communities: tuple[UUID, ...], refund_id: UUID, voucher_no: str) -> PaidOut:
    """Hand over an approved refund in the cashier's open shift.

    Raises NotFound outside the shift's community, Conflict `no_open_shift`, `not_at_counter`, `not_approved`,
    `paid_out`, `not_so_much_cash`, `voucher_taken`, `not_refundable`.
    """
    shift = await shifts.working(tx, actor, communities=communities, alone=True)
    row = await refunds.lock(tx, refund_id)
    if row is None or row["community_id"] != shift.community_id:
        raise NotFound
    paid = await tx.fetchrow(PAID_BY, refund_id)
    if row["channel"] != Channel.COUNTER or paid is None:
        raise Conflict("这笔款项由线上渠道原路退回，不在窗口办理。", code="not_at_counter")
    if row["state"] != State.APPROVED:
        _refuse(row)
    method, amount_fen = Method(paid["method"]), int(paid["amount_fen"])
    if method is Method.CASH:
        await _out_of_drawer(tx, shift, row)
    voucher_id = await takings.keep_voucher(
        tx, shift, Paper(voucher_no, method, amount_fen, amount_fen), refund_id=refund_id
    )
    await _hear(tx, shift, row, voucher_no)
    await receipts.void_refunded(tx, actor, order_id=paid["order_id"])
    audit.record(
        tx, actor, action="counter.paid_out", target=f"counter_voucher:{voucher_id}", community_id=shift.community_id,
        after={"refund_id": str(refund_id), "method": method, "amount_fen": amount_fen, "voucher_no": voucher_no},
    )  # fmt: skip
    return PaidOut(voucher_id, paid["order_id"], shift.id, method, amount_fen)


def _refuse(row: Record) -> NoReturn:
    if row["state"] == State.SUCCEEDED:
        raise Conflict("这笔退款已经付出，请勿重复付款。", code="paid_out")
    raise Conflict("这笔退款还没有通过审批，暂时不能付款。", code="not_approved")


async def _out_of_drawer(tx: Tx, shift: Shift, row: Record) -> None:
    """Cash is taken from this shift's drawer, whichever drawer it once came into."""
    drawer_fen = await shifts.drawer_fen(tx, shift)
    if drawer_fen < row["amount_fen"]:
        raise Conflict(
            f"钱箱里只有 {yuan_text(drawer_fen)} 元，不够退款。", code="not_so_much_cash", drawer_fen=drawer_fen
        )
    await tx.execute(OUT_OF_DRAWER, row["id"], await accounts.ensure(tx, shift.drawer))


async def _hear(tx: Tx, shift: Shift, row: Record, voucher_no: str) -> None:
    """The same door as every channel's word; what could not be taken back is refused, not handed over."""
    merchant = await merchants.counter(tx, shift.company_id)
    told = ChannelRefund(
        out_refund_no=row["out_refund_no"],
        out_trade_no=row["out_trade_no"],
        transaction_no=row["transaction_no"],
        refund_no=takings.transaction_no(shift.company_id, voucher_no),
        state=RefundState.SUCCESS,
        amount_fen=row["amount_fen"],
        mchid=merchant.mchid,
        success_at=tx.now,
    )
    outcome = await refunding.hear(tx, merchant, refund=told, door=Door.COUNTER)
    if outcome is not Outcome.APPLIED or await tx.fetchval(UNAPPLIED, row["id"]):
        raise Conflict("这笔款项已经不能从账单上退回，请联系财务处理。", code="not_refundable")
