"""Tickets over HTTP, as the mini-program, the desk and the engineer ask (R6, R7)."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from backend.composition import CHECKS
from backend.kernel.db import Database
from backend.kernel.resources import Resources
from backend.tickets.schemas import TicketList, WorkList
from tests import factories
from tests.conftest import Client
from tests.soundness import broken

CATEGORY = {
    "name": "水电维修", "kind": "repair_home", "dispatch": "assign", "measure": "working_minutes",
    "respond_within": 30, "arrive_within": 120, "finish_within": 450, "follow_up": "unrated", "paid": False,
    "needs_approval": True, "warranty_days": 90, "auto_sign_off_days": 7, "reopen_days": 7, "daily": None,
}  # fmt: skip


def count_queries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement outside a transaction from now on."""
    seen: list[str] = []
    for name in ("fetch", "fetchrow", "fetchval", "execute"):
        kept = getattr(Database, name)

        def watched(self: Database, sql: str, *args: Any, kept: Any = kept) -> Any:
            seen.append(sql)
            return kept(self, sql, *args)

        monkeypatch.setattr(Database, name, watched)
    return seen


async def listed(client: Client, path: str, model: type[BaseModel] = TicketList) -> Any:
    """The items of a list, which is written without models and yet is what its route declares."""
    answer = await client.get(path)
    model.model_validate_json(answer.body)
    return answer.json["items"]


async def said(client: Client, path: str, body: Any, status: int = 200) -> Any:
    answer = await client.post(path, body)
    assert answer.status == status, answer.body
    return answer.json


