"""The requests of complaints: residents' own, what staff type in and answer, looks, what the company sets."""

from uuid import UUID

from backend.kernel import approvals
from backend.kernel.approvals import Approval
from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.tickets.complaints import anonymity, disputing, intake
from backend.tickets.complaints.register import Caller, Particulars
from backend.tickets.complaints.words import Nature
from backend.tickets.moves import Move
from backend.tickets.states import Channel
from backend.tickets.submitting import New
from tests import factories, factories_tickets
from tests.security import fresh
from tests.security.prepared import Prepared, plain, request
from tests.security.requests_tickets import REASON, WORKERS, desk_of, ticket
from tests.security.world import Who, World

TICKET, MINE = "/admin/v1/tickets/{ticket_id}", "/api/v1/tickets/{ticket_id}"
HOUSE, DISPUTE = "/api/v1/houses/{house_id}", "/api/v1/bills/{bill_id}/dispute"
CAUSES, POLICY = "/admin/v1/complaint-causes", "/admin/v1/complaint-policy"

plain(f"GET {HOUSE}/rating-tags", "/api/v1/houses/{house}/rating-tags")
plain(f"GET {MINE}/complaint", "/api/v1/tickets/{complaint}/complaint")
plain("GET /admin/v1/complaints", "/admin/v1/complaints?nature=noise&limit=100")
plain(f"GET {TICKET}/complaint", "/admin/v1/tickets/{complaint}/complaint")
plain("GET /admin/v1/ticket-follow-ups", "/admin/v1/ticket-follow-ups")
plain(
    "GET /admin/v1/complaint-figures", "/admin/v1/complaint-figures?first_on=2026-08-01&last_on=2026-12-31"
)  # fmt: skip
plain(f"GET {POLICY}", POLICY)
plain(f"GET {CAUSES}", CAUSES)


async def complaint(world: World, last: Move | None = None, who: Who | None = None, *, anonymous: bool = False) -> UUID:
    """A fresh complaint of the house, greenery for it not to be listed among those that are looked for by nature."""
    made = await factories_tickets.complaint(
        world.res, world.a, world.ids["complaint_category"], house_id=world.ids["house"],
        person_id=world.ids["owner"], anonymous=anonymous, nature=Nature.GREENERY,
    )  # fmt: skip
    if last is not None:
        worker = who.name if who is not None and who.name in WORKERS else "engineer"
        await desk_of(world, worker).up_to(made, last)
    return made


def complaining(key: str, *, anonymous: bool) -> None:
    @request(key)
    async def build(world: World, who: Who) -> Prepared:
        await world.res.redis.flushdb()
        body = {
            "category_id": str(world.ids["complaint_category"]), "nature": "greenery", "anonymous": anonymous,
            "place": None, "description": "草坪没有人修剪",
        }  # fmt: skip
        path = f"/api/v1/houses/{world.ids['house']}/complaints"
        return Prepared(path, body, touches=(world.ids["complaint_category"], world.ids["house"]))


complaining(f"POST {HOUSE}/complaints", anonymous=False)
complaining(f"POST {HOUSE}/complaints #anonymous", anonymous=True)


