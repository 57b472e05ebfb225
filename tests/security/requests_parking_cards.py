"""The requests of cards that are sold, of spaces, and of what residents apply for."""

from datetime import date
from uuid import UUID

from backend.kernel.approvals import Approval
from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.parking.cards import applications, products
from backend.parking.cards.applications import ForSpace, ForVehicle
from backend.parking.cards.products import Terms
from backend.parking.cards.states import Audience
from tests import factories_cards, factories_parking
from tests.security.prepared import Prepared, plain, request
from tests.security.requests_parking import LOT, lot, plate
from tests.security.world import Who, World

TERMS = {
    "name": "月卡", "covers": "限登记车辆停放", "audience": "house", "months": 1, "price_fen": 30_000, "vehicles": 2,
}  # fmt: skip
WAY = {"channel": "wechat", "method": "jsapi"}

plain(f"GET {LOT}/card-products", "/admin/v1/parking-lots/{lot}/card-products")
plain("GET /admin/v1/parking-cards", "/admin/v1/parking-cards?house_id={house}")
plain("GET /api/v1/parking-cards", "/api/v1/parking-cards")


@request("GET /api/v1/parking-lots/{lot_id}/card-products")
async def list_products(world: World, who: Who) -> Prepared:
    """Who has redeemed a family code in an earlier request lives in the community; that is taken back."""
    await world.res.db.execute("DELETE FROM occupancy WHERE source = 'family_code'")
    return Prepared(f"/api/v1/parking-lots/{world.ids['lot']}/card-products")


async def renewable(world: World) -> tuple[UUID, UUID]:
    """A card of the house that ends, in a lot of its own, and a product by which it is renewed."""
    made = await lot(world)
    card = await factories_parking.card(
        made, [plate(world)], ends_on=date(2027, 1, 1), house_id=world.ids["house"]
    )  # fmt: skip
    return card, await factories_cards.listed(made)


@request(f"POST {LOT}/card-products")
async def propose_product(world: World, who: Who) -> Prepared:
    made = await lot(world)
    body = {**TERMS, "reason": "备案价格"}
    return Prepared(f"/admin/v1/parking-lots/{made.id}/card-products", body, touches=(made.id,))


@request("POST /admin/v1/approvals/{approval_id}/decision #parking card product")
async def decide_product(world: World, who: Who) -> Prepared:
    made = await lot(world)
    terms = Terms("月卡", "限登记车辆停放", Audience.HOUSE, 1, 30_000, 2)

    async def propose(tx: Tx) -> Approval:
        return await products.propose(
            tx, Actor("staff", world.ids["staff_second"]), lot_id=made.id, communities=[world.a.id], terms=terms,
            reason="备案价格",
        )  # fmt: skip

    asked = await world.res.db.transact(propose)
    body = {"approve": True, "note": "同意"}
    return Prepared(f"/admin/v1/approvals/{asked.id}/decision", body, touches=(asked.id, made.id))


@request("POST /admin/v1/parking-card-products/{product_id}/withdraw")
async def withdraw_product(world: World, who: Who) -> Prepared:
    product = await factories_cards.listed(await lot(world))
    path = f"/admin/v1/parking-card-products/{product}/withdraw"
    return Prepared(path, {"reason": "改用新价格"}, touches=(product,))


@request("POST /admin/v1/parking-cards/{card_id}/offers")
async def offer_renewal(world: World, who: Who) -> Prepared:
    card, product = await renewable(world)
    return Prepared(
        f"/admin/v1/parking-cards/{card}/offers", {"product_id": str(product)}, shows=(card,), touches=(card, product)
    )


@request(f"POST {LOT}/card-offers")
async def offer_card(world: World, who: Who) -> Prepared:
    made, house = await lot(world), world.ids["house"]
    product = await factories_cards.listed(made)
    body = {"product_id": str(product), "house_id": str(house), "plates": [plate(world)], "spaces": 1}
    return Prepared(f"/admin/v1/parking-lots/{made.id}/card-offers", body, touches=(made.id, product, house))


