"""A town (小镇): houses, owners and families, staff, an item and a merchant, on the shared clock; one seed, one town.

Its people pay as people do: most of them all at once, one in five in an odd way. The channels are hostile by a plan
drawn from the seed. Everything goes through HTTP; only the founding of the town is written by SQL.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from backend.fees import items, prices
from backend.fees.items import NewItem
from backend.fees.periods import Anchor
from backend.fees.plan import Formula, Liable, Nature
from backend.kernel.audit import SYSTEM
from backend.kernel.clock import local_date
from backend.kernel.db import Tx
from backend.kernel.money import Rounding, RoundingUnit
from backend.wechat import apps
from backend.wechat.apps import AppKind
from tests import factories, factories_alipay, factories_payments
from tests.conftest import Answered, MovableClock, Sandbox
from tests.simulation.host import Host

RATE_MICRO = 2_350_000
SINCE = date(2026, 9, 1)
ITEM = NewItem(
    code="WY",
    name="物业费",
    type="property",
    nature=Nature.RECURRING,
    formula=Formula.GROSS_AREA,
    cycle_months=1,
    anchor=Anchor.CALENDAR,
    prepaid=True,
    lead_days=0,
    due_days=20,
    rounding=Rounding.HALF_UP,
    rounding_unit=RoundingUnit.FEN,
    house_kinds=("residence",),
    liable=Liable.OWNER,
    payable_online=True,
    valid_from=SINCE,
)
FINE = (timedelta(minutes=1), timedelta(minutes=9), timedelta(minutes=40), timedelta(hours=3))
MINUTES = (timedelta(minutes=1),) * 4
# Half of the houses pay each month, a third by the quarter, a sixth by the half-year: bills of several months at once.
RHYTHMS = (1, 1, 1, 3, 3, 6)
TOKENS = """
    UPDATE session SET expires_at = $1::timestamptz + interval '60 days' WHERE revoked_at IS NULL AND expires_at < $1
"""


@dataclass
class Household:
    """A house, its owner, and perhaps somebody of the family. `every`: months between two visits of who pays all."""

    number: int
    house_id: UUID
    owner: factories.Person
    family: factories.Person | None
    habit: str
    every: int
    orders: list[str] = field(default_factory=list)

    def who(self, dice: random.Random) -> factories.Person:
        """Who takes the phone this time."""
        return self.family if self.family is not None and dice.random() < 0.3 else self.owner


@dataclass
class Town:
    """What happens in one seed; `told` counts what was done and what was refused; `open_cashiers`: orders
    whose payers have gone away; `fragile`: points of ours are armed, so that a failure of ours is no surprise."""

    seed: int
    host: Host
    sandbox: Sandbox
    clock: MovableClock
    houses: int
    months: int
    dice: random.Random
    place: factories.Community = field(init=False)
    item_id: UUID = field(init=False)
    households: list[Household] = field(default_factory=list)
    staff: dict[str, factories.Staff] = field(default_factory=dict)
    told: Counter[str] = field(default_factory=Counter)
    open_cashiers: list[str] = field(default_factory=list)
    fragile: bool = False
    shift_open: bool = False
    vouchers: int = 0

    async def found(self, habits: dict[str, int]) -> None:
        """Build the houses, move people in, hire staff, open a merchant, set the price."""
        res = self.host.res
        self.place = await factories.community(res)
        await factories_payments.merchant(res, self.sandbox, self.place)
        await factories_alipay.merchant(res, self.sandbox, self.place)
        await res.db.transact(self._app)
        for role in ("manager", "cashier", "administrator"):
            self.staff[role] = await factories.staff(res, self.place, role)
        kinds = self.dice.choices(list(habits), weights=list(habits.values()), k=self.houses)
        for number, habit in enumerate(kinds):
            self.households.append(await self._household(number, habit))
        self.item_id = await res.db.transact(self._price)

    async def _app(self, tx: Tx) -> None:
        await apps.register(
            tx, self.host.res.keyring, actor=SYSTEM, company_id=self.place.company_id, kind=AppKind.MINIPROGRAM,
            appid=factories.APPID, secret="s" * 32,
        )  # fmt: skip

    async def _household(self, number: int, habit: str) -> Household:
        res = self.host.res
        area_cm2 = self.dice.randrange(400_000, 1_600_000, 100)
        house_id = await factories.house(res, self.place, f"{number + 101}", gross_area_cm2=area_cm2)
        owner = await self._person(2 * number)
        await factories.occupy(res, owner, house_id)
        family = None
        if self.dice.random() < 0.3:
            family = await self._person(2 * number + 1)
            await factories.occupy(res, family, house_id, "family")
        return Household(number, house_id, owner, family, habit, self.dice.choice(RHYTHMS))

    async def _person(self, number: int) -> factories.Person:
        openid = await factories_payments.user(self.sandbox)
        return await factories.person(self.host.res, f"138{number:08}", f"居民{number}", openid=openid)

    async def _price(self, tx: Tx) -> UUID:
        row = await items.create(tx, SYSTEM, community_id=self.place.id, new=ITEM)
        await prices.add(tx, SYSTEM, item=items.of_row(row), rate_micro=RATE_MICRO, effective_from=SINCE)
        item_id: UUID = row["id"]
        return item_id

    def today(self) -> date:
        """The date in Shanghai."""
        return local_date(self.clock.now())

    async def pass_time(self, step: timedelta) -> None:
        """Time passes, finely at first and at the end, as for workers that look every minute (I-17); sessions are
        renewed as if everybody had looked in, callbacks that are due arrive, jobs run."""
        await self.host.res.db.execute(TOKENS, self.clock.now() + step + timedelta(days=7))
        fine = [each for each in FINE if sum(FINE, timedelta()) + sum(MINUTES, timedelta()) < step]
        rest = step - sum(fine, timedelta()) - sum(MINUTES if fine else [], timedelta())
        for each in (*fine, rest, *(MINUTES if fine else ())):
            self.clock.advance(each)
            await self.settle_down()

    async def settle_down(self) -> None:
        """What is due at the channel and with us is done."""
        await self.control("POST", "/notifications/flush", {})
        await self.host.work()

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        """The sandbox's control API; OSError is what it refused."""
        url = f"{self.sandbox.url}/control{path}"
        async with self.host.client.session.request(method, url, json=body) as answer:
            if answer.status >= 400:
                raise OSError(f"{method} {path}: {answer.status} {await answer.text()}")
            return await answer.json()

    async def post(self, who: factories.Person | factories.Staff, path: str, body: Any = None) -> Answered:
        """A POST as this person; what came of it is counted."""
        answer = await self.host.client.of(who.token).post(path, body)
        self._count("POST", path, answer)
        return answer

    async def get(self, who: factories.Person | factories.Staff, path: str) -> Any:
        """What this person reads."""
        answer = await self.host.client.of(who.token).get(path)
        self._count("GET", path, answer)
        return answer.json

    def _count(self, method: str, path: str, answer: Answered) -> None:
        self.told[f"{answer.status}" if answer.status < 400 else f"{answer.status} {answer.code}"] += 1
        if answer.status == 500 and not self.fragile:
            raise AssertionError(f"{method} {path}: {answer.body!r}")
