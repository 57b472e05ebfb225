"""Cards as payments sees them: locked and priced by their offer, prolonged by what is paid, shortened by what goes back
(D6, D8).

Promises: the thing that is paid is the card, held by a live order; its row is held while its end moves, so that of two
payments at once one prolongs it and the other finds its offer void and goes back by itself: no month is lost or given
twice. Settling and refunding are all or nothing. Income stands in the lot's account: amounts of paid sales and the
postings `parking_card.paid`, refunded_fen and the postings `parking_card.refunded` move in one transaction (I-03). A
sale that is given back whole takes with it the days that it has left; a part that is given back takes none.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg

from backend.fees.payable import AlreadyPaid, Line, Priced
from backend.kernel import audit
from backend.kernel.audit import SYSTEM
from backend.kernel.auth import HouseScope
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.ledger import accounts, postings
from backend.ledger.accounts import Code, Key
from backend.parking.cards import days as card_days
from backend.parking.cards import entitlements
from backend.parking.cards import sales as card_sales
from backend.parking.cards.entitlements import Use
from backend.parking.cards.states import KIND_OF, Audience, CardState

# In id order, so that two payers wait and do not deadlock. The offer that was made last, while the card has its end.
PRICE = """
    SELECT c.id, c.community_id, c.house_id, c.state, l.name AS lot_name, s.amount_fen, s.valid_until
      FROM parking_card c
      JOIN parking_lot l ON l.id = c.lot_id
      LEFT JOIN LATERAL (
           SELECT o.amount_fen, o.valid_until FROM parking_card_sale o
            WHERE o.card_id = c.id AND o.paid_line_id IS NULL AND o.offered_ends_on IS NOT DISTINCT FROM c.ends_on
            ORDER BY o.offered_at DESC, o.id DESC
            LIMIT 1) AS s ON true
     WHERE c.id = ANY ($1::uuid[])
     ORDER BY c.id
       FOR UPDATE OF c
"""

# In a statement of its own: what is read afterwards is what whoever held the rows has left.
LOCK = "SELECT id FROM parking_card WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE"

# The open offer of this amount, unless the card's end has moved since it was made. Index parking_card_sale_open.
FITTING = """
    SELECT c.id, c.community_id, c.lot_id, l.no AS lot_no, c.house_id, c.state, c.starts_on, c.ends_on, c.anchor_day,
           s.id AS sale_id, s.months, s.spaces, s.vehicle_ids, p.audience
      FROM parking_card c
      JOIN parking_lot l ON l.id = c.lot_id
      JOIN parking_card_sale s ON s.card_id = c.id AND s.amount_fen = $2 AND s.paid_line_id IS NULL
                              AND s.offered_ends_on IS NOT DISTINCT FROM c.ends_on
      JOIN parking_card_product p ON p.id = s.product_id
     WHERE c.id = $1 AND c.state IN ('UNPAID', 'ACTIVE')
"""

PAY = """
    UPDATE parking_card_sale SET paid_line_id = $2, paid_at = $3, starts_on = $4, ends_on = $5 WHERE id = $1
"""

REFUND = """
    UPDATE parking_card_sale s
       SET refunded_fen = s.refunded_fen + $2
      FROM parking_refund_line r
     WHERE r.id = $1 AND s.paid_line_id = r.line_id AND s.amount_fen - s.refunded_fen >= $2
 RETURNING s.card_id, s.community_id, s.lot_id, s.starts_on, s.ends_on, s.amount_fen = s.refunded_fen AS whole
