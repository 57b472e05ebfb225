"""The requests of the lanes' codes: shown and replaced by staff, scanned by anybody."""

from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

from backend.kernel.audit import SYSTEM
from backend.parking.lanes import lane_codes, plateless
from tests.factories_parking import Lot
from tests.security.prepared import Prepared, request
from tests.security.requests_parking import LOT, car, lot, plate
from tests.security.world import Who, World

LANE = f"{LOT}/lanes/{{lane_id}}"


async def code(world: World, lane_id: UUID) -> str:
    """The code of a lane."""
    return str(await world.res.db.fetchval("SELECT scan_code FROM parking_lane WHERE id = $1", lane_id))


def browser(world: World) -> tuple[bytes, dict[str, str]]:
    """A phone that has scanned an entry's code: by what it is found, and its cookie."""
    secret = f"{world.next():032d}"
    return plateless.browser(world.res.keyring, secret), {"Cookie": f"linli_driver={secret}"}


@request(f"GET {LANE}/scan-code")
async def show(world: World, who: Who) -> Prepared:
    at = world.lots["a"]
    return Prepared(f"/admin/v1/parking-lots/{at.id}/lanes/{at.lane_in}/scan-code")


@request(f"GET {LANE}/scan-code.svg")
async def draw(world: World, who: Who) -> Prepared:
    at = world.lots["a"]
    return Prepared(f"/admin/v1/parking-lots/{at.id}/lanes/{at.lane_in}/scan-code.svg")


@request(f"POST {LANE}/scan-code")
async def replace(world: World, who: Who) -> Prepared:
    made = await lot(world)
    path = f"/admin/v1/parking-lots/{made.id}/lanes/{made.lane_out}/scan-code"
    return Prepared(path, {"reason": "车道码被人替换"}, shows=(made.lane_out,), touches=(made.lane_out,))


@request("GET /p/lanes/{lane_code}")
async def look(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    return Prepared(f"/p/lanes/{await code(world, world.lots['a'].lane_in)}")


@request("GET /p/lanes/{lane_code}/wechat")
async def back(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    return Prepared(f"/p/lanes/{await code(world, world.lots['a'].lane_in)}/wechat?code=x&state=y")


@request("POST /p/lanes/{lane_code}/plate")
async def find(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    text = plate(world)
    stay = await car(world, text, hours=2)
    path = f"/p/lanes/{await code(world, world.lots['a'].lane_out)}/plate"
    touches = (stay, world.a.id, world.ids["lot"], world.ids["tariff"])
    return Prepared(path, raw=urlencode({"plate": text}).encode(), touches=touches)


@request("POST /p/lanes/{lane_code}/orders")
async def pay(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    await world.res.db.execute("DELETE FROM collection_pause")
    text = plate(world)
    stay = await car(world, text, hours=2)
    asked = await world.lots["a"].quote(text)
    assert asked.quote is not None
    path = f"/p/lanes/{await code(world, world.lots['a'].lane_out)}/orders"
    raw = urlencode({"method": "h5", "quote_id": asked.quote["id"]}).encode()
    return Prepared(path, raw=raw, touches=(stay, world.a.id, world.ids["merchant"]))


@request("POST /p/lanes/{lane_code}/enter")
async def enter(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    made = await lot(world)
    await made.arrives(None)
    path, (_, headers) = f"/p/lanes/{await code(world, made.lane_in)}/enter", browser(world)
    return Prepared(path, raw=b"", headers=headers, touches=(world.a.id, made.id, made.lane_in))


@request("POST /p/lanes/{lane_code}/leave")
async def leave(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    made = await lot(world)
    driver, headers = browser(world)
    await came_in(made, driver)
    await made.leaves(None)
    path = f"/p/lanes/{await code(world, made.lane_out)}/leave"
    return Prepared(path, raw=b"", headers=headers, touches=(world.a.id, made.id, made.lane_in, made.lane_out))


async def came_in(made: Lot, driver: bytes) -> None:
    """A car without a plate that came in a minute ago by scanning."""
    await made.arrives(None)
    lane = await lane_codes.one(made.res.db, made.lane_in, lot_id=made.id, communities=[made.place.id])
    await made.res.db.transact(
        lambda tx: plateless.enter(tx, SYSTEM, lane, keyring=made.res.keyring, driver=driver)
    )  # fmt: skip
    await made.res.db.execute(
        "UPDATE parking_session SET entered_at = entered_at - $2::interval WHERE lot_id = $1",
        made.id, timedelta(minutes=1),
    )  # fmt: skip
