"""A car without a plate comes in and goes out by scanning the lanes' codes, in any browser (D8)."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest

from tests import factories, factories_counter, factories_parking
from tests.api.scan.test_lane_exit import code_of
from tests.api.scan.test_scan_page import SAFARI, WECHAT, forms
from tests.api.scan.test_scan_wechat import Phone, official_account, phone_of
from tests.conftest import Answered, Client, Run
from tests.factories_parking import Lot
from tests.factories_payments import Stage


@dataclass
class Driver:
    """A phone outside of WeChat, which keeps the cookie that it was given."""

    client: Client
    cookie: str = ""

    async def look(self, page: str) -> Answered:
        shown = await self.client.get(f"/p/{page}", headers={"User-Agent": SAFARI, "Cookie": self.cookie})
        if "Set-Cookie" in shown.headers:
            self.cookie = shown.headers["Set-Cookie"].split(";")[0]
        return shown

    async def press(self, page: str, act: str, **fields: Any) -> Answered:
        headers = {"User-Agent": SAFARI, "Cookie": self.cookie}
        return await self.client.call("POST", f"/p/{page}/{act}", raw=urlencode(fields).encode(), headers=headers)


@dataclass
class Gates:
    """A lot, both of its lanes with a code."""

    play: Stage
    client: Client
    lot: Lot
    entry: str
    exit: str
    driver: Driver = field(init=False)

    def __post_init__(self) -> None:
        self.driver = Driver(self.client)

    async def comes_in(self, driver: Driver) -> Answered:
        """A car without a plate at the entry, whose driver scans and presses."""
        assert not (await self.lot.arrives(None)).open
        await driver.look(self.entry)
        return await driver.press(self.entry, "enter")

    async def pays(self, driver: Driver) -> None:
        """The driver scans at the exit and pays there by WeChat's page."""
        (form, *_) = forms(await driver.look(self.exit))
        assert (await driver.press(self.exit, "orders", method="h5", **pick(form))).status == 200
        order_id = await self.play.res.db.fetchval("SELECT id FROM payment_order ORDER BY id DESC LIMIT 1")
        await self.play.user_pays(order_id)
        await self.play.deliver()


def pick(form: dict[str, str]) -> dict[str, str]:
    return {"quote_id": form["quote_id"], "payer": form["payer"]}


@pytest.fixture
def gates(play: Stage, sandbox_client: Client, run: Run) -> Gates:
    async def make() -> Gates:
        lot = await factories_parking.lot(play.res, play.place)
        entry, leaving = await code_of(play, lot.lane_in), await code_of(play, lot.lane_out)
        return Gates(play, sandbox_client, lot, f"lanes/{entry}", f"lanes/{leaving}")

    return run(make())


async def test_a_car_without_a_plate_comes_in_pays_and_goes_out_by_scanning(gates: Gates) -> None:
    begun = await gates.comes_in(gates.driver)
    assert begun.status == 200 and "您的无牌车已进场" in begun.body.decode()
    (opened,) = await gates.lot.commands()
    assert (opened["device_id"], opened["subject"]) == (gates.lot.camera_in.id, f"parking_lane:{gates.lot.lane_in}")
    stay = await gates.lot.stay()
    assert (stay["state"], stay["flags"], stay["plate_blind"]) == ("IN", ["plateless"], None)
    assert stay["entry_tariff_id"] is not None and stay["entry_lane_id"] == gates.lot.lane_in
    await gates.play.later(minutes=61)
    await gates.lot.leaves(None)
    await gates.pays(gates.driver)
    stay = await gates.lot.stay()
    assert (stay["state"], stay["paid_fen"], stay["waiting_lane_id"]) == ("PAID", 1000, gates.lot.lane_out)
    await factories_parking.obey(gates.play.res, gates.lot.camera_out)
    await factories_counter.work_all(gates.play)
    stay = await gates.lot.stay()
    assert (stay["state"], stay["exit_lane_id"]) == ("OUT", gates.lot.lane_out)
    assert await gates.lot.events() == ["entered", "quoted", "paid", "left"]
    await gates.play.balanced()


async def test_who_has_driven_in_is_known_to_his_own_phone_alone(gates: Gates) -> None:
    await gates.comes_in(gates.driver)
    await gates.play.later(minutes=61)
    assert "无牌车" in (await gates.driver.look(gates.exit)).body.decode()
    neighbour = Driver(gates.client)
    await neighbour.look(gates.entry)
    other = await neighbour.look(gates.exit)
    assert "没有查到停在这个出口的车" in other.body.decode() and "进场时间" not in other.body.decode()
    cookie = (await Driver(gates.client).look(gates.entry)).headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/p/lanes/" in cookie
    secret = gates.driver.cookie.split("=")[1]
    kept = await gates.play.res.db.fetch("SELECT * FROM parking_scanned_entry")
    assert len(kept) == 1 and secret not in repr(dict(kept[0].items()))


