"""The requests of notices and of the status page."""

from typing import Any
from uuid import UUID

from tests.security.prepared import Prepared, plain, request
from tests.security.world import Who, World, notice

ONE, COMMUNITY = "/admin/v1/notices/{notice_id}", "/admin/v1/communities/{community_id}"

plain("GET /status", "/status")
plain("GET /api/v1/notices", "/api/v1/notices?limit=100")
plain("GET /admin/v1/notices", "/admin/v1/notices?limit=100")
plain(f"GET {ONE}", "/admin/v1/notices/{notice}")
plain(f"GET {ONE}/audience", "/admin/v1/notices/{notice}/audience?read=false&limit=100")


def body(house_id: UUID) -> dict[str, Any]:
    rule = {"house_ids": [str(house_id)], "roles": ["owner"]}
    return {"kind": "policy", "title": "物业费收费标准", "body": "公示如下。", "audience": {"only": rule}}


@request("POST /api/v1/notices/{notice_id}/read")
async def read(world: World, who: Who) -> Prepared:
    made = await notice(world, "house")
    return Prepared(f"/api/v1/notices/{made}/read", touches=(made,))


@request(f"POST {COMMUNITY}/notices")
async def write(world: World, who: Who) -> Prepared:
    return Prepared(f"/admin/v1/communities/{world.a.id}/notices", body(world.ids["house"]), touches=(world.a.id,))


@request(f"POST {COMMUNITY}/notice-reach")
async def count(world: World, who: Who) -> Prepared:
    shows = ("小区发布政策公告",)
    return Prepared(f"/admin/v1/communities/{world.a.id}/notice-reach", body(world.ids["house"]), shows=shows)


@request(f"PUT {ONE}")
async def change(world: World, who: Who) -> Prepared:
    made = await notice(world, "house", state="DRAFT")
    return Prepared(f"/admin/v1/notices/{made}", body(world.ids["house"]), touches=(made,))


@request(f"POST {ONE}/publish")
async def publish(world: World, who: Who) -> Prepared:
    made = await notice(world, "house", state="DRAFT")
    return Prepared(f"/admin/v1/notices/{made}/publish", {"publish_at": None}, touches=(made,))


@request(f"POST {ONE}/unschedule")
async def unschedule(world: World, who: Who) -> Prepared:
    made = await notice(world, "house", state="SCHEDULED")
    return Prepared(f"/admin/v1/notices/{made}/unschedule", touches=(made,))


@request(f"POST {ONE}/withdraw")
async def withdraw(world: World, who: Who) -> Prepared:
    made = await notice(world, "house")
    return Prepared(f"/admin/v1/notices/{made}/withdraw", {"why": "时间有误"}, touches=(made,))


@request(f"POST {ONE}/reminders")
async def remind(world: World, who: Who) -> Prepared:
    made = await notice(world, "house")
    return Prepared(f"/admin/v1/notices/{made}/reminders", touches=(made,))


@request("PUT /admin/v1/outage")
async def say(world: World, who: Who) -> Prepared:
    return Prepared("/admin/v1/outage", {"words": "今晚升级"})


@request("DELETE /admin/v1/outage")
async def clear(world: World, who: Who) -> Prepared:
    return Prepared("/admin/v1/outage")
