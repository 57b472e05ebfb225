"""Passes: where, when and how often they let in, what ends them, and what a house may have (R8, D10, I-20)."""

from datetime import timedelta
from random import Random
from uuid import UUID

import pytest

from backend.devices.states import Kind
from backend.kernel import approvals
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from backend.kernel.resources import Resources
from backend.property import occupancy
from backend.visitors import bans, entries, handlers, inviting, passes, resident_passes, retention, windows
from backend.visitors.passes import Redeemed
from backend.visitors.states import BanKind, EntryWay, PassKind, PassState, Refusal
from backend.visitors.windows import Slot
from tests import factories, factories_devices, factories_parking, factories_visitors
from tests.factories_parking import CAR, work_all
from tests.factories_payments import sound
from tests.factories_visitors import HOUR, NAME, PHONE, weekly

OPEN_IN_SQL = "SELECT linli_weekly_open($1::smallint[], $2)"


async def test_i20_a_pass_lets_in_within_its_window_at_its_gates_as_often_as_it_says(res: Resources) -> None:
    yard = await factories_visitors.yard(res)
    made = await yard.invite(starts_h=1, hours=2, entries_allowed=2, gate_ids=(yard.gate_id,), companions=3)
    assert made.state is PassState.ACTIVE
    assert await yard.redeem(made.id) is Refusal.TOO_EARLY
    res.clock.advance(HOUR)
    assert await yard.redeem(made.id, yard.other_gate_id) is Refusal.WRONG_GATE
    first = await yard.redeem(made.id)
    assert isinstance(first, Redeemed)
    assert (first.entries_left, first.companions, first.due_out_at) == (1, 3, res.clock.now() + 2 * HOUR)
    assert (await yard.redeem(made.id, way=EntryWay.CODE)) != Refusal.USED_UP
    assert await yard.redeem(made.id) is Refusal.USED_UP
    assert (await yard.row(made.id))["state"] == PassState.USED
    unlimited = await yard.invite(hours=1, entries_allowed=None)
    for _ in range(3):
        assert isinstance(await yard.redeem(unlimited.id), Redeemed)
    elsewhere = await factories.community(res, "LL02", company_id=yard.place.company_id)
    theirs = await factories_devices.device(res, elsewhere, Kind.GATE)
    assert await yard.redeem(unlimited.id, theirs.id) is Refusal.UNKNOWN, "another community's gate"
    res.clock.advance(HOUR)
    assert await yard.redeem(unlimited.id) is Refusal.EXPIRED, "the end itself is outside"
    assert sorted(row["way"] for row in await yard.entries()) == ["code", *["token"] * 4]
    await work_all(res)
    assert len(await yard.told()) == 5 and "李*已于2026-09-01 11:00从南门进入" in (await yard.told())[0]
    assert not [body for body in await yard.told() if NAME in body]
    await sound(res)


async def test_i20_a_nanny_comes_in_her_hours_and_a_night_goes_over_midnight(res: Resources) -> None:
    yard = await factories_visitors.yard(res)
    by_day = await yard.invite(hours=24 * 7, entries_allowed=None, weekly=weekly(480, 1080), kind=PassKind.NANNY)
    by_night = await yard.invite(hours=24 * 7, entries_allowed=None, weekly=weekly(1320, 360, 0b0000010))
    assert by_day.state is PassState.ACTIVE, "seven days are not longer than the rule lets by itself"
    inside = await yard.redeem(by_day.id)
    assert isinstance(inside, Redeemed) and inside.due_out_at == res.clock.now() + 8 * HOUR, "18:00"
    assert await yard.redeem(by_night.id) is Refusal.OUTSIDE_HOURS
    res.clock.advance(12 * HOUR)
    assert await yard.redeem(by_day.id) is Refusal.OUTSIDE_HOURS, "Tuesday, 22:00"
    res.clock.advance(3 * HOUR)
    night = await yard.redeem(by_night.id)
    assert isinstance(night, Redeemed) and night.due_out_at == res.clock.now() + 5 * HOUR, "Wednesday, 01:00 to 06:00"
    await sound(res)


