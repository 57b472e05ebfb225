"""Who lives where, through HTTP: codes, applications, moving out, foreign ids (D1, I-23)."""

import asyncio
from datetime import timedelta
from uuid import UUID

from backend.identity.checks import CHECKS as IDENTITY_CHECKS
from backend.kernel.ids import uuid7
from backend.kernel.resources import Resources
from backend.property.checks import CHECKS
from tests import factories
from tests.conftest import Client
from tests.soundness import broken


async def holds(res: Resources) -> None:
    assert await broken(res.db, (*CHECKS, *IDENTITY_CHECKS)) == []


async def family(res: Resources, client: Client) -> tuple[factories.Community, UUID, factories.Person, Client]:
    """A house with its owner, logged in."""
    place = await factories.community(res)
    house_id = await factories.house(res, place)
    owner = await factories.person(res, "13800000001", "张三")
    await factories.occupy(res, owner, house_id)
    return place, house_id, owner, client.of(owner.token)


async def code_for(owner: Client, house_id: UUID, role: str = "family") -> str:
    made = await owner.post(f"/api/v1/houses/{house_id}/family-codes", {"role": role})
    assert made.status == 201
    return str(made.json["code"])


async def test_of_fifty_who_type_a_family_code_one_comes_in(res: Resources, client: Client) -> None:
    _, house_id, _, owner = await family(res, client)
    code = await code_for(owner, house_id)
    people = [await factories.person(res, f"1390000{n:04}") for n in range(50)]
    answers = await asyncio.gather(
        *(client.of(who.token).post("/api/v1/houses/join", {"code": code.lower()}) for who in people)
    )
    assert sorted(answer.status for answer in answers) == [200] + [403] * 49
    tied = await res.db.fetch("SELECT person_id FROM occupancy WHERE source = 'family_code'")
    assert len(tied) == 1
    (winner,) = [who for who, answer in zip(people, answers, strict=True) if answer.status == 200]
    assert tied[0]["person_id"] == winner.id
    (house,) = (await client.of(winner.token).get("/api/v1/houses")).json["items"]
    assert (house["house_id"], house["role"]) == (str(house_id), "family")
    await holds(res)


async def test_one_person_who_joins_fifty_times_at_once_has_one_tie(res: Resources, client: Client) -> None:
    _, house_id, _, owner = await family(res, client)
    codes = [await code_for(owner, house_id) for _ in range(5)]
    who = await factories.person(res, "13900000001")
    answers = await asyncio.gather(
        *(client.of(who.token).post("/api/v1/houses/join", {"code": code}) for code in codes for _ in range(2))
    )
    assert sorted(answer.status for answer in answers if answer.status == 200) == [200]
    assert await res.db.fetchval("SELECT count(*) FROM occupancy WHERE person_id = $1", who.id) == 1
    await holds(res)


async def test_a_repeated_join_gets_the_stored_answer(res: Resources, client: Client) -> None:
    _, house_id, _, owner = await family(res, client)
    code = await code_for(owner, house_id, "tenant")
    who = client.of((await factories.person(res, "13900000001")).token)
    first = await who.post("/api/v1/houses/join", {"code": code}, key="once")
    assert first.json["role"] == "tenant"
    assert (await who.post("/api/v1/houses/join", {"code": code}, key="once")).json == first.json


async def test_a_code_ends_after_five_minutes_and_with_its_owner(res: Resources, client: Client) -> None:
    _, house_id, owner, mine = await family(res, client)
    who = client.of((await factories.person(res, "13900000001")).token)
    old = await code_for(mine, house_id)
    res.clock.advance(timedelta(minutes=5, seconds=1))  # type: ignore[attr-defined]
    assert (await who.post("/api/v1/houses/join", {"code": old})).code == "code_refused"
    fresh = await code_for(mine, house_id)
    await res.db.execute("UPDATE occupancy SET ends_on = '2026-09-01' WHERE person_id = $1", owner.id)
    assert (await who.post("/api/v1/houses/join", {"code": fresh})).code == "code_refused"
    assert await res.db.fetchval("SELECT count(*) FROM occupancy") == 1


async def test_guessing_codes_is_stopped(res: Resources, client: Client) -> None:
    who = client.of((await factories.person(res)).token)
    answers = [await who.post("/api/v1/houses/join", {"code": f"AAAA{n:04}"}) for n in range(11)]
    assert [answer.status for answer in answers] == [403] * 10 + [429]


async def test_a_former_occupant_sees_nothing_from_the_next_request_on(res: Resources, client: Client) -> None:
    _, house_id, _, mine = await family(res, client)
    assert len((await mine.get("/api/v1/houses")).json["items"]) == 1
    await res.db.execute("UPDATE occupancy SET ends_on = '2026-09-01'")
    assert (await mine.get("/api/v1/houses")).json == {"items": []}
    assert (await mine.get("/api/v1/me")).json["houses"] == []
    assert (await mine.get(f"/api/v1/houses/{house_id}/members")).status == 404
    assert (await mine.post(f"/api/v1/houses/{house_id}/family-codes", {"role": "family"})).status == 404
    assert await res.db.fetchval("SELECT count(*) FROM occupancy") == 1


