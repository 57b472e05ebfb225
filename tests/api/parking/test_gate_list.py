"""The list for lanes without a network, over HTTP: signed, with a tag, and with changes alone (D8)."""

from tests import factories_parking
from tests.api.parking.conftest import Site
from tests.factories_parking import CAR

LIST = "/device/v1/parking-gate-list"


async def test_a_camera_fetches_the_list_then_nothing_then_what_has_changed(site: Site) -> None:
    await factories_parking.card(site.lot)
    camera = site.client.of(site.lot.camera_in.token)
    whole = await camera.get(LIST)
    assert whole.status == 200 and whole.json["full"], whole.body
    (entry,) = whole.json["entries"]
    assert (entry["plate"], entry["kind"], entry["ends_on"]) == (CAR, "card", None)
    tag = whole.headers["ETag"]
    same = await camera.get(LIST, headers={"If-None-Match": tag})
    assert (same.status, same.body, same.headers["ETag"]) == (304, b"", tag)
    await factories_parking.card(site.lot, ["粤B54321"])
    changed = await camera.get(f"{LIST}?since={whole.json['version']}", headers={"If-None-Match": tag})
    assert changed.status == 200 and not changed.json["full"]
    assert [each["plate"] for each in changed.json["entries"]] == ["粤B54321"]


async def test_nobody_but_a_signed_camera_reads_plates(site: Site) -> None:
    assert (await site.client.get(LIST)).status == 401
    assert (await site.guard.get(LIST)).status == 403
