"""Taking money at the counter (收款): cash, card, transfer or cheque for what is due (D5).

Promises: order, voucher and settlement are one transaction, by the same `place` and `settle` as every other channel,
so that a bill is paid once whoever else pays it; a voucher number is used once in a company (unique key); cash stands
in the account of the shift's drawer, everything else in the account of its method until the bank has it; the sum that
the cashier asked for is the sum that is booked. Nothing here calls the network: a bill that a live online order holds
raises MustCloseFirst, and the route closes that order at its channel before it tries again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from backend.fees import bills
from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.kernel.money import yuan_text
from backend.kernel.resources import Resources
from backend.ledger.accounts import Code, Key
from backend.parking import reads
from backend.parking.cards import sales
from backend.tickets.paid import quotes
from payments import merchants, orders, settlement
from payments.channels.base import Channel, Method, Trade, TradeState
from payments.counter import shifts
from payments.counter.shifts import Shift
from payments.merchants import Merchant
from payments.orders import Payer, Placed, Way
from payments.payables import Kind, Wish
from payments.settlement import CURRENCY, Door, Outcome

NOBODY = Payer(None, None)
CODE_OF = {
    Method.CASH: Code.CASH,
    Method.CARD: Code.CARD,
    Method.TRANSFER: Code.TRANSFER,
    Method.CHEQUE: Code.CHEQUE,
}

ATTEMPT = """
    SELECT a.id, a.out_trade_no, a.amount_fen, o.community_id
      FROM payment_attempt a JOIN payment_order o ON o.id = a.order_id
     WHERE o.id = $1