async def test_r6_a_repair_from_the_phone_to_the_rating(
    res: Resources, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await factories.community(res)
    house = await factories.house(res, place)
    owner, tenant, lodger = [await factories.person(res, f"1380000000{number}") for number in range(3)]
    await factories.occupy(res, owner, house)
    for who in (tenant, lodger):
        await factories.occupy(res, who, house, "tenant")
    me, mine, other = client.of(owner.token), client.of(tenant.token), client.of(lodger.token)
    admin = client.of((await factories.staff(res, place, "administrator", all_communities=True)).token)
    manager = client.of((await factories.staff(res, place, "manager")).token)
    desk = client.of((await factories.staff(res, place, "customer_service")).token)
    worker = await factories.staff(res, place, "engineer")
    engineer = client.of(worker.token)

    category = (await said(admin, "/admin/v1/ticket-categories", CATEGORY, 201))["id"]
    assert (await admin.post("/admin/v1/ticket-categories", CATEGORY)).code == "name_taken"
    public = {**CATEGORY, "name": "公共照明", "kind": "repair_public", "needs_approval": False, "dispatch": "grab"}
    lights = (await said(admin, "/admin/v1/ticket-categories", public, 201))["id"]
    (shown, _) = (await me.get(f"/api/v1/houses/{house}/ticket-categories")).json["items"]
    assert (shown["id"], shown["name"], shown["kind"]) == (category, "水电维修", "repair_home")

    # A tenant has his own ticket, which the owner sees and another tenant does not.
    wish = {"category_id": category, "description": "厨房水龙头漏水"}
    ticket = await said(mine, f"/api/v1/houses/{house}/tickets", wish, 201)
    one = f"/tickets/{ticket['id']}"
    for reader, count in ((mine, 1), (me, 1), (other, 0)):
        assert len(await listed(reader, "/api/v1/tickets")) == count
    assert (await other.get(f"/api/v1{one}")).code == "not_found"
    assert (await me.post(f"/api/v1/houses/{house}/tickets", {**wish, "category_id": lights})).code == "place_required"

    await said(desk, f"/admin/v1{one}/triage", {"category_id": None})
    await said(desk, f"/admin/v1{one}/assign", {"staff_id": str(worker.id)})
    assert (await listed(desk, f"/admin/v1/tickets?no={ticket['no']}&state=ASSIGNED"))[0]["assignee"]
    await said(engineer, f"/admin/v1{one}/accept", {})
    assert (await engineer.post(f"/admin/v1{one}/arrive", {})).code == "approval_required"
    asked = await said(engineer, f"/admin/v1{one}/approval", {"reason": "需要停水"}, 202)
    leave = f"/admin/v1/approvals/{asked['approval_id']}/decision"
    await said(manager, leave, {"approve": True, "note": "同意"})
    await said(engineer, f"/admin/v1{one}/arrive", {})
    refused = await engineer.post(f"/admin/v1{one}/pause", {"until": "2026-08-01T00:00:00Z", "reason": "等待配件"})
    assert (refused.status, refused.json["error"]["details"]["fields"][0]["field"]) == (422, "until")
    await said(engineer, f"/admin/v1{one}/pause", {"until": "2026-09-02T10:00:00Z", "reason": "等待配件"})
    await said(engineer, f"/admin/v1{one}/resume", {})
    seen = count_queries(monkeypatch)
    (work,) = await listed(engineer, "/admin/v1/ticket-work", WorkList)
    assert len(seen) <= 3, "an engineer's list takes three statements, the session's included"
    assert (work["id"], [each["kind"] for each in work["clocks"]]) == (ticket["id"], ["respond", "arrive", "finish"])
    await said(engineer, f"/admin/v1{one}/done", {"reason": "更换了密封圈"})
    await said(mine, f"/api/v1{one}/sign-off", {})
    assert (await me.post(f"/api/v1{one}/rating", {"stars": 6})).status == 422
    await said(mine, f"/api/v1{one}/rating", {"stars": 5, "tags": ["准时"], "words": "很满意"})
    told = (await mine.get(f"/api/v1{one}")).json
    assert [event["title"] for event in told["events"]] == [
        "提交", "受理", "派单", "接单", "到场", "挂起", "恢复", "完工", "验收", "评价",
    ]  # fmt: skip
    assert (told["state_text"], told["warranty_until"], told["ratings"][0]["stars"]) == ("已评价", "2026-11-30", 5)

    # Of a public area: grabbed, given back with a reason that residents do not read.
    res.clock.instant += timedelta(minutes=1)
    lamp = await said(
        me, f"/api/v1/houses/{house}/tickets", {**wish, "category_id": lights, "place": "3栋电梯口"}, 201
    )  # fmt: skip
    path = f"/admin/v1/tickets/{lamp['id']}"
    await said(desk, f"{path}/triage", {"category_id": None})
    (free,) = await listed(engineer, "/admin/v1/ticket-work/grabbable", WorkList)
    assert (free["id"], free["house_id"], free["place"]) == (lamp["id"], None, "3栋电梯口")
    await said(engineer, f"{path}/grab", {})
    await said(engineer, f"{path}/return", {"reason": "住户态度恶劣"})
    for reader, reason in ((me, None), (desk, "住户态度恶劣")):
        base = "/api/v1" if reader is me else "/admin/v1"
        assert (await reader.get(f"{base}/tickets/{lamp['id']}")).json["events"][-1]["reason"] == reason
    assert (await mine.get(f"/api/v1/tickets/{lamp['id']}")).code == "not_found"
    page = (await desk.get("/admin/v1/tickets?limit=1")).json
    assert page["items"][0]["id"] == lamp["id"]
    assert (await desk.get(f"/admin/v1/tickets?limit=1&cursor={page['next_cursor']}")).json["items"][0]["no"] == 1
    assert not await broken(res.db, CHECKS)


async def test_d9_what_the_company_sets_is_checked(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    admin = client.of((await factories.staff(res, place, "administrator", all_communities=True)).token)
    rules = {"hours": [["09:00", "12:00"], ["13:00", "17:30"]], "resident_daily": 5, "worker_open": 8}
    assert (await admin.call("PUT", "/admin/v1/ticket-rules", rules)).json == rules
    assert (await admin.get("/admin/v1/ticket-rules")).json == rules
    crossed = {**rules, "hours": [["09:00", "12:00"], ["11:00", "17:30"]]}
    assert (await admin.call("PUT", "/admin/v1/ticket-rules", crossed)).json["error"]["message"].startswith("工作时段")
    above = (await said(admin, "/admin/v1/ticket-categories", CATEGORY, 201))["id"]
    below = {**CATEGORY, "name": "水龙头", "parent_id": above}
    child = (await said(admin, "/admin/v1/ticket-categories", below, 201))["id"]
    for body, code in (
        ({**below, "parent_id": child}, "too_deep"),
        ({**below, "kind": "complaint"}, "other_kind"),
        (below, "name_taken"),
    ):
        assert (await admin.post("/admin/v1/ticket-categories", body)).code == code
    other = {**CATEGORY, "kind": "complaint"}
    assert (await admin.call("PUT", f"/admin/v1/ticket-categories/{above}", other)).code == "other_kind"
    assert (await admin.call("PUT", f"/admin/v1/ticket-categories/{above}", {**CATEGORY, "daily": 2})).status == 200
    stop = {"reason": "不再使用"}
    assert (await admin.post(f"/admin/v1/ticket-categories/{above}/withdraw", stop)).code == "has_children"
    for category in (child, above):
        await said(admin, f"/admin/v1/ticket-categories/{category}/withdraw", stop)
    assert (await admin.post(f"/admin/v1/ticket-categories/{above}/withdraw", stop)).code == "category_withdrawn"
    (first, second) = (await admin.get("/admin/v1/ticket-categories")).json["items"]
    assert {first["daily"], second["daily"]} == {2, None} and first["withdrawn_at"] and second["withdrawn_at"]
