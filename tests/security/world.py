"""The world of the matrix: two communities of one company, one of another, and somebody of every kind around them.

Everything that an answer could mention has a name and a side. `ours` is community A; `house` is the house that
residents' questions are about, `next` the house beside it; `b` is the same company's other community; `c` belongs to
another company.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

from backend.devices.states import Kind as DeviceKind
from backend.fees import prices
from backend.fees.plan import Liable
from backend.kernel import approvals, audit
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.auth import HouseScope
from backend.kernel.db import Tx
from backend.kernel.ids import uuid7
from backend.kernel.resources import Resources
from backend.messaging import templates
from backend.messaging.templates import Channel
from backend.notices import drafts, publishing
from backend.notices.audience import Audience as Whom
from backend.notices.audience import Rule as Only
from backend.notices.drafts import Content
from backend.notices.states import NoticeKind
from backend.notices.words import Text
from backend.property import applications, houses
from backend.tickets import machine
from backend.tickets.complaints.policy import Policy
from backend.tickets.moves import Move
from backend.tickets.states import Role
from backend.tickets.step import Asked
from backend.tickets.step import Who as Mover
from backend.visitors.passes import Redeemed
from backend.visitors.states import BanKind
from backend.wechat import apps
from backend.wechat.apps import AppKind
from payments import merchants, orders
from payments.merchant_keys import Keys
from payments.orders import Payer
from payments.payables import Kind, Wish
from tests import (
    factories,
    factories_cards,
    factories_devices,
    factories_duty,
    factories_fees,
    factories_media,
    factories_parking,
    factories_payments,
    factories_repairs,
    factories_shops,
    factories_tickets,
    vectors,
)
from tests.conftest import Client, Sandbox
from tests.factories import Community
from tests.factories_parking import Lot
from tests.factories_visitors import Yard
from tests.security.witness import Witness

MINI, OFFICIAL, RIVAL_MINI = factories.APPID, "wx0ff1c1a1acc00047", "wx0ff1c1a1acc00999"
SECRET = "0123456789abcdef0123456789abcdef"
PASSWORD = "correct-horse-8"

RESIDENTS = ("newcomer", "stranger", "former", "tenant", "family", "owner")
ROLE_OF = {
    "guard": "guard",
    "engineer": "engineer",
    "service": "customer_service",
    "readonly": "read_only",
    "cashier": "cashier",
    "manager": "manager",
    "admin": "administrator",
    "neighbour": "administrator",
    "rival": "administrator",
    "unproven": "administrator",
}
COMPANY_WIDE = ("admin", "rival", "unproven")
PRINCIPALS = ("nobody", *RESIDENTS, "device", *ROLE_OF)

# What a principal's answers, and the rows that the principal changes, may ever mention. What is public is in no side.
SIDES: Mapping[str, frozenset[str]] = {
    "nobody": frozenset({"company"}),
    "newcomer": frozenset({"company"}),
    "stranger": frozenset({"company", "ours", "next"}),
    **dict.fromkeys(("former", "tenant", "family", "owner"), frozenset({"company", "ours", "house"})),
    # The camera of a lane is given the cards of its lot, whosever house they are.
    "device": frozenset({"company", "ours", "house", "next"}),
    **dict.fromkeys(
        ("guard", "engineer", "service", "readonly", "cashier", "manager"),
        frozenset({"company", "ours", "house", "next"}),
    ),
    **dict.fromkeys(("admin", "unproven"), frozenset({"company", "ours", "house", "next", "b"})),
    "neighbour": frozenset({"company", "b"}),
    "rival": frozenset({"c"}),
}


@dataclass(frozen=True)
class Who:
    """Somebody with a session (or, nobody, without one)."""

    name: str
    token: str | None
    id: UUID | None = None
    wechat_user_id: UUID | None = None
    openid: str | None = None


@dataclass
class World:
    """Who and what there is."""

    res: Resources
    client: Client
    sandbox: Sandbox
    places: dict[str, Community] = field(default_factory=dict)
    who: dict[str, Who] = field(default_factory=dict)
    ids: dict[str, UUID] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    sides: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    lots: dict[str, Lot] = field(default_factory=dict)
    witness: Witness = field(init=False)
    _count: int = 0

    def name(self, name: str, what: UUID | str, side: str) -> None:
        """Let answers be searched for `what` under this name."""
        if isinstance(what, UUID):
            self.ids[name] = what
        self.texts[name] = str(what)
        self.sides[name] = side

    def mentioned(self, text: str) -> set[str]:
        """The names of everything that `text` mentions."""
        return {name for name, marker in self.texts.items() if marker in text}

    def next(self) -> int:
        """A number not used before."""
        self._count += 1
        return self._count

    @property
    def a(self) -> Community:
        return self.places["a"]


async def build(res: Resources, client: Client, sandbox: Sandbox) -> World:
    """All of it; a second or two."""
    world = World(res, client, sandbox)
    await _places(world)
    await _residents(world)
    await _staff(world)
    await _fees(world)
    await _prepaid(world)
    await _payments(world)
    await _counter(world)
    await _refunds(world)
    await _messages(world)
    await _approvals(world)
    await _roster(world)
    await _parking(world)
    await _tickets(world)
    await _repairs(world)
    await _visitors(world)
    await _notices(world)
    return world


async def _places(world: World) -> None:
    res = world.res
    a = await factories.community(res, "AA")
    b = await factories.community(res, "BB", company_id=a.company_id)
    c = await factories.community(res, "CC")
    world.places = {"a": a, "b": b, "c": c}
    await world.sandbox.ask("PUT", f"/apps/{MINI}", {"secret": SECRET, "kind": "miniprogram"})
    world.name("company", a.company_id, "company")
    world.name("c_company", c.company_id, "c")
    for letter, side, prefix in (("a", "ours", ""), ("b", "b", "b_"), ("c", "c", "c_")):
        place = world.places[letter]
        world.name(letter, place.id, side)
        world.name(f"{prefix}building", place.building_id, side)
        world.name(f"{prefix}unit", place.unit_id, side)
        world.name(f"{prefix}house", await factories.house(res, place, "101"), "house" if letter == "a" else side)
    world.name("next_house", await factories.house(res, a, "102"), "next")
    for prefix, letter, side in (("", "a", "ours"), ("b_", "b", "b"), ("c_", "c", "c")):
        made = await factories_devices.device(res, world.places[letter])
        world.name(f"{prefix}device", made.id, side)
        world.secrets.append(made.secret)
        if letter == "a":
            world.who["device"] = Who("device", made.token, made.id)
    world.who["nobody"] = Who("nobody", None)


async def _residents(world: World) -> None:
    res = world.res
    left_on = date(2026, 8, 1)
    for number, (name, house, role, ends_on, side) in enumerate(
        (
            ("stranger", "next_house", "owner", None, "next"),
            ("former", "house", "owner", left_on, "house"),
            ("tenant", "house", "tenant", None, "house"),
            ("family", "house", "family", None, "house"),
            ("owner", "house", "owner", None, "house"),
            ("b_person", "b_house", "owner", None, "b"),
            ("c_person", "c_house", "owner", None, "c"),
        )
    ):
        openid = await factories_payments.user(world.sandbox) if name != "c_person" else None
        phone, called = f"1390000100{number}", f"钱{'一二三四五六七'[number]}"
        person = await factories.person(res, phone, called, openid=openid)
        world.secrets += [phone, called, person.openid, person.token]
        await factories.occupy(res, person, world.ids[house], role, ends_on=ends_on)
        tie = await res.db.fetchval("SELECT id FROM occupancy WHERE person_id = $1", person.id)
        world.who[name] = Who(name, person.token, person.id, person.wechat_user_id, person.openid)
        world.name(name, person.id, side)
        world.name(f"{name}_tie", tie, side)
    world.who["newcomer"] = await newcomer(world)


async def newcomer(world: World) -> Who:
    """Somebody who has logged in from WeChat and bound no phone."""
    now, user_id, token = world.res.clock.now(), uuid7(world.res.clock.now()), f"r_{secrets.token_urlsafe(32)}"
    openid = f"o{secrets.token_urlsafe(20)}"
    await world.res.db.execute(
        "INSERT INTO wechat_user (id, appid, openid, created_at) VALUES ($1, $2, $3, $4)", user_id, MINI, openid, now
    )
    await open_session(world, "resident", user_id, token)
    return Who("newcomer", token, None, user_id, openid)


async def open_session(world: World, kind: str, subject: UUID, token: str, *, second_factor: bool = False) -> None:
    """A session of a WeChat user or of a member of staff."""
    now = world.res.clock.now()
    await world.res.db.execute(
        """INSERT INTO session (token_hash, kind, wechat_user_id, staff_id, second_factor, created_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)""",
        hashlib.sha256(token.encode()).digest(), kind, subject if kind == "resident" else None,
        subject if kind == "staff" else None, second_factor, now,
        now + (timedelta(days=7) if kind == "resident" else timedelta(hours=12)),
    )  # fmt: skip


def place_of(world: World, name: str) -> Community:
    """Where a member of staff works."""
    return world.places[{"neighbour": "b", "rival": "c"}.get(name, "a")]


async def _staff(world: World) -> None:
    for name, role in (*ROLE_OF.items(), ("second", "manager"), ("b_second", "manager"), ("c_second", "manager")):
        place = world.places[name[0]] if name[1] == "_" else place_of(world, name)
        made = await factories.staff(world.res, place, role, all_communities=name in COMPANY_WIDE)
        world.who[name] = Who(name, made.token, made.id)
        world.name(f"staff_{name}", made.id, "c" if place.code == "CC" else "company")
    await world.res.db.execute(
        "UPDATE session SET second_factor = false WHERE staff_id = $1", world.ids["staff_unproven"]
    )


async def _fees(world: World) -> None:
    res, house = world.res, world.ids["house"]
    for prefix, letter, side in (("", "a", "ours"), ("b_", "b", "b"), ("c_", "c", "c")):
        item = await factories_fees.item(res, world.places[letter], code="WYF")
        run = await factories_fees.published(res, item)
        world.name(f"{prefix}item", item, side)
        world.name(f"{prefix}run", run.id, side)
        price = await res.db.fetchval("SELECT id FROM price_version WHERE item_id = $1", item)
        world.name(f"{prefix}price", price, side)
        bill = await bill_of_run(world, run.id, world.ids[f"{prefix}house"])
        world.name(f"{prefix}bill", bill, "house" if letter == "a" else side)
    world.name("next_bill", await bill_of_run(world, world.ids["run"], world.ids["next_house"]), "next")
    for name, day in (("debt", date(2026, 7, 1)), ("held", date(2026, 6, 1))):
        run = await factories_fees.published(res, world.ids["item"], day, house_id=house)
        world.name(f"{name}_run", run.id, "house")
        world.name(name, await bill_of_run(world, run.id, house), "house")
    await res.db.execute("UPDATE bill SET liable_person_id = $2 WHERE id = $1", world.ids["debt"], world.ids["former"])
    lease = await factories_fees.item(res, world.a, code="ZL", name="租户服务费", liable=Liable.TENANT)
    run = await factories_fees.published(res, lease, house_id=house)
    world.name("lease_item", lease, "ours")
    world.name("lease_run", run.id, "house")
    world.name("lease", await bill_of_run(world, run.id, house), "house")
    draft = await factories_fees.item(res, world.a, code="DRAFT", name="装修服务费")
    await exclude(world, draft, world.ids["next_house"])
    run = await factories_fees.ready(res, draft)
    world.name("draft_item", draft, "ours")
    world.name("draft_run", run.id, "ours")
    world.name("draft_bill", await bill_of_run(world, run.id, house), "house")


async def bill_of_run(world: World, run_id: UUID, house_id: UUID) -> UUID:
    """The bill that a run has made for a house."""
    bill_id: UUID = await world.res.db.fetchval(
        "SELECT id FROM bill WHERE run_id = $1 AND house_id = $2", run_id, house_id
    )
    assert bill_id is not None
    return bill_id


async def exclude(world: World, item_id: UUID, house_id: UUID) -> None:
    """Take a house out of an item."""
    await world.res.db.execute(
        "INSERT INTO billing_exclusion (item_id, house_id, reason, created_at) VALUES ($1, $2, '开发商自持', $3)",
        item_id, house_id, world.res.clock.now(),
    )  # fmt: skip


def keys_of(platform: Mapping[str, str]) -> Keys:
    """The merchant's own keys of the vectors."""
    return Keys(vectors.MERCHANT_SERIAL, vectors.private_pem(vectors.key_m()), factories_payments.API_V3_KEY, platform)


