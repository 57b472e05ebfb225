"""Coupons that shops give (D8): used once, never more than a shop may give, shown, given back, settled by the month."""

import asyncio
from copy import deepcopy
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.kernel.auth import HouseScope
from backend.kernel.errors import AppError, Conflict, Invalid, NotFound
from backend.parking.prices.coupons import CouponKind
from backend.parking.shops import shops
from tests import factories_parking, factories_refunds, factories_shops
from tests.factories_parking import CAR, PRICES
from tests.factories_shops import Shop
from tests.integration.parking.conftest import Garage

OTHER = "粤B54321"


@pytest.fixture
def shop(garage: Garage, run: Any) -> Shop:
    return run(factories_shops.shop(garage.lot))


async def parked(garage: Garage, plate: str = CAR, *, minutes: int = 61) -> UUID:
    """A car that has stood in the lot for two begun hours: 10 yuan."""
    await garage.lot.arrives(plate)
    await garage.later(minutes=minutes)
    return UUID(str((await garage.lot.stays())[-1]["id"]))


async def uses(garage: Garage) -> list[tuple[int | None, bool]]:
    """What each coupon took off, and whether it was given back."""
    rows = await garage.play.res.db.fetch("SELECT off_fen, returned_at FROM parking_coupon_use ORDER BY id")
    return [(row["off_fen"], row["returned_at"] is not None) for row in rows]


async def settled(garage: Garage, month: date = date(2026, 9, 1)) -> list[tuple[str, int, int]]:
    rows = await shops.settlement(garage.play.res.db, garage.lot.id, month=month)
    return [(row["shop_name"], row["used"], row["off_fen"]) for row in rows]


async def test_d8_a_code_takes_off_what_it_says_and_the_shop_settles_for_it(garage: Garage, shop: Shop) -> None:
    offer = await shop.offer(CouponKind.MINUTES, 60)
    code = await shop.code(offer)
    session_id = await parked(garage)
    asked = await factories_shops.enter(garage.lot, code.lower())
    assert asked is not None and asked.quote is not None
    assert [line["label"] for line in asked.quote["lines"]][-1] == "优惠券抵 1 小时，减 5.00 元"
    assert (asked.quote["total_fen"], asked.quote["amount_fen"], await shop.left(offer)) == (500, 500, 9)
    await garage.pays(session_id)
    assert await uses(garage) == [(500, False)]
    assert (await garage.lot.leaves()).open
    assert await garage.income_fen() == 500
    assert await settled(garage) == [("一楼便利店", 1, 500)]
    assert await settled(garage, date(2026, 10, 1)) == []
    await garage.play.balanced()


async def test_d8_after_the_grace_the_coupon_counts_again(garage: Garage, shop: Shop) -> None:
    await shop.offer(CouponKind.MINUTES, 60)
    session_id = await parked(garage)
    await factories_shops.enter(garage.lot, await shop.code(await shop.offer(CouponKind.MINUTES, 60)))
    await garage.pays(session_id)
    await garage.later(minutes=70)  # 131 minutes: 15 yuan, of which an hour is the coupon's and 5 yuan are paid
    assert (await garage.lot.leaves()).lines[0] == "请缴费5.00元"
    await garage.pays(session_id)
    assert (await garage.lot.stay())["paid_fen"] == 1_000
    assert await uses(garage) == [(500, False)]
    await garage.play.balanced()


async def test_d8_a_shop_gives_a_coupon_to_a_plate_and_the_quote_is_made_anew(garage: Garage, shop: Shop) -> None:
    offer = await shop.offer(CouponKind.MONEY, 300)
    await parked(garage)
    assert (await garage.lot.leaves()).lines[0] == "请缴费10.00元"
    await shop.give(offer)
    assert (await garage.lot.leaves()).lines[0] == "请缴费7.00元"
    assert await garage.lot.events() == [
        "entered", "quoted", "seen_at_exit", "coupon_applied", "quoted", "seen_at_exit",
    ]  # fmt: skip
    await garage.play.balanced()


