"""Builders of shops that give parking coupons: a shop in a house, what it may give, and its coupons."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.auth import HouseScope
from backend.kernel.db import Tx
from backend.parking.prices.coupons import CouponKind
from backend.parking.prices.quotes import Asked
from backend.parking.shops import coupons as shop_coupons
from backend.parking.shops import shops
from backend.parking.shops.shops import Terms
from tests import factories
from tests.factories_parking import CAR, Lot

DRIVER = Actor("resident", UUID(int=7))


@dataclass
class Shop:
    """A shop and who keeps it."""

    lot: Lot
    id: UUID
    scope: HouseScope

    async def offer(
        self, kind: CouponKind, value: int = 0, *, granted: int | None = 10, monthly: int | None = None,
        exclusive: bool = False, per_stay: int = 1, rank: int = 0,
    ) -> UUID:  # fmt: skip
        """A kind of coupon, prepaid unless it is monthly."""
        terms = Terms(kind, value, rank, exclusive, per_stay, monthly, 120)

        async def work(tx: Tx) -> UUID:
            places = [self.lot.place.id]
            added = await shops.offer(tx, SYSTEM, shop_id=self.id, communities=places, terms=terms)
            if monthly is None and granted:
                await shops.grant(tx, SYSTEM, offer_id=added.id, communities=places, count=granted, reason="预购优惠券")
            return added.id

        return await self.lot.res.db.transact(work)

    async def code(self, offer_id: UUID) -> str:
        made = await self.lot.res.db.transact(
            lambda tx: shop_coupons.make_code(
                tx, Actor("resident", self.scope.person_id), keyring=self.lot.res.keyring, scope=self.scope,
                offer_id=offer_id,
            )
        )  # fmt: skip
        return made.code

    async def give(self, offer_id: UUID, plate: str = CAR) -> None:
        await self.lot.res.db.transact(
            lambda tx: shop_coupons.give(
                tx, Actor("resident", self.scope.person_id), keyring=self.lot.res.keyring, key=self.lot.key,
                scope=self.scope, offer_id=offer_id, plate=plate,
            )
        )  # fmt: skip

    async def left(self, offer_id: UUID) -> int:
        """How many of these it may still give."""
        rows = await shops.of_lot(self.lot.res.db, self.lot.id, now=self.lot.res.clock.now())
        (found,) = [row["left_count"] for row in rows if row["id"] == offer_id]
        return int(found)


async def shop(lot: Lot, *, name: str = "一楼便利店") -> Shop:
    """A shop in a house of its own, kept by its tenant."""
    house_id = await factories.house(lot.res, lot.place, code=name, kind="shop")
    return await _of(lot, house_id, name)


async def _of(lot: Lot, house_id: UUID, name: str) -> Shop:
    added = await lot.res.db.transact(
        lambda tx: shops.add(tx, SYSTEM, lot_id=lot.id, communities=[lot.place.id], house_id=house_id, name=name)
    )
    return kept(lot, added.id, house_id)


def kept(lot: Lot, shop_id: UUID, house_id: UUID) -> Shop:
    """The shop as the tenant of its house keeps it."""
    return Shop(lot, shop_id, HouseScope(uuid4(), (), (), (house_id,)))


async def enter(lot: Lot, code: str, plate: str = CAR) -> Asked | None:
    """A driver enters a code."""
    return await lot.res.db.transact(
        lambda tx: shop_coupons.enter(
            tx, DRIVER, keyring=lot.res.keyring, key=lot.key, lot_id=lot.id, plate=plate, code=code
        )
    )


async def close(of: Shop) -> None:
    """The shop is closed."""
    await of.lot.res.db.transact(
        lambda tx: shops.close(tx, SYSTEM, shop_id=of.id, communities=[of.lot.place.id], reason="商铺退租")
    )


async def keeps_shop(lot: Lot, house_id: UUID, *, name: str) -> tuple[UUID, UUID]:
    """A shop of this house, and a kind of coupon of which it has plenty."""
    made = await _of(lot, house_id, name)
    return made.id, await made.offer(CouponKind.MINUTES, 60, granted=1_000)
