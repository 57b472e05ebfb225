"""Complaints when many act at once, with real commits: one dispute of a bill, one day's limit for all (D3, D9)."""

import asyncio

import pytest

from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from backend.tickets.complaints import disputing
from backend.tickets.complaints.policy import Policy
from backend.tickets.submitting import Submitted
from tests import factories_fees, factories_tickets
from tests.concurrency.test_tickets import codes
from tests.conftest import Run
from tests.factories_tickets import COMPLAINTS, Desk


@pytest.fixture
def desk(res: Resources, run: Run) -> Desk:
    return run(factories_tickets.desk(res))


async def test_d3_a_bill_is_disputed_once_and_hidden_reporters_have_the_same_limit(desk: Desk) -> None:
    """Of ten who dispute a bill at once one does; of ten anonymous complaints on the same day two go through."""
    category = await factories_tickets.category(desk.res, desk.place, COMPLAINTS)
    await factories_tickets.policy(desk.res, desk.place, Policy(dispute_category_id=category))
    await factories_fees.published(desk.res, await factories_fees.item(desk.res, desk.place))
    bill = await factories_fees.bill_of(desk.res.db, desk.house_id)
    sight = desk.resident().sight
    assert sight is not None

    async def dispute(tx: Tx) -> Submitted:
        actor = Actor("resident", desk.owner.id)
        return await disputing.dispute(tx, actor, scope=sight.scope, bill_id=bill, why="面积不对")

    await desk.allow(resident_daily=3)
    outcomes = await asyncio.gather(*(desk.res.db.transact(dispute) for _ in range(10)), return_exceptions=True)
    assert codes(outcomes) == {"done": 1, "bill_disputed": 9}
    hidden = [
        factories_tickets.complaint(
            desk.res, desk.place, category, house_id=desk.house_id, person_id=desk.owner.id
        )
        for _ in range(10)
    ]  # fmt: skip
    assert codes(await asyncio.gather(*hidden, return_exceptions=True)) == {"done": 2, "too_many_tickets": 8}
    assert await desk.res.db.fetchval("SELECT count(*) FROM bill_dispute") == 1
    await desk.sound()
