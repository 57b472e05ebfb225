"""Dispatch, clocks, outages and duplicates around the machine, on real rows and through the jobs (D9)."""

from datetime import timedelta
from uuid import UUID

import pytest

from backend.kernel.errors import AppError
from backend.tickets import reads
from backend.tickets.categories import Settings
from backend.tickets.dispatch import alarms, handlers, outages, similar
from backend.tickets.moves import Move
from backend.tickets.states import Dispatch, Kind, State
from backend.tickets.working_time import Measure
from tests import factories, factories_duty, factories_tickets
from tests.factories_tickets import GRABBED, Desk

ROTA = Settings("弱电维修", Kind.REPAIR_HOME, Dispatch.ROTA, Measure.MINUTES, 60, None, 600)
HAND = "SELECT staff_id FROM ticket_assignment WHERE ticket_id = $1 AND ended_at IS NULL"


async def refusal(code: str, made: object) -> None:
    with pytest.raises(AppError) as caught:
        await made  # type: ignore[misc]
    assert caught.value.code == code, caught.value


async def hand(desk: Desk, ticket: UUID) -> UUID | None:
    found: UUID | None = await desk.res.db.fetchval(HAND, ticket)
    return found


async def test_d9_the_rota_goes_round_among_those_on_duty_who_fit(desk: Desk) -> None:
    """In turn, not to who is off or does something else, not again to who gave it back; else the desk is told."""
    res, category = desk.res, await factories_tickets.category(desk.res, desk.place, ROTA)
    other, absent = [await factories.staff(res, desk.place, "engineer") for _ in range(2)]
    engineer, colleague = desk.engineer, desk.colleague
    await factories_duty.on_duty(desk, engineer, colleague, other)
    await factories_duty.fields(desk, other, skills=[desk.category_id])
    await factories_duty.fields(desk, colleague, skills=[category], buildings=[desk.place.building_id])
    await factories_duty.handle(desk, at_once=True)

    tickets = [await desk.submit(category) for _ in range(4)]
    await desk.tell()
    hands = [await hand(desk, ticket) for ticket in tickets]
    assert hands[:2] in ([engineer.id, colleague.id], [colleague.id, engineer.id])
    assert hands[2:] == hands[:2], "each in turn"
    told = [event["move"] for event in await reads.events(res.db, tickets[0])]
    assert told == ["submit", "triage", "assign"]

    # Given back: the other one has it, whoever's turn it is; given back by both, the desk is told, once.
    first = desk.worker(engineer if hands[0] == engineer.id else colleague)
    second = desk.worker(colleague if hands[0] == engineer.id else engineer)
    await desk.move(first, tickets[0], Move.RETURN, reason="不会修")
    await desk.tell()
    assert await hand(desk, tickets[0]) == second.actor.id
    await desk.move(second, tickets[0], Move.RETURN, reason="不会修")
    messages = await desk.tell()
    asked = "弱电维修工单（编号1，1栋1单元101）待派单：当前没有合适的值班人员，请人工派单。"
    assert [who for who, body in messages if body == asked] == [desk.service.id]
    await handlers.look_again(res, "")
    assert (await desk.state(tickets[0]), len(await desk.tell())) == (State.RETURNED, len(messages))

    # Leave and stand-in count before the plan, the last word before the others; at night nobody is there.
    for who in (engineer, colleague):
        await factories_duty.exception(desk, who, on_duty=False, hours=5)
    await factories_duty.exception(desk, absent, on_duty=True, hours=5)
    stood_in = await desk.submit(category)
    await desk.tell()
    assert await hand(desk, stood_in) == absent.id
    await desk.later(minutes=1)
    await factories_duty.exception(desk, absent, on_duty=False, hours=48)
    waits = await desk.submit(category)
    await desk.tell()
    assert await desk.state(waits) == State.SUBMITTED
    await desk.later(hours=13)
    await handlers.look_again(res, "")
    assert await hand(desk, waits) is None, "at night"
    await desk.later(hours=12)
    await handlers.look_again(res, "")
    assert await hand(desk, waits) in (engineer.id, colleague.id)
    await desk.sound()


async def test_d9_a_shift_that_ends_on_the_next_day_and_workers_who_are_full(desk: Desk) -> None:
    category = await factories_tickets.category(desk.res, desk.place, ROTA)
    await desk.allow(worker_open=1)
    await factories_duty.on_duty(desk, desk.engineer, opens_m=20 * 60, closes_m=32 * 60)
    held, first, second = [await desk.submit(category) for _ in range(3)]
    for ticket in (first, second):
        await desk.move(desk.desk(), ticket, Move.TRIAGE)
    await desk.tell()
    assert await hand(desk, first) is None, "10:00"
    await desk.later(hours=21)
    await handlers.look_again(desk.res, "")
    assert {await hand(desk, first), await hand(desk, second)} == {desk.engineer.id, None}, "one at a time"
    assert await desk.state(held) == State.SUBMITTED, "the category waits for triage"
    await desk.sound()


