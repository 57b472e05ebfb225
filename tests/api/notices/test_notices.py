"""Notices through HTTP: staff count, publish, see figures, remind and withdraw; residents list and read (R9, D11)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from backend.kernel.clock import FrozenClock
from backend.kernel.resources import Resources
from backend.notices import handlers
from tests import factories, factories_media
from tests import factories_notices as make
from tests.conftest import Client, Run
from tests.factories_notices import Town

BODY: dict[str, Any] = {"kind": "utility", "title": "2栋周三停水", "body": "因更换水泵停水。\n请提前储水。"}


@dataclass
class Office:
    """A town behind the served app."""

    town: Town
    client: Client

    @property
    def staff(self) -> Client:
        return self.client.of(self.town.manager.token)

    def resident(self, name: str) -> Client:
        return self.client.of(self.town.people[name].token)

    async def write(self, **more: Any) -> str:
        answer = await self.staff.post(f"/admin/v1/communities/{self.town.place.id}/notices", {**BODY, **more})
        assert answer.status == 201, answer.body
        return str(answer.json["id"])

    async def published(self, **more: Any) -> str:
        notice_id = await self.write(**more)
        answer = await self.staff.post(f"/admin/v1/notices/{notice_id}/publish", {"publish_at": None})
        assert answer.status == 200, answer.body
        return notice_id

    async def shown(self, name: str, query: str = "") -> Any:
        answer = await self.resident(name).get(f"/api/v1/notices{query}")
        assert answer.status == 200, answer.body
        return answer.json

    async def titles(self, name: str) -> list[str]:
        return [one["title"] for one in (await self.shown(name))["items"]]

    async def read(self, name: str, notice_id: str) -> Any:
        return await self.resident(name).post(f"/api/v1/notices/{notice_id}/read")

    async def whole(self, notice_id: str) -> Any:
        return (await self.staff.get(f"/admin/v1/notices/{notice_id}")).json

    async def listeners(self, notice_id: str, query: str) -> Any:
        return (await self.staff.get(f"/admin/v1/notices/{notice_id}/audience?{query}")).json


@pytest.fixture
def office(res: Resources, client: Client, run: Run) -> Office:
    return Office(run(make.town(res)), client)


async def test_staff_count_an_audience_before_anything_is_kept(office: Office) -> None:
    second = {"only": {"building_ids": [str(office.town.second_building)]}}
    path = f"/admin/v1/communities/{office.town.place.id}/notice-reach"
    counted = await office.staff.post(path, {**BODY, "audience": second})
    assert counted.status == 200, counted.body
    assert {key: counted.json[key] for key in ("people", "houses", "template", "subscription", "inbox", "unfit")} == {
        "people": 2, "houses": 2, "template": 0, "subscription": 0, "inbox": 2, "unfit": 0,
    }  # fmt: skip
    assert counted.json["inbox_body"] == "LL01小区发布停水停电公告“2栋周三停水”：因更换水泵停水。 请提前储水。"
    assert await office.town.res.db.fetchval("SELECT count(*) FROM notice") == 0
    nobody = await office.staff.post(path, {**BODY, "audience": {"without": {}}})
    assert nobody.status == 422


async def test_a_resident_lists_pinned_first_reads_and_is_counted(office: Office, clock: FrozenClock) -> None:
    pinned_until = (clock.now() + timedelta(hours=10)).isoformat()
    pinned = await office.published(title="置顶公告", pinned_until=pinned_until)
    clock.advance(timedelta(minutes=1))
    await office.published(title="先发公告")
    clock.advance(timedelta(minutes=1))
    await office.published(title="后发公告")
    assert await office.titles("tenant") == ["置顶公告", "后发公告", "先发公告"]
    first = await office.shown("tenant", "?limit=2")
    assert [one["title"] for one in first["items"]] == ["置顶公告", "后发公告"]
    rest = await office.shown("tenant", f"?limit=2&cursor={first['next_cursor']}")
    assert ([one["title"] for one in rest["items"]], rest["next_cursor"]) == (["先发公告"], None)
    assert first["unread"] == 3
    read_at = clock.now()
    seen = (await office.read("tenant", pinned)).json
    assert (seen["body"], seen["pinned"], seen["state"]) == (BODY["body"], True, "PUBLISHED")
    clock.advance(timedelta(hours=10))
    assert (await office.read("tenant", pinned)).json["read_at"] == seen["read_at"], "the first time counts"
    assert seen["read_at"].startswith(read_at.isoformat()[:19])
    shown = await office.shown("tenant")
    assert [(one["title"], one["read"]) for one in shown["items"]] == [
        ("后发公告", False), ("先发公告", False), ("置顶公告", True),
    ]  # fmt: skip
    assert shown["unread"] == 2
    await office.town.work()
    whole = await office.whole(pinned)
    assert (whole["person_count"], whole["house_count"], whole["read_count"]) == (6, 4, 1)
    assert [(one["kind"], one["planned_count"], one["waiting"]) for one in whole["rounds"]] == [("publication", 6, 6)]


async def test_a_round_says_which_way_each_went_and_what_wechat_has_told(office: Office, clock: FrozenClock) -> None:
    notice_id = await office.published()
    await office.town.work()
    db = office.town.res.db
    ids = [row["id"] for row in await db.fetch("SELECT id FROM message_intent ORDER BY id")]
    for change, number in (
        (
            "state = 'SENDING', channel = 'template', appid = 'a', openid = 'o', template_id = 't', first_sent_at = $2",
            2,
        ),
        ("state = 'SENT', finished_at = $2", 2),
        ("delivery = 'DELIVERED', delivery_at = $2", 1),
    ):
        await db.execute(f"UPDATE message_intent SET {change} WHERE id = ANY ($1::uuid[])", ids[:number], clock.now())
    for state, intent_id in (("INBOX_ONLY", ids[2]), ("PARKED", ids[3])):
        change = "UPDATE message_intent SET state = $2, finished_at = $3 WHERE id = $1"
        await db.execute(change, intent_id, state, clock.now())
    (told,) = (await office.whole(notice_id))["rounds"]
    named = ("template", "subscription", "inbox", "waiting", "failed", "delivered")
    assert [told[name] for name in named] == [2, 0, 1, 2, 1, 1]


async def test_only_those_of_the_audience_see_a_notice_and_who_moves_out_loses_it(office: Office) -> None:
    town = office.town
    notice_id = await office.published(audience={"only": {"house_ids": [str(town.houses["102"])]}})
    assert [len(await office.titles(name)) for name in ("tenant", "both", "owner", "far")] == [1, 1, 0, 0]
    assert (await office.read("owner", notice_id)).status == 404
    await town.res.db.execute(
        "UPDATE occupancy SET ends_on = '2026-09-01' WHERE person_id = ANY ($1::uuid[]) AND house_id = $2",
        [town.people[name].id for name in ("tenant", "both")], town.houses["102"],
    )  # fmt: skip
    # `both` still lives in another house of the community, of which the notice does not speak.
    for name in ("tenant", "both"):
        assert await office.titles(name) == []
        assert (await office.read(name, notice_id)).status == 404
        assert (await office.shown(name))["unread"] == 0
    await town.sound()


async def test_a_withdrawn_notice_leaves_the_lists_and_says_why(office: Office) -> None:
    notice_id = await office.published()
    await office.town.work()
    answer = await office.staff.post(f"/admin/v1/notices/{notice_id}/withdraw", {"why": "停水改期"})
    assert answer.status == 200
    assert await office.titles("owner") == []
    seen = (await office.read("owner", notice_id)).json
    assert (seen["state"], seen["body"], seen["withdrawn_why"]) == ("WITHDRAWN", "", "停水改期")
    await office.town.work()
    letters = (await office.resident("owner").get("/api/v1/messages")).json["items"]
    assert [one["title"] for one in letters] == ["公告已撤回"]
    again = await office.staff.post(f"/admin/v1/notices/{notice_id}/withdraw", {"why": "停水改期"})
    assert (again.status, again.code) == (409, "notice_moved")
    await office.town.sound()


async def test_a_notice_whose_time_is_over_leaves_the_lists_at_once(office: Office, clock: FrozenClock) -> None:
    await office.published(expires_at=(clock.now() + timedelta(hours=1)).isoformat())
    clock.advance(timedelta(hours=1))
    assert await office.titles("owner") == []
    assert (await office.shown("owner"))["unread"] == 0
    await handlers.expire(office.town.res, "")
    assert await office.titles("owner") == []


async def test_staff_see_who_has_read_and_who_has_not_masked_and_by_page(office: Office) -> None:
    notice_id = await office.published()
    await office.read("owner", notice_id)
    read = await office.listeners(notice_id, "read=true")
    assert [(one["name"], one["phone"], one["houses"]) for one in read["items"]] == [
        ("王*", "138****0100", ["1栋1单元101"])
    ]  # fmt: skip
    first = await office.listeners(notice_id, "read=false&limit=3")
    rest = await office.listeners(notice_id, f"read=false&limit=3&cursor={first['next_cursor']}")
    found = {UUID(one["person_id"]) for page in (first, rest) for one in page["items"]}
    assert office.town.names(found) == {"family", "landlord", "tenant", "both", "far"}
    assert (len(first["items"]), rest["next_cursor"]) == (3, None)


async def test_places_of_another_community_are_not_found(office: Office) -> None:
    town = office.town
    other = await factories.community(town.res, "ZZ01", company_id=town.place.company_id)
    admin = office.client.of((await factories.staff(town.res, town.place, "administrator", all_communities=True)).token)
    notice_id = await office.write()
    for rule in ({"building_ids": [str(other.building_id)]}, {"unit_ids": [str(other.unit_id)]}):
        for audience in ({"only": rule}, {"without": rule}):
            body = {**BODY, "audience": audience}
            for path in ("notices", "notice-reach"):
                assert (await admin.post(f"/admin/v1/communities/{town.place.id}/{path}", body)).status == 404
            assert (await admin.call("PUT", f"/admin/v1/notices/{notice_id}", body)).status == 404


async def test_attachments_are_bound_shown_and_taken_off_in_a_draft(office: Office) -> None:
    town = office.town
    upload = factories_media.uploaded
    picture, paper, film = [
        await upload(town.res, town.actor, town.place.id, kind=kind) for kind in ("picture", "document", "video")
    ]
    notice_id = await office.write(media_ids=[str(picture)])
    path = f"/admin/v1/notices/{notice_id}"
    refused = await office.staff.call("PUT", path, {**BODY, "media_ids": [str(film)]})
    assert (refused.status, refused.code) == (422, "media_unusable"), "a notice carries pictures and documents"
    changed = await office.staff.call("PUT", path, {**BODY, "media_ids": [str(paper), str(picture)]})
    assert changed.status == 200
    assert [one["id"] for one in (await office.whole(notice_id))["attachments"]] == [str(paper), str(picture)]
    assert (await office.staff.call("PUT", path, {**BODY, "media_ids": [str(paper)]})).status == 200
    await office.staff.post(f"{path}/publish", {})
    assert (await office.shown("owner"))["items"][0]["attachments"] == 1
    assert [one["kind"] for one in (await office.read("owner", notice_id)).json["attachments"]] == ["document"]
    late = await office.staff.call("PUT", path, BODY)
    assert (late.status, late.code) == (409, "notice_not_draft")


async def test_customer_service_writes_and_a_manager_publishes(office: Office) -> None:
    service = office.client.of((await factories.staff(office.town.res, office.town.place, "customer_service")).token)
    made = await service.post(f"/admin/v1/communities/{office.town.place.id}/notices", BODY)
    path = f"/admin/v1/notices/{made.json['id']}"
    assert (await service.post(f"{path}/publish", {})).status == 403
    assert (await office.staff.post(f"{path}/publish", {})).status == 200
    assert (await service.post(f"{path}/reminders")).status == 403
    assert (await office.staff.post(f"{path}/reminders")).status == 200
    listed = (await service.get("/admin/v1/notices?state=PUBLISHED")).json["items"]
    assert [one["title"] for one in listed] == [BODY["title"]]
    actions = [row["action"] for row in await office.town.res.db.fetch("SELECT action FROM audit_entry ORDER BY id")]
    assert actions == ["notice.written", "notice.published", "notice.reminded"]


async def test_a_schedule_is_set_moved_and_taken_back(office: Office, clock: FrozenClock) -> None:
    notice_id = await office.write()
    path = f"/admin/v1/notices/{notice_id}"
    for hours in (1, 2):
        body = {"publish_at": (clock.now() + timedelta(hours=hours)).isoformat()}
        assert (await office.staff.post(f"{path}/publish", body)).status == 200
    assert (await office.whole(notice_id))["state"] == "SCHEDULED"
    await office.town.sound()
    assert (await office.staff.post(f"{path}/unschedule")).status == 200
    assert (await office.whole(notice_id))["publish_at"] is None
    assert (await office.staff.post(f"{path}/unschedule")).code == "notice_moved"


async def test_times_that_have_passed_are_refused(office: Office, clock: FrozenClock) -> None:
    for name in ("pinned_until", "expires_at"):
        body = {**BODY, name: clock.now().isoformat()}
        answer = await office.staff.post(f"/admin/v1/communities/{office.town.place.id}/notices", body)
        assert (answer.status, answer.json["error"]["details"]["fields"][0]["field"]) == (422, name)
