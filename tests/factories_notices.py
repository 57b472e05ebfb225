"""A small community for notices: two buildings, four houses, people in every role; drafts and their rounds."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from backend.kernel.audit import Actor
from backend.kernel.db import Record, Tx
from backend.kernel.resources import Resources
from backend.notices import audience, drafts, publishing
from backend.notices.audience import Audience
from backend.notices.checks import CHECKS
from backend.notices.drafts import Content
from backend.notices.handlers import HANDLERS
from backend.notices.states import NoticeKind
from backend.notices.words import Text
from tests import factories, factories_messaging
from tests.factories import Community, Person, Staff
from tests.soundness import broken

EVERYBODY = Audience()
TEXT = Text(NoticeKind.UTILITY, "2栋周三停水", "因更换水泵，2栋周三 9:00 至 12:00 停水，\n请提前储水。")
# Who lives where, as what: `both` has two houses, `former` has moved out, `future` has not moved in.
TIES = (
    ("owner", "101", "owner", None, None),
    ("family", "101", "family", None, None),
    ("landlord", "102", "owner", None, None),
    ("tenant", "102", "tenant", None, None),
    ("both", "102", "family", None, None),
    ("both", "201", "owner", None, None),
    ("far", "221", "owner", None, None),
    ("former", "101", "owner", None, date(2026, 9, 1)),
    ("future", "201", "tenant", date(2026, 9, 2), None),
)


@dataclass(frozen=True)
class Town:
    """Building 1 with houses 101 and 102; building 2 with house 201 in unit 1 and house 221 in unit 2."""

    res: Resources
    place: Community
    manager: Staff
    second_building: UUID
    units: dict[str, UUID]
    houses: dict[str, UUID]
    people: dict[str, Person]

    @property
    def actor(self) -> Actor:
        return Actor("staff", self.manager.id)

    def names(self, person_ids: Iterable[UUID]) -> set[str]:
        """What the people of these ids are called here."""
        by_id = {person.id: name for name, person in self.people.items()}
        return {by_id[person_id] for person_id in person_ids}

    async def belong(self, whom: Audience) -> set[str]:
        """Who belongs to an audience today."""
        found = await self.res.db.transact(lambda tx: audience.look(tx, whom, community_id=self.place.id))
        return self.names(found.person_ids)

    async def draft(self, whom: Audience = EVERYBODY, **more: object) -> UUID:
        """A draft."""
        content = replace(Content(TEXT, whom, (), urgent=False, pinned_until=None, expires_at=None), **more)  # type: ignore[arg-type]
        return await self.res.db.transact(
            lambda tx: drafts.create(tx, self.actor, community_id=self.place.id, content=content)
        )

    async def publish(self, notice_id: UUID) -> None:
        async def work(tx: Tx) -> None:
            await publishing.publish(tx, self.actor, notice_id=notice_id, communities=[self.place.id])

        await self.res.db.transact(work)

    async def published(self, whom: Audience = EVERYBODY, **more: object) -> UUID:
        """A notice that is published; its messages are not planned yet."""
        notice_id = await self.draft(whom, **more)
        await self.publish(notice_id)
        return notice_id

    async def schedule(self, notice_id: UUID, at: datetime) -> None:
        await self.res.db.transact(
            lambda tx: publishing.schedule(
                tx, self.actor, notice_id=notice_id, communities=[self.place.id], at=at
            )
        )  # fmt: skip

    async def withdraw(self, notice_id: UUID, why: str = "时间有误") -> None:
        await self.res.db.transact(
            lambda tx: publishing.withdraw(
                tx, self.actor, notice_id=notice_id, communities=[self.place.id], why=why
            )
        )  # fmt: skip

    async def work(self) -> None:
        """Work what is due of notices, to the end; what messaging has to send waits."""
        while await factories_messaging.work_due(self.res, {**HANDLERS, "messaging.planned": _leave}):
            pass

    async def notice(self, notice_id: UUID) -> Record:
        row = await self.res.db.fetchrow("SELECT * FROM notice WHERE id = $1", notice_id)
        assert row is not None
        return row

    async def told(self, notice_id: UUID, kind: str = "publication") -> list[str]:
        """Who has a message about the notice, name by name; twice where told twice."""
        rows = await self.res.db.fetch(
            "SELECT person_id FROM message_intent WHERE event_key LIKE $1", f"notice.{kind}:{notice_id}%"
        )
        return sorted(name for row in rows for name in self.names([row["person_id"]]))

    async def sound(self) -> None:
        """The invariants of notices hold."""
        assert await broken(self.res.db, CHECKS) == []


async def _leave(job: object) -> None:
    """A job of somebody else."""


async def town(res: Resources) -> Town:
    """The community with everybody in it."""
    place = await factories.community(res)
    second = await factories.building(res, place, "2")
    units = {code: await _unit(res, place, second, code) for code in ("1", "2")}
    in_second = {code: replace(place, building_id=second, unit_id=unit) for code, unit in units.items()}
    houses = {
        "101": await factories.house(res, place, "101"),
        "102": await factories.house(res, place, "102"),
        "201": await factories.house(res, in_second["1"], "201"),
        "221": await factories.house(res, in_second["2"], "221"),
    }
    people: dict[str, Person] = {}
    for number, (name, house, role, since, until) in enumerate(TIES):
        if name not in people:
            people[name] = await factories.person(res, f"1380000010{number}", f"王{name}")
        await factories.occupy(
            res, people[name], houses[house], role, starts_on=since or date(2020, 1, 1), ends_on=until
        )
    manager = await factories.staff(res, place, "manager")
    return Town(res, place, manager, second, units, houses, people)


async def _unit(res: Resources, place: Community, building_id: UUID, code: str) -> UUID:
    return await res.db.fetchval(  # type: ignore[no-any-return]
        "INSERT INTO unit (id, community_id, building_id, code) VALUES (gen_random_uuid(), $1, $2, $3) RETURNING id",
        place.id, building_id, code,
    )  # fmt: skip