async def test_the_database_opens_as_the_product_does(res: Resources) -> None:
    random, now = Random(20), res.clock.now()
    async with res.db.pool.acquire() as connection:
        for _ in range(400):
            pattern = tuple(
                Slot(random.randrange(1, 128), random.randrange(1440), random.randrange(1, 1441))
                for _ in range(random.randrange(1, 5))
            )
            slot = random.choice(pattern)
            edge = random.choice((slot.start_min, slot.end_min, 0, random.randrange(1440)))
            midnight = now.replace(hour=16, minute=0) + timedelta(days=random.randrange(7))
            instant = midnight + timedelta(minutes=edge, microseconds=random.choice((-1, 0, 1)))
            said = await connection.fetchval(OPEN_IN_SQL, windows.to_row(pattern), instant)
            if windows.fault(pattern) is None:
                assert said == windows.is_open(pattern, instant), (pattern, instant)
        assert await connection.fetchval(OPEN_IN_SQL, None, now)


async def test_i20_a_pass_that_is_taken_back_or_revoked_opens_nothing_more(res: Resources) -> None:
    yard = await factories_visitors.yard(res)
    draft, taken, revoked = await yard.invite(draft=True), await yard.invite(), await yard.invite(entries_allowed=3)
    assert await yard.redeem(draft.id) is Refusal.NOT_ACTIVE
    assert isinstance(await yard.redeem(revoked.id), Redeemed)
    res.clock.advance(timedelta(seconds=10))
    await res.db.transact(lambda tx: inviting.cancel(tx, yard.actor, pass_id=taken.id, scope=yard.scope))
    await res.db.transact(
        lambda tx: passes.revoke(
            tx, yard.staff, pass_id=revoked.id, communities=[yard.place.id], reason="冒用他人通行证"
        )
    )
    res.clock.advance(timedelta(seconds=1))
    for made in (taken, revoked):
        assert await yard.redeem(made.id) is Refusal.REVOKED
        assert (await yard.row(made.id))["revoked_at"] is not None, "what a gate's list of revocations is made of"
    begun = res.clock.now() - timedelta(seconds=2)
    assert await yard.redeem(revoked.id, at=begun) is Refusal.REVOKED, "a scan that began before waits for the commit"
    with pytest.raises(Conflict) as ended:
        await res.db.transact(lambda tx: inviting.cancel(tx, yard.actor, pass_id=taken.id, scope=yard.scope))
    assert ended.value.code == "pass_ended"
    assert "已被物业撤销，原因：冒用他人通行证" in (await yard.told())[-1]
    submitted = await res.db.transact(
        lambda tx: inviting.submit(tx, yard.actor, keyring=res.keyring, pass_id=draft.id, scope=yard.scope)
    )
    assert submitted.state is PassState.ACTIVE and isinstance(await yard.redeem(draft.id), Redeemed)
    late = await yard.invite(hours=1)
    res.clock.advance(2 * HOUR)
    await handlers.expire(res, "")
    assert (await yard.row(late.id))["state"] == PassState.EXPIRED
    happened = res.clock.now() - 90 * timedelta(minutes=1)
    offline = await yard.redeem(late.id, way=EntryWay.OFFLINE, at=happened)
    assert isinstance(offline, Redeemed), "a gate without a network told late of what was right when it happened"
    await sound(res)


async def test_who_is_banned_is_neither_invited_nor_let_in(res: Resources) -> None:
    yard = await factories_visitors.yard(res)
    made, by_plate = await yard.invite(entries_allowed=None), await yard.invite(phone="13900000078")
    ban_id = await yard.ban(BanKind.PHONE, f"+86 {PHONE}")
    assert await yard.redeem(made.id) is Refusal.BANNED
    assert isinstance(await yard.redeem(by_plate.id), Redeemed)
    with pytest.raises(Conflict) as refused:
        await yard.invite()
    assert refused.value.code == "banned"
    with pytest.raises(Conflict):
        await yard.ban(BanKind.PHONE, PHONE)
    await res.db.transact(
        lambda tx: bans.lift(tx, yard.staff, ban_id=ban_id, communities=[yard.place.id], reason="误登记")
    )
    assert isinstance(await yard.redeem(made.id), Redeemed)
    with pytest.raises(NotFound):
        await res.db.transact(lambda tx: bans.lift(tx, yard.staff, ban_id=ban_id, communities=[], reason="误登记"))
    actions = await res.db.fetch(
        "SELECT action FROM audit_entry WHERE target = $1 ORDER BY id", f"visitor_ban:{ban_id}"
    )
    assert [row["action"] for row in actions] == ["visitor.banned", "visitor.ban_lifted"]
    await sound(res)


