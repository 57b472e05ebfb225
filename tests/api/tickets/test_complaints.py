"""Complaints over HTTP: from an anonymous word to its end, a disputed bill, what staff type in (R7, D3, D9)."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from backend.composition import CHECKS, HANDLERS
from backend.fees import bills, disputes
from backend.kernel import log
from backend.kernel.audit import Actor
from backend.kernel.outbox import Job
from backend.kernel.resources import Resources
from tests import factories, factories_fees, factories_media
from tests.conftest import Client
from tests.factories import Community
from tests.soundness import broken

CATEGORY = {
    "name": "投诉", "kind": "complaint", "dispatch": "assign", "measure": "working_minutes", "respond_within": 60,
    "arrive_within": None, "finish_within": None, "follow_up": "always", "paid": False, "needs_approval": False,
    "warranty_days": 0, "auto_sign_off_days": 7, "reopen_days": 7, "daily": None,
}  # fmt: skip
WHY = {"reason": "与住户约定"}


async def said(client: Client, path: str, body: Any, status: int = 200) -> Any:
    answer = await client.post(path, body)
    assert answer.status == status, answer.body
    return answer.json


async def refused(client: Client, path: str, body: Any) -> str | None:
    answer = await client.post(path, body)
    assert answer.status >= 400, answer.body
    return answer.code


async def sound(res: Resources) -> None:
    findings = await broken(res.db, CHECKS)
    assert [(f.check.title, f.samples) for f in findings] == []


async def told(res: Resources, event: str) -> None:
    """Let the handler of an event take what has been emitted."""
    for row in await res.db.fetch("SELECT * FROM outbox WHERE event = $1 AND state = 'READY' ORDER BY id", event):
        await res.db.execute(
            "UPDATE outbox SET state = 'LEASED', attempt = 1, lease_until = $2 WHERE id = $1",
            row["id"], res.clock.now() + timedelta(minutes=1),
        )  # fmt: skip
        await HANDLERS[event](Job(res, row["id"], 1, row["event"], row["payload"]))


class Office:
    """Who works on complaints in a community, as clients."""

    def __init__(self, client: Client, staff: dict[str, factories.Staff]) -> None:
        self.ids = {name: str(each.id) for name, each in staff.items()}
        self.admin, self.manager, self.desk, self.colleague, self.engineer = (
            client.of(staff[name].token) for name in ("admin", "manager", "desk", "colleague", "engineer")
        )  # fmt: skip


async def office(res: Resources, client: Client, place: Community) -> Office:
    roles = {
        "manager": "manager", "desk": "customer_service", "colleague": "customer_service", "engineer": "engineer",
    }  # fmt: skip
    staff = {name: await factories.staff(res, place, role) for name, role in roles.items()}
    staff["admin"] = await factories.staff(res, place, "administrator", all_communities=True)
    await res.db.execute("UPDATE session SET expires_at = expires_at + interval '30 days'")
    return Office(client, staff)


async def test_r7_an_anonymous_complaint_from_the_phone_to_its_end(
    res: Resources, client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing that staff are answered, but an approved look, names the reporter; the reporter is told."""
    place = await factories.community(res)
    house = await factories.house(res, place)
    owner = await factories.person(res, "13877776666", "欧阳秋水")
    kin = await factories.person(res, "13877775555", "欧阳冬雪")
    await factories.occupy(res, owner, house)
    await factories.occupy(res, kin, house, "family")
    label = await res.db.fetchval("SELECT label FROM house WHERE id = $1", house)
    me, family, team = client.of(owner.token), client.of(kin.token), await office(res, client, place)
    category = (await said(team.admin, "/admin/v1/ticket-categories", CATEGORY, 201))["id"]
    repairs = {**CATEGORY, "name": "维修", "kind": "repair_home", "follow_up": "none"}
    repair = (await said(team.admin, "/admin/v1/ticket-categories", repairs, 201))["id"]
    rules = {"promises": [], "rating_tags": ["态度好", "处理快"], "dispute_category_id": None}
    assert (await team.admin.call("PUT", "/admin/v1/complaint-policy", rules)).json == rules
    assert (await me.get(f"/api/v1/houses/{house}/rating-tags")).json["items"] == rules["rating_tags"]
    cause = (await said(team.admin, "/admin/v1/complaint-causes", {"name": "巡查不到位"}, 201))["id"]

    capfd.readouterr()
    log.configure("debug")
    wish = {"category_id": category, "nature": "noise", "anonymous": True, "description": "深夜有人在楼下唱歌"}
    hidden_repair = {**wish, "category_id": repair}
    assert await refused(me, f"/api/v1/houses/{house}/complaints", hidden_repair) == "not_anonymous"
    photo = await factories_media.uploaded(res, Actor("resident", owner.id), place.id)
    made = await said(me, f"/api/v1/houses/{house}/complaints", {**wish, "media_ids": [str(photo)]}, 201)
    assert len((await team.desk.get(f"/admin/v1/tickets/{made['id']}")).json["events"][0]["media"]) == 1
    mine, one = f"/api/v1/tickets/{made['id']}", f"/admin/v1/tickets/{made['id']}"
    assert (await family.get(mine)).code == "not_found", "those of the house do not see it"
    assert (await me.get(mine)).json["anonymous"] is True
    # START is Tuesday 1 September: the usual promise is 2 and 7 working days.
    clocks = (await me.get(f"{mine}/complaint")).json
    assert [clocks[name][:10] for name in ("contact_due_at", "answer_due_at")] == ["2026-09-03", "2026-09-10"]

    await said(team.desk, f"{one}/triage", {"category_id": None})
    await said(team.desk, f"{one}/classify", {"nature": "noise", "urgency": "grave"})
    assert (await me.get(f"{mine}/complaint")).json["answer_due_at"][:10] == "2026-09-03"
    await said(team.desk, f"{one}/assign", {"staff_id": team.ids["engineer"]})
    await said(team.engineer, f"{one}/accept", {})
    await said(team.engineer, f"{one}/contact", {"reason": "今晚安排秩序员到场查看"})
    await said(me, f"{mine}/notes", {"reason": "昨晚十一点还在唱"})
    await said(team.desk, f"{one}/remarks", {"reason": "此处多次被投诉"})
    await said(team.engineer, f"{one}/arrive", {})
    assert await refused(team.engineer, f"{one}/done", {}) == "answer_required"
    assert await refused(team.engineer, f"{one}/answer", {"reason": "已劝离", "outcome": "adopted"}) == "bad_outcome"
    await said(team.engineer, f"{one}/answer", {"reason": "已劝离，并增加夜间巡查"})
    await said(me, f"{mine}/sign-off", {})
    assert await refused(me, f"{mine}/rating", {"stars": 2, "tags": ["好看"]}) == "unknown_tag"
    await said(me, f"{mine}/rating", {"stars": 2, "tags": ["处理快"], "words": "还是有人唱"})
    await said(team.desk, f"{one}/rating-reply", {"reason": "抱歉，我们会继续巡查"})
    assert await refused(team.desk, f"{one}/rating-reply", {"reason": "再次抱歉"}) == "no_rating_to_reply"
    (due,) = (await team.desk.get("/admin/v1/ticket-follow-ups")).json["items"]
    assert (due["id"], due["stars"], due["house"]) == (made["id"], 2, None)
    assert await refused(team.desk, f"{one}/close", {}) == "follow_up_required"

    log.configure("error")
    written = capfd.readouterr().err
    assert '"route":"/api/v1/houses/{house_id}/complaints"' in written
    named = {"欧阳", "13877776666", "138****6666", label, str(house), str(owner.id), str(owner.wechat_user_id)}
    assert {word for word in named if word in written} == set(), "not in the log"

    # An administrator looks: asked, allowed by another, for a day; each look is in the audit, and the reporter is told.
    assert (await team.manager.get(f"{one}/reporter")).status == 403
    assert (await team.admin.get(f"{one}/reporter")).code == "look_not_allowed"
    asked = await said(team.admin, f"{one}/look", {"reason": "住户反映人身受到威胁"}, 202)
    decision = f"/admin/v1/approvals/{asked['approval_id']}/decision"
    assert await refused(team.admin, decision, {"approve": True, "note": "同意"}) == "second_person_required"
    assert (await team.admin.get(f"{one}/reporter")).code == "look_not_allowed"
    await said(team.manager, decision, {"approve": True, "note": "同意"})
    seen = (await team.admin.get(f"{one}/reporter")).json
    assert seen == {"name": "欧阳秋水", "phone": "13877776666", "house": label}
    res.clock.instant += timedelta(hours=25)  # type: ignore[attr-defined]
    assert (await team.admin.get(f"{one}/reporter")).code == "look_not_allowed"
    assert await res.db.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'ticket.reporter_seen'") == 1

    # The engineer answered, so that one does not make the call; nobody closes it without a cause.
    answered_by_desk = await said(me, f"/api/v1/houses/{house}/complaints", {**wish, "anonymous": False}, 201)
    other = f"/admin/v1/tickets/{answered_by_desk['id']}"
    await said(team.desk, f"{other}/triage", {"category_id": None})
    await said(team.desk, f"{other}/desk-answer", {"reason": "与另一张工单一并处理"})
    await said(me, f"/api/v1/tickets/{answered_by_desk['id']}/sign-off", {})
    assert await refused(team.desk, f"{other}/follow-up", WHY) == "follow_up_by_another"
    await said(team.colleague, f"{other}/follow-up", WHY)
    await said(team.colleague, f"{one}/follow-up", WHY)
    assert await refused(team.desk, f"{one}/close", {}) == "cause_required"
    await said(team.desk, f"{one}/cause", {"cause_id": cause})
    await said(team.desk, f"{one}/close", {})
    assert (await team.admin.call("DELETE", f"/admin/v1/complaint-causes/{cause}")).status == 200
    assert await refused(team.desk, f"{other}/cause", {"cause_id": cause}) == "not_found"

    events = (await me.get(mine)).json["events"]
    assert [event["title"] for event in events] == [
        "提交", "受理", "定性", "派单", "接单", "联系住户", "留言", "到场", "书面答复", "验收", "评价", "回复评价",
        "查看匿名报单人", "回访", "关闭",
    ]  # fmt: skip
    reasons = {event["title"]: event["reason"] for event in events}
    assert reasons["书面答复"] == "已劝离，并增加夜间巡查" and reasons["查看匿名报单人"] == "住户反映人身受到威胁"
    assert reasons["回访"] is None
    assert "内部备注" in {event["title"] for event in (await team.engineer.get(one)).json["events"]}
    await told(res, "tickets.moved")
    hidden = await res.db.fetch("SELECT person_id, body FROM inbox_message WHERE title = '匿名反馈进度' ORDER BY id")
    assert {row["person_id"] for row in hidden} == {owner.id}
    assert {row["body"].split("：")[1].split("。")[0] for row in hidden} == {
        "已受理", "已派单", "已接单", "联系住户", "已到场", "已完工", "回复评价", "查看匿名报单人",
    }  # fmt: skip

    await said(me, f"{mine}/reopen", {"reason": "又开始唱了"})
    assert (await me.get(f"{mine}/complaint")).json["contacted_at"] is None
    # The other ticket names its reporter: what is looked through for the first has to leave it out.
    dumped = ""
    for staff in (team.admin, team.manager, team.desk, team.engineer):
        for path in (
            one, f"{one}/complaint", f"/admin/v1/tickets?no={made['no']}", "/admin/v1/ticket-work",
            "/admin/v1/ticket-follow-ups", "/admin/v1/complaint-figures?first_on=2026-08-01&last_on=2026-10-01",
            f"/admin/v1/audit?target=ticket:{made['id']}", "/admin/v1/approvals", "/admin/v1/approvals?state=APPROVED",
            "/admin/v1/messages/parked", "/admin/v1/outbox/parked", f"/admin/v1/tickets?house_id={house}&kind=praise",
        ):  # fmt: skip
            dumped += (await staff.get(path)).body.decode()
        shown = (await staff.get("/admin/v1/complaints")).json.get("items", ())
        dumped += "".join(str(item) for item in shown if item["id"] == made["id"])
    assert made["id"] in dumped
    assert {word for word in named if word in dumped} == set()
    rows = await res.db.fetch(
        """SELECT to_jsonb(t) AS row FROM ticket t WHERE t.id = $1
            UNION ALL SELECT to_jsonb(e) FROM ticket_event e WHERE e.ticket_id = $1
            UNION ALL SELECT to_jsonb(a) FROM audit_entry a WHERE a.target = 'ticket:' || $1
            UNION ALL SELECT payload FROM outbox WHERE event LIKE 'tickets.%'""",
        UUID(made["id"]),
    )  # fmt: skip
    found = {word for row in rows for word in named if word in str(row["row"])}
    assert found == set(), "not in the rows of the ticket either"
    await sound(res)


