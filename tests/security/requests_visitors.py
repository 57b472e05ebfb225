"""The requests of visitors: residents, staff, and the guard at a gate."""

from datetime import timedelta
from uuid import UUID

from backend.visitors.passes import Redeemed
from backend.visitors.states import BanKind
from tests.factories_visitors import Yard
from tests.security.prepared import Prepared, plain, request
from tests.security.world import Who, World, yard

HOUSE, PASS, COMMUNITY = (
    "/api/v1/houses/{house_id}", "/api/v1/visitor-passes/{pass_id}", "/admin/v1/communities/{community_id}"
)  # fmt: skip
RULE = {
    "passes_per_day": 100, "longest_days": 30, "approval_hours": 168, "answer_minutes": 5, "stay_hours": 12,
    "overstay_minutes": None, "assume_left_hours": 24, "goods_approval": True, "keep_days": 30,
}  # fmt: skip

plain(f"GET {HOUSE}/visitor-options", "/api/v1/houses/{house}/visitor-options")
plain(f"GET {HOUSE}/visitor-passes", "/api/v1/houses/{house}/visitor-passes?limit=100")
plain(f"GET {PASS}", "/api/v1/visitor-passes/{pass}")
plain(f"GET {PASS} #the tenant's own", "/api/v1/visitor-passes/{lease_pass}")
plain(f"GET {HOUSE}/visits", "/api/v1/houses/{house}/visits?limit=100")
plain("GET /api/v1/walk-ins", "/api/v1/walk-ins")
plain("GET /api/v1/goods-permits", "/api/v1/goods-permits")
for noun in ("visitor-rule", "visitor-passes", "visitor-bans", "visitor-gates", "walk-ins", "visitor-entries",
             "goods-permits"):  # fmt: skip
    paged = "?limit=100" if noun in ("visitor-passes", "visitor-bans", "visitor-entries") else ""
    plain(f"GET {COMMUNITY}/{noun}", f"/admin/v1/communities/{{a}}/{noun}{paged}")


async def ours(world: World) -> Yard:
    """The house's yard, where nothing that earlier requests have made counts against a limit."""
    await world.res.redis.flushdb()
    await world.res.db.execute("UPDATE visitor_pass SET valid_from = valid_from - interval '3 days'")
    return yard(world)


async def fresh_pass(world: World, *, draft: bool = False) -> UUID:
    return (await (await ours(world)).invite(draft=draft, hours=100)).id


def window(world: World) -> dict[str, str]:
    now = world.res.clock.now()
    return {"valid_from": now.isoformat(), "valid_until": (now + timedelta(hours=3)).isoformat()}


@request(f"POST {HOUSE}/visitor-passes")
async def invite(world: World, who: Who) -> Prepared:
    at = await ours(world)
    body = {"name": "李四", "gate_ids": [str(at.gate_id)], **window(world)}
    return Prepared(f"/api/v1/houses/{at.house_id}/visitor-passes", body, touches=(at.house_id,))


@request(f"POST {PASS}/submit")
async def submit(world: World, who: Who) -> Prepared:
    made = await fresh_pass(world, draft=True)
    return Prepared(f"/api/v1/visitor-passes/{made}/submit", touches=(made,))


@request(f"POST {PASS}/cancel")
async def cancel(world: World, who: Who) -> Prepared:
    made = await fresh_pass(world)
    return Prepared(f"/api/v1/visitor-passes/{made}/cancel", touches=(made,))


@request(f"POST {PASS}/codes")
async def give_code(world: World, who: Who) -> Prepared:
    made, on = await fresh_pass(world), world.res.clock.now() + timedelta(days=1)
    body = {"gate_id": str(world.ids["gate"]), "valid_on": on.date().isoformat()}
    return Prepared(f"/api/v1/visitor-passes/{made}/codes", body, touches=(made,))


@request("POST /api/v1/walk-ins/{walk_in_id}/answer")
async def answer_walk_in(world: World, who: Who) -> Prepared:
    made = await yard(world).register()
    return Prepared(f"/api/v1/walk-ins/{made}/answer", {"admit": True}, touches=(made,))


@request(f"POST {HOUSE}/goods-permits")
async def ask_permit(world: World, who: Who) -> Prepared:
    at = await ours(world)
    await at.rule()
    body = {"goods": "沙发一张", "carrier": "赵师傅", **window(world)}
    return Prepared(f"/api/v1/houses/{at.house_id}/goods-permits", body, touches=(at.house_id,))


