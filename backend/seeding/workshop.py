"""The demo community's workshop: a paid category, prices, parts in stock, and a quote that waits for its answer."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from backend.kernel import approvals
from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from backend.property import occupancy
from backend.seeding.joining import Joined
from backend.tickets import categories, machine, submitting
from backend.tickets.categories import Settings
from backend.tickets.moves import Move
from backend.tickets.paid import places, price_list, stock
from backend.tickets.paid.lines import LineWish
from backend.tickets.paid.price_list import Terms
from backend.tickets.paid.states import Sort
from backend.tickets.states import Dispatch, FollowUp, Kind, Role
from backend.tickets.step import Asked, Who
from backend.tickets.submitting import New
from backend.tickets.working_time import Measure

PAID = Settings(
    "有偿维修", Kind.REPAIR_HOME, Dispatch.ASSIGN, Measure.WORKING_MINUTES, 30, 240, 960, FollowUp.UNRATED, paid=True,
    warranty_days=90,
)  # fmt: skip
PRICES = (
    (Sort.LABOUR, "上门检修", "次", 3_000),
    (Sort.LABOUR, "水电安装", "小时", 6_000),
    (Sort.PART, "水龙头阀芯", "个", 3_500),
    (Sort.PART, "角阀", "个", 2_800),
    (Sort.PART, "五孔插座", "个", 1_800),
)
IN_STORE, CARRIED = 40, 6
QUOTED = "SELECT 1 FROM ticket_quote LIMIT 1"
TEAM = "SELECT id FROM staff WHERE company_id = $1 AND login = $2"
ITEMS = "SELECT name, id FROM ticket_item WHERE company_id = $1 AND sort = 'part' ORDER BY name"


async def lay_out(tx: Tx, res: Resources, company_id: UUID, community_id: UUID, *, team: Mapping[str, UUID]) -> None:
    """Category, price list and stock; the manager proposes the prices and the administrator approves them."""
    manager, administrator = (Actor("staff", team[login]) for login in ("manager", "admin"))
    await categories.create(tx, manager, company_id=company_id, community_id=None, parent_id=None, new=PAID)
    for sort, name, unit, price_fen in PRICES:
        asked = await price_list.propose(
            tx, manager, company_id=company_id, community_id=community_id,
            terms=Terms(sort, name, unit, price_fen, tx.today), reason="首次公示的有偿服务价目表",
        )  # fmt: skip
        await approvals.decide(
            tx, administrator, asked.id, approve=True, note="与公示一致，同意", kinds=res.approval_kinds
        )
    keeper, where = Actor("staff", team["service"]), [community_id]
    store = await places.add(tx, keeper, community_id=community_id, name="工程部仓库", staff_id=None)
    bag = await places.add(tx, keeper, community_id=community_id, name="工程师傅随身", staff_id=team["engineer"])
    for row in await tx.fetch(ITEMS, company_id):
        await stock.receive(
            tx, keeper, place_id=store, item_id=row["id"], quantity=IN_STORE, reason="开业采购", communities=where
        )
        await stock.transfer(
            tx, keeper, place_id=store, to_id=bag, item_id=row["id"], quantity=CARRIED, reason="领料", communities=where
        )


async def quote(res: Resources, company_id: UUID, community_id: UUID, joined: Sequence[Joined]) -> None:
    """An owner has a quote to answer; nothing where there are quotes already."""
    owner = [one for one in joined if one.role == "owner"][-1]

    async def work(tx: Tx) -> None:
        if await tx.fetchval(QUOTED) is not None:
            return
        service, engineer = [await tx.fetchval(TEAM, company_id, login) for login in ("service", "engineer")]
        desk = Who(Actor("staff", service), Role.DESK, (community_id,))
        worker = Who(Actor("staff", engineer), Role.WORKER, (community_id,))
        (tie, *_) = await occupancy.of_people(tx, [owner.person_id], community_ids=[community_id], today=tx.today)
        known = {row["name"]: row["id"] for row in await categories.of_community(tx, community_id)}
        items = {row["name"]: row["id"] for row in await price_list.of_company(
            tx, company_id, [community_id], today=tx.today
        )}  # fmt: skip
        lines = (LineWish(1, items["水电安装"]), LineWish(2, items["角阀"]))
        new = New(community_id, known[PAID.name], tie.house_id, "厨房", "水槽下的角阀生锈，想换新的")
        made = await submitting.submit(tx, Actor("resident", owner.person_id), new=new, person_id=owner.person_id)
        for who, move, asked in (
            (desk, Move.TRIAGE, Asked()),
            (desk, Move.ASSIGN, Asked(staff_id=engineer)),
            (worker, Move.ACCEPT, Asked()),
            (worker, Move.ARRIVE, Asked()),
            (worker, Move.QUOTE, Asked(lines=lines)),
        ):
            await machine.move(tx, who, ticket_id=made.ticket_id, name=move, asked=asked)

    await res.db.transact(work)
