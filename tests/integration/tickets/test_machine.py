"""The machine of tickets on real rows: moves, guards, clocks, hands, messages (D9, I-13, I-21)."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from backend.kernel.errors import AppError, Conflict, NotFound
from backend.kernel.resources import Resources
from backend.tickets import rules, sweeping
from backend.tickets.categories import Settings
from backend.tickets.moves import Move
from backend.tickets.rules import Rules
from backend.tickets.states import Kind, Role, State
from backend.tickets.step import Who
from tests import factories, factories_tickets
from tests.conftest import START, Run
from tests.factories_repairs import HOUR
from tests.factories_tickets import PLUMBING, STARS, Desk


async def refusal(code: str, made: object) -> None:
    with pytest.raises(AppError) as caught:
        await made  # type: ignore[misc]
    assert caught.value.code == code, caught.value


async def test_d9_a_repair_from_its_report_to_its_end(desk: Desk) -> None:
    """Each move has its event, its entry in the audit and its message; clocks stop where the promise is kept."""
    ticket = await desk.submit()
    # START is 10:00 in Shanghai on a Tuesday: 480 working minutes are a day and a half hour of 7.5 hours.
    clocks = await desk.clocks(ticket)
    assert {kind: row["due_at"] for kind, row in clocks.items()} == {
        "respond": START + timedelta(minutes=30),
        "arrive": START + timedelta(minutes=120),
        "finish": datetime(2026, 9, 2, 2, 30, tzinfo=UTC),
    }
    await desk.move(desk.desk(), ticket, Move.TRIAGE)
    await desk.move(desk.desk(), ticket, Move.ASSIGN, staff_id=desk.engineer.id)
    await refusal("not_yours", desk.move(desk.worker(desk.colleague), ticket, Move.ACCEPT))
    await refusal("ticket_moved", desk.move(desk.worker(), ticket, Move.FINISH))
    await desk.later(minutes=10)
    await desk.move(desk.worker(), ticket, Move.ACCEPT)
    assert (await desk.clocks(ticket))["respond"]["stopped_at"] == START + timedelta(minutes=10)
    await refusal("ticket_moved", desk.move(desk.resident(), ticket, Move.CANCEL, reason="不修了"))
    await desk.move(desk.worker(), ticket, Move.ARRIVE)
    until = desk.res.clock.now() + timedelta(days=1)
    await refusal("reason_required", desk.move(desk.worker(), ticket, Move.PAUSE, until=until, reason=" "))
    await refusal("invalid", desk.move(desk.worker(), ticket, Move.PAUSE, until=START, reason="等待配件"))
    await desk.move(desk.worker(), ticket, Move.PAUSE, until=until, reason="等待配件")
    await desk.later(days=1)
    await sweeping.sweep(desk.res, "")
    finish = (await desk.clocks(ticket))["finish"]
    assert await desk.state(ticket) == State.ON_SITE
    assert (finish["paused_at"], finish["paused_s"], finish["due_at"]) == (
        None, 86_400, datetime(2026, 9, 3, 2, 30, tzinfo=UTC),
    )  # fmt: skip
    await desk.move(desk.worker(), ticket, Move.FINISH)
    await desk.move(desk.resident(), ticket, Move.SIGN_OFF)
    assert (await desk.row(ticket))["warranty_until"].isoformat() == "2026-12-01"
    await desk.move(desk.resident(), ticket, Move.RATE, stars=STARS)
    await desk.later(days=8)
    await sweeping.sweep(desk.res, "")
    assert await desk.state(ticket) == State.CLOSED
    told = await desk.tell()
    assert {body for who, body in told if who == desk.engineer.id} == {
        f"水电维修工单（编号1，1栋1单元101）{move}：请及时处理。" for move in ("派单", "恢复")
    }
    assert len([body for who, body in told if who == desk.owner.id]) == 7
    assert "您的水电维修工单（编号1，1栋1单元101）已挂起：等待配件。" in [body for _, body in told]
    await desk.sound()


async def test_d9_a_ticket_changes_hands_and_comes_back(desk: Desk) -> None:
    ticket = await desk.submit()
    await desk.move(desk.desk(), ticket, Move.TRIAGE)
    guard = await factories.staff(desk.res, desk.place, "guard")
    elsewhere = await factories.staff(desk.res, await factories.community(desk.res, "LL02"), "engineer")
    for nobody in (guard.id, elsewhere.id, factories_tickets.new_id(desk.res)):
        await refusal("not_found", desk.move(desk.desk(), ticket, Move.ASSIGN, staff_id=nobody))
    await desk.move(desk.desk(), ticket, Move.ASSIGN, staff_id=desk.engineer.id)
    await desk.move(desk.worker(), ticket, Move.RETURN, reason="不会修燃气")
    await desk.move(desk.desk(), ticket, Move.ASSIGN, staff_id=desk.engineer.id)
    await desk.move(desk.worker(), ticket, Move.ACCEPT)
    await desk.move(desk.worker(), ticket, Move.PAUSE, until=START + timedelta(days=2), reason="等待配件")
    again = desk.move(desk.desk(), ticket, Move.TRANSFER, staff_id=desk.engineer.id, reason="休假")
    await refusal("already_assigned", again)
    await desk.move(desk.desk(), ticket, Move.TRANSFER, staff_id=desk.colleague.id, reason="休假")
    rows = await desk.res.db.fetch("SELECT staff_id, ended_as FROM ticket_assignment ORDER BY id")
    assert [tuple(row) for row in rows] == [
        (desk.engineer.id, "returned"), (desk.engineer.id, "transferred"), (desk.colleague.id, None),
    ]  # fmt: skip
    await refusal("not_yours", desk.move(desk.worker(), ticket, Move.ACCEPT))
    await desk.move(desk.worker(desk.colleague), ticket, Move.ACCEPT)
    told = await desk.tell()
    assert {who for who, body in told if "转派：休假" in body} == {desk.engineer.id, desk.colleague.id}
    assert not [body for who, body in told if who == desk.owner.id and "休假" in body], "the reason is not theirs"
    await desk.sound()


async def test_d9_reopening_begins_another_round_within_its_days(desk: Desk) -> None:
    ticket = await desk.submit()
    await desk.up_to(ticket, Move.CLOSE)
    await desk.later(days=7)
    await refusal("reason_required", desk.move(desk.resident(), ticket, Move.REOPEN))
    await desk.move(desk.resident(), ticket, Move.REOPEN, reason="又漏水了")
    clocks = await desk.clocks(ticket)
    assert {row["started_at"] for row in clocks.values()} == {desk.res.clock.now()}
    await desk.up_to(ticket, Move.RATE)
    assert await desk.res.db.fetchval("SELECT count(*) FROM ticket_rating WHERE ticket_id = $1", ticket) == 2
    await desk.later(days=8)
    await refusal("too_late_to_reopen", desk.move(desk.resident(), ticket, Move.REOPEN, reason="又漏水了"))
    await desk.sound()


async def test_d9_duplicates_go_on_as_one_and_their_reporters_hear_of_it(desk: Desk) -> None:
    first, second, ended = [await desk.submit() for _ in range(3)]
    await desk.move(desk.desk(), ended, Move.REJECT, reason="不属于物业服务范围")
    merge = Move.MERGE
    await refusal("merge_target_ended", desk.move(desk.desk(), second, merge, into_id=ended))
    await refusal("not_found", desk.move(desk.desk(), second, merge, into_id=second))
    foreign = await factories.community(desk.res, "LL02", company_id=desk.place.company_id)
    other = await factories_tickets.bare_ticket(
        desk.res, foreign, desk.category_id, house_id=await factories.house(desk.res, foreign), person_id=None
    )
    await refusal("not_found", desk.move(desk.desk(), second, merge, into_id=other))
    await desk.move(desk.desk(), second, merge, into_id=first)
    assert (await desk.row(second))["merged_into"] == first
    await refusal("merge_target_ended", desk.move(desk.desk(), first, merge, into_id=second))
    await desk.sound()


async def test_d9_what_is_promised_follows_the_category_and_the_settings_hold(desk: Desk) -> None:
    """Settings instead of code: approval, price, follow-up, another category's promises."""
    res = desk.res
    strict = Settings("装修", Kind.REPAIR_HOME, finish_within=60, needs_approval=True, paid=True)
    ticket = await desk.submit()
    category = await factories_tickets.category(res, desk.place, strict)
    await desk.move(desk.desk(), ticket, Move.TRIAGE, category_id=category)
    assert {kind: row["within"] for kind, row in (await desk.clocks(ticket)).items()} == {"finish": 60}
    await desk.move(desk.desk(), ticket, Move.ASSIGN, staff_id=desk.engineer.id)
    await desk.move(desk.worker(), ticket, Move.ACCEPT)
    await refusal("approval_required", desk.move(desk.worker(), ticket, Move.ARRIVE))
    await res.db.execute("UPDATE ticket SET approved_at = $2 WHERE id = $1", ticket, res.clock.now())
    await desk.move(desk.worker(), ticket, Move.ARRIVE)
    await refusal("price_not_agreed", desk.move(desk.worker(), ticket, Move.FINISH))
    for who, name, asked in (
        (desk.worker(), Move.QUOTE, {"lines": (HOUR,)}),
        (desk.resident(), Move.DECLINE, {"version": 1, "reason": "太贵"}),
        (desk.worker(), Move.QUOTE, {"lines": (HOUR,)}),
        (desk.resident(), Move.AGREE, {"version": 2}),
        (desk.worker(), Move.FINISH, {}),
    ):
        await desk.move(who, ticket, name, **asked)
    called = await factories_tickets.category(
        res, desk.place, Settings("电梯故障", Kind.REPAIR_HOME, follow_up=factories_tickets.FollowUp.ALWAYS)
    )
    complaint = await desk.submit(called)
    await desk.up_to(complaint, Move.RATE)
    await refusal("follow_up_required", desk.move(desk.desk(), complaint, Move.CLOSE))
    await desk.move(desk.desk(), complaint, Move.FOLLOW_UP, reason="电话回访，满意")
    await desk.move(desk.desk(), complaint, Move.CLOSE)
    free = await desk.submit()
    await desk.up_to(free, Move.ARRIVE)
    await refusal("not_paid_work", desk.move(desk.worker(), free, Move.QUOTE))
    await desk.sound()


