"""The requests of what parking's prices depend on: the calendar, classes of vehicles, coupons of shops."""

from uuid import UUID

from tests import factories_shops
from tests.factories_shops import Shop
from tests.security.prepared import Prepared, plain, request
from tests.security.requests_parking import car, plate
from tests.security.world import Who, World, place_of

LOT = "/admin/v1/parking-lots/{lot_id}"
DAYS = [{"day": "2027-10-01", "kind": "holiday", "name": "国庆节"}]

plain("GET /admin/v1/calendar", "/admin/v1/calendar?year=2026")
plain(f"GET {LOT}/shops", "/admin/v1/parking-lots/{lot}/shops")
plain(f"GET {LOT}/shop-settlements", "/admin/v1/parking-lots/{lot}/shop-settlements?month=2026-09")
plain("GET /api/v1/parking-shops", "/api/v1/parking-shops")


@request("PUT /admin/v1/calendar")
async def set_year(world: World, who: Who) -> Prepared:
    company = place_of(world, who.name).company_id
    return Prepared("/admin/v1/calendar", {"year": 2027, "days": DAYS, "reason": "放假通知"}, touches=(company,))


@request("POST /admin/v1/parking-stays/{session_id}/vehicle-class")
async def correct_class(world: World, who: Who) -> Prepared:
    stay = await car(world)
    body = {"vehicle_class": "large", "reason": "黄牌货车"}
    return Prepared(f"/admin/v1/parking-stays/{stay}/vehicle-class", body, touches=(stay,))


@request(f"POST {LOT}/shops")
async def add_shop(world: World, who: Who) -> Prepared:
    lot, house = world.ids["lot"], world.ids["house"]
    body = {"name": f"商铺{world.next()}", "house_id": str(house)}
    return Prepared(f"/admin/v1/parking-lots/{lot}/shops", body, touches=(lot, house))


@request("POST /admin/v1/parking-shops/{shop_id}/close")
async def close_shop(world: World, who: Who) -> Prepared:
    shop, _ = await factories_shops.keeps_shop(world.lots["a"], world.ids["house"], name=f"商铺{world.next()}")
    return Prepared(f"/admin/v1/parking-shops/{shop}/close", {"reason": "商铺退租"}, touches=(shop,))


@request("POST /admin/v1/parking-shops/{shop_id}/coupon-offers")
async def add_offer(world: World, who: Who) -> Prepared:
    shop = world.ids["shop"]
    return Prepared(f"/admin/v1/parking-shops/{shop}/coupon-offers", {"kind": "money", "value": 500}, touches=(shop,))


@request("POST /admin/v1/parking-coupon-offers/{offer_id}/grants")
async def grant_coupons(world: World, who: Who) -> Prepared:
    offer = world.ids["offer"]
    body = {"count": 10, "reason": "预购优惠券"}
    return Prepared(f"/admin/v1/parking-coupon-offers/{offer}/grants", body, touches=(offer,))


@request("POST /api/v1/parking-coupon-offers/{offer_id}/codes")
async def make_code(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    offer = world.ids["offer"]
    return Prepared(f"/api/v1/parking-coupon-offers/{offer}/codes", touches=(offer, world.a.id))


@request("POST /api/v1/parking-coupon-offers/{offer_id}/coupons")
async def give_coupon(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    text = plate(world)
    stay, offer = await car(world, text, hours=2), world.ids["offer"]
    path = f"/api/v1/parking-coupon-offers/{offer}/coupons"
    return Prepared(path, {"plate": text}, touches=(stay, offer, world.a.id))


@request("POST /api/v1/parking-coupons")
async def enter_code(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    text = plate(world)
    stay = await car(world, text, hours=2)
    lot = world.ids["lot"]
    code = await _keeper(world).code(world.ids["offer"])
    body = {"lot_id": str(lot), "plate": text, "code": code}
    touches = (stay, lot, world.a.id, world.ids["tariff"])
    return Prepared("/api/v1/parking-coupons", body, shows=(stay,), touches=touches)


def _keeper(world: World) -> Shop:
    house: UUID = world.ids["house"]
    return factories_shops.kept(world.lots["a"], world.ids["shop"], house)
