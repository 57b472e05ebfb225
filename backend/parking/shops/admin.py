"""Staff routes of shops and their coupons (商户优惠券): what a shop may give, and the list to settle by (D8)."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field

from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.http import Call, Nothing, Route, Strict, example
from backend.parking import lots
from backend.parking.prices.coupons import CouponKind
from backend.parking.schemas import AddedAnswer, ReasonBody
from backend.parking.shops import shops
from backend.parking.shops.shops import Terms

READ, EDIT = "parking.shops", "parking.edit"
_ID = "01991b2a-7c00-7000-8000-000000000001"
_OTHER_ID = "01991b2a-7c00-7000-8000-000000000002"
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class ShopBody(Strict):
    """Who lives in the house by right gives the shop's coupons in the mini-program."""

    model_config = example(name="一楼便利店", house_id=_ID)
    name: str = Field(min_length=1, max_length=50)
    house_id: UUID


class OfferBody(Strict):
    """`value`: minutes, fen, or percent taken off (20 is 八折); 0 for a free exit."""

    model_config = example(
        kind="minutes", value=120, rank=0, exclusive=False, per_stay=1, monthly_quota=500, code_minutes=120
    )  # fmt: skip
    kind: CouponKind
    value: int = Field(ge=0, le=1_000_000)
    rank: int = Field(0, ge=0, le=100, description="money and percent coupons are used in this order")
    exclusive: bool = Field(False, description="is not used together with others")
    per_stay: int = Field(1, ge=1, le=10)
    monthly_quota: Count | None = Field(None, description="so many a month; null: as many as are granted")
    code_minutes: int = Field(120, ge=1, le=10_080, description="how long a code is good")

    @property
    def terms(self) -> Terms:
        return Terms(
            self.kind, self.value, self.rank, self.exclusive, self.per_stay, self.monthly_quota, self.code_minutes
        )


class GrantBody(Strict):
    model_config = example(count=200, reason="九月预购，收据 0012345")
    count: Count
    reason: Annotated[str, Field(min_length=2, max_length=200)]


class OfferView(Strict):
    """A kind of coupon; `left_count`: how many the shop may still give."""

    model_config = example(
        id=_ID, kind="minutes", value=120, rank=0, exclusive=False, per_stay=1, monthly_quota=500, code_minutes=120,
        left_count=498,
    )  # fmt: skip
    id: UUID
    kind: CouponKind
    value: int
    rank: int
    exclusive: bool
    per_stay: int
    monthly_quota: int | None
    code_minutes: int
    left_count: int

    @classmethod
    def of(cls, row: Record) -> "OfferView":
        known = {name: row[name] for name in cls.model_fields if name != "kind"}
        return cls(**known, kind=CouponKind(row["kind"]))


class ShopView(Strict):
    model_config = example(
        id=_ID, lot_id=_OTHER_ID, lot_name="地下停车场", house_id=_ID, name="一楼便利店", state="ACTIVE", offers=[]
    )  # fmt: skip
    id: UUID
    lot_id: UUID
    lot_name: str
    house_id: UUID
    name: str
    state: str
    offers: list[OfferView]


class ShopsAnswer(Strict):
    model_config = example(items=[])
    items: list[ShopView]

    @classmethod
    def of(cls, rows: list[Record]) -> "ShopsAnswer":
        """From rows of one kind of coupon each."""
        items: dict[UUID, ShopView] = {}
        for row in rows:
            shop = items.setdefault(
                row["shop_id"],
                ShopView(
                    id=row["shop_id"], lot_id=row["lot_id"], lot_name=row["lot_name"], house_id=row["house_id"],
                    name=row["shop_name"], state=row["state"], offers=[],
                ),
            )  # fmt: skip
            if row["id"] is not None:
                shop.offers.append(OfferView.of(row))
        return cls(items=list(items.values()))


class MonthQuery(Strict):
    month: str = Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")


class SettlementLine(Strict):
    """What the coupons of one kind took off the stays that ended in the month."""

    model_config = example(
        shop_id=_ID, shop_name="一楼便利店", offer_id=_OTHER_ID, kind="minutes", value=120, used=31, off_fen=31_000
    )  # fmt: skip
    shop_id: UUID
    shop_name: str
    offer_id: UUID
    kind: CouponKind
    value: int
    used: int
    off_fen: int


class SettlementAnswer(Strict):
    model_config = example(month="2026-09", off_fen=0, items=[])
    month: str
    off_fen: int
    items: list[SettlementLine]


