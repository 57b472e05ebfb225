"""From an application to a renewed card, over HTTP as the mini-program and the staff console ask (R5)."""

from typing import Any

from backend.kernel.resources import Resources
from tests import factories, factories_cards, factories_counter, factories_parking
from tests.conftest import Client, Sandbox
from tests.factories_cards import MONTH_FEN
from tests.factories_parking import CAR
from tests.factories_payments import Stage
from tests.factories_payments import stage as make_stage

WAY = {"channel": "wechat", "method": "jsapi"}


async def paid(play: Stage, me: Client, path: str, body: dict[str, Any]) -> Any:
    """The resident pays for what the route has offered; the payment as it is shown afterwards."""
    created = await me.post(path, {**body, **WAY})
    assert created.status == 201, created.body
    await play.user_pays(created.json["payment_id"])
    await play.deliver()
    return (await me.get(f"/api/v1/payments/{created.json['payment_id']}")).json


async def test_a_vehicle_is_applied_for_approved_and_gets_a_card_that_is_renewed(
    sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client
) -> None:
    play = await make_stage(sandbox_res, sandbox)
    lot = await factories_parking.lot(sandbox_res, play.place)
    product = await factories_cards.product(lot)
    me = sandbox_client.of(play.owner.token)
    desk = sandbox_client.of((await factories.staff(sandbox_res, play.place, "customer_service")).token)
    wanted = {"plate": "粤b 12345", "until": None, "reason": "新购车辆"}
    body = {"house_id": str(play.house_id), "lot_id": str(lot.id), **wanted}
    asked = await me.post("/api/v1/parking-applications/vehicles", body)
    assert asked.status == 201, asked.body
    (waiting,) = (await desk.get("/admin/v1/approvals")).json["items"]
    assert (waiting["after"]["车牌"], waiting["may_decide"]) == ("粤B***45", True)
    decision = f"/admin/v1/approvals/{waiting['id']}/decision"
    assert (await desk.post(decision, {"approve": False, "note": ""})).code == "reason_required"
    assert (await desk.post(decision, {"approve": True, "note": "已核对行驶证"})).status == 200
    (told,) = (await me.get("/api/v1/parking-applications")).json["items"]
    assert (told["state"], told["note"], told["asked"]["申请"]) == ("APPROVED", "已核对行驶证", "自家车辆")
    (vehicle,) = (await me.get("/api/v1/parking-vehicles")).json["items"]
    (sold,) = (await me.get(f"/api/v1/parking-lots/{lot.id}/card-products")).json["items"]
    assert (sold["id"], sold["price_fen"]) == (str(product), MONTH_FEN)
    wish = {"product_id": str(product), "house_id": str(play.house_id), "vehicle_ids": [vehicle["id"]]}
    shown = await paid(play, me, f"/api/v1/parking-lots/{lot.id}/card-payments", wish)
    assert (shown["state"], shown["description"]) == ("PAID", "停车卡 地下停车场")
    (card,) = (await me.get("/api/v1/parking-cards")).json["items"]
    assert (card["plates"], card["ends_on"], card["lapsed"]) == ([CAR], "2026-10-01", False)
    (renewal,) = card["renewals"]
    assert (renewal["amount_fen"], renewal["starts_on"], renewal["ends_on"]) == (MONTH_FEN, "2026-10-01", "2026-11-01")
    await paid(play, me, f"/api/v1/parking-cards/{card['id']}/payments", {"product_id": renewal["product_id"]})
    (card,) = (await me.get("/api/v1/parking-cards")).json["items"]
    assert card["ends_on"] == "2026-11-01"
    assert (await lot.arrives()).lines == ("欢迎回家",)
    await play.balanced()


async def test_staff_sell_a_card_of_a_space_at_the_counter(
    sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client
) -> None:
    play = await make_stage(sandbox_res, sandbox)
    lot = await factories_parking.lot(sandbox_res, play.place)
    manager, second = [
        sandbox_client.of((await factories.staff(sandbox_res, play.place, "manager")).token) for _ in range(2)
    ]
    counter = await factories_counter.counter(play)
    till = sandbox_client.of(counter.cashier.token)
    terms = {
        "name": "产权车位年卡", "covers": "一个产权车位", "audience": "owned", "months": 12, "price_fen": 96_000,
        "vehicles": 2, "reason": "备案价格",
    }  # fmt: skip
    proposed = await manager.post(f"/admin/v1/parking-lots/{lot.id}/card-products", terms)
    assert proposed.status == 202, proposed.body
    own = f"/admin/v1/approvals/{proposed.json['approval_id']}/decision"
    assert (await manager.post(own, {"approve": True, "note": ""})).code == "second_person_required"
    assert (await second.post(own, {"approve": True, "note": ""})).status == 200
    (product,) = (await till.get(f"/admin/v1/parking-lots/{lot.id}/card-products")).json["items"]
    added = await manager.post(f"/admin/v1/parking-lots/{lot.id}/spaces", {"number": "A-", "first": 1, "last": 3})
    assert added.json == {"added": 3}
    (space, *_) = (await manager.get(f"/admin/v1/parking-lots/{lot.id}/spaces?state=free")).json["items"]
    wish = {"product_id": product["id"], "house_id": str(play.house_id), "plates": [CAR, "粤B54321"]}
    assert (await till.post(f"/admin/v1/parking-lots/{lot.id}/card-offers", wish)).code == "no_such_space"
    sale = {"state": "sold", "house_id": str(play.house_id), "reason": "签订买卖合同"}
    assert (await manager.post(f"/admin/v1/parking-spaces/{space['id']}/assign", sale)).json["state"] == "sold"
    offered = await till.post(f"/admin/v1/parking-lots/{lot.id}/card-offers", wish)
    assert (offered.status, offered.json["amount_fen"], offered.json["ends_on"]) == (200, 96_000, "2027-09-01")
    taken = await till.post("/admin/v1/counter/takings", {
        "lines": [{"kind": "parking_card", "id": offered.json["card_id"]}], "method": "cash", "amount_fen": 96_000,
        "voucher_no": factories_counter.voucher_no(), "received_fen": 100_000,
    })  # fmt: skip
    assert (taken.status, taken.json["change_fen"]) == (201, 4_000), taken.body
    (card,) = (await till.get(f"/admin/v1/parking-cards?house_id={play.house_id}")).json["items"]
    assert (card["kind"], card["plates_masked"], card["ends_on"]) == ("owned", ["粤B***21", "粤B***45"], "2027-09-01")
    (mine,) = (await sandbox_client.of(play.owner.token).get("/api/v1/parking-spaces")).json["items"]
    assert (mine["number"], mine["state"]) == ("A-1", "sold")
    await play.balanced()


async def test_a_range_of_spaces_that_is_none_is_refused(
    sandbox_res: Resources, sandbox: Sandbox, sandbox_client: Client
) -> None:
    play = await make_stage(sandbox_res, sandbox)
    lot = await factories_parking.lot(sandbox_res, play.place)
    manager = sandbox_client.of((await factories.staff(sandbox_res, play.place, "manager")).token)
    for body in (
        {"number": ""}, {"number": "A", "first": 3}, {"number": "A", "first": 3, "last": 1},
        {"number": "A", "first": 0, "last": 1000},
    ):  # fmt: skip
        assert (await manager.post(f"/admin/v1/parking-lots/{lot.id}/spaces", body)).status in (400, 422), body
    assert await sandbox_res.db.fetchval("SELECT count(*) FROM parking_space") == 0
