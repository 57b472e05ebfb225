"""Cards are bought, renewed and given back; what a car inside pays follows the days of its card (D6, D8)."""

from datetime import date
from uuid import UUID, uuid4

import pytest

from backend.kernel.auth import HouseScope
from backend.kernel.errors import AppError, Conflict, NotFound
from backend.parking.cards import sales
from backend.parking.cards.states import Audience
from payments.orders import BeingPaid, MustCloseFirst
from payments.refunds import Part
from tests import factories, factories_cards, factories_counter, factories_parking, factories_refunds
from tests.factories_cards import MONTH_FEN
from tests.integration.parking.conftest import Garage

# The clock stands at 10:00 on 1 September 2026 in Shanghai.
TODAY, OCTOBER, NOVEMBER = date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)


async def held(
    garage: Garage, ends_on: date | None = OCTOBER, plates: tuple[str, ...] = (factories_parking.CAR,)
) -> UUID:
    """A card of the stage's house."""
    return await factories_parking.card(
        garage.lot, plates, starts_on=date(2026, 8, 1), ends_on=ends_on, house_id=garage.play.house_id
    )


async def renewed(garage: Garage, card_id: UUID, product_id: UUID) -> UUID:
    order_id = await factories_cards.order_renewal(garage.play, card_id, product_id)
    await factories_cards.pays(garage.play, order_id)
    return order_id


async def test_a_renewal_goes_on_from_the_end_and_is_posted_to_the_lot(garage: Garage) -> None:
    card_id, product = await held(garage), await factories_cards.product(garage.lot)
    await renewed(garage, card_id, product)
    assert (await factories_cards.card(garage.lot))["ends_on"] == NOVEMBER
    assert await factories_cards.periods(garage.lot, card_id) == [(date(2026, 8, 1), NOVEMBER)]
    assert await garage.income_fen() == MONTH_FEN
    await garage.play.balanced()


async def test_a_lapsed_card_begins_again_today_and_the_days_between_are_charged(garage: Garage) -> None:
    card_id, product = await held(garage, ends_on=date(2026, 9, 3)), await factories_cards.product(garage.lot)
    await garage.lot.arrives()
    await garage.later(days=4)  # the 5th: two days that nothing covers, the 3rd and the 4th
    await renewed(garage, card_id, product)
    assert await factories_cards.periods(garage.lot, card_id) == [
        (date(2026, 8, 1), date(2026, 9, 3)), (date(2026, 9, 5), date(2026, 10, 5)),
    ]  # fmt: skip
    await garage.later(days=3)
    assert (await garage.lot.leaves()).lines[0] == "请缴费40.00元"
    await garage.play.balanced()


async def test_a_card_that_ends_during_the_stay_is_charged_from_that_day_and_not_once_it_is_renewed(
    garage: Garage,
) -> None:
    card_id, product = await held(garage, ends_on=date(2026, 9, 3)), await factories_cards.product(garage.lot)
    await garage.lot.arrives()
    await garage.later(days=1)
    await renewed(garage, card_id, product)  # in time
    await garage.later(days=20)
    assert (await garage.lot.leaves()).open
    await garage.later(days=10)  # the 2nd of October, a day before the end
    await garage.lot.arrives()
    await garage.later(hours=15, minutes=50)  # 01:50 on the 3rd: two begun hours that nothing covers
    assert (await garage.lot.leaves()).lines[0] == "请缴费10.00元"
    await garage.play.balanced()


async def test_a_card_that_is_bought_covers_the_car_inside_from_today(garage: Garage) -> None:
    product = await factories_cards.product(garage.lot)
    mine = await factories_cards.vehicle(garage.lot, garage.play.house_id)
    await garage.lot.arrives()
    await garage.later(days=1)
    order_id = await factories_cards.order_card(garage.play, garage.lot, product, [mine])
    assert (await factories_cards.card(garage.lot))["state"] == "UNPAID"
    await factories_cards.pays(garage.play, order_id)
    card = await factories_cards.card(garage.lot)
    assert (card["state"], card["starts_on"], card["ends_on"]) == ("ACTIVE", date(2026, 9, 2), date(2026, 10, 2))
    assert await garage.lot.events() == ["entered", "covered"]
    await garage.later(days=2)
    assert (await garage.lot.leaves()).lines[0] == "请缴费20.00元", "the day before the card, and no more"
    await garage.play.balanced()


