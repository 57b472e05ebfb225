"""Worked tables: bills of real cases, computed by hand, as the run's SQL makes them (D2)."""

from datetime import date
from uuid import UUID

import pytest

from backend.fees.periods import Anchor
from backend.fees.plan import Formula, Nature
from backend.kernel.errors import Conflict
from backend.kernel.money import Rounding, RoundingUnit
from backend.kernel.resources import Resources
from tests import factories, factories_fees

JAN_2020 = date(2020, 1, 1)


async def _lines(res: Resources, house_id: UUID) -> list[tuple[str, int]]:
    rows = await res.db.fetch(
        """SELECT l.label, l.amount_fen FROM bill b JOIN bill_line l ON l.bill_id = b.id
            WHERE b.house_id = $1 ORDER BY b.period_start, l.seq""",
        house_id,
    )
    return [(row["label"], row["amount_fen"]) for row in rows]


AREA_TABLE = [
    # area cm², rate in millionths of a yuan, fen by hand
    (1_307_000, 150_000, 1961),  # 130.70 m² × 0.15 = 19.605 元: the fen that an incident lost
    (893_500, 2_500_000, 22338),  # 89.35 × 2.50 = 223.375
    (1_000_000, 2_500_000, 25000),
    (1, 100, 0),
]


@pytest.mark.parametrize(("area_cm2", "rate_micro", "fen"), AREA_TABLE)
async def test_a_whole_month_costs_area_times_price_rounded_half_up(
    res: Resources, area_cm2: int, rate_micro: int, fen: int
) -> None:
    place = await factories.community(res)
    house_id = await factories.house(res, place, gross_area_cm2=area_cm2)
    item_id = await factories_fees.item(res, place, rates=[(rate_micro, JAN_2020)])
    await factories_fees.published(res, item_id)
    assert await _lines(res, house_id) == ([("2026年9月", fen)] if fen else [])
    reasons = await res.db.fetch("SELECT reason FROM billing_omission")
    assert [row["reason"] for row in reasons] == ([] if fen else ["zero_amount"])
    await factories_fees.assert_books(res.db)