async def _payments(world: World) -> None:
    res = world.res
    merchant = await factories_payments.merchant(res, world.sandbox, world.a)
    world.name("merchant", merchant, "company")
    platform = await res.db.fetchval("SELECT platform_keys FROM merchant WHERE id = $1", merchant)

    async def other(tx: Tx) -> UUID:
        made = await merchants.create(
            tx, SYSTEM, keyring=res.keyring, mode=res.settings.mode, company_id=world.places["c"].company_id,
            community_id=None, item_id=None, mchid="1900009999", appid=MINI, name="别家商户", keys=keys_of(platform),
        )  # fmt: skip
        return made.id

    world.name("c_merchant", await res.db.transact(other), "c")
    for name, payer, house, bill, side in (
        ("order", "owner", "house", "held", "house"),
        ("next_order", "stranger", "next_house", "next_bill", "next"),
        ("b_order", "b_person", "b_house", "b_bill", "b"),
        ("c_order", "c_person", "c_house", "c_bill", "c"),
    ):
        world.name(name, await place_order(world, payer, world.ids[house], world.ids[bill]), side)
    for prefix, letter, side in (("", "a", "ours"), ("b_", "b", "b"), ("c_", "c", "c")):
        world.name(f"{prefix}difference", await difference(world, letter), side)