async def test_a_tie_that_begins_tomorrow_gives_nothing_today(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    who = await factories.person(res)
    await factories.occupy(
        res, who, await factories.house(res, place), starts_on=(res.clock.now() + timedelta(days=1)).date()
    )
    assert (await client.of(who.token).get("/api/v1/houses")).json == {"items": []}
    res.clock.advance(timedelta(days=1))  # type: ignore[attr-defined]
    assert len((await client.of(who.token).get("/api/v1/houses")).json["items"]) == 1


async def test_only_an_owner_sees_and_removes_members(res: Resources, client: Client) -> None:
    place, house_id, _, mine = await family(res, client)
    tenant = await factories.person(res, "13900000001", "李四")
    relative = await factories.person(res, "13900000002", "王五")
    await factories.occupy(res, tenant, house_id, "tenant")
    await factories.occupy(res, relative, house_id, "family")
    listed = (await mine.get(f"/api/v1/houses/{house_id}/members")).json["items"]
    assert [(one["name"], one["phone"], one["role"]) for one in listed] == [
        ("张*", "138****0001", "owner"), ("王*", "139****0002", "family"), ("李*", "139****0001", "tenant"),
    ]  # fmt: skip
    for other in (tenant, relative):
        assert (await client.of(other.token).get(f"/api/v1/houses/{house_id}/members")).code == "right_required"

    path = f"/api/v1/houses/{house_id}/members"
    assert (await mine.call("DELETE", f"{path}/{listed[0]['occupancy_id']}")).code == "owner_not_removable"
    assert (await mine.call("DELETE", f"{path}/{listed[2]['occupancy_id']}")).status == 200
    assert (await mine.call("DELETE", f"{path}/{listed[2]['occupancy_id']}")).code == "already_ended"
    assert (await client.of(tenant.token).get("/api/v1/houses")).json == {"items": []}

    other_house = await factories.house(res, place, "102")
    await factories.occupy(res, tenant, other_house)
    foreign = await res.db.fetchval("SELECT id FROM occupancy WHERE house_id = $1", other_house)
    assert (await mine.call("DELETE", f"{path}/{foreign}")).status == 404
    assert (await mine.call("DELETE", f"{path}/{uuid7(res.clock.now())}")).status == 404
    assert await res.db.fetchval("SELECT ends_on FROM occupancy WHERE id = $1", foreign) is None


def application(place: factories.Community, house: str = "1栋101", role: str = "owner") -> dict[str, str]:
    return {"community_id": str(place.id), "house": house, "role": role, "name": "赵六", "reason": "新购房屋"}


async def test_an_application_binds_once_staff_approve(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    house_id = await factories.house(res, place)
    mine = client.of((await factories.person(res, "13900000001", "")).token)
    made = await mine.post("/api/v1/applications", application(place))
    assert (made.status, made.json["state"], made.json["house"]) == (201, "PENDING", "1栋1单元101")
    assert (await mine.post("/api/v1/applications", application(place))).code == "approval_pending"
    assert (await mine.get("/api/v1/houses")).json == {"items": []}

    clerk = client.of((await factories.staff(res, place, "customer_service")).token)
    (waiting,) = (await clerk.get("/admin/v1/approvals")).json["items"]
    assert waiting["may_decide"] is True
    assert waiting["after"]["applicant"] == "赵* 139****0001"
    path = f"/admin/v1/approvals/{waiting['id']}/decision"
    answers = await asyncio.gather(*(clerk.post(path, {"approve": True}) for _ in range(50)))
    assert sorted({(answer.status, answer.status != 200 and answer.code) for answer in answers}) == [
        (200, False), (409, "approval_decided"),
    ]  # fmt: skip
    assert [answer.status for answer in answers].count(200) == 1
    rows = await res.db.fetch("SELECT house_id, role, source FROM occupancy")
    assert [tuple(row) for row in rows] == [(house_id, "owner", "application")]
    assert [house["role"] for house in (await mine.get("/api/v1/houses")).json["items"]] == ["owner"]
    assert [one["state"] for one in (await mine.get("/api/v1/applications")).json["items"]] == ["APPROVED"]
    await holds(res)


async def test_an_application_is_stale_once_the_person_is_bound_otherwise(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    house_id = await factories.house(res, place)
    who = await factories.person(res)
    await client.of(who.token).post("/api/v1/applications", application(place))
    await factories.occupy(res, who, house_id, "tenant")
    clerk = client.of((await factories.staff(res, place, "customer_service")).token)
    (waiting,) = (await clerk.get("/admin/v1/approvals")).json["items"]
    assert (
        await clerk.post(f"/admin/v1/approvals/{waiting['id']}/decision", {"approve": True})
    ).code == "approval_stale"
    assert await res.db.fetchval("SELECT array_agg(role) FROM occupancy") == ["tenant"]


async def test_staff_elsewhere_and_roles_without_the_right_do_not_see_an_application(
    res: Resources, client: Client
) -> None:
    here, there = await factories.community(res), await factories.community(res, "LL02")
    await factories.house(res, here)
    await client.of((await factories.person(res)).token).post("/api/v1/applications", application(here))
    approval_id = await res.db.fetchval("SELECT id FROM approval")
    for staff in (
        await factories.staff(res, there, "customer_service", all_communities=True),
        await factories.staff(res, here, "engineer"),
        await factories.staff(res, here, "guard"),
        await factories.staff(res, here, "read_only"),
    ):
        theirs = client.of(staff.token)
        assert (await theirs.get("/admin/v1/approvals")).json["items"] == []
        decided = await theirs.post(f"/admin/v1/approvals/{approval_id}/decision", {"approve": True})
        assert decided.status == 404
    assert await res.db.fetchval("SELECT state FROM approval") == "PENDING"


async def test_an_application_for_an_unclear_house_is_refused(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    await factories.house(res, place)
    mine = client.of((await factories.person(res)).token)
    for house in ("9栋101", "101", "1", "％", "1栋10"):
        assert (await mine.post("/api/v1/applications", application(place, house))).code == "house_unclear"
    assert await res.db.fetchval("SELECT count(*) FROM approval") == 0


async def test_staff_make_and_find_houses(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    boss = client.of((await factories.staff(res, place, "manager")).token)
    building = await boss.post(f"/admin/v1/communities/{place.id}/buildings", {"name": "2号楼", "units": ["1单元"]})
    assert (building.status, building.json["code"]) == (201, "2")
    again = await boss.post(f"/admin/v1/communities/{place.id}/buildings", {"name": "2栋", "units": []})
    assert again.code == "code_taken"
    (unit,) = (await boss.get(f"/admin/v1/buildings/{building.json['id']}/units")).json["items"]
    body = {"unit_id": unit["id"], "door": "101室", "kind": "residence", "gross_area_cm2": 893_500}
    made = await boss.post(f"/admin/v1/communities/{place.id}/houses", body)
    assert (made.status, made.json["label"]) == (201, "2号楼1单元101")
    assert (await boss.post(f"/admin/v1/communities/{place.id}/houses", body)).code == "code_taken"
    for typed in ("2栋101", "2-1-101", "２号楼1单元101室", "二栋一单元101", "2栋1", "101"):
        found = (await boss.get(f"/admin/v1/houses?typed={typed}")).json["items"]
        assert [house["label"] for house in found] == ["2号楼1单元101"], typed
    changed = await boss.call("PUT", f"/admin/v1/houses/{made.json['id']}", {"kind": "shop", "floor": 1})
    assert (changed.json["kind"], changed.json["gross_area_cm2"]) == ("shop", None)
    await boss.call("PUT", f"/admin/v1/buildings/{building.json['id']}", {"name": "贰号楼"})
    assert (await boss.get(f"/admin/v1/houses/{made.json['id']}")).json["label"] == "贰号楼1单元101"
    audited = [row["action"] for row in await res.db.fetch("SELECT action FROM audit_entry ORDER BY id")]
    assert audited == ["building.created", "house.created", "house.changed", "building.renamed"]
    await holds(res)


async def test_houses_of_other_communities_are_unknown(res: Resources, client: Client) -> None:
    here, there = await factories.community(res), await factories.community(res, "LL02")
    foreign = await factories.house(res, there)
    boss = client.of((await factories.staff(res, here, "administrator", all_communities=True)).token)
    body = {"unit_id": str(there.unit_id), "door": "102", "kind": "residence"}
    answers = [
        await boss.get(f"/admin/v1/houses/{foreign}"),
        await boss.call("PUT", f"/admin/v1/houses/{foreign}", {"kind": "shop"}),
        await boss.get(f"/admin/v1/communities/{there.id}/houses"),
        await boss.post(f"/admin/v1/communities/{there.id}/houses", body),
        await boss.post(f"/admin/v1/communities/{here.id}/houses", body),
        await boss.get(f"/admin/v1/buildings/{there.building_id}/units"),
        await boss.call("PUT", f"/admin/v1/communities/{there.id}", {"name": "x"}),
        await boss.get("/admin/v1/houses/nonsense"),
    ]
    assert [answer.status for answer in answers] == [404] * 8
    assert (await boss.get("/admin/v1/houses?typed=101")).json["items"] == []


async def test_an_administrator_makes_a_community_and_holds_it_at_once(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    boss = client.of((await factories.staff(res, place, "administrator", all_communities=True)).token)
    made = await boss.post("/admin/v1/communities", {"code": "XFL", "name": "幸福里"})
    assert made.status == 201
    assert [one["name"] for one in (await boss.get("/admin/v1/communities")).json["items"]] == ["LL01小区", "幸福里"]
    local = client.of((await factories.staff(res, place, "administrator")).token)
    assert (await local.post("/admin/v1/communities", {"code": "XFL2", "name": "幸福里"})).status == 404
