"""The demo community 邻里花园 as data: the same houses, people and areas in every run (a seeded random generator).

200 houses: flats in five buildings, a row of shops, private parking spaces; a few flats are not sold yet, some are let.
Areas in cm².
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from backend.kernel.auth import TieRole

SEED = 20_260_901
CM2_PER_M2 = 10_000
FAMILY_SHARE = 0.3
TENANT_SHARE = 0.1
SHOP_TENANT_SHARE = 0.6
UNSOLD = 8
NOT_HANDED_OVER = 4

_SURNAMES = "王李张刘陈杨黄赵周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧"
_GIVEN = "伟芳娜敏静强磊洋艳勇军杰娟涛明超霞平刚英华文斌玲丹萍鹏辉琳健云飞浩宇晨婷雪倩欣怡子轩梓涵思远嘉怡俊熙若曦"


@dataclass(frozen=True, slots=True)
class Resident:
    """A person with a phone."""

    name: str
    phone: str


@dataclass(frozen=True, slots=True)
class Spot:
    """A house to be, and who lives there; an unsold one has no owner."""

    building: str
    unit: str
    door: str
    kind: str
    floor: int | None
    gross_area_cm2: int
    inner_area_cm2: int
    handed_over: bool = True
    owner: Resident | None = None
    family: tuple[Resident, ...] = ()
    tenant: Resident | None = None

    def living(self) -> list[tuple[Resident, TieRole]]:
        """Who is tied to the house, and as what."""
        ties: list[tuple[Resident, TieRole]] = [(one, "family") for one in self.family]
        if self.owner is not None:
            ties.insert(0, (self.owner, "owner"))
        if self.tenant is not None:
            ties.append((self.tenant, "tenant"))
        return ties


@dataclass(slots=True)
class _People:
    """Makes people with names from the generator and phones in order."""

    random: Random
    made: list[Resident] = field(default_factory=list)

    def one(self) -> Resident:
        given = "".join(self.random.choice(_GIVEN) for _ in range(self.random.choice((1, 2, 2))))
        made = Resident(self.random.choice(_SURNAMES) + given, f"1390000{len(self.made) + 1:04}")
        self.made.append(made)
        return made


# Building, units, floors, flats of a floor, typical area in m².
_FLATS = (
    ("1栋", ("1", "2"), 9, 2, 89),
    ("2栋", ("1", "2"), 9, 2, 105),
    ("3栋", ("1", "2"), 9, 2, 118),
    ("4栋", ("1", "2"), 9, 2, 96),
    ("5栋", ("",), 10, 2, 140),
)
_SHOPS = 12
_SPACES = 24


def spots() -> list[Spot]:
    """All houses of the community, in the order in which people count them."""
    random = Random(SEED)
    people = _People(random)
    flats = list(_flats(random, people))
    owners = [spot.owner for spot in flats if spot.owner is not None]
    return [*flats, *_shops(random, people), *_spaces(random, owners)]


def _flats(random: Random, people: _People) -> Iterator[Spot]:
    last = sum(len(units) * floors * flats for _, units, floors, flats, _ in _FLATS)
    number = 0
    for building, units, floors, flats, area_m2 in _FLATS:
        for unit in units:
            for floor in range(1, floors + 1):
                for flat in range(1, flats + 1):
                    number += 1
                    yield _flat(random, people, building, unit, floor, flat, area_m2, left=last - number)


def _flat(
    random: Random, people: _People, building: str, unit: str, floor: int, flat: int, area_m2: int, *, left: int
) -> Spot:
    gross_cm2, inner_cm2 = _area(random, area_m2)
    sold = left >= UNSOLD
    owner = people.one() if sold else None
    family = (people.one(),) if sold and random.random() < FAMILY_SHARE else ()
    tenant = people.one() if sold and not family and random.random() < TENANT_SHARE else None
    return Spot(
        building, unit, f"{floor}{flat:02}", "residence", floor, gross_cm2, inner_cm2,
        handed_over=left >= NOT_HANDED_OVER, owner=owner, family=family, tenant=tenant,
    )  # fmt: skip


def _shops(random: Random, people: _People) -> Iterator[Spot]:
    for number in range(1, _SHOPS + 1):
        gross_cm2, inner_cm2 = _area(random, 56)
        owner = people.one()
        tenant = people.one() if random.random() < SHOP_TENANT_SHARE else None
        yield Spot("商业街", "", f"S{number:02}", "shop", 1, gross_cm2, inner_cm2, owner=owner, tenant=tenant)


def _spaces(random: Random, owners: list[Resident]) -> Iterator[Spot]:
    for number, owner in enumerate(random.sample(owners, _SPACES), 1):
        yield Spot("地下车库", "", f"A{number:03}", "parking_for_sale", -1, 125_000, 125_000, owner=owner)


def _area(random: Random, typical_m2: int) -> tuple[int, int]:
    """Gross and inner area in cm², to the hundredth of a square metre, as on a title deed."""
    gross_m2_100 = typical_m2 * 100 + random.randrange(-900, 900)
    inner_m2_100 = gross_m2_100 * 79 // 100
    return gross_m2_100 * CM2_PER_M2 // 100, inner_m2_100 * CM2_PER_M2 // 100