async def test_a_car_that_became_known_while_it_was_inside_is_covered_as_well(garage: Garage) -> None:
    await garage.lot.arrives()
    product = await factories_cards.product(garage.lot)
    mine = await factories_cards.vehicle(garage.lot, garage.play.house_id)
    await factories_cards.pays(
        garage.play, await factories_cards.order_card(garage.play, garage.lot, product, [mine])
    )  # fmt: skip
    stay = await garage.lot.stay()
    assert (stay["card_id"], stay["vehicle_id"]) == ((await factories_cards.card(garage.lot))["id"], mine)
    await garage.later(days=1)
    assert (await garage.lot.leaves()).open
    await garage.play.balanced()


async def test_of_two_cars_inside_a_card_of_one_space_covers_the_first(garage: Garage) -> None:
    for plate in ("粤B10001", "粤B10000"):
        await garage.lot.arrives(plate)
        await garage.later(minutes=1)
    product = await factories_cards.product(garage.lot)
    cars = [await factories_cards.vehicle(garage.lot, garage.play.house_id, f"粤B1000{n}") for n in range(2)]
    await factories_cards.pays(garage.play, await factories_cards.order_card(garage.play, garage.lot, product, cars))
    assert [row["card_id"] is not None for row in await garage.lot.stays()] == [True, False]
    await garage.play.balanced()


async def test_the_31st_comes_back_after_a_short_month(garage: Garage) -> None:
    await garage.later(days=30 + 31 + 30 + 31 + 30)  # 31 January 2027
    product = await factories_cards.product(garage.lot)
    mine = await factories_cards.vehicle(garage.lot, garage.play.house_id)
    await factories_cards.pays(
        garage.play, await factories_cards.order_card(garage.play, garage.lot, product, [mine])
    )  # fmt: skip
    card = await factories_cards.card(garage.lot)
    assert (card["starts_on"], card["ends_on"]) == (date(2027, 1, 31), date(2027, 2, 28))
    await renewed(garage, card["id"], product)
    assert (await factories_cards.card(garage.lot))["ends_on"] == date(2027, 3, 31)
    await garage.play.balanced()


async def test_while_the_owner_pays_the_family_is_told_and_the_card_is_renewed_once(garage: Garage) -> None:
    card_id, month = await held(garage), await factories_cards.product(garage.lot)
    year = await factories_cards.product(garage.lot, months=12, price_fen=300_000)
    order_id = await factories_cards.order_renewal(garage.play, card_id, month)
    with pytest.raises(BeingPaid):
        await factories_cards.order_renewal(garage.play, card_id, year, garage.play.family)
    await factories_cards.pays(garage.play, order_id)
    assert (await factories_cards.card(garage.lot))["ends_on"] == NOVEMBER
    assert await garage.play.count("parking_card_sale") == 1, "what was refused has left no offer"
    await garage.play.balanced()


async def test_two_of_a_house_who_want_a_card_for_one_vehicle_pay_for_one_card(garage: Garage) -> None:
    product = await factories_cards.product(garage.lot)
    mine = await factories_cards.vehicle(garage.lot, garage.play.house_id)
    await factories_cards.order_card(garage.play, garage.lot, product, [mine])
    with pytest.raises((BeingPaid, MustCloseFirst)):
        await factories_cards.order_card(garage.play, garage.lot, product, [mine], garage.play.family)
    assert await garage.play.count("parking_card") == 1
    await garage.play.balanced()


