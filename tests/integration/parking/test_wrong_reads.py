"""A wrong read that was paid for: the guard corrects the plate, two people give the money back, the stay says so."""

import asyncio
from datetime import date, timedelta
from uuid import UUID

import pytest

from backend.kernel.errors import Conflict
from backend.kernel.resources import Resources
from tests import factories, factories_parking, factories_refunds
from tests.conftest import Client, Run
from tests.factories_parking import CAR, Lot
from tests.factories_payments import sound
from tests.factories_refunds import Refunds
from tests.integration.parking.conftest import Garage

MISREAD = "粤B12845"


@pytest.fixture
def rig(garage: Garage, monkeypatch: pytest.MonkeyPatch, run: Run) -> Refunds:
    return run(factories_refunds.rig(garage.play, monkeypatch))


async def paid(garage: Garage, rig: Refunds, plate: str = MISREAD) -> UUID:
    """A car came in under a wrong plate, and 10 yuan were paid for it; the stay."""
    await garage.lot.arrives(plate)
    await garage.later(minutes=61)
    asked = await garage.lot.quote(plate)
    await rig.channel.tell_paid(await garage.order(asked.session_id))
    return asked.session_id


async def test_a_plate_corrected_after_the_car_has_paid_and_left_is_refunded_by_two_people(
    garage: Garage, rig: Refunds, sandbox_client: Client
) -> None:
    await factories_parking.card(garage.lot, house_id=garage.play.house_id)
    session_id = await paid(garage, rig)
    assert (await garage.lot.leaves(MISREAD)).open
    await garage.later(days=1)
    guard, cashier, manager = [
        sandbox_client.of((await factories.staff(garage.play.res, garage.play.place, role)).token)
        for role in ("guard", "cashier", "manager")
    ]
    stay = f"/admin/v1/parking-stays/{session_id}"
    corrected = await guard.post(f"{stay}/correct", {"plate": CAR, "reason": "车主投诉，查看照片后更正"})
    assert corrected.status == 200, corrected.body
    told = corrected.json
    assert (told["state"], told["plate_masked"], told["by_card"]) == ("OUT", "粤B***45", True)
    assert [flag["code"] for flag in told["flags"]] == ["corrected"]
    ((line_id, amount_fen),) = [(each["line_id"], each["amount_fen"]) for each in told["payments"]]
    (order,) = (await cashier.get(f"/admin/v1/orders?line_id={line_id}")).json["items"]
    body = {"lines": [{"line_id": line_id, "principal_fen": amount_fen}], "reason": "车牌识别错误，月租车不应收费"}
    asked = await cashier.post(f"/admin/v1/orders/{order['id']}/refunds", body)
    assert asked.status == 201, asked.body
    decision = f"/admin/v1/approvals/{asked.json['approval_id']}/decision"
    assert (await cashier.post(decision, {"approve": True, "note": "同意"})).status == 404
    assert (await manager.post(decision, {"approve": True, "note": "同意"})).status == 200
    await rig.work()
    shown = (await guard.get(stay)).json
    assert (shown["state"], shown["paid_fen"], shown["refunded_fen"]) == ("OUT", 1000, 1000)
    assert [each["kind"] for each in shown["events"]][-2:] == ["corrected", "refunded"]
    mine = (await sandbox_client.of(garage.play.owner.token).get("/api/v1/parking-stays")).json["items"]
    assert [(each["id"], each["refunded_fen"]) for each in mine] == [(str(session_id), 1000)]
    assert await garage.income_fen() == 0
    await rig.balanced()


async def test_a_plate_corrected_while_the_car_is_inside_is_refunded_and_leaves_by_its_card(
    garage: Garage, rig: Refunds
) -> None:
    await factories_parking.card(garage.lot)
    session_id = await paid(garage, rig)
    await factories_parking.correct(garage.lot, session_id, CAR)
    order_id = await garage.play.res.db.fetchval("SELECT id FROM payment_order")
    await rig.refunded(order_id)
    assert (await garage.lot.stay())["state"] == "IN"
    assert (await garage.lot.leaves()).open
    stay = await garage.lot.stay()
    assert (stay["state"], stay["paid_fen"], stay["refunded_fen"]) == ("OUT", 1000, 1000)
    assert await garage.income_fen() == 0
    await rig.balanced()


