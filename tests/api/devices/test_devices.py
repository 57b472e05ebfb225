"""Devices sign what they ask, hear their commands at once, and are heard once (D8; security: replay)."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from backend.devices import handlers
from backend.kernel.resources import Resources
from tests import factories, factories_devices
from tests.conftest import START, Client, signed
from tests.factories_payments import sound

COMMANDS = "/device/v1/commands?wait_s=0"


async def test_a_signed_request_is_let_in_once(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    camera = await factories_devices.device(res, place)
    header = signed(camera.token, "GET", COMMANDS, b"", at=START)
    first = await client.get(COMMANDS, headers={"Authorization": header})
    again = await client.get(COMMANDS, headers={"Authorization": header})
    assert (first.status, first.json) == (200, {"items": []})
    assert (again.status, again.code) == (401, "replayed")
    await sound(res)


async def test_fifty_replays_at_once_let_one_in(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    camera = await factories_devices.device(res, place)
    header = signed(camera.token, "GET", COMMANDS, b"", at=START)
    answers = await asyncio.gather(*(client.get(COMMANDS, headers={"Authorization": header}) for _ in range(50)))
    assert sorted(answer.status for answer in answers) == [200] + [401] * 49


@pytest.mark.parametrize("ahead_s", [-301, 301])
async def test_a_time_stamp_outside_of_the_window_is_refused_and_told_the_time(
    res: Resources, client: Client, ahead_s: int
) -> None:
    place = await factories.community(res)
    camera = await factories_devices.device(res, place)
    header = signed(camera.token, "GET", COMMANDS, b"", at=START + timedelta(seconds=ahead_s))
    answer = await client.get(COMMANDS, headers={"Authorization": header})
    assert (answer.status, answer.code) == (401, "bad_timestamp")
    assert answer.json["error"]["details"]["server_time"].startswith("2026-09-01")


async def test_what_is_not_what_was_signed_is_refused(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    camera, other = await factories_devices.device(res, place), await factories_devices.device(res, place)
    ordered = await factories_devices.ordered(res, place, camera)
    path = f"/device/v1/commands/{ordered.id}/acknowledgement"
    body = b'{"done": true}'
    good = signed(camera.token, "POST", path, body, at=START)
    for spoilt in (
        good.replace(str(camera.id), str(other.id)),
        good.replace(str(camera.id), str(uuid4())),
        good[:-1] + ("0" if good[-1] != "0" else "1"),
        good.replace("LINLI-HMAC-SHA256 ", "LINLI-HMAC-SHA256  x"),
        signed(camera.token, "GET", path, body, at=START),
        signed(camera.token, "POST", path + "?a=1", body, at=START),
        signed(camera.token, "POST", path, b'{"done": false}', at=START),
    ):
        answer = await client.call("POST", path, raw=body, headers={"Authorization": spoilt})
        assert (answer.status, answer.code) == (401, "bad_signature")
    assert await res.db.fetchval("SELECT count(*) FROM device_nonce") == 0


async def test_after_a_rotation_both_secrets_open_until_the_overlap_ends(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    camera = await factories_devices.device(res, place)
    boss = await factories.staff(res, place, "administrator")
    told = await client.of(boss.token).post(f"/admin/v1/devices/{camera.id}/secret")
    renewed = factories_devices.Device(camera.id, told.json["secret"])
    for token in (camera.token, renewed.token):
        assert (await client.of(token).get(COMMANDS)).status == 200
    res.clock.advance(timedelta(hours=24))
    assert (await client.of(camera.token).get(COMMANDS)).code == "bad_signature"
    assert (await client.of(renewed.token).get(COMMANDS)).status == 200


async def test_a_revoked_device_is_out_with_its_next_request(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    camera = await factories_devices.device(res, place)
    boss = await factories.staff(res, place, "administrator")
    assert (await client.of(camera.token).get(COMMANDS)).status == 200
    answer = await client.of(boss.token).post(f"/admin/v1/devices/{camera.id}/revoke", {"reason": "被盗"})
    assert answer.status == 200
    assert (await client.of(camera.token).get(COMMANDS)).status == 401
    assert (await client.of(boss.token).post(f"/admin/v1/devices/{camera.id}/secret")).code == "device_revoked"
    await sound(res)


async def test_a_command_ends_the_wait_of_its_device_and_of_no_other(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    camera, other = await factories_devices.device(res, place), await factories_devices.device(res, place)
    began = asyncio.get_running_loop().time()
    waiting = asyncio.create_task(client.of(camera.token).get("/device/v1/commands?wait_s=20"))
    idle = asyncio.create_task(client.of(other.token).get("/device/v1/commands?wait_s=1"))
    assert (await idle).json == {"items": []}
    ordered = await factories_devices.ordered(res, place, camera)
    answer = await waiting
    assert [item["id"] for item in answer.json["items"]] == [str(ordered.id)]
    assert asyncio.get_running_loop().time() - began < 10


async def test_a_command_is_done_once_and_acknowledged_by_its_own_device(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    camera, other = await factories_devices.device(res, place), await factories_devices.device(res, place)
    ordered = await factories_devices.ordered(res, place, camera)
    path = f"/device/v1/commands/{ordered.id}/acknowledgement"
    assert (await client.of(camera.token).post(path, {"done": True})).status == 404, "not delivered yet"
    assert len((await client.of(camera.token).get(COMMANDS)).json["items"]) == 1
    assert (await client.of(camera.token).get(COMMANDS)).json["items"] == []
    res.clock.advance(timedelta(seconds=5))
    assert len((await client.of(camera.token).get(COMMANDS)).json["items"]) == 1, "told again, by the same id"
    assert (await client.of(other.token).post(path, {"done": True})).status == 404
    assert (await client.of(camera.token).post(path, {"done": True})).status == 200
    assert (await client.of(camera.token).post(path, {"done": False})).status == 200
    assert await res.db.fetchval("SELECT state FROM device_command") == "DONE"
    res.clock.advance(timedelta(seconds=5))
    assert (await client.of(camera.token).get(COMMANDS)).json["items"] == []
    await sound(res)


async def test_a_command_is_worthless_after_half_a_minute(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    camera = await factories_devices.device(res, place)
    await factories_devices.ordered(res, place, camera)
    res.clock.advance(timedelta(seconds=30))
    assert (await client.of(camera.token).get(COMMANDS)).json["items"] == []
    await handlers.tidy(res, "")
    assert await res.db.fetchval("SELECT state FROM device_command") == "EXPIRED"
    await sound(res)


async def test_nonces_are_forgotten_when_nobody_believes_their_time_any_more(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    camera = await factories_devices.device(res, place)
    assert (await client.of(camera.token).get(COMMANDS)).status == 200
    await handlers.tidy(res, "")
    assert await res.db.fetchval("SELECT count(*) FROM device_nonce") == 1
    res.clock.advance(timedelta(minutes=16))
    await handlers.tidy(res, "")
    assert await res.db.fetchval("SELECT count(*) FROM device_nonce") == 0


async def test_a_session_of_people_is_no_device_and_a_device_no_person(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    camera = await factories_devices.device(res, place)
    guard = await factories.staff(res, place, "guard")
    assert (await client.of(guard.token).get(COMMANDS)).status == 403
    assert (await client.of(camera.token).get("/admin/v1/devices")).status == 403
    assert (await client.get(COMMANDS)).status == 401
