"""The requests of parking: staff, the guard's console, residents, cameras."""

from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

from backend.kernel.approvals import Approval
from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.parking.prices import tariffs
from tests import factories_devices, factories_parking
from tests.factories_parking import PRICES
from tests.security.prepared import Prepared, plain, request
from tests.security.world import Who, World

LOT = "/admin/v1/parking-lots/{lot_id}"
STAYS = "/admin/v1/parking-stays/{session_id}"
RULES = {"name": "地面停车场", "spaces": 50, "basis": "exit", "quote_minutes": 5, "arrears_days": 90}

plain("GET /admin/v1/parking-lots", "/admin/v1/parking-lots")
plain(f"GET {LOT}/lanes", "/admin/v1/parking-lots/{lot}/lanes")
plain(f"GET {LOT}/tariffs", "/admin/v1/parking-lots/{lot}/tariffs")
plain(f"GET {LOT}/cards", "/admin/v1/parking-lots/{lot}/cards?limit=100")
plain(f"GET {LOT}/stays", "/admin/v1/parking-lots/{lot}/stays?limit=100")
plain(f"GET {STAYS}", "/admin/v1/parking-stays/{stay}")
plain(f"GET {LOT}/limits", "/admin/v1/parking-lots/{lot}/limits")
plain(f"GET {LOT}/long-stays", "/admin/v1/parking-lots/{lot}/long-stays")
plain(f"GET {LOT}/figures", "/admin/v1/parking-lots/{lot}/figures?starts_on=2026-09-01&ends_on=2026-09-30")
plain(f"GET {LOT}/figures.xlsx", "/admin/v1/parking-lots/{lot}/figures.xlsx?starts_on=2026-09-01&ends_on=2026-09-30")
plain(
    f"GET {LOT}/hand-openings",
    "/admin/v1/parking-lots/{lot}/hand-openings?starts_on=2025-09-01&ends_on=2025-09-30",
)
plain("GET /device/v1/parking-gate-list", "/device/v1/parking-gate-list")
plain("GET /api/v1/houses/{house_id}/visitor-vehicles", "/api/v1/houses/{house}/visitor-vehicles")
plain("GET /api/v1/parking-lots", "/api/v1/parking-lots")
plain("GET /api/v1/parking-vehicles", "/api/v1/parking-vehicles")
plain("GET /api/v1/parking-stays", "/api/v1/parking-stays?limit=100")


@request("GET /api/v1/parking-lots/{lot_id}/free-spaces")
async def follow_free_spaces(world: World, who: Who) -> Prepared:
    """Who has redeemed a family code in an earlier request lives in the community; that is taken back."""
    await world.res.db.execute("DELETE FROM occupancy WHERE source = 'family_code'")
    return Prepared(f"/api/v1/parking-lots/{world.ids['lot']}/free-spaces", touches=(world.ids["lot"],))


@request("GET /files/{folder}/{name}", "GET /files/{folder}/{part}/{name}")
async def read_file(world: World, who: Who) -> Prepared:
    """A picture at an address that was given out a moment ago."""
    key = "parking-pictures/2026-09/0190.jpg"
    await world.res.storage.put(key, b"picture")
    parts = urlsplit(world.res.storage.url(key, 60))
    return Prepared(f"{parts.path}?{parts.query}", shows=("picture",))


def plate(world: World) -> str:
    """A plate that no request has used."""
    return f"粤C{world.next():05d}"


async def lot(world: World) -> factories_parking.Lot:
    """A lot of community A of its own, without prices."""
    return await factories_parking.lot(world.res, world.a, code=f"P{world.next()}", prices=None)


async def car(world: World, text: str | None = None, *, hours: int = 0) -> UUID:
    """A car in the lot of community A, for some hours."""
    text = text or plate(world)
    await world.lots["a"].arrives(text)
    blind = world.res.keyring.blind(text, "plate")
    found: UUID = await world.res.db.fetchval(
        """UPDATE parking_session SET entered_at = entered_at - $2::interval
            WHERE plate_blind = $1 AND state = 'IN' RETURNING id""",
        blind, timedelta(hours=hours),
    )  # fmt: skip
    return found


@request("POST /admin/v1/communities/{community_id}/parking-lots")
async def create_lot(world: World, who: Who) -> Prepared:
    body = {"code": f"N{world.next()}", **RULES}
    return Prepared(f"/admin/v1/communities/{world.a.id}/parking-lots", body, touches=(world.a.id,))


