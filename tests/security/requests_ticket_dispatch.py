"""The requests around tickets: duty, rules of handling, outages, suggestions, figures, job sheets, photos."""

from datetime import timedelta
from uuid import UUID

from backend.kernel.audit import Actor
from backend.tickets.categories import Settings
from backend.tickets.moves import Move
from backend.tickets.states import Kind
from tests import factories_duty, factories_media, factories_tickets
from tests.security import requests_tickets
from tests.security.prepared import REQUESTS, Prepared, plain, request
from tests.security.requests_tickets import TICKET
from tests.security.world import Who, World

PLACE, OUTAGE = "/admin/v1/communities/{community_id}", "/admin/v1/ticket-outages/{outage_id}"
PERIOD = "starts_on=2026-01-01&ends_on=2027-01-01&community_id={a}"

plain("GET /api/v1/houses/{house_id}/ticket-outages", "/api/v1/houses/{house}/ticket-outages")
plain(f"GET {TICKET}/paper", "/admin/v1/tickets/{ticket}/paper")
plain(f"GET {PLACE}/ticket-duty", "/admin/v1/communities/{a}/ticket-duty")
plain(f"GET {PLACE}/ticket-workers", "/admin/v1/communities/{a}/ticket-workers")
plain("GET /admin/v1/ticket-handling", "/admin/v1/ticket-handling")
plain("GET /admin/v1/ticket-outages", "/admin/v1/ticket-outages?limit=100")
plain("GET /admin/v1/ticket-figures", f"/admin/v1/ticket-figures?{PERIOD}&by=building")
plain("GET /admin/v1/ticket-figures.xlsx", f"/admin/v1/ticket-figures.xlsx?{PERIOD}")


@request(f"GET {TICKET}/suggestions")
async def suggest(world: World, who: Who) -> Prepared:
    """Of a public area where nothing else was reported."""
    alone = Settings(f"类别{world.next()}", Kind.REPAIR_PUBLIC)
    category = await factories_tickets.category(world.res, world.a, alone)
    made = await factories_tickets.bare_ticket(
        world.res, world.a, category, house_id=None, person_id=None, place_text="北门岗亭"
    )  # fmt: skip
    return Prepared(f"/admin/v1/tickets/{made}/suggestions")


@request("POST /api/v1/houses/{house_id}/tickets #with a photo")
async def submit_with_photo(world: World, who: Who) -> Prepared:
    plainly = await REQUESTS["POST /api/v1/houses/{house_id}/tickets"](world, who)
    photo = await factories_media.uploaded(world.res, Actor("resident", who.id or world.ids["owner"]), world.a.id)
    return Prepared(plainly.path, {**plainly.body, "media_ids": [str(photo)]}, touches=(*plainly.touches, photo))


@request(f"PUT {PLACE}/ticket-duty")
async def set_duty(world: World, who: Who) -> Prepared:
    shift = {"staff_id": str(world.ids["staff_engineer"]), "weekday": 1 + world.next() % 7}
    body = {"shifts": [{**shift, "opens": "20:00", "closes": "08:00"}]}
    return Prepared(f"/admin/v1/communities/{world.a.id}/ticket-duty", body)


@request(f"POST {PLACE}/ticket-duty/exceptions")
async def add_exception(world: World, who: Who) -> Prepared:
    now, staff_id = world.res.clock.now(), world.ids["staff_engineer"]
    body = {
        "staff_id": str(staff_id), "starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=8)).isoformat(),
        "on_duty": False, "note": "请假",
    }  # fmt: skip
    return Prepared(f"/admin/v1/communities/{world.a.id}/ticket-duty/exceptions", body, touches=(staff_id,))


@request("DELETE /admin/v1/ticket-duty-exceptions/{exception_id}")
async def withdraw_exception(world: World, who: Who) -> Prepared:
    desk = requests_tickets.desk_of(world)
    made = await factories_duty.exception(desk, desk.engineer, on_duty=False, hours=8)
    return Prepared(f"/admin/v1/ticket-duty-exceptions/{made}", touches=(made,))


@request(f"PUT {PLACE}/ticket-workers/{{staff_id}}")
async def set_worker(world: World, who: Who) -> Prepared:
    """Back to everything, everywhere: what another has is taken away in the same breath."""
    desk = requests_tickets.desk_of(world)
    await factories_duty.fields(desk, desk.colleague, [world.ids["ticket_category"]], [world.a.building_id])
    body: dict[str, list[str]] = {"category_ids": [], "building_ids": []}
    path = f"/admin/v1/communities/{world.a.id}/ticket-workers/{desk.colleague.id}"
    return Prepared(path, body, touches=(desk.colleague.id,))


@request("PUT /admin/v1/ticket-handling")
async def set_handling(world: World, who: Who) -> Prepared:
    rule = {
        "at_once": False, "warn_before_m": 15, "escalate_after_m": 60, "urge_times": 3 + world.next() % 50,
        "urge_hours": 4, "similar_days": 7,
    }  # fmt: skip
    return Prepared("/admin/v1/ticket-handling", {"category_id": None, "rule": rule})


async def outage(world: World) -> UUID:
    return await factories_duty.bare_outage(world.res, world.a)


@request(f"POST {PLACE}/ticket-outages")
async def begin(world: World, who: Who) -> Prepared:
    body = {
        "category_id": None, "building_id": None, "title": f"停电{world.next()}", "words": "配电房检修",
        "began_at": world.res.clock.now().isoformat(), "expected_at": None,
    }  # fmt: skip
    return Prepared(f"/admin/v1/communities/{world.a.id}/ticket-outages", body, touches=(body["title"],))


@request(f"POST {OUTAGE}/tickets")
async def bind(world: World, who: Who) -> Prepared:
    made, ticket = await outage(world), await requests_tickets.ticket(world, Move.TRIAGE)
    body = {"ticket_ids": [str(ticket)]}
    return Prepared(f"/admin/v1/ticket-outages/{made}/tickets", body, touches=(ticket,))


@request(f"POST {OUTAGE}/progress")
async def tell(world: World, who: Who) -> Prepared:
    made = await outage(world)
    body = {"words": "水泵已更换", "expected_at": None}
    return Prepared(f"/admin/v1/ticket-outages/{made}/progress", body, touches=(made,))


@request(f"POST {OUTAGE}/end")
async def end(world: World, who: Who) -> Prepared:
    made = await outage(world)
    return Prepared(f"/admin/v1/ticket-outages/{made}/end", {"words": "已恢复"}, touches=(made,))