"""

# The number first: whoever comes second waits for the first one's transaction, and is told.
VOUCHER = """
    INSERT INTO counter_voucher (id, company_id, community_id, shift_id, voucher_no, method, attempt_id, refund_id,
                                 amount_fen, received_fen, change_fen, made_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (company_id, voucher_no) DO NOTHING
 RETURNING id
"""

OF_SHIFT = """
    SELECT v.id, v.shift_id, v.voucher_no, v.method, v.amount_fen, v.received_fen, v.change_fen, v.made_at,
           v.refund_id, a.order_id, o.description, o.community_id, a.refunding_fen
      FROM counter_voucher v
      LEFT JOIN refund r ON r.id = v.refund_id
      JOIN payment_attempt a ON a.id = coalesce(v.attempt_id, r.attempt_id)
      JOIN payment_order o ON o.id = a.order_id
     WHERE v.shift_id = $1 AND ($2::uuid IS NULL OR v.id < $2)
     ORDER BY v.id DESC
     LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Paper:
    """The paper voucher (凭证) of money taken or given back: its number, and for cash what was handed over."""

    no: str
    method: Method
    amount_fen: int
    received_fen: int

    @property
    def change_fen(self) -> int:
        """What goes back to the payer at once."""
        return self.received_fen - self.amount_fen


@dataclass(frozen=True, slots=True)
class Taken:
    """Money that was taken."""

    voucher_id: UUID
    order_id: UUID
    shift_id: UUID
    amount_fen: int
    change_fen: int


async def take(
    tx: Tx, actor: Actor, *, res: Resources, communities: tuple[UUID, ...], wishes: Sequence[Wish], paper: Paper
) -> Taken:
    """Take money for these things in the cashier's open shift.

    Raises what `orders.place` raises (MustCloseFirst too), NotFound for what is not of the shift's community, Conflict
    `no_open_shift`, `voucher_taken`, `amount_changed`, Invalid `too_little`.
    """
    shift = await shifts.working(tx, actor, communities=communities)
    _check_received(paper)
    await require_here(tx, shift, wishes)
    merchant = await merchants.counter(tx, shift.company_id)
    way = Way(Channel.COUNTER, paper.method, clearing=clearing(shift, merchant, paper.method))
    placed = await orders.place(tx, NOBODY, res=res, actor=actor, wishes=wishes, way=way)
    attempt = await placed_here(tx, shift, placed)
    _check_amount(attempt, paper)
    voucher_id = await keep_voucher(tx, shift, paper, attempt_id=attempt["id"])
    await _settle(tx, merchant, attempt, paper)
    audit.record(
        tx, actor, action="counter.taken", target=f"counter_voucher:{voucher_id}", community_id=shift.community_id,
        after={"order_id": str(placed.order_id), "method": paper.method, "amount_fen": paper.amount_fen,
               "voucher_no": paper.no},
    )  # fmt: skip
    return Taken(voucher_id, placed.order_id, shift.id, paper.amount_fen, paper.change_fen)


def clearing(shift: Shift, merchant: Merchant, method: Method) -> Key:
    """Where money of this method stands: in the shift's drawer, or at the counter until it is at the bank."""
    subject = shift.id if method is Method.CASH else merchant.id
    return Key(shift.community_id, CODE_OF[method], subject)


async def require_here(tx: Tx, shift: Shift, wishes: Sequence[Wish]) -> None:
    """NotFound for bills, stays, cards and repairs that are not of the shift's community."""
    bill_ids = [wish.payable_id for wish in wishes if wish.kind is Kind.BILL]
    await bills.require_in(tx, shift.community_id, bill_ids=bill_ids)
    session_ids = [wish.payable_id for wish in wishes if wish.kind is Kind.PARKING]
    await reads.require_in(tx, shift.community_id, session_ids=session_ids)
    card_ids = [wish.payable_id for wish in wishes if wish.kind is Kind.PARKING_CARD]
    await sales.require_in(tx, shift.community_id, card_ids=card_ids)
    quote_ids = [wish.payable_id for wish in wishes if wish.kind is Kind.TICKET]
    await quotes.require_in(tx, shift.community_id, quote_ids=quote_ids)


async def placed_here(tx: Tx, shift: Shift, placed: Placed) -> Record:
    """The attempt of an order that was just placed; NotFound where it is not of the shift's community."""
    attempt = await tx.fetchrow(ATTEMPT, placed.order_id)
    if attempt is None or attempt["community_id"] != shift.community_id:
        raise NotFound
    return attempt


async def keep_voucher(
    tx: Tx, shift: Shift, paper: Paper, *, attempt_id: UUID | None = None, refund_id: UUID | None = None
) -> UUID:
    """Keep a paper voucher of the shift; Conflict `voucher_taken` for a number that the company has used."""
    voucher_id = uuid7(tx.now)
    kept = await tx.fetchval(
        VOUCHER, voucher_id, shift.company_id, shift.community_id, shift.id, paper.no, paper.method.value, attempt_id,
        refund_id, paper.amount_fen, paper.received_fen, paper.change_fen, tx.now,
    )  # fmt: skip
    if kept is None:
        raise Conflict(f"凭证号 {paper.no} 已经用过，请核对手上的凭证后再录入。", code="voucher_taken")
    return voucher_id


def transaction_no(company_id: UUID, voucher_no: str) -> str:
    """A voucher's number as the counter's transaction number, unique over all companies (I-08)."""
    return f"{company_id.hex}:{voucher_no}"


async def of_shift(db: Reader, *, shift_id: UUID, before_id: UUID | None, limit: int) -> list[Record]:
    """The vouchers of a shift that the caller has found in scope, newest first."""
    return await db.fetch(OF_SHIFT, shift_id, before_id, limit)


def _check_received(paper: Paper) -> None:
    if paper.change_fen < 0:
        raise Invalid(
            f"收到 {yuan_text(paper.received_fen)} 元，不足应收的 {yuan_text(paper.amount_fen)} 元。", code="too_little"
        )
    if paper.change_fen > 0 and paper.method is not Method.CASH:
        raise Invalid("只有现金可以找零，请按应收金额收款。", code="no_change")


def _check_amount(attempt: Record, paper: Paper) -> None:
    if attempt["amount_fen"] != paper.amount_fen:
        raise Conflict(
            f"应收金额是 {yuan_text(attempt['amount_fen'])} 元，与所填不符，请刷新后重新核对。",
            code="amount_changed",
            amount_fen=attempt["amount_fen"],
        )


async def _settle(tx: Tx, merchant: Merchant, attempt: Record, paper: Paper) -> None:
    """The same door as every channel's success; what does not fit at the counter is refused, not kept."""
    trade = Trade(
        out_trade_no=attempt["out_trade_no"],
        transaction_no=transaction_no(merchant.company_id, paper.no),
        state=TradeState.SUCCESS,
        amount_fen=attempt["amount_fen"],
        currency=CURRENCY,
        mchid=merchant.mchid,
        appid=merchant.appid,
        payer_openid=None,
        success_at=tx.now,
        attach="",
        trade_type=paper.method.value,
    )
    settled = await settlement.settle(tx, merchant, trade=trade, door=Door.COUNTER)
    if settled.outcome is not Outcome.APPLIED:
        raise Conflict("这笔收款没有记上账，请刷新后重新核对。", code="not_settled")
