"""Mini-program codes of houses and gates: made by staff, scanned by residents (R1, R8; pitfalls E19)."""

import asyncio
from urllib.parse import urlsplit

import pytest

from backend.devices import registry
from backend.devices.states import Kind
from backend.kernel.audit import SYSTEM
from backend.property import pay_codes
from tests import factories, factories_devices
from tests.conftest import Answered, Client, Run
from tests.factories_messaging import MINI
from tests.factories_web import Town

DRAW = "POST /wxa/getwxacodeunlimit"


@pytest.fixture
def desk(town: Town, sandbox_client: Client, run: Run) -> Client:
    return sandbox_client.of(run(factories.staff(town.res, town.place, "customer_service")).token)


def of_house(town: Town) -> str:
    return f"/admin/v1/houses/{town.house_id}/mini-code"


async def picture(desk: Client, answer: Answered) -> bytes:
    address = urlsplit(answer.json["url"])
    return (await desk.get(f"{address.path}?{address.query}")).body


async def test_a_houses_code_is_made_once_and_leads_its_residents_and_strangers_where_they_may_go(
    town: Town, desk: Client
) -> None:
    assert (await desk.get(of_house(town))).status == 404
    made = await desk.post(of_house(town))
    assert made.status == 200, made.body
    assert (await picture(desk, made)).startswith(b"\x89PNG")
    again, shown = await desk.post(of_house(town)), await desk.get(of_house(town))
    assert again.json["scene"] == shown.json["scene"] == made.json["scene"]
    assert (await town.sandbox.ask("GET", "/stats"))[DRAW] == 1
    assert await town.res.db.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'wechat_code.made'") == 1

    path = f"/api/v1/codes/{made.json['scene']}"
    owner, other = desk.of(town.owner.token), desk.of((await factories.person(town.res, "13800000002")).token)
    mine, theirs = (await owner.get(path)).json, (await other.get(path)).json
    assert (mine["house_id"], mine["pay_code"], mine["name"]) == (str(town.house_id), None, "1栋1单元101")
    paper = await town.res.db.fetchval("SELECT pay_code FROM house WHERE id = $1", town.house_id)
    assert (theirs["house_id"], theirs["pay_code"], theirs["name"]) == (None, paper, "1栋1单元**1")
    assert (await desk.of(None).get(path)).status == 401


async def test_of_several_at_once_one_code_is_made(town: Town, desk: Client) -> None:
    made = await asyncio.gather(*(desk.post(of_house(town)) for _ in range(6)))
    assert [each.status for each in made] == [200] * 6
    assert len({each.json["scene"] for each in made}) == 1 and await town.count("wechat_code") == 1


async def test_who_replaces_the_paper_code_ends_the_mini_programs_code(town: Town, desk: Client) -> None:
    old = (await desk.post(of_house(town))).json["scene"]
    await town.res.db.transact(
        lambda tx: pay_codes.replace(tx, SYSTEM, house_id=town.house_id, reason="张贴的缴费码遗失")
    )
    me = desk.of(town.owner.token)
    assert (await me.get(f"/api/v1/codes/{old}")).status == 404
    assert (await desk.get(of_house(town))).status == 404
    new = (await desk.post(of_house(town))).json["scene"]
    assert new != old and (await me.get(f"/api/v1/codes/{new}")).status == 200
    assert (await me.get(f"/api/v1/codes/{old}")).status == 404


async def test_a_gates_code_leads_to_the_gate_while_it_is_in_use(town: Town, desk: Client) -> None:
    gate = await factories_devices.device(town.res, town.place, Kind.GATE, name="东门")
    camera = await factories_devices.device(town.res, town.place, Kind.CAMERA)
    made = await desk.post(f"/admin/v1/gates/{gate.id}/mini-code")
    me, path = desk.of(town.owner.token), f"/api/v1/codes/{made.json['scene']}"
    told = (await me.get(path)).json
    assert (told["kind"], told["gate_id"], told["name"], told["house_id"]) == ("gate", str(gate.id), "东门", None)
    assert (await desk.post(f"/admin/v1/gates/{camera.id}/mini-code")).status == 404
    await town.res.db.transact(
        lambda tx: registry.revoke(tx, SYSTEM, device_id=gate.id, communities=[town.place.id], reason="拆除")
    )
    assert (await me.get(path)).status == 404


async def test_e19_the_scene_is_a_short_ticket_and_says_nothing_itself(town: Town, desk: Client) -> None:
    made = (await desk.post(of_house(town))).json
    assert made["page"] == "pages/pay/house"
    assert len(made["scene"]) == 12 and made["scene"].isascii() and made["scene"].isalnum()
    me = desk.of(town.owner.token)
    for scene in ("x", "0" * 12, made["scene"].lower() + "x", str(town.house_id), "1栋1单元101", "%00", "a%2Fb"):
        assert (await me.get(f"/api/v1/codes/{scene}")).status == 404, scene


async def test_what_wechat_does_not_give_comes_with_the_next_try(town: Town, desk: Client) -> None:
    await town.sandbox.ask("PUT", "/hostile", {"calls": {"/wxa/getwxacodeunlimit": ["cut", {"errcode": 41030}]}})
    assert (await desk.post(of_house(town), key="k")).code == "wechat_unavailable"
    assert (await desk.get(of_house(town))).status == 404
    assert (await desk.post(of_house(town), key="k")).code == "page_not_released"
    assert (await desk.post(of_house(town), key="k")).status == 200
    assert await town.count("wechat_code") == 1


async def test_without_a_mini_program_it_is_said(town: Town, desk: Client) -> None:
    await town.res.db.execute("DELETE FROM message_template WHERE appid = $1", MINI)
    await town.res.db.execute("DELETE FROM wechat_app WHERE appid = $1", MINI)
    assert (await desk.post(of_house(town))).code == "no_miniprogram"


async def test_scanning_is_limited(town: Town, desk: Client) -> None:
    me = desk.of(town.owner.token)
    statuses = [(await me.get(f"/api/v1/codes/{n:012}")).status for n in range(31)]
    assert statuses == [404] * 30 + [429]
