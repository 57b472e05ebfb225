"""The requests of staff about fees, messages and payments."""

from tests import vectors
from tests.factories_payments import API_V3_KEY
from tests.security import fresh
from tests.security.prepared import Prepared, plain, request
from tests.security.world import (
    MINI,
    Who,
    World,
    difference,
    exclude,
    parked_job,
    parked_message,
    place_order,
)

plain("GET /admin/v1/fee-items", "/admin/v1/fee-items?limit=100")
plain("GET /admin/v1/fee-items/{item_id}", "/admin/v1/fee-items/{item}")
plain("GET /admin/v1/fee-items/{item_id}/prices", "/admin/v1/fee-items/{item}/prices")
plain("GET /admin/v1/fee-items/{item_id}/exclusions", "/admin/v1/fee-items/{draft_item}/exclusions?limit=100")
plain("GET /admin/v1/trial-balance", "/admin/v1/trial-balance?community_id={a}")
plain("GET /admin/v1/billing-runs", "/admin/v1/billing-runs?limit=100")
plain("GET /admin/v1/billing-runs/{run_id}", "/admin/v1/billing-runs/{draft_run}")
plain("GET /admin/v1/billing-runs/{run_id}/bills", "/admin/v1/billing-runs/{draft_run}/bills?limit=100")
plain("GET /admin/v1/bills", "/admin/v1/bills?house_id={house}&limit=100")
plain("GET /admin/v1/bills/{bill_id}", "/admin/v1/bills/{bill}")
plain("GET /admin/v1/bills/{bill_id} #draft", "/admin/v1/bills/{draft_bill}")
plain("GET /admin/v1/bills/{bill_id}/explanation", "/admin/v1/bills/{bill}/explanation")
plain("GET /admin/v1/message-templates", "/admin/v1/message-templates")
plain("GET /admin/v1/messages/parked", "/admin/v1/messages/parked?limit=100")
plain("GET /admin/v1/outbox/parked", "/admin/v1/outbox/parked?limit=100")
plain("GET /admin/v1/merchants", "/admin/v1/merchants")
plain("GET /admin/v1/merchants/{merchant_id}", "/admin/v1/merchants/{merchant}")
plain("GET /admin/v1/payment-attempts", "/admin/v1/payment-attempts?state=CREATED&limit=100")
plain("GET /admin/v1/collection/pauses", "/admin/v1/collection/pauses")
plain("GET /admin/v1/orders", "/admin/v1/orders?limit=100")
plain("GET /admin/v1/orders/{order_id}", "/admin/v1/orders/{order}")
plain("GET /admin/v1/differences", "/admin/v1/differences?limit=100")
plain("GET /admin/v1/differences/{difference_id}", "/admin/v1/differences/{difference}")


@request("POST /admin/v1/fee-items")
async def create_item(world: World, who: Who) -> Prepared:
    code = f"NEW{world.next()}"
    body = {
        "community_id": str(world.a.id), "code": code, "name": "垃圾费", "type": "service", "formula": "fixed",
        "house_kinds": ["residence"], "valid_from": "2026-01-01",
    }  # fmt: skip
    return Prepared("/admin/v1/fee-items", body, shows=(code, world.a.id), touches=(code, world.a.id))


@request("PATCH /admin/v1/fee-items/{item_id}")
async def change_item(world: World, who: Who) -> Prepared:
    item = await fresh.item(world)
    return Prepared(f"/admin/v1/fee-items/{item}", {"due_days": 45}, shows=(item,), touches=(item,))


@request("POST /admin/v1/fee-items/{item_id}/close")
async def close_item(world: World, who: Who) -> Prepared:
    item = await fresh.item(world)
    return Prepared(f"/admin/v1/fee-items/{item}/close", shows=(item,), touches=(item,))


@request("POST /admin/v1/fee-items/{item_id}/prices")
async def propose_price(world: World, who: Who) -> Prepared:
    item = await fresh.item(world)
    body = {"rate_micro": 2_800_000, "effective_from": "2027-01-01", "reason": "业主大会决议"}
    return Prepared(f"/admin/v1/fee-items/{item}/prices", body, touches=(item,))


@request("POST /admin/v1/fee-items/{item_id}/exclusions")
async def exclude_house(world: World, who: Who) -> Prepared:
    item, house = await fresh.item(world), world.ids["house"]
    body = {"house_id": str(house), "reason": "开发商自持"}
    return Prepared(f"/admin/v1/fee-items/{item}/exclusions", body, shows=(house,), touches=(item, house))


@request("DELETE /admin/v1/fee-items/{item_id}/exclusions/{house_id}")
async def include_house(world: World, who: Who) -> Prepared:
    item, house = await fresh.item(world), world.ids["house"]
    await exclude(world, item, house)
    return Prepared(f"/admin/v1/fee-items/{item}/exclusions/{house}", touches=(item, house))


@request("POST /admin/v1/billing-runs")
async def create_run(world: World, who: Who) -> Prepared:
    item = await fresh.item(world)
    body = {"item_id": str(item), "day": "2026-09-01"}
    return Prepared("/admin/v1/billing-runs", body, shows=(item,), touches=(item,))


