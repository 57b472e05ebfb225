"""Pictures of passages: kept after the answer, JPEG alone, shown for minutes with a reason, then deleted (D8)."""

import asyncio
import base64
import io
import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import PIL.Image
import pytest

from backend.kernel.errors import NotFound, Unavailable
from backend.kernel.storage import LocalStorage
from backend.parking import retention
from backend.parking.lanes import pictures
from tests.api.parking.conftest import Site
from tests.api.parking.test_cameras import camera, push, zhenshi
from tests.factories_media import huge
from tests.factories_parking import CAR
from tests.factories_payments import sound

HIDDEN = b"GPS 22.5431,114.0579"


def jpeg(width: int = 64, height: int = 48, *, format: str = "JPEG") -> bytes:
    """A picture with something hidden in it."""
    out = io.BytesIO()
    image = PIL.Image.new("RGB", (width, height), (20, 90, 160))
    exif = PIL.Image.Exif()
    exif[0x010E] = HIDDEN.decode()
    image.save(out, format, exif=exif, **({"comment": HIDDEN} if format == "JPEG" else {}))
    return out.getvalue()


def pushed(text: str = CAR, *, scene: bytes | None = None, plate: bytes | None = None, **more: int) -> bytes:
    """A Zhenshi push with pictures in it."""
    body = json.loads(zhenshi(text, **more))
    result = body["AlarmInfoPlate"]["result"]["PlateResult"]
    for name, content in (("imageFile", scene), ("imageFragmentFile", plate)):
        if content is not None:
            result |= {name: base64.b64encode(content).decode(), f"{name}Len": len(content)}
    return json.dumps(body).encode()


async def rows(site: Site) -> list[Any]:
    await pictures.settled(site.res)
    return list(await site.res.db.fetch("SELECT * FROM parking_picture ORDER BY taken_at, role"))


async def shown(site: Site) -> list[Any]:
    guard = await site.staff("guard")
    path = f"/admin/v1/parking-stays/{(await site.lot.stays())[0]['id']}/pictures"
    answer = await guard.post(path, {"reason": "核对车辆"})
    assert answer.status == 200, answer.body
    return list(answer.json["items"])


async def read(site: Site, url: str) -> Any:
    parts = urlsplit(url)
    return await site.client.of(None).get(f"{parts.path}?{parts.query}")


async def test_a_guard_reads_the_pictures_of_a_stay_for_minutes(site: Site) -> None:
    body = pushed(scene=jpeg(3_000, 100), plate=jpeg())
    assert (await push(site, await camera(site), body)).status == 200
    await rows(site)
    plate, scene = await shown(site)
    assert (plate["role"], scene["role"], scene["lane_name"], scene["direction"]) == ("plate", "scene", "南门", "in")
    answer = await read(site, scene["url"])
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/jpeg")
    kept = PIL.Image.open(io.BytesIO(answer.body))
    assert kept.format == "JPEG" and kept.size == (1_920, 64)
    assert HIDDEN in body_of(body) and HIDDEN not in answer.body, "only the pixels are kept"
    looked = await site.res.db.fetchrow("SELECT * FROM audit_entry WHERE action = 'parking.pictures_read'")
    assert looked is not None and looked["reason"] == "核对车辆"
    site.res.clock.advance(timedelta(seconds=pictures.LINK_S + 1))
    assert (await read(site, scene["url"])).status == 404
    await sound(site.res)


def body_of(body: bytes) -> bytes:
    return base64.b64decode(json.loads(body)["AlarmInfoPlate"]["result"]["PlateResult"]["imageFile"])


async def test_the_barrier_does_not_wait_for_the_picture(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, put = asyncio.Event(), LocalStorage.put

    async def slow(self: LocalStorage, key: str, body: bytes) -> None:
        await go_on.wait()
        await put(self, key, body)

    monkeypatch.setattr(LocalStorage, "put", slow)
    answer = await asyncio.wait_for(push(site, await camera(site), pushed(scene=jpeg())), timeout=30)
    assert answer.json["Response_AlarmInfoPlate"]["info"] == "ok"
    assert (await site.lot.stay())["state"] == "IN"
    assert await shown(site) == [], "a picture that is being written is not shown"
    go_on.set()
    (row,) = await rows(site)
    assert row["kept_at"] is not None and len(await shown(site)) == 1


@pytest.mark.parametrize(
    "content",
    [
        jpeg(format="PNG"), b"\xff\xd8\xff\xd9", b"\xff\xd8<html><script>alert(1)</script>", jpeg()[:300],
        huge("JPEG"),
    ],
    ids=["png", "empty", "html", "cut off", "too many pixels"],
)  # fmt: skip
async def test_what_is_no_picture_is_not_kept_and_the_car_comes_in(site: Site, content: bytes) -> None:
    assert (await push(site, await camera(site), pushed(scene=content))).status == 200
    assert await rows(site) == []
    assert (await site.lot.stay())["state"] == "IN"


async def test_a_repeated_event_keeps_its_picture_once_also_when_only_the_second_brings_it(site: Site) -> None:
    address = await camera(site)
    await push(site, address, pushed())
    await asyncio.gather(*(push(site, address, pushed(scene=jpeg())) for _ in range(5)))
    (row,) = await rows(site)
    assert row["kept_at"] is not None
    assert row["session_id"] == (await site.lot.stay())["id"]


async def test_a_store_that_fails_costs_the_picture_alone_and_a_repeat_brings_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(self: LocalStorage, key: str, body: bytes) -> None:
        raise Unavailable

    address = await camera(site)
    with monkeypatch.context() as patched:
        patched.setattr(LocalStorage, "put", away)
        assert (await push(site, address, pushed(scene=jpeg()))).status == 200
        assert await rows(site) == []
    assert (await site.lot.stay())["state"] == "IN"
    await push(site, address, pushed(scene=jpeg()))
    assert len(await rows(site)) == 1


async def test_a_passage_that_became_no_stay_leaves_no_picture(site: Site) -> None:
    await site.res.db.execute("UPDATE parking_lot SET spaces = 0")
    await push(site, await camera(site), pushed(scene=jpeg()))
    assert await site.lot.stays() == [] and await rows(site) == []


async def test_what_comes_on_top_of_the_bound_is_dropped(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "WAITING_BYTES", 1_000)
    await push(site, await camera(site), pushed(scene=jpeg(2_000, 1_000)))
    assert await rows(site) == []
    assert (await site.lot.stay())["state"] == "IN"


async def test_pictures_are_deleted_after_the_days_of_their_lot_with_their_files(site: Site) -> None:
    address = await camera(site)
    await push(site, address, pushed(scene=jpeg()))
    await rows(site)
    site.res.clock.advance(timedelta(days=2))
    await push(site, address, pushed("粤B54321", scene=jpeg(), plateid=4712, at_s=2 * 86_400))
    old, young = await rows(site)
    site.res.clock.advance(timedelta(days=28, minutes=1))
    await retention.forget_pictures(site.res, "")
    assert [row["id"] for row in await rows(site)] == [young["id"]]
    with pytest.raises(NotFound):
        await site.res.storage.get(old["file_key"])
    assert await site.res.storage.get(young["file_key"])
    await site.res.db.execute("UPDATE parking_lot SET picture_days = 7")
    await retention.forget_pictures(site.res, "")
    assert await rows(site) == []
