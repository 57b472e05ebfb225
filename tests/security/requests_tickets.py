"""The requests of tickets: residents' own, the desk's, the workers', and what the company sets."""

from datetime import timedelta
from uuid import UUID

from backend.kernel.audit import Actor
from backend.tickets import approvals
from backend.tickets.categories import Settings
from backend.tickets.moves import Move
from backend.tickets.states import Kind, Role
from backend.tickets.step import Who as Mover
from tests import factories_tickets
from tests.factories import Person, Staff
from tests.factories_tickets import Desk
from tests.security.prepared import Prepared, plain, request
from tests.security.world import Who, World

TICKET, MINE = "/admin/v1/tickets/{ticket_id}", "/api/v1/tickets/{ticket_id}"
WORKERS = ("engineer", "service", "manager", "admin", "second")
UNTIL = "2027-01-05T10:00:00+08:00"

plain("GET /api/v1/houses/{house_id}/ticket-categories", "/api/v1/houses/{house}/ticket-categories")
plain("GET /api/v1/tickets", "/api/v1/tickets?limit=100")
plain(f"GET {MINE}", "/api/v1/tickets/{ticket}")
plain("GET /admin/v1/tickets", "/admin/v1/tickets?house_id={house}&limit=100")
plain(f"GET {TICKET}", "/admin/v1/tickets/{ticket}")
plain("GET /admin/v1/ticket-work", "/admin/v1/ticket-work")
plain("GET /admin/v1/ticket-work/grabbable", "/admin/v1/ticket-work/grabbable")
plain("GET /admin/v1/ticket-categories", "/admin/v1/ticket-categories")
plain("GET /admin/v1/ticket-rules", "/admin/v1/ticket-rules")


def desk_of(world: World, worker: str = "engineer") -> Desk:
    """The desk of community A; `worker` has the tickets in hand."""
    owner = world.who["owner"]
    assert owner.id is not None and owner.wechat_user_id is not None and owner.openid is not None
    person = Person(owner.id, owner.wechat_user_id, owner.openid, owner.token or "")
    service, engineer, colleague = (
        Staff(world.ids[f"staff_{name}"], "") for name in ("service", worker, "second")
    )  # fmt: skip
    return Desk(
        world.res, world.a, world.ids["house"], person, service, engineer, colleague, world.ids["ticket_category"]
    )


async def ticket(world: World, last: Move | None, who: Who | None = None, category: str = "ticket_category") -> UUID:
    """A fresh ticket of the house after the move `last`; whoever asks has it in hand, where that is allowed."""
    worker = who.name if who is not None and who.name in WORKERS else "engineer"
    made = await factories_tickets.bare_ticket(
        world.res, world.a, world.ids[category], house_id=world.ids["house"], person_id=None, place_text="北门岗亭"
    )
    if last is not None:
        await desk_of(world, worker).up_to(made, last)
    return made


