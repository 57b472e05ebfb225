"""Tickets when many act at once, with real commits: one wins, the others are told, limits hold (D9, I-21)."""

import asyncio
from collections import Counter
from dataclasses import replace
from uuid import UUID

import pytest

from backend.kernel.errors import AppError
from backend.kernel.resources import Resources
from backend.tickets.dispatch import alarms, outages
from backend.tickets.dispatch import rota as dispatch_rota
from backend.tickets.moves import Move
from backend.tickets.states import Dispatch
from tests import factories, factories_duty, factories_tickets
from tests.conftest import Run
from tests.factories_tickets import GRABBED, PLUMBING, Desk


@pytest.fixture
def desk(res: Resources, run: Run) -> Desk:
    return run(factories_tickets.desk(res))


def codes(outcomes: list[object]) -> Counter[str]:
    """How often each code was answered; `done` for what went through."""
    assert not [one for one in outcomes if isinstance(one, BaseException) and not isinstance(one, AppError)], outcomes
    return Counter(one.code if isinstance(one, AppError) else "done" for one in outcomes)


async def test_i21_of_fifty_who_grab_a_ticket_at_once_one_has_it_and_the_others_are_told(desk: Desk) -> None:
    workers = [await factories.staff(desk.res, desk.place, "engineer") for _ in range(50)]
    category = await factories_tickets.category(desk.res, desk.place, GRABBED)
    ticket = await desk.submit(category, place="3栋2单元电梯口")
    await desk.move(desk.desk(), ticket, Move.TRIAGE)
    outcomes = await asyncio.gather(
        *(desk.move(desk.worker(each), ticket, Move.GRAB) for each in workers), return_exceptions=True
    )
    assert codes(outcomes) == {"done": 1, "ticket_moved": 49}
    assert "不能再进行“抢单”" in next(one.message for one in outcomes if isinstance(one, AppError))
    assert await desk.res.db.fetchval("SELECT count(*) FROM ticket_assignment WHERE ended_at IS NULL") == 1
    assert await desk.res.db.fetchval("SELECT count(*) FROM ticket_event WHERE move = 'grab'") == 1
    await desk.sound()


async def test_d9_a_worker_never_has_more_in_hand_than_the_company_allows(desk: Desk) -> None:
    await desk.allow(worker_open=3, resident_daily=100)
    tickets = [await desk.submit() for _ in range(8)]
    for ticket in tickets:
        await desk.move(desk.desk(), ticket, Move.TRIAGE)
    outcomes = await asyncio.gather(
        *(desk.move(desk.desk(), each, Move.ASSIGN, staff_id=desk.engineer.id) for each in tickets),
        return_exceptions=True,
    )
    assert codes(outcomes) == {"done": 3, "worker_full": 5}
    await desk.sound()


async def test_d9_a_resident_never_has_more_tickets_on_a_day_than_the_company_allows(desk: Desk) -> None:
    await desk.allow(resident_daily=3)
    outcomes = await asyncio.gather(*(desk.submit() for _ in range(10)), return_exceptions=True)
    assert codes(outcomes) == {"done": 3, "too_many_tickets": 7}
    await desk.sound()


async def test_d9_turns_of_the_rota_are_drawn_one_after_the_other(desk: Desk) -> None:
    """Twelve tickets dispatched at once among three on duty: four each; two that watch raise each alarm once."""
    await desk.allow(resident_daily=100, worker_open=100)
    on_duty = [await factories.staff(desk.res, desk.place, "engineer") for _ in range(3)]
    await factories_duty.on_duty(desk, *on_duty)
    rota = replace(PLUMBING, name="弱电维修", dispatch=Dispatch.ROTA)
    category = await factories_tickets.category(desk.res, desk.place, rota)
    tickets = [await desk.submit(category) for _ in range(12)]
    for ticket in tickets:
        await desk.move(desk.desk(), ticket, Move.TRIAGE)

    async def dispatch(ticket: UUID) -> object:
        return await desk.res.db.transact(
            lambda tx: dispatch_rota.dispatch(tx, ticket_id=ticket, community_id=desk.place.id)
        )

    await asyncio.gather(*(dispatch(ticket) for ticket in tickets + tickets))
    rows = await desk.res.db.fetch("SELECT staff_id, count(*) AS n FROM ticket_assignment GROUP BY staff_id")
    assert {row["staff_id"]: row["n"] for row in rows} == {who.id: 4 for who in on_duty}
    await desk.later(minutes=31)
    await asyncio.gather(*(alarms.watch(desk.res, "") for _ in range(4)))
    raised = await desk.res.db.fetchval("SELECT count(*) FROM ticket_alarm WHERE level = 'desk'")
    assert raised == 12 == await desk.res.db.fetchval("SELECT count(*) FROM outbox WHERE event = 'tickets.alarm'")
    await desk.sound()


async def test_d9_of_an_outages_end_and_a_binding_at_once_no_ticket_is_left_behind(desk: Desk) -> None:
    await desk.allow(resident_daily=100)
    for _ in range(5):
        outage, ticket = await factories_duty.outage(desk), await desk.submit()

        async def bind(outage: UUID = outage, ticket: UUID = ticket) -> object:
            return await desk.res.db.transact(
                lambda tx: outages.bind(tx, desk.desk(), outage_id=outage, ticket_ids=[ticket])
            )

        async def end(outage: UUID = outage) -> object:
            return await desk.res.db.transact(lambda tx: outages.end(tx, desk.desk(), outage_id=outage, words="已恢复"))

        told = codes(await asyncio.gather(bind(), end(), return_exceptions=True))
        assert told["done"] + told["outage_ended"] == 2, told
        await desk.tell()
        assert await desk.state(ticket) == ("DONE" if told["done"] == 2 else "SUBMITTED")
    await desk.sound()


async def test_i13_of_a_cancellation_and_an_acceptance_at_once_one_is_refused(desk: Desk) -> None:
    await desk.allow(resident_daily=100)
    for _ in range(5):
        ticket = await desk.submit()
        await desk.up_to(ticket, Move.ASSIGN)
        outcomes = await asyncio.gather(
            desk.move(desk.resident(), ticket, Move.CANCEL, reason="自己修好了"),
            desk.move(desk.worker(), ticket, Move.ACCEPT),
            return_exceptions=True,
        )
        told = codes(outcomes)
        assert told["done"] == 1 and told["ticket_moved"] + told["not_yours"] == 1, told
    await desk.sound()


async def test_d9_two_tickets_that_are_merged_into_each_other_at_once_leave_one_alive(desk: Desk) -> None:
    for _ in range(2):
        one, other = await desk.submit(), await desk.submit()
        outcomes = await asyncio.gather(
            desk.move(desk.desk(), one, Move.MERGE, into_id=other),
            desk.move(desk.desk(), other, Move.MERGE, into_id=one),
            return_exceptions=True,
        )
        told = codes(outcomes)
        assert told["done"] == 1 and told["ticket_moved"] + told["merge_target_ended"] == 1, told
    await desk.sound()