async def test_d9_a_worker_is_offered_and_grabs_what_he_does_where_he_does_it(desk: Desk) -> None:
    category = await factories_tickets.category(desk.res, desk.place, GRABBED)
    ticket = await desk.submit(category, place="电梯口", building_id=desk.place.building_id)
    await desk.move(desk.desk(), ticket, Move.TRIAGE)
    other = await factories.building(desk.res, desk.place, "2")
    for skills, buildings, fits in (
        ([], [], True), ([desk.category_id], [], False), ([category], [other], False), ([], [other], False),
        ([category], [desk.place.building_id, other], True),
    ):  # fmt: skip
        await factories_duty.fields(desk, desk.engineer, skills, buildings)
        shown = await reads.to_grab(desk.res.db, desk.engineer.id, communities=[desk.place.id])
        assert [row["id"] for row in shown] == ([ticket] if fits else []), (skills, buildings)
        if not fits:
            await refusal("does_not_fit", desk.move(desk.worker(), ticket, Move.GRAB))
    await desk.move(desk.worker(), ticket, Move.GRAB)
    foreign = await factories.community(desk.res, "LL02", company_id=desk.place.company_id)
    await refusal("not_found", factories_duty.fields(desk, desk.engineer, [], [foreign.building_id]))
    await refusal("not_found", desk.submit(category, place="电梯口", building_id=foreign.building_id))
    await desk.sound()


async def test_d9_the_end_of_a_promise_is_told_to_each_level_once_and_urging_has_limits(desk: Desk) -> None:
    """60 minutes to respond: warned 15 before, the desk at its end, the manager 30 later; a paused clock is silent."""
    res = desk.res
    manager = await factories.staff(res, desk.place, "manager")
    category = await factories_tickets.category(res, desk.place, ROTA)
    await factories_duty.handle(desk, urge_times=1)
    await factories_duty.handle(desk, category, escalate_after_m=30, urge_times=2, urge_hours=1)
    ticket, quick = await desk.submit(category), await desk.submit(category)
    for each in (ticket, quick):
        await desk.up_to(each, Move.ASSIGN)
    await desk.move(desk.worker(), quick, Move.ACCEPT)

    async def look(**later: int) -> list[tuple[UUID, str]]:
        """What was told about promises in the meantime."""
        before = len(await desk.tell())
        await desk.later(**later)
        for _ in range(2):
            await alarms.watch(res, "")
        return [(who, body) for who, body in (await desk.tell())[before:] if "时" in body]

    subject = "弱电维修工单（编号1，1栋1单元101）"
    assert await look(minutes=44) == []
    assert await look(minutes=1) == [(desk.engineer.id, f"{subject}即将超时：应在09月01日 11:00前响应。")]
    assert await look(minutes=14) == []
    assert await look(minutes=1) == [(desk.service.id, f"{subject}已超时：应在09月01日 11:00前响应。")]
    assert await look(minutes=29) == []
    assert await look(minutes=1) == [(manager.id, f"{subject}超时升级：应在09月01日 11:00前响应。")]
    assert await look(minutes=60) == []
    # What is kept between the alarm and its message is not told.
    kept = await desk.submit(category)
    await desk.up_to(kept, Move.ASSIGN)
    await desk.later(minutes=50)
    await alarms.watch(res, "")
    await desk.move(desk.worker(), kept, Move.ACCEPT)
    assert [body for _, body in await desk.tell() if "编号3" in body and "即将超时" in body] == []
    shown = {row["kind"]: row["alarm"] for row in (await factories_tickets.shown_clocks(res, ticket))}
    assert shown == {"respond": "manager", "finish": None}

    # Urged by the resident: worker and desk are told, twice in a round, an hour apart.
    urge = Move.URGE
    await desk.move(desk.resident(), ticket, urge, reason="孩子在家没有网")
    await refusal("urged_lately", desk.move(desk.resident(), ticket, urge))
    told = [who for who, body in await desk.tell() if body == f"{subject}催单：孩子在家没有网。"]
    assert set(told) == {desk.engineer.id, desk.service.id}
    await desk.later(hours=1)
    await desk.move(desk.resident(), ticket, urge)
    await desk.later(hours=1)
    await refusal("urged_enough", desk.move(desk.resident(), ticket, urge))
    row = await desk.row(ticket)
    assert (row["state"], row["urged_times"], row["urged_at"]) == ("ASSIGNED", 2, res.clock.now() - timedelta(hours=1))
    await desk.move(desk.worker(), ticket, Move.ACCEPT)
    await desk.move(desk.worker(), ticket, Move.PAUSE, until=res.clock.now() + timedelta(days=2), reason="等待配件")
    assert [body for who, body in await look(days=1) if "编号1" in body] == [], "its clock stands still"
    await refusal("ticket_moved", desk.move(desk.resident(), ticket, urge))
    await desk.sound()


