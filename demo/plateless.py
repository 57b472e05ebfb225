"""The car without a plate on the day at the gate: its driver scans the lanes' codes, to come in, to pay, to go out."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import urlencode

from demo import cashier, gate
from demo.cashier import PAY_BUTTON
from demo.gate import PLATELESS, Gate
from demo.scanning import FIELD, LEADS_TO
from demo.stage import Stage, yuan
from demo.web import Unexpected

SUM = re.compile(r'<p class="sum">([\d.]+) 元</p>')


@dataclass(frozen=True, slots=True)
class Driver:
    """A phone's browser without any login: the cookie that the entry's page has given it."""

    cookie: str


def code(stage: Stage, there: Gate, lane_id: str) -> str:
    """The code that the manager prints for a lane."""
    path = f"/admin/v1/parking-lots/{there.lot_id}/lanes/{lane_id}/scan-code"
    return str(stage.manager.get(path)["scan_code"])


def come_in(stage: Stage, there: Gate) -> Driver:
    """The camera has seen a car without a plate at the entry; its driver scans and presses."""
    page = f"/p/lanes/{code(stage, there, there.lane_in)}"
    shown = stage.api.ask("GET", page)
    driver = Driver(shown.cookie)
    stage.expect("入口码页面上的进场按钮", "进场</button>" in shown.body.decode(), True)
    begun = stage.api.ask("POST", f"{page}/enter", raw=b"", cookie=driver.cookie).body.decode()
    stage.expect("无牌车扫码进场", "您的无牌车已进场" in begun, True)
    stage.expect("入口相机收到扫码进场的开闸指令", gate.poll(stage, there).opens, True)
    again = stage.api.ask("POST", f"{page}/enter", raw=b"", cookie=Driver("linli_driver=" + "0" * 32).cookie)
    stage.expect("同车乘客再扫一次", (again.status, "现在没有无牌车停在这个入口" in again.body.decode()), (409, True))
    return driver


def go_out(stage: Stage, there: Gate, driver: Driver, stay: dict[str, Any], *, owed_fen: int) -> int:
    """At the exit the same phone scans, finds its own car, and pays; the barrier opens. What was paid, in fen."""
    seen = gate.leave(stage, there, None)
    stage.expect("出口的显示", (seen.opens, "无牌车请扫码" in seen.lines), (False, True))
    page = f"/p/lanes/{code(stage, there, there.lane_out)}"
    stranger = stage.api.ask("GET", page).body.decode()
    stage.expect("别人的手机扫出口码，看不到这辆车", "没有查到停在这个出口的车" in stranger, True)
    shown = stage.api.ask("GET", page, cookie=driver.cookie).body.decode()
    amount = SUM.search(shown)
    stage.expect("出口码页面上的停车费", amount and amount.group(1), yuan(owed_fen).removesuffix(" 元"))
    fields = dict(FIELD.findall(shown.split("</form>")[0]))
    form = urlencode({**fields, "method": "wap"}).encode()
    leading = LEADS_TO.search(stage.api.ask("POST", f"{page}/orders", raw=form, cookie=driver.cookie).body.decode())
    if leading is None:
        raise Unexpected("出口码页面没有给出付款页的地址")
    channel_page = stage.sandbox.ask("GET", unescape(leading.group(1)).removeprefix(stage.sandbox.url))
    button = PAY_BUTTON.search(channel_page.body.decode())
    if button is None:
        raise Unexpected("支付宝的付款页没有打开")
    with ThreadPoolExecutor(1) as waiting:
        command = waiting.submit(gate.obey, stage, there.exit)
        cashier.tap(stage, button.group(1))
        stage.expect("扫码付费之后出口道闸的指令", command.result(), "open")
    stage.moved("无牌车扫码付费之后", clearing=owed_fen, parking_income=-owed_fen)

    def left() -> bool | None:
        now = stage.staff["guard"].get(f"/admin/v1/parking-stays/{stay['id']}")
        return True if (now["state"], now["paid_fen"]) == ("OUT", owed_fen) else None

    stage.wait(f"{PLATELESS}离场", left)
    return owed_fen