async def test_a_long_pass_waits_for_the_property(res: Resources) -> None:
    yard = await factories_visitors.yard(res)
    for _ in range(3):
        assert (await yard.invite(hours=24 * 8, weekly=weekly(480, 1080))).state is PassState.PENDING
    granted, refused, taken = await res.db.fetch("SELECT * FROM approval ORDER BY id")
    assert granted["shown"]["after"]["每周时段"].startswith("周一、周二") and NAME not in str(granted["shown"])
    ids = [UUID(row["payload"]["pass_id"]) for row in (granted, refused, taken)]
    assert await yard.redeem(ids[0]) is Refusal.NOT_ACTIVE

    async def decide(approval_id: UUID, *, approve: bool, note: str) -> None:
        await res.db.transact(
            lambda tx: approvals.decide(
                tx, yard.staff, approval_id, approve=approve, note=note, kinds=res.approval_kinds
            )
        )  # fmt: skip

    await decide(granted["id"], approve=True, note="")
    assert isinstance(await yard.redeem(ids[0]), Redeemed)
    with pytest.raises(Invalid):
        await decide(refused["id"], approve=False, note=" ")
    await decide(refused["id"], approve=False, note="请提供身份证明")
    assert (await yard.row(ids[1]))["state"] == PassState.REJECTED
    other = Actor("resident", yard.guard.id)
    with pytest.raises(Forbidden):
        await res.db.transact(lambda tx: inviting.cancel(tx, other, pass_id=ids[2], scope=yard.scope))
    await res.db.transact(lambda tx: inviting.cancel(tx, yard.actor, pass_id=ids[2], scope=yard.scope))
    assert (await yard.row(ids[2]))["state"] == PassState.CANCELLED
    assert await res.db.fetchval("SELECT state FROM approval WHERE id = $1", taken["id"]) == "WITHDRAWN"
    fourth = await yard.invite(hours=24 * 30)
    res.clock.advance(timedelta(days=8))
    await res.db.transact(lambda tx: approvals.expire(tx, res.approval_kinds))
    assert (await yard.row(fourth.id))["state"] == PassState.EXPIRED, "nobody decided in time"
    told = sorted(body.split("起）")[1] for body in await yard.told() if "通行证" in body)
    assert told == ["已批准。", "无人审批，已过期，请重新提交。", "未批准，原因请在申请记录中查看。"]
    await sound(res)


async def test_a_vehicle_of_a_pass_follows_the_rules_of_parking(res: Resources) -> None:
    yard = await factories_visitors.yard(res)
    lot = await factories_parking.lot(res, yard.place)
    with pytest.raises(Conflict) as off:
        await yard.invite(plate=CAR, lot_id=lot.id)
    assert off.value.code == "visitors_off"
    await res.db.execute("UPDATE parking_lot SET visitors_per_day = 1, visitor_hours = 6")
    for wrong, error in (({"hours": 7}, "6 小时"), ({"hours": 24 * 8}, "不能同时登记车辆")):
        with pytest.raises(Invalid, match=error):
            await yard.invite(plate=CAR, lot_id=lot.id, **wrong)
    made = await yard.invite(plate=CAR, lot_id=lot.id, hours=3)
    with pytest.raises(Conflict) as used_up:
        await yard.invite(plate="粤B54321", lot_id=lot.id)
    assert used_up.value.code == "visitors_used_up", "parking's own limit"
    assert await res.db.fetchval("SELECT count(*) FROM visitor_pass") == 1, "nothing is kept of what was refused"
    assert (await lot.arrives()).lines == ("欢迎回家",), "the car is covered as a visitor's"
    await res.db.transact(lambda tx: inviting.cancel(tx, yard.actor, pass_id=made.id, scope=yard.scope))
    card = await res.db.fetchval(
        "SELECT state FROM parking_card WHERE id = $1", (await yard.row(made.id))["parking_card_id"]
    )
    assert card == "CANCELLED"
    await sound(res)