@request("POST /api/v1/parking-cards/{card_id}/payments")
async def renew(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    await world.res.db.execute("DELETE FROM collection_pause")
    card, product = await renewable(world)
    body = {"product_id": str(product), **WAY}
    touches = (card, product, world.a.id, world.ids["merchant"])
    return Prepared(f"/api/v1/parking-cards/{card}/payments", body, touches=touches)


@request("POST /api/v1/parking-lots/{lot_id}/card-payments")
async def buy(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    await world.res.db.execute("DELETE FROM collection_pause")
    made, house = await lot(world), world.ids["house"]
    product = await factories_cards.listed(made)
    mine = await factories_cards.vehicle(made, house, plate(world))
    body = {"product_id": str(product), "house_id": str(house), "vehicle_ids": [str(mine)], "spaces": 1, **WAY}
    touches = (made.id, product, mine, house, world.ids["merchant"])
    return Prepared(f"/api/v1/parking-lots/{made.id}/card-payments", body, touches=touches)


plain(f"GET {LOT}/spaces", "/admin/v1/parking-lots/{lot}/spaces?limit=100")
plain(f"GET {LOT}/application-rules", "/admin/v1/parking-lots/{lot}/application-rules")
plain("GET /api/v1/parking-spaces", "/api/v1/parking-spaces")
plain("GET /api/v1/parking-applications", "/api/v1/parking-applications")


@request("GET /api/v1/parking-lots/{lot_id}/spaces")
async def list_free(world: World, who: Who) -> Prepared:
    """Who has redeemed a family code in an earlier request lives in the community; that is taken back."""
    await world.res.db.execute("DELETE FROM occupancy WHERE source = 'family_code'")
    return Prepared(f"/api/v1/parking-lots/{world.ids['lot']}/spaces")


async def free(world: World) -> UUID:
    """A free space of a lot of its own."""
    return await factories_cards.space(await lot(world), None, "B-001", state="free", starts_on=None)


@request(f"POST {LOT}/spaces")
async def add_spaces(world: World, who: Who) -> Prepared:
    made = await lot(world)
    body = {"number": "B-", "kind": "standard", "first": 1, "last": 3, "digits": 3}
    return Prepared(f"/admin/v1/parking-lots/{made.id}/spaces", body, touches=(made.id,))


@request("POST /admin/v1/parking-spaces/{space_id}/assign")
async def assign(world: World, who: Who) -> Prepared:
    space, house = await free(world), world.ids["house"]
    body = {"state": "rented", "house_id": str(house), "ends_on": "2027-09-01", "reason": "签订租赁合同"}
    return Prepared(f"/admin/v1/parking-spaces/{space}/assign", body, shows=(space, house), touches=(space, house))


@request("POST /admin/v1/parking-spaces/{space_id}/release")
async def release(world: World, who: Who) -> Prepared:
    space = await factories_cards.space(await lot(world), world.ids["house"], "B-001", state="rented")
    return Prepared(f"/admin/v1/parking-spaces/{space}/release", {"reason": "退租"}, shows=(space,), touches=(space,))


@request(f"PUT {LOT}/application-rules")
async def change_rules(world: World, who: Who) -> Prepared:
    made = await lot(world)
    body = {"outside_vehicles": "card", "max_open": 5}
    return Prepared(f"/admin/v1/parking-lots/{made.id}/application-rules", body, touches=(made.id,))


@request("POST /api/v1/parking-applications/spaces")
async def apply_for_space(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    space, house = await free(world), world.ids["house"]
    body = {"house_id": str(house), "space_id": str(space), "months": 12, "reason": "新购车辆"}
    return Prepared("/api/v1/parking-applications/spaces", body, touches=(space, house))


@request("POST /api/v1/parking-applications/vehicles")
async def apply_for_vehicle(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    made, house = await lot(world), world.ids["house"]
    body = {
        "house_id": str(house), "lot_id": str(made.id), "plate": plate(world), "until": "2026-12-01",
        "reason": "父母来住",
    }  # fmt: skip
    return Prepared("/api/v1/parking-applications/vehicles", body, touches=(made.id, house))


@request("POST /admin/v1/approvals/{approval_id}/decision #parking space")
async def decide_space(world: World, who: Who) -> Prepared:
    space, house = await free(world), world.ids["house"]
    asked = ForSpace(house, space, 12, "新购车辆")
    made = await world.res.db.transact(
        lambda tx: applications.for_space(
            tx, Actor("resident", world.ids["owner"]), communities=(world.a.id,), asked=asked
        )
    )
    path = f"/admin/v1/approvals/{made.id}/decision"
    return Prepared(path, {"approve": True, "note": "同意"}, touches=(made.id, space, house))


@request("POST /admin/v1/approvals/{approval_id}/decision #parking vehicle")
async def decide_vehicle(world: World, who: Who) -> Prepared:
    at, house, res = await lot(world), world.ids["house"], world.res
    asked = ForVehicle(house, at.id, plate(world), None, "新购车辆")
    made = await res.db.transact(
        lambda tx: applications.for_vehicle(
            tx, Actor("resident", world.ids["owner"]), keyring=res.keyring, communities=(world.a.id,), asked=asked
        )
    )
    path = f"/admin/v1/approvals/{made.id}/decision"
    return Prepared(path, {"approve": True, "note": "同意"}, touches=(made.id, house))