async def test_who_changes_to_another_product_of_the_same_price_gets_what_was_asked_last(garage: Garage) -> None:
    card_id, one = await held(garage), await factories_cards.product(garage.lot)
    two = await factories_cards.product(garage.lot, months=2)
    first = await factories_cards.order_renewal(garage.play, card_id, one)
    assert await factories_cards.order_renewal(garage.play, card_id, two) == first
    await factories_cards.pays(garage.play, first)
    assert (await factories_cards.card(garage.lot))["ends_on"] == date(2026, 12, 1)
    await garage.play.balanced()


async def test_money_for_a_card_that_was_cancelled_meanwhile_goes_back(garage: Garage) -> None:
    card_id, product = await held(garage), await factories_cards.product(garage.lot)
    order_id = await factories_cards.order_renewal(garage.play, card_id, product)
    await factories_parking.cancel(garage.lot, card_id)
    await factories_cards.pays(garage.play, order_id)
    assert [row[0] for row in await garage.play.differences()] == ["second_payment"]
    assert await garage.income_fen() == 0
    await garage.play.balanced()


async def test_money_for_days_that_have_another_card_by_now_goes_back(garage: Garage) -> None:
    card_id, product = await held(garage), await factories_cards.product(garage.lot)
    order_id = await factories_cards.order_renewal(garage.play, card_id, product)
    await factories_parking.card(garage.lot, starts_on=OCTOBER, ends_on=NOVEMBER, house_id=garage.play.house_id)
    await factories_cards.pays(garage.play, order_id)
    assert (await factories_cards.card(garage.lot, card_id))["ends_on"] == OCTOBER
    assert [row[0] for row in await garage.play.differences()] == ["second_payment"]
    await garage.play.balanced()


async def test_the_counter_takes_cash_for_what_was_offered_once(garage: Garage) -> None:
    card_id, product = await held(garage), await factories_cards.product(garage.lot)
    counter = await factories_counter.counter(garage.play)
    with pytest.raises(Conflict) as unoffered:
        await factories_cards.take_cash(counter, card_id, amount_fen=MONTH_FEN)
    offered = await factories_cards.offer(garage.lot, card_id, product)
    assert (offered.starts_on, offered.ends_on, offered.amount_fen) == (OCTOBER, NOVEMBER, MONTH_FEN)
    await factories_cards.take_cash(counter, card_id, amount_fen=MONTH_FEN)
    with pytest.raises(Conflict) as again:
        await factories_cards.take_cash(counter, card_id, amount_fen=MONTH_FEN)
    assert (unoffered.value.code, again.value.code) == ("offer_expired", "offer_expired")
    assert (await factories_cards.card(garage.lot))["ends_on"] == NOVEMBER
    await factories_counter.work_all(garage.play)
    assert await garage.play.count("receipt") == 1
    await garage.play.balanced()


async def test_an_offer_is_payable_for_half_an_hour_and_by_its_amount_alone(garage: Garage) -> None:
    card_id, product = await held(garage), await factories_cards.product(garage.lot)
    counter = await factories_counter.counter(garage.play)
    await factories_cards.offer(garage.lot, card_id, product)
    with pytest.raises(Conflict) as less:
        await factories_cards.take_cash(counter, card_id, amount_fen=MONTH_FEN - 1)
    await garage.later(minutes=30)
    with pytest.raises(Conflict) as late:
        await factories_cards.take_cash(counter, card_id, amount_fen=MONTH_FEN)
    assert (less.value.code, late.value.code) == ("amount_changed", "offer_expired")
    assert await garage.play.count("payment_order") == 0


async def test_the_counter_of_another_community_does_not_find_the_card(garage: Garage) -> None:
    card_id, product = await held(garage), await factories_cards.product(garage.lot)
    await factories_cards.offer(garage.lot, card_id, product)
    elsewhere = await factories.community(garage.play.res, "ZZ", company_id=garage.play.place.company_id)
    with pytest.raises(NotFound):
        await garage.play.res.db.transact(
            lambda tx: sales.require_in(tx, elsewhere.id, card_ids=[card_id])
        )  # fmt: skip