@request("POST /admin/v1/billing-runs/{run_id}/publish")
async def publish_run(world: World, who: Who) -> Prepared:
    run = await fresh.run(world)
    return Prepared(f"/admin/v1/billing-runs/{run}/publish", shows=(run,), touches=(run, world.ids["house"]))


@request("POST /admin/v1/billing-runs/{run_id}/cancel")
async def cancel_run(world: World, who: Who) -> Prepared:
    run = await fresh.run(world)
    return Prepared(f"/admin/v1/billing-runs/{run}/cancel", {"reason": "单价有误"}, shows=(run,), touches=(run,))


@request("POST /admin/v1/bills/{bill_id}/void")
async def propose_void(world: World, who: Who) -> Prepared:
    bill = await fresh.bill(world)
    return Prepared(f"/admin/v1/bills/{bill}/void", {"reason": "重复出账"}, touches=(bill,))


@request("PUT /admin/v1/message-templates")
async def save_template(world: World, who: Who) -> Prepared:
    body = {
        "appid": MINI, "channel": "subscription", "meaning": "payment_received", "template_id": "SubOther",
        "fields": {"thing1": "subject"},
    }  # fmt: skip
    return Prepared("/admin/v1/message-templates", body, shows=("SubOther",), touches=("SubOther", MINI))


@request("POST /admin/v1/communities/{community_id}/messages/retry")
async def retry_messages(world: World, who: Who) -> Prepared:
    message = await parked_message(world)
    path = f"/admin/v1/communities/{world.a.id}/messages/retry"
    return Prepared(path, {"message_id": str(message)}, touches=(message,))


@request("POST /admin/v1/outbox/{number}/retry")
async def retry_job(world: World, who: Who) -> Prepared:
    number = await parked_job(world, world.a.id)
    return Prepared(f"/admin/v1/outbox/{number}/retry", touches=(f'"id": {number}', f"outbox:{number}"))


async def _keys(world: World) -> dict[str, object]:
    return {
        "serial_no": vectors.MERCHANT_SERIAL, "private_key_pem": vectors.private_pem(vectors.key_m()),
        "api_v3_key": API_V3_KEY, "platform_keys": await fresh.platform_keys(world),
    }  # fmt: skip


@request("POST /admin/v1/merchants")
async def create_merchant(world: World, who: Who) -> Prepared:
    item = await fresh.item(world)
    body = {
        "community_id": str(world.a.id), "item_id": str(item), "mchid": "1900007291", "appid": MINI, "name": "专项",
        "keys": await _keys(world),
    }  # fmt: skip
    return Prepared("/admin/v1/merchants", body, shows=(item,), touches=(item,))


@request("POST /admin/v1/merchants/{merchant_id}/keys")
async def propose_keys(world: World, who: Who) -> Prepared:
    merchant = await fresh.merchant(world)
    body = {"keys": await _keys(world), "reason": "证书到期"}
    return Prepared(f"/admin/v1/merchants/{merchant}/keys", body, touches=(merchant,))


async def _change_merchant(world: World, action: str) -> Prepared:
    merchant = await fresh.merchant(world)
    path = f"/admin/v1/merchants/{merchant}/{action}"
    return Prepared(path, {"reason": "更换收款账户"}, shows=(merchant,), touches=(merchant,))


@request("POST /admin/v1/merchants/{merchant_id}/pause")
async def pause(world: World, who: Who) -> Prepared:
    return await _change_merchant(world, "pause")


@request("POST /admin/v1/merchants/{merchant_id}/resume")
async def resume(world: World, who: Who) -> Prepared:
    return await _change_merchant(world, "resume")


@request("POST /admin/v1/merchants/{merchant_id}/retire")
async def retire(world: World, who: Who) -> Prepared:
    return await _change_merchant(world, "retire")


@request("POST /admin/v1/collection/pause")
async def pause_collection(world: World, who: Who) -> Prepared:
    await world.res.db.execute("DELETE FROM collection_pause")
    body = {"community_id": str(world.a.id), "reason": "银行维护"}
    return Prepared("/admin/v1/collection/pause", body, shows=(world.a.id,), touches=(world.a.id,))


@request("POST /admin/v1/collection/resume")
async def resume_collection(world: World, who: Who) -> Prepared:
    if who.name in ("manager", "admin"):
        await fresh.pause(world)
    body = {"community_id": str(world.a.id), "reason": "维护完毕"}
    return Prepared("/admin/v1/collection/resume", body, touches=(world.a.id,))


@request("POST /admin/v1/orders/{order_id}/ask")
async def ask(world: World, who: Who) -> Prepared:
    order = await place_order(world, "owner", world.ids["house"], await fresh.bill(world))
    return Prepared(f"/admin/v1/orders/{order}/ask", shows=(order,), touches=(order,))


@request("POST /admin/v1/differences/{difference_id}/resolve")
async def resolve(world: World, who: Who) -> Prepared:
    made = await difference(world)
    path = f"/admin/v1/differences/{made}/resolve"
    return Prepared(path, {"note": "已联系业主"}, shows=(made,), touches=(made,))
