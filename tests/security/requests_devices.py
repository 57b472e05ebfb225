"""The requests of devices and about them."""

from tests import factories_devices
from tests.security.prepared import Prepared, plain, request
from tests.security.world import Who, World

plain("GET /admin/v1/devices", "/admin/v1/devices?limit=100")
plain("GET /device/v1/commands", "/device/v1/commands?wait_s=0")


@request("POST /admin/v1/devices")
async def register(world: World, who: Who) -> Prepared:
    body = {"community_id": str(world.a.id), "kind": "barrier", "vendor": "neutral", "name": f"{world.next()}号道闸"}
    return Prepared("/admin/v1/devices", body, touches=(world.a.id,))


async def a_device(world: World) -> factories_devices.Device:
    return await factories_devices.device(world.res, world.a, name=f"{world.next()}号设备")


@request("POST /admin/v1/devices/{device_id}/secret")
async def rotate(world: World, who: Who) -> Prepared:
    made = await a_device(world)
    return Prepared(f"/admin/v1/devices/{made.id}/secret", shows=(made.id,), touches=(made.id,))


@request("POST /admin/v1/devices/{device_id}/revoke")
async def revoke(world: World, who: Who) -> Prepared:
    made = await a_device(world)
    return Prepared(f"/admin/v1/devices/{made.id}/revoke", {"reason": "设备更换"}, touches=(made.id,))


@request("POST /device/v1/commands/{command_id}/acknowledgement")
async def acknowledge(world: World, who: Who) -> Prepared:
    """A command of the world's own device, delivered a moment ago."""
    token = world.who["device"].token or ""
    mine = factories_devices.Device(world.ids["device"], token[39:])
    ordered = await factories_devices.ordered(world.res, world.a, mine)
    await world.client.of(token).get("/device/v1/commands?wait_s=0")
    return Prepared(f"/device/v1/commands/{ordered.id}/acknowledgement", {"done": True}, touches=(ordered.id,))