@request(f"POST {MINE}/notes")
async def write(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    made = await ticket(world, None)
    return Prepared(f"/api/v1/tickets/{made}/notes", {"reason": "请尽快处理"}, touches=(made,))


@request(f"POST {DISPUTE}")
async def dispute(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    bill = await fresh.bill(world)
    return Prepared(f"/api/v1/bills/{bill}/dispute", {"reason": "面积不对"}, touches=(bill,))


@request(f"GET {DISPUTE}")
async def show_dispute(world: World, who: Who) -> Prepared:
    bill, scope = await fresh.bill(world), desk_of(world).resident().sight
    assert scope is not None
    actor = Actor("resident", world.ids["owner"])
    await world.res.db.transact(
        lambda tx: disputing.dispute(tx, actor, scope=scope.scope, bill_id=bill, why="面积不对")
    )  # fmt: skip
    return Prepared(f"/api/v1/bills/{bill}/dispute", shows=("standing",))


@request("POST /admin/v1/complaints")
async def take(world: World, who: Who) -> Prepared:
    body = {
        "community_id": str(world.a.id), "category_id": str(world.ids["complaint_category"]), "channel": "paper",
        "nature": "greenery", "urgency": "usual", "anonymous": False, "house_id": str(world.ids["house"]),
        "place": None, "description": "草坪没有人修剪", "caller_name": None, "caller_phone": None,
        "paper_no": f"意见箱{world.next()}",
    }  # fmt: skip
    return Prepared("/admin/v1/complaints", body, touches=(body["paper_no"],))


@request(f"POST {TICKET}/caller")
async def reveal_caller(world: World, who: Who) -> Prepared:
    particulars = Particulars(Nature.GREENERY, caller=Caller("来电人", f"1370000{world.next():04}"))
    new = New(
        world.a.id, world.ids["complaint_category"], world.ids["house"], None, "草坪没有人修剪", particulars=particulars
    )
    staff = Actor("staff", world.ids["staff_second"])
    made = await world.res.db.transact(
        lambda tx: intake.take(tx, staff, world.res.keyring, new=new, channel=Channel.PHONE)
    )  # fmt: skip
    return Prepared(
        f"/admin/v1/tickets/{made.ticket_id}/caller", REASON, shows=("来电人",), touches=(made.ticket_id,)
    )  # fmt: skip


async def asked_look(world: World, made: UUID, by: str) -> Approval:
    """A look that has been asked for."""

    async def work(tx: Tx) -> Approval:
        staff = Actor("staff", world.ids[f"staff_{by}"])
        return await anonymity.ask(tx, staff, ticket_id=made, communities=(world.a.id,), reason="人身威胁")

    return await world.res.db.transact(work)


@request(f"POST {TICKET}/look")
async def ask_to_look(world: World, who: Who) -> Prepared:
    made = await complaint(world, anonymous=True)
    return Prepared(f"/admin/v1/tickets/{made}/look", REASON, touches=(made,))


@request("POST /admin/v1/approvals/{approval_id}/decision #ticket look")
async def allow_look(world: World, who: Who) -> Prepared:
    made = await complaint(world, anonymous=True)
    asked = await asked_look(world, made, "second")
    body = {"approve": True, "note": "同意"}
    return Prepared(f"/admin/v1/approvals/{asked.id}/decision", body, touches=(asked.id, made))


def looking(key: str, by: str) -> None:
    @request(key)
    async def build(world: World, who: Who) -> Prepared:
        reporter = await factories.person(world.res, f"1360000{world.next():04}", "来信人")
        made = await factories_tickets.complaint(
            world.res, world.a, world.ids["complaint_category"], house_id=world.ids["house"], person_id=reporter.id,
            nature=Nature.GREENERY,
        )  # fmt: skip
        asked, manager = await asked_look(world, made, by), Actor("staff", world.ids["staff_manager"])

        async def work(tx: Tx) -> Approval:
            return await approvals.decide(
                tx, manager, asked.id, approve=True, note="同意", kinds=world.res.approval_kinds
            )  # fmt: skip

        await world.res.db.transact(work)
        return Prepared(f"/admin/v1/tickets/{made}/reporter", shows=("来信人",), touches=(made,))


looking(f"GET {TICKET}/reporter", "admin")
looking(f"GET {TICKET}/reporter #look of another", "second")

# Route, the move after which the complaint is ready for it, the body.
MOVES: tuple[tuple[str, Move | None, dict[str, object]], ...] = (
    ("classify", None, {"nature": "greenery", "urgency": "grave", "reason": None}),
    ("contact", Move.ACCEPT, REASON),
    ("answer", Move.ACCEPT, {**REASON, "outcome": None}),
    ("desk-contact", Move.TRIAGE, REASON),
    ("desk-answer", Move.TRIAGE, {**REASON, "outcome": None}),
    ("notes", None, REASON),
    ("remarks", None, REASON),
    ("cause", Move.TRIAGE, {"cause_id": "complaint_category_cause", "reason": None}),
)


def moving(path: str, last: Move | None, body: dict[str, object]) -> None:
    @request(f"POST {TICKET}/{path}")
    async def build(world: World, who: Who) -> Prepared:
        made = await complaint(world, last, who)
        sent = {name: str(world.ids[str(value)]) if name == "cause_id" else value for name, value in body.items()}
        return Prepared(f"/admin/v1/tickets/{made}/{path}", sent, touches=(made,))


for path, last, body in MOVES:
    moving(path, last, body)


@request(f"POST {TICKET}/rating-reply")
async def reply(world: World, who: Who) -> Prepared:
    made = await ticket(world, Move.RATE)
    return Prepared(f"/admin/v1/tickets/{made}/rating-reply", {"reason": "谢谢您的评价"}, touches=(made,))


@request(f"PUT {POLICY}")
async def change_policy(world: World, who: Who) -> Prepared:
    category = world.ids["c_complaint_category" if who.name == "rival" else "complaint_category"]
    return Prepared(POLICY, {"promises": [], "rating_tags": [], "dispute_category_id": str(category)})


@request(f"POST {CAUSES}")
async def create_cause(world: World, who: Who) -> Prepared:
    body = {"name": f"根因{world.next()}"}
    return Prepared(CAUSES, body, touches=(body["name"],))


@request(f"DELETE {CAUSES}/{{cause_id}}")
async def withdraw_cause(world: World, who: Who) -> Prepared:
    made = await factories_tickets.cause(world.res, world.a, f"根因{world.next()}")
    return Prepared(f"{CAUSES}/{made}", touches=(made,))