async def test_in_wechat_the_driver_is_whom_wechat_names(gates: Gates) -> None:
    await official_account(gates.play)
    phone = await phone_of(gates.play, gates.client)
    await gates.lot.arrives(None)
    (form,) = forms(await phone.opens(gates.entry))
    raw = urlencode({"payer": form["payer"]}).encode()
    begun = await gates.client.call("POST", f"/p/{gates.entry}/enter", raw=raw, headers={"User-Agent": WECHAT})
    assert begun.status == 200
    await gates.play.later(minutes=61)
    await gates.lot.leaves(None)
    shown = await Phone(gates.play, gates.client, phone.user_id, phone.openid).opens(gates.exit)
    (form, *_) = forms(shown)
    assert "无牌车" in shown.body.decode() and form["method"] == "jsapi"
    paying = urlencode({"method": "jsapi", **pick(form)}).encode()
    sent = await gates.client.call("POST", f"/p/{gates.exit}/orders", raw=paying, headers={"User-Agent": WECHAT})
    assert sent.status == 200
    await gates.play.user_pays(await gates.play.res.db.fetchval("SELECT id FROM payment_order"))
    await gates.play.deliver()
    assert [row["device_id"] for row in await gates.lot.commands()] == [gates.lot.camera_in.id, gates.lot.camera_out.id]
    stranger = await (await phone_of(gates.play, gates.client)).opens(gates.exit)
    assert "停车费已支付" in stranger.body.decode(), "the car that stands there is anybody's to see"
    await gates.play.balanced()


@pytest.mark.parametrize(
    "before", ["nothing", "long ago", "a plate", "a plate that was refused", "turned back", "told late"]
)
async def test_nobody_comes_in_without_a_car_that_stands_at_the_entry(gates: Gates, before: str) -> None:
    if before == "long ago":
        await gates.lot.arrives(None)
        await gates.play.later(minutes=4)
    elif before == "a plate":
        await gates.lot.arrives(None)
        await gates.lot.arrives("粤B00001")
    elif before == "a plate that was refused":
        await gates.play.res.db.execute("UPDATE parking_lot SET spaces = 0")
        assert not (await gates.lot.arrives("粤B00001")).open
        await gates.play.res.db.execute("UPDATE parking_lot SET spaces = 100")
    elif before == "turned back":
        await gates.lot.arrives(None)
        await gates.lot.see(gates.lot.camera_in, factories_parking.turned_back(gates.play.res))
    elif before == "told late":
        await gates.lot.arrives(None, ago=factories_parking.HOUR)
    inside = len(await gates.lot.stays())
    await gates.driver.look(gates.entry)
    refused = await gates.driver.press(gates.entry, "enter")
    assert refused.status == 409 and "现在没有无牌车停在这个入口" in refused.body.decode()
    assert len(await gates.lot.stays()) == inside and await gates.lot.commands() == []


async def test_pressed_again_it_is_the_same_stay_and_the_barrier_opens_once(gates: Gates) -> None:
    await gates.comes_in(gates.driver)
    again = await gates.driver.press(gates.entry, "enter")
    assert again.status == 200 and "您的无牌车已进场" in again.body.decode()
    assert "您的无牌车已进场" in (await gates.driver.look(gates.entry)).body.decode()
    assert len(await gates.lot.stays()) == 1 and len(await gates.lot.commands()) == 1


async def test_one_car_lets_in_one_driver_also_when_the_camera_sees_it_twice(gates: Gates) -> None:
    await gates.comes_in(gates.driver)
    passenger = Driver(gates.client)
    await passenger.look(gates.entry)
    assert (await passenger.press(gates.entry, "enter")).status == 409
    await gates.play.later(seconds=20)
    await gates.lot.arrives(None)
    assert (await passenger.press(gates.entry, "enter")).status == 409
    await gates.play.later(seconds=20)
    await gates.lot.arrives(None)
    assert (await passenger.press(gates.entry, "enter")).status == 200, "the next car"
    assert len(await gates.lot.stays()) == 2


async def test_who_has_a_car_inside_does_not_begin_anew_and_owe_less(gates: Gates) -> None:
    await gates.comes_in(gates.driver)
    await gates.play.later(hours=30)
    refused = await gates.comes_in(gates.driver)
    assert refused.status == 409 and "您还有一辆无牌车在场内" in refused.body.decode()
    assert len(await gates.lot.stays()) == 1


