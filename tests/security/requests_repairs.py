"""The requests of paid repairs: price list, stock, quotes and answers to them, costs, waivers, signature, payment."""

from uuid import UUID, uuid4

from backend.kernel.audit import Actor
from backend.tickets.categories import Settings
from backend.tickets.moves import Move
from backend.tickets.paid import costs, price_list, signatures, stock, stocktaking, waivers
from backend.tickets.paid.price_list import Terms
from backend.tickets.paid.states import Sort
from backend.tickets.states import Kind
from tests import factories_repairs, factories_tickets
from tests.factories_repairs import HOUR
from tests.factories_tickets import Desk
from tests.security.prepared import Prepared, plain, request
from tests.security.requests_tickets import MINE, TICKET, WORKERS, desk_of
from tests.security.world import Who, World

PRICES, STOCK = "/admin/v1/ticket-prices", "/admin/v1/ticket-stock/{place_id}"
DECISION = "POST /admin/v1/approvals/{approval_id}/decision"
APPROVED = {"approve": True, "note": "同意"}
WAY = {"channel": "wechat", "method": "jsapi"}
LINES = [
    {
        "quantity": 1,
        "other": {"sort": "labour", "title": "检修", "unit": "次", "unit_price_fen": 8_000, "reason": "夜间加急"},
    }
]
# No warranty, so that every one of them costs something.
WITHOUT_WARRANTY = Settings("有偿维修", Kind.REPAIR_HOME, paid=True)
PUBLIC = Settings("公共维修", Kind.REPAIR_PUBLIC)

plain(f"GET {PRICES}", PRICES)
plain("GET /admin/v1/ticket-stock", "/admin/v1/ticket-stock")
plain(f"GET {STOCK}/movements", "/admin/v1/ticket-stock/{repair_store}/movements")
plain(f"GET {TICKET}/quotes", "/admin/v1/tickets/{ticket}/quotes")
plain(f"GET {MINE}/quotes", "/api/v1/tickets/{ticket}/quotes")


async def category(world: World, settings: Settings) -> UUID:
    """A category of community A, made with the first request that needs it."""
    known: UUID | None = await world.res.db.fetchval("SELECT id FROM ticket_category WHERE name = $1", settings.name)
    return known or await factories_tickets.category(world.res, world.a, settings, community_id=world.a.id)


async def repair(world: World, last: Move, who: Who, settings: Settings = WITHOUT_WARRANTY) -> UUID:
    """A fresh ticket after the move `last`; whoever asks has it in hand, where that is allowed."""
    desk = desk_of(world, who.name if who.name in WORKERS else "engineer")
    made = await factories_tickets.bare_ticket(
        world.res, world.a, await category(world, settings), house_id=world.ids["house"], person_id=None,
        place_text="北门岗亭",
    )  # fmt: skip
    for name in (
        Move.TRIAGE,
        Move.ASSIGN,
        Move.ACCEPT,
        Move.ARRIVE,
        Move.QUOTE,
        Move.AGREE,
        Move.FINISH,
        Move.SIGN_OFF,
    ):
        await step(desk, made, name)
        if name is last:
            break
    return made


async def step(desk: Desk, ticket_id: UUID, name: Move) -> None:
    asked = {
        Move.ASSIGN: {"staff_id": desk.engineer.id},
        Move.QUOTE: {"lines": (HOUR,)},
        Move.AGREE: {"version": 1},
    }
    by_worker = name in (Move.ACCEPT, Move.ARRIVE, Move.QUOTE, Move.FINISH)
    who = desk.worker() if by_worker else desk.desk()
    await desk.move(who, ticket_id, name, **asked.get(name, {}))


def moving(route: str, last: Move, body: dict[str, object], worker: str | None = None) -> None:
    """The request of a move, upon a fresh ticket."""

    async def build(world: World, who: Who) -> Prepared:
        made = await repair(world, last, who if worker is None else world.who[worker])
        return Prepared(route.replace("{ticket_id}", str(made)), body, touches=(made,))

    request(f"POST {route}" if worker is None else f"POST {route} #in another's hands")(build)


