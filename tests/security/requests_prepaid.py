"""The requests about prepaid accounts."""

from tests.security import fresh
from tests.security.prepared import Prepared, plain, request
from tests.security.world import Who, World

plain("GET /api/v1/prepaid", "/api/v1/prepaid")
plain("GET /api/v1/prepaid/{account_id}/entries", "/api/v1/prepaid/{prepaid}/entries?limit=100")
plain("GET /admin/v1/prepaid-accounts", "/admin/v1/prepaid-accounts?house_id={house}")
plain("GET /admin/v1/prepaid-accounts/{account_id}/entries", "/admin/v1/prepaid-accounts/{prepaid}/entries?limit=100")


@request("POST /api/v1/prepaid/top-ups")
async def top_up(world: World, who: Who) -> Prepared:
    house = world.ids["house"]
    purpose = "utility" if who.name == "family" else "property"
    body = {"house_id": str(house), "purpose": purpose, "amount_fen": 10_000}
    return Prepared("/api/v1/prepaid/top-ups", body, touches=(house,))


@request("POST /admin/v1/prepaid-accounts")
async def open_account(world: World, who: Who) -> Prepared:
    house = await fresh.house(world)
    body = {"house_id": str(house), "purpose": "utility"}
    return Prepared("/admin/v1/prepaid-accounts", body, shows=(house,), touches=(house,))
