"""The company and its community, put into an empty database in one transaction, through the nouns' own commands.

All of it is there or nothing is: a founding that was cut off leaves no company behind.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from backend.fees import items, prices, runs
from backend.fees.items import NewItem
from backend.fees.plan import Formula, Liable, Nature
from backend.identity import people, staff
from backend.identity.people import Entry, Person
from backend.identity.roles import MONEY_ROLES, Role
from backend.kernel import approvals, passwords
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.db import Reader, Tx
from backend.kernel.ids import random_text
from backend.kernel.money import Rounding, RoundingUnit
from backend.kernel.resources import Resources
from backend.messaging import templates
from backend.property import communities, houses, occupancy
from backend.property.communities import Community
from backend.property.houses import Features, House
from backend.property.kinds import HouseKind
from backend.property.occupancy import Listed
from backend.seeding import account, car_park, service_desk, visiting, workshop
from backend.seeding.alipay import AlipayAccount
from backend.seeding.demo_file import StaffLogin
from backend.seeding.town import Spot
from backend.seeding.wechat import Accounts
from backend.wechat import apps
from backend.wechat.apps import AppKind
from payments import merchants
from payments.channels.base import Channel

COMPANY = "邻里物业服务有限公司"
COMMUNITY = "邻里花园"
HANDED_OVER_ON = date(2020, 6, 1)
PASSWORD_LENGTH = 10

# Login, name, role and the role's title.
TEAM = (
    ("admin", "陈国栋", Role.ADMINISTRATOR, "管理员"),
    ("manager", "林晓岚", Role.MANAGER, "项目经理"),
    ("cashier", "周敏", Role.CASHIER, "收费员"),
    ("service", "吴倩", Role.CUSTOMER_SERVICE, "客服"),
    ("engineer", "赵大勇", Role.ENGINEER, "工程维修"),
    ("guard", "孙强", Role.GUARD, "保安"),
    ("viewer", "郑洁", Role.READ_ONLY, "只读查看"),
)

# Code, name, type, formula, kinds of houses, who owes, millionths of a yuan per unit and month.
FEES = (
    ("WYF", "物业费", "property", Formula.GROSS_AREA, HouseKind.RESIDENCE, Liable.OWNER, 2_350_000),
    ("SPWYF", "商铺物业费", "property", Formula.GROSS_AREA, HouseKind.SHOP, Liable.TENANT, 5_800_000),
    ("CWF", "车位管理费", "parking", Formula.FIXED, HouseKind.PARKING_FOR_SALE, Liable.OWNER, 80_000_000),
)


def new_staff() -> list[StaffLogin]:
    """Logins with fresh passwords; a second factor for roles that touch money."""
    return [
        StaffLogin(
            login=login,
            name=name,
            role=role.value,
            title=title,
            password=random_text(PASSWORD_LENGTH),
            totp_secret=passwords.new_totp_secret() if role in MONEY_ROLES else None,
        )
        for login, name, role, title in TEAM
    ]


async def found(
    res: Resources,
    *,
    accounts: Accounts,
    alipay: AlipayAccount,
    logins: Sequence[StaffLogin],
    spots: Sequence[Spot],
    billed_from: date,
) -> None:
    """Put everything in; fees are charged from `billed_from` on."""
    hashes = {login.login: await passwords.hash_password(login.password) for login in logins}
    entries = people.seal(res.keyring, _listed(spots), at=res.clock.now())

    async def work(tx: Tx) -> None:
        company_id = await communities.create_company(tx, SYSTEM, name=COMPANY)
        community_id = await communities.create(
            tx, SYSTEM, company_id=company_id, code="LLHY", name=COMMUNITY, address="上海市浦东新区邻里路 88 号"
        )
        team = await _hire(tx, res, company_id, logins, hashes)
        built = await _build(tx, community_id, spots)
        await _move_in(tx, res, community_id, spots, built, entries)
        for fee in FEES:
            await _charge(tx, res, community_id, fee, team, billed_from)
        await _open_accounts(tx, res, company_id, accounts)
        await account.lay_out(tx, res, company_id, accounts)
        await _collect_by_alipay(tx, res, company_id, alipay)
        await car_park.lay_out(
            tx, res, community_id, manager=_actor(team, "manager"), administrator=_actor(team, "admin")
        )
        await service_desk.lay_out(tx, company_id, manager=_actor(team, "manager"))
        await workshop.lay_out(tx, res, company_id, community_id, team=team)
        await visiting.open_gates(tx, res, community_id, administrator=_actor(team, "admin"))

    await res.db.transact(work)


async def found_one(db: Reader) -> Community | None:
    """The oldest community; None in an empty database."""
    known = await communities.by_ids(db, list(await communities.every_name(db)))
    return min(known, key=lambda community: community.id, default=None)


async def merchant_of(db: Reader, community_id: UUID, channel: Channel = Channel.WECHAT) -> UUID:
    """The merchant that collects there by this channel."""
    item = (await runs.active_items(db))[0]
    chosen = await merchants.choice(db, community_id, item_ids=[item["id"]], channel=channel)
    return chosen.id


def _listed(spots: Sequence[Spot]) -> list[tuple[str, str | None]]:
    everybody = {who.phone: who.name for spot in spots for who, _ in spot.living()}
    return list(everybody.items())


async def _hire(
    tx: Tx, res: Resources, company_id: UUID, logins: Sequence[StaffLogin], hashes: Mapping[str, str]
) -> dict[str, UUID]:
    """Staff by login, each with one role in all of the company."""
    team = {}
    for login in logins:
        staff_id = await staff.create(
            tx, SYSTEM, company_id=company_id, login=login.login, name=login.name, password_hash=hashes[login.login]
        )
        await staff.grant(
            tx, SYSTEM, staff_id=staff_id, company_id=company_id, role=Role(login.role), community_id=None
        )
        if login.totp_secret is not None:
            await staff.enrol_totp(tx, res.keyring, SYSTEM, staff_id=staff_id, secret=login.totp_secret)
        team[login.login] = staff_id
    return team


async def _build(tx: Tx, community_id: UUID, spots: Sequence[Spot]) -> list[House]:
    """The houses of the spots, in their order, with buildings and units."""
    units: dict[tuple[str, str], UUID] = {}
    for building in dict.fromkeys(spot.building for spot in spots):
        names = sorted({spot.unit for spot in spots if spot.building == building and spot.unit})
        building_id = await communities.add_building(tx, SYSTEM, community_id=community_id, name=building, units=names)
        for unit in await communities.units(tx, building_id):
            units[building, unit.code] = unit.id
    return [
        await houses.create(
            tx, SYSTEM, community_id=community_id, unit_id=units[spot.building, spot.unit], door=spot.door,
            features=_features(spot),
        )
        for spot in spots
    ]  # fmt: skip


def _features(spot: Spot) -> Features:
    return Features(
        kind=HouseKind(spot.kind),
        gross_area_cm2=spot.gross_area_cm2,
        inner_area_cm2=spot.inner_area_cm2,
        floor=spot.floor,
        handover_on=HANDED_OVER_ON if spot.handed_over else None,
    )


async def _move_in(
    tx: Tx,
    res: Resources,
    community_id: UUID,
    spots: Sequence[Spot],
    built: Sequence[House],
    entries: Sequence[Entry],
) -> None:
    known: dict[str, Person] = await people.ensure_many(tx, res.keyring, entries)
    listed = [
        Listed(house.id, house.no, known[who.phone].id, known[who.phone].no, role)
        for spot, house in zip(spots, built, strict=True)
        for who, role in spot.living()
    ]
    await occupancy.bind_many(tx, community_id=community_id, listed=listed)


def _actor(team: Mapping[str, UUID], login: str) -> Actor:
    return Actor("staff", team[login], None)


async def _charge(
    tx: Tx,
    res: Resources,
    community_id: UUID,
    fee: tuple[str, str, str, Formula, HouseKind, Liable, int],
    team: Mapping[str, UUID],
    billed_from: date,
) -> None:
    """One item whose price the manager proposes and the administrator approves."""
    code, name, kind, formula, houses_of, liable, rate_micro = fee
    manager, administrator = _actor(team, "manager"), _actor(team, "admin")
    new = NewItem(
        code=code, name=name, type=kind, nature=Nature.RECURRING, formula=formula, cycle_months=1, prepaid=True,
        lead_days=0, due_days=25, rounding=Rounding.HALF_UP, rounding_unit=RoundingUnit.FEN,
        house_kinds=(houses_of.value,), liable=liable, payable_online=True, valid_from=billed_from,
    )  # fmt: skip
    item = await items.create(tx, manager, community_id=community_id, new=new)
    proposed = await prices.propose(
        tx, manager, item_id=item["id"], communities=[community_id], rate_micro=rate_micro,
        effective_from=billed_from, reason="首次定价，按物业服务合同执行",
    )  # fmt: skip
    await approvals.decide(
        tx, administrator, proposed.id, approve=True, note="与合同一致，同意", kinds=res.approval_kinds
    )


async def _open_accounts(tx: Tx, res: Resources, company_id: UUID, accounts: Accounts) -> None:
    """The apps with their templates, and the merchant that collects for the company."""
    for appid, kind in ((accounts.miniprogram, AppKind.MINIPROGRAM), (accounts.official, AppKind.OFFICIAL)):
        await apps.register(
            tx, res.keyring, actor=SYSTEM, company_id=company_id, kind=kind, appid=appid,
            secret=accounts.secrets[appid],
        )  # fmt: skip
    for offered in accounts.templates:
        await templates.save(
            tx, SYSTEM, company_id=company_id, appid=offered.appid, channel=offered.channel,
            meaning=offered.layout.meaning, template_id=offered.template_id, fields=offered.layout.fields,
        )  # fmt: skip
    await merchants.create(
        tx, SYSTEM, keyring=res.keyring, mode=res.settings.mode, company_id=company_id, community_id=None,
        item_id=None, mchid=accounts.mchid, appid=accounts.miniprogram, name="邻里物业微信收款",
        keys=accounts.keys,
    )  # fmt: skip


async def _collect_by_alipay(tx: Tx, res: Resources, company_id: UUID, alipay: AlipayAccount) -> None:
    await merchants.create(
        tx, SYSTEM, keyring=res.keyring, mode=res.settings.mode, company_id=company_id, community_id=None,
        item_id=None, channel=Channel.ALIPAY, mchid=alipay.seller_id, appid=alipay.app_id, name="邻里物业支付宝收款",
        keys=alipay.keys,
    )  # fmt: skip