@request("POST /api/v1/goods-permits/{permit_id}/cancel")
async def cancel_permit(world: World, who: Who) -> Prepared:
    made = await yard(world).permit()
    return Prepared(f"/api/v1/goods-permits/{made}/cancel", touches=(made,))


@request(f"PUT {HOUSE}/door-pass")
async def my_door_pass(world: World, who: Who) -> Prepared:
    house = world.ids["house"]
    await world.res.db.execute("DELETE FROM resident_pass")
    return Prepared(f"/api/v1/houses/{house}/door-pass", touches=(house,))


@request(f"PUT {COMMUNITY}/visitor-rule")
async def set_rule(world: World, who: Who) -> Prepared:
    return Prepared(f"/admin/v1/communities/{world.a.id}/visitor-rule", RULE, touches=(world.a.id,))


@request("POST /admin/v1/visitor-passes/{pass_id}/revoke")
async def revoke(world: World, who: Who) -> Prepared:
    made = await fresh_pass(world)
    return Prepared(f"/admin/v1/visitor-passes/{made}/revoke", {"reason": "冒用通行证"}, touches=(made,))


@request(f"POST {COMMUNITY}/visitor-bans")
async def put_ban(world: World, who: Who) -> Prepared:
    body = {"kind": "phone", "value": f"137{world.next():08}", "reason": "多次尾随进入"}
    return Prepared(f"/admin/v1/communities/{world.a.id}/visitor-bans", body, touches=(world.a.id,))


@request("POST /admin/v1/visitor-bans/{ban_id}/lift")
async def lift_ban(world: World, who: Who) -> Prepared:
    made = await yard(world).ban(BanKind.PHONE, f"137{world.next():08}")
    return Prepared(f"/admin/v1/visitor-bans/{made}/lift", {"reason": "误登记"}, touches=(made,))


@request("POST /admin/v1/visitor-gates/{gate_id}/admissions")
async def admit(world: World, who: Who) -> Prepared:
    made = await fresh_pass(world)
    path = f"/admin/v1/visitor-gates/{world.ids['gate']}/admissions"
    return Prepared(path, {"pass_id": str(made)}, touches=(made, world.ids["gate"]))


@request("POST /admin/v1/visitor-gates/{gate_id}/walk-ins")
async def register(world: World, who: Who) -> Prepared:
    house = world.ids["house"]
    body = {"house_id": str(house), "name": "王师傅", "purpose": "送货"}
    return Prepared(f"/admin/v1/visitor-gates/{world.ids['gate']}/walk-ins", body, touches=(house,))


@request("POST /admin/v1/walk-ins/{walk_in_id}/decision")
async def decide(world: World, who: Who) -> Prepared:
    made = await yard(world).register()
    await world.res.db.execute("UPDATE visitor_walk_in SET answer_by = registered_at WHERE id = $1", made)
    body = {"admit": True, "reason": "电话联系业主，同意放行"}
    return Prepared(f"/admin/v1/walk-ins/{made}/decision", body, touches=(made,))


@request("POST /admin/v1/visitor-entries/{entry_id}/check-out")
async def check_out(world: World, who: Who) -> Prepared:
    made = await yard(world).redeem(world.ids["pass"])
    assert isinstance(made, Redeemed)
    return Prepared(f"/admin/v1/visitor-entries/{made.entry_id}/check-out", touches=(made.entry_id,))


@request("POST /admin/v1/goods-permits/{permit_id}/check-off")
async def check_off(world: World, who: Who) -> Prepared:
    made = await yard(world).permit()
    body = {"gate_id": str(world.ids["gate"])}
    return Prepared(f"/admin/v1/goods-permits/{made}/check-off", body, touches=(made,))


@request("POST /admin/v1/approvals/{approval_id}/decision #visitor pass")
async def decide_pass(world: World, who: Who) -> Prepared:
    made = await (await ours(world)).invite(hours=24 * 9)
    return await _decision(world, made.id)


@request("POST /admin/v1/approvals/{approval_id}/decision #visitor goods")
async def decide_goods(world: World, who: Who) -> Prepared:
    return await _decision(world, await yard(world).permit(approved=False))


async def _decision(world: World, target: UUID) -> Prepared:
    found = await world.res.db.fetchval("SELECT id FROM approval WHERE target LIKE '%:' || $1::text", str(target))
    path = f"/admin/v1/approvals/{found}/decision"
    return Prepared(path, {"approve": True, "note": "同意"}, touches=(found, target))