@request(f"PUT {LOT}")
async def change_lot(world: World, who: Who) -> Prepared:
    made = await lot(world)
    return Prepared(f"/admin/v1/parking-lots/{made.id}", RULES, shows=(made.id,), touches=(made.id,))


@request(f"PUT {LOT}/limits")
async def set_limits(world: World, who: Who) -> Prepared:
    made = await lot(world)
    path = f"/admin/v1/parking-lots/{made.id}/limits"
    return Prepared(path, {"long_stay_days": 14, "picture_days": 7}, touches=(made.id,))


@request(f"POST {LOT}/lanes")
async def add_lane(world: World, who: Who) -> Prepared:
    made, camera = await lot(world), await factories_devices.device(world.res, world.a)
    ids = {"camera_device_id": str(camera.id), "barrier_device_id": str(camera.id)}
    body = {"direction": "in", "name": "西门", **ids}
    return Prepared(f"/admin/v1/parking-lots/{made.id}/lanes", body, touches=(made.id, camera.id))


@request(f"POST {LOT}/tariffs")
async def propose_tariff(world: World, who: Who) -> Prepared:
    made = await lot(world)
    body = {"document": PRICES, "effective_from": "2027-01-01T00:00:00+08:00", "reason": "备案价格调整"}
    return Prepared(f"/admin/v1/parking-lots/{made.id}/tariffs", body, touches=(made.id,))


