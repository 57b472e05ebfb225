"""A community with tickets: categories, residents of a house, workers, and moves made by code."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from backend.composition import CHECKS, HANDLERS
from backend.kernel.audit import Actor
from backend.kernel.auth import HouseScope
from backend.kernel.db import Record, Tx
from backend.kernel.ids import uuid7
from backend.kernel.outbox import Job
from backend.kernel.resources import Resources
from backend.tickets import categories, clocks, machine, rules, submitting
from backend.tickets.categories import Settings
from backend.tickets.complaints import causes
from backend.tickets.complaints import policy as policies
from backend.tickets.complaints.policy import Policy
from backend.tickets.complaints.register import Particulars
from backend.tickets.complaints.words import Nature
from backend.tickets.machine import Moved
from backend.tickets.moves import Move
from backend.tickets.rules import Rules
from backend.tickets.states import Dispatch, FollowUp, Kind, Role
from backend.tickets.step import Asked, Sight, Stars, Who, the_system
from backend.tickets.submitting import New
from backend.tickets.working_time import Measure
from tests import factories
from tests.factories import Community, Person, Staff
from tests.soundness import broken

PLUMBING = Settings(
    "水电维修", Kind.REPAIR_HOME, Dispatch.ASSIGN, Measure.WORKING_MINUTES, 30, 120, 480, FollowUp.NONE,
    warranty_days=90,
)  # fmt: skip
GRABBED = Settings("保洁", Kind.REPAIR_PUBLIC, Dispatch.GRAB, Measure.MINUTES, 30, 60, 240)
COMPLAINTS = Settings("投诉", Kind.COMPLAINT, follow_up=FollowUp.ALWAYS)
STARS = Stars(5, ("准时",), "很满意")


async def category(res: Resources, place: Community, settings: Settings = PLUMBING, **where: Any) -> UUID:
    """A category of the company of a community."""
    named = {"community_id": None, "parent_id": None, **where}

    async def work(tx: Tx) -> UUID:
        return await categories.create(tx, Actor("system"), company_id=place.company_id, new=settings, **named)

    return await res.db.transact(work)


async def bare_ticket(
    res: Resources, place: Community, category_id: UUID, *, house_id: UUID | None, person_id: UUID | None,
    kind: str = "repair_home", place_text: str | None = None,
) -> UUID:  # fmt: skip
    """A ticket that has come in, with its event and its entry in the audit, and without promises."""
    new = New(place.id, category_id, house_id, place_text, "厨房水龙头漏水")

    async def work(tx: Tx) -> UUID:
        who = Actor("resident" if person_id else "system", person_id)
        return (await submitting.submit(tx, who, new=new, person_id=person_id)).ticket_id

    return await res.db.transact(work)


async def complaint(
    res: Resources, place: Community, category_id: UUID, *, house_id: UUID, person_id: UUID, anonymous: bool = True,
    nature: Nature = Nature.NOISE,
) -> UUID:  # fmt: skip
    """A complaint that a resident has sent."""
    new = New(
        place.id, category_id, house_id, None, "深夜有人唱歌", particulars=Particulars(nature, anonymous=anonymous)
    )

    async def work(tx: Tx) -> UUID:
        return (await submitting.submit(tx, Actor("resident", person_id), new=new, person_id=person_id)).ticket_id

    return await res.db.transact(work)


async def cause(res: Resources, place: Community, name: str) -> UUID:
    """A root cause of the company of a community."""

    async def work(tx: Tx) -> UUID:
        return await causes.create(tx, Actor("system"), company_id=place.company_id, name=name)

    return await res.db.transact(work)


async def policy(res: Resources, place: Community, new: Policy) -> None:
    """Set what the company of a community promises for complaints."""

    async def work(tx: Tx) -> None:
        await policies.set_policy(tx, Actor("system"), company_id=place.company_id, new=new)

    await res.db.transact(work)


@dataclass
class Desk:
    """A community in which tickets are reported and worked."""

    res: Resources
    place: Community
    house_id: UUID
    owner: Person
    service: Staff
    engineer: Staff
    colleague: Staff
    category_id: UUID

    def resident(self, who: Person | None = None) -> Who:
        """The owner of the house, or another person with the same rights, as one whose ticket it is."""
        person = (who or self.owner).id
        scope = HouseScope(person, (self.house_id,), (self.house_id,), ())
        return Who(Actor("resident", person), Role.REPORTER, sight=Sight(scope, (self.place.id,)))

    def desk(self, who: Staff | None = None) -> Who:
        return Who(Actor("staff", (who or self.service).id), Role.DESK, (self.place.id,))

    def worker(self, who: Staff | None = None) -> Who:
        return Who(Actor("staff", (who or self.engineer).id), Role.WORKER, (self.place.id,))

    def system(self) -> Who:
        return the_system(self.place.id)

    async def submit(self, category_id: UUID | None = None, **more: Any) -> UUID:
        """The owner reports something."""
        known = {"house_id": self.house_id, "place": None, "description": "厨房水龙头漏水", **more}
        new = New(self.place.id, category_id or self.category_id, **known)

        async def work(tx: Tx) -> UUID:
            made = await submitting.submit(tx, Actor("resident", self.owner.id), new=new, person_id=self.owner.id)
            return made.ticket_id

        return await self.res.db.transact(work)

    async def move(self, who: Who, ticket_id: UUID, name: Move, **asked: Any) -> Moved:
        async def work(tx: Tx) -> Moved:
            return await machine.move(tx, who, ticket_id=ticket_id, name=name, asked=Asked(**asked))

        return await self.res.db.transact(work)

    async def up_to(self, ticket_id: UUID, last: Move) -> None:
        """The usual way of a ticket, up to a move."""
        steps = (
            (self.desk(), Move.TRIAGE, {}),
            (self.desk(), Move.ASSIGN, {"staff_id": self.engineer.id}),
            (self.worker(), Move.ACCEPT, {}),
            (self.worker(), Move.ARRIVE, {}),
            (self.worker(), Move.FINISH, {}),
            (self.resident(), Move.SIGN_OFF, {}),
            (self.resident(), Move.RATE, {"stars": STARS}),
            (self.desk(), Move.FOLLOW_UP, {"reason": "电话回访，已解决"}),
            (self.desk(), Move.CLOSE, {}),
        )
        for who, name, asked in steps:
            await self.move(who, ticket_id, name, **asked)
            if name is last:
                return

    async def allow(self, **limits: int) -> None:
        """Set the company's limits."""

        async def work(tx: Tx) -> None:
            await rules.set_rules(tx, self.desk().actor, company_id=self.place.company_id, new=Rules(**limits))

        await self.res.db.transact(work)

    async def row(self, ticket_id: UUID) -> Record:
        found = await self.res.db.fetchrow("SELECT * FROM ticket WHERE id = $1", ticket_id)
        assert found is not None
        return found

    async def state(self, ticket_id: UUID) -> str:
        return str((await self.row(ticket_id))["state"])

    async def clocks(self, ticket_id: UUID) -> dict[str, Record]:
        """Kind → the clock of the present round."""
        rows = await self.res.db.fetch(
            """SELECT c.* FROM ticket_clock c JOIN ticket t ON t.id = c.ticket_id AND t.round = c.round
                WHERE t.id = $1""",
            ticket_id,
        )
        return {row["kind"]: row for row in rows}

    async def tell(self) -> list[tuple[UUID, str]]:
        """Let the handlers work off what has happened; whom was told what, in order of the messages."""
        while waiting := await self.res.db.fetch(
            "SELECT * FROM outbox WHERE event LIKE 'tickets.%' AND state = 'READY' ORDER BY id"
        ):
            for row in waiting:
                await self.res.db.execute(
                    "UPDATE outbox SET state = 'LEASED', attempt = 1, lease_until = $2 WHERE id = $1",
                    row["id"], self.res.clock.now() + timedelta(minutes=1),
                )  # fmt: skip
                await HANDLERS[row["event"]](Job(self.res, row["id"], 1, row["event"], row["payload"]))
        rows = await self.res.db.fetch("SELECT person_id, body FROM inbox_message ORDER BY id")
        return [(row["person_id"], row["body"]) for row in rows]

    async def later(self, **step: float) -> None:
        self.res.clock.instant += timedelta(**step)  # type: ignore[attr-defined]

    async def sound(self) -> None:
        """All invariants hold."""
        findings = await broken(self.res.db, CHECKS)
        assert [(f.check.title, f.samples) for f in findings] == []


async def desk(res: Resources) -> Desk:
    """A community with a house, its owner, a desk, two engineers and a category."""
    place = await factories.community(res)
    house_id = await factories.house(res, place)
    owner = await factories.person(res)
    await factories.occupy(res, owner, house_id)
    service = await factories.staff(res, place, "customer_service")
    engineers = [await factories.staff(res, place, "engineer") for _ in range(2)]
    return Desk(res, place, house_id, owner, service, *engineers, await category(res, place))


async def shown_clocks(res: Resources, ticket_id: UUID) -> list[Record]:
    """The clocks as a list shows them."""
    return (await clocks.of_tickets(res.db, [ticket_id])).get(ticket_id, [])


def new_id(res: Resources) -> UUID:
    """An id of nothing."""
    return uuid7(res.clock.now())