async def test_what_a_house_may_have(res: Resources) -> None:
    yard = await factories_visitors.yard(res)
    await yard.rule(passes_per_day=2, longest_days=10)
    first, _ = await yard.invite(), await yard.invite(starts_h=2)
    assert (await yard.invite(draft=True)).state is PassState.DRAFT, "a draft takes none"
    with pytest.raises(Conflict) as used_up:
        await yard.invite()
    assert used_up.value.code == "passes_used_up" and "2 张" in used_up.value.message
    assert (await yard.invite(starts_h=14)).state is PassState.ACTIVE, "the next day in Shanghai"
    await res.db.transact(lambda tx: inviting.cancel(tx, yard.actor, pass_id=first.id, scope=yard.scope))
    assert (await yard.invite()).state is PassState.ACTIVE, "what was taken back gives its place back"
    for wrong in ({"hours": -1}, {"hours": 24 * 11}, {"starts_h": -9}, {"weekly": weekly(60, 60)}):
        with pytest.raises(Invalid):
            await yard.invite(starts_h=wrong.pop("starts_h", 20), **wrong)
    with pytest.raises(NotFound):
        await yard.invite(gate_ids=(yard.house_id,))
    await sound(res)


async def test_who_moves_out_takes_the_passes_and_the_door_code_along(res: Resources) -> None:
    yard = await factories_visitors.yard(res)
    family = await factories.person(res, "13800000002", "张小妹")
    await factories.occupy(res, family, yard.house_id, "family")
    mine, draft = await yard.invite(), await yard.invite(draft=True)
    door = await res.db.transact(lambda tx: resident_passes.ensure(tx, tie=yard.tie, person_id=yard.owner.id))
    again = await res.db.transact(lambda tx: resident_passes.ensure(tx, tie=yard.tie, person_id=yard.owner.id))
    hers = await res.db.transact(lambda tx: resident_passes.ensure(tx, tie=yard.tie, person_id=family.id))
    assert door.id == again.id != hers.id
    today = res.clock.now().date()
    assert await resident_passes.opens(res.db, door.id, gate_id=yard.gate_id, today=today)
    tie_id = await res.db.fetchval("SELECT id FROM occupancy WHERE person_id = $1", yard.owner.id)
    await res.db.transact(lambda tx: occupancy.end(tx, SYSTEM, occupancy_id=tie_id))
    assert not await resident_passes.opens(res.db, door.id, gate_id=yard.gate_id, today=today), "before the event"
    await work_all(res)
    assert await res.db.fetchval("SELECT revoked_at FROM resident_pass WHERE id = $1", door.id) == res.clock.now()
    assert await resident_passes.opens(res.db, hers.id, gate_id=yard.gate_id, today=today)
    assert await yard.redeem(mine.id) is Refusal.REVOKED
    assert (await yard.row(draft.id))["state"] == PassState.CANCELLED
    await sound(res)


async def test_overstays_are_named_once_and_personal_data_is_erased(res: Resources) -> None:
    yard = await factories_visitors.yard(res)
    await yard.rule(overstay_minutes=30, assume_left_hours=2, keep_days=1)
    made = await yard.redeem((await yard.invite(hours=1)).id)
    gone = await yard.redeem((await yard.invite(hours=1)).id)
    assert isinstance(made, Redeemed) and isinstance(gone, Redeemed)
    await res.db.transact(lambda tx: entries.check_out(tx, entry_id=gone.entry_id, communities=[yard.place.id]))
    for minutes, named in ((89, 0), (1, 1), (5, 1)):
        res.clock.advance(timedelta(minutes=minutes))
        await handlers.watch_stays(res, "")
        assert await res.db.fetchval("SELECT count(*) FROM visitor_entry WHERE overstayed_at IS NOT NULL") == named
    assert [body for body in await yard.told() if "没有离开记录" in body] == [
        "来访1栋1单元101的李*应于2026-09-01 11:00前离开，目前没有离开记录。如已离开请忽略，需要延长请联系门岗。"
    ]
    (inside,) = await entries.inside(res.db, yard.place.id, after=None, limit=10)
    assert inside["id"] == made.entry_id
    res.clock.advance(2 * HOUR)
    await handlers.watch_stays(res, "")
    assert await entries.inside(res.db, yard.place.id, after=None, limit=10) == []
    assert {row["left_way"] for row in await yard.entries()} == {"assumed", "guard"}
    res.clock.advance(timedelta(days=1))
    await handlers.expire(res, "")
    await res.db.transact(retention.forget)
    kept = await res.db.fetch("SELECT name_sealed, phone_blind FROM visitor_pass")
    assert [tuple(row.values()) for row in kept] == [(None, None)] * 2
    assert len(await entries.records(res.db, yard.place.id, before=None, limit=10)) == 2, "the visits stay"
    await sound(res)