@request(f"POST {LOT}/tariffs/what-if")
async def try_prices(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    body = {"document": PRICES, "starts_at": "2026-08-01T00:00:00+08:00", "ends_at": "2026-09-01T00:00:00+08:00"}
    return Prepared(f"/admin/v1/parking-lots/{world.ids['lot']}/tariffs/what-if", body, touches=(world.ids["lot"],))


@request("POST /admin/v1/approvals/{approval_id}/decision #parking tariff")
async def decide_tariff(world: World, who: Who) -> Prepared:
    made = await lot(world)

    async def propose(tx: Tx) -> Approval:
        return await tariffs.propose(
            tx, Actor("staff", world.ids["staff_second"]), lot_id=made.id, communities=[world.a.id], given=PRICES,
            effective_from=tx.now + timedelta(days=1), reason="备案价格调整",
        )  # fmt: skip

    asked = await world.res.db.transact(propose)
    body = {"approve": True, "note": "同意"}
    return Prepared(f"/admin/v1/approvals/{asked.id}/decision", body, touches=(asked.id, made.id))


@request(f"POST {LOT}/cards")
async def issue_card(world: World, who: Who) -> Prepared:
    made = await lot(world)
    house = world.ids["house"]
    body = {
        "kind": "monthly", "plates": [plate(world)], "spaces": 1, "starts_on": "2026-09-01", "ends_on": "2026-10-01",
        "house_id": str(house),
    }  # fmt: skip
    return Prepared(f"/admin/v1/parking-lots/{made.id}/cards", body, touches=(made.id, house))


@request("POST /admin/v1/parking-cards/{card_id}/cancel")
async def cancel_card(world: World, who: Who) -> Prepared:
    card = await factories_parking.card(await lot(world), [plate(world)])
    return Prepared(f"/admin/v1/parking-cards/{card}/cancel", {"reason": "车辆已过户"}, touches=(card,))


@request(f"POST {LOT}/visitor-cards")
async def issue_visitor_card(world: World, who: Who) -> Prepared:
    made, house, now = await lot(world), world.ids["house"], world.res.clock.now()
    body = {
        "plate": plate(world), "starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=3)).isoformat(),
        "entries": 1, "house_id": str(house),
    }  # fmt: skip
    return Prepared(f"/admin/v1/parking-lots/{made.id}/visitor-cards", body, touches=(made.id, house))


@request("POST /api/v1/houses/{house_id}/visitor-vehicles")
async def announce_visitor(world: World, who: Who) -> Prepared:
    made, house, now = await lot(world), world.ids["house"], world.res.clock.now()
    await world.res.redis.flushdb()
    await world.res.db.execute("UPDATE parking_lot SET visitors_per_day = 1 WHERE id = $1", made.id)
    body = {
        "lot_id": str(made.id), "plate": plate(world), "starts_at": now.isoformat(),
        "ends_at": (now + timedelta(hours=3)).isoformat(), "entries": 1,
    }  # fmt: skip
    return Prepared(f"/api/v1/houses/{house}/visitor-vehicles", body, touches=(made.id, house))


@request(f"POST {LOT}/list-entries")
async def put_on_list(world: World, who: Who) -> Prepared:
    made = await lot(world)
    body = {"kind": "black", "plate": plate(world), "starts_on": "2026-09-01", "ends_on": None, "reason": "冲卡"}
    return Prepared(f"/admin/v1/parking-lots/{made.id}/list-entries", body, touches=(made.id,))


@request(f"POST {LOT}/lanes/{{lane_id}}/open")
async def open_lane(world: World, who: Who) -> Prepared:
    stay, at = await car(world), world.lots["a"]
    path = f"/admin/v1/parking-lots/{at.id}/lanes/{at.lane_out}/open"
    body = {"reason": "老人就医", "session_id": str(stay), "plate": None}
    return Prepared(path, body, shows=(stay,), touches=(stay, at.lane_out))


@request(f"POST {LOT}/open-all")
async def open_all(world: World, who: Who) -> Prepared:
    made = await lot(world)
    path = f"/admin/v1/parking-lots/{made.id}/open-all"
    return Prepared(path, {"reason": "火警"}, touches=(made.id, made.lane_in, made.lane_out))


@request(f"POST {STAYS}/correct")
async def correct(world: World, who: Who) -> Prepared:
    stay = await car(world)
    body = {"plate": plate(world), "reason": "识别错误"}
    return Prepared(f"/admin/v1/parking-stays/{stay}/correct", body, shows=(stay,), touches=(stay,))


@request(f"POST {STAYS}/match")
async def match(world: World, who: Who) -> Prepared:
    right, wrong = plate(world), plate(world)
    stay = await car(world, right)
    await world.lots["a"].leaves(wrong)
    unseen = await world.res.db.fetchval(
        "SELECT id FROM parking_session WHERE plate_blind = $1", world.res.keyring.blind(wrong, "plate")
    )
    body = {"candidate_id": str(stay), "reason": "车牌识别错一位"}
    return Prepared(f"/admin/v1/parking-stays/{unseen}/match", body, touches=(stay, unseen))


@request(f"POST {STAYS}/void")
async def void(world: World, who: Who) -> Prepared:
    stay = await car(world)
    return Prepared(f"/admin/v1/parking-stays/{stay}/void", {"reason": "重复记录"}, touches=(stay,))


@request(f"POST {STAYS}/quote")
async def quote(world: World, who: Who) -> Prepared:
    stay = await car(world, hours=2)
    return Prepared(f"/admin/v1/parking-stays/{stay}/quote", shows=(stay,), touches=(stay,))


@request(f"POST {STAYS}/plate")
async def reveal(world: World, who: Who) -> Prepared:
    text = plate(world)
    stay = await car(world, text)
    return Prepared(f"/admin/v1/parking-stays/{stay}/plate", {"reason": "核对车辆"}, shows=(text,), touches=(stay,))


@request(f"POST {STAYS}/pictures")
async def show_pictures(world: World, who: Who) -> Prepared:
    stay = await car(world)
    return Prepared(f"/admin/v1/parking-stays/{stay}/pictures", {"reason": "核对车辆"}, touches=(stay,))


@request("POST /api/v1/parking-quotes")
async def ask(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    text = plate(world)
    stay = await car(world, text, hours=2)
    body = {"lot_id": str(world.ids["lot"]), "plate": text}
    touches = (stay, world.ids["lot"], world.a.id, world.ids["tariff"])
    return Prepared("/api/v1/parking-quotes", body, shows=(stay,), touches=touches)


@request("POST /api/v1/parking-quotes/{quote_id}/payments")
async def pay(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    await world.res.db.execute("DELETE FROM collection_pause")
    text = plate(world)
    stay = await car(world, text, hours=2)
    asked = await world.lots["a"].quote(text)
    assert asked.quote is not None
    path = f"/api/v1/parking-quotes/{asked.quote['id']}/payments"
    return Prepared(path, {"channel": "wechat", "method": "jsapi"}, touches=(stay, world.a.id, world.ids["merchant"]))


@request("POST /device/v1/sightings")
async def see(world: World, who: Who) -> Prepared:
    at = world.res.clock.now().isoformat()
    body = {"key": f"m{world.next()}", "kind": "plate", "plate": plate(world), "at": at, "sequence": world.next()}
    return Prepared("/device/v1/sightings", body, touches=(world.ids["device"], world.ids["lot"]))


@request("POST /device/v1/cameras/{vendor}/{device_id}/{key}")
async def push(world: World, who: Who) -> Prepared:
    made = await factories_devices.device(world.res, world.a, vendor="zhenshi")
    return Prepared(f"/device/v1/cameras/zhenshi/{made.id}/not-its-secret", raw=b"{}")