async def place_order(world: World, payer: str, house_id: UUID, bill_id: UUID) -> UUID:
    """An order that the channel has not heard of; whatever pause an earlier request left is over."""
    await world.res.db.execute("DELETE FROM collection_pause")
    who = world.who[payer]
    assert who.id is not None and who.openid is not None
    wanted = Payer(who.id, HouseScope(who.id, (house_id,), (house_id,), ()), MINI, who.openid)

    async def work(tx: Tx) -> UUID:
        placed = await orders.place(
            tx, wanted, res=world.res, actor=Actor("resident", who.id), wishes=[Wish(Kind.BILL, bill_id)]
        )
        return placed.order_id

    return await world.res.db.transact(work)


async def difference(world: World, letter: str = "a") -> UUID:
    """A difference that waits for somebody."""
    now = world.res.clock.now()
    difference_id = uuid7(now)
    await world.res.db.execute(
        """INSERT INTO difference (id, community_id, class, state, channel, merchant_id, out_trade_no, transaction_no,
                                   expected_fen, actual_fen, detail, opened_at)
           VALUES ($1, $2, 'amount', 'OPEN', 'wechat', $3, $4, $5, 100, 99, '{}', $6)""",
        difference_id, world.places[letter].id, world.ids["c_merchant" if letter == "c" else "merchant"],
        secrets.token_hex(12), secrets.token_hex(12), now,
    )  # fmt: skip
    return difference_id


