"""The requests about prepaid accounts."""

from tests import factories_fees
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


plain("GET /p/{pay_code}", "/p/{pay_code}")
plain("GET /p/{pay_code}/wechat", "/p/{pay_code}/wechat?code=x&state=y")
plain("GET /admin/v1/houses/{house_id}/pay-code", "/admin/v1/houses/{house}/pay-code")
plain("GET /admin/v1/houses/{house_id}/pay-code.svg", "/admin/v1/houses/{house}/pay-code.svg")
plain("GET /admin/v1/communities/{community_id}/pay-code-sheet", "/admin/v1/communities/{a}/pay-code-sheet?limit=100")


@request("POST /p/{pay_code}/orders")
async def pay_by_code(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    house, item = await fresh.house(world), await fresh.item(world)
    run = await factories_fees.published(world.res, item, house_id=house)
    row = await world.res.db.fetchrow(
        """SELECT h.pay_code, b.id, b.principal_fen FROM house h JOIN bill b ON b.house_id = h.id AND b.run_id = $2
            WHERE h.id = $1""",
        house, run.id,
    )  # fmt: skip
    assert row is not None
    raw = f"method=h5&item=&total_fen={row['principal_fen']}".encode()
    touches = (row["id"], world.a.id, world.ids["merchant"])
    return Prepared(f"/p/{row['pay_code']}/orders", raw=raw, touches=touches)


@request("POST /admin/v1/houses/{house_id}/pay-code")
async def replace_code(world: World, who: Who) -> Prepared:
    house = await fresh.house(world)
    return Prepared(f"/admin/v1/houses/{house}/pay-code", {"reason": "遗失"}, shows=(house,), touches=(house,))
