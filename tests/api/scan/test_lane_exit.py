"""The page behind an exit's code: whoever scans it pays for the car that stands there, or for a plate (D8)."""

import html
import re
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest

from backend.kernel.audit import Actor
from payments import pauses
from tests import factories, factories_counter, factories_parking
from tests.api.scan.test_scan_page import ALIPAY, SAFARI, WECHAT, forms, look, press
from tests.api.scan.test_scan_wechat import Phone, official_account, phone_of
from tests.conftest import Answered, Client, Run
from tests.factories_alipay import Alipay
from tests.factories_parking import CAR, Lot
from tests.factories_payments import Stage, sound

MASKED = "粤B***45"


@dataclass
class Exit:
    """A lot whose exit has a code."""

    play: Stage
    client: Client
    lot: Lot
    page: str

    async def look(self, agent: str = SAFARI) -> str:
        shown = await look(self.client, f"/p/{self.page}", agent)
        assert shown.status == 200, shown.body.decode()
        return shown.body.decode()

    async def asks(self, plate: str, agent: str = SAFARI, payer: str = "") -> Answered:
        raw = urlencode({"plate": plate, "payer": payer}).encode()
        return await self.client.call("POST", f"/p/{self.page}/plate", raw=raw, headers={"User-Agent": agent})

    async def pays(self, shown: Answered, method: str, agent: str = SAFARI) -> Answered:
        (form, *_) = forms(shown)
        return await press(self.client, self.page, method, agent, quote_id=form["quote_id"], payer=form["payer"])


@pytest.fixture
def gate(play: Stage, sandbox_client: Client, run: Run) -> Exit:
    async def make() -> Exit:
        lot = await factories_parking.lot(play.res, play.place)
        return Exit(play, sandbox_client, lot, f"lanes/{await code_of(play, lot.lane_out)}")

    return run(make())


async def code_of(play: Stage, lane_id: UUID) -> str:
    return str(await play.res.db.fetchval("SELECT scan_code FROM parking_lane WHERE id = $1", lane_id))


async def at_the_exit(gate: Exit) -> UUID:
    """A car that came an hour ago, and waits at the exit for 10 yuan to be paid."""
    await gate.lot.arrives()
    await gate.play.later(minutes=61)
    assert (await gate.lot.leaves()).lines[0] == "请缴费10.00元"
    return UUID(str((await gate.lot.stay())["id"]))


async def test_the_page_shows_what_the_car_at_the_exit_owes_and_why(gate: Exit, with_alipay: Alipay) -> None:
    await at_the_exit(gate)
    shown = await look(gate.client, f"/p/{gate.page}", SAFARI)
    text = shown.body.decode()
    assert MASKED in text and CAR not in text
    assert "= 10.00 元</span><span>10.00 元" in text
    assert re.search(r"进场时间：\d+月\d+日 \d\d:\d\d", text)
    assert forms(shown)[0]["method"] == "h5 wap"
    assert "form-action 'self'" in shown.headers["Content-Security-Policy"]


async def test_in_alipay_the_car_at_the_exit_is_paid_for_and_the_barrier_opens(gate: Exit, with_alipay: Alipay) -> None:
    session_id = await at_the_exit(gate)
    shown = await look(gate.client, f"/p/{gate.page}", ALIPAY)
    assert forms(shown)[0]["method"] == "wap"
    leaving = await gate.pays(shown, "wap", ALIPAY)
    url = html.unescape(re.search(r'href="(http[^"]*gateway[^"]*)"', leaving.body.decode())[1])  # type: ignore[index]
    assert await with_alipay.visit(url) in (200, 302)
    order_id = await gate.play.res.db.fetchval("SELECT id FROM payment_order")
    assert await gate.lot.commands() == []
    await with_alipay.pays(order_id)
    await with_alipay.deliver()
    (command,) = await gate.lot.commands()
    assert (command["device_id"], command["subject"]) == (gate.lot.camera_out.id, f"parking_session:{session_id}")
    assert "停车费已支付" in await gate.look()
    await factories_parking.obey(gate.play.res, gate.lot.camera_out)
    await factories_counter.work_all(gate.play)
    stay = await gate.lot.stay()
    assert (stay["state"], stay["paid_fen"], stay["exit_lane_id"]) == ("OUT", 1000, gate.lot.lane_out)
    assert "没有查到停在这个出口的车" in await gate.look()
    await sound(gate.play.res)