async def _messages(world: World) -> None:
    res = world.res

    async def work(tx: Tx) -> None:
        for appid, kind, company in (
            (MINI, AppKind.MINIPROGRAM, "company"),
            (OFFICIAL, AppKind.OFFICIAL, "company"),
            (RIVAL_MINI, AppKind.MINIPROGRAM, "c_company"),
        ):
            await apps.register(
                tx, res.keyring, actor=SYSTEM, company_id=world.ids[company], kind=kind, appid=appid, secret=SECRET
            )
        for appid, company, template in ((MINI, "company", "SubOurs"), (RIVAL_MINI, "c_company", "SubTheirs")):
            await templates.save(
                tx, SYSTEM, company_id=world.ids[company], appid=appid, channel=Channel.SUBSCRIPTION,
                meaning="bill_issued", template_id=template, fields={"thing1": "houses"},
            )  # fmt: skip

    await res.db.transact(work)
    at_wechat = [
        {"template_id": template_id, "title": "通知", "kind": "subscribe", "fields": {"thing1": "1栋101"}}
        for template_id in ("SubOurs", "SubOther")
    ]
    app = {"secret": SECRET, "kind": "miniprogram", "templates": at_wechat}
    await world.sandbox.ask("PUT", f"/apps/{MINI}", app)
    world.name("template", "SubOurs", "company")
    world.name("c_template", "SubTheirs", "c")
    for name, side in (("owner", "house"), ("stranger", "next"), ("b_person", "b"), ("c_person", "c")):
        world.name(f"{name}_letter", await letter(world, world.ids[name]), side)
        version = 9000 + world.next()
        await res.db.execute(
            "INSERT INTO personal_consent (person_id, purpose, version, granted_at) VALUES ($1, 'service', $2, $3)",
            world.ids[name], version, res.clock.now(),
        )  # fmt: skip
        world.name(f"{name}_consent", f'"version":{version}', side)
    for prefix, place, side in (("", "a", "ours"), ("b_", "b", "b"), ("c_", "c", "c")):
        world.name(f"{prefix}parked_message", await parked_message(world, place), side)
        world.name(f"{prefix}parked_job", f"parked in {place}", side)
        await parked_job(world, world.places[place].id, f"parked in {place}")
        world.name(f"{prefix}audited", f"marker:{place}", side)

        async def mark(tx: Tx, at: str = place) -> None:
            audit.record(tx, SYSTEM, action="test.marked", target=f"marker:{at}", community_id=world.places[at].id)

        await res.db.transact(mark)


def yard(world: World, prefix: str = "", *, inviter: str | None = None) -> Yard:
    """The gate of the community that a house (`house`, `next_house`, `b_house`, `c_house`) lies in, and who invites."""
    letter = prefix[0] if prefix in ("b_", "c_") else "a"
    gate = world.ids[{"a": "gate", "b": "b_gate", "c": "c_gate"}[letter]]
    who = world.who[inviter or {"": "owner", "next_": "stranger", "b_": "b_person", "c_": "c_person"}[prefix]]
    assert who.id is not None and who.wechat_user_id is not None
    person = factories.Person(who.id, who.wechat_user_id, who.openid or "", who.token or "")
    guard = factories.Staff(world.who["c_second" if letter == "c" else "guard"].id or UUID(int=0), "")
    return Yard(world.res, world.places[letter], world.ids[f"{prefix}house"], person, gate, gate, guard, guard)


async def _visitors(world: World) -> None:
    """A gate at each place; of each house a pass, a visit, a visitor at the gate and goods that may leave; bans."""
    for prefix, letter, side in (("", "a", "ours"), ("b_", "b", "b"), ("c_", "c", "c")):
        made = await factories_devices.device(world.res, world.places[letter], DeviceKind.GATE, name="南门")
        world.name(f"{prefix}gate", made.id, side)
    for prefix, side in (("", "house"), ("next_", "next"), ("b_", "b"), ("c_", "c")):
        at = yard(world, prefix)
        world.name(f"{prefix}pass", (await at.invite(hours=100, entries_allowed=None)).id, side)
        visit = await at.redeem(world.ids[f"{prefix}pass"])
        assert isinstance(visit, Redeemed)
        world.name(f"{prefix}visit", visit.entry_id, side)
        world.name(f"{prefix}walk_in", await at.register(), side)
        world.name(f"{prefix}permit", await at.permit(), side)
        if prefix != "next_":
            world.name(f"{prefix}ban", await at.ban(BanKind.PHONE, "13700000001"), "ours" if not prefix else side)
    lease = yard(world, inviter="tenant")
    world.name("lease_pass", (await lease.invite(hours=100)).id, "house")


