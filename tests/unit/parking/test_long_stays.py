"""A stay of months or years is told in a few lines that add up, and costs what each of its days costs (D8)."""

import copy
import time
from datetime import timedelta

import pytest

from backend.parking.prices import folding, pricing, tariff
from backend.parking.prices.pricing import Price
from tests.parking_tariffs import ALL_KINDS, Document, at, day_kind, segment, window

NIGHT_AND_DAY: Document = {
    "crossing": "counted_apart",
    "rounding": "begun_units",
    "days": [
        {"kinds": ALL_KINDS[:1], "windows": [
            window("07:00", "21:00", segment(0, None, 60, 500), cap_fen=2_000),
            window("21:00", "07:00", segment(0, None, 60, 100), cap_fen=500),
        ]},
        {"kinds": ALL_KINDS[1:], "windows": [
            window("07:00", "21:00", segment(0, None, 60, 800), cap_fen=3_000),
            window("21:00", "07:00", segment(0, None, 60, 100), cap_fen=500),
        ]},
    ],
}  # fmt: skip
CALENDAR: Document = {
    "crossing": "by_start",
    "rounding": "begun_units",
    "days": [{"kinds": ALL_KINDS, "windows": [window("00:00", "24:00", segment(0, None, 60, 500))]}],
    "day": {"cap_fen": 2_000, "by": "calendar"},
}


def asked(document: Document, entered: str, left: str) -> Price:
    return pricing.price(tariff.parse(document), entered_at=at(entered), left_at=at(left), day_kind=day_kind)


def unfolded(document: Document, entered: str, left: str, monkeypatch: pytest.MonkeyPatch) -> Price:
    with monkeypatch.context() as patched:
        patched.setattr(folding, "FEWEST", 1_000_000)
        return asked(document, entered, left)


def test_equal_days_are_one_line_with_their_number_and_their_sum() -> None:
    found = asked(CALENDAR, "2026-11-02 22:00", "2026-11-12 02:00")
    assert [(line.label, line.units, line.amount_fen) for line in found.lines] == [
        ("11月2日 全天 2 个 1 小时 × 5.00 元 = 10.00 元", 2, 1_000),
        ("11月3日至11月11日共 9 天，每天 全天 24 个 1 小时 × 5.00 元 = 120.00 元，合计 1080.00 元", 216, 108_000),
        ("11月3日至11月11日共 9 天，每天 当日 封顶 20.00 元，减 100.00 元，合计减 900.00 元", 0, -90_000),
        ("11月12日 全天 2 个 1 小时 × 5.00 元 = 10.00 元", 2, 1_000),
    ]
    assert found.amount_fen == 1_000 + 9 * 2_000 + 1_000
    assert found.lines[1].inputs["days"] == 9
    assert (found.lines[1].starts_at, found.lines[1].ends_at) == (at("2026-11-03 00:00"), at("2026-11-12 00:00"))


def test_days_that_others_lie_between_are_told_together() -> None:
    found = asked(NIGHT_AND_DAY, "2026-11-02 07:00", "2026-11-30 07:00")
    labels = [line.label for line in found.lines]
    assert len(labels) == 8, "working days and weekends, by day and by night, with a cap each"
    assert labels[0].startswith("11月2日至11月27日之间有 20 天，每天 "), labels
    assert found.amount_fen == 20 * 2_000 + 8 * 3_000 + 28 * 500


@pytest.mark.parametrize("document", [NIGHT_AND_DAY, CALENDAR], ids=["windows", "calendar"])
@pytest.mark.parametrize("left", ["2026-09-03 09:00", "2026-09-09 10:17", "2026-10-12 23:59", "2029-09-01 09:00"])
def test_a_folded_explanation_says_what_the_long_one_says(
    document: Document, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    short, long = asked(document, "2026-09-01 09:13", left), unfolded(document, "2026-09-01 09:13", left, monkeypatch)
    assert short.amount_fen == long.amount_fen == sum(line.amount_fen for line in short.lines)
    assert sum(line.units for line in short.lines) == sum(line.units for line in long.lines)
    assert len(short.lines) <= 20
    for kind in {line.inputs["kind"] for line in long.lines}:
        told = [sum(line.amount_fen for line in each.lines if line.inputs["kind"] == kind) for each in (short, long)]
        assert told[0] == told[1], kind


def test_years_are_named_where_a_stay_reaches_into_another() -> None:
    found = asked(CALENDAR, "2026-12-30 00:00", "2027-01-05 00:00")
    assert found.lines[0].label.startswith("2026年12月30日至2027年1月4日共 6 天，每天 ")


def test_two_equal_days_are_told_one_by_one() -> None:
    found = asked(CALENDAR, "2026-11-02 00:00", "2026-11-04 00:00")
    assert [line.label[:5] for line in found.lines] == ["11月2日", "11月2日", "11月3日", "11月3日"]


def test_ten_years_are_priced_in_moments() -> None:
    document = copy.deepcopy(NIGHT_AND_DAY)
    began = time.process_time()
    found = pricing.price(
        tariff.parse(document), entered_at=at("2026-09-01 09:13"),
        left_at=at("2026-09-01 09:13") + timedelta(days=3_650), day_kind=day_kind,
    )  # fmt: skip
    assert len(found.lines) <= 20
    assert time.process_time() - began < 3
