"""The demo community's service desk: a few categories, and tickets at different points of their way.

The tickets are put in at once, by the nouns' own commands: a seed that is carried on does not put them in again.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from backend.kernel.audit import Actor
from backend.kernel.auth import HouseScope
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from backend.property import occupancy
from backend.seeding.joining import Joined
from backend.tickets import categories, machine, submitting
from backend.tickets.categories import Settings
from backend.tickets.complaints import causes, policy
from backend.tickets.complaints.policy import Policy, Promise
from backend.tickets.complaints.register import NO_PARTICULARS, Particulars
from backend.tickets.complaints.words import Nature, Urgency
from backend.tickets.dispatch import duty, handling
from backend.tickets.dispatch.duty import Shift
from backend.tickets.moves import Move
from backend.tickets.screening import switch
from backend.tickets.states import Dispatch, FollowUp, Kind, Role
from backend.tickets.step import Asked, Sight, Stars, Who
from backend.tickets.submitting import New
from backend.tickets.working_time import Measure

CATEGORIES = (
    Settings(
        "水电维修", Kind.REPAIR_HOME, Dispatch.ASSIGN, Measure.WORKING_MINUTES, 30, 120, 960, FollowUp.UNRATED,
        warranty_days=90,
    ),
    Settings(
        "电梯故障", Kind.REPAIR_PUBLIC, Dispatch.ASSIGN, Measure.MINUTES, 10, 30, 480, FollowUp.ALWAYS, reopen_days=15
    ),
    Settings("门禁弱电", Kind.REPAIR_HOME, Dispatch.ROTA, Measure.WORKING_MINUTES, 30, 120, 960, warranty_days=30),
    Settings("公共区域保洁", Kind.REPAIR_PUBLIC, Dispatch.GRAB, Measure.WORKING_MINUTES, 30, 60, 240),
    Settings(
        "投诉", Kind.COMPLAINT, Dispatch.ASSIGN, Measure.WORKING_MINUTES, respond_within=120, follow_up=FollowUp.ALWAYS
    ),
    Settings("建议", Kind.SUGGESTION, Dispatch.ASSIGN, Measure.WORKING_MINUTES, respond_within=240),
    Settings("咨询", Kind.CONSULTATION, Dispatch.ASSIGN, Measure.WORKING_MINUTES, respond_within=120),
    Settings("表扬", Kind.PRAISE, Dispatch.ASSIGN, Measure.WORKING_MINUTES, respond_within=480),
)  # fmt: skip
PROMISES = (Promise(Nature.NOISE, Urgency.USUAL, 1, 3), Promise(None, Urgency.USUAL, 1, 5))
TAGS = ("态度好", "处理快", "专业", "准时", "没有解决", "等待太久")
CAUSES = ("响应不及时", "服务不规范", "设施老化", "资料登记错误", "沟通不到位", "非物业责任")
REPORTED = "SELECT 1 FROM ticket LIMIT 1"
TEAM = "SELECT id FROM staff WHERE company_id = $1 AND login = $2"


async def lay_out(tx: Tx, company_id: UUID, *, manager: Actor) -> None:
    """Categories, what holds for complaints, checks of content; what goes by rota is dispatched as it comes in."""
    made = {}
    for settings in CATEGORIES:
        category_id = await categories.create(
            tx, manager, company_id=company_id, community_id=None, parent_id=None, new=settings
        )  # fmt: skip
        made[settings.kind] = category_id
        if settings.dispatch is Dispatch.ROTA:
            at_once = replace(handling.USUAL, at_once=True)
            await handling.set_rule(tx, manager, company_id=company_id, category_id=category_id, new=at_once)
    new = Policy(PROMISES, TAGS, made[Kind.COMPLAINT])
    await policy.set_policy(tx, manager, company_id=company_id, new=new)
    for name in CAUSES:
        await causes.create(tx, manager, company_id=company_id, name=name)
    await switch.turn(tx, manager, company_id=company_id, enabled=True)


async def report(res: Resources, company_id: UUID, community_id: UUID, joined: Sequence[Joined]) -> None:
    """The engineer is on duty, residents report, the desk dispatches; nothing where there are tickets already."""
    owners = [one for one in joined if one.role == "owner"][:4]

    async def work(tx: Tx) -> None:
        if await tx.fetchval(REPORTED) is not None:
            return
        service, engineer = [await tx.fetchval(TEAM, company_id, login) for login in ("service", "engineer")]
        known = {row["name"]: row["id"] for row in await categories.of_community(tx, community_id)}
        every_day = [Shift(engineer, weekday, 8 * 60, 20 * 60) for weekday in range(1, 8)]
        await duty.set_plan(tx, Actor("staff", service), community_id=community_id, shifts=every_day)
        desk = Who(Actor("staff", service), Role.DESK, (community_id,))
        worker = Who(Actor("staff", engineer), Role.WORKER, (community_id,))
        taken = (
            (desk, Move.TRIAGE, Asked()),
            (desk, Move.ASSIGN, Asked(staff_id=engineer)),
            (worker, Move.ACCEPT, Asked()),
        )
        done = (*taken, (worker, Move.ARRIVE, Asked()), (worker, Move.FINISH, Asked()))
        ties = await occupancy.of_people(
            tx, [one.person_id for one in owners], community_ids=[community_id], today=tx.today
        )  # fmt: skip
        houses = {tie.person_id: tie.house_id for tie in ties}
        for owner, name, place, words, steps in zip(
            owners,
            ("水电维修", "水电维修", "公共区域保洁", "投诉"),
            (None, None, "1栋1单元大堂", None),
            ("厨房水龙头漏水", "卧室插座没有电", "大堂地面有水渍，容易滑倒", "楼上深夜装修噪声扰民"),
            (done, taken, taken[:1], ()),
            strict=False,
        ):
            particulars = Particulars(Nature.NOISE, anonymous=True) if name == "投诉" else NO_PARTICULARS
            new = New(community_id, known[name], houses[owner.person_id], place, words, particulars=particulars)
            actor = Actor("resident", owner.person_id)
            made = await submitting.submit(tx, actor, new=new, person_id=owner.person_id)
            for who, move, asked in steps:
                await machine.move(tx, who, ticket_id=made.ticket_id, name=move, asked=asked)
            if steps is done:
                await _say_thanks(tx, owner, houses[owner.person_id], community_id, made.ticket_id)

    await res.db.transact(work)


async def _say_thanks(tx: Tx, owner: Joined, house_id: UUID, community_id: UUID, ticket_id: UUID) -> None:
    scope = HouseScope(owner.person_id, (house_id,), (house_id,), ())
    who = Who(Actor("resident", owner.person_id), Role.REPORTER, sight=Sight(scope, (community_id,)))
    for move, asked in (
        (Move.SIGN_OFF, Asked()),
        (Move.RATE, Asked(stars=Stars(5, ("准时", "专业"), "师傅很耐心，修得很快"))),
    ):
        await machine.move(tx, who, ticket_id=ticket_id, name=move, asked=asked)
