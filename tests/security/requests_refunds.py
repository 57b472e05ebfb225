"""The requests about refunds: every asker who may asks for money of a fresh taking, or of a fresh difference."""

from tests.security.prepared import Prepared, plain, request
from tests.security.requests_counter import taken
from tests.security.world import Who, World, difference

plain("GET /admin/v1/refunds", "/admin/v1/refunds?limit=100")
plain("GET /admin/v1/refunds/{refund_id}", "/admin/v1/refunds/{refund}")
plain("POST /admin/v1/refunds/{refund_id}/ask", "/admin/v1/refunds/{refund}/ask")
plain("GET /api/v1/refunds", "/api/v1/refunds?limit=100")


@request("POST /admin/v1/orders/{order_id}/refunds")
async def request_refund(world: World, who: Who) -> Prepared:
    made, _ = await taken(world)
    return Prepared(f"/admin/v1/orders/{made.order_id}/refunds", {"reason": "多收了一个月"}, touches=(made.order_id,))


@request("POST /admin/v1/differences/{difference_id}/refunds")
async def request_difference_refund(world: World, who: Who) -> Prepared:
    made = await difference(world)
    await world.res.db.execute("UPDATE difference SET booked_fen = actual_fen WHERE id = $1", made)
    body = {"amount_fen": 99, "reason": "退回付款人"}
    return Prepared(f"/admin/v1/differences/{made}/refunds", body, touches=(made,))


@request("POST /admin/v1/refunds/{refund_id}/redirect")
async def redirect_refund(world: World, who: Who) -> Prepared:
    refund = world.ids["refund"]
    await world.res.db.execute("DELETE FROM approval WHERE kind = 'payments.refund_redirect'")
    return Prepared(f"/admin/v1/refunds/{refund}/redirect", {"reason": "付款人已注销微信"}, touches=(refund,))


@request("POST /admin/v1/merchants/{merchant_id}/automatic-refunds")
async def change_automatic_refunds(world: World, who: Who) -> Prepared:
    merchant = world.ids["merchant"]
    path = f"/admin/v1/merchants/{merchant}/automatic-refunds"
    await world.res.db.execute("DELETE FROM approval WHERE kind = 'payments.automatic_refunds'")
    return Prepared(path, {"a_day_fen": 100, "reason": "降低限额"}, touches=(merchant,))