async def test_d8_a_car_at_the_exit_that_owes_nothing_any_more_is_let_out(garage: Garage, shop: Shop) -> None:
    offer = await shop.offer(CouponKind.FREE)
    await parked(garage)
    await garage.lot.leaves()
    await shop.give(offer)
    stay = await garage.lot.stay()
    assert (stay["state"], stay["exit_lane_id"], stay["paid_fen"]) == ("OUT", garage.lot.lane_out, 0)
    (command,) = await garage.lot.commands()
    assert (command["device_id"], command["kind"]) == (garage.lot.camera_out.id, "open")
    assert await settled(garage) == [("一楼便利店", 1, 1_000)]
    await garage.play.balanced()


async def test_d8_a_car_inside_leaves_free_by_its_coupon(garage: Garage, shop: Shop) -> None:
    code = await shop.code(await shop.offer(CouponKind.FREE))
    await parked(garage)
    asked = await factories_shops.enter(garage.lot, code)
    assert asked is not None and asked.quote is None
    assert (await garage.lot.leaves()).open
    assert await settled(garage) == [("一楼便利店", 1, 1_000)]
    await garage.play.balanced()


async def test_d8_a_code_entered_again_for_its_car_is_the_same_and_for_another_is_used(
    garage: Garage, shop: Shop
) -> None:
    code = await shop.code(await shop.offer(CouponKind.MINUTES, 60))
    await garage.lot.arrives(OTHER)
    await parked(garage)
    first, second = await factories_shops.enter(garage.lot, code), await factories_shops.enter(garage.lot, code)
    assert first is not None and second is not None and first.due.total_fen == second.due.total_fen == 500
    with pytest.raises(Conflict) as refused:
        await factories_shops.enter(garage.lot, code, OTHER)
    assert refused.value.code == "coupon_used"
    assert await uses(garage) == [(None, False)]


async def test_d8_one_coupon_and_two_stays_at_once_is_used_once(garage: Garage, shop: Shop) -> None:
    offer = await shop.offer(CouponKind.MINUTES, 60)
    plates = [f"粤B2000{number}" for number in range(8)]
    for plate in plates:
        await garage.lot.arrives(plate)
    await garage.later(minutes=61)
    code = await shop.code(offer)
    ended = await asyncio.gather(
        *(factories_shops.enter(garage.lot, code, plate) for plate in plates), return_exceptions=True
    )
    refused = [each.code for each in ended if isinstance(each, AppError)]
    assert refused == ["coupon_used"] * 7
    assert await uses(garage) == [(None, False)]
    await garage.play.balanced()


async def test_d8_many_cars_at_once_never_get_more_than_a_shop_may_give(garage: Garage, shop: Shop) -> None:
    offer = await shop.offer(CouponKind.MINUTES, 60, granted=2)
    plates = [f"粤B2000{number}" for number in range(8)]
    for plate in plates:
        await garage.lot.arrives(plate)
    ended = await asyncio.gather(*(shop.give(offer, plate) for plate in plates), return_exceptions=True)
    refused = [each.code for each in ended if isinstance(each, AppError)]
    assert refused == ["coupons_exhausted"] * 6
    assert (len(await uses(garage)), await shop.left(offer)) == (2, 0)
    await garage.play.balanced()


async def test_d8_a_code_that_nobody_enters_goes_back_to_the_shop(garage: Garage, shop: Shop) -> None:
    offer = await shop.offer(CouponKind.MINUTES, 60, granted=1)
    code = await shop.code(offer)
    with pytest.raises(Conflict):
        await shop.code(offer)
    await parked(garage, minutes=121)
    with pytest.raises(NotFound) as refused:
        await factories_shops.enter(garage.lot, code)
    assert refused.value.message == "优惠码已过期，请向商家重新领取。"
    assert await shop.left(offer) == 1


async def test_d8_coupons_by_the_month_come_anew_with_it(garage: Garage, shop: Shop) -> None:
    offer = await shop.offer(CouponKind.MINUTES, 60, monthly=1)
    await parked(garage)
    await shop.give(offer)
    assert await shop.left(offer) == 0
    await garage.later(days=30)
    assert await shop.left(offer) == 1
    await garage.play.balanced()