async def test_in_wechat_whoever_scans_logs_in_silently_and_pays(gate: Exit) -> None:
    await at_the_exit(gate)
    await official_account(gate.play)
    phone = await phone_of(gate.play, gate.client)
    shown = await phone.opens(gate.page)
    assert forms(shown)[0]["method"] == "jsapi" and phone.openid not in shown.body.decode()
    cashier = await gate.pays(shown, "jsapi", WECHAT)
    assert cashier.status == 200 and "返回停车页面" in cashier.body.decode()
    order_id = await gate.play.res.db.fetchval("SELECT id FROM payment_order")
    assert (await gate.play.attempt(order_id))["request"]["payer_openid"] == phone.openid
    await gate.play.user_pays(order_id)
    await gate.play.deliver()
    assert (await gate.lot.stay())["state"] == "PAID" and len(await gate.lot.commands()) == 1
    await gate.play.balanced()


async def test_a_payer_of_another_lane_s_page_is_nobody_here(gate: Exit) -> None:
    await at_the_exit(gate)
    await official_account(gate.play)
    phone = await phone_of(gate.play, gate.client)
    elsewhere = forms(await phone.opens(f"lanes/{await code_of(gate.play, gate.lot.lane_in)}"))[0]["payer"]
    (form, *_) = forms(await Phone(gate.play, gate.client, phone.user_id, phone.openid).opens(gate.page))
    refused = await press(
        gate.client, gate.page, "jsapi", WECHAT, quote_id=form["quote_id"], payer=elsewhere
    )  # fmt: skip
    assert refused.status == 403 and await gate.play.count("payment_order") == 0


async def test_without_a_car_there_a_typed_plate_is_paid_for_and_no_barrier_opens(gate: Exit) -> None:
    await gate.lot.arrives()
    await gate.play.later(minutes=61)
    assert "没有查到停在这个出口的车" in await gate.look()
    shown = await gate.asks("粤b·12345")
    assert MASKED in shown.body.decode()
    assert (await gate.pays(shown, "h5")).status == 200
    order_id = await gate.play.res.db.fetchval("SELECT id FROM payment_order")
    await gate.play.user_pays(order_id)
    await gate.play.deliver()
    assert (await gate.lot.stay())["state"] == "PAID" and await gate.lot.commands() == []
    paid = (await gate.asks(CAR)).body.decode()
    assert "停车费已支付，请在" in paid and "不要重复支付" in paid
    assert (await gate.lot.leaves()).open
    await gate.play.balanced()


async def test_a_plate_that_is_not_inside_or_none_is_told_so(gate: Exit) -> None:
    away = await gate.asks("粤B99999")
    assert away.status == 409 and "这辆车现在不在停车场内，请核对车牌号。" in away.body.decode()
    for nonsense in ("", "x", "无牌", "<script>"):
        refused = await gate.asks(nonsense)
        assert refused.status == 422 and "<script>" not in refused.body.decode()


async def test_the_last_car_that_the_camera_saw_is_the_one_that_stands_there(gate: Exit) -> None:
    await gate.lot.arrives("粤B55555")
    await at_the_exit_of(gate, CAR)
    assert MASKED in await gate.look()
    await gate.lot.leaves("粤B55555")
    text = await gate.look()
    assert "粤B***55" in text and MASKED not in text
    await gate.lot.leaves(None)
    assert "没有查到停在这个出口的车" in await gate.look()


async def at_the_exit_of(gate: Exit, plate: str) -> None:
    await gate.lot.arrives(plate)
    await gate.play.later(minutes=61)
    await gate.lot.leaves(plate)


async def test_a_car_that_turned_back_or_stood_there_long_ago_does_not_stand_there(gate: Exit) -> None:
    await at_the_exit(gate)
    await gate.lot.see(gate.lot.camera_out, factories_parking.turned_back(gate.play.res))
    assert "没有查到停在这个出口的车" in await gate.look()
    await gate.lot.leaves()
    assert MASKED in await gate.look()
    await gate.play.later(minutes=11)
    assert "没有查到停在这个出口的车" in await gate.look()


async def test_when_nothing_is_due_the_page_says_so(gate: Exit) -> None:
    await gate.lot.arrives()
    text = (await gate.asks(CAR)).body.decode()
    assert "现在无需付费。出口识别到车牌后自动抬杆" in text and "quote_id" not in text
    assert await gate.play.count("parking_quote") == 0


async def test_an_expired_quote_is_refused_and_the_page_has_a_new_one(gate: Exit) -> None:
    await at_the_exit(gate)
    shown = await look(gate.client, f"/p/{gate.page}")
    await gate.play.later(minutes=11)
    await gate.lot.leaves()
    refused = await gate.pays(shown, "h5")
    assert refused.status == 409 and "报价已过期，请重新查询费用。" in refused.body.decode()
    again = await look(gate.client, f"/p/{gate.page}")
    assert forms(again)[0]["quote_id"] != forms(shown)[0]["quote_id"]
    assert (await gate.pays(again, "h5")).status == 200


