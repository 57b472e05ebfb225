"""Stays as payments sees them: locked and priced by their quote, paid, given back (D6, D8).

The thing that is paid is the stay, not the quote, so that two quotes of one car are never paid at once: a live order
holds the stay. Settling and refunding are all or nothing. Income stands in the lot's account; a stay's paid_fen and the
postings `parking.paid`, refunded_fen and the postings `parking.refunded` move in one transaction (I-03).
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from backend.devices import commands
from backend.devices.states import CommandKind
from backend.fees.payable import AlreadyPaid, Line, Priced
from backend.kernel.audit import SYSTEM
from backend.kernel.auth import HouseScope
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.ledger import accounts, postings
from backend.ledger.accounts import Code, Key
from backend.parking import stays
from backend.parking.states import EventKind, SessionState

AT_THE_EXIT = timedelta(minutes=10)

# In id order, so that two payers wait and do not deadlock.
PRICE = """
    SELECT s.id, s.community_id, s.state, l.name AS lot_name, q.amount_fen, q.valid_until, q.paid_line_id,
           q.paid_before_fen = s.paid_fen - s.refunded_fen
           AND NOT EXISTS (SELECT FROM parking_coupon_use u
                            WHERE u.session_id = s.id AND u.returned_at IS NULL AND u.applied_at > q.priced_at)
           AS current
      FROM parking_session s
      JOIN parking_lot l ON l.id = s.lot_id
      LEFT JOIN parking_quote q ON q.id = s.quote_id
     WHERE s.id = ANY ($1::uuid[])
     ORDER BY s.id
       FOR UPDATE OF s
"""

LOCK = "SELECT id FROM parking_session WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE"

# The newest quote of this amount that nothing has been paid since. A car that has left may still pay what it owes.
FITTING = """
    SELECT s.id, s.community_id, s.lot_id, s.state, s.waiting_since, lane.barrier_device_id, q.id AS quote_id,
           least(q.valid_until, $3) + make_interval(mins => (t.document ->> 'grace_min')::integer) AS grace_until
      FROM parking_session s
      JOIN parking_quote q ON q.session_id = s.id AND q.amount_fen = $2 AND q.paid_line_id IS NULL
                          AND q.paid_before_fen = s.paid_fen - s.refunded_fen
      JOIN parking_tariff t ON t.id = q.tariff_id
      LEFT JOIN parking_lane lane ON lane.id = s.waiting_lane_id
     WHERE s.id = $1 AND s.state IN ('QUOTED', 'OUT')
     ORDER BY q.priced_at DESC
     LIMIT 1
"""

# A coupon took off what the paid quote says; one that is not in it is given back.
PAY = """
    WITH quote AS (UPDATE parking_quote SET paid_line_id = $2, paid_at = $3 WHERE id = $4),
         taken AS (SELECT line -> 'inputs' ->> 'id' AS coupon_id, -(line ->> 'amount_fen')::bigint AS off_fen
                     FROM parking_quote q CROSS JOIN jsonb_array_elements(q.lines) AS line
                    WHERE q.id = $4 AND line -> 'inputs' ->> 'kind' = 'coupon'),
         uses AS (UPDATE parking_coupon_use u
                     SET off_fen = taken.off_fen,
                         returned_at = CASE WHEN taken.coupon_id IS NULL THEN $3::timestamptz END
                    FROM parking_coupon_use w LEFT JOIN taken ON taken.coupon_id = w.coupon_id::text
                   WHERE w.session_id = $1 AND w.returned_at IS NULL AND u.id = w.id)
    UPDATE parking_session
       SET paid_fen = paid_fen + $5, quote_id = $4, grace_until = $6,
           state = CASE state WHEN 'QUOTED' THEN 'PAID' ELSE state END, flags = array_remove(flags, 'left_unpaid')
     WHERE id = $1
"""

# Money back for a car that is still inside: it is owed again. A car that is gone and has all its money back gives its
# coupons back too.
REFUND = """
    WITH back AS (UPDATE parking_coupon_use u SET returned_at = $3
                    FROM parking_session s
                   WHERE s.id = $1 AND u.session_id = s.id AND u.returned_at IS NULL
                     AND s.state IN ('OUT', 'VOIDED') AND s.paid_fen - s.refunded_fen = $2)
    UPDATE parking_session
       SET refunded_fen = refunded_fen + $2, state = CASE state WHEN 'PAID' THEN 'IN' ELSE state END
     WHERE id = $1 AND paid_fen - refunded_fen >= $2
 RETURNING community_id, lot_id