async def test_an_order_is_found_by_its_line_in_the_own_communities_alone(
    garage: Garage, rig: Refunds, sandbox_client: Client
) -> None:
    await paid(garage, rig)
    await garage.play.bill(100)
    line_id = await garage.play.res.db.fetchval("SELECT id FROM payment_line")
    elsewhere = await factories.community(garage.play.res)
    stranger = sandbox_client.of((await factories.staff(garage.play.res, elsewhere, "cashier")).token)
    assert (await stranger.get(f"/admin/v1/orders?line_id={line_id}")).json["items"] == []
    cashier = sandbox_client.of((await factories.staff(garage.play.res, garage.play.place, "cashier")).token)
    assert len((await cashier.get(f"/admin/v1/orders?line_id={line_id}")).json["items"]) == 1
    assert (await cashier.get(f"/admin/v1/orders?line_id={elsewhere.id}")).json["items"] == []


@pytest.fixture
def lot(res: Resources, run: Run) -> Lot:
    async def make() -> Lot:
        return await factories_parking.lot(res, await factories.community(res))

    return run(make())


async def left_unpaid(lot: Lot, plate: str = MISREAD) -> UUID:
    """A car that was an hour inside and was let out unpaid."""
    await lot.arrives(plate)
    lot.res.clock.advance(timedelta(minutes=61))  # type: ignore[attr-defined]
    blind = lot.res.keyring.blind(plate, "plate")
    session_id: UUID = await lot.res.db.fetchval("SELECT id FROM parking_session WHERE plate_blind = $1", blind)
    await factories_parking.let_out(lot, session_id)
    return session_id


async def test_a_car_that_left_unpaid_owes_nothing_once_its_card_is_known(lot: Lot) -> None:
    await factories_parking.card(lot)
    session_id = await left_unpaid(lot)
    await factories_parking.correct(lot, session_id, CAR)
    stay = await lot.stay()
    assert stay["card_id"] is not None and sorted(stay["flags"]) == ["by_hand", "corrected"]
    assert await lot.res.db.fetchval("SELECT count(*) FROM parking_wildcard") == 0
    await sound(lot.res)


async def test_a_card_whose_space_was_taken_then_does_not_cover_the_corrected_stay(lot: Lot) -> None:
    await factories_parking.card(lot, (CAR, "粤B54321"))
    await lot.arrives("粤B54321")
    session_id = await left_unpaid(lot)
    await lot.leaves("粤B54321")
    await factories_parking.correct(lot, session_id, CAR)
    row = await lot.res.db.fetchrow("SELECT * FROM parking_session WHERE id = $1", session_id)
    assert row is not None and row["card_id"] is None and "left_unpaid" in row["flags"]
    await sound(lot.res)


async def test_two_stays_of_one_space_that_are_corrected_at_once_make_one_covered(lot: Lot) -> None:
    plates = [f"粤B1234{n}" for n in range(8)]
    await factories_parking.card(lot, plates)
    for n in range(8):
        await lot.arrives(f"粤A1000{n}")
    lot.res.clock.advance(timedelta(minutes=61))  # type: ignore[attr-defined]
    gone = [row["id"] for row in await lot.stays()]
    for session_id in gone:
        await factories_parking.let_out(lot, session_id)
    pairs = zip(gone, plates, strict=True)
    await asyncio.gather(*(factories_parking.correct(lot, session_id, plate) for session_id, plate in pairs))
    assert sum(row["card_id"] is not None for row in await lot.stays()) == 1


async def test_a_card_that_ended_before_the_entry_does_not_cover_the_corrected_stay(lot: Lot) -> None:
    await factories_parking.card(lot, ends_on=date(2026, 9, 1))
    session_id = await left_unpaid(lot)
    await factories_parking.correct(lot, session_id, CAR)
    assert (await lot.stay())["card_id"] is None


async def test_a_voided_stay_is_not_corrected(lot: Lot) -> None:
    await lot.arrives()
    session_id = (await lot.stay())["id"]
    await factories_parking.void(lot, session_id)
    with pytest.raises(Conflict) as refused:
        await factories_parking.correct(lot, session_id, MISREAD)
    assert refused.value.code == "voided"
