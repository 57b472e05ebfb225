"""Builders of visitors: a house with its owner, two gates, a guard, and passes by the product's own commands."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from backend.devices.states import Kind
from backend.kernel.audit import Actor
from backend.kernel.auth import HouseScope, Tie
from backend.kernel.db import Record, Tx
from backend.kernel.resources import Resources
from backend.visitors import bans, goods, guests, inviting, passes, rules, walk_ins
from backend.visitors.bans import NewBan
from backend.visitors.goods import NewPermit
from backend.visitors.inviting import Made, NewPass
from backend.visitors.passes import Redeemed
from backend.visitors.rules import Rule
from backend.visitors.states import BanKind, EntryWay, PassKind, Refusal
from backend.visitors.walk_ins import NewWalkIn
from backend.visitors.windows import Slot
from tests import factories, factories_devices
from tests.factories import Community, Person, Staff

HOUR = timedelta(hours=1)
PHONE, NAME = "13900000077", "李大方"
WORKDAYS, EVERY_DAY = 0b0011111, 0b1111111


@dataclass
class Yard:
    """A community with a house, who lives there, and who stands at the gate."""

    res: Resources
    place: Community
    house_id: UUID
    owner: Person
    gate_id: UUID
    other_gate_id: UUID
    guard: Staff
    manager: Staff

    @property
    def tie(self) -> Tie:
        return Tie(self.house_id, self.place.id, "owner")

    @property
    def scope(self) -> HouseScope:
        return HouseScope(self.owner.id, (self.house_id,), (self.house_id,), ())

    @property
    def actor(self) -> Actor:
        return Actor("resident", self.owner.id)

    @property
    def staff(self) -> Actor:
        return Actor("staff", self.manager.id)

    async def invite(self, *, draft: bool = False, hours: float = 4, starts_h: float = 0, **more: Any) -> Made:
        """A pass from `starts_h` hours from now on, by the owner."""
        begins = self.res.clock.now() + starts_h * HOUR
        phone, plate = more.pop("phone", PHONE), more.pop("plate", None)
        new = NewPass(
            kind=more.pop("kind", PassKind.GUEST),
            guest=guests.typed(NAME, phone=phone, plate=plate),
            valid_from=begins,
            valid_until=begins + hours * HOUR,
            **more,
        )
        return await self.res.db.transact(
            lambda tx: inviting.create(
                tx, self.actor, keyring=self.res.keyring, tie=self.tie, person_id=self.owner.id, new=new, draft=draft
            )
        )

    async def redeem(self, pass_id: UUID, gate_id: UUID | None = None, **more: Any) -> Redeemed | Refusal:
        """The pass at a gate, now."""
        way = more.pop("way", EntryWay.TOKEN)
        return await self.res.db.transact(
            lambda tx: passes.redeem(tx, pass_id=pass_id, gate_id=gate_id or self.gate_id, way=way, **more)
        )

    async def register(self) -> UUID:
        """A visitor without a pass, who waits at the gate."""
        guard, new = Actor("staff", self.guard.id), NewWalkIn(self.house_id, guests.typed("王师傅"), 0, "送货")
        made = await self.res.db.transact(
            lambda tx: walk_ins.register(
                tx, guard, keyring=self.res.keyring, gate_id=self.gate_id, communities=[self.place.id], new=new
            )
        )  # fmt: skip
        return made.id

    async def permit(self, *, hours: float = 4, approved: bool = True) -> UUID:
        """Goods that may leave from now on, or for which the property is asked."""
        now = self.res.clock.now()
        await self.rule(goods_approval=not approved)
        new = NewPermit("沙发一张", guests.typed("赵师傅"), now, now + hours * HOUR)
        made = await self.res.db.transact(
            lambda tx: goods.ask(
                tx, self.actor, keyring=self.res.keyring, tie=self.tie, person_id=self.owner.id, new=new
            )
        )  # fmt: skip
        return made.id

    async def ban(self, kind: BanKind, value: str) -> UUID:
        """A ban by the manager, until it is lifted."""
        made = await self.res.db.transact(
            lambda tx: bans.put(
                tx, self.staff, keyring=self.res.keyring, community_id=self.place.id,
                new=NewBan(kind, value, "多次尾随进入", None),
            )
        )  # fmt: skip
        return made.id

    async def rule(self, **changed: Any) -> None:
        """The usual rule, but for what is given."""
        new = Rule(**changed)

        async def work(tx: Tx) -> None:
            await rules.change(tx, self.staff, community_id=self.place.id, new=new)

        await self.res.db.transact(work)

    async def row(self, pass_id: UUID) -> Record:
        found = await self.res.db.fetchrow("SELECT * FROM visitor_pass WHERE id = $1", pass_id)
        assert found is not None
        return found

    async def entries(self) -> list[Record]:
        return await self.res.db.fetch("SELECT * FROM visitor_entry ORDER BY entered_at, id")

    async def told(self, person: Person | None = None) -> list[str]:
        """What the inbox of somebody holds, oldest first."""
        who = (person or self.owner).id
        rows = await self.res.db.fetch("SELECT body FROM inbox_message WHERE person_id = $1 ORDER BY id", who)
        return [row["body"] for row in rows]


def weekly(start_min: int, end_min: int, days: int = WORKDAYS) -> tuple[Slot, ...]:
    """A pattern of one slot."""
    return (Slot(days, start_min, end_min),)


async def yard(res: Resources) -> Yard:
    """All of it."""
    place = await factories.community(res)
    house_id = await factories.house(res, place)
    owner = await factories.person(res)
    await factories.occupy(res, owner, house_id)
    gates = [await factories_devices.device(res, place, Kind.GATE, name=name) for name in ("南门", "北门")]
    return Yard(
        res, place, house_id, owner, gates[0].id, gates[1].id, await factories.staff(res, place, "guard"),
        await factories.staff(res, place, "manager"),
    )  # fmt: skip