async def test_d8_a_voided_stay_gives_its_coupon_back(garage: Garage, shop: Shop) -> None:
    offer = await shop.offer(CouponKind.MINUTES, 60)
    code = await shop.code(offer)
    session_id = await parked(garage)
    await factories_shops.enter(garage.lot, code)
    await factories_parking.void(garage.lot, session_id)
    assert await uses(garage) == [(None, True)]
    await parked(garage, OTHER, minutes=40)
    assert await factories_shops.enter(garage.lot, code, OTHER) is not None, "the code is good again"
    await garage.play.balanced()


async def test_d8_a_coupon_that_took_nothing_off_is_given_back(garage: Garage, shop: Shop) -> None:
    offer = await shop.offer(CouponKind.MINUTES, 60)
    await garage.lot.arrives()
    await shop.give(offer)
    await garage.later(minutes=20)
    assert (await garage.lot.leaves()).open
    assert (await uses(garage), await shop.left(offer)) == ([(None, True)], 10)


async def test_d8_a_stay_whose_money_went_back_gives_its_coupon_back(
    garage: Garage, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await factories_refunds.rig(garage.play, monkeypatch)
    session_id = await parked(garage)
    await shop.give(await shop.offer(CouponKind.MINUTES, 60))
    await garage.lot.quote()
    order_id = await garage.order(session_id)
    await rig.channel.tell_paid(order_id)
    await garage.lot.leaves()
    assert await settled(garage) == [("一楼便利店", 1, 500)]
    await rig.refunded(order_id)
    assert (await uses(garage), await settled(garage)) == ([(500, True)], [])
    await rig.balanced()


async def test_d8_money_that_was_on_its_way_counts_and_the_coupon_is_given_back(garage: Garage, shop: Shop) -> None:
    offer = await shop.offer(CouponKind.MINUTES, 60)
    session_id = await parked(garage)
    await garage.lot.quote()
    order_id = await garage.order(session_id)
    await shop.give(offer)
    await garage.play.user_pays(order_id)
    await garage.play.deliver()
    stay = await garage.lot.stay()
    assert (stay["state"], stay["paid_fen"], await uses(garage)) == ("PAID", 1_000, [(None, True)])
    await garage.play.balanced()


async def test_d8_a_quote_from_before_the_coupon_cannot_be_paid(garage: Garage, shop: Shop) -> None:
    session_id = await parked(garage)
    await garage.lot.quote()
    await garage.later(seconds=1)
    await shop.give(await shop.offer(CouponKind.FREE))
    with pytest.raises(AppError) as refused:
        await garage.order(session_id)
    assert refused.value.code == "quote_expired"
    assert (await garage.lot.leaves()).open


async def test_d8_who_has_paid_uses_no_coupon_any_more(garage: Garage, shop: Shop) -> None:
    session_id = await parked(garage)
    await garage.lot.quote()
    await garage.pays(session_id)
    offer = await shop.offer(CouponKind.MINUTES, 60)
    with pytest.raises(Conflict) as refused:
        await shop.give(offer)
    assert (refused.value.code, await uses(garage), await shop.left(offer)) == ("already_paid", [], 10)


async def test_d8_coupons_go_together_in_their_order_unless_one_stands_alone(garage: Garage, shop: Shop) -> None:
    await parked(garage)
    await shop.give(await shop.offer(CouponKind.PERCENT, 20, rank=1))
    await shop.give(await shop.offer(CouponKind.MONEY, 200, rank=2))
    asked = await garage.lot.quote()
    assert asked.due.total_fen == 600  # 20 % of 10.00, then 2.00
    await shop.give(await shop.offer(CouponKind.MONEY, 700, exclusive=True))
    asked = await garage.lot.quote()
    assert asked.due.total_fen == 300, "what costs the driver least"
    await garage.pays(asked.session_id)
    assert await uses(garage) == [(None, True), (None, True), (700, False)]
    await garage.play.balanced()


async def test_d8_one_stay_takes_as_many_of_a_kind_as_the_offer_says(garage: Garage, shop: Shop) -> None:
    offer = await shop.offer(CouponKind.MINUTES, 10, per_stay=2)
    await parked(garage)
    await shop.give(offer)
    await shop.give(offer)
    with pytest.raises(Conflict) as refused:
        await shop.give(offer)
    assert (refused.value.code, len(await uses(garage))) == ("coupon_limit", 2)


async def test_d8_only_who_lives_in_the_shop_gives_its_coupons(garage: Garage, shop: Shop) -> None:
    offer = await shop.offer(CouponKind.FREE)
    await parked(garage)
    stranger = Shop(garage.lot, shop.id, HouseScope(uuid4(), (garage.play.house_id,), (), ()))
    for act in (stranger.give(offer), stranger.code(offer)):
        with pytest.raises(NotFound):
            await act
    assert await garage.play.count("parking_coupon") == 0


async def test_d8_a_code_is_good_in_its_lot_alone_and_no_other_text_is_a_code(garage: Garage, shop: Shop) -> None:
    code = await shop.code(await shop.offer(CouponKind.FREE))
    other = await factories_parking.lot(garage.play.res, garage.play.place, code="P2")
    await other.arrives()
    await parked(garage)
    for lot, text in ((other, code), (garage.lot, "ABCDEFGHJKMN")):
        with pytest.raises(NotFound) as refused:
            await factories_shops.enter(lot, text)
        assert refused.value.message == "优惠码不正确，请核对后重新输入。"


async def test_d8_what_a_coupon_took_off_one_entry_is_not_asked_for_by_the_next(garage: Garage, shop: Shop) -> None:
    await factories_parking.tariff(garage.lot, deepcopy(PRICES) | {"reentry": {"within_min": 240}})
    await parked(garage)
    await shop.give(await shop.offer(CouponKind.FREE))
    assert (await garage.lot.leaves()).open
    await parked(garage)  # 122 minutes together: 15 yuan, of which the coupon took 10
    assert (await garage.lot.quote()).due.total_fen == 500


async def test_d8_an_exit_that_is_told_late_has_used_the_coupon_that_paid_for_it(garage: Garage, shop: Shop) -> None:
    await garage.lot.arrives()
    await shop.give(await shop.offer(CouponKind.FREE))
    await garage.later(minutes=71)
    told = factories_parking.sighting(garage.play.res, ago=timedelta(minutes=10))
    await garage.lot.see(garage.lot.camera_out, told)
    stay = await garage.lot.stay()
    assert (stay["state"], stay["flags"], await uses(garage)) == ("OUT", ["late"], [(1_000, False)])
    await garage.play.balanced()


async def test_d8_a_car_let_out_by_hand_that_pays_later_keeps_its_coupon(garage: Garage, shop: Shop) -> None:
    session_id = await parked(garage)
    await shop.give(await shop.offer(CouponKind.MINUTES, 60))
    await garage.lot.quote()
    order_id = await garage.order(session_id)
    await factories_parking.open_exit(garage.lot, session_id)
    assert await uses(garage) == [(None, False)]
    await garage.play.user_pays(order_id)
    await garage.play.deliver()
    assert (await uses(garage), await settled(garage)) == ([(500, False)], [("一楼便利店", 1, 500)])
    await garage.play.balanced()


@pytest.mark.parametrize(("kind", "value"), [(CouponKind.FREE, 1), (CouponKind.PERCENT, 101), (CouponKind.MONEY, 0)])
async def test_d8_a_value_that_fits_no_kind_is_refused(shop: Shop, kind: CouponKind, value: int) -> None:
    with pytest.raises(Invalid):
        await shop.offer(kind, value)


async def test_d8_a_closed_shop_gives_nothing_more_and_what_it_gave_is_good(garage: Garage, shop: Shop) -> None:
    offer = await shop.offer(CouponKind.FREE)
    code = await shop.code(offer)
    await parked(garage)
    await factories_shops.close(shop)
    with pytest.raises(NotFound):
        await shop.give(offer)
    with pytest.raises(Conflict):
        await factories_shops.close(shop)
    assert await factories_shops.enter(garage.lot, code) is not None
    assert (await garage.lot.leaves()).open
    await garage.play.balanced()