@request("POST /api/v1/houses/{house_id}/tickets")
async def submit(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    category = world.ids["ticket_category"]
    body = {"category_id": str(category), "place": None, "description": "厨房水龙头漏水", "urgent": False}
    return Prepared(
        f"/api/v1/houses/{world.ids['house']}/tickets", body, touches=(category, world.ids["house"])
    )  # fmt: skip


REASON = {"reason": "与住户电话确认"}
# Route, the move after which the ticket is ready for it, the body; `staff` and `into` are named below.
MOVES: tuple[tuple[str, Move | None, dict[str, object]], ...] = (
    (f"{MINE}/cancel", Move.ASSIGN, REASON),
    (f"{MINE}/sign-off", Move.FINISH, {"reason": None}),
    (f"{MINE}/reopen", Move.FINISH, REASON),
    (f"{MINE}/urge", Move.ACCEPT, {"reason": None}),
    (f"{MINE}/rating", Move.SIGN_OFF, {"stars": 5, "tags": ["准时"], "words": "很满意"}),
    (f"{TICKET}/triage", None, {"category_id": None, "reason": None}),
    (f"{TICKET}/reject", Move.TRIAGE, REASON),
    (f"{TICKET}/merge", Move.TRIAGE, {"into_id": "ticket", "reason": None}),
    (f"{TICKET}/cancel", Move.TRIAGE, REASON),
    (f"{TICKET}/assign", Move.TRIAGE, {"staff_id": "staff_second", "reason": None}),
    (f"{TICKET}/transfer", Move.ACCEPT, {"staff_id": "staff_second", **REASON}),
    (f"{TICKET}/hold", Move.ACCEPT, {"until": UNTIL, **REASON}),
    (f"{TICKET}/release", Move.PAUSE, {"reason": None}),
    (f"{TICKET}/sign-off", Move.FINISH, REASON),
    (f"{TICKET}/reopen", Move.FINISH, REASON),
    (f"{TICKET}/follow-up", Move.SIGN_OFF, REASON),
    (f"{TICKET}/close", Move.SIGN_OFF, {"reason": None}),
    (f"{TICKET}/accept", Move.ASSIGN, {"reason": None}),
    (f"{TICKET}/return", Move.ACCEPT, REASON),
    (f"{TICKET}/pause", Move.ACCEPT, {"until": UNTIL, **REASON}),
    (f"{TICKET}/resume", Move.PAUSE, {"reason": None}),
    (f"{TICKET}/arrive", Move.ACCEPT, {"reason": None}),
    (f"{TICKET}/done", Move.ARRIVE, {"reason": None}),
)


def moving(route: str, last: Move | None, body: dict[str, object], worker: str | None = None) -> None:
    """The request of a move, upon a fresh ticket."""

    async def build(world: World, who: Who) -> Prepared:
        holder = who if worker is None else world.who[worker]
        made = await ticket(world, Move.ACCEPT if last is Move.PAUSE else last, holder)
        if last is Move.PAUSE:
            until = world.res.clock.now() + timedelta(days=30)
            await desk_of(world).move(desk_of(world).desk(), made, Move.PAUSE, until=until, reason="等待配件")
        sent = {
            name: str(world.ids[str(value)]) if name in ("staff_id", "into_id") else value
            for name, value in body.items()
        }  # fmt: skip
        return Prepared(route.replace("{ticket_id}", str(made)), sent, touches=(made,))

    request(f"POST {route}" if worker is None else f"POST {route} #in another's hands")(build)


for route, last, body in MOVES:
    moving(route, last, body)
moving(f"{TICKET}/accept", Move.ASSIGN, {"reason": None}, worker="second")


@request(f"POST {TICKET}/grab")
async def grab(world: World, who: Who) -> Prepared:
    made = await ticket(world, Move.TRIAGE, category="grab_category")
    return Prepared(f"/admin/v1/tickets/{made}/grab", {"reason": None}, touches=(made,))


async def with_leave(world: World) -> UUID:
    """A ticket whose work takes leave."""
    name = f"装修{world.next()}"
    category = await factories_tickets.category(
        world.res, world.a, Settings(name, Kind.REPAIR_HOME, needs_approval=True), community_id=world.a.id
    )
    return await factories_tickets.bare_ticket(
        world.res, world.a, category, house_id=world.ids["house"], person_id=None
    )  # fmt: skip


@request(f"POST {TICKET}/approval")
async def ask_for_leave(world: World, who: Who) -> Prepared:
    made = await with_leave(world)
    return Prepared(f"/admin/v1/tickets/{made}/approval", {"reason": "需要停水"}, touches=(made,))


@request("POST /admin/v1/approvals/{approval_id}/decision #ticket work")
async def give_leave(world: World, who: Who) -> Prepared:
    made = await with_leave(world)
    mover = Mover(Actor("staff", world.ids["staff_second"]), Role.WORKER, (world.a.id,))
    asked = await world.res.db.transact(lambda tx: approvals.ask(tx, mover, ticket_id=made, reason="需要停水"))
    body = {"approve": True, "note": "同意"}
    return Prepared(f"/admin/v1/approvals/{asked.id}/decision", body, touches=(asked.id, made))


def settings(world: World) -> dict[str, object]:
    return {
        "name": f"类别{world.next()}", "kind": "repair_home", "dispatch": "assign", "measure": "working_minutes",
        "respond_within": 30, "arrive_within": None, "finish_within": 480, "follow_up": "unrated", "paid": False,
        "needs_approval": False, "warranty_days": 90, "auto_sign_off_days": 7, "reopen_days": 7, "daily": None,
    }  # fmt: skip


async def fresh_category(world: World) -> UUID:
    named = Settings(f"类别{world.next()}", Kind.REPAIR_HOME)
    return await factories_tickets.category(world.res, world.a, named, community_id=world.a.id)


@request("POST /admin/v1/ticket-categories")
async def create_category(world: World, who: Who) -> Prepared:
    body = {"community_id": None, "parent_id": None, **settings(world)}
    return Prepared("/admin/v1/ticket-categories", body, touches=(body["name"],))


@request("PUT /admin/v1/ticket-categories/{category_id}")
async def change_category(world: World, who: Who) -> Prepared:
    made = await fresh_category(world)
    return Prepared(f"/admin/v1/ticket-categories/{made}", settings(world), touches=(made,))


@request("POST /admin/v1/ticket-categories/{category_id}/withdraw")
async def withdraw_category(world: World, who: Who) -> Prepared:
    made = await fresh_category(world)
    return Prepared(f"/admin/v1/ticket-categories/{made}/withdraw", {"reason": "不再使用"}, touches=(made,))


@request("PUT /admin/v1/ticket-rules")
async def change_rules(world: World, who: Who) -> Prepared:
    body = {"hours": [["08:30", "12:00"], ["14:00", "18:00"]], "resident_daily": 1000, "worker_open": 1000}
    return Prepared("/admin/v1/ticket-rules", body)
