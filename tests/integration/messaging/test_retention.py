"""Design section 4: logs of messages have a period and a job; what is open is never forgotten."""

from datetime import timedelta

from backend.kernel.clock import FrozenClock
from backend.kernel.resources import Resources
from backend.messaging import retention
from tests import factories
from tests import factories_messaging as make


async def test_ended_intents_go_after_half_a_year_and_letters_after_two(res: Resources, clock: FrozenClock) -> None:
    place = await factories.community(res)
    ended, waiting = await factories.person(res), await factories.person(res, "13800000002")
    await make.plan_bills(res, place, [ended.id])
    await make.work_due(res)
    await make.plan_bills(res, place, [waiting.id], event_key="e2")
    clock.advance(timedelta(days=181))
    await retention.forget(res, "")
    assert await make.states(res) == {"PENDING": 1}
    assert await res.db.fetchval("SELECT count(*) FROM inbox_message") == 2
    clock.advance(timedelta(days=550))
    await retention.forget(res, "")
    assert await res.db.fetchval("SELECT count(*) FROM inbox_message") == 0
