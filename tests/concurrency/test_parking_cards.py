"""Cards when many pay at once, with real commits: no month is lost or given twice (D6, D8)."""

import asyncio
from datetime import date

import pytest

from backend.kernel.resources import Resources
from backend.parking.cards.states import Audience
from payments import closing
from payments.settlement import Outcome
from tests import factories_cards, factories_counter, factories_parking
from tests.conftest import Client, Run, Sandbox
from tests.factories_cards import MONTH_FEN
from tests.factories_parking import Lot
from tests.factories_payments import Stage, sound, stage
from tests.factories_prepaid import success


@pytest.fixture
def play(sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client, run: Run) -> Stage:
    return run(stage(sandbox_res, sandbox))


@pytest.fixture
def lot(play: Stage, run: Run) -> Lot:
    return run(factories_parking.lot(play.res, play.place))


async def test_two_renewals_that_are_paid_at_the_same_moment_prolong_a_card_once(play: Stage, lot: Lot) -> None:
    """The owner gives up and his money comes late, at the moment in which the family's comes."""
    products = [await factories_cards.product(lot, months=n, price_fen=n * MONTH_FEN) for n in (1, 3)]
    for number in range(12):
        card_id = await factories_parking.card(
            lot, (f"粤B2000{number:X}",), starts_on=date(2026, 8, 1), ends_on=date(2026, 10, 1), house_id=play.house_id
        )
        given_up = await factories_cards.order_renewal(play, card_id, products[0], known=False)
        await closing.close(play.res, given_up, reason="cancelled")
        wanted = await factories_cards.order_renewal(play, card_id, products[1], play.family, known=False)
        outcomes = await asyncio.gather(success(play, given_up), success(play, wanted))
        assert sorted(outcomes) == [Outcome.APPLIED, Outcome.DIFFERENCE]
        ends_on = (await factories_cards.card(lot, card_id))["ends_on"]
        assert ends_on == (date(2026, 11, 1) if outcomes[0] is Outcome.APPLIED else date(2027, 1, 1))
        assert await factories_cards.periods(lot, card_id) == [(date(2026, 8, 1), ends_on)]
    await sound(play.res)


async def test_ten_of_a_house_who_renew_one_card_at_once_make_one_order(play: Stage, lot: Lot) -> None:
    product = await factories_cards.product(lot)
    card_id = await factories_parking.card(lot, ends_on=date(2026, 10, 1), house_id=play.house_id)
    people = [play.owner, play.family] * 5
    placed = await asyncio.gather(
        *(factories_cards.order_renewal(play, card_id, product, who, known=False) for who in people),
        return_exceptions=True,
    )
    assert len({each for each in placed if not isinstance(each, BaseException)}) == 1
    assert await play.count("payment_order") == 1
    assert await play.count("parking_card_sale") == 1
    await sound(play.res)


async def test_at_the_counter_and_online_at_once_a_card_is_paid_once(play: Stage, lot: Lot) -> None:
    product = await factories_cards.product(lot)
    counter = await factories_counter.counter(play)
    for number in range(4):
        card_id = await factories_parking.card(
            lot, (f"粤B3000{number}",), starts_on=date(2026, 8, 1), ends_on=date(2026, 10, 1), house_id=play.house_id
        )
        order_id = await factories_cards.order_renewal(play, card_id, product)
        await asyncio.gather(
            factories_cards.pays(play, order_id),
            factories_cards.take_cash(counter, card_id, amount_fen=MONTH_FEN),
            return_exceptions=True,
        )
        assert (await factories_cards.card(lot, card_id))["ends_on"] == date(2026, 11, 1)
    await sound(play.res)


async def test_two_cards_for_the_last_space_of_a_house_at_once_make_one(play: Stage, lot: Lot) -> None:
    product = await factories_cards.product(lot, audience=Audience.OWNED)
    await factories_cards.space(lot, play.house_id, "A1")
    for number in range(8):
        cars = [await factories_cards.vehicle(lot, play.house_id, f"粤B4{number}00{n}") for n in range(2)]
        asked = [await factories_cards.order_card(play, lot, product, [car], known=False) for car in cars]
        outcomes = await asyncio.gather(*(success(play, order_id) for order_id in asked))
        assert sorted(outcomes) == [Outcome.APPLIED, Outcome.DIFFERENCE]
        (card,) = await play.res.db.fetch("SELECT id FROM parking_card WHERE state = 'ACTIVE'")
        await factories_parking.cancel(lot, card["id"])
    await sound(play.res)