async def notice(world: World, house: str, *, state: str = "PUBLISHED") -> UUID:
    """A notice to the people of a house (`house`, `next_house`, `b_house`, `c_house`), told and not read."""
    letter = house[0] if house[:2] in ("b_", "c_") else "a"
    place, author = world.places[letter], world.ids[f"staff_{'c_second' if letter == 'c' else 'second'}"]
    actor = Actor("staff", author)
    text, whom = Text(NoticeKind.UTILITY, "周三停水", "请提前储水。"), Whom(Only(house_ids=(world.ids[house],)))
    content = Content(text, whom, (), urgent=False, pinned_until=None, expires_at=None)

    async def work(tx: Tx) -> UUID:
        made = await drafts.create(tx, actor, community_id=place.id, content=content)
        if state == "PUBLISHED":
            await publishing.publish(tx, actor, notice_id=made, communities=[place.id])
        if state == "SCHEDULED":
            at = tx.now + timedelta(days=1)
            await publishing.schedule(tx, actor, notice_id=made, communities=[place.id], at=at)
        return made

    return await world.res.db.transact(work)


async def _notices(world: World) -> None:
    """A notice to the people of each house."""
    for prefix, side in (("", "house"), ("next_", "next"), ("b_", "b"), ("c_", "c")):
        world.name(f"{prefix}notice", await notice(world, f"{prefix}house"), side)


async def _parking(world: World) -> None:
    """A lot at each place with a car of each house in it, under a card; the world's device sees an entry of ours."""
    res = world.res
    for prefix, letter, side in (("", "a", "ours"), ("b_", "b", "b"), ("c_", "c", "c")):
        lot = world.lots[letter] = await factories_parking.lot(res, world.places[letter], spaces=1000)
        world.name(f"{prefix}lot", lot.id, side)
        tariff = await res.db.fetchval("SELECT id FROM parking_tariff WHERE lot_id = $1", lot.id)
        world.name(f"{prefix}tariff", tariff, side)
    device = factories_devices.Device(world.ids["device"], "")
    world.ids["lane"] = await factories_parking.lane(world.lots["a"], device, name="北门入口")
    for number, (prefix, letter, house, side) in enumerate(
        (("", "a", "house", "house"), ("next_", "a", "next_house", "next"), ("b_", "b", "b_house", "b"),
         ("c_", "c", "c_house", "c"))
    ):  # fmt: skip
        lot, plate = world.lots[letter], f"粤B1000{number}"
        if letter != "a":
            world.secrets.append(plate)
        world.name(f"{prefix}card", await factories_parking.card(lot, [plate], house_id=world.ids[house]), side)
        await lot.arrives(plate)
        row = await res.db.fetchrow(
            """SELECT s.id, s.vehicle_id FROM parking_session s JOIN parking_vehicle v ON v.id = s.vehicle_id
                WHERE v.house_id = $1""",
            world.ids[house],
        )
        assert row is not None
        world.name(f"{prefix}stay", row["id"], side)
        world.name(f"{prefix}vehicle", row["vehicle_id"], side)
        shop, offer = await factories_shops.keeps_shop(lot, world.ids[house], name=f"{number}号店")
        world.name(f"{prefix}shop", shop, side)
        world.name(f"{prefix}offer", offer, side)
    for prefix, letter, side in (("", "a", "ours"), ("b_", "b", "b"), ("c_", "c", "c")):
        world.name(f"{prefix}card_product", await factories_cards.listed(world.lots[letter]), side)
    for name, house, number, state, side in (
        ("space", world.ids["house"], "A-001", "sold", "house"), ("free_space", None, "A-002", "free", "ours"),
    ):  # fmt: skip
        since = date(2026, 1, 1) if house is not None else None
        made = await factories_cards.space(world.lots["a"], house, number, state=state, starts_on=since)
        world.name(name, made, side)
    world.name("application", await factories_cards.decided_application(world.lots["a"], world.ids["house"]), "house")