async def test_d3_a_disputed_bill_stands_still_until_it_is_decided_by_two(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    house, next_house = await factories.house(res, place), await factories.house(res, place, "102")
    owner, stranger = [await factories.person(res, f"1390000000{number}") for number in range(2)]
    await factories.occupy(res, owner, house)
    await factories.occupy(res, stranger, next_house)
    await factories_fees.published(res, await factories_fees.item(res, place))
    bill = await factories_fees.bill_of(res.db, house)
    me, team = client.of(owner.token), await office(res, client, place)
    path, why = f"/api/v1/bills/{bill}/dispute", {"reason": "面积按房产证应为 86 平方米"}
    assert await refused(me, path, why) == "disputes_not_taken"
    category = (await said(team.admin, "/admin/v1/ticket-categories", CATEGORY, 201))["id"]
    policy = {"promises": [], "rating_tags": [], "dispute_category_id": category}
    assert (await team.admin.call("PUT", "/admin/v1/complaint-policy", policy)).status == 200
    assert await refused(client.of(stranger.token), path, why) == "not_found"
    assert (await me.get(path)).code == "not_found"

    made = await said(me, path, why, 201)
    assert await refused(me, path, why) == "bill_disputed"
    assert await disputes.standing(res.db, [bill]) == {bill}
    one, mine = f"/admin/v1/tickets/{made['id']}", f"/api/v1/tickets/{made['id']}"
    await said(team.desk, f"{one}/triage", {"category_id": None})
    plain = await said(
        me, f"/api/v1/houses/{house}/complaints",
        {"category_id": category, "nature": "fees", "description": "物业费太高"}, 201,
    )  # fmt: skip
    assert await refused(team.desk, f"{one}/merge", {"into_id": plain["id"]}) == "bill_disputed"
    assert await refused(team.desk, f"{one}/desk-answer", {"reason": "确实有误"}) == "bad_outcome"
    await said(team.desk, f"{one}/desk-answer", {"reason": "经核对不成立", "outcome": "rejected"})
    await said(me, f"{mine}/reopen", {"reason": "房产证照片已补交"})
    assert (await me.get(path)).json["standing"] is True
    await said(team.desk, f"{one}/triage", {"category_id": None})
    await said(team.desk, f"{one}/desk-answer", {"reason": "面积登记有误，账单将作废重出", "outcome": "upheld"})
    await told(res, "tickets.dispute_decided")
    (approval,) = await res.db.fetch("SELECT id, proposed_by, state FROM approval WHERE kind = 'fees.void_bill'")
    assert (str(approval["proposed_by"]), approval["state"]) == (team.ids["desk"], "PENDING")
    decision = f"/admin/v1/approvals/{approval['id']}/decision"
    assert (await team.desk.post(decision, {"approve": True, "note": "同意"})).status == 404
    await said(team.manager, decision, {"approve": True, "note": "同意"})
    assert (await bills.one_of_staff(res.db, (place.id,), bill_id=bill))["state"] == "VOIDED"

    await said(me, f"{mine}/sign-off", {})
    await said(team.colleague, f"{one}/follow-up", WHY)
    cause = (await said(team.admin, "/admin/v1/complaint-causes", {"name": "资料登记错误"}, 201))["id"]
    await said(team.desk, f"{one}/cause", {"cause_id": cause})
    await said(team.desk, f"{one}/close", {})
    shown = (await me.get(path)).json
    assert (shown["no"], shown["standing"], shown["outcome"]) == (made["no"], False, "upheld")
    assert await disputes.standing(res.db, [bill]) == frozenset()
    assert await refused(me, path, why) == "bill_voided"
    await sound(res)


async def test_r7_what_comes_by_phone_and_on_paper_is_typed_in_and_counted(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    house = await factories.house(res, place)
    owner = await factories.person(res, "13877776666", "欧阳秋水")
    await factories.occupy(res, owner, house)
    team = await office(res, client, place)
    category = (await said(team.admin, "/admin/v1/ticket-categories", CATEGORY, 201))["id"]
    ideas = {**CATEGORY, "name": "建议", "kind": "suggestion", "follow_up": "none"}
    idea = (await said(team.admin, "/admin/v1/ticket-categories", ideas, 201))["id"]
    call = {
        "community_id": str(place.id), "category_id": category, "channel": "phone", "nature": "parking",
        "urgency": "urgent", "description": "地库有车占道", "house_id": str(house), "caller_name": "欧阳秋水",
        "caller_phone": "138 7777 6666",
    }  # fmt: skip
    for wrong, code in (
        ({"channel": "miniprogram"}, "invalid"), ({"anonymous": True}, "anonymous_with_name"),
        ({"caller_phone": "12345"}, "bad_phone"), ({"house_id": str(place.id)}, "not_found"),
    ):  # fmt: skip
        assert await refused(team.desk, "/admin/v1/complaints", {**call, **wrong}) == code
    made = await said(team.desk, "/admin/v1/complaints", call, 201)
    one = f"/admin/v1/tickets/{made['id']}"
    shown = await team.desk.get(f"{one}/complaint")
    assert (shown.json["channel"], shown.json["has_caller"], shown.json["urgency"]) == ("phone", True, "urgent")
    assert shown.json["taken_by"] and "13877776666" not in shown.body.decode()
    assert (await client.of(owner.token).get("/api/v1/tickets")).json["items"][0]["id"] == made["id"]
    read = await said(team.colleague, f"{one}/caller", {"reason": "回电核实车位"})
    assert read == {"name": "欧阳秋水", "phone": "13877776666"}
    assert await res.db.fetchval("SELECT reason FROM audit_entry WHERE action = 'ticket.caller_revealed'")
    sealed = await res.db.fetchval(
        "SELECT caller_phone_sealed FROM ticket_complaint WHERE caller_phone_blind IS NOT NULL"
    )
    assert b"13877776666" not in bytes(sealed)

    paper = {
        "community_id": str(place.id), "category_id": idea, "channel": "paper", "nature": "greenery",
        "description": "建议多种些桂花", "anonymous": True, "paper_no": "意见箱-0012",
    }  # fmt: skip
    note = f"/admin/v1/tickets/{(await said(team.desk, '/admin/v1/complaints', paper, 201))['id']}"
    assert await refused(team.desk, f"{note}/caller", WHY) == "not_found"
    assert await refused(team.admin, f"{note}/look", WHY) == "not_anonymous", "nobody was kept"
    await said(team.desk, f"{note}/triage", {"category_id": None})
    assert await refused(team.desk, f"{note}/desk-answer", {"reason": "谢谢您的建议"}) == "bad_outcome"
    await said(team.desk, f"{note}/desk-answer", {"reason": "明年春天补种", "outcome": "adopted"})
    res.clock.instant += timedelta(days=10)  # type: ignore[attr-defined]
    for phone, count in (("13877776666", 1), ("13877776667", 0)):
        assert len((await team.desk.get(f"/admin/v1/complaints?caller_phone={phone}")).json["items"]) == count
    (late,) = (await team.desk.get("/admin/v1/complaints?late=true")).json["items"]
    assert late["id"] == made["id"]
    first, second = (
        await team.desk.get("/admin/v1/complaint-figures?first_on=2026-09-01&last_on=2026-09-30")
    ).json["items"]  # fmt: skip
    counted = ("nature", "tickets", "contacted_late", "answered_on_time", "answered_late", "per_100_houses")
    assert [first[name] for name in counted] == ["parking", 1, 1, 0, 1, 100.0]
    assert [second[name] for name in counted] == ["greenery", 1, 0, 1, 0, 100.0]
    twice = {"promises": [{"urgency": "usual", "contact_days": 1, "answer_days": 3}] * 2}
    assert (await team.admin.call("PUT", "/admin/v1/complaint-policy", twice)).code == "promised_twice"
    elsewhere = {"dispute_category_id": idea}
    assert (await team.admin.call("PUT", "/admin/v1/complaint-policy", elsewhere)).code == "not_found"
    assert (await team.admin.post("/admin/v1/complaint-causes", {"name": "占道"})).status == 201
    assert await refused(team.admin, "/admin/v1/complaint-causes", {"name": "占道"}) == "name_taken"
    await sound(res)
