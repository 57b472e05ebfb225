"""Several entries as one (D8) never cost more than apart, where the prices do not mean them to.

A lot whose free time is given once, whose prices rise with the hours, or which charges whole units only means several
entries to cost more as one; so does a day that is counted from the first entry (decision 0021).
"""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from backend.parking.prices import pricing, tariff
from backend.parking.prices.pricing import Visit
from tests.parking_tariffs import Document, all_day, at, day_kind, made, segment

ENTRIES = st.integers(0, 12 * 1_440).map(lambda minutes: at("2026-09-24 00:00") + timedelta(minutes=minutes))


@st.composite
def falling(draw: Any) -> Document:
    """Made up for the test: begun units, each hour at most as dear as the one before, an entry, a cap of the stay."""
    first_fen = draw(st.integers(0, 1_000))
    hours = draw(st.integers(1, 3))
    later_fen = draw(st.integers(0, first_fen))
    whole = all_day(segment(0, 60 * hours, 60, first_fen), segment(60 * hours, None, 60, later_fen),
                    entry_fen=draw(st.integers(0, 500)))  # fmt: skip
    cap_fen = draw(st.one_of(st.none(), st.integers(500, 4_000)))
    return made(whole, stay_cap_fen=cap_fen, minimum_fen=draw(st.integers(0, 400)), reentry={"within_min": 10_080})


@settings(max_examples=150, deadline=None)
@given(falling(), ENTRIES, st.lists(st.tuples(st.integers(1, 300), st.integers(1, 600)), min_size=2, max_size=5))
def test_d8_several_entries_as_one_never_cost_more_than_apart(
    document: Document, entered_at: datetime, stays: list[tuple[int, int]]
) -> None:
    prices = tariff.parse(document)
    visits: list[Visit] = []
    apart_fen, left_at = 0, entered_at
    for gap, length in stays:
        start = left_at + timedelta(minutes=gap)
        left_at = start + timedelta(minutes=length)
        asked = [
            pricing.price(prices, entered_at=start, left_at=left_at, day_kind=day_kind, earlier=each)
            for each in (visits, visits[::-1])
        ]
        assert asked[0] == asked[1], "asked twice, in whatever order the visits are found, it is the same"
        apart_fen += pricing.amount_fen(prices, entered_at=start, left_at=left_at, day_kind=day_kind)
        visits.append(Visit(start, left_at, asked[0].amount_fen))
        assert sum(visit.settled_fen for visit in visits) <= apart_fen