"""


async def lock_and_price(tx: Tx, scope: HouseScope | None, wanted: Mapping[UUID, int | None]) -> list[Priced]:
    """Lock cards and say what each costs by the offer that was made last.

    Raises NotFound, also for a card of a house that the scope does not reach, Conflict `card_cancelled`,
    `offer_expired`, Invalid `amount_out_of_bounds` for a part.
    """
    rows = await tx.fetch(PRICE, sorted(wanted))
    if len(rows) < len(wanted) or not wanted:
        raise NotFound
    for row in rows:
        if scope is not None and row["house_id"] not in scope.full:
            raise NotFound
        if row["state"] == CardState.CANCELLED:
            raise Conflict("这张停车卡已经作废，请重新办卡。", code="card_cancelled")
        if row["amount_fen"] is None or row["valid_until"] <= tx.now:
            raise Conflict("停车卡的报价已失效，请重新选择办卡或续费的月数。", code="offer_expired")
        if wanted[row["id"]] not in (None, row["amount_fen"]):
            raise Invalid("停车卡须一次付清。", code="amount_out_of_bounds")
    return [
        Priced(
            payable_id=row["id"],
            community_id=row["community_id"],
            house_id=row["house_id"],
            item_id=None,
            principal_fen=row["amount_fen"],
            late_fee_fen=0,
            title=f"停车卡 {row['lot_name']}",
        )
        for row in rows
    ]


async def apply_paid(tx: Tx, *, lines: Sequence[Line], clearing_account: int) -> None:
    """Prolong each line's card by the months of its offer and post the lot's income.

    Raises AlreadyPaid, and changes nothing, when a card has no open offer of its line's amount any more, when its house
    has no space left for it, or when a vehicle has got another card for those days.
    """
    await tx.fetch(LOCK, [card_id for _, card_id, _, _ in lines])
    try:
        async with tx.savepoint():
            for line in lines:
                await _prolong(tx, line, clearing_account=clearing_account)
    except asyncpg.ExclusionViolationError as error:
        raise AlreadyPaid("这段时间已有停车卡，无需重复支付。") from error


async def _prolong(tx: Tx, line: Line, *, clearing_account: int) -> None:
    line_id, card_id, amount_fen, late_fee_fen = line
    row = await tx.fetchrow(FITTING, card_id, amount_fen)
    if row is None or late_fee_fen != 0:
        raise AlreadyPaid("停车卡已经支付，无需重复支付。")
    starts_on, ends_on = card_sales.days(row, row["months"], today=tx.today)
    audience = Audience(row["audience"])
    if row["state"] == CardState.UNPAID:
        await _require_still(
            tx, Use(row["lot_id"], row["house_id"], card_id, audience, row["spaces"], starts_on, ends_on), row
        )
        await card_days.begin(
            tx, row, kind=KIND_OF[audience], audience=audience, starts_on=starts_on, ends_on=ends_on
        )  # fmt: skip
    else:
        await card_days.prolong(tx, row, audience=audience, starts_on=starts_on, ends_on=ends_on)
    await tx.execute(PAY, row["sale_id"], line_id, tx.now, starts_on, ends_on)
    await card_days.cover_inside(tx, card_id)
    income = await accounts.ensure(tx, Key(row["community_id"], Code.PARKING_INCOME, row["lot_id"]))
    postings.post(
        tx, "parking_card.paid", reference=line_id, debit=clearing_account, credit=income, amount_fen=amount_fen,
        community_id=row["community_id"],
    )  # fmt: skip
    audit.record(
        tx, SYSTEM, action="parking.card_sold", target=f"parking_card:{card_id}", community_id=row["community_id"],
        before={"ends_on": row["ends_on"] and row["ends_on"].isoformat()},
        after={"sale": str(row["sale_id"]), "starts_on": starts_on.isoformat(), "ends_on": ends_on.isoformat()},
    )  # fmt: skip


async def _require_still(tx: Tx, use: Use, row: Record) -> None:
    """What was true when the card was asked for; the money of a card that may not be held any more goes back."""
    try:
        cars = await entitlements.vehicles(
            tx, row["vehicle_ids"], community_id=row["community_id"], house_id=row["house_id"]
        )  # fmt: skip
        await entitlements.require(tx, use, cars)
    except (Conflict, NotFound) as error:
        raise AlreadyPaid("这套房屋不能再办这张停车卡。") from error


async def apply_refunded(tx: Tx, *, lines: Sequence[Line], clearing_account: int) -> None:
    """Take paid amounts back and post it; of a sale that is given back whole, the days that are left. Lines are rows of
    refund_line.

    Raises Conflict `not_refundable`, and changes nothing, when a sale has not kept as much as its line takes back.
    """
    await tx.fetch(LOCK, [card_id for _, card_id, _, _ in lines])
    async with tx.savepoint():
        for line_id, _, amount_fen, _ in lines:
            sale = await tx.fetchrow(REFUND, line_id, amount_fen)
            if sale is None:
                raise Conflict("这次停车卡付款已收的金额不足以退还。", code="not_refundable")
            if sale["whole"]:
                left = sale["ends_on"] - max(sale["starts_on"], tx.today)
                await card_days.take_back(tx, sale["card_id"], max(left, timedelta()))
            income = await accounts.ensure(tx, Key(sale["community_id"], Code.PARKING_INCOME, sale["lot_id"]))
            postings.post(
                tx, "parking_card.refunded", reference=line_id, debit=income, credit=clearing_account,
                amount_fen=amount_fen, community_id=sale["community_id"],
            )  # fmt: skip
