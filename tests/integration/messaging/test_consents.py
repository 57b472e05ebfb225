"""D11: the ledger of consent. The phone and WeChat tell the same answer, and it counts once."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from backend.kernel.clock import FrozenClock
from backend.kernel.resources import Resources
from backend.messaging import consents
from backend.messaging.checks import CHECKS
from backend.messaging.consents import ASK_AGAIN_AFTER, Answer, Source, Standing
from backend.messaging.templates import Channel
from tests import factories
from tests import factories_messaging as make
from tests.conftest import Run
from tests.soundness import broken

SUB = make.BILL_TEMPLATE[Channel.SUBSCRIPTION]


@pytest.fixture
def place(res: Resources, run: Run) -> factories.Community:
    made: factories.Community = run(factories.community(res))
    run(make.plug_in(res, None, made))
    return made


@pytest.fixture
def who(res: Resources, place: factories.Community, run: Run) -> factories.Person:
    made: factories.Person = run(factories.person(res))
    return made


@pytest.fixture(autouse=True)
def _invariants(res: Resources, run: Run) -> Iterator[None]:
    yield
    assert run(broken(res.db, CHECKS)) == []


async def phone(res: Resources, who: factories.Person, answer: Answer = "accept") -> None:
    await res.db.transact(lambda tx: consents.record(tx, person_id=who.id, appid=make.MINI, answers={SUB: answer}))


async def wechat(
    res: Resources, who: factories.Person, answer: str = "accept", *, ago_s: float = 0, as_list: bool = True
) -> None:
    item: Any = {"TemplateId": SUB, "SubscribeStatusString": answer, "PopupScene": "0"}
    fields = {"SubscribeMsgPopupEvent": {"List": [item] if as_list else item}}
    await make.push(res, "subscribe_msg_popup_event", fields, appid=make.MINI, openid=who.openid, ago_s=ago_s)
    await make.work_due(res)


async def revoked(res: Resources, who: factories.Person, *, ago_s: float = 0) -> None:
    fields = {"SubscribeMsgChangeEvent": {"List": {"TemplateId": SUB, "SubscribeStatusString": "reject"}}}
    await make.push(res, "subscribe_msg_change_event", fields, appid=make.MINI, openid=who.openid, ago_s=ago_s)
    await make.work_due(res)


async def credits(res: Resources) -> int | None:
    found: int | None = await res.db.fetchval("SELECT credits FROM message_consent")
    return found


async def standing(res: Resources, who: factories.Person) -> Standing:
    return (await consents.of_person(res.db, person_id=who.id, appid=make.MINI))[0].standing


@pytest.mark.parametrize("phone_first", [True, False])
async def test_an_answer_told_by_both_counts_once_whoever_is_first(
    res: Resources, clock: FrozenClock, who: factories.Person, phone_first: bool
) -> None:
    for told in (phone, wechat) if phone_first else (wechat, phone):
        await told(res, who)
        clock.advance(timedelta(seconds=5))
    assert await credits(res) == 1
    assert await res.db.fetchval("SELECT count(*) FROM message_consent_event") == 2


async def test_two_answers_told_by_both_count_twice(res: Resources, clock: FrozenClock, who: factories.Person) -> None:
    for told in (phone, phone, wechat, wechat):
        await told(res, who)
        clock.advance(timedelta(seconds=5))
    assert await credits(res) == 2
    assert await res.db.fetchval("SELECT count(*) FROM message_consent_event") == 4


async def test_told_by_both_at_the_same_moment_it_counts_once(res: Resources, who: factories.Person) -> None:
    async def tell(source: Source) -> None:
        await res.db.transact(
            lambda tx: consents.record(tx, person_id=who.id, appid=make.MINI, answers={SUB: "accept"}, source=source)
        )

    for round_ in range(1, 6):
        await asyncio.gather(tell(Source.PHONE), tell(Source.WECHAT))
        assert await credits(res) == round_


@pytest.mark.parametrize("as_list", [True, False])
async def test_what_wechat_alone_tells_counts_in_either_form(
    res: Resources, who: factories.Person, as_list: bool
) -> None:
    await wechat(res, who, as_list=as_list)
    assert await credits(res) == 1


async def test_answers_far_apart_are_two(res: Resources, clock: FrozenClock, who: factories.Person) -> None:
    await wechat(res, who, ago_s=601)
    await phone(res, who)
    assert await credits(res) == 2


async def test_a_push_that_was_held_up_is_still_the_same_answer(
    res: Resources, clock: FrozenClock, who: factories.Person
) -> None:
    await phone(res, who)
    clock.advance(timedelta(hours=3))
    await wechat(res, who, ago_s=3 * 3600)
    assert await credits(res) == 1


async def test_an_older_answer_does_not_stand_before_a_newer_one(
    res: Resources, clock: FrozenClock, who: factories.Person
) -> None:
    await phone(res, who, "reject")
    await wechat(res, who, ago_s=60)
    assert await res.db.fetchval("SELECT last_answer FROM message_consent") == "reject"
    assert await credits(res) == 1


async def test_consent_taken_back_in_wechats_settings_takes_all_credits(
    res: Resources, clock: FrozenClock, who: factories.Person
) -> None:
    await phone(res, who)
    clock.advance(timedelta(hours=1))
    await revoked(res, who)
    assert await credits(res) == 0
    assert await standing(res, who) is Standing.REFUSED
    clock.advance(timedelta(hours=1))
    await phone(res, who)
    await revoked(res, who, ago_s=1800)
    assert await credits(res) == 1


async def test_a_stranger_and_a_template_of_nobody_are_left_alone(res: Resources, who: factories.Person) -> None:
    item = {"TemplateId": "other", "SubscribeStatusString": "accept"}
    fields = {"SubscribeMsgPopupEvent": {"List": [item, {"TemplateId": SUB}]}}
    for openid in (who.openid, "o-nobody"):
        await make.push(res, "subscribe_msg_popup_event", fields, appid=make.MINI, openid=openid)
    await make.push(
        res, "subscribe_msg_change_event", {"List": {"TemplateId": SUB, "SubscribeStatusString": "reject"}},
        appid=make.MINI, openid="o-nobody",
    )  # fmt: skip
    await make.work_due(res)
    assert await credits(res) is None
    assert await res.db.fetchval("SELECT count(*) FROM outbox WHERE state <> 'DONE'") == 0


async def test_the_ledger_says_how_somebody_stands_and_when_asking_is_worthwhile(
    res: Resources, clock: FrozenClock, who: factories.Person
) -> None:
    async def look() -> tuple[Standing, bool]:
        held = await consents.of_person(res.db, person_id=who.id, appid=make.MINI)
        return held[0].standing, bool(consents.worth_asking(held, clock.now()))

    key = (who.id, SUB)
    assert await look() == (Standing.NEVER_ASKED, True)
    await phone(res, who, "reject")
    assert await look() == (Standing.REFUSED, False)
    clock.advance(ASK_AGAIN_AFTER)
    assert await look() == (Standing.REFUSED, True)
    for _ in range(3):
        await phone(res, who)
    assert await look() == (Standing.GRANTED, False)
    await res.db.transact(lambda tx: consents.use(tx, [key]))
    assert await look() == (Standing.GRANTED, True)
    await res.db.transact(lambda tx: consents.use(tx, [key, key]))
    assert await look() == (Standing.USED, True)
    await res.db.transact(lambda tx: consents.exhaust(tx, [key]))
    assert await look() == (Standing.EXPIRED, True)
    await phone(res, who)
    assert await look() == (Standing.GRANTED, True)
