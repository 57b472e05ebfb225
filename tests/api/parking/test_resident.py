"""A resident sees free spaces and the own vehicles, and pays for any plate in the mini-program (R5)."""

from typing import Any

import aiohttp

from backend.kernel.resources import Resources
from tests import factories_counter, factories_parking
from tests.conftest import Client, Sandbox
from tests.factories_payments import Stage
from tests.factories_payments import stage as make_stage


async def site(res: Resources, sandbox: Sandbox) -> tuple[Stage, factories_parking.Lot]:
    """The stage of payments with a lot whose prices count."""
    play = await make_stage(res, sandbox)
    lot = await factories_parking.lot(res, play.place)
    return play, lot


async def test_from_the_quote_of_a_strangers_plate_to_the_open_barrier(
    sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client
) -> None:
    play, lot = await site(sandbox_res, sandbox)
    me = sandbox_client.of(play.owner.token)
    await lot.arrives("粤B77777")
    await play.later(minutes=61)
    await lot.leaves("粤B77777")
    asked = await me.post("/api/v1/parking-quotes", {"lot_id": str(lot.id), "plate": "粤b 77777"})
    assert asked.status == 200, asked.body
    quote: Any = asked.json["quote"]
    assert (quote["amount_fen"], sum(line["amount_fen"] for line in quote["lines"])) == (1000, 1000)
    created = await me.post(f"/api/v1/parking-quotes/{quote['id']}/payments", {"channel": "wechat"})
    assert created.status == 201 and created.json["request_payment"]["package"].startswith("prepay_id=")
    await play.user_pays(created.json["payment_id"])
    await play.deliver()
    barrier = await sandbox_client.of(lot.camera_out.token).get("/device/v1/commands?wait_s=5")
    (command,) = barrier.json["items"]
    path = f"/device/v1/commands/{command['id']}/acknowledgement"
    assert (await sandbox_client.of(lot.camera_out.token).post(path, {"done": True})).status == 200
    await factories_counter.work_all(play)
    assert (await lot.stay())["state"] == "OUT"
    shown = await me.get(f"/api/v1/payments/{created.json['payment_id']}")
    assert (shown.json["state"], shown.json["description"]) == ("PAID", "停车费 地下停车场")
    receipt = await me.get(f"/api/v1/payments/{created.json['payment_id']}/receipt")
    assert receipt.status == 200, receipt.body
    await play.balanced()


async def test_what_is_not_there_is_not_found_and_what_is_no_plate_is_said(
    sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client
) -> None:
    play, lot = await site(sandbox_res, sandbox)
    me = sandbox_client.of(play.owner.token)
    for plate, code in (("粤B00000", "not_found"), ("hello", "bad_plate"), ("无", "bad_plate")):
        assert (await me.post("/api/v1/parking-quotes", {"lot_id": str(lot.id), "plate": plate})).code == code


async def test_free_spaces_are_told_as_they_change(
    sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client
) -> None:
    play, lot = await site(sandbox_res, sandbox)
    me = sandbox_client.of(play.owner.token)
    path, headers = f"/api/v1/parking-lots/{lot.id}/free-spaces?for_s=20", {"Authorization": f"Bearer {me.token}"}
    async with me.session.get(me.url + path, headers=headers) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert await _next(answer) == 'data: {"free_spaces": 100}'
        await lot.arrives()
        assert await _next(answer) == 'data: {"free_spaces": 99}'


async def _next(answer: aiohttp.ClientResponse) -> str:
    """The next line with data of a stream of events."""
    while not (line := (await answer.content.readline()).decode().strip()).startswith("data:"):
        continue
    return line


async def test_a_resident_sees_free_spaces_and_the_own_vehicles_alone(
    sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client
) -> None:
    play, lot = await site(sandbox_res, sandbox)
    me = sandbox_client.of(play.owner.token)
    await factories_parking.card(lot, house_id=play.house_id)
    await lot.arrives()
    await lot.arrives("粤B77777")
    (seen,) = (await me.get("/api/v1/parking-lots")).json["items"]
    assert (seen["spaces"], seen["free_spaces"]) == (100, 98)
    (vehicle,) = (await me.get("/api/v1/parking-vehicles")).json["items"]
    assert (vehicle["plate"], vehicle["has_card"], vehicle["card_ends_on"]) == ("粤B12345", True, None)
    (stay,) = (await me.get("/api/v1/parking-stays")).json["items"]
    assert (stay["plate_masked"], stay["by_card"], stay["state"]) == ("粤B***45", True, "IN")