moving(f"{TICKET}/quote", Move.ARRIVE, {"lines": LINES, "reason": None})
moving(f"{TICKET}/quote", Move.ARRIVE, {"lines": LINES, "reason": None}, worker="second")
for _base in (TICKET, MINE):
    for _path in ("agree", "decline"):
        moving(f"{_base}/{_path}", Move.QUOTE, {"version": 1, "reason": "与住户电话确认"})


@request(f"POST {PRICES}")
async def propose_price(world: World, who: Who) -> Prepared:
    body = {
        "community_id": str(world.a.id), "sort": "part", "name": f"配件{uuid4()}", "unit": "个", "price_fen": 3_500,
        "starts_on": "2027-01-01", "reason": "年度价目表",
    }  # fmt: skip
    return Prepared(PRICES, body, touches=(body["name"],))


@request(f"{DECISION} #ticket price")
async def decide_price(world: World, who: Who) -> Prepared:
    proposer, terms = Actor("staff", world.ids["staff_second"]), Terms(
        Sort.PART, f"配件{uuid4()}", "个", 3_500, world.res.clock.now().date().replace(year=2027)
    )  # fmt: skip
    asked = await world.res.db.transact(
        lambda tx: price_list.propose(
            tx, proposer, company_id=world.a.company_id, community_id=world.a.id, terms=terms, reason="年度价目表"
        )
    )
    return Prepared(f"/admin/v1/approvals/{asked.id}/decision", APPROVED, touches=(asked.id, terms.name))


@request(f"POST {PRICES}/{{item_id}}/withdraw")
async def withdraw_item(world: World, who: Who) -> Prepared:
    item_id, _ = await factories_repairs.listed(world.res, world.a)
    return Prepared(f"{PRICES}/{item_id}/withdraw", {"reason": "改用新型号"}, touches=(item_id,))


@request("POST /admin/v1/ticket-stock")
async def add_place(world: World, who: Who) -> Prepared:
    name = f"仓库{uuid4().hex[:12]}"
    body = {"community_id": str(world.a.id), "name": name, "staff_id": None}
    return Prepared("/admin/v1/ticket-stock", body, touches=(name,))


@request(f"POST {STOCK}/receipts")
async def receive(world: World, who: Who) -> Prepared:
    item_id, store_id = await factories_repairs.listed(world.res, world.a)
    body = {"item_id": str(item_id), "quantity": 3, "reason": "采购入库"}
    return Prepared(f"/admin/v1/ticket-stock/{store_id}/receipts", body, touches=(item_id, store_id))


@request(f"POST {STOCK}/transfers")
async def transfer(world: World, who: Who) -> Prepared:
    item_id, store_id = await factories_repairs.listed(world.res, world.a)
    _, other_id = await factories_repairs.listed(world.res, world.a)
    body = {"item_id": str(item_id), "quantity": 3, "reason": "调拨", "to_id": str(other_id)}
    return Prepared(f"/admin/v1/ticket-stock/{store_id}/transfers", body, touches=(item_id, store_id, other_id))


@request(f"POST {STOCK}/returns")
async def put_back(world: World, who: Who) -> Prepared:
    """A part that a ticket has used: its movement is that of a worker's own stock, here of the store."""
    item_id, store_id = await factories_repairs.listed(world.res, world.a)
    made = await repair(world, Move.TRIAGE, who)
    where = {"id": store_id, "community_id": world.a.id}
    why = stock.Why(stock.Movement.USED, "工单用料", ticket_id=made)
    keeper = Actor("staff", world.ids["staff_second"])
    await world.res.db.transact(lambda tx: stock.change(tx, keeper, where, item_id=item_id, by=-2, why=why))
    body = {"item_id": str(item_id), "quantity": 1, "reason": "未用上", "ticket_id": str(made)}
    return Prepared(f"/admin/v1/ticket-stock/{store_id}/returns", body, touches=(item_id, store_id, made))


