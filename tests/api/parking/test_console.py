"""The guard's console: who is in, open by hand, correct, match, void; residents see their own (D8, I-22, I-23)."""

from datetime import timedelta
from typing import Any

from tests import factories, factories_parking, factories_payments
from tests.api.parking.conftest import Site
from tests.factories_parking import CAR
from tests.factories_payments import sound


async def stays(site: Site, query: str = "") -> list[Any]:
    answer = await site.guard.get(f"/admin/v1/parking-lots/{site.lot.id}/stays?{query}")
    assert answer.status == 200, answer.body
    return list(answer.json["items"])


async def test_guards_find_a_car_by_its_last_five_and_see_the_plate_masked(site: Site) -> None:
    await site.lot.arrives("粤B12345")
    await site.lot.arrives("粤B54321")
    (found,) = await stays(site, "tail=12345")
    assert (found["plate_masked"], found["state"]) == ("粤B***45", "IN")
    assert await stays(site, "tail=99999") == []
    assert len(await stays(site)) == 2
    answer = await site.guard.post(f"/admin/v1/parking-stays/{found['id']}/plate", {"reason": "核对车辆"})
    assert answer.json == {"plate": "粤B12345"}
    read = await site.res.db.fetchrow("SELECT * FROM audit_entry WHERE action = 'parking.plate_read'")
    assert read is not None and read["reason"] == "核对车辆"


async def test_a_misread_car_is_matched_and_asked_for_what_the_right_one_owes(site: Site) -> None:
    await site.lot.arrives("粤B12345")
    site.res.clock.advance(timedelta(hours=2))
    await site.lot.leaves("粤B12845")
    (unseen,) = await stays(site, "unusual=true")
    detail = (await site.guard.get(f"/admin/v1/parking-stays/{unseen['id']}")).json
    (candidate,) = detail["events"][-1]["detail"]["candidates"]
    answer = await site.guard.post(
        f"/admin/v1/parking-stays/{unseen['id']}/match", {"candidate_id": candidate, "reason": "3 认成 8"}
    )
    assert answer.status == 200, answer.body
    right, wrong = await site.lot.stays()
    assert (right["state"], wrong["state"]) == ("QUOTED", "VOIDED")
    assert right["waiting_lane_id"] == site.lot.lane_out
    amount = await site.res.db.fetchval("SELECT amount_fen FROM parking_quote")
    assert amount == 1000 and await site.lot.commands() == []
    await sound(site.res)


async def test_a_corrected_plate_leaves_like_any_other(site: Site) -> None:
    await site.lot.arrives("粤B12845")
    stay = await site.lot.stay()
    path = f"/admin/v1/parking-stays/{stay['id']}/correct"
    answer = await site.guard.post(path, {"plate": "粤B 12345", "reason": "识别错误"})
    assert answer.json["plate_masked"] == "粤B***45"
    assert [flag["code"] for flag in answer.json["flags"]] == ["corrected"]
    assert (await site.lot.leaves("粤B12345")).open
    await sound(site.res)


async def test_a_corrected_plate_is_covered_by_its_card(site: Site) -> None:
    await factories_parking.card(site.lot, ["粤B12345"])
    await site.lot.arrives("粤B12845")
    stay = await site.lot.stay()
    body = {"plate": "粤B12345", "reason": "识别错误"}
    await site.guard.post(f"/admin/v1/parking-stays/{stay['id']}/correct", body)
    site.res.clock.advance(timedelta(days=2))
    assert (await site.lot.leaves("粤B12345")).open
    await sound(site.res)


async def test_a_plate_that_is_inside_already_is_not_taken_twice(site: Site) -> None:
    await site.lot.arrives("粤B12345")
    await site.lot.arrives("粤B12845")
    _, wrong = await site.lot.stays()
    path = f"/admin/v1/parking-stays/{wrong['id']}/correct"
    answer = await site.guard.post(path, {"plate": "粤B12345", "reason": "识别错误"})
    assert (answer.status, answer.code) == (409, "already_inside")
    await sound(site.res)


async def test_a_car_without_a_plate_is_let_in_and_out_by_hand(site: Site) -> None:
    lanes = f"/admin/v1/parking-lots/{site.lot.id}/lanes"
    came = await site.guard.post(f"{lanes}/{site.lot.lane_in}/open", {"reason": "无牌新车"})
    session_id = came.json["session_id"]
    assert (await site.lot.stay())["flags"] == ["by_hand", "plateless"]
    site.res.clock.advance(timedelta(hours=2))
    asked = await site.guard.post(f"/admin/v1/parking-stays/{session_id}/quote")
    assert asked.json["quote"]["amount_fen"] == 1000
    gone = await site.guard.post(
        f"{lanes}/{site.lot.lane_out}/open", {"reason": "现场未付款", "session_id": session_id}
    )
    assert gone.status == 200
    stay = await site.lot.stay()
    assert (stay["state"], stay["flags"]) == ("OUT", ["by_hand", "left_unpaid", "plateless"])
    assert len(await site.lot.commands()) == 2
    assert await site.lot.free_spaces() == 100
    await sound(site.res)


