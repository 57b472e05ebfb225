"""The two cashiers: orders placed from the phone, taps on 支付 in WeChat and Alipay, what becomes of the order."""

import re
from dataclasses import dataclass
from typing import Any

from demo.people import Resident
from demo.stage import Stage
from demo.web import Unexpected

PAY_BUTTON = re.compile(r'action="(/cashier/alipay/[^"]+/pay)"')


@dataclass(frozen=True, slots=True)
class Placed:
    """An order as the phone got it, its number at the channel as staff see it, and the address of 支付."""

    id: str
    amount_fen: int
    out_trade_no: str
    pay_path: str


def place(stage: Stage, payer: Resident, bills: list[dict[str, Any]], **way: str) -> Placed:
    """An order for the bills, by WeChat where `way` says nothing else."""
    made = payer.web.post("/api/v1/payments", {"bill_ids": [bill["id"] for bill in bills], **way})
    return placed(stage, made, sum(bill["due_fen"] for bill in bills))


def placed(stage: Stage, made: dict[str, Any], wanted_fen: int) -> Placed:
    """What the answer to a new order says."""
    stage.expect("支付单的金额", made["amount_fen"], wanted_fen)
    number = attempt(stage, made["payment_id"])["out_trade_no"]
    if made["qr_text"]:
        path = f"/cashier/alipay/{made['qr_text'].rsplit('/', 1)[-1]}"
    else:
        parameters = made["request_payment"]
        names = ["nonceStr", "package", "paySign", "signType", "timeStamp"]
        stage.expect("交给 wx.requestPayment 的参数", sorted(parameters), names)
        path = f"/cashier/{parameters['package'].removeprefix('prepay_id=')}"
    return Placed(made["payment_id"], wanted_fen, number, f"{path}/pay")


def attempt(stage: Stage, order_id: str) -> dict[str, Any]:
    """The order's only attempt, as the cashier sees it."""
    attempts = stage.staff["cashier"].get(f"/admin/v1/orders/{order_id}")["attempts"]
    stage.expect("支付单的支付尝试数", len(attempts), 1)
    found: dict[str, Any] = attempts[0]
    return found


def tap_pay(stage: Stage, order: Placed) -> None:
    """The payer opens the cashier (scans the code) and taps 支付."""
    stage.sandbox.ask("GET", order.pay_path.removesuffix("/pay"))
    tap(stage, order.pay_path)


def tap(stage: Stage, path: str) -> None:
    """The button 支付 of a cashier."""
    page = stage.sandbox.ask("POST", path)
    if page.status != 200 or "支付成功" not in page.body.decode():
        raise Unexpected("沙箱的收银台没有收下这笔支付")


def state(payer: Resident, order: Placed) -> str:
    """How the order stands, as its payer sees it."""
    return str(payer.web.get(f"/api/v1/payments/{order.id}")["state"])


def when_paid(stage: Stage, payer: Resident, order: Placed, *, door: str = "callback") -> None:
    """Wait until the order is paid, and see which door it came through."""
    stage.wait("支付单变为已支付", lambda: True if state(payer, order) == "PAID" else None)
    stage.expect("得知支付成功的途径", attempt(stage, order.id)["settled_by"], door)
    stage.told += payer.follows


def pay(stage: Stage, payer: Resident, bills: list[dict[str, Any]], **way: str) -> Placed:
    """From the order to the paid bill."""
    order = place(stage, payer, bills, **way)
    tap_pay(stage, order)
    when_paid(stage, payer, order)
    return order


def open_bills(resident: Resident) -> list[dict[str, Any]]:
    """What the resident sees as unpaid, by title."""
    found = resident.web.get("/api/v1/bills?state=open")["items"]
    return sorted(found, key=lambda bill: (bill["title"], bill["house_label"]))
