"""How a refund becomes known: the one `hear` for the answer, the query, the callback and the statement (D6).

Promises: what a channel says about a refund is applied once, whoever brings it and however often; merchant, numbers and
amount are compared before anything moves; what is verified but does not fit is a difference. Money that has left is
booked when it has left: a bill is owed again by what went back of it, suspense is emptied; states only move forward
(I-09, I-13, pitfalls A12). Rows are locked as `refunds.lock` says. Nothing here calls the network.
"""

from collections.abc import Mapping

from backend.kernel import audit, outbox
from backend.kernel.audit import Actor
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict
from backend.kernel.failpoints import failpoint
from backend.ledger import accounts, postings
from backend.ledger.accounts import Code, Key
from payments import differences, foreign_refunds, refund_sql, refunds, sql
from payments.channels.base import ChannelRefund
from payments.channels.base import RefundState as Told
from payments.differences import Place
from payments.merchants import Merchant
from payments.payables import PAYABLES, Kind, Line
from payments.settlement import Door, Heard, Outcome
from payments.states import REFUND_MOVES, RefundState

SUSPENSE_REFUNDED = "payment.suspense_refunded"
UNAPPLIED = "payment.refund_unapplied"

STATES: Mapping[Told, RefundState] = {
    Told.PROCESSING: RefundState.PROCESSING,
    Told.SUCCESS: RefundState.SUCCEEDED,
    Told.ABNORMAL: RefundState.ABNORMAL,
    Told.CLOSED: RefundState.CLOSED,
}
WHY: Mapping[RefundState, str] = {
    RefundState.ABNORMAL: "付款人的账户异常，款项退不回去，请申请改退到付款人的银行卡或商户账户。",
    RefundState.CLOSED: "渠道关闭了这笔退款，钱没有退出去；如仍要退，请重新申请。",
}
# Words that leave no room for another: what says otherwise afterwards is for a person.
FINAL = frozenset({Told.SUCCESS, Told.CLOSED})


async def hear(tx: Tx, merchant: Merchant, *, refund: ChannelRefund, door: Door, heard: Heard | None = None) -> Outcome:
    """Take what `merchant`'s channel has told and proven about a refund. The caller commits, then acknowledges."""
    inbox_id: int | None = None
    if heard is not None:
        inbox_id = await tx.fetchval(refund_sql.HEAR, heard.source, heard.event_key, heard.body, tx.now)
        if inbox_id is None:
            return Outcome.DUPLICATE
    outcome, reason = await _take(tx, merchant, refund, door=door, inbox_id=inbox_id)
    await failpoint("refund.before_commit")
    if inbox_id is not None:
        await tx.execute(sql.CONCLUDE, inbox_id, outcome.value, reason)
    return outcome


async def _take(
    tx: Tx, merchant: Merchant, told: ChannelRefund, *, door: Door, inbox_id: int | None
) -> tuple[Outcome, str | None]:
    refund_id = await tx.fetchval(refund_sql.BY_NUMBER, told.out_refund_no)
    row = None if refund_id is None else await refunds.lock(tx, refund_id)
    await failpoint("refund.after_lock")
    ours = row is not None or told.out_refund_no == foreign_refunds.automatic_number(
        merchant.channel, told.transaction_no
    )
    if row is None:
        row, problem = await foreign_refunds.take_over(tx, merchant, told, source=door.value)
        if row is None:
            return (Outcome.DUPLICATE, "nothing came of it") if problem is None else (Outcome.DIFFERENCE, problem)
    problem = _mismatch(row, merchant, told) or _contradiction(row, told)
    if problem is not None:
        place = Place(row["community_id"], attempt_id=row["attempt_id"], expected_fen=row["amount_fen"])
        await differences.open_about_refund(tx, merchant, told=told, problem=problem, place=place, source=door.value)
        return Outcome.DIFFERENCE, problem
    if not await _move(tx, row, told, door=door, inbox_id=inbox_id):
        return Outcome.DUPLICATE, f"refund:{row['id']}"
    if ours and told.state in FINAL:
        await differences.explain_refund(
            tx, merchant.channel, transaction_no=row["transaction_no"], out_refund_no=row["out_refund_no"]
        )
    return Outcome.APPLIED, f"refund:{row['id']}"


