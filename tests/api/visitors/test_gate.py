"""A day at the gate through HTTP: who has a pass, who has none, six digits, goods, the rule and the bans (R8, D10)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from backend.kernel.resources import Resources
from tests import factories, factories_visitors
from tests.conftest import Client, Run
from tests.factories_parking import work_all
from tests.factories_payments import sound
from tests.factories_visitors import HOUR, NAME, PHONE, Yard


@dataclass
class Door:
    """A yard behind the served app."""

    yard: Yard
    owner: Client
    guard: Client
    manager: Client

    @property
    def place(self) -> str:
        return f"/admin/v1/communities/{self.yard.place.id}"

    @property
    def gate(self) -> str:
        return f"/admin/v1/visitor-gates/{self.yard.gate_id}"

    @property
    def house(self) -> str:
        return f"/api/v1/houses/{self.yard.house_id}"

    async def register(self, **more: Any) -> str:
        body = {"house_id": str(self.yard.house_id), "name": "王师傅", "purpose": "送货", **more}
        answer = await self.guard.post(f"{self.gate}/walk-ins", body)
        assert answer.status == 201, answer.body
        return str(answer.json["id"])

    async def decide(self, walk_in_id: str, admit: bool, reason: str | None = None) -> tuple[int, str]:
        answer = await self.guard.post(
            f"/admin/v1/walk-ins/{walk_in_id}/decision", {"admit": admit, "reason": reason}
        )  # fmt: skip
        return answer.status, answer.json["error"]["code"] if answer.status != 200 else answer.json["state"]

    async def answer(self, walk_in_id: str, admit: bool) -> tuple[int, str]:
        answer = await self.owner.post(f"/api/v1/walk-ins/{walk_in_id}/answer", {"admit": admit})
        return answer.status, answer.json["error"]["code"] if answer.status != 200 else answer.json["state"]

    def window(self, hours: float = 4) -> dict[str, str]:
        now = self.yard.res.clock.now()
        return {"valid_from": now.isoformat(), "valid_until": (now + hours * HOUR).isoformat()}


@pytest.fixture
def door(res: Resources, client: Client, run: Run) -> Door:
    async def make() -> Door:
        yard = await factories_visitors.yard(res)
        return Door(yard, client.of(yard.owner.token), client.of(yard.guard.token), client.of(yard.manager.token))

    return run(make())


async def test_a_visitor_without_a_pass_waits_for_a_yes_a_no_or_the_guard(door: Door) -> None:
    res, yard = door.yard.res, door.yard
    welcome, unwelcome, silent = [await door.register(name=name) for name in ("王一", "孙二", "周三")]
    assert any("王*在南门等候，要来访1栋1单元101，事由：送货" in body for body in await yard.told())
    mine = (await door.owner.get("/api/v1/walk-ins")).json["items"]
    assert {row["id"] for row in mine} == {welcome, unwelcome, silent}
    assert await door.decide(welcome, True) == (409, "still_waiting"), "nobody has answered yet"
    assert await door.answer(welcome, True) == (200, "CONFIRMED")
    assert await door.answer(unwelcome, False) == (200, "REFUSED")
    assert await door.answer(unwelcome, True) == (409, "answered_already")
    assert await door.decide(welcome, True) == (200, "ADMITTED")
    assert await door.decide(unwelcome, True, "我认识他") == (409, "refused_by_resident")
    res.clock.advance(timedelta(minutes=5))
    assert await door.answer(silent, True) == (409, "answered_already"), "too late: it is the guard's now"
    waiting = (await door.guard.get(f"{door.place}/walk-ins")).json["items"]
    assert [(row["id"], row["visitor"]) for row in waiting] == [(silent, "周*")]
    assert await door.decide(silent, True) == (422, "reason_required"), "silence is not a yes"
    assert await door.decide(silent, True, "电话联系业主，同意放行") == (200, "ADMITTED")
    assert await door.decide(silent, False) == (409, "decided_already")
    row = await res.db.fetchrow("SELECT * FROM visitor_walk_in WHERE id = $1", silent)
    assert row is not None and (row["answered_at"], row["reason"]) == (None, "电话联系业主，同意放行")
    assert (await door.answer("01991b2a-7c00-7000-8000-000000000001", True))[0] == 404
    opened = await res.db.fetch("SELECT device_id FROM device_command WHERE kind = 'open'")
    assert [row["device_id"] for row in opened] == [yard.gate_id] * 2
    await sound(res)


async def test_a_visitor_with_a_pass_comes_by_six_digits_or_by_name_and_goes(door: Door) -> None:
    res, yard = door.yard.res, door.yard
    options = (await door.owner.get(f"{door.house}/visitor-options")).json
    assert [gate["name"] for gate in options["gates"]] == ["北门", "南门"]
    body = {"kind": "guest", "name": NAME, "phone": PHONE, **door.window(), "entries": 2}
    invited = await door.owner.post(f"{door.house}/visitor-passes", body)
    assert (invited.status, invited.json["state"]) == (201, "ACTIVE")
    pass_path = f"/api/v1/visitor-passes/{invited.json['id']}"
    asked = {"gate_id": str(yard.gate_id), "valid_on": "2026-09-01"}
    code = (await door.owner.post(f"{pass_path}/codes", asked)).json["code"]
    assert len(code) == 6 and (await door.owner.post(f"{pass_path}/codes", asked)).json["code"] == code
    for wrong in ({"valid_on": "2026-09-02"}, {"valid_on": "2026-08-31"}):
        assert (await door.owner.post(f"{pass_path}/codes", {**asked, **wrong})).status == 422
    (expected,) = (await door.guard.get(f"{door.place}/visitor-passes?phone_tail={PHONE[-4:]}")).json["items"]
    assert (expected["visitor"], expected["phone"]) == ("李*", "139****0077")
    assert (await door.guard.get(f"{door.place}/visitor-passes?phone_tail=0000")).json["items"] == []
    let_in = await door.guard.post(f"{door.gate}/admissions", {"code": code}, key="k1")
    assert (let_in.status, let_in.json["entries_left"]) == (201, 1)
    assert (await door.guard.post(f"{door.gate}/admissions", {"code": code}, key="k1")).json == let_in.json
    elsewhere = f"/admin/v1/visitor-gates/{yard.other_gate_id}/admissions"
    assert (await door.guard.post(elsewhere, {"code": code})).json["error"]["code"] == "pass_unknown", "one gate"
    (inside,) = (await door.guard.get(f"{door.place}/visitor-entries?inside=true")).json["items"]
    check_out = f"/admin/v1/visitor-entries/{inside['id']}/check-out"
    assert [(await door.guard.post(check_out)).status for _ in range(2)] == [200, 409]
    assert (await door.guard.get(f"{door.place}/visitor-entries?inside=true")).json["items"] == []
    by_name = await door.guard.post(f"{door.gate}/admissions", {"pass_id": invited.json["id"]})
    assert by_name.json["entries_left"] == 0
    refused = await door.guard.post(f"{door.gate}/admissions", {"pass_id": invited.json["id"]})
    assert refused.json["error"]["message"] == "这张通行证的可用次数已经用完。"
    first = await door.guard.get(f"{door.place}/visitor-entries?limit=1")
    more = await door.guard.get(f"{door.place}/visitor-entries?limit=1&cursor={first.json['next_cursor']}")
    assert {first.json["items"][0]["way"], more.json["items"][0]["way"]} == {"code", "guard"}
    shown = (await door.owner.get(pass_path)).json
    assert (shown["state"], shown["entries_used"], shown["name"]) == ("USED", 2, NAME), "whole for who has typed it"
    res.clock.advance(timedelta(days=1))
    guard = door.guard.of((await factories.staff(res, yard.place, "guard")).token)
    assert (await guard.post(f"{door.gate}/admissions", {"code": code})).json["error"]["code"] == "pass_unknown"
    guesses = [(await guard.post(f"{door.gate}/admissions", {"code": f"{n:06}"})).status for n in range(8)]
    assert guesses[-1] == 429, "guessing is slowed down"
    await work_all(res)
    await sound(res)


async def test_goods_leave_once_after_the_property_has_agreed(door: Door) -> None:
    res = door.yard.res
    body = {"goods": "沙发一张", "carrier": "赵师傅", "plate": "粤B12345", **door.window()}
    asked = await door.owner.post(f"{door.house}/goods-permits", body)
    assert (asked.status, asked.json["state"]) == (201, "PENDING")
    off, at = f"/admin/v1/goods-permits/{asked.json['id']}/check-off", {"gate_id": str(door.yard.gate_id)}
    assert (await door.guard.post(off, at)).json["error"]["code"] == "permit_not_valid"
    (waiting,) = (await door.manager.get("/admin/v1/approvals?state=PENDING")).json["items"]
    decided = await door.manager.post(f"/admin/v1/approvals/{waiting['id']}/decision", {"approve": True, "note": ""})
    assert decided.status == 200, decided.body
    (live,) = (await door.guard.get(f"{door.place}/goods-permits")).json["items"]
    assert (live["carrier"], live["plate"]) == ("赵*", "粤B***45")
    assert (await door.guard.post(off, at)).status == 200
    again = await door.guard.post(off, at)
    assert (again.status, again.json["error"]["code"]) == (409, "checked_off_already")
    later = await door.owner.post(f"{door.house}/goods-permits", body)
    cancel = f"/api/v1/goods-permits/{later.json['id']}/cancel"
    assert [(await door.owner.post(cancel)).status for _ in range(2)] == [200, 409]
    states = [row["state"] for row in (await door.owner.get("/api/v1/goods-permits")).json["items"]]
    assert sorted(states) == ["CANCELLED", "CHECKED_OFF"]
    assert "您的物品放行条已批准，请在搬出时向门岗出示。" in await door.yard.told()
    await sound(res)


async def test_bans_hold_at_the_gate_by_phone_number_and_plate(door: Door) -> None:
    for kind, value in (("phone", "139 0000 0009"), ("id_number", "44030119900101001x"), ("plate", "粤b12345")):
        put = await door.manager.post(
            f"{door.place}/visitor-bans", {"kind": kind, "value": value, "reason": "多次尾随进入"}
        )  # fmt: skip
        assert put.status == 201, put.body
    shown = {ban["value"] for ban in (await door.manager.get(f"{door.place}/visitor-bans")).json["items"]}
    assert shown == {"139****0009", "44**************1X", "粤B***45"}
    body = {"house_id": str(door.yard.house_id), "name": "王师傅", "purpose": "送货"}
    for banned in ({"phone": "13900000009"}, {"id_number": "44030119900101001X"}, {"plate": "粤B12345"}):
        refused = await door.guard.post(f"{door.gate}/walk-ins", {**body, **banned})
        assert (refused.status, refused.json["error"]["code"]) == (409, "banned")
    walk_in = await door.register(phone="13900000010")
    assert await door.answer(walk_in, True) == (200, "CONFIRMED")
    banned = {"kind": "phone", "value": "13900000010", "reason": "多次尾随进入"}
    ban_id = (await door.manager.post(f"{door.place}/visitor-bans", banned)).json["id"]
    assert await door.decide(walk_in, True) == (409, "banned"), "banned while the resident was asked"
    lift = f"/admin/v1/visitor-bans/{ban_id}/lift"
    assert [(await door.manager.post(lift, {"reason": "已核实"})).status for _ in range(2)] == [200, 409]
    assert await door.decide(walk_in, True) == (200, "ADMITTED")
    assert (await door.guard.post(f"{door.place}/visitor-bans", banned)).status == 403
    await sound(door.yard.res)


async def test_a_tenant_sees_the_tenants_own_passes_and_is_the_one_who_is_asked(door: Door) -> None:
    res, yard = door.yard.res, door.yard
    lodger = await factories.person(res, "13800000009", "陈租")
    await factories.occupy(res, lodger, yard.house_id, "tenant")
    tenant = door.owner.of(lodger.token)
    body = {"name": NAME, **door.window()}
    theirs = (await tenant.post(f"{door.house}/visitor-passes", body)).json["id"]
    owners = (await door.owner.post(f"{door.house}/visitor-passes", body)).json["id"]
    seen = (await tenant.get(f"{door.house}/visitor-passes")).json["items"]
    assert [row["id"] for row in seen] == [theirs]
    assert (await tenant.get(f"/api/v1/visitor-passes/{owners}")).status == 404
    assert (await tenant.post(f"/api/v1/visitor-passes/{owners}/cancel")).status == 404
    both = (await door.owner.get(f"{door.house}/visitor-passes")).json["items"]
    assert {row["id"] for row in both} == {theirs, owners}
    await door.register()
    assert await yard.told(lodger) and not await yard.told()
    await sound(res)


async def test_a_house_sees_who_came_and_a_tenant_whom_the_tenant_invited(door: Door) -> None:
    """What the house has typed is whole, what the guard typed is masked; owners' guests are not the tenant's."""
    res, yard = door.yard.res, door.yard
    lodger = await factories.person(res, "13800000009", "陈租")
    await factories.occupy(res, lodger, yard.house_id, "tenant")
    tenant, visits = door.owner.of(lodger.token), f"{door.house}/visits"
    body = {"name": NAME, "phone": PHONE, **door.window()}
    for host in (door.owner, tenant):
        made = (await host.post(f"{door.house}/visitor-passes", body)).json["id"]
        assert (await door.guard.post(f"{door.gate}/admissions", {"pass_id": made})).status == 201
        res.clock.advance(timedelta(minutes=1))
    walk_in = await door.register()
    assert await door.answer(walk_in, True) == (200, "CONFIRMED")
    assert await door.decide(walk_in, True) == (200, "ADMITTED")
    inside = (await door.guard.get(f"{door.place}/visitor-entries?inside=true")).json["items"]
    assert (await door.guard.post(f"/admin/v1/visitor-entries/{inside[0]['id']}/check-out")).status == 200
    all_of_it = (await door.owner.get(visits)).json["items"]
    assert [(row["visitor"], row["gate"], row["left_way"]) for row in all_of_it] == [
        ("王*", "南门", None), (NAME, "南门", None), (NAME, "南门", "guard"),
    ]  # fmt: skip
    first = (await door.owner.get(f"{visits}?limit=2")).json
    more = (await door.owner.get(f"{visits}?limit=2&cursor={first['next_cursor']}")).json
    assert first["items"] + more["items"] == all_of_it and more["next_cursor"] is None
    assert (await tenant.get(visits)).json["items"] == [
        (await tenant.get(f"{visits}?limit=1")).json["items"][0],
        all_of_it[1],
    ], "who waited at the gate, whom the tenant invited, not the owner's guest"
    await sound(res)


async def test_what_no_pass_can_have_is_refused_in_words(door: Door) -> None:
    """A token names eight gates; days far from our own are no days to ask for."""
    gates = [str(uuid4()) for _ in range(9)]
    body = {"name": NAME, **door.window()}
    refused = await door.owner.post(f"{door.house}/visitor-passes", {**body, "gate_ids": gates})
    assert (refused.status, refused.json["error"]["message"]) == (
        422, "一张通行证最多指定 8 个门，请改为全部门或分开办理。"
    )  # fmt: skip
    assert (await door.owner.post(f"{door.house}/visitor-passes", {**body, "gate_ids": gates[:8]})).status == 404
    for day in ("0001-01-01", "9999-12-31"):
        asked = await door.guard.get(f"{door.place}/visitor-passes?on={day}")
        assert asked.status == 422, asked.body
        spoilt = {**body, "valid_from": f"{day}T00:00:00+00:00", "valid_until": f"{day}T01:00:00+00:00"}
        assert (await door.owner.post(f"{door.house}/visitor-passes", spoilt)).status == 422