async def _tickets(world: World) -> None:
    """A ticket of each house, one that the engineer has in hand, one to grab; categories of companies and of B."""
    res, a, b, c = world.res, *(world.places[letter] for letter in "abc")
    for name, place, settings, where, side in (
        ("ticket_category", a, factories_tickets.PLUMBING, None, "company"),
        ("grab_category", a, factories_tickets.GRABBED, None, "company"),
        ("b_ticket_category", b, factories_tickets.PLUMBING, b.id, "b"),
        ("c_ticket_category", c, factories_tickets.PLUMBING, None, "c"),
    ):
        world.name(name, await factories_tickets.category(res, place, settings, community_id=where), side)
    await res.db.execute(
        """INSERT INTO ticket_rule (company_id, hours, resident_daily, worker_open, changed_at)
           VALUES ($1, '[["08:30", "12:00"], ["14:00", "18:00"]]', 1000, 1000, $2)""",
        a.company_id, res.clock.now(),
    )  # fmt: skip
    for name, place, category, house, reporter, side in (
        ("ticket", a, "ticket_category", "house", "owner", "house"),
        ("next_ticket", a, "ticket_category", "next_house", "stranger", "next"),
        ("held_ticket", a, "ticket_category", "next_house", "stranger", "next"),
        ("grab_ticket", a, "grab_category", "house", None, "ours"),
        ("b_ticket", b, "b_ticket_category", "b_house", "b_person", "b"),
        ("c_ticket", c, "c_ticket_category", "c_house", "c_person", "c"),
    ):
        made = await factories_tickets.bare_ticket(
            res, place, world.ids[category], house_id=world.ids[house], place_text="北门岗亭",
            person_id=None if reporter is None else world.ids[reporter],
        )  # fmt: skip
        world.name(name, made, side)
    desk = Mover(Actor("staff", world.ids["staff_second"]), Role.DESK, (a.id,))
    for name, move, worker in (
        ("grab_ticket", Move.TRIAGE, None), ("held_ticket", Move.TRIAGE, None),
        ("held_ticket", Move.ASSIGN, world.ids["staff_engineer"]),
    ):  # fmt: skip

        async def step(tx: Tx, name: str = name, move: Move = move, worker: UUID | None = worker) -> None:
            await machine.move(tx, desk, ticket_id=world.ids[name], name=move, asked=Asked(staff_id=worker))

        await res.db.transact(step)
    for name, place, side in (("outage", a, "ours"), ("b_outage", b, "b")):
        world.name(name, await factories_duty.bare_outage(res, place), side)
    photo = await factories_media.uploaded(res, Actor("staff", world.ids["staff_second"]), a.id)
    world.name("second_photo", photo, "ours")
    await _complaints(world)


async def _repairs(world: World) -> None:
    """A part with a price in a store of each community, and a quote of the house's ticket that was declined."""
    db, now = world.res.db, world.res.clock.now()
    for letter, prefix, side in (("a", "", "ours"), ("b", "b_", "b"), ("c", "c_", "c")):
        place = world.places[letter]
        item_id, store_id = await factories_repairs.listed(world.res, place)
        world.name(f"{prefix}repair_item", item_id, side)
        world.name(f"{prefix}repair_store", store_id, side)
    quote_id = uuid7(now)
    await db.execute(
        """INSERT INTO ticket_quote (id, community_id, ticket_id, house_id, category_id, round, version, state, lines,
                                     lines_fen, warranty_fen, total_fen, made_by, made_at, decided_at)
           VALUES ($1, $2, $3, $4, $5, 1, 1, 'DECLINED', $6, 3500, 0, 3500, $7, $8, $8)""",
        quote_id, world.a.id, world.ids["ticket"], world.ids["house"], world.ids["ticket_category"],
        [{
            "sort": "part", "title": "阀芯", "unit": "个", "quantity": 1, "unit_price_fen": 3500, "amount_fen": 3500,
            "item_id": str(world.ids["repair_item"]), "priced_from": "2026-09-01", "reason": None,
        }],
        world.ids["staff_engineer"], now,
    )  # fmt: skip
    world.name("repair_quote", quote_id, "house")


async def _complaints(world: World) -> None:
    """An anonymous complaint of the owner, one of B, one of C; categories of both companies, and a policy of ours."""
    res, a, b, c = world.res, *(world.places[letter] for letter in "abc")
    for name, place in (("complaint_category", a), ("c_complaint_category", c)):
        world.ids[name] = await factories_tickets.category(res, place, factories_tickets.COMPLAINTS)
        world.ids[f"{name}_cause"] = await factories_tickets.cause(res, place, "响应不及时")
    await factories_tickets.policy(res, a, Policy(dispute_category_id=world.ids["complaint_category"]))
    for name, place, category, house, reporter, side in (
        ("complaint", a, "complaint_category", "house", "owner", "ours"),
        ("b_complaint", b, "complaint_category", "b_house", "b_person", "b"),
        ("c_complaint", c, "c_complaint_category", "c_house", "c_person", "c"),
    ):
        made = await factories_tickets.complaint(
            res, place, world.ids[category], house_id=world.ids[house], person_id=world.ids[reporter]
        )
        world.name(name, made, side)


async def _prepaid(world: World) -> None:
    """An account without entries for the house, and for each house that must not be seen with it; the house's code."""
    world.ids["pay_code"] = await world.res.db.fetchval("SELECT pay_code FROM house WHERE id = $1", world.ids["house"])
    for name, house, place, side in (
        ("prepaid", "house", "a", "house"),
        ("next_prepaid", "next_house", "a", "next"),
        ("b_prepaid", "b_house", "b", "b"),
        ("c_prepaid", "c_house", "c", "c"),
    ):
        account_id = uuid7(world.res.clock.now())
        await world.res.db.execute(
            """INSERT INTO prepaid_account (id, community_id, house_id, purpose, created_at)
               VALUES ($1, $2, $3, 'general', $4)""",
            account_id, world.places[place].id, world.ids[house], world.res.clock.now(),
        )  # fmt: skip
        world.name(name, account_id, side)