async def test_nobody_renews_the_card_of_another_house(garage: Garage) -> None:
    card_id, product = await held(garage), await factories_cards.product(garage.lot)
    stranger = HouseScope(uuid4(), (uuid4(),), (), ())
    with pytest.raises(NotFound):
        await garage.play.res.db.transact(
            lambda tx: sales.renewal(tx, card_id=card_id, product_id=product, scope=stranger)
        )


async def test_a_card_without_an_end_is_not_renewed(garage: Garage) -> None:
    card_id, product = await held(garage, ends_on=None), await factories_cards.product(garage.lot)
    with pytest.raises(Conflict) as refused:
        await factories_cards.offer(garage.lot, card_id, product)
    assert refused.value.code == "not_for_sale"


async def test_a_house_with_two_spaces_has_cards_for_two_and_no_more(garage: Garage) -> None:
    product = await factories_cards.product(garage.lot, audience=Audience.OWNED)
    cars = [await factories_cards.vehicle(garage.lot, garage.play.house_id, f"粤B1000{n}") for n in range(3)]
    with pytest.raises(Conflict) as none_yet:
        await factories_cards.order_card(garage.play, garage.lot, product, cars[:1])
    for number in ("A1", "A2"):
        await factories_cards.space(garage.lot, garage.play.house_id, number)
    with pytest.raises(Conflict) as three:
        await factories_cards.order_card(garage.play, garage.lot, product, cars[:1], spaces=3)
    await factories_cards.pays(
        garage.play, await factories_cards.order_card(garage.play, garage.lot, product, cars[:2], spaces=2)
    )  # fmt: skip
    with pytest.raises(Conflict) as another:
        await factories_cards.order_card(garage.play, garage.lot, product, cars[2:])
    codes = [each.value.code for each in (none_yet, three, another)]
    assert codes == ["no_such_space", "more_than_spaces", "more_than_spaces"]
    card = await factories_cards.card(garage.lot)
    assert (card["kind"], card["spaces"], await garage.income_fen()) == ("owned", 2, 2 * MONTH_FEN)
    await garage.lot.arrives("粤B10000")
    assert (await garage.lot.arrives("粤B10001")).lines == ("欢迎回家",)
    await garage.play.balanced()


async def test_a_card_of_a_rented_space_does_not_outlast_the_rent(garage: Garage) -> None:
    product = await factories_cards.product(garage.lot, audience=Audience.RENTED, months=2)
    mine = await factories_cards.vehicle(garage.lot, garage.play.house_id)
    await factories_cards.space(garage.lot, garage.play.house_id, "B1", state="rented", ends_on=date(2026, 10, 31))
    with pytest.raises(Conflict) as refused:
        await factories_cards.order_card(garage.play, garage.lot, product, [mine])
    assert refused.value.code == "beyond_rent"


async def test_money_for_a_space_that_is_taken_by_now_goes_back(garage: Garage) -> None:
    product = await factories_cards.product(garage.lot, audience=Audience.OWNED)
    cars = [await factories_cards.vehicle(garage.lot, garage.play.house_id, f"粤B1000{n}") for n in range(2)]
    await factories_cards.space(garage.lot, garage.play.house_id, "A1")
    asked = [await factories_cards.order_card(garage.play, garage.lot, product, [car]) for car in cars]
    for order_id in asked:
        await factories_cards.pays(garage.play, order_id)
    assert await garage.play.count("parking_card WHERE state = 'ACTIVE'") == 1
    assert [row[0] for row in await garage.play.differences()] == ["second_payment"]
    assert await garage.income_fen() == MONTH_FEN
    await garage.play.balanced()