async def test_d9_an_outage_speaks_for_its_tickets_and_ends_them(desk: Desk) -> None:
    res, desk_who = desk.res, desk.desk()
    category = await factories_tickets.category(res, desk.place, ROTA)
    await factories_duty.on_duty(desk, desk.engineer)
    outage = await factories_duty.outage(desk, category_id=category, building_id=desk.place.building_id)
    elsewhere = await factories_duty.outage(desk, building_id=await factories.building(res, desk.place, "2"))
    neighbour = await factories.person(res, "13800000009")
    mine, again, theirs, alone = [await desk.submit(category) for _ in range(4)]
    await res.db.execute("UPDATE ticket SET person_id = $2 WHERE id = $1", theirs, neighbour.id)
    assert [row["id"] for row in await outages.for_ticket(res.db, mine)] == [outage]
    assert [row["id"] for row in await outages.for_house(res.db, desk.house_id)] == [outage]

    async def bind(*tickets: UUID, to: UUID = outage) -> int:
        return await res.db.transact(lambda tx: outages.bind(tx, desk_who, outage_id=to, ticket_ids=tickets))

    async def say(words: str, *, over: bool = False) -> None:
        said = outages.end if over else outages.tell
        more = {} if over else {"expected_at": None}
        await res.db.transact(lambda tx: said(tx, desk_who, outage_id=outage, words=words, **more))

    await refusal("not_found", bind(mine, factories_tickets.new_id(res)))
    assert await desk.state(mine) == State.SUBMITTED, "all or none"
    assert await bind(mine, again, theirs, alone) == 4
    await handlers.look_again(res, "")
    assert await hand(desk, mine) is None, "the rota leaves it alone"
    await desk.move(desk_who, alone, Move.ASSIGN, staff_id=desk.engineer.id)
    assert (await desk.row(alone))["outage_id"] is None, "worked on by itself"
    await say("水泵已更换，正在试水")
    messages = await desk.tell()
    progress = "您报修的“2栋停水”有新进展：水泵已更换，正在试水"
    assert sorted(who for who, body in messages if body == progress) == sorted([desk.owner.id, neighbour.id])
    await say("已恢复供水", over=True)
    await refusal("outage_ended", bind(await desk.submit(category)))
    await refusal("outage_ended", say("还有一件事"))
    messages = await desk.tell()
    assert [await desk.state(each) for each in (mine, again, theirs, alone)] == ["DONE", "DONE", "DONE", "ASSIGNED"]
    assert len([body for _, body in messages if body.endswith("如仍未恢复请重新打开工单。")]) == 3
    assert all(row["stopped_at"] for row in (await desk.clocks(mine)).values())
    await desk.move(desk.resident(), mine, Move.REOPEN, reason="家里还是没有水")
    assert (await desk.row(mine))["outage_id"] is None
    assert [row["id"] for row in await outages.for_house(res.db, desk.house_id)] == []
    assert elsewhere
    await desk.sound()


async def test_d9_likely_duplicates_are_shown_and_all_that_went_on_as_one_hear_of_it(desk: Desk) -> None:
    res = desk.res
    other = await factories_tickets.category(res, desk.place, ROTA)
    old = await desk.submit()
    await desk.later(days=8)
    next_door = await factories.house(res, desk.place, "102")
    over, same_house, near, far = await desk.submit(), await desk.submit(other), None, None
    near, far = [
        await factories_tickets.bare_ticket(res, desk.place, each, house_id=next_door, person_id=None)
        for each in (desk.category_id, other)
    ]  # fmt: skip
    await desk.move(desk.desk(), over, Move.REJECT, reason="不属于物业服务范围")
    ticket = await desk.submit()
    found = [row["id"] for row in await similar.of_ticket(res.db, await desk.row(ticket))]
    assert set(found) == {same_house, near} and not {old, over, far} & set(found)

    # A is merged into B, then B into C: A's reporter hears of C.
    friend = await factories.person(res, "13800000009")
    await res.db.execute("UPDATE ticket SET person_id = $2 WHERE id = $1", same_house, friend.id)
    await desk.move(desk.desk(), same_house, Move.MERGE, into_id=ticket)
    await desk.move(desk.desk(), ticket, Move.MERGE, into_id=near)
    assert (await desk.row(same_house))["merged_into"] == near
    await desk.up_to(near, Move.ACCEPT)
    assert [body for who, body in await desk.tell() if who == friend.id and "已接单" in body]
    await desk.sound()