async def test_d9_work_that_nobody_signs_off_is_signed_off_in_its_days(desk: Desk) -> None:
    ticket = await desk.submit()
    await desk.up_to(ticket, Move.FINISH)
    await desk.later(days=6, hours=23)
    await sweeping.sweep(desk.res, "")
    assert await desk.state(ticket) == State.DONE
    await desk.later(hours=1)
    await sweeping.sweep(desk.res, "")
    await sweeping.sweep(desk.res, "")
    assert await desk.state(ticket) == State.AUTO_SIGNED_OFF
    await desk.sound()


async def test_i23_who_does_not_see_a_ticket_does_not_move_it(desk: Desk, res: Resources) -> None:
    ticket = await desk.submit()
    neighbour = await factories.person(res, "13800000002")
    stranger = Who(desk.desk().actor, Role.DESK, (factories_tickets.new_id(res),))
    seen = desk.resident(neighbour)
    assert seen.sight is not None
    scope = type(seen.sight.scope)(neighbour.id, (), (), (desk.house_id,))
    tenant = Who(seen.actor, Role.REPORTER, sight=type(seen.sight)(scope, (desk.place.id,)))
    for who, name in ((stranger, Move.TRIAGE), (tenant, Move.CANCEL)):
        with pytest.raises(NotFound):
            await desk.move(who, ticket, name, reason="试试看")
    assert await desk.state(ticket) == State.SUBMITTED