async def test_a_sale_given_back_whole_takes_the_days_that_it_has_left(
    garage: Garage, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await factories_refunds.rig(garage.play, monkeypatch)
    card_id, product = await held(garage), await factories_cards.product(garage.lot)
    order_id = await factories_cards.order_renewal(garage.play, card_id, product, known=False)
    await rig.channel.tell_paid(order_id)
    assert (await factories_cards.card(garage.lot))["ends_on"] == NOVEMBER
    await rig.refunded(order_id)
    assert (await rig.state(), await garage.income_fen()) == ("SUCCEEDED", 0)
    assert (await factories_cards.card(garage.lot))["ends_on"] == OCTOBER
    assert await factories_cards.periods(garage.lot, card_id) == [(date(2026, 8, 1), OCTOBER)]
    await rig.balanced()


async def test_of_a_sale_that_has_begun_the_days_that_were_used_stay(
    garage: Garage, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await factories_refunds.rig(garage.play, monkeypatch)
    card_id, product = await held(garage, ends_on=date(2026, 8, 20)), await factories_cards.product(garage.lot)
    order_id = await factories_cards.order_renewal(garage.play, card_id, product, known=False)
    await rig.channel.tell_paid(order_id)
    await garage.later(days=10)
    await rig.refunded(order_id)
    assert (await factories_cards.card(garage.lot))["ends_on"] == date(2026, 9, 11)
    assert (await factories_cards.periods(garage.lot, card_id))[-1] == (TODAY, date(2026, 9, 11))
    await rig.balanced()


async def test_a_card_given_back_on_its_first_day_is_cancelled_and_covers_nothing(
    garage: Garage, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await factories_refunds.rig(garage.play, monkeypatch)
    product = await factories_cards.product(garage.lot)
    mine = await factories_cards.vehicle(garage.lot, garage.play.house_id)
    order_id = await factories_cards.order_card(garage.play, garage.lot, product, [mine], known=False)
    await rig.channel.tell_paid(order_id)
    assert (await garage.lot.arrives()).lines == ("欢迎回家",)
    await rig.refunded(order_id)
    assert (await factories_cards.card(garage.lot))["state"] == "CANCELLED"
    await garage.later(minutes=50)
    assert (await garage.lot.leaves()).lines[0] == "请缴费5.00元"
    await rig.balanced()


async def test_a_part_given_back_takes_no_days(garage: Garage, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = await factories_refunds.rig(garage.play, monkeypatch)
    card_id, product = await held(garage), await factories_cards.product(garage.lot)
    order_id = await factories_cards.order_renewal(garage.play, card_id, product, known=False)
    await rig.channel.tell_paid(order_id)
    (line,) = await rig.lines(order_id)
    await rig.refunded(order_id, Part(line["id"], 10_000, 0))
    assert (await factories_cards.card(garage.lot))["ends_on"] == NOVEMBER
    assert await garage.income_fen() == MONTH_FEN - 10_000
    await rig.refunded(order_id)
    await garage.later(minutes=2)  # the channel takes one refund of a payment a minute
    await rig.work()
    assert (await factories_cards.card(garage.lot))["ends_on"] == OCTOBER, "the rest: all of it has gone back"
    await rig.balanced()


async def test_an_earlier_sale_given_back_leaves_the_later_one_its_days(
    garage: Garage, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await factories_refunds.rig(garage.play, monkeypatch)
    card_id, product = await held(garage), await factories_cards.product(garage.lot)
    ordered = []
    for _ in range(2):
        ordered.append(await factories_cards.order_renewal(garage.play, card_id, product, known=False))
        await rig.channel.tell_paid(ordered[-1])
    assert (await factories_cards.card(garage.lot))["ends_on"] == date(2026, 12, 1)
    await rig.refunded(ordered[0])
    assert (await factories_cards.card(garage.lot))["ends_on"] == date(2026, 10, 31), "thirty days of November are left"
    await rig.balanced()


async def test_what_is_withdrawn_is_sold_no_more(garage: Garage) -> None:
    card_id, product = await held(garage), await factories_cards.product(garage.lot)
    await garage.play.res.db.execute("UPDATE parking_card_product SET withdrawn_at = created_at")
    with pytest.raises(AppError) as refused:
        await factories_cards.order_renewal(garage.play, card_id, product)
    assert refused.value.code == "product_withdrawn"
