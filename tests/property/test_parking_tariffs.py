"""The laws of parking prices (D8), over random tariffs and stays; a slow model must agree with every amount."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from backend.parking.prices import pricing, tariff
from backend.parking.prices.coupons import Coupon, CouponKind
from backend.parking.prices.metering import HORIZON_S
from backend.parking.prices.pricing import Price, Visit
from backend.parking.prices.tariff import Tariff
from tests.parking_tariffs import ALL_KINDS, Document, Walk, always_working, at, day_kind, segment, window

MANY = settings(max_examples=120, deadline=None)
SECOND = timedelta(seconds=1)
# Two weekends and the holidays of October lie in these days.
FIRST = at("2026-09-24 00:00")
ENTRIES = st.integers(0, 12 * 1_440).map(lambda minutes: FIRST + timedelta(minutes=minutes))
LENGTHS_MIN = st.one_of(st.integers(0, 180), st.integers(0, 3 * 1_440), st.sampled_from([0, 1, 15, 60, 1_440, 2_880]))
CAPS = st.one_of(st.none(), st.integers(1, 3_000))


@st.composite
def segments(draw: Any) -> list[Document]:
    found, start = [], 0
    for last in [False] * draw(st.integers(0, 2)) + [True]:
        increment = draw(st.sampled_from([1, 7, 10, 15, 30, 60, 120, 1_440]))
        end = None if last else start + increment * draw(st.integers(1, 5))
        price_fen = draw(st.one_of(st.just(0), st.integers(1, 1_000)))
        found.append(segment(start, end, increment, price_fen, cap_fen=draw(CAPS)))
        start = end or 0
    return found


@st.composite
def windows(draw: Any, *, entry_fen: st.SearchStrategy[int]) -> list[Document]:
    edges = sorted(draw(st.sets(st.integers(0, 95), max_size=4)))
    if len(edges) < 2:
        spans = [("00:00", "24:00")]
    else:
        texts = [f"{edge // 4:02d}:{edge % 4 * 15:02d}" for edge in edges]
        spans = list(zip(texts, [*texts[1:], texts[0] if texts[0] != "00:00" else "24:00"], strict=True))
    return [
        window(starts, ends, *(draw(segments()) if draw(st.integers(0, 5)) else []),
               cap_fen=None if ends == "24:00" and starts == "00:00" else draw(CAPS), entry_fen=draw(entry_fen))
        for starts, ends in spans
    ]  # fmt: skip


@st.composite
def documents(draw: Any) -> Document:
    groups = draw(st.sampled_from([[ALL_KINDS], [ALL_KINDS[:1], ALL_KINDS[1:]], [[kind] for kind in ALL_KINDS]]))
    entry_fen = draw(st.sampled_from([st.just(0), st.integers(0, 500)]))
    shared = draw(windows(entry_fen=entry_fen))
    days = []
    for kinds in groups:
        own = shared if draw(st.booleans()) else draw(windows(entry_fen=entry_fen))
        days.append({"kinds": kinds, "windows": own})
    inner = [each for day in days for each in day["windows"]]
    by = st.sampled_from(["rolling", "calendar"])
    rule = st.fixed_dictionaries({"by": by, "cap_fen": st.integers(500, 4_000), "counts_anew": st.booleans()})
    day_rule = draw(st.one_of(st.none(), rule))
    stay_cap = draw(st.one_of(st.none(), st.integers(500, 8_000)))
    caps = [each["cap_fen"] for each in inner] + [part["cap_fen"] for each in inner for part in each["segments"]]
    lowest = min([cap for cap in [*caps, stay_cap, day_rule and day_rule["cap_fen"]] if cap is not None], default=900)
    free = st.fixed_dictionaries({"minutes": st.integers(1, 120), "kind": st.sampled_from(["threshold", "deducted"])})
    return {
        "crossing": draw(st.sampled_from(["counted_apart", "by_start"])),
        "rounding": draw(st.sampled_from(["whole_units", "begun_units"])),
        "days": days,
        "free": draw(st.one_of(st.none(), free)),
        "day": day_rule,
        "stay_cap_fen": stay_cap,
        "minimum_fen": draw(st.integers(0, lowest)),
        "reentry": {"within_min": 7 * 1_440},
    }  # fmt: skip


COUPONS = st.lists(
    st.one_of(
        st.builds(Coupon, st.uuids().map(str), st.just(CouponKind.MINUTES), st.integers(1, 300)),
        st.builds(Coupon, st.uuids().map(str), st.just(CouponKind.MONEY), st.integers(1, 2_000), st.integers(0, 2)),
        st.builds(Coupon, st.uuids().map(str), st.just(CouponKind.PERCENT), st.integers(1, 100), st.integers(0, 2)),
        st.builds(Coupon, st.uuids().map(str), st.just(CouponKind.FREE)),
        st.builds(
            Coupon, st.uuids().map(str), st.just(CouponKind.MONEY), st.integers(1, 2_000), exclusive=st.just(True)
        ),
        st.builds(
            Coupon, st.uuids().map(str), st.just(CouponKind.MINUTES), st.integers(1, 300), exclusive=st.just(True)
        ),
    ),
    max_size=3,
)
STAYS = st.tuples(ENTRIES, LENGTHS_MIN, st.integers(0, 59)).map(
    lambda drawn: (drawn[0], drawn[0] + timedelta(minutes=drawn[1], seconds=drawn[2]))
)


def asked(prices: Tariff, entered_at: datetime, left_at: datetime, **more: Any) -> Price:
    kinds = more.pop("day_kind", day_kind)
    return pricing.price(prices, entered_at=entered_at, left_at=left_at, day_kind=kinds, **more)


@MANY
@given(documents(), ENTRIES, LENGTHS_MIN, st.lists(st.integers(0, 3 * 1_440), max_size=5))
def test_d8_the_model_that_walks_every_minute_agrees(
    document: Document, entered_at: datetime, minutes: int, others: list[int]
) -> None:
    prices = tariff.parse(document)
    lengths = {minutes, *others} - {0}
    if lengths:
        spans = [(entered_at, entered_at + timedelta(minutes=max(lengths)))]
        walked = dict(Walk(document, day_kind).amounts(spans))
        for length in lengths:
            left_at = entered_at + timedelta(minutes=length)
            assert asked(prices, entered_at, left_at).amount_fen == walked[left_at]


@MANY
@given(documents(), STAYS, st.lists(st.integers(0, 2 * 86_400), min_size=1, max_size=6), COUPONS)
def test_d8_a_later_leaving_never_costs_less(
    document: Document, stay: tuple[datetime, datetime], later: list[int], coupons: list[Coupon]
) -> None:
    prices = tariff.parse(document)
    entered_at, left_at = stay
    lefts = [left_at, *(left_at + timedelta(seconds=each) for each in sorted(later))]
    amounts = [asked(prices, entered_at, each, coupons=coupons).amount_fen for each in lefts]
    assert amounts == sorted(amounts)


@MANY
@given(documents(), STAYS, COUPONS)
def test_d8_lines_add_up_caps_hold_free_is_free_and_asking_twice_changes_nothing(
    document: Document, stay: tuple[datetime, datetime], coupons: list[Coupon]
) -> None:
    prices = tariff.parse(document)
    entered_at, left_at = stay
    found = asked(prices, entered_at, left_at, coupons=coupons)
    assert found == asked(prices, entered_at, left_at, coupons=coupons)
    assert sum(line.amount_fen for line in found.lines) == found.amount_fen
    assert 0 <= found.amount_fen <= found.gross_fen
    assert all(entered_at - SECOND < line.starts_at <= line.ends_at <= left_at for line in found.lines if line.units)
    if prices.stay_cap_fen is not None:
        assert found.gross_fen <= prices.stay_cap_fen
    if prices.day is not None and prices.day.cap_fen is not None:
        assert found.gross_fen <= prices.day.cap_fen * ((left_at - entered_at).days + 2)
    free = timedelta(minutes=prices.free.minutes if prices.free else 0)
    assert found.free_until == entered_at + free
    if left_at <= found.free_until:
        assert found.amount_fen == 0
    offered = {coupon.id: coupon for coupon in coupons}
    assert set(found.coupons_used) <= set(offered)
    assert len(found.coupons_used) < 2 or not any(offered[each].exclusive for each in found.coupons_used)


@MANY
@given(documents(), STAYS)
def test_d8_the_amount_stays_until_the_instant_that_is_told_and_not_a_second_longer(
    document: Document, stay: tuple[datetime, datetime]
) -> None:
    prices = tariff.parse(document)
    entered_at, left_at = stay
    found = asked(prices, entered_at, left_at)
    if found.steady_until is None:
        assert asked(prices, entered_at, left_at + timedelta(days=40)).amount_fen == found.amount_fen
        return
    assert found.steady_until >= left_at.replace(second=0)
    assert asked(prices, entered_at, max(left_at, found.steady_until)).amount_fen == found.amount_fen
    if found.steady_until - left_at < timedelta(seconds=HORIZON_S):
        assert asked(prices, entered_at, found.steady_until + SECOND).amount_fen > found.amount_fen


@MANY
@given(documents(), STAYS, st.integers(0, 2 * 86_400), COUPONS)
def test_d8_paying_early_and_topping_up_costs_what_paying_once_costs(
    document: Document, stay: tuple[datetime, datetime], later_s: int, coupons: list[Coupon]
) -> None:
    prices = tariff.parse(document)
    entered_at, quoted_at = stay
    left_at = quoted_at + timedelta(seconds=later_s)
    paid_fen = asked(prices, entered_at, quoted_at, coupons=coupons).amount_fen
    whole = asked(prices, entered_at, left_at, coupons=coupons)
    assert paid_fen + pricing.top_up(whole, paid_fen) == whole.amount_fen


@MANY
@given(documents(), STAYS, st.integers(1, 200))
def test_d8_weeks_do_not_matter_where_the_kinds_of_days_do_not_differ(
    document: Document, stay: tuple[datetime, datetime], weeks: int
) -> None:
    prices = tariff.parse(document)
    shift = timedelta(weeks=weeks)
    here = asked(prices, *stay, day_kind=always_working)
    there = asked(prices, stay[0] + shift, stay[1] + shift, day_kind=always_working)
    assert here.amount_fen == there.amount_fen
    assert [line.amount_fen for line in here.lines] == [line.amount_fen for line in there.lines]


@MANY
@given(documents())
def test_d8_a_tariff_is_its_document(document: Document) -> None:
    prices = tariff.parse(document)
    kept = tariff.document(prices)
    assert tariff.parse(kept) == prices
    assert tariff.document(tariff.parse(kept)) == kept
    turned = document | {"days": [day | {"windows": day["windows"][::-1]} for day in document["days"][::-1]]}
    assert tariff.document(tariff.parse(turned)) == kept


@MANY
@given(documents(), ENTRIES, st.lists(st.tuples(st.integers(0, 300), st.integers(0, 600)), min_size=2, max_size=4))
def test_d8_several_entries_cost_together_what_the_model_says(
    document: Document, entered_at: datetime, stays: list[tuple[int, int]]
) -> None:
    """Each entry pays what the stays so far cost as one, less what is settled: the sum is the price of all."""
    prices = tariff.parse(document)
    visits: list[Visit] = []
    spans: list[tuple[datetime, datetime]] = []
    for gap, length in stays:
        start = (spans[-1][1] if spans else entered_at) + timedelta(minutes=gap + bool(spans))
        spans.append((start, start + timedelta(minutes=length)))
        found = asked(prices, *spans[-1], earlier=visits)
        assert sum(line.amount_fen for line in found.lines) == found.amount_fen
        visits.append(Visit(*spans[-1], found.amount_fen))
    walked = dict(Walk(document, day_kind).amounts(spans))
    if spans[-1][0] < spans[-1][1]:
        assert sum(visit.settled_fen for visit in visits) == walked[spans[-1][1]]


@MANY
@given(documents(), STAYS, st.integers(1, 86_400), COUPONS)
def test_d8_leaving_and_coming_back_at_once_changes_nothing(
    document: Document, stay: tuple[datetime, datetime], later_s: int, coupons: list[Coupon]
) -> None:
    prices = tariff.parse(document)
    entered_at, back_at = stay
    left_at = back_at + timedelta(seconds=later_s)
    first = asked(prices, entered_at, back_at)
    second = asked(prices, back_at, left_at, earlier=[Visit(entered_at, back_at, first.amount_fen)])
    assert first.amount_fen + second.amount_fen == asked(prices, entered_at, left_at).amount_fen
    lefts = [left_at + timedelta(minutes=each) for each in (0, 7, 60, 600)]
    earlier = [Visit(entered_at, back_at, first.amount_fen)]
    amounts = [asked(prices, back_at, each, earlier=earlier, coupons=coupons).amount_fen for each in lefts]
    assert amounts == sorted(amounts)
