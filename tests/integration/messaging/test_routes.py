"""D11, I-23: the resident's inbox and subscriptions, staff's view of what was refused and parked."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from backend.kernel import leases
from backend.kernel.resources import Resources
from backend.messaging.checks import CHECKS
from backend.messaging.templates import Channel
from tests import factories
from tests import factories_messaging as make
from tests.conftest import Client, Run
from tests.soundness import broken
from tests.workers_rig import emit

SUB = make.BILL_TEMPLATE[Channel.SUBSCRIPTION]


@pytest.fixture
def place(res: Resources, run: Run) -> factories.Community:
    made: factories.Community = run(factories.community(res))
    run(make.plug_in(res, None, made))
    return made


@pytest.fixture(autouse=True)
def _invariants(res: Resources, run: Run) -> Iterator[None]:
    yield
    assert run(broken(res.db, CHECKS)) == []


async def test_the_inbox_shows_ones_own_messages_newest_first(
    res: Resources, client: Client, place: factories.Community
) -> None:
    me, other = await factories.person(res), await factories.person(res, "13800000002")
    for number in range(3):
        await make.plan_bills(res, place, [me.id, other.id], event_key=f"e{number}")
    first = (await client.of(me.token).get("/api/v1/messages?limit=2")).json
    assert len(first["items"]) == 2
    assert first["unread"] == 3
    assert first["items"][0]["body"] == "1栋1单元101的物业费（2026年9月）账单已出，共223.38元，请在2026-10-01前缴纳。"
    rest = (await client.of(me.token).get(f"/api/v1/messages?limit=2&cursor={first['next_cursor']}")).json
    assert len(rest["items"]) == 1
    assert rest["next_cursor"] is None
    owners = {
        await res.db.fetchval("SELECT person_id FROM inbox_message WHERE id = $1", UUID(item["id"]))
        for item in first["items"] + rest["items"]
    }
    assert owners == {me.id}


async def test_reading_marks_once_and_only_ones_own(res: Resources, client: Client, place: factories.Community) -> None:
    me, other = await factories.person(res), await factories.person(res, "13800000002")
    await make.plan_bills(res, place, [me.id, other.id])
    mine = await res.db.fetchval("SELECT id FROM inbox_message WHERE person_id = $1", me.id)
    theirs = await res.db.fetchval("SELECT id FROM inbox_message WHERE person_id = $1", other.id)
    assert (await client.of(me.token).post(f"/api/v1/messages/{mine}/read")).status == 200
    read_at = await res.db.fetchval("SELECT read_at FROM inbox_message WHERE id = $1", mine)
    assert read_at == res.clock.now()
    for foreign in (theirs, uuid4(), "x"):
        refused = await client.of(me.token).post(f"/api/v1/messages/{foreign}/read")
        assert (refused.status, refused.code) == (404, "not_found")
    assert await res.db.fetchval("SELECT read_at FROM inbox_message WHERE id = $1", theirs) is None


async def test_answers_of_the_phone_add_credits_once_per_key_and_decide_what_is_asked_next(
    res: Resources, client: Client, place: factories.Community
) -> None:
    me = client.of((await factories.person(res)).token)
    asked = (await me.get("/api/v1/subscriptions")).json["items"]
    assert asked == [{"template_id": SUB, "meaning": "bill_issued"}]
    answer = {"answers": {SUB: "accept", "unknown": "accept"}}
    for _ in range(2):
        assert (await me.post("/api/v1/subscriptions", answer, key="once")).status == 200
    assert await res.db.fetchval("SELECT credits FROM message_consent") == 1
    await me.post("/api/v1/subscriptions", answer)
    await me.post("/api/v1/subscriptions", answer)
    assert (await me.get("/api/v1/subscriptions")).json["items"] == []
    assert await res.db.fetchval("SELECT count(*) FROM message_consent") == 1


async def test_a_refusal_is_not_followed_by_the_same_question(
    res: Resources, client: Client, place: factories.Community
) -> None:
    me = client.of((await factories.person(res)).token)
    await me.post("/api/v1/subscriptions", {"answers": {SUB: "reject"}})
    assert (await me.get("/api/v1/subscriptions")).json["items"] == []


async def test_an_answer_that_wechat_does_not_know_is_refused(
    res: Resources, client: Client, place: factories.Community
) -> None:
    me = client.of((await factories.person(res)).token)
    assert (await me.post("/api/v1/subscriptions", {"answers": {SUB: "maybe"}})).status == 422
    assert await res.db.fetchval("SELECT count(*) FROM message_consent") == 0


async def test_a_template_is_saved_once_checked_against_wechats_kinds(
    res: Resources, client: Client, place: factories.Community
) -> None:
    boss = client.of((await factories.staff(res, place, "administrator", all_communities=True)).token)
    body = {
        "appid": make.MINI,
        "channel": "subscription",
        "meaning": "bill_issued",
        "template_id": "New",
        "fields": {"thing1": "houses", "phrase2": "=待缴费"},
    }
    saved = await boss.call("PUT", "/admin/v1/message-templates", body)
    assert saved.status == 200
    assert await res.db.fetchval("SELECT template_id FROM message_template WHERE appid = $1", make.MINI) == "New"
    for fields in ({"thing1": "salary"}, {"wrong1": "houses"}, {"phrase2": "=not Chinese"}):
        refused = await boss.call("PUT", "/admin/v1/message-templates", {**body, "fields": fields})
        assert refused.status == 422, fields
    foreign = await boss.call("PUT", "/admin/v1/message-templates", {**body, "appid": "wxother"})
    assert foreign.status == 404
    assert await res.db.fetchval("SELECT fields FROM message_template WHERE appid = $1", make.MINI) == body["fields"]


async def test_refused_messages_are_seen_and_sent_again_by_staff_of_the_community(
    res: Resources, client: Client, place: factories.Community
) -> None:
    me = await factories.person(res)
    await make.plan_bills(res, place, [me.id])
    await make.work_due(res, {})
    await res.db.execute("UPDATE message_intent SET state = 'PARKED', errcode = 40037, finished_at = created_at")
    elsewhere = await factories.community(res, "LL02", company_id=place.company_id)
    clerk = client.of((await factories.staff(res, place, "customer_service")).token)
    stranger = client.of((await factories.staff(res, elsewhere, "customer_service")).token)
    seen = (await clerk.get("/admin/v1/messages/parked")).json["items"]
    assert [m["errcode"] for m in seen] == [40037]
    assert seen[0]["advice"].startswith("微信没有这个模板编号。")
    assert (await stranger.get("/admin/v1/messages/parked")).json["items"] == []
    path = f"/admin/v1/communities/{place.id}/messages/retry"
    assert (await stranger.post(path)).status == 404
    assert (await clerk.post(path)).json == {"count": 1}
    assert await make.states(res) == {"PENDING": 1}
    assert await res.db.fetchval("SELECT count(*) FROM outbox WHERE state = 'READY'") == 1


async def test_parked_jobs_are_seen_by_their_community_and_retried_by_the_administrator(
    res: Resources, client: Client, place: factories.Community
) -> None:
    elsewhere = await factories.community(res, "LL02", company_id=place.company_id)
    for community_id in (place.id, elsewhere.id, None):
        await emit(res.db, "test.unknown", {}, community_id=community_id)
    await make.work_due(res, {})
    manager = client.of((await factories.staff(res, place, "manager")).token)
    boss = client.of((await factories.staff(res, place, "administrator", all_communities=True)).token)
    seen = (await manager.get("/admin/v1/outbox/parked")).json["items"]
    assert [row["community_id"] for row in seen] == [str(place.id)]
    assert len((await boss.get("/admin/v1/outbox/parked")).json["items"]) == 3
    number = seen[0]["number"]
    assert (await manager.post(f"/admin/v1/outbox/{number}/retry")).status == 403
    assert (await boss.post(f"/admin/v1/outbox/{number}/retry")).json == {"count": 1}
    for wrong in (number, "0", "x", 10**30):
        assert (await boss.post(f"/admin/v1/outbox/{wrong}/retry")).status == 404
    claimed = await leases.claim(res.db, limit=10, lease_s=60)
    assert [lease.id for lease in claimed] == [number]
    assert await res.db.fetchval("SELECT failures FROM outbox WHERE id = $1", number) == 0
    assert await res.db.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'outbox.retried'") == 1


async def test_what_did_not_fit_says_what_to_do_without_an_errcode(
    res: Resources, client: Client, place: factories.Community
) -> None:
    me = await factories.person(res)
    await make.plan_bills(res, place, [me.id])
    await make.work_due(res, {})
    await res.db.execute("UPDATE message_intent SET state = 'PARKED', error = '太长', finished_at = created_at")
    clerk = client.of((await factories.staff(res, place, "customer_service")).token)
    assert "核对字段" in (await clerk.get("/admin/v1/messages/parked")).json["items"][0]["advice"]


async def test_quiet_hours_are_set_for_the_company_and_for_a_community_and_taken_back(
    res: Resources, client: Client, place: factories.Community
) -> None:
    boss = client.of((await factories.staff(res, place, "administrator", all_communities=True)).token)
    path, usual = "/admin/v1/quiet-hours", {"begins": "21:30", "ends": "08:00"}
    assert (await boss.get(path)).json == {"usual": usual, "items": []}
    for community_id, hours in ((None, {"begins": "22:00", "ends": "07:00"}), (str(place.id), usual)):
        body = {"community_id": community_id, "hours": hours}
        saved = await boss.call("PUT", path, body)
        assert body in saved.json["items"]
    assert len(saved.json["items"]) == 2
    taken = await boss.call("PUT", path, {"community_id": str(place.id), "hours": None})
    assert [item["community_id"] for item in taken.json["items"]] == [None]
    for wrong in ("24:00", "8:00", "08:00:00", "", "夜里"):
        refused = await boss.call("PUT", path, {"community_id": None, "hours": {"begins": wrong, "ends": "08:00"}})
        assert refused.status == 422, wrong


async def test_figures_of_a_community_say_what_became_of_its_messages(
    res: Resources, client: Client, place: factories.Community
) -> None:
    who, clerk = await factories.person(res), client.of((await factories.staff(res, place, "manager")).token)
    await make.sent(res, place, who, "1", channel=Channel.TEMPLATE)
    path = f"/admin/v1/communities/{place.id}/message-figures"
    shown = (await clerk.get(f"{path}?from_on=2026-09-01&to_on=2026-09-01")).json["items"]
    assert [(one["meaning"], one["planned"], one["sent_template"]) for one in shown] == [("bill_issued", 1, 1)]
    assert (await clerk.get(f"{path}?from_on=2026-09-02&to_on=2026-09-30")).json["items"] == []
    for span in ("from_on=2026-09-02&to_on=2026-09-01", "from_on=2025-01-01&to_on=2026-09-01"):
        assert (await clerk.get(f"{path}?{span}")).status == 422