async def _counter(world: World) -> None:
    """A shift with a voucher and a deposit at each place, and receipts of the orders there."""
    res, now = world.res, world.res.clock.now()
    for prefix, place, side in (("", "a", "ours"), ("b_", "b", "b"), ("c_", "c", "c")):
        at = world.places[place]
        shift_id = await open_drawer(world, world.ids[f"staff_{prefix}second"], at)
        world.name(f"{prefix}shift", shift_id, side)
        await res.db.execute(
            """INSERT INTO counter_voucher (id, company_id, community_id, shift_id, voucher_no, method, attempt_id,
                                            amount_fen, received_fen, change_fen, made_at)
               SELECT $1, $2, $3, $4, $5, 'cash', id, amount_fen, amount_fen, 0, $7
                 FROM payment_attempt WHERE order_id = $6""",
            uuid7(now), at.company_id, at.id, shift_id, f"W{place}1", world.ids[f"{prefix}order"], now,
        )  # fmt: skip
        deposit_id = uuid7(now)
        await res.db.execute(
            """INSERT INTO bank_deposit (id, company_id, community_id, shift_id, amount_fen, deposited_on, slip_no,
                                         created_by, created_at)
               VALUES ($1, $2, $3, $4, 100, '2026-09-01', $5, $6, $7)""",
            deposit_id, at.company_id, at.id, shift_id, f"S{place}1", world.ids[f"staff_{prefix}second"], now,
        )  # fmt: skip
        world.name(f"{prefix}deposit", deposit_id, side)
        await res.db.transact(lambda tx, company=at.company_id: merchants.counter(tx, company))
    for number, (prefix, place, side) in enumerate(
        (("", "a", "house"), ("next_", "a", "next"), ("b_", "b", "b"), ("c_", "c", "c")), 1
    ):
        at, receipt_id = world.places[place], uuid7(now)
        said = {
            "company": "邻里", "community": "小区", "houses": [], "lines": [], "amount_fen": 100, "channel": "wechat",
            "method": "jsapi", "paid_at": now.isoformat(), "order_no": "1", "transaction_no": "2", "received_fen": 100,
            "change_fen": 0, "cashier": None,
        }  # fmt: skip
        await res.db.execute(
            """INSERT INTO receipt (id, company_id, community_id, no, order_id, state, snapshot, issued_at)
               VALUES ($1, $2, $3, $4, $5, 'ISSUED', $6, $7)""",
            receipt_id, at.company_id, at.id, number, world.ids[f"{prefix}order"], said, now,
        )  # fmt: skip
        await res.db.execute(
            """INSERT INTO receipt_series (company_id, last_no) VALUES ($1, $2)
                   ON CONFLICT (company_id) DO UPDATE SET last_no = $2""",
            at.company_id, number,
        )  # fmt: skip
        world.name(f"{prefix}receipt", receipt_id, side)


async def _refunds(world: World) -> None:
    """Money of each order that is on its way back."""
    now = world.res.clock.now()
    for prefix, side in (("", "house"), ("next_", "next"), ("b_", "b"), ("c_", "c")):
        refund_id = uuid7(now)
        await world.res.db.execute(
            """INSERT INTO refund (id, community_id, merchant_id, channel, attempt_id, out_trade_no, transaction_no,
                                   out_refund_no, amount_fen, total_fen, clearing_account, automatic, reason, state,
                                   requested_at, submitted_at)
               SELECT $1, community_id, merchant_id, channel, id, out_trade_no, '4200', $2, 1, amount_fen,
                      clearing_account, true, '多收了', 'ABNORMAL', $3, $3
                 FROM payment_attempt WHERE order_id = $4""",
            refund_id, secrets.token_hex(12), now, world.ids[f"{prefix}order"],
        )  # fmt: skip
        world.name(f"{prefix}refund", refund_id, side)


async def open_drawer(world: World, cashier_id: UUID, at: Community) -> UUID:
    """A fresh open shift of a member of staff; an older one is closed."""
    now = world.res.clock.now()
    shift_id = uuid7(now)
    await world.res.db.execute(
        """UPDATE cashier_shift SET state = 'CLOSED', closed_at = $2, expected_fen = 0, counted_fen = 0
            WHERE cashier_id = $1 AND state = 'OPEN'""",
        cashier_id, now,
    )  # fmt: skip
    await world.res.db.execute(
        """INSERT INTO cashier_shift (id, company_id, community_id, cashier_id, state, float_fen, opened_at)
           VALUES ($1, $2, $3, $4, 'OPEN', 10000000, $5)""",
        shift_id, at.company_id, at.id, cashier_id, now,
    )  # fmt: skip
    return shift_id


