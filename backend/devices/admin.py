"""Staff routes of devices: the registry, secrets, revocation (S18)."""

from uuid import UUID

from backend.devices import registry
from backend.devices.schemas import DeviceAnswer, DeviceBody, DevicesAnswer, DevicesQuery, IssuedAnswer, ReasonBody
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Invalid, NotFound
from backend.kernel.http import Call, Nothing, Route, decode_cursor, encode_cursor

READ, MANAGE = "device.read", "device.manage"


async def list_devices(call: Call[None, DevicesQuery]) -> DevicesAnswer:
    """GET /admin/v1/devices."""
    after = None if call.query.cursor is None else decode_cursor(call.query.cursor, (UUID,))[0]
    limit = call.query.limit
    rows = await registry.in_communities(call.res.db, call.principal.communities(READ), after=after, limit=limit)
    return DevicesAnswer(
        items=[DeviceAnswer.of(row) for row in rows],
        next_cursor=encode_cursor(rows[-1]["id"]) if len(rows) == limit else None,
    )


async def register(call: Call[DeviceBody, None]) -> IssuedAnswer:
    """POST /admin/v1/devices. A secret is not kept with an Idempotency-Key: a second request is a second device."""
    body = call.body
    call.principal.require_community(MANAGE, body.community_id)

    async def work(tx: Tx) -> IssuedAnswer:
        issued = await registry.register(
            tx, call.principal.actor, keyring=call.res.keyring, community_id=body.community_id, kind=body.kind,
            vendor=body.vendor, name=body.name, serial=body.serial,
        )  # fmt: skip
        return IssuedAnswer(id=issued.id, secret=issued.secret)

    return await call.transact(work)


async def rotate(call: Call[None, None]) -> IssuedAnswer:
    """POST /admin/v1/devices/{device_id}/secret."""

    async def work(tx: Tx) -> IssuedAnswer:
        issued = await registry.rotate(
            tx, call.principal.actor, keyring=call.res.keyring, communities=call.principal.communities(MANAGE),
            device_id=call.ids["device_id"],
        )  # fmt: skip
        return IssuedAnswer(id=issued.id, secret=issued.secret)

    return await call.transact(work)


async def revoke(call: Call[ReasonBody, None]) -> Nothing:
    """POST /admin/v1/devices/{device_id}/revoke."""

    async def work(tx: Tx) -> Nothing:
        await registry.revoke(
            tx, call.principal.actor, communities=call.principal.communities(MANAGE), device_id=call.ids["device_id"],
            reason=call.body.reason,
        )  # fmt: skip
        return Nothing()

    return await call.transact(work)


ROUTES = (
    Route("GET", "/admin/v1/devices", list_devices, READ, "设备列表", query=DevicesQuery, answer=DevicesAnswer),
    Route(
        "POST", "/admin/v1/devices", register, MANAGE, "登记设备，密钥只显示这一次", body=DeviceBody,
        answer=IssuedAnswer, status=201, errors=(NotFound, Conflict, Invalid),
    ),
    Route(
        "POST", "/admin/v1/devices/{device_id}/secret", rotate, MANAGE, "更换设备密钥，旧密钥再用 24 小时",
        answer=IssuedAnswer, errors=(NotFound, Conflict),
    ),
    Route(
        "POST", "/admin/v1/devices/{device_id}/revoke", revoke, MANAGE, "停用设备", body=ReasonBody, answer=Nothing,
        errors=(NotFound, Conflict),
    ),
)  # fmt: skip