CASES = [
    # 1 000 m² × 1.00 元: fen are parts of 100 000
    pytest.param({}, date(2026, 9, 11), [], date(2026, 9, 1), [("2026年9月11日至9月30日", 66667)], id="handover"),
    pytest.param(
        {}, JAN_2020, [(2_000_000, date(2026, 9, 16))], date(2026, 9, 1),
        [("2026年9月1日至9月15日", 50000), ("2026年9月16日至9月30日", 100000)], id="price change in mid-month",
    ),
    pytest.param(
        {}, date(2026, 9, 11), [(2_000_000, date(2026, 9, 16))], date(2026, 9, 1),
        [("2026年9月11日至9月15日", 16667), ("2026年9月16日至9月30日", 100000)], id="handover and price change",
    ),
    pytest.param({}, date(2028, 2, 15), [], date(2028, 2, 1), [("2028年2月15日至2月29日", 51724)], id="leap February"),
    pytest.param({}, date(2027, 2, 15), [], date(2027, 2, 1), [("2027年2月15日至2月28日", 50000)], id="February"),
    pytest.param(
        {"cycle_months": 3}, date(2026, 11, 16), [], date(2026, 12, 31), [("2026年11月16日至12月31日", 150000)],
        id="year end of a quarter",
    ),
    pytest.param(
        {"cycle_months": 12}, JAN_2020, [(2_000_000, date(2026, 7, 1))], date(2026, 9, 1),
        [("2026年1月至6月", 600000), ("2026年7月至12月", 1200000)], id="price change in a year",
    ),
    pytest.param(
        {"valid_from": date(2026, 9, 21)}, JAN_2020, [], date(2026, 9, 1), [("2026年9月21日至9月30日", 33333)],
        id="item begins in mid-month",
    ),
    pytest.param(
        {"nature": Nature.RECURRING_UNTIL, "valid_until": date(2026, 9, 11)}, JAN_2020, [], date(2026, 9, 1),
        [("2026年9月1日至9月10日", 33333)], id="item ends in mid-month",
    ),
    pytest.param({"formula": Formula.FIXED}, JAN_2020, [], date(2026, 9, 1), [("2026年9月", 100)], id="fixed"),
    pytest.param(
        {"nature": Nature.ONE_OFF, "valid_from": date(2026, 9, 5)}, JAN_2020, [], date(2026, 9, 1),
        [("2026年9月5日", 100000)], id="one-off counts no days",
    ),
    pytest.param(
        {"rounding": Rounding.UP, "rounding_unit": RoundingUnit.YUAN}, date(2026, 9, 11), [], date(2026, 9, 1),
        [("2026年9月11日至9月30日", 66700)], id="up to the yuan",
    ),
    pytest.param(
        {"rounding": Rounding.DOWN, "rounding_unit": RoundingUnit.JIAO}, date(2026, 9, 11), [], date(2026, 9, 1),
        [("2026年9月11日至9月30日", 66660)], id="down to the jiao",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("over", "handover_on", "more", "day", "lines"), CASES)
async def test_worked_table(
    res: Resources,
    over: dict[str, object],
    handover_on: date,
    more: list[tuple[int, date]],
    day: date,
    lines: list[tuple[str, int]],
) -> None:
    place = await factories.community(res)
    house_id = await factories.house(res, place, gross_area_cm2=10_000_000, handover_on=handover_on)
    item_id = await factories_fees.item(res, place, rates=[(1_000_000, JAN_2020), *more], **over)
    await factories_fees.published(res, item_id, day)
    assert await _lines(res, house_id) == lines
    await factories_fees.assert_books(res.db)


async def test_years_from_handover_are_billed_in_the_month_in_which_they_begin(res: Resources) -> None:
    place = await factories.community(res)
    due, leap, october, bare, young = [
        await factories.house(res, place, f"{101 + n}", gross_area_cm2=10_000_000, handover_on=day)
        for n, day in enumerate(
            [date(2020, 9, 11), date(2020, 2, 29), date(2020, 10, 5), None, date(2027, 9, 3)]
        )
    ]  # fmt: skip
    item_id = await factories_fees.item(
        res,
        place,
        rates=[(1_000_000, JAN_2020), (2_000_000, date(2027, 3, 11))],
        cycle_months=12,
        anchor=Anchor.HANDOVER,
    )
    await factories_fees.published(res, item_id, date(2026, 9, 1))
    assert await _lines(res, due) == [
        ("2026年9月11日至2027年3月10日", 598_925),
        ("2027年3月11日至9月10日", 1_202_150),
    ]
    row = await res.db.fetchrow("SELECT period_start, period_end FROM bill")
    assert row is not None and tuple(row) == (date(2026, 9, 11), date(2027, 9, 11))
    left = await res.db.fetch("SELECT house_id, reason FROM billing_omission")
    assert [tuple(each) for each in left] == [(bare, "no_handover_date")]
    await factories_fees.published(res, item_id, date(2027, 2, 1))
    assert [label for label, _ in await _lines(res, leap)] == ["2027年2月28日至3月10日", "2027年3月11日至2028年2月27日"]
    await factories_fees.published(res, item_id, date(2027, 9, 1))
    assert len(await _lines(res, due)) == 3
    assert len(await _lines(res, young)) == 1
    assert await _lines(res, october) == []
    with pytest.raises(Conflict, match="bill_exists"):
        await factories_fees.draft(res, item_id, date(2027, 9, 1), house_id=due)
    await factories_fees.published(res, item_id, date(2028, 9, 1), house_id=due)
    await factories_fees.assert_books(res.db)


async def test_the_fee_coefficient_multiplies(res: Resources) -> None:
    place = await factories.community(res)
    house_id = await factories.house(res, place, gross_area_cm2=1_000_000)
    await res.db.execute("UPDATE house SET fee_coefficient = 0.7333")
    item_id = await factories_fees.item(res, place)
    await factories_fees.published(res, item_id)
    assert await _lines(res, house_id) == [("2026年9月", 18333)]
    await factories_fees.assert_books(res.db)


async def test_every_house_left_out_has_its_reason(res: Resources) -> None:
    place = await factories.community(res)
    houses = {
        "kind_not_covered": await factories.house(res, place, "101", kind="shop"),
        "no_handover_date": await factories.house(res, place, "103", handover_on=None),
        "not_handed_over": await factories.house(res, place, "104", handover_on=date(2026, 10, 1)),
        "outside_validity": await factories.house(res, place, "105", handover_on=date(2026, 9, 21)),
        "no_area": await factories.house(res, place, "106", gross_area_cm2=None),
        "exempt": await factories.house(res, place, "107"),
        "zero_amount": await factories.house(res, place, "108", gross_area_cm2=1),
        "excluded": await factories.house(res, place, "109"),
    }
    billed = await factories.house(res, place, "110")
    item_id = await factories_fees.item(
        res, place, nature=Nature.RECURRING_UNTIL, valid_until=date(2026, 9, 21), rates=[(100, JAN_2020)]
    )
    await res.db.execute("UPDATE house SET fee_coefficient = 0 WHERE id = $1", houses["exempt"])
    await res.db.execute(
        "INSERT INTO billing_exclusion (item_id, house_id, reason, created_at) VALUES ($1, $2, '合同免收', $3)",
        item_id, houses["excluded"], res.clock.now(),
    )  # fmt: skip
    run = await factories_fees.published(res, item_id)
    rows = await res.db.fetch("SELECT house_id, reason FROM billing_omission WHERE run_id = $1", run.id)
    assert {row["reason"]: row["house_id"] for row in rows} == houses
    assert [row["house_id"] for row in await res.db.fetch("SELECT house_id FROM bill")] == [billed]
    counts = await res.db.fetchrow("SELECT house_count, bill_count, omitted_count FROM billing_run")
    assert counts is not None and tuple(counts) == (9, 1, 8)


async def test_a_day_without_a_price_leaves_the_house_out(res: Resources) -> None:
    place = await factories.community(res)
    early = await factories.house(res, place, "101")
    late = await factories.house(res, place, "102", handover_on=date(2026, 9, 10))
    item_id = await factories_fees.item(res, place, rates=[(2_500_000, date(2026, 9, 5))])
    await factories_fees.published(res, item_id)
    row = await res.db.fetchrow("SELECT house_id, reason FROM billing_omission")
    assert row is not None and tuple(row) == (early, "no_price")
    assert len(await _lines(res, late)) == 1


async def test_the_bill_names_who_owes(res: Resources) -> None:
    place = await factories.community(res)
    unsold, sold, let = [await factories.house(res, place, code) for code in ("101", "102", "103")]
    owner = await factories.person(res, "13800000001")
    tenant = await factories.person(res, "13800000002")
    await factories.occupy(res, owner, sold)
    await factories.occupy(res, owner, let)
    await factories.occupy(res, tenant, let, "tenant")
    by_owner = await factories_fees.item(res, place)
    by_tenant = await factories_fees.item(res, place, code="SF", name="水费", liable="tenant")
    for item_id in (by_owner, by_tenant):
        await factories_fees.published(res, item_id)
    rows = await res.db.fetch("SELECT item_id, house_id, liable_kind, liable_person_id FROM bill")
    assert {(row["item_id"], row["house_id"]): (row["liable_kind"], row["liable_person_id"]) for row in rows} == {
        (by_owner, unsold): ("developer", None),
        (by_owner, sold): ("owner", owner.id),
        (by_owner, let): ("owner", owner.id),
        (by_tenant, unsold): ("developer", None),
        (by_tenant, sold): ("owner", owner.id),
        (by_tenant, let): ("tenant", tenant.id),
    }
