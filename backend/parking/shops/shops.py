"""Shops (商铺) that give their customers parking coupons: what each may give, and what it has given (D8).

Promises: a shop is one of a house of the lot's community, and whoever lives there by right gives its coupons; the terms
of a coupon never change; how many are left is counted, never kept; every act of staff is audited (I-22).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.auth import HouseScope
from backend.kernel.clock import local_date, start_of_day
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.ids import uuid7
from backend.parking import lots, vehicles
from backend.parking.prices.coupons import Coupon, CouponKind

ADD = """
    INSERT INTO parking_shop (id, community_id, lot_id, house_id, name, state, created_at)
    VALUES ($1, $2, $3, $4, $5, 'ACTIVE', $6)
        ON CONFLICT (lot_id, name) DO NOTHING
 RETURNING id
"""

ADD_OFFER = """
    INSERT INTO parking_coupon_offer (id, community_id, shop_id, kind, value, rank, exclusive, per_stay, monthly_quota,
                                      code_minutes, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""

GRANT = """
    INSERT INTO parking_coupon_grant (community_id, offer_id, count, reason, granted_at) VALUES ($1, $2, $3, $4, $5)
"""

HOLD_SHOP = "SELECT * FROM parking_shop WHERE id = $1 AND community_id = ANY ($2::uuid[]) FOR UPDATE"

CLOSE = "UPDATE parking_shop SET state = 'CLOSED' WHERE id = $1"

OFFER = """
    SELECT o.id, o.community_id, o.monthly_quota FROM parking_coupon_offer o
     WHERE o.id = $1 AND o.community_id = ANY ($2::uuid[])
"""

# What a shop may still give: a coupon counts while it is for a stay, or while its code is good. $2: now; $3: the first
# of this month. Index parking_coupon_issued.
_OFFERS = """
    SELECT s.id AS shop_id, s.name AS shop_name, s.lot_id, s.house_id, s.state, l.name AS lot_name, o.id, o.kind,
           o.value, o.rank, o.exclusive, o.per_stay, o.monthly_quota, o.code_minutes,
           coalesce(o.monthly_quota,
                    (SELECT sum(g.count) FROM parking_coupon_grant g WHERE g.offer_id = o.id), 0)::bigint
           - (SELECT count(*) FROM parking_coupon c
               WHERE c.offer_id = o.id AND (o.monthly_quota IS NULL OR c.issued_on >= $3)
                 AND (EXISTS (SELECT FROM parking_coupon_use u WHERE u.coupon_id = c.id AND u.returned_at IS NULL)
                      OR c.code_blind IS NOT NULL AND c.expires_at > $2)) AS left_count
      FROM parking_shop s
      JOIN parking_lot l ON l.id = s.lot_id
      LEFT JOIN parking_coupon_offer o ON o.shop_id = s.id
"""

OF_LOT = f"{_OFFERS} WHERE s.lot_id = $1 ORDER BY s.name, s.id, o.id LIMIT 1000"

OF_HOUSES = (
    f"{_OFFERS} WHERE s.house_id = ANY ($1::uuid[]) AND s.state = 'ACTIVE' ORDER BY s.name, s.id, o.id LIMIT 200"
)

ONE_OFFER = f"{_OFFERS} WHERE o.id = $1"

# By the day on which the cars left. Index parking_session_ended.
SETTLEMENT = """
    SELECT shop.id AS shop_id, shop.name AS shop_name, o.id AS offer_id, o.kind, o.value, count(*) AS used,
           sum(u.off_fen)::bigint AS off_fen
      FROM parking_session s
      JOIN parking_coupon_use u ON u.session_id = s.id AND u.returned_at IS NULL AND u.off_fen IS NOT NULL
      JOIN parking_coupon c ON c.id = u.coupon_id
      JOIN parking_coupon_offer o ON o.id = c.offer_id
      JOIN parking_shop shop ON shop.id = o.shop_id
     WHERE s.lot_id = $1 AND s.state = 'OUT' AND s.left_at >= $2 AND s.left_at < $3
     GROUP BY shop.id, o.id
     ORDER BY shop.name, shop.id, o.id
"""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a coupon is worth and how it may be given; `monthly_quota` None: as many as were granted."""

    kind: CouponKind
    value: int
    rank: int
    exclusive: bool
    per_stay: int
    monthly_quota: int | None
    code_minutes: int


@dataclass(frozen=True, slots=True)
class Added:
    """A shop or an offer that has come into being."""

    id: UUID


async def add(
    tx: Tx, actor: Actor, *, lot_id: UUID, communities: Sequence[UUID], house_id: UUID, name: str
) -> Added:  # fmt: skip
    """Add a shop to a lot; NotFound, Conflict `shop_name_taken`."""
    lot = await lots.lock(tx, lot_id, communities=communities)
    if await tx.fetchval(vehicles.HOUSE, house_id, lot["community_id"]) is None:
        raise NotFound
    shop_id = uuid7(tx.now)
    if await tx.fetchval(ADD, shop_id, lot["community_id"], lot_id, house_id, name, tx.now) is None:
        raise Conflict("这个停车场已有同名的商铺。", code="shop_name_taken")
    audit.record(
        tx, actor, action="parking.shop_added", target=f"parking_shop:{shop_id}", community_id=lot["community_id"],
        after={"lot_id": str(lot_id), "house_id": str(house_id), "name": name},
    )  # fmt: skip
    return Added(shop_id)


async def close(tx: Tx, actor: Actor, *, shop_id: UUID, communities: Sequence[UUID], reason: str) -> None:
    """A shop gives no more coupons; those that it has given stay good. NotFound, Conflict `shop_closed`."""
    shop = await _shop(tx, shop_id, communities)
    await tx.execute(CLOSE, shop_id)
    audit.record(
        tx, actor, action="parking.shop_closed", target=f"parking_shop:{shop_id}", community_id=shop["community_id"],
        reason=reason,
    )  # fmt: skip


async def offer(tx: Tx, actor: Actor, *, shop_id: UUID, communities: Sequence[UUID], terms: Terms) -> Added:
    """Let a shop give coupons of a kind; NotFound, Conflict `shop_closed`, Invalid for a value that fits no kind."""
    shop = await _shop(tx, shop_id, communities)
    try:
        Coupon("", terms.kind, terms.value)
    except ValueError as error:
        raise Invalid("优惠券的面值不符合它的种类。", fields=[{"field": "value"}]) from error
    offer_id = uuid7(tx.now)
    await tx.execute(
        ADD_OFFER, offer_id, shop["community_id"], shop_id, terms.kind.value, terms.value, terms.rank, terms.exclusive,
        terms.per_stay, terms.monthly_quota, terms.code_minutes, tx.now,
    )  # fmt: skip
    audit.record(
        tx, actor, action="parking.coupons_offered", target=f"parking_coupon_offer:{offer_id}",
        community_id=shop["community_id"],
        after={"shop_id": str(shop_id), "kind": terms.kind.value, "value": terms.value, "exclusive": terms.exclusive,
               "monthly_quota": terms.monthly_quota},
    )  # fmt: skip
    return Added(offer_id)


async def grant(
    tx: Tx, actor: Actor, *, offer_id: UUID, communities: Sequence[UUID], count: int, reason: str
) -> None:  # fmt: skip
    """A shop has paid for coupons beforehand; NotFound, Conflict `monthly_quota` where they come by the month."""
    row = await tx.fetchrow(OFFER, offer_id, list(communities))
    if row is None:
        raise NotFound
    if row["monthly_quota"] is not None:
        raise Conflict("这种优惠券按月发放，不需要预购。", code="monthly_quota")
    await tx.execute(GRANT, row["community_id"], offer_id, count, reason, tx.now)
    audit.record(
        tx, actor, action="parking.coupons_granted", target=f"parking_coupon_offer:{offer_id}",
        community_id=row["community_id"], reason=reason, after={"count": count},
    )  # fmt: skip


async def of_lot(db: Reader, lot_id: UUID, *, now: datetime) -> list[Record]:
    """The shops of a lot that the caller has found in scope, a row for each kind of coupon; `id` None: none yet."""
    return await db.fetch(OF_LOT, lot_id, now, local_date(now).replace(day=1))


async def of_houses(db: Reader, scope: HouseScope, *, now: datetime) -> list[Record]:
    """The open shops of the houses of a resident, in the same form."""
    return await db.fetch(OF_HOUSES, list(homes(scope)), now, local_date(now).replace(day=1))


async def one_offer(tx: Tx, offer_id: UUID) -> Record | None:
    """A kind of coupon with how many are left."""
    return await tx.fetchrow(ONE_OFFER, offer_id, tx.now, tx.today.replace(day=1))


def homes(scope: HouseScope) -> tuple[UUID, ...]:
    """The houses in which a resident lives by right, as owner, family or tenant."""
    return (*scope.full, *scope.tenant)


async def settlement(db: Reader, lot_id: UUID, *, month: date) -> list[Record]:
    """What coupons took off the stays that ended in the month of this first day, by shop and kind of coupon."""
    after = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
    return await db.fetch(SETTLEMENT, lot_id, start_of_day(month), start_of_day(after))


async def _shop(tx: Tx, shop_id: UUID, communities: Sequence[UUID]) -> Record:
    shop = await tx.fetchrow(HOLD_SHOP, shop_id, list(communities))
    if shop is None:
        raise NotFound
    if shop["state"] != "ACTIVE":
        raise Conflict("这家商铺已经停用。", code="shop_closed")
    return shop
