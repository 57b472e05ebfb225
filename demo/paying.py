"""Acts 5 and 6: three bills in one order, a lost callback, a repeated, a forged and a wrong one."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from demo import cashier, days, people, roster
from demo.binding import Household
from demo.cashier import Placed
from demo.people import Resident
from demo.stage import Stage, yuan

TIPPED_FEN = 1


@dataclass(frozen=True, slots=True)
class Mishap:
    """Who has an order that nobody paid, and what was booked to suspense for it."""

    payer: Resident
    order: Placed
    suspense_fen: int


def _place_twice(stage: Stage, payer: Resident, bills: list[dict[str, Any]]) -> Placed:
    """The same order comes back when the tap is repeated."""
    body, key = {"bill_ids": [bill["id"] for bill in bills]}, f"demo-{bills[0]['id']}"
    made = payer.web.post("/api/v1/payments", body, key=key)
    again = payer.web.post("/api/v1/payments", body, key=key)
    stage.expect("重复提交得到的支付单", again["payment_id"], made["payment_id"])
    return cashier.placed(stage, made, sum(bill["due_fen"] for bill in bills))


def play(stage: Stage, home: Household, bills: list[dict[str, Any]]) -> list[Placed]:
    """Three bills at once, then one whose callback is lost; returns both orders."""
    stage.chapter("一次支付三笔账单")
    owner, family = home.owner, home.family
    mine, last = bills[:3], bills[3]
    first = _place_twice(stage, owner, mine)
    shared = [bill for bill in mine if bill["house_label"] == "8栋1单元101"]
    busy = family.web.ask("POST", "/api/v1/payments", {"bill_ids": [shared[0]["id"]]})
    stage.expect("家人同时支付同一笔账单", (busy.status, busy.code), (409, "being_paid"))
    stage.tell(f"{owner.name}把 {len(mine)} 笔账单合成一单，共 {yuan(first.amount_fen)}；重复点击得到的是同一单。")
    stage.tell(f"许静这时也想付，看到提示：{busy.json['error']['message']}")
    cashier.tap_pay(stage, first)
    cashier.when_paid(stage, owner, first, door="callback")
    stage.moved("支付三笔账单之后", clearing=first.amount_fen, receivable=-first.amount_fen)
    left = owner.web.get("/api/v1/bills?state=open")["items"]
    stage.expect("支付后剩下的未缴账单", [bill["id"] for bill in left], [last["id"]])
    stage.tell("他在收银台点了支付，微信支付的通知到达，三笔账单同时变为已缴。")

    days.pass_to(stage, stage.today() + timedelta(days=1), days.MORNING)
    stage.chapter("支付通知丢失")
    stage.control("PUT", "/hostile", {"lose_callbacks": 1})
    second = _place_twice(stage, owner, [last])
    cashier.tap_pay(stage, second)
    lost = _notification(stage, second)
    stage.expect("通知被丢失", lost["is_lost"], True)
    stage.expect("通知丢失时支付单的状态", cashier.state(owner, second), "PAYING")
    stage.advance("2m")
    cashier.when_paid(stage, owner, second, door="query")
    stage.moved("补记之后", clearing=second.amount_fen, receivable=-second.amount_fen)
    stage.tell(f"他支付最后一笔 {yuan(second.amount_fen)}，通知在路上丢了；两分钟后，后台向微信支付查询，补记成功。")
    return [first, second]


def _notification(stage: Stage, placed: Placed) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = stage.control("GET", f"/notifications?out_trade_no={placed.out_trade_no}")["notifications"]
        return found[0] if found else None

    return stage.wait("沙箱里的支付通知", look)


def play_mishaps(stage: Stage, orders: list[Placed]) -> Mishap:
    """One callback repeated, one forged, one with a wrong amount."""
    days.pass_to(stage, stage.today() + timedelta(days=3), days.MORNING)
    stage.chapter("重复的、伪造的和金额不符的通知")
    repeated = _notification(stage, orders[0])
    told = stage.control("POST", f"/notifications/{repeated['id']}/repeat")
    stage.expect("重复通知的应答", told["status"], 204)
    stage.moved("重复的通知之后")
    stage.tell("第一笔支付的通知又来了一遍：系统回复“收到”，账上一分不变。")

    payer = people.join(stage, *roster.TENANTED)
    placed = _place_twice(stage, payer, payer.web.get("/api/v1/bills?state=open")["items"][:1])
    forged = _forge(stage, placed, "bad_signature")
    stage.expect("伪造通知的应答", forged["status"], 401)
    stage.expect("伪造通知后支付单的状态", cashier.state(payer, placed), "PAYING")
    stage.moved("伪造的通知之后")
    stage.tell(f"有人伪造邻居{payer.name}已付款 {yuan(placed.amount_fen)}的通知：签名不对，被拒绝，账单仍未缴。")

    wrong_fen = placed.amount_fen + TIPPED_FEN
    accepted = _forge(stage, placed, "wrong_amount", wrong_fen)
    stage.expect("金额不符的通知的应答", accepted["status"], 204)
    found = stage.staff["cashier"].get("/admin/v1/differences?state=OPEN")["items"]
    kept = ("kind", "expected_fen", "actual_fen", "booked_fen", "out_trade_no")
    wanted = ("amount", placed.amount_fen, wrong_fen, wrong_fen, placed.out_trade_no)
    stage.expect("差异", [tuple(one[name] for name in kept) for one in found], [wanted])
    stage.moved("金额不符的通知之后", clearing=wrong_fen, suspense=-wrong_fen)
    stage.mishaps.append(stage.today())
    shown = payer.web.get(f"/api/v1/payments/{placed.id}")
    stage.expect("差异未处理时支付单的状态", (shown["state"], shown["can_cancel"]), ("PAYING", False))
    stage.tell(
        f"一条签名正确、金额却多了 {yuan(TIPPED_FEN)}的通知：记为差异，{yuan(wrong_fen)}挂在待查款项，账单不动。"
    )
    note = {"note": "与微信支付后台核对，无此笔到账，不作退款", "escalate": False}
    stage.staff["cashier"].post(f"/admin/v1/differences/{found[0]['id']}/resolve", note)
    stage.expect("待处理的差异", stage.staff["cashier"].get("/admin/v1/differences?state=OPEN")["items"], [])
    stage.tell(f"{payer.name}的手机上显示：{shown['state_text']}收费员核对后写明了结论。")
    return Mishap(payer, placed, wrong_fen)


def _forge(stage: Stage, placed: Placed, kind: str, amount_fen: int | None = None) -> Any:
    """A false callback about an order; what the system answered to it."""
    body = {"kind": kind, "mchid": stage.data["mchid"], "out_trade_no": placed.out_trade_no, "amount_fen": amount_fen}
    return stage.control("POST", "/forge", body)