def _mismatch(row: Record, merchant: Merchant, told: ChannelRefund) -> str | None:
    """The first thing that does not fit, None when all does."""
    if row["merchant_id"] != merchant.id or told.mchid != merchant.mchid:
        return "merchant"
    if (told.out_trade_no, told.transaction_no) != (row["out_trade_no"], row["transaction_no"]):
        return "transaction"
    if told.amount_fen != row["amount_fen"]:
        return "amount"
    return None


def _contradiction(row: Record, told: ChannelRefund) -> str | None:
    """A final word against another final word, or about a refund that was never let go."""
    state, said = RefundState(row["state"]), STATES[told.state]
    if state in (RefundState.REQUESTED, RefundState.REJECTED):
        return "not_approved"
    ended = not REFUND_MOVES[state]
    if ended and state is not said and told.state in FINAL:
        return f"ended_as_{state.lower()}"
    return None


async def _move(tx: Tx, row: Record, told: ChannelRefund, *, door: Door, inbox_id: int | None) -> bool:
    """Move the refund to what was told; False when it stands there already, or further."""
    state, said = RefundState(row["state"]), STATES[told.state]
    if state is RefundState.APPROVED:
        await tx.execute(refund_sql.SUBMIT, row["id"], tx.now, tx.now)
        state = RefundState.SUBMITTING
    if said not in REFUND_MOVES[state]:
        return False
    unapplied = said is RefundState.SUCCEEDED and not await _give_back(tx, row)
    finished_at = (told.success_at or tx.now) if not REFUND_MOVES[said] else None
    await tx.execute(
        refund_sql.MOVE, row["id"], said.value, told.refund_no, inbox_id, finished_at, unapplied, WHY.get(said)
    )
    if said is RefundState.CLOSED:
        await refunds.lower(tx, row)
    _tell(tx, row, said=said, door=door, unapplied=unapplied)
    return True


async def _give_back(tx: Tx, row: Record) -> bool:
    """Book money that has left; False when what it takes back is no longer there, and then it stands in suspense."""
    if row["difference_id"] is not None:
        await _empty_suspense(tx, row)
        return True
    by_kind: dict[Kind, list[Line]] = {}
    for line in await tx.fetch(refund_sql.LINES, row["id"]):
        by_kind.setdefault(Kind(line["kind"]), []).append(
            (line["id"], line["payable_id"], line["principal_fen"], line["late_fee_fen"])
        )
    try:
        async with tx.savepoint():
            for kind in sorted(by_kind):
                await PAYABLES[kind].apply_refunded(tx, lines=by_kind[kind], clearing_account=row["clearing_account"])
    except Conflict:
        await _post_to_suspense(tx, row, UNAPPLIED)
        return False
    return True


async def _empty_suspense(tx: Tx, row: Record) -> None:
    await _post_to_suspense(tx, row, SUSPENSE_REFUNDED)
    await tx.execute(
        refund_sql.GAVE_BACK, row["difference_id"], row["amount_fen"], row["approved_by"], tx.now, row["reason"]
    )


async def _post_to_suspense(tx: Tx, row: Record, kind: str) -> None:
    """Debit suspense, credit where the money was."""
    suspense = await accounts.ensure(tx, Key(row["community_id"], Code.SUSPENSE, row["merchant_id"]))
    postings.post(
        tx,
        kind,
        reference=row["id"],
        debit=suspense,
        credit=row["clearing_account"],
        amount_fen=row["amount_fen"],
        community_id=row["community_id"],
    )


def _tell(tx: Tx, row: Record, *, said: RefundState, door: Door, unapplied: bool) -> None:
    if said is RefundState.SUCCEEDED:
        payload = {"refund_id": str(row["id"])}
        outbox.emit(tx, "payments.refunded", payload, community_id=row["community_id"])
        outbox.emit(tx, "payments.refund_told", payload, community_id=row["community_id"])
    audit.record(
        tx,
        Actor("channel", row["merchant_id"]),
        action=f"payments.refund_{said.value.lower()}",
        target=f"refund:{row['id']}",
        community_id=row["community_id"],
        before={"state": row["state"]},
        after={"state": said.value, "amount_fen": row["amount_fen"], "door": door.value, "unapplied": unapplied},
    )
