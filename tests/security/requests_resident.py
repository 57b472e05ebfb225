"""The requests of residents, of the system's own pages, and of the channel."""

from tests.security import fresh
from tests.security.prepared import Prepared, plain, request
from tests.security.world import MINI, RESIDENTS, Who, World, letter, place_order

plain("GET /", "/")
plain("GET /healthz", "/healthz")
plain("GET /readyz", "/readyz")
plain("GET /metrics", "/metrics")
plain("GET /openapi.json", "/openapi.json")
plain("GET /docs", "/docs")
plain("GET /api/v1/me", "/api/v1/me")
plain("GET /api/v1/consents", "/api/v1/consents")
plain("GET /api/v1/houses", "/api/v1/houses")
plain("GET /api/v1/houses/{house_id}/members", "/api/v1/houses/{house}/members")
plain("GET /api/v1/communities", "/api/v1/communities")
plain("GET /api/v1/applications", "/api/v1/applications")
plain("GET /api/v1/bills", "/api/v1/bills?limit=100")
for suffix in ("", "/explanation"):
    route = f"GET /api/v1/bills/{{bill_id}}{suffix}"
    plain(route, f"/api/v1/bills/{{bill}}{suffix}")
    plain(f"{route} #naming the tenant", f"/api/v1/bills/{{lease}}{suffix}")
    plain(f"{route} #own debt of who moved out", f"/api/v1/bills/{{debt}}{suffix}")
    plain(f"{route} #draft", f"/api/v1/bills/{{draft_bill}}{suffix}")
plain("GET /api/v1/payments", "/api/v1/payments?limit=100")
plain("GET /api/v1/payments/{payment_id}", "/api/v1/payments/{order}")
plain("GET /api/v1/messages", "/api/v1/messages?limit=100")
plain("GET /api/v1/subscriptions", "/api/v1/subscriptions")


plain("GET /api/v1/payment-ways", "/api/v1/payment-ways?bill_ids={bill}")
plain("GET /api/v1/payment-ways #naming the tenant", "/api/v1/payment-ways?bill_ids={lease}")


@request("POST /pay/notify/wechat/{merchant_id}")
async def notify(world: World, who: Who) -> Prepared:
    body = b'{"id": "x", "event_type": "TRANSACTION.SUCCESS"}'
    return Prepared(f"/pay/notify/wechat/{world.ids['merchant']}", raw=body)


@request("POST /pay/notify/wechat/{merchant_id}/refund")
async def notify_of_refund(world: World, who: Who) -> Prepared:
    body = b'{"id": "x", "event_type": "REFUND.SUCCESS"}'
    return Prepared(f"/pay/notify/wechat/{world.ids['merchant']}/refund", raw=body)


@request("POST /pay/notify/alipay/{merchant_id}")
async def notify_of_alipay(world: World, who: Who) -> Prepared:
    body = b"notify_id=x&trade_status=TRADE_SUCCESS&sign_type=RSA2&sign=AAAA"
    return Prepared(f"/pay/notify/alipay/{await fresh.alipay_merchant(world)}", raw=body)


@request("POST /api/v1/login")
async def log_in(world: World, who: Who) -> Prepared:
    return Prepared("/api/v1/login", {"appid": MINI, "code": await fresh.wechat_login(world, "login")})


@request("POST /api/v1/logout")
async def log_out(world: World, who: Who) -> Prepared:
    return Prepared("/api/v1/logout", token=await fresh.session(world, who))


@request("POST /api/v1/phone")
async def bind_phone(world: World, who: Who) -> Prepared:
    asker = await fresh.another(world, who)
    code = await fresh.wechat_login(world, "phone")
    return Prepared("/api/v1/phone", {"code": code}, token=asker.token, touches=(asker.wechat_user_id,))


@request("POST /api/v1/staff-binding")
async def bind_staff(world: World, who: Who) -> Prepared:
    return Prepared("/api/v1/staff-binding", {"code": await fresh.wechat_code(world)}, touches=(who.wechat_user_id,))


@request("PUT /api/v1/me/name")
async def rename(world: World, who: Who) -> Prepared:
    return Prepared("/api/v1/me/name", {"name": "孙七"}, touches=(who.id,))


