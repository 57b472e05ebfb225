"""The run's SQL against a plain model that counts day by day (D2, I-05, I-12): same bills, lines and reasons."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.fees.plan import Formula, Nature
from backend.kernel.ids import random_text
from backend.kernel.money import Rounding, RoundingUnit, allocate
from backend.kernel.resources import Resources
from tests import factories, factories_fees
from tests.conftest import Run

ONE_DAY = timedelta(days=1)
KINDS = ("residence", "shop")


@dataclass(frozen=True)
class House:
    kind: str
    area_cm2: int | None
    coefficient: Decimal
    handover_on: date | None
    excluded: bool


@dataclass(frozen=True)
class Case:
    formula: Formula
    cycle: int
    rounding: Rounding
    unit: RoundingUnit
    valid_from: date
    valid_until: date | None
    rates: tuple[tuple[int, date], ...]
    day: date
    houses: tuple[House, ...]


DAYS = st.dates(date(2027, 10, 1), date(2028, 4, 30))
HOUSES = st.builds(
    House,
    kind=st.sampled_from(("residence", "residence", "residence", "shop", "storage")),
    area_cm2=st.none() | st.integers(1, 3_000_000) | st.just(1_307_000),
    coefficient=st.sampled_from([Decimal(1)] * 4 + [Decimal(0), Decimal("0.7333"), Decimal("1.0001")]),
    handover_on=st.none() | st.just(date(2020, 1, 1)) | st.just(date(2020, 1, 1)) | DAYS,
    excluded=st.sampled_from([False] * 5 + [True]),
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    valid_from = draw(st.just(date(2020, 1, 1)) | DAYS)
    valid_until = draw(st.none() | st.dates(max(valid_from, date(2027, 10, 1)) + ONE_DAY, date(2028, 5, 30)))
    since = draw(st.lists(st.just(date(2020, 1, 1)) | DAYS, min_size=1, max_size=4, unique=True).map(sorted))
    rates = tuple((draw(st.sampled_from([0, 1, 150_000, 2_500_000, 2_799_999])), day) for day in since)
    last = date(2028, 4, 30) if valid_until is None else valid_until - ONE_DAY
    return Case(
        formula=draw(st.sampled_from(Formula)),
        cycle=draw(st.sampled_from([1, 1, 3, 12])),
        rounding=draw(st.sampled_from(Rounding)),
        unit=draw(st.sampled_from(RoundingUnit)),
        valid_from=valid_from,
        valid_until=valid_until,
        rates=rates,
        day=draw(st.dates(max(valid_from, date(2027, 10, 1)), last)),
        houses=tuple(draw(st.lists(HOUSES, min_size=1, max_size=8))),
    )


Expected = tuple[str, list[tuple[date, int]]]
"""(reason, []) or ("", [(first day of the line, fen)])."""


def expected(case: Case, house: House, period: tuple[date, date]) -> Expected:
    """What a careful clerk would write, day by day."""
    begin = max(period[0], case.valid_from)
    end = min(period[1], case.valid_until or period[1])
    if house.kind not in KINDS:
        return "kind_not_covered", []
    if house.excluded:
        return "excluded", []
    if house.handover_on is None:
        return "no_handover_date", []
    if house.handover_on >= period[1]:
        return "not_handed_over", []
    first = max(begin, house.handover_on)
    if first >= end:
        return "outside_validity", []
    if case.formula is not Formula.FIXED and house.area_cm2 is None:
        return "no_area", []
    stretches = _stretches(case, first, end)
    if stretches is None:
        return "no_price", []
    if house.coefficient == 0:
        return "exempt", []
    base = Fraction(house.coefficient)
    if case.formula is not Formula.FIXED:
        base *= Fraction(house.area_cm2 or 0, 10_000)
    exact = [base * fen for _, fen in stretches]
    total = _rounded(sum(exact), case.rounding, case.unit)
    if total == 0:
        return "zero_amount", []
    return "", list(zip([day for day, _ in stretches], _shared(total, exact), strict=True))


def _stretches(case: Case, first: date, end: date) -> list[tuple[date, Fraction]] | None:
    """Runs of days with one price version, and the fen that a unit costs in each."""
    found: list[tuple[date, int, Fraction]] = []
    day = first
    while day < end:
        known = [n for n, (_, since) in enumerate(case.rates) if since <= day]
        if not known:
            return None
        version = known[-1]
        month = (day.replace(day=28) + timedelta(days=4)).replace(day=1) - ONE_DAY
        cost = Fraction(case.rates[version][0], 10_000) / month.day
        if found and found[-1][1] == version:
            found[-1] = (found[-1][0], version, found[-1][2] + cost)
        else:
            found.append((day, version, cost))
        day += ONE_DAY
    return [(begin, cost) for begin, _, cost in found]


def _rounded(exact: Fraction, rounding: Rounding, unit: RoundingUnit) -> int:
    size = {"fen": 1, "jiao": 10, "yuan": 100}[unit]
    down = exact // size
    rest = exact - down * size
    more = {"half_up": rest * 2 >= size, "up": rest > 0, "down": False}[rounding]
    return int(down + more) * size


def _shared(total: int, exact: list[Fraction]) -> list[int]:
    """Largest remainder, the earlier line first among equals."""
    shares = [total * part / sum(exact) for part in exact]
    floors = [int(share // 1) for share in shares]
    order = sorted(range(len(shares)), key=lambda n: (floors[n] - shares[n], n))
    for n in order[: total - sum(floors)]:
        floors[n] += 1
    return floors


async def _billed(res: Resources, case: Case) -> tuple[list[Expected], tuple[date, date]]:
    """What the product makes of the case, house by house."""
    place = await factories.community(res, f"C{random_text(8)}")
    ids: list[UUID] = []
    for n, house in enumerate(case.houses):
        ids.append(
            await factories.house(
                res, place, str(n), gross_area_cm2=house.area_cm2, handover_on=house.handover_on, kind=house.kind
            )
        )
        await res.db.execute("UPDATE house SET fee_coefficient = $2 WHERE id = $1", ids[-1], house.coefficient)
    item_id = await factories_fees.item(
        res, place, rates=case.rates, formula=case.formula, cycle_months=case.cycle, rounding=case.rounding,
        rounding_unit=case.unit, house_kinds=KINDS, valid_from=case.valid_from, valid_until=case.valid_until,
        nature=Nature.RECURRING if case.valid_until is None else Nature.RECURRING_UNTIL,
    )  # fmt: skip
    for house_id, house in zip(ids, case.houses, strict=True):
        if house.excluded:
            await res.db.execute(
                "INSERT INTO billing_exclusion (item_id, house_id, reason, created_at) VALUES ($1, $2, '免收', $3)",
                item_id, house_id, res.clock.now(),
            )  # fmt: skip
    run = await factories_fees.draft(res, item_id, case.day)
    await factories_fees.generate(res, run.id, houses=3)
    await factories_fees.publish(res, run)
    lines = await res.db.fetch(
        """SELECT b.house_id, (l.inputs ->> 'starts_on')::date AS starts_on, l.amount_fen
             FROM bill b JOIN bill_line l ON l.bill_id = b.id WHERE b.run_id = $1 ORDER BY b.house_id, l.seq""",
        run.id,
    )
    left = {
        row["house_id"]: row["reason"]
        for row in await res.db.fetch("SELECT house_id, reason FROM billing_omission WHERE run_id = $1", run.id)
    }
    made = [
        (left.get(each, ""), [(row["starts_on"], row["amount_fen"]) for row in lines if row["house_id"] == each])
        for each in ids
    ]
    return made, (run.period.starts_on, run.period.ends_on)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=cases())
def test_the_run_makes_what_a_clerk_makes_day_by_day(res: Resources, run: Run, case: Case) -> None:
    made, period = run(_billed(res, case))
    assert made == [expected(case, house, period) for house in case.houses]
    run(factories_fees.assert_books(res.db))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 31)), min_size=1, max_size=12), st.integers(0, 10**9))
def test_i12_the_largest_remainder_creates_and_loses_no_fen(parts: list[tuple[int, int]], total: int) -> None:
    weights = [Fraction(*part) for part in parts]
    if not sum(weights):
        return
    shares = allocate(total, weights)
    assert sum(shares) == total
    assert all(abs(share - total * weight / sum(weights)) < 1 for share, weight in zip(shares, weights, strict=True))
