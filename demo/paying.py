"""Acts 5 and 6: three bills in one order, a lost callback, a repeated, a forged and a wrong one."""

from dataclasses import dataclass
from typing import Any

from demo import people, roster
from demo.binding import Household
from demo.people import Resident
from demo.stage import Stage, yuan
from demo.web import Unexpected

TIPPED_FEN = 1


@dataclass(frozen=True, slots=True)
class Placed:
    """An order as the phone got it, and its number at the channel as staff see it."""

    id: str
    amount_fen: int
    prepay_id: str
    out_trade_no: str


@dataclass(frozen=True, slots=True)
class Mishap:
    """Who has an order that nobody paid, and what was booked to suspense for it."""

    payer: Resident
    order: Placed
    suspense_fen: int


def _place(stage: Stage, payer: Resident, bills: list[dict[str, Any]]) -> Placed:
    body = {"bill_ids": [bill["id"] for bill in bills]}
    key = f"demo-{bills[0]['id']}"
    made = payer.web.post("/api/v1/payments", body, key=key)
    wanted_fen = sum(bill["due_fen"] for bill in bills)
    stage.expect("支付单的金额", made["amount_fen"], wanted_fen)
    again = payer.web.post("/api/v1/payments", body, key=key)
    stage.expect("重复提交得到的支付单", again["payment_id"], made["payment_id"])
    parameters = made["request_payment"]
    names = ["nonceStr", "package", "paySign", "signType", "timeStamp"]
    stage.expect("交给 wx.requestPayment 的参数", sorted(parameters), names)
    attempt = _attempt(stage, made["payment_id"])
    return Placed(
        made["payment_id"], wanted_fen, parameters["package"].removeprefix("prepay_id="), attempt["out_trade_no"]
    )


def _attempt(stage: Stage, order_id: str) -> dict[str, Any]:
    """The order's only attempt, as the cashier sees it."""
    attempts = stage.staff["cashier"].get(f"/admin/v1/orders/{order_id}")["attempts"]
    stage.expect("支付单的支付尝试数", len(attempts), 1)
    found: dict[str, Any] = attempts[0]
    return found


def _tap_pay(stage: Stage, placed: Placed) -> None:
    """The payer taps 支付 in the cashier."""
    page = stage.sandbox.ask("POST", f"/cashier/{placed.prepay_id}/pay")
    if page.status != 200 or "支付成功" not in page.body.decode():
        raise Unexpected("沙箱的收银台没有收下这笔支付")


def _state(payer: Resident, placed: Placed) -> str:
    return str(payer.web.get(f"/api/v1/payments/{placed.id}")["state"])


def _when_paid(stage: Stage, payer: Resident, placed: Placed, *, door: str) -> None:
    stage.wait("支付单变为已支付", lambda: True if _state(payer, placed) == "PAID" else None)
    stage.expect("得知支付成功的途径", _attempt(stage, placed.id)["settled_by"], door)
    stage.paid_fen += placed.amount_fen


def play(stage: Stage, home: Household, bills: list[dict[str, Any]]) -> list[Placed]:
    """Three bills at once, then one whose callback is lost; returns both orders."""
    stage.chapter("一次支付三笔账单")
    owner, family = home.owner, home.family
    mine, last = bills[:3], bills[3]
    first = _place(stage, owner, mine)
    shared = [bill for bill in mine if bill["house_label"] == "8栋1单元101"]
    busy = family.web.ask("POST", "/api/v1/payments", {"bill_ids": [shared[0]["id"]]})
    stage.expect("家人同时支付同一笔账单", (busy.status, busy.code), (409, "being_paid"))
    stage.tell(f"{owner.name}把 {len(mine)} 笔账单合成一单，共 {yuan(first.amount_fen)}；重复点击得到的是同一单。")
    stage.tell(f"许静这时也想付，看到提示：{busy.json['error']['message']}")
    _tap_pay(stage, first)
    _when_paid(stage, owner, first, door="callback")
    left = owner.web.get("/api/v1/bills?state=open")["items"]
    stage.expect("支付后剩下的未缴账单", [bill["id"] for bill in left], [last["id"]])
    stage.tell("他在收银台点了支付，微信支付的通知到达，三笔账单同时变为已缴。")

    people.pass_time(stage, "1d")
    stage.chapter("支付通知丢失")
    stage.control("PUT", "/hostile", {"lose_callbacks": 1})
    second = _place(stage, owner, [last])
    _tap_pay(stage, second)
    lost = _notification(stage, second)
    stage.expect("通知被丢失", lost["is_lost"], True)
    stage.expect("通知丢失时支付单的状态", _state(owner, second), "PAYING")
    stage.advance("2m")
    _when_paid(stage, owner, second, door="query")
    stage.tell(f"他支付最后一笔 {yuan(second.amount_fen)}，通知在路上丢了；两分钟后，后台向微信支付查询，补记成功。")
    return [first, second]


def _notification(stage: Stage, placed: Placed) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = stage.control("GET", f"/notifications?out_trade_no={placed.out_trade_no}")["notifications"]
        return found[0] if found else None

    return stage.wait("沙箱里的支付通知", look)


def play_mishaps(stage: Stage, orders: list[Placed]) -> Mishap:
    """One callback repeated, one forged, one with a wrong amount."""
    people.pass_time(stage, "3d")
    stage.chapter("重复的、伪造的和金额不符的通知")
    before = {code: stage.closing_fen(code) for code in ("receivable", "clearing", "suspense")}
    repeated = _notification(stage, orders[0])
    told = stage.control("POST", f"/notifications/{repeated['id']}/repeat")
    stage.expect("重复通知的应答", told["status"], 204)
    _same_books(stage, before, "重复的通知")
    stage.tell("第一笔支付的通知又来了一遍：系统回复“收到”，账上一分不变。")

    payer = people.join(stage, *roster.TENANTED)
    placed = _place(stage, payer, payer.web.get("/api/v1/bills?state=open")["items"][:1])
    forged = _forge(stage, placed, "bad_signature")
    stage.expect("伪造通知的应答", forged["status"], 401)
    stage.expect("伪造通知后支付单的状态", _state(payer, placed), "PAYING")
    _same_books(stage, before, "伪造的通知")
    stage.tell(f"有人伪造邻居{payer.name}已付款 {yuan(placed.amount_fen)}的通知：签名不对，被拒绝，账单仍未缴。")

    wrong_fen = placed.amount_fen + TIPPED_FEN
    accepted = _forge(stage, placed, "wrong_amount", wrong_fen)
    stage.expect("金额不符的通知的应答", accepted["status"], 204)
    found = stage.staff["cashier"].get("/admin/v1/differences?state=OPEN")["items"]
    kept = ("kind", "expected_fen", "actual_fen", "booked_fen", "out_trade_no")
    wanted = ("amount", placed.amount_fen, wrong_fen, wrong_fen, placed.out_trade_no)
    stage.expect("差异", [tuple(one[name] for name in kept) for one in found], [wanted])
    stage.expect("待查款项增加", before["suspense"] - stage.closing_fen("suspense"), wrong_fen)
    stage.expect("渠道清算增加", stage.closing_fen("clearing") - before["clearing"], wrong_fen)
    stage.expect("应收账款不变", stage.closing_fen("receivable"), before["receivable"])
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


def _same_books(stage: Stage, before: dict[str, int], after_what: str) -> None:
    for code, fen in before.items():
        stage.expect(f"{after_what}之后的科目 {code}", stage.closing_fen(code), fen)