"""


async def lock_and_price(tx: Tx, scope: HouseScope | None, wanted: Mapping[UUID, int | None]) -> list[Priced]:
    """Lock stays and say what each costs by its quote; anybody may pay for any car that he has a quote of.

    Raises NotFound, AlreadyPaid, Conflict `quote_expired`, Invalid `amount_out_of_bounds` for a part.
    """
    rows = await tx.fetch(PRICE, sorted(wanted))
    if len(rows) < len(wanted) or not wanted:
        raise NotFound
    for row in rows:
        if row["state"] == SessionState.PAID or row["paid_line_id"] is not None:
            raise AlreadyPaid("停车费已经支付，无需重复支付。")
        if row["state"] != SessionState.QUOTED or not row["current"] or row["valid_until"] <= tx.now:
            raise Conflict("报价已过期，请重新查询费用。", code="quote_expired")
        if wanted[row["id"]] not in (None, row["amount_fen"]):
            raise Invalid("停车费须一次付清。", code="amount_out_of_bounds")
    return [
        Priced(
            payable_id=row["id"],
            community_id=row["community_id"],
            house_id=None,
            item_id=None,
            principal_fen=row["amount_fen"],
            late_fee_fen=0,
            title=f"停车费 {row['lot_name']}",
        )
        for row in rows
    ]


async def apply_paid(tx: Tx, *, lines: Sequence[Line], clearing_account: int) -> None:
    """Mark each line's stay paid, post the lot's income, and open the barrier for a car that waits at the exit.

    Raises AlreadyPaid, and changes nothing, when a stay has no open quote of its line's amount.
    """
    await tx.fetch(LOCK, [session_id for _, session_id, _, _ in lines])
    found: list[tuple[Line, Record]] = []
    for line in lines:
        row = await tx.fetchrow(FITTING, line[1], line[2], tx.now)
        if row is None or line[3] != 0:
            raise AlreadyPaid("停车费已经支付，无需重复支付。")
        found.append((line, row))
    for (line_id, session_id, amount_fen, _), row in found:
        await tx.execute(PAY, session_id, line_id, tx.now, row["quote_id"], amount_fen, row["grace_until"])
        income = await accounts.ensure(tx, Key(row["community_id"], Code.PARKING_INCOME, row["lot_id"]))
        postings.post(
            tx, "parking.paid", reference=line_id, debit=clearing_account, credit=income, amount_fen=amount_fen,
            community_id=row["community_id"],
        )  # fmt: skip
        stays.note(
            tx, SYSTEM, community_id=row["community_id"], session_id=session_id, kind=EventKind.PAID,
            detail={"quote_id": str(row["quote_id"]), "amount_fen": amount_fen},
        )  # fmt: skip
        _open_the_exit(tx, row)


def _open_the_exit(tx: Tx, row: Record) -> None:
    since = row["waiting_since"]
    if row["state"] != SessionState.QUOTED or since is None or since + AT_THE_EXIT < tx.now:
        return
    commands.order(
        tx, SYSTEM, community_id=row["community_id"], device_id=row["barrier_device_id"], kind=CommandKind.OPEN,
        subject=f"parking_session:{row['id']}", reason="停车费已支付",
    )  # fmt: skip


async def apply_refunded(tx: Tx, *, lines: Sequence[Line], clearing_account: int) -> None:
    """Take paid amounts back and post it. Lines are rows of refund_line.

    Raises Conflict `not_refundable`, and changes nothing, when a stay has not kept as much as its line takes back.
    """
    async with tx.savepoint():
        for line_id, session_id, amount_fen, _ in sorted(lines, key=lambda line: line[1]):
            row = await tx.fetchrow(REFUND, session_id, amount_fen, tx.now)
            if row is None:
                raise Conflict("这笔停车费已收的金额不足以退还。", code="not_refundable")
            income = await accounts.ensure(tx, Key(row["community_id"], Code.PARKING_INCOME, row["lot_id"]))
            postings.post(
                tx, "parking.refunded", reference=line_id, debit=income, credit=clearing_account,
                amount_fen=amount_fen, community_id=row["community_id"],
            )  # fmt: skip
            stays.note(
                tx, SYSTEM, community_id=row["community_id"], session_id=session_id, kind=EventKind.REFUNDED,
                detail={"amount_fen": amount_fen},
            )  # fmt: skip
