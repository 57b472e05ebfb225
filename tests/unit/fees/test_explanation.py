"""Why this amount: read from stored lines, in Chinese (design principle 6)."""

from decimal import Decimal
from typing import Any

import pytest

from backend.fees.explanation import explain
from backend.fees.plan import Formula
from backend.fees.prices import rate_text, unit_text


def _line(**over: Any) -> dict[str, Any]:
    inputs = {
        "formula": "gross_area", "rate_micro": 2_500_000,
        "months": {"whole": 1}, "rounding": "half_up", "rounding_unit": "fen",
    }  # fmt: skip
    line = {"label": "2026年9月", "amount_fen": 22_338, "exact_num": 223_375, "exact_den": 10, "inputs": inputs}
    line |= {"area_cm2": 893_500, "coefficient": Decimal(1)}
    inputs.update(over.pop("inputs", {}))
    return line | over


def _told(*lines: dict[str, Any], fen: int) -> Any:
    return explain("物业费 2026年9月", fen, lines)  # type: ignore[arg-type]


def test_a_whole_month_by_area() -> None:
    told = _told(_line(), fen=22_338)
    assert told.summary == "物业费 2026年9月：建筑面积 89.35 m² × 2.50 元/m²·月 × 1 个月 = 223.38 元。"
    assert told.rounding == "精确金额 223.375 元，四舍五入到分，应收 223.38 元。"


def test_head_and_tail_days_a_coefficient_and_the_inner_area() -> None:
    inputs = {
        "formula": "inner_area",
        "months": {"whole": 2, "head_days": 15, "head_of": 30, "tail_days": 9, "tail_of": 28},
    }  # fmt: skip
    told = _told(_line(inputs=inputs, coefficient=Decimal("0.8000")), fen=22_338)
    assert "套内面积 89.35 m² × 2.50 元/m²·月 × 收费系数 0.8 × （2 + 15/30 + 9/28）个月" in told.summary


def test_two_segments_are_told_one_after_the_other() -> None:
    first = _line(
        label="2026年9月1日至9月15日", amount_fen=50_000, exact_num=50_000, exact_den=1,
        inputs={"months": {"whole": 0, "tail_days": 15, "tail_of": 30}},
    )  # fmt: skip
    told = _told(first, _line(), fen=72_338)
    assert told.summary.startswith(
        "物业费 2026年9月：2026年9月1日至9月15日，建筑面积 89.35 m² × 2.50 元/m²·月 × 15/30 个月"
    )
    assert told.summary.endswith("合计 723.38 元。")


def test_a_fixed_and_a_one_off_charge() -> None:
    told = _told(
        _line(inputs={"formula": "fixed", "months": None}, exact_num=250, exact_den=1, amount_fen=250), fen=250
    )
    assert told.summary == "物业费 2026年9月：2.50 元 = 2.50 元。"
    assert told.rounding == "精确金额 2.50 元，无需取整。"


def test_an_endless_decimal_is_about() -> None:
    assert _told(_line(exact_num=200_000, exact_den=3), fen=66_667).steps[0].exact == "约 666.666666"


@pytest.mark.parametrize(
    ("micro", "text"), [(2_500_000, "2.50"), (150_000, "0.15"), (123_456, "0.123456"), (0, "0.00")]
)
def test_rates_read_as_people_write_them(micro: int, text: str) -> None:
    assert rate_text(micro) == text


def test_units() -> None:
    assert [unit_text(f, one_off=o) for f in (Formula.GROSS_AREA, Formula.FIXED) for o in (False, True)] == [
        "元/m²·月", "元/m²", "元/月", "元",
    ]  # fmt: skip