async def test_a_full_lot_and_a_browser_without_a_cookie_are_refused(gates: Gates) -> None:
    await gates.lot.arrives(None)
    stranger = await Driver(gates.client).press(gates.entry, "enter")
    assert stranger.status == 403 and "请重新扫码" in stranger.body.decode()
    await gates.play.res.db.execute("UPDATE parking_lot SET spaces = 0")
    await gates.driver.look(gates.entry)
    full = await gates.driver.press(gates.entry, "enter")
    assert full.status == 409 and "车位已满" in full.body.decode()
    assert await gates.lot.stays() == []


async def test_within_the_free_time_the_driver_presses_and_the_barrier_opens(gates: Gates) -> None:
    await gates.comes_in(gates.driver)
    await gates.play.later(minutes=20)
    assert "现在无需付费" in (await gates.driver.look(gates.exit)).body.decode()
    early = await gates.driver.press(gates.exit, "leave")
    assert early.status == 409 and "现在没有无牌车停在这个出口" in early.body.decode()
    await gates.lot.leaves(None)
    assert "一路平安" in (await gates.driver.press(gates.exit, "leave")).body.decode()
    stay = await gates.lot.stay()
    assert (stay["state"], stay["exit_lane_id"]) == ("OUT", gates.lot.lane_out)
    assert [row["device_id"] for row in await gates.lot.commands()] == [gates.lot.camera_in.id, gates.lot.camera_out.id]
    gone = await gates.driver.press(gates.exit, "leave")
    assert gone.status == 409 and "您没有在场内的停车记录" in gone.body.decode()


async def test_who_owes_does_not_leave_by_pressing(gates: Gates) -> None:
    await gates.comes_in(gates.driver)
    await gates.play.later(minutes=61)
    await gates.lot.leaves(None)
    refused = await gates.driver.press(gates.exit, "leave")
    assert refused.status == 409 and "停车费还没有付清" in refused.body.decode()
    assert (await gates.lot.stay())["state"] == "IN" and len(await gates.lot.commands()) == 1


async def test_who_paid_ahead_presses_at_the_exit_within_the_grace(gates: Gates) -> None:
    await gates.comes_in(gates.driver)
    await gates.play.later(minutes=61)
    await gates.pays(gates.driver)
    assert len(await gates.lot.commands()) == 1, "no car stands at the exit"
    await gates.play.later(minutes=5)
    await gates.lot.leaves(None)
    shown = (await gates.driver.look(gates.exit)).body.decode()
    assert re.search(r"停车费已支付，请在 \d+月\d+日 \d\d:\d\d 前出场", shown) and "出场</button>" in shown
    assert (await gates.driver.press(gates.exit, "leave")).status == 200
    assert (await gates.lot.stay())["state"] == "OUT" and len(await gates.lot.commands()) == 2
    await gates.play.balanced()


async def test_a_car_at_the_exit_lets_one_driver_out(gates: Gates) -> None:
    await gates.comes_in(gates.driver)
    await gates.play.later(minutes=1)
    second = Driver(gates.client)
    await gates.comes_in(second)
    await gates.lot.leaves(None)
    assert (await gates.driver.press(gates.exit, "leave")).status == 200
    assert (await second.press(gates.exit, "leave")).status == 409
    assert [stay["state"] for stay in await gates.lot.stays()] == ["OUT", "IN"]


async def test_a_guard_still_ends_such_a_stay(gates: Gates) -> None:
    await gates.comes_in(gates.driver)
    stay = await gates.lot.stay()
    guard = gates.client.of((await factories.staff(gates.play.res, gates.play.place, "guard")).token)
    path = f"/admin/v1/parking-lots/{gates.lot.id}/lanes/{gates.lot.lane_out}/open"
    opened = await guard.post(path, {"reason": "手机没电", "session_id": str(stay["id"]), "plate": None})
    assert opened.status == 200 and (await gates.lot.stay())["state"] == "OUT"
    assert UUID(opened.json["session_id"]) == stay["id"]
    await gates.play.later(minutes=10)
    assert (await gates.comes_in(gates.driver)).status == 200


async def test_what_left_before_by_a_clock_that_is_ahead_spends_nothing(gates: Gates) -> None:
    """Cameras' clocks are whole seconds, and differ from ours: what is compared is by one clock."""
    await gates.comes_in(gates.driver)
    await gates.lot.arrives("粤B00001")
    await gates.lot.leaves("粤B00001", at=gates.play.res.clock.now() + timedelta(seconds=30))
    await gates.lot.leaves(None, at=gates.play.res.clock.now() - timedelta(seconds=30))
    assert (await gates.driver.press(gates.exit, "leave")).status == 200