async def letter(world: World, person_id: UUID) -> UUID:
    """A message in somebody's inbox."""
    now = world.res.clock.now()
    letter_id = uuid7(now)
    await world.res.db.execute(
        """INSERT INTO inbox_message (id, person_id, event_key, title, body, page, created_at)
           VALUES ($1, $2, $3, '新账单', '请缴费。', 'pages/bills/index', $4)""",
        letter_id, person_id, secrets.token_hex(8), now,
    )  # fmt: skip
    return letter_id


async def parked_message(world: World, letter_of_place: str = "a") -> UUID:
    """A message that WeChat has refused."""
    now = world.res.clock.now()
    message_id = uuid7(now)
    await world.res.db.execute(
        """INSERT INTO message_intent (id, community_id, event_key, person_id, meaning, values_shown, page, state,
                                       errcode, error, created_at, finished_at)
           VALUES ($1, $2, $3, $4, 'bill_issued', '{}', 'pages/bills/index', 'PARKED', 40037, 'invalid template_id',
                   $5, $5)""",
        message_id, world.places[letter_of_place].id, secrets.token_hex(8), uuid7(now), now,
    )  # fmt: skip
    return message_id


async def parked_job(world: World, community_id: UUID | None, reason: str = "broken") -> int:
    """A job that waits for somebody; its number."""
    now = world.res.clock.now()
    number: int = await world.res.db.fetchval(
        """INSERT INTO outbox (event, community_id, payload, state, failures, run_at, emitted_at, finished_at,
                               last_error)
           VALUES ('test.broken', $1, '{}', 'PARKED', 8, $2, $2, $2, $3) RETURNING id""",
        community_id, now, reason,
    )  # fmt: skip
    return number


async def _approvals(world: World) -> None:
    res = world.res
    for prefix, applicant, house, side in (
        ("", "stranger", "house", "ours"),
        ("b_", "c_person", "b_house", "b"),
        ("c_", "b_person", "c_house", "c"),
    ):
        world.name(f"{prefix}binding", await apply(world, world.who[applicant], world.ids[house]), side)
        proposer = world.ids[f"staff_{prefix}second"]
        communities = (world.places[(prefix or "a")[0]].id,)

        async def propose(
            tx: Tx, by: UUID = proposer, item: UUID = world.ids[f"{prefix}item"], at: tuple[UUID, ...] = communities
        ) -> UUID:
            made = await prices.propose(
                tx, Actor("staff", by), item_id=item, communities=at, rate_micro=2_800_000,
                effective_from=date(2027, 1, 1), reason="业主大会决议",
            )  # fmt: skip
            return made.id

        world.name(f"{prefix}new_price", await res.db.transact(propose), side)


async def apply(world: World, who: Who, house_id: UUID) -> UUID:
    """An application to be tied to a house as family."""

    async def work(tx: Tx) -> approvals.Approval:
        number = await tx.fetchval("SELECT no FROM person WHERE id = $1", who.id)
        assert who.id is not None
        return await applications.propose(
            tx, Actor("resident", who.id), house=await houses.one(tx, house_id), person_id=who.id, person_no=number,
            role="family", applicant_shown="钱*", reason="新入住",
        )  # fmt: skip

    return (await world.res.db.transact(work)).id


async def _roster(world: World) -> None:
    now = world.res.clock.now()
    for prefix, letter, side in (("", "a", "ours"), ("b_", "b", "b"), ("c_", "c", "c")):
        import_id, approval_id, export_id = uuid7(now), uuid7(now), uuid7(now)
        by, place = world.ids[f"staff_{prefix}second"], world.places[letter].id
        await world.res.db.execute(
            """INSERT INTO roster_import (id, community_id, file_sha256, file_name, state, file_key, created_by,
                                          created_at)
               VALUES ($1, $2, $3, '名册.xlsx', 'READY', $4, $5, $6)""",
            import_id, place, secrets.token_bytes(32), f"rosters/{import_id.hex}.xlsx", by, now,
        )  # fmt: skip
        await world.res.db.execute(
            """INSERT INTO approval (id, kind, community_id, target, state, payload, shown, reason, proposed_by,
                                     proposed_at, expires_at, decided_at)
               VALUES ($1, 'roster.export', $2, $3, 'EXPIRED', '{}', '{}', '年度核对', $4, $5, $5, $5)""",
            approval_id, place, f"community:{place}", by, now,
        )  # fmt: skip
        await world.res.db.execute(
            """INSERT INTO roster_export (id, community_id, approval_id, state, file_key, created_by, created_at,
                                          finished_at)
               VALUES ($1, $2, $3, 'READY', $4, $5, $6, $6)""",
            export_id, place, approval_id, f"roster-exports/{export_id.hex}.xlsx", by, now,
        )  # fmt: skip
        world.name(f"{prefix}import", import_id, side)
        world.name(f"{prefix}export", export_id, side)
