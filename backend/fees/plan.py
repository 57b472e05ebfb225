"""The plan of a billing run: everything that its bills depend on, besides the houses, worked out once and kept.

For each day on which a house's charge may begin the plan holds the bill's period and the segments with their prices as
exact integers; the SQL of `billing_sql` multiplies them with area and coefficient. Prices that change while a run is
generated do not reach it (F-18).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from math import gcd, lcm
from typing import Any
from uuid import UUID

from backend.fees import periods, proration
from backend.fees.periods import ONE_DAY, Anchor, Cycle, Period
from backend.fees.proration import Rate, Segment, Span
from backend.kernel.money import MAX_FEN, UNIT_FEN, Rounding, RoundingUnit

# 10 000 millionths of a yuan are a fen, 10 000 cm² are a m², a coefficient has four places.
MICRO_PER_FEN = 10_000
CM2_PER_M2 = 10_000
COEFFICIENT_UNIT = 10_000


class Formula(StrEnum):
    """How an item is charged (D2)."""

    GROSS_AREA = "gross_area"
    INNER_AREA = "inner_area"
    FIXED = "fixed"


class Nature(StrEnum):
    """Whether an item is charged once, again and again, or until a date (D2)."""

    ONE_OFF = "one_off"
    RECURRING = "recurring"
    RECURRING_UNTIL = "recurring_until"


class Liable(StrEnum):
    """Who owes by the item: the owner, or a tenant where there is one (D1)."""

    OWNER = "owner"
    TENANT = "tenant"


@dataclass(frozen=True, slots=True)
class Item:
    """A fee item as a run sees it."""

    id: UUID
    no: int
    community_id: UUID
    code: str
    name: str
    formula: Formula
    nature: Nature
    rounding: Rounding
    rounding_unit: RoundingUnit
    house_kinds: tuple[str, ...]
    liable: Liable
    state: str
    cycle: Cycle


def build(item: Item, period: Period, rates: Sequence[Rate], *, liable_on: date) -> dict[str, Any]:
    """The plan of a run of `item` over `period` with `rates`, as JSON: whole numbers of any size stand as texts."""
    valid = _valid(item, period)
    if item.cycle.anchor is Anchor.HANDOVER:
        starts = [(year.starts_on, _valid(item, year), year) for year in item.cycle.years_of_houses(period)]
    else:
        days = range(max(0, (valid.ends_on - valid.starts_on).days))
        firsts = [valid.starts_on + n * ONE_DAY for n in days]
        starts = [(first, Period(first, valid.ends_on), period) for first in firsts]
    return {
        "item_name": item.name,
        "formula": item.formula.value,
        "house_kinds": list(item.house_kinds),
        "liable": item.liable.value,
        "liable_on": liable_on.isoformat(),
        "anchor": item.cycle.anchor.value,
        "first_on": valid.starts_on.isoformat(),
        "unit_fen": UNIT_FEN[item.rounding_unit],
        "max_fen": MAX_FEN,
        "starts": [
            {
                "start_on": start_on.isoformat(),
                "period_start": billed.starts_on.isoformat(),
                "period_end": billed.ends_on.isoformat(),
                **_charge(item, charged, rates),
            }
            for start_on, charged, billed in starts
            if charged.starts_on < charged.ends_on
        ],
    }


def _valid(item: Item, period: Period) -> Period:
    """The days of `period` within the item's validity; none where its end is not after its start."""
    until = item.cycle.valid_until
    end = period.ends_on if until is None else min(period.ends_on, until)
    return Period(max(period.starts_on, item.cycle.valid_from), end)


def _charge(item: Item, days: Period, rates: Sequence[Rate]) -> dict[str, Any]:
    """The charge for `days`: with base b it is unit × ⌊(b × factor + add) ÷ divisor⌋ fen."""
    found = proration.segments(days.starts_on, days.ends_on, rates)
    if found is None:
        return {"priced": False}
    scale = MICRO_PER_FEN * COEFFICIENT_UNIT * (1 if item.formula is Formula.FIXED else CM2_PER_M2)
    weights, denominator = _whole([months(item, part) * part.rate.rate_micro / scale for part in found])
    factor, add, divisor = _rounding(sum(weights), denominator, item.rounding, UNIT_FEN[item.rounding_unit])
    return {
        "priced": True,
        "factor": str(factor),
        "add": str(add),
        "divisor": str(divisor),
        "weight": str(sum(weights)),
        "denominator": str(denominator),
        "segments": [
            {"seq": seq, "label": _label(part), "weight": str(weight), "inputs": _inputs(item, part)}
            for seq, (part, weight) in enumerate(zip(found, weights, strict=True), start=1)
        ],
    }


def months(item: Item, part: Segment) -> Fraction:
    """The months that a segment counts; a one-off charge counts 1."""
    return Fraction(1) if item.nature is Nature.ONE_OFF else part.span.months


def _whole(exact: Sequence[Fraction]) -> tuple[list[int], int]:
    """Fractions as whole numbers over one common denominator, as small as it can be."""
    denominator = lcm(*(part.denominator for part in exact))
    weights = [part.numerator * (denominator // part.denominator) for part in exact]
    shared = gcd(denominator, *weights)
    return [weight // shared for weight in weights], denominator // shared


def _rounding(weight: int, denominator: int, rounding: Rounding, unit_fen: int) -> tuple[int, int, int]:
    """(factor, add, divisor) by which flooring rounds b × weight ÷ denominator fen to whole units."""
    unit = denominator * unit_fen
    choices: Mapping[Rounding, tuple[int, int, int]] = {
        Rounding.HALF_UP: (2 * weight, unit, 2 * unit),
        Rounding.UP: (weight, unit - 1, unit),
        Rounding.DOWN: (weight, 0, unit),
    }
    return choices[rounding]


def _label(part: Segment) -> str:
    return periods.text(part.span.starts_on, part.span.ends_on)


def _inputs(item: Item, part: Segment) -> dict[str, Any]:
    """What a line of this segment keeps beside the house's area and coefficient."""
    return {
        "formula": item.formula.value,
        "price_version_id": str(part.rate.version_id),
        "rate_micro": part.rate.rate_micro,
        "starts_on": part.span.starts_on.isoformat(),
        "ends_on": part.span.ends_on.isoformat(),
        "months": _months_inputs(item, part.span),
        "rounding": item.rounding.value,
        "rounding_unit": item.rounding_unit.value,
    }


def _months_inputs(item: Item, days: Span) -> dict[str, int] | None:
    """None: a one-off charge, which counts no months."""
    if item.nature is Nature.ONE_OFF:
        return None
    kept = {"whole": days.whole_months}
    if days.head_days:
        kept |= {"head_days": days.head_days, "head_of": days.head_of}
    if days.tail_days:
        kept |= {"tail_days": days.tail_days, "tail_of": days.tail_of}
    return kept
