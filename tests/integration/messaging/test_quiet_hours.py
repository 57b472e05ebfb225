"""D11, R3: what can wait waits for the end of the quiet hours; the inbox has it at once."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

import pytest

from backend.kernel.audit import SYSTEM
from backend.kernel.clock import FrozenClock
from backend.kernel.errors import NotFound
from backend.kernel.resources import Resources
from backend.messaging import intents, quiet_hours
from backend.messaging.checks import CHECKS
from backend.messaging.intents import Recipient
from backend.messaging.meanings import BILL_ISSUED, PAYMENT_RECEIVED, Meaning
from backend.messaging.quiet_hours import Hours
from tests import factories
from tests import factories_messaging as make
from tests.conftest import Run
from tests.soundness import broken

LATE = datetime(2026, 9, 1, 14, 0, tzinfo=UTC)
MORNING = datetime(2026, 9, 2, 0, 0, tzinfo=UTC)


@pytest.fixture
def place(res: Resources, run: Run) -> factories.Community:
    made: factories.Community = run(factories.community(res))
    return made


@pytest.fixture(autouse=True)
def _invariants(res: Resources, run: Run) -> Iterator[None]:
    yield
    assert run(broken(res.db, CHECKS)) == []


async def tell(
    res: Resources, place: factories.Community, meaning: Meaning = BILL_ISSUED, *, urgent: bool = False
) -> None:
    """One message to a person who has no WeChat: it ends in the inbox alone, as soon as it is its turn."""
    person = await factories.person(res, phone=f"138{int(res.clock.now().timestamp()) % 10**8:08}")
    values = dict.fromkeys(meaning.values, "1")
    await res.db.transact(
        lambda tx: intents.plan(
            tx, meaning, event_key="e1", community_id=place.id, recipients=[Recipient(person.id, values)], urgent=urgent
        )
    )
    await make.work_due(res)


async def set_hours(res: Resources, place: factories.Community, hours: Hours | None, *, own: bool) -> None:
    await res.db.transact(
        lambda tx: quiet_hours.save(
            tx, SYSTEM, company_id=place.company_id, community_id=place.id if own else None, hours=hours
        )
    )


async def test_a_bill_at_night_waits_until_eight_and_is_in_the_inbox_at_once(
    res: Resources, clock: FrozenClock, place: factories.Community
) -> None:
    clock.instant = LATE
    await tell(res, place)
    assert await make.states(res) == {"PENDING": 1}
    assert await res.db.fetchval("SELECT count(*) FROM inbox_message") == 1
    assert await res.db.fetchval("SELECT run_at FROM outbox WHERE state = 'READY'") == MORNING
    clock.instant = MORNING - timedelta(microseconds=1)
    await make.work_due(res)
    assert await make.states(res) == {"PENDING": 1}
    clock.instant = MORNING
    await make.work_due(res)
    assert await make.states(res) == {"INBOX_ONLY": 1}


@pytest.mark.parametrize(("meaning", "urgent"), [(PAYMENT_RECEIVED, False), (BILL_ISSUED, True)])
async def test_an_answer_and_what_is_urgent_go_at_once(
    res: Resources, clock: FrozenClock, place: factories.Community, meaning: Meaning, urgent: bool
) -> None:
    clock.instant = LATE
    await tell(res, place, meaning, urgent=urgent)
    assert await make.states(res) == {"INBOX_ONLY": 1}


async def test_those_of_a_community_come_before_those_of_the_company(
    res: Resources, clock: FrozenClock, place: factories.Community
) -> None:
    clock.instant = LATE
    await set_hours(res, place, Hours(time(0, 0), time(0, 0)), own=False)
    await set_hours(res, place, Hours(time(22, 0), time(9, 0)), own=True)
    await tell(res, place)
    assert await res.db.fetchval("SELECT run_at FROM outbox WHERE state = 'READY'") == MORNING + timedelta(hours=1)
    await set_hours(res, place, None, own=True)
    await res.db.execute("UPDATE outbox SET run_at = $1 WHERE state = 'READY'", LATE)
    await make.work_due(res)
    assert await make.states(res) == {"INBOX_ONLY": 1}
    assert await res.db.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'message_quiet_hours.saved'") == 3


async def test_a_community_of_another_company_is_not_ours_to_set(res: Resources, place: factories.Community) -> None:
    other = await factories.community(res, "LL02")
    with pytest.raises(NotFound):
        await res.db.transact(
            lambda tx: quiet_hours.save(
                tx, SYSTEM, company_id=place.company_id, community_id=other.id, hours=quiet_hours.USUAL
            )
        )


async def test_what_is_under_way_when_they_begin_is_not_held_up(
    res: Resources, clock: FrozenClock, place: factories.Community
) -> None:
    """Its key is recognised for ten minutes: in the morning nobody could repeat it."""
    clock.instant = LATE
    await tell(res, place)
    await res.db.execute(
        """UPDATE message_intent SET state = 'SENDING', first_sent_at = $1, channel = 'template', appid = 'wx',
                  openid = 'o', template_id = 't'""",
        LATE,
    )
    await res.db.execute("UPDATE outbox SET run_at = $1 WHERE state = 'READY'", LATE)
    await make.work_due(res)
    assert await make.states(res) == {"UNKNOWN": 1}