async def test_a_stay_that_is_paid_already_is_not_paid_again(gate: Exit) -> None:
    session_id = await at_the_exit(gate)
    shown = await look(gate.client, f"/p/{gate.page}")
    counter = await factories_counter.counter(gate.play)
    await factories_parking.take_cash(counter, session_id, amount_fen=1000)
    refused = await gate.pays(shown, "h5")
    assert refused.status == 409 and "停车费已经支付，无需重复支付。" in refused.body.decode()
    assert (await gate.lot.stay())["paid_fen"] == 1000


async def test_while_collection_is_paused_the_page_says_where_to_pay(gate: Exit) -> None:
    await at_the_exit(gate)
    before = await look(gate.client, f"/p/{gate.page}")

    boss = Actor("staff", uuid4())
    await gate.play.res.db.transact(
        lambda tx: pauses.pause(
            tx, boss, company_id=gate.play.place.company_id, community_id=gate.play.place.id, reason="换商户号"
        )
    )
    text = await gate.look()
    assert "线上缴费暂停中" in text and 'name="method"' not in text
    refused = await gate.pays(before, "h5")
    assert refused.status == 409 and "线上缴费暂停中" in refused.body.decode()


async def test_a_quote_of_another_lot_is_not_paid_here(gate: Exit) -> None:
    other = await factories_parking.lot(gate.play.res, gate.play.place, code="P2")
    await at_the_exit(gate)
    shown = await look(gate.client, f"/p/{gate.page}")
    elsewhere = f"lanes/{await code_of(gate.play, other.lane_out)}"
    quote_id = forms(shown)[0]["quote_id"]
    for at, named in ((elsewhere, quote_id), (gate.page, str(uuid4())), (gate.page, "x"), (gate.page, "")):
        assert (await press(gate.client, at, "h5", quote_id=named)).status == 400
    assert await gate.play.count("payment_order") == 0


async def test_unknown_replaced_and_malformed_codes_get_one_and_the_same_page(gate: Exit) -> None:
    manager = gate.client.of((await factories.staff(gate.play.res, gate.play.place, "manager")).token)
    path = f"/admin/v1/parking-lots/{gate.lot.id}/lanes/{gate.lot.lane_out}/scan-code"
    told = await manager.get(path)
    assert told.json["url"] == f"{gate.play.res.settings.public_url}/p/{gate.page}"
    assert (await manager.get(f"{path}.svg")).body.startswith(b"<svg")
    replaced = await manager.post(path, {"reason": "车道码被人替换"})
    assert replaced.status == 200 and replaced.json["scan_code"] != told.json["scan_code"]
    row = await gate.play.res.db.fetchrow("SELECT * FROM audit_entry WHERE action = 'parking.scan_code_replaced'")
    assert row is not None and (row["reason"], row["target"]) == ("车道码被人替换", f"parking_lane:{gate.lot.lane_out}")
    entry = f"lanes/{await code_of(gate.play, gate.lot.lane_in)}"
    new = f"lanes/{replaced.json['scan_code']}"
    pages = [await look(gate.client, f"/p/{each}") for each in (gate.page, f"lanes/{'0' * 32}", "lanes/x", "lanes/%00")]
    pages += [
        await press(gate.client, gate.page, "h5", quote_id=str(uuid4())),
        await press(gate.client, entry, "h5", quote_id=str(uuid4())),
        await gate.client.call("POST", f"/p/{new}/enter", raw=b""),
        await gate.client.call("POST", f"/p/{entry}/leave", raw=b""),
    ]
    assert {page.status for page in pages} == {404} and len({page.body for page in pages}) == 1
    assert "车道码已失效" in pages[0].body.decode()
    assert (await look(gate.client, f"/p/{new}")).status == 200


async def test_one_address_asks_for_plates_only_so_often(gate: Exit) -> None:
    statuses = [(await gate.asks(f"粤B{n:05d}")).status for n in range(20)]
    assert set(statuses) == {409, 429} and statuses[:12] == [409] * 12


async def test_a_part_that_was_paid_before_is_shown_as_such(gate: Exit) -> None:
    await gate.lot.arrives()
    await gate.play.later(minutes=61)
    counter = await factories_counter.counter(gate.play)
    asked = await gate.lot.quote()
    await factories_parking.take_cash(counter, asked.session_id, amount_fen=1000)
    await gate.play.later(minutes=70)
    await gate.lot.leaves()
    text = await gate.look()
    assert "此前已付</span><span>-10.00 元" in text and '<p class="sum">5.00 元' in text
