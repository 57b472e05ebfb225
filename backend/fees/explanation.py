"""Why this amount: a bill explained in Chinese from its stored lines, never computed anew (design principle 6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from backend.fees.plan import CM2_PER_M2, Formula
from backend.fees.prices import rate_text, unit_text
from backend.kernel.db import Record
from backend.kernel.money import Rounding, RoundingUnit, yuan_text

AREA = {Formula.GROSS_AREA: "建筑面积", Formula.INNER_AREA: "套内面积"}
ROUNDED = {Rounding.HALF_UP: "四舍五入", Rounding.UP: "向上取整", Rounding.DOWN: "舍去尾数"}
UNIT = {RoundingUnit.FEN: "分", RoundingUnit.JIAO: "角", RoundingUnit.YUAN: "元"}
PLACES = 6


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a bill in words; `exact` is its amount in yuan before rounding."""

    label: str
    text: str
    exact: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole story: one sentence, its steps, and how the total was rounded."""

    summary: str
    steps: tuple[Step, ...]
    rounding: str


def explain(title: str, principal_fen: int, lines: Sequence[Record]) -> Explanation:
    """Explain a bill of `principal_fen` with its stored `lines`, in order."""
    steps = tuple(_step(line) for line in lines)
    total = yuan_text(principal_fen)
    if len(steps) == 1:
        summary = f"{title}：{steps[0].text} = {total} 元。"
    else:
        parts = "；".join(f"{step.label}，{step.text} = {yuan_text(step.amount_fen)} 元" for step in steps)
        summary = f"{title}：{parts}；合计 {total} 元。"
    return Explanation(summary, steps, _rounding(principal_fen, lines))


def _step(line: Record) -> Step:
    inputs = line["inputs"]
    factors = [_measure(line), _price(inputs), _coefficient(line), _months(inputs["months"])]
    return Step(
        label=line["label"],
        text=" × ".join(factor for factor in factors if factor),
        exact=_yuan(_exact(line)),
        amount_fen=line["amount_fen"],
    )


def _measure(line: Record) -> str:
    formula = Formula(line["inputs"]["formula"])
    if formula is Formula.FIXED:
        return ""
    return f"{AREA[formula]} {_decimal(Fraction(line['area_cm2'], CM2_PER_M2), least=2)} m²"


def _price(inputs: Mapping[str, Any]) -> str:
    unit = unit_text(Formula(inputs["formula"]), one_off=inputs["months"] is None)
    return f"{rate_text(inputs['rate_micro'])} {unit}"


def _coefficient(line: Record) -> str:
    coefficient = Fraction(line["coefficient"])
    return "" if coefficient == 1 else f"收费系数 {_decimal(coefficient)}"


def _months(months: Mapping[str, int] | None) -> str:
    if months is None:
        return ""
    parts = [str(months["whole"])] if months["whole"] else []
    parts += [f"{months[f'{end}_days']}/{months[f'{end}_of']}" for end in ("head", "tail") if f"{end}_days" in months]
    return f"{parts[0]} 个月" if len(parts) == 1 else f"（{' + '.join(parts)}）个月"


def _rounding(principal_fen: int, lines: Sequence[Record]) -> str:
    exact = sum((_exact(line) for line in lines), Fraction())
    if exact == principal_fen:
        return f"精确金额 {_yuan(exact)} 元，无需取整。"
    inputs = lines[0]["inputs"]
    how = f"{ROUNDED[Rounding(inputs['rounding'])]}到{UNIT[RoundingUnit(inputs['rounding_unit'])]}"
    return f"精确金额 {_yuan(exact)} 元，{how}，应收 {yuan_text(principal_fen)} 元。"


def _exact(line: Record) -> Fraction:
    """The line's exact amount in fen."""
    return Fraction(int(line["exact_num"]), int(line["exact_den"]))


def _yuan(exact_fen: Fraction) -> str:
    return _decimal(exact_fen / 100, least=2)


def _decimal(value: Fraction, *, least: int = 0) -> str:
    """A non-negative fraction with `least` to PLACES decimal places; 约 says that there would be more."""
    scaled = value * 10**PLACES
    whole, rest = divmod(scaled.numerator, scaled.denominator)
    digits = f"{whole % 10**PLACES:0{PLACES}d}"
    kept = digits[:least] + digits[least:].rstrip("0")
    text = f"{whole // 10**PLACES}" + (f".{kept}" if kept else "")
    return f"约 {text}" if rest else text
