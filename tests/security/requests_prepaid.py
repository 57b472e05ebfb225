"""The requests about prepaid accounts."""

from uuid import UUID, uuid4

from backend.fees import payable, prepaid_returns
from backend.kernel.approvals import Approval
from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.ledger import accounts
from backend.ledger.accounts import Code, Key
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


async def settled_bill(world: World) -> UUID:
    """A bill of the house that was paid out of its prepaid account."""
    bill, use, account = await fresh.bill(world), uuid4(), world.ids["prepaid"]

    async def work(tx: Tx) -> None:
        amount_fen = await tx.fetchval("SELECT principal_fen FROM bill WHERE id = $1", bill)
        book = await accounts.ensure(tx, Key(world.a.id, Code.PREPAID, account))
        await tx.execute(
            "INSERT INTO prepaid_use (id, account_id, community_id, bill_id, amount_fen, used_at) "
            "VALUES ($1, $2, $3, $4, $5, $6)",
            use, account, world.a.id, bill, amount_fen, tx.now,
        )  # fmt: skip
        await payable.apply_paid(tx, lines=[(use, bill, amount_fen, 0)], clearing_account=book)

    await world.res.db.transact(work)
    return bill


@request("POST /admin/v1/bills/{bill_id}/prepaid-return")
async def propose_return(world: World, who: Who) -> Prepared:
    bill = await settled_bill(world)
    return Prepared(f"/admin/v1/bills/{bill}/prepaid-return", {"reason": "账单有误"}, touches=(bill,))


@request("POST /admin/v1/approvals/{approval_id}/decision #prepaid return")
async def decide_return(world: World, who: Who) -> Prepared:
    bill = await settled_bill(world)

    async def propose(tx: Tx) -> Approval:
        return await prepaid_returns.propose(
            tx, Actor("staff", world.ids["staff_second"]), bill_id=bill, communities=[world.a.id], reason="账单有误"
        )

    asked = await world.res.db.transact(propose)
    body = {"approve": True, "note": "同意"}
    return Prepared(f"/admin/v1/approvals/{asked.id}/decision", body, touches=(asked.id, bill))