async def list_shops(call: Call[None, None]) -> ShopsAnswer:
    """GET /admin/v1/parking-lots/{lot_id}/shops."""
    lot = await lots.one(call.res.db, call.ids["lot_id"], communities=call.principal.communities(READ))
    return ShopsAnswer.of(await shops.of_lot(call.res.db, lot["id"], now=call.res.clock.now()))


async def add_shop(call: Call[ShopBody, None]) -> AddedAnswer:
    """POST /admin/v1/parking-lots/{lot_id}/shops."""

    async def work(tx: Tx) -> AddedAnswer:
        added = await shops.add(
            tx, call.principal.actor, lot_id=call.ids["lot_id"], communities=call.principal.communities(EDIT),
            house_id=call.body.house_id, name=call.body.name,
        )  # fmt: skip
        return AddedAnswer(id=added.id)

    return await call.once(work, AddedAnswer)


async def close_shop(call: Call[ReasonBody, None]) -> Nothing:
    """POST /admin/v1/parking-shops/{shop_id}/close."""

    async def work(tx: Tx) -> Nothing:
        await shops.close(
            tx, call.principal.actor, shop_id=call.ids["shop_id"], communities=call.principal.communities(EDIT),
            reason=call.body.reason,
        )  # fmt: skip
        return Nothing()

    return await call.transact(work)


async def add_offer(call: Call[OfferBody, None]) -> AddedAnswer:
    """POST /admin/v1/parking-shops/{shop_id}/coupon-offers."""

    async def work(tx: Tx) -> AddedAnswer:
        added = await shops.offer(
            tx, call.principal.actor, shop_id=call.ids["shop_id"], communities=call.principal.communities(EDIT),
            terms=call.body.terms,
        )  # fmt: skip
        return AddedAnswer(id=added.id)

    return await call.once(work, AddedAnswer)


async def grant_coupons(call: Call[GrantBody, None]) -> Nothing:
    """POST /admin/v1/parking-coupon-offers/{offer_id}/grants."""

    async def work(tx: Tx) -> Nothing:
        await shops.grant(
            tx, call.principal.actor, offer_id=call.ids["offer_id"], communities=call.principal.communities(EDIT),
            count=call.body.count, reason=call.body.reason,
        )  # fmt: skip
        return Nothing()

    return await call.once(work, Nothing)


async def show_settlement(call: Call[None, MonthQuery]) -> SettlementAnswer:
    """GET /admin/v1/parking-lots/{lot_id}/shop-settlements."""
    lot = await lots.one(call.res.db, call.ids["lot_id"], communities=call.principal.communities(READ))
    month = call.query.month
    rows = await shops.settlement(call.res.db, lot["id"], month=date.fromisoformat(f"{month}-01"))
    items = [
        SettlementLine(
            **{name: row[name] for name in SettlementLine.model_fields if name != "kind"}, kind=CouponKind(row["kind"])
        )
        for row in rows
    ]
    return SettlementAnswer(month=month, off_fen=sum(each.off_fen for each in items), items=items)


_LOT = "/admin/v1/parking-lots/{lot_id}"
_SHOP = "/admin/v1/parking-shops/{shop_id}"

ROUTES = (
    Route("GET", f"{_LOT}/shops", list_shops, READ, "停车场的商铺和优惠券", answer=ShopsAnswer, errors=(NotFound,)),
    Route(
        "POST", f"{_LOT}/shops", add_shop, EDIT, "新增可以发放停车优惠券的商铺", body=ShopBody, answer=AddedAnswer,
        status=201, creates=True, errors=(NotFound, Conflict),
    ),
    Route(
        "POST", f"{_SHOP}/close", close_shop, EDIT, "停用商铺，已发出的优惠券仍然有效", body=ReasonBody, answer=Nothing,
        errors=(NotFound, Conflict),
    ),
    Route(
        "POST", f"{_SHOP}/coupon-offers", add_offer, EDIT, "新增商铺的优惠券种类", body=OfferBody, answer=AddedAnswer,
        status=201, creates=True, errors=(NotFound, Conflict, Invalid),
    ),
    Route(
        "POST", "/admin/v1/parking-coupon-offers/{offer_id}/grants", grant_coupons, EDIT, "登记商铺预购的优惠券",
        body=GrantBody, answer=Nothing, creates=True, errors=(NotFound, Conflict),
    ),
    Route(
        "GET", f"{_LOT}/shop-settlements", show_settlement, READ, "按月与商铺结算优惠券", query=MonthQuery,
        answer=SettlementAnswer, errors=(NotFound,),
    ),
)  # fmt: skip