@request("POST /api/v1/consents")
async def consent(world: World, who: Who) -> Prepared:
    return Prepared("/api/v1/consents", {"purpose": "vehicles", "version": 3}, touches=(who.id,))


@request("DELETE /api/v1/consents/{purpose}")
async def revoke_consent(world: World, who: Who) -> Prepared:
    if who.name in RESIDENTS:
        await fresh.consent(world, who.id)
    return Prepared("/api/v1/consents/messages", touches=(who.id,))


@request("POST /api/v1/houses/{house_id}/family-codes")
async def family_code(world: World, who: Who) -> Prepared:
    house = world.ids["house"]
    return Prepared(f"/api/v1/houses/{house}/family-codes", {"role": "tenant"}, touches=(house, who.id))


@request("POST /api/v1/houses/join")
async def join(world: World, who: Who) -> Prepared:
    code, house_id = await fresh.family_code(world)
    return Prepared("/api/v1/houses/join", {"code": code}, shows=(house_id,), touches=(house_id, who.id))


@request("DELETE /api/v1/houses/{house_id}/members/{occupancy_id}")
async def remove_member(world: World, who: Who) -> Prepared:
    tie = await fresh.member_of_house(world, "tenant")
    return Prepared(f"/api/v1/houses/{world.ids['house']}/members/{tie}", touches=(tie,))


@request("DELETE /api/v1/houses/{house_id}/members/{occupancy_id} #another owner")
async def remove_owner(world: World, who: Who) -> Prepared:
    tie = await fresh.member_of_house(world, "owner")
    return Prepared(f"/api/v1/houses/{world.ids['house']}/members/{tie}")


@request("DELETE /api/v1/houses/{house_id}/members/{occupancy_id} #of another house")
async def remove_foreign_member(world: World, who: Who) -> Prepared:
    tie = await fresh.member_of_house(world, "tenant", "next_house")
    return Prepared(f"/api/v1/houses/{world.ids['house']}/members/{tie}")


@request("POST /api/v1/applications")
async def apply(world: World, who: Who) -> Prepared:
    house_id = await fresh.house(world)
    code = await world.res.db.fetchval("SELECT code FROM house WHERE id = $1", house_id)
    await world.res.db.execute("UPDATE house SET search_key = '1-1-' || code WHERE id = $1", house_id)
    place, label = str(world.a.id), f"1栋1单元{code}"
    body = {"community_id": place, "house": label, "role": "owner", "name": "张三", "reason": "购房"}
    return Prepared("/api/v1/applications", body, touches=(house_id, who.id))


async def _pay(world: World, liable: str, *, published: bool = True) -> Prepared:
    bill_id = await fresh.bill(world, liable=liable, published=published)
    return Prepared("/api/v1/payments", {"bill_ids": [str(bill_id)]}, touches=(bill_id,))


@request("POST /api/v1/payments")
async def pay(world: World, who: Who) -> Prepared:
    return await _pay(world, "owner")


@request("POST /api/v1/payments #naming the tenant")
async def pay_lease(world: World, who: Who) -> Prepared:
    return await _pay(world, "tenant")


@request("POST /api/v1/payments #own debt of who moved out")
async def pay_debt(world: World, who: Who) -> Prepared:
    return await _pay(world, "former")


@request("POST /api/v1/payments #draft")
async def pay_draft(world: World, who: Who) -> Prepared:
    return await _pay(world, "owner", published=False)


@request("POST /api/v1/payments/{payment_id}/cancel")
async def cancel(world: World, who: Who) -> Prepared:
    order_id = await place_order(world, "owner", world.ids["house"], await fresh.bill(world))
    return Prepared(f"/api/v1/payments/{order_id}/cancel", shows=(order_id,), touches=(order_id,))


@request("POST /api/v1/messages/{message_id}/read")
async def read_message(world: World, who: Who) -> Prepared:
    letter_id = await letter(world, world.ids["owner"])
    return Prepared(f"/api/v1/messages/{letter_id}/read", shows=(letter_id,), touches=(letter_id,))


@request("POST /api/v1/subscriptions")
async def answer_subscriptions(world: World, who: Who) -> Prepared:
    return Prepared("/api/v1/subscriptions", {"answers": {"SubOurs": "accept"}}, touches=(who.id,))
