"""Acts 7 and 8: money goes back, by two people or by itself: a refund on request, and a bill that was paid twice."""

from typing import Any

from demo import cashier, people
from demo.binding import Household
from demo.cashier import Placed
from demo.people import Resident
from demo.stage import Stage, yuan

# A cashier approves no refunds at all; a manager none of his own.
ALONE = {"cashier": (404, "not_found"), "manager": (403, "second_person_required")}
AGREED = {"approve": True, "note": "与住户核对无误，同意"}


def give_back(
    stage: Stage,
    order: Placed,
    reason: str,
    parts: list[dict[str, Any]] | None = None,
    *,
    asker: str = "cashier",
    approver: str = "manager",
) -> dict[str, Any]:
    """One asks and may not decide, another approves; the refund once the channel has paid it."""
    asked = stage.staff[asker].post(f"/admin/v1/orders/{order.id}/refunds", {"lines": parts, "reason": reason})
    path = f"/admin/v1/approvals/{asked['approval_id']}/decision"
    alone = stage.staff[asker].ask("POST", path, AGREED)
    stage.expect("自己审批自己申请的退款", (alone.status, alone.code), ALONE[asker])
    stage.moved("申请退款之后")
    stage.staff[approver].post(path, AGREED)
    return when_done(stage, asked["refund_id"])


def when_done(stage: Stage, refund_id: str) -> dict[str, Any]:
    """The refund once it has succeeded."""

    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = stage.staff["cashier"].get(f"/admin/v1/refunds/{refund_id}")
        return found if found["state"] == "SUCCEEDED" else None

    return stage.wait("退款到账", look)


def parts_of(stage: Stage, order: Placed, number: int) -> list[dict[str, Any]]:
    """Some of an order's lines, whole, as a refund names them."""
    lines = stage.staff["cashier"].get(f"/admin/v1/orders/{order.id}")["lines"][:number]
    names = ("principal_fen", "late_fee_fen")
    return [{"line_id": line["id"], **{name: line[name] for name in names}} for line in lines]


def play(stage: Stage, home: Household, order: Placed) -> None:
    """One of the owner's three bills was paid by mistake and goes back."""
    stage.chapter("申请退款")
    owner = people.again(stage, home.owner)
    parts = parts_of(stage, order, 1)
    back_fen = sum(part["principal_fen"] + part["late_fee_fen"] for part in parts)
    done = give_back(stage, order, "业主要求改由另一账户支付", parts)
    stage.expect("退款金额", done["amount_fen"], back_fen)
    there = stage.control("GET", f"/refunds/{stage.data['mchid']}/{done['out_refund_no']}")
    stage.expect("微信支付账上的退款", (there["amount_fen"], there["state"]), (back_fen, "SUCCESS"))
    stage.moved("微信退款之后", receivable=back_fen, clearing=-back_fen)
    owed = cashier.open_bills(owner)
    stage.expect("退款后重新欠着的账单", [bill["due_fen"] for bill in owed], [back_fen])
    stage.tell(
        f"收费员为{owner.name}申请退回一笔 {yuan(back_fen)}；她自己审批被拒绝，项目经理同意后，微信支付原路退回。"
    )
    stage.tell("这笔账单重新变为未缴，账簿里应收账款加回同样的金额。")
    again = cashier.pay(stage, owner, owed)
    stage.moved("再次支付之后", clearing=again.amount_fen, receivable=-again.amount_fen)
    stage.tell(f"{owner.name}随后重新支付了这笔账单。")


def play_second_payment(stage: Stage, payer: Resident) -> None:
    """Two cashiers stand open for one bill, and both take money: the second goes back by itself."""
    stage.chapter("同一笔账单付了两次")
    (bill, *_) = cashier.open_bills(payer)
    by_wechat = cashier.place(stage, payer, [bill])
    by_alipay = cashier.place(stage, payer, [bill], channel="alipay", method="precreate")
    cashier.tap_pay(stage, by_alipay)
    cashier.when_paid(stage, payer, by_alipay)
    stage.moved("支付宝支付之后", clearing=bill["due_fen"], receivable=-bill["due_fen"])
    stage.control("PUT", "/hostile", {"pay_after_close": 1})
    cashier.tap_pay(stage, by_wechat)

    def look() -> dict[str, Any] | None:
        found = stage.staff["cashier"].get("/admin/v1/refunds?state=SUCCEEDED")["items"]
        return next((each for each in found if each["automatic"] and each["total_fen"] == bill["due_fen"]), None)

    back = stage.wait("第二笔自动退回", look)
    stage.expect("自动退回的金额和渠道", (back["amount_fen"], back["channel"]), (bill["due_fen"], "wechat"))
    stage.moved("自动退回之后")
    found = stage.staff["cashier"].get(f"/admin/v1/differences/{back['difference_id']}")
    kept = ("kind", "state", "booked_fen", "out_trade_no")
    wanted = ("late_payment", "AUTO_RESOLVED", bill["due_fen"], by_wechat.out_trade_no)
    stage.expect("重复支付的差异", tuple(found[name] for name in kept), wanted)
    stage.tell(f"{payer.name}打开了微信收银台，又改用支付宝扫码；系统先向微信关单，支付宝付款成功。")
    stage.tell(
        f"微信那边仍然收下了他的 {yuan(bill['due_fen'])}：系统认出账单已缴清，"
        "记为差异，向微信核实后自动原路退回，账簿一分不变。"
    )