async def test_i21_the_database_refuses_what_the_machine_never_does(desk: Desk) -> None:
    """One open assignee, moves of the table alone, events for good, clocks that never run backwards."""
    ticket = await desk.submit()
    await desk.up_to(ticket, Move.ASSIGN)
    for statement in (
        "INSERT INTO ticket_assignment (community_id, ticket_id, staff_id, assigned_at) "
        "SELECT community_id, ticket_id, staff_id, assigned_at FROM ticket_assignment",
        "UPDATE ticket SET state = 'CLOSED'",
        "UPDATE ticket SET merged_into = id",
        "UPDATE ticket_event SET reason = 'x'",
        "DELETE FROM ticket_event",
        "UPDATE ticket_clock SET paused_s = -1",
        "UPDATE ticket_clock SET due_at = started_at",
    ):
        with pytest.raises((asyncpg.IntegrityConstraintViolationError, asyncpg.InsufficientPrivilegeError)):
            await desk.res.db.execute(statement)
    await desk.sound()


async def test_d9_limits_of_the_company_and_of_the_category(desk: Desk, run: Run) -> None:
    res = desk.res
    few = Rules(resident_daily=2, worker_open=1)
    await res.db.transact(
        lambda tx: rules.set_rules(tx, desk.desk().actor, company_id=desk.place.company_id, new=few)
    )  # fmt: skip
    once = await factories_tickets.category(res, desk.place, Settings("咨询", Kind.CONSULTATION, daily=1))
    first = await desk.submit(once)
    await refusal("too_many_tickets", desk.submit(once))
    second = await desk.submit()
    await refusal("too_many_tickets", desk.submit())
    await desk.up_to(first, Move.ACCEPT)
    await desk.move(desk.desk(), second, Move.TRIAGE)
    with pytest.raises(Conflict, match="worker_full"):
        await desk.move(desk.desk(), second, Move.ASSIGN, staff_id=desk.engineer.id)
    await desk.move(desk.desk(), second, Move.ASSIGN, staff_id=desk.colleague.id)
    await desk.later(days=1)
    await desk.submit()
    with pytest.raises(AppError, match="invalid"):
        bad = Rules(hours=(PLUMBING, PLUMBING)[:0])  # type: ignore[arg-type]
        await res.db.transact(
            lambda tx: rules.set_rules(tx, desk.desk().actor, company_id=desk.place.company_id, new=bad)
        )
    await desk.sound()