async def test_an_act_of_the_guard_repeated_by_the_network_is_done_once(site: Site) -> None:
    path = f"/admin/v1/parking-lots/{site.lot.id}/lanes/{site.lot.lane_in}/open"
    first = await site.guard.post(path, {"reason": "无牌新车"}, key="once")
    again = await site.guard.post(path, {"reason": "无牌新车"}, key="once")
    assert first.json == again.json
    assert len(await site.lot.commands()) == len(await site.lot.stays()) == 1


async def test_one_press_opens_every_lane_and_says_who_and_why(site: Site) -> None:
    answer = await site.guard.post(f"/admin/v1/parking-lots/{site.lot.id}/open-all", {"reason": "火警"})
    assert answer.json == {"barriers": 2}
    told = {command["device_id"] for command in await site.lot.commands()}
    assert told == {site.lot.camera_in.id, site.lot.camera_out.id}
    pressed = await site.res.db.fetchrow("SELECT * FROM audit_entry WHERE action = 'parking.all_opened'")
    assert pressed is not None and (pressed["reason"], pressed["actor_kind"]) == ("火警", "staff")
    await sound(site.res)


async def test_a_stay_that_is_voided_frees_its_space_and_stays_in_the_list(site: Site) -> None:
    await site.lot.arrives()
    stay = await site.lot.stay()
    path = f"/admin/v1/parking-stays/{stay['id']}/void"
    assert (await site.guard.post(path, {"reason": "试车"})).status == 200
    assert (await site.guard.post(path, {"reason": "试车"})).code == "voided"
    assert await site.lot.free_spaces() == 100 and await stays(site) == []
    assert len(await stays(site, "inside=false")) == 1
    await sound(site.res)


async def test_prices_take_two_people(site: Site) -> None:
    path = f"/admin/v1/parking-lots/{site.lot.id}/tariffs"
    manager, second = await site.staff("manager"), await site.staff("manager")
    body = {
        "document": {**factories_parking.PRICES, "grace_min": 20}, "effective_from": "2026-10-01T00:00:00+08:00",
        "reason": "备案价格调整",
    }  # fmt: skip
    asked = await manager.post(path, body)
    decision = f"/admin/v1/approvals/{asked.json['approval_id']}/decision"
    assert (await manager.post(decision, {"approve": True, "note": "同意"})).code == "second_person_required"
    assert len((await site.guard.get(path)).json["items"]) == 1
    assert (await second.post(decision, {"approve": True, "note": "同意"})).status == 200
    newest, _ = (await site.guard.get(path)).json["items"]
    assert (newest["document"]["grace_min"], newest["effective_from"]) == (20, "2026-09-30T16:00:00Z")
    wrong = await manager.post(path, {**body, "document": {"days": []}})
    assert wrong.status == 422 and wrong.json["error"]["details"]["fields"][0]["field"].startswith("document.")
    await sound(site.res)


async def test_a_house_long_in_arrears_is_not_let_in(site: Site) -> None:
    house = await factories.house(site.res, site.place)
    item_id, run_id = await factories_payments.item(site.res, site.place)
    await factories_parking.overdue(site.res, site.place, house, item_id, run_id)
    await factories_parking.card(site.lot, house_id=house)
    manager = await site.staff("manager")
    rules = {"name": "地下停车场", "spaces": 100, "basis": "entry", "quote_minutes": 10, "arrears_days": 30}
    assert (await site.lot.arrives(key="first")).open, "no rule yet"
    await site.lot.leaves()
    assert (await manager.call("PUT", f"/admin/v1/parking-lots/{site.lot.id}", rules)).status == 200
    site.res.clock.advance(timedelta(days=1))
    assert (await site.lot.arrives()).lines == ("请先缴清物业费", "详询物业服务中心")
    assert (await site.lot.arrives("粤B00001")).open
    await sound(site.res)


async def test_a_plate_has_one_card_a_day_in_a_lot(site: Site) -> None:
    service = await site.staff("customer_service")
    path = f"/admin/v1/parking-lots/{site.lot.id}/cards"
    card = {"kind": "monthly", "plates": [CAR], "starts_on": "2026-09-01", "ends_on": "2026-10-01"}
    first = await service.post(path, card)
    assert first.status == 201
    overlapping = await service.post(path, {**card, "starts_on": "2026-09-30", "ends_on": "2026-11-01"})
    assert (overlapping.status, overlapping.code) == (409, "has_card")
    assert (await service.post(path, {**card, "starts_on": "2026-10-01", "ends_on": None})).status == 201
    ended = await service.post(f"/admin/v1/parking-cards/{first.json['id']}/cancel", {"reason": "退卡"})
    assert ended.status == 200
    assert (await service.post(path, {**card, "plates": [CAR, "粤B00002"]})).status == 201
    await sound(site.res)


async def test_a_black_listed_car_stays_out_and_a_white_listed_one_goes_free(site: Site) -> None:
    manager = await site.staff("manager")
    path = f"/admin/v1/parking-lots/{site.lot.id}/list-entries"
    for kind, plate in (("black", "粤B00001"), ("white", "粤B00002")):
        body = {"kind": kind, "plate": plate, "starts_on": "2026-09-01", "ends_on": None, "reason": "登记"}
        assert (await manager.post(path, body)).status == 201
    assert (await site.lot.arrives("粤B00001")).lines == ("禁止入场", "请联系保安")
    await site.lot.arrives("粤B00002")
    site.res.clock.advance(timedelta(days=2))
    assert (await site.lot.leaves("粤B00002")).open
    await sound(site.res)
