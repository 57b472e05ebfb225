"""Coupons, several entries as one, top-ups, and the words of a price (D8). Tariffs are made up for the test."""

import pytest

from backend.parking.prices import pricing, tariff
from backend.parking.prices.coupons import Coupon, CouponKind
from backend.parking.prices.pricing import Price, Visit
from tests.parking_tariffs import Document, all_day, at, day_kind, kerb, made, segment

HOURLY = made(all_day(segment(0, None, 60, 400)))
HOUR = Coupon("hour", CouponKind.MINUTES, 60)
FIVE = Coupon("five", CouponKind.MONEY, 500, order=1)
FIFTH = Coupon("fifth", CouponKind.PERCENT, 20, order=2)
FIFTH_FIRST = Coupon("fifth", CouponKind.PERCENT, 20, order=0)
FREE = Coupon("free", CouponKind.FREE)
TEN_ALONE = Coupon("ten", CouponKind.MONEY, 1000, exclusive=True)


def asked(document: Document, entered: str, left: str, *coupons: Coupon, earlier: tuple[Visit, ...] = ()) -> Price:
    return pricing.price(
        tariff.parse(document), entered_at=at(entered), left_at=at(left), day_kind=day_kind, coupons=coupons,
        earlier=earlier,
    )  # fmt: skip


# Three hours are 12.00.
COUPONS: list[tuple[list[Coupon], int, list[str]]] = [
    ([], 1200, []),
    ([HOUR], 800, ["hour"]),
    ([Coupon("half", CouponKind.MINUTES, 30)], 800, ["half"]),
    ([HOUR, Coupon("hour2", CouponKind.MINUTES, 60)], 400, ["hour", "hour2"]),
    ([FIVE], 700, ["five"]),
    ([FIFTH], 960, ["fifth"]),
    ([FIVE, FIFTH], 560, ["five", "fifth"]),
    ([FIVE, FIFTH_FIRST], 460, ["fifth", "five"]),
    ([FIFTH_FIRST, HOUR], 640, ["hour", "fifth"]),
    ([FREE], 0, ["free"]),
    ([FREE, FIVE], 0, ["five", "free"]),
    ([Coupon("fifty", CouponKind.MONEY, 5000)], 0, ["fifty"]),
    ([Coupon("fifty", CouponKind.MONEY, 5000), FREE], 0, ["fifty"]),
    ([TEN_ALONE, FIVE], 200, ["ten"]),
    ([TEN_ALONE, FIVE, HOUR, FIFTH], 200, ["ten"]),
    ([TEN_ALONE, FREE], 0, ["free"]),
]


@pytest.mark.parametrize(("coupons", "amount_fen", "used"), COUPONS)
def test_d8_coupons_worked_by_hand(coupons: list[Coupon], amount_fen: int, used: list[str]) -> None:
    found = asked(HOURLY, "09:00", "12:00", *coupons)
    assert (found.amount_fen, found.gross_fen, list(found.coupons_used)) == (amount_fen, 1200, used)
    assert sum(line.amount_fen for line in found.lines) == amount_fen


def test_d8_what_a_percent_coupon_leaves_is_rounded_down() -> None:
    """3.33 less 15 % is 2.8305."""
    document = made(all_day(segment(0, None, 60, 333)))
    assert asked(document, "09:00", "10:00", Coupon("c", CouponKind.PERCENT, 15)).amount_fen == 283


def test_d8_a_minutes_coupon_does_not_pay_the_price_of_the_entry() -> None:
    document = made(all_day(segment(0, None, 60, 400), entry_fen=300))
    assert asked(document, "09:00", "11:00").amount_fen == 1100
    assert asked(document, "09:00", "11:00", HOUR).amount_fen == 700
    assert asked(document, "09:00", "09:30", HOUR).amount_fen == 300


def test_d8_a_minutes_coupon_counts_from_the_entry_where_free_minutes_are_a_threshold() -> None:
    document = made(all_day(segment(0, None, 15, 100)), free={"minutes": 30, "kind": "threshold"})
    assert asked(document, "09:00", "10:00", Coupon("q", CouponKind.MINUTES, 15)).amount_fen == 300


def test_d8_a_minutes_coupon_counts_after_free_minutes_that_are_deducted() -> None:
    document = made(all_day(segment(0, None, 15, 100)), free={"minutes": 30, "kind": "deducted"})
    assert asked(document, "09:00", "10:00", Coupon("q", CouponKind.MINUTES, 15)).amount_fen == 100


def test_d8_nothing_due_uses_no_coupon() -> None:
    assert asked(kerb(), "09:00", "09:14", FREE, HOUR).coupons_used == ()


@pytest.mark.parametrize(("kind", "value"), [("minutes", 0), ("money", -1), ("percent", 101), ("free", 1)])
def test_a_coupon_without_sense_is_refused(kind: str, value: int) -> None:
    with pytest.raises(ValueError, match="has no value"):
        Coupon("c", CouponKind(kind), value)


PER_ENTRY = made(all_day(entry_fen=500), reentry={"within_min": 240})
NINE = Visit(at("09:00"), at("09:30"), 500)


@pytest.mark.parametrize(("entered", "amount_fen"), [("12:00", 0), ("13:00", 0), ("13:00:01", 500), ("13:01", 500)])
def test_d8_entries_within_four_hours_are_one(entered: str, amount_fen: int) -> None:
    assert asked(PER_ENTRY, entered, "15:00", earlier=(NINE,)).amount_fen == amount_fen


