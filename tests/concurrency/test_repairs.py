"""Paid repairs when many act at once, with real commits: one agreement, one payment, stock never below zero (D9)."""

import asyncio

import pytest

from backend.kernel.resources import Resources
from backend.tickets.moves import Move
from tests import factories, factories_repairs, factories_tickets
from tests.concurrency.test_tickets import codes
from tests.conftest import Run
from tests.factories_repairs import Workshop


@pytest.fixture
def shop(res: Resources, run: Run) -> Workshop:
    async def make() -> Workshop:
        desk = await factories_tickets.desk(res)
        await desk.allow(resident_daily=100, worker_open=100)
        return await factories_repairs.workshop(desk)

    return run(make())


async def test_d9_of_two_who_agree_to_a_quote_at_once_one_does_and_a_change_meanwhile_is_told(shop: Workshop) -> None:
    desk = shop.desk
    family = await factories.person(shop.res, "13800000009")
    await factories.occupy(shop.res, family, desk.house_id, "family")
    ticket = await shop.on_site()
    await desk.move(desk.worker(), ticket, Move.QUOTE, lines=shop.lines())
    outcomes = await asyncio.gather(
        *(desk.move(desk.resident(who), ticket, Move.AGREE, version=1) for who in (desk.owner, family) * 5),
        return_exceptions=True,
    )
    assert codes(outcomes) == {"done": 1, "ticket_moved": 9}
    assert await shop.res.db.fetchval("SELECT count(*) FROM ticket_event WHERE move = 'agree'") == 1
    # The engineer changes the quote while the resident agrees to what he saw: never agreed to what nobody saw.
    for _ in range(5):
        await desk.move(desk.worker(), ticket, Move.QUOTE, lines=shop.lines(3))
        seen = (await shop.quote(ticket))["version"]
        told = codes(
            await asyncio.gather(
                desk.move(desk.resident(), ticket, Move.AGREE, version=seen),
                desk.move(desk.worker(), ticket, Move.QUOTE, lines=shop.lines(1)),
                return_exceptions=True,
            )
        )
        last = await shop.quote(ticket)
        assert (last["version"], last["state"]) == (seen + 1, "OPEN"), told
        assert told in ({"done": 2}, {"done": 1, "quote_changed": 1})
    await desk.sound()


async def test_d9_stock_is_never_negative_whoever_takes_at_once(shop: Workshop) -> None:
    """Twenty take parts of one place at once, by transfers both ways and finished work; each part goes once."""
    desk = shop.desk
    await shop.receive(10)
    await shop.receive(5, shop.bag)
    tickets = [await shop.agreed(valves=2) for _ in range(4)]
    takers = [shop.transfer(3) for _ in range(8)]
    takers += [shop.transfer(2, shop.bag, shop.store) for _ in range(8)]
    outcomes = await asyncio.gather(
        *takers, *(desk.move(desk.worker(), each, Move.FINISH) for each in tickets), return_exceptions=True
    )
    told = codes(outcomes)
    assert told["done"] + told["stock_short"] == 20, told
    used = int(await shop.res.db.fetchval("SELECT -sum(change) FROM ticket_stock_movement WHERE kind = 'used'") or 0)
    assert await shop.lying() + await shop.lying(shop.store) + used == 15
    # All that is left, taken twenty times over.
    left = await shop.lying(shop.store)
    told = codes(await asyncio.gather(*(shop.transfer(1) for _ in range(left + 20)), return_exceptions=True))
    assert (told["done"], told["stock_short"]) == (left, 20), told
    await desk.sound()


async def test_d9_what_comes_back_at_once_is_no_more_than_was_used(shop: Workshop) -> None:
    await shop.receive(3, shop.bag)
    ticket = await shop.agreed(valves=3)
    await shop.desk.move(shop.desk.worker(), ticket, Move.FINISH)
    told = codes(await asyncio.gather(*(shop.put_back(ticket, 1) for _ in range(10)), return_exceptions=True))
    assert told == {"done": 3, "not_used": 7}
    await shop.desk.sound()