@request(f"POST {STOCK}/counts")
async def count(world: World, who: Who) -> Prepared:
    item_id, store_id = await factories_repairs.listed(world.res, world.a)
    body = {"lines": [{"item_id": str(item_id), "counted": 4}], "reason": "月末盘点"}
    return Prepared(f"/admin/v1/ticket-stock/{store_id}/counts", body, touches=(item_id, store_id))


@request(f"{DECISION} #stocktaking")
async def decide_count(world: World, who: Who) -> Prepared:
    item_id, store_id = await factories_repairs.listed(world.res, world.a)
    counter = Actor("staff", world.ids["staff_second"])
    asked = await world.res.db.transact(
        lambda tx: stocktaking.propose(
            tx, counter, place_id=store_id, counted={item_id: 4}, reason="月末盘点", communities=(world.a.id,)
        )
    )
    return Prepared(f"/admin/v1/approvals/{asked.id}/decision", APPROVED, touches=(asked.id, store_id))


@request(f"POST {TICKET}/costs")
async def record_cost(world: World, who: Who) -> Prepared:
    made = await repair(world, Move.ARRIVE, who, PUBLIC)
    return Prepared(f"/admin/v1/tickets/{made}/costs", {"lines": LINES, "reason": "更换灯管"}, touches=(made,))


@request(f"{DECISION} #ticket cost")
async def decide_cost(world: World, who: Who) -> Prepared:
    made = await repair(world, Move.ARRIVE, world.who["second"], PUBLIC)
    worker = desk_of(world, "second").worker()
    await world.res.db.transact(
        lambda tx: costs.record(tx, worker, ticket_id=made, wishes=(HOUR,), reason="更换灯管")
    )  # fmt: skip
    asked = await world.res.db.fetchval("SELECT approval_id FROM ticket_cost WHERE ticket_id = $1", made)
    return Prepared(f"/admin/v1/approvals/{asked}/decision", APPROVED, touches=(asked, made))


@request(f"POST {TICKET}/waiver")
async def ask_waiver(world: World, who: Who) -> Prepared:
    made = await repair(world, Move.SIGN_OFF, who)
    return Prepared(f"/admin/v1/tickets/{made}/waiver", {"reason": "维修质量问题"}, touches=(made,))


@request(f"{DECISION} #ticket waiver")
async def decide_waiver(world: World, who: Who) -> Prepared:
    made = await repair(world, Move.SIGN_OFF, who)
    asker = desk_of(world, "second").desk(desk_of(world).colleague)
    asked = await world.res.db.transact(lambda tx: waivers.propose(tx, asker, ticket_id=made, reason="维修质量问题"))
    return Prepared(f"/admin/v1/approvals/{asked.id}/decision", APPROVED, touches=(asked.id, made))


@request(f"POST {TICKET}/signature")
async def show_signature(world: World, who: Who) -> Prepared:
    made = await repair(world, Move.TRIAGE, who)
    picture = signatures.cleaned(factories_repairs.drawn())
    await world.res.db.transact(
        lambda tx: signatures.keep(
            tx, desk_of(world).desk(), keyring=world.res.keyring, ticket_id=made, picture=picture
        )
    )
    return Prepared(f"/admin/v1/tickets/{made}/signature", {"reason": "住户查询"}, touches=(made,))


@request(f"POST {MINE}/payments")
async def pay(world: World, who: Who) -> Prepared:
    await world.res.redis.flushdb()
    await world.res.db.execute("DELETE FROM collection_pause")
    made = await repair(world, Move.SIGN_OFF, who)
    quote = await world.res.db.fetchval("SELECT id FROM ticket_quote WHERE ticket_id = $1", made)
    return Prepared(f"/api/v1/tickets/{made}/payments", WAY, touches=(quote, world.ids["merchant"]))