def test_d8_a_later_entry_opens_another_group() -> None:
    """09:00 and 12:00 are one; 14:00 is another, to which 16:00 belongs."""
    noon, two = Visit(at("12:00"), at("12:30"), 0), Visit(at("14:00"), at("14:30"), 500)
    prices = tariff.parse(PER_ENTRY)
    assert pricing.together(prices, [two, noon, NINE], at("16:00")) == (two,)
    assert pricing.together(prices, [noon, NINE], at("13:00")) == (NINE, noon)
    assert asked(PER_ENTRY, "16:00", "17:00", earlier=(two, noon, NINE)).amount_fen == 0


def test_d8_time_outside_is_not_charged_and_free_minutes_are_given_once() -> None:
    document = made(
        all_day(segment(0, None, 60, 400)), free={"minutes": 30, "kind": "threshold"}, reentry={"within_min": 240}
    )
    first = Visit(at("09:00"), at("09:20"), 0)
    assert asked(document, "10:00", "10:10", earlier=(first,)).amount_fen == 0
    assert asked(document, "10:00", "10:10:01", earlier=(first,)).amount_fen == 400
    assert asked(document, "10:00", "10:40", earlier=(first,)).amount_fen == 400
    assert asked(document, "10:00", "10:40:01", earlier=(first,)).amount_fen == 800


def test_d8_without_the_rule_each_entry_is_its_own() -> None:
    assert asked(made(all_day(entry_fen=500)), "10:00", "11:00", earlier=(NINE,)).amount_fen == 500


def test_d8_after_the_grace_the_whole_stay_less_what_was_paid_is_due() -> None:
    whole = asked(HOURLY, "09:00", "12:00")
    assert pricing.top_up(whole, 800) == 400
    assert pricing.top_up(whole, 1200) == 0
    assert pricing.top_up(whole, 1300) == 0


def test_d8_a_driver_can_check_the_sentence() -> None:
    found = asked(kerb(), "09:00", "11:20")
    assert found.lines[0].label == "日间 07:00–21:00 首小时内 4 个 15 分钟 × 2.50 元 = 10.00 元"
    assert found.text == (
        "日间 07:00–21:00 首小时内 4 个 15 分钟 × 2.50 元 = 10.00 元；"
        "日间 07:00–21:00 首小时后 5 个 15 分钟 × 3.75 元 = 18.75 元；"
        "日间 07:00–21:00 余 5 分钟，不足 15 分钟，不收费；"
        "应付 28.75 元。"
    )
    first = found.lines[0]
    assert (first.starts_at, first.ends_at, first.units) == (at("09:00"), at("10:00"), 4)
    assert first.inputs == {
        "kind": "time", "window": "日间 07:00–21:00", "from_min": 0, "to_min": 60, "increment_min": 15,
        "price_fen": 250, "units": 4, "rest_s": 0,
    }  # fmt: skip


WORDS: list[tuple[Document, str, str, str]] = [
    (kerb(), "2026-09-01 23:00", "2026-09-02 01:00", "9月1日 夜间 21:00–07:00 1 个 2 小时 × 1.00 元 = 1.00 元"),
    (made(all_day(segment(0, None, 60, 400)), stay_cap_fen=1000), "09:00", "12:00",
     "本次停车 封顶 10.00 元，减 2.00 元"),
    (made(all_day(segment(0, None, 60, 400)), day={"by": "calendar", "cap_fen": 1000}), "09:00", "12:00",
     "9月1日 封顶 10.00 元，减 2.00 元"),
    (made(all_day(segment(0, None, 60, 400)), day={"by": "rolling", "cap_fen": 1000}), "09:00", "12:00",
     "第 1 个 24 小时 封顶 10.00 元，减 2.00 元"),
    (made(all_day(segment(0, 120, 15, 300, cap_fen=1000), segment(120, None, 60, 500))), "09:00", "11:00",
     "全天 前 2 小时内 封顶 10.00 元，减 14.00 元"),
    (made(all_day(segment(0, None, 15, 100)), minimum_fen=500), "09:00", "09:20", "最低收费 5.00 元，补 3.00 元"),
    (made(all_day(entry_fen=500)), "09:00", "09:20", "全天 按次收费 5.00 元"),
    (made(all_day(segment(0, None, 60, 0))), "09:00", "09:20", "全天 1 个 1 小时，免费"),
    (made(all_day(), free={"minutes": 30, "kind": "threshold"}), "09:00", "09:20", "免费时长 30 分钟内离场，不收费"),
    (made(all_day(), free={"minutes": 90, "kind": "deducted"}), "09:00", "12:00", "前 90 分钟免费，之后开始计费"),
    (kerb(), "09:00", "09:14:30", "日间 07:00–21:00 余 14 分 30 秒，不足 15 分钟，不收费"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "entered", "left", "label"), WORDS)
def test_d8_labels_are_sentences(document: Document, entered: str, left: str, label: str) -> None:
    assert label in [line.label for line in asked(document, entered, left).lines]


def test_d8_coupons_and_earlier_entries_are_lines() -> None:
    labels = [line.label for line in asked(HOURLY, "09:00", "12:00", HOUR, FIVE, FIFTH).lines]
    assert labels[1:] == [
        "优惠券抵 1 小时，减 4.00 元",
        "优惠券抵 5.00 元，减 5.00 元",
        "优惠券减免 20%，减 0.60 元",
    ]
    assert asked(HOURLY, "09:00", "10:00", FREE).lines[-1].label == "优惠券免费放行，减 4.00 元"
    joined = asked(PER_ENTRY, "12:00", "13:00", earlier=(NINE,))
    assert joined.lines[-1].label == "多次进出按一次计，此前已结清 5.00 元"
    assert joined.text.endswith("应付 0.00 元。")
