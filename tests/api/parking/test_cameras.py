"""Cameras at the gate: our own signed form, and a vendor's push answered in the vendor's words (D8)."""

import asyncio
import json
from datetime import timedelta
from typing import Any

from backend.devices.states import Kind
from tests import factories_devices, factories_parking
from tests.api.parking.conftest import Site
from tests.conftest import START
from tests.factories_parking import CAR
from tests.factories_payments import sound

SERIAL = "0a1b2c3d-4e5f6071"


def zhenshi(plate: str = CAR, *, at_s: int = 0, plateid: int = 4711, serial: str = SERIAL, offline: int = 0) -> bytes:
    """A push as a Zhenshi camera sends it."""
    result = {
        "license": plate, "colorType": 1, "type": 1, "confidence": 96, "triggerType": 8, "plateid": plateid,
        "isoffline": offline, "timeStamp": {"Timeval": {"sec": int(START.timestamp()) + at_s, "usec": 0}},
    }  # fmt: skip
    return json.dumps({"AlarmInfoPlate": {"serialno": serial, "result": {"PlateResult": result}}}).encode()


async def camera(site: Site, way: str = "in") -> str:
    """The address of a Zhenshi camera in a lane of its own."""
    made = await factories_devices.device(site.res, site.place, vendor="zhenshi", name="臻识", serial=f"{SERIAL}")
    await factories_parking.lane(site.lot, made, way=factories_parking.Way(way), name="南门")
    return f"/device/v1/cameras/zhenshi/{made.id}/{made.secret}"


async def push(site: Site, address: str, body: bytes) -> Any:
    return await site.client.call("POST", address, raw=body)


async def test_a_signed_sighting_is_decided(site: Site) -> None:
    body = {"key": "e-1", "plate": "粤B·12345", "at": START.isoformat(), "colour": "blue", "sequence": 1}
    answer = await site.client.of(site.lot.camera_in.token).post("/device/v1/sightings", body)
    assert (answer.status, answer.json) == (200, {"open": True, "lines": ["欢迎光临"], "voice": "欢迎光临"})
    sealed = bytes(await site.res.db.fetchval("SELECT body_sealed FROM device_event"))
    assert "粤B" not in sealed.decode("utf-8", "replace")
    assert (await site.lot.stay())["state"] == "IN"
    await sound(site.res)


async def test_a_push_is_answered_in_the_vendors_words(site: Site) -> None:
    address = await camera(site)
    answer = await push(site, address, zhenshi())
    told = answer.json["Response_AlarmInfoPlate"]
    assert (answer.status, told["info"], told["plateid"]) == (200, "ok", 4711)
    assert told["serialData"][0]["dataLen"] > 0
    assert (await site.lot.stay())["state"] == "IN"
    await sound(site.res)


async def test_fifty_pushes_of_one_event_make_one_stay(site: Site) -> None:
    address = await camera(site)
    answers = await asyncio.gather(*(push(site, address, zhenshi()) for _ in range(50)))
    assert {answer.json["Response_AlarmInfoPlate"]["info"] for answer in answers} == {"ok"}
    assert len(await site.lot.stays()) == 1
    await sound(site.res)


async def test_a_replayed_record_is_kept_and_opens_nothing(site: Site) -> None:
    address = await camera(site)
    site.res.clock.advance(timedelta(hours=3))
    told = (await push(site, address, zhenshi(offline=1))).json["Response_AlarmInfoPlate"]
    assert (told["info"], told["ContinuePushOffline"]) == ("no", {"plateid": 4711, "continue": 1})
    stay = await site.lot.stay()
    assert (stay["entered_at"], stay["flags"]) == (START, ["late"])


async def test_a_wrong_secret_a_wrong_vendor_and_a_wrong_name_are_refused(site: Site) -> None:
    address = await camera(site)
    for wrong in (address[:-1], address.replace("zhenshi", "qy"), address.replace("zhenshi", "other")):
        assert (await push(site, wrong, zhenshi())).status == 404
    answer = await push(site, address, zhenshi(serial="ffffffff-ffffffff"))
    assert (answer.status, answer.code) == (403, "serial_differs")
    assert (await push(site, address, b"{broken")).code == "camera_message"
    assert await site.lot.stays() == []
    assert await site.res.db.fetchval("SELECT count(*) FROM device_event") == 0


async def test_a_poll_of_a_camera_is_ended_by_a_command(site: Site) -> None:
    address = await camera(site, "out")
    device_id = await site.res.db.fetchval("SELECT id FROM device WHERE vendor = 'zhenshi'")
    poll = asyncio.create_task(push(site, address, b""))
    await factories_devices.ordered(site.res, site.place, factories_devices.Device(device_id, ""))
    assert (await poll).json["Response_AlarmInfoPlate"]["info"] == "ok"
    assert await site.res.db.fetchval("SELECT state FROM device_command") == "DONE"
    await sound(site.res)


async def test_a_barrier_of_its_own_is_told_by_a_command(site: Site) -> None:
    camera_id = await factories_devices.device(site.res, site.place, name="相机")
    barrier = await factories_devices.device(site.res, site.place, Kind.BARRIER, name="道闸")
    await factories_parking.lane(site.lot, camera_id, barrier=barrier, name="南门")
    await site.lot.see(camera_id, factories_parking.sighting(site.res))
    (command,) = await site.lot.commands()
    assert (command["device_id"], command["kind"]) == (barrier.id, "open")
    await sound(site.res)
