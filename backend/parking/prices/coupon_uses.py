"""The coupons of a stay (本次停车的优惠券): which there are, and what each took off (D8).

Promises: a stay without coupons asks nothing of the database; what a coupon took off is what the paid quote says, or
what the price said of a stay that left free by it; a coupon that took nothing off is given back (`stays`, `payable`).
"""

from uuid import UUID

from backend.kernel.db import Record, Tx
from backend.parking.prices.coupons import Coupon, CouponKind
from backend.parking.prices.pricing import Price

# Index parking_coupon_use_session.
OF_STAY = """
    SELECT u.coupon_id, o.kind, o.value, o.rank, o.exclusive
      FROM parking_coupon_use u
      JOIN parking_coupon c ON c.id = u.coupon_id
      JOIN parking_coupon_offer o ON o.id = c.offer_id
     WHERE u.session_id = $1 AND u.returned_at IS NULL
"""

RECORD = """
    UPDATE parking_coupon_use u SET off_fen = t.off_fen
      FROM unnest($2::uuid[], $3::bigint[]) AS t (coupon_id, off_fen)
     WHERE u.session_id = $1 AND u.coupon_id = t.coupon_id AND u.returned_at IS NULL
"""


async def of_stay(tx: Tx, stay: Record) -> tuple[Coupon, ...]:
    """The coupons of a locked stay."""
    if not stay["with_coupons"]:
        return ()
    rows = await tx.fetch(OF_STAY, stay["id"])
    return tuple(
        Coupon(str(row["coupon_id"]), CouponKind(row["kind"]), row["value"], row["rank"], row["exclusive"])
        for row in rows
    )


async def left_free(tx: Tx, stay: Record, price: Price | None) -> None:
    """Keep what each coupon took off a stay that leaves without having paid; call before `stays.leave`."""
    if price is None or not price.coupons_used or stay["paid_fen"]:
        return
    off_fen = {UUID(line.inputs["id"]): -line.amount_fen for line in price.lines if line.inputs.get("kind") == "coupon"}
    await tx.execute(RECORD, stay["id"], list(off_fen), list(off_fen.values()))
