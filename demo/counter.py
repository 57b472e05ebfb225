"""Act 10: a shift at the counter, from the float to the bank: cash, transfer, void, count, deposit, receipt."""

from typing import Any

from demo import cashier
from demo.people import Resident
from demo.refunding import AGREED
from demo.stage import Stage, yuan

FLOAT_FEN = 50_000
OVER_FEN = 100
PART_FEN = 10_000
HANDED_FEN = 12_000
SLIP = "DEMO-0001"


def play(stage: Stage, payer: Resident, other: Resident) -> int:
    """Both pay at the counter; returns how much cash was brought to the bank."""
    stage.chapter("收费窗口")
    desk = stage.staff["cashier"]
    shift = desk.post("/admin/v1/counter/shifts", {"community_id": stage.community, "float_fen": FLOAT_FEN})
    stage.tell(f"收费员开班，备用金 {yuan(FLOAT_FEN)}。")
    voucher = _cash(stage, payer)
    _transfer(stage, other)
    voided_fen = _void(stage, other)
    _receipt(stage, payer, voucher["order_id"])
    return _close(stage, shift["id"], voided_fen)


def _due_fen(bill: dict[str, Any]) -> int:
    return int(bill["due_fen"])


def _take(stage: Stage, bill: dict[str, Any], *, method: str, voucher: str, part_fen: int, handed_fen: int) -> Any:
    body = {
        "lines": [{"kind": "bill", "id": bill["id"], "amount_fen": part_fen}], "method": method,
        "voucher_no": voucher, "amount_fen": part_fen, "received_fen": handed_fen,
    }  # fmt: skip
    return stage.staff["cashier"].ask("POST", "/admin/v1/counter/takings", body)


def _cash(stage: Stage, payer: Resident) -> dict[str, Any]:
    """Cash for a part of a bill, with change; the voucher's number cannot be used again."""
    bill = max(cashier.open_bills(payer), key=_due_fen)
    taken = _take(stage, bill, method="cash", voucher="SJ000001", part_fen=PART_FEN, handed_fen=HANDED_FEN)
    stage.expect("现金收款", (taken.status, taken.code), (201, ""))
    stage.expect("找零", taken.json["change_fen"], HANDED_FEN - PART_FEN)
    stage.moved("现金收款之后", cash=PART_FEN, receivable=-PART_FEN)
    left = next(each for each in cashier.open_bills(payer) if each["id"] == bill["id"])
    stage.expect("部分缴费后还欠", left["due_fen"], bill["due_fen"] - PART_FEN)
    again = _take(stage, left, method="cash", voucher="SJ000001", part_fen=OVER_FEN, handed_fen=OVER_FEN)
    stage.expect("凭证号第二次使用", (again.status, again.code), (409, "voucher_taken"))
    stage.moved("被拒绝的收款之后")
    stage.tell(
        f"{payer.name}先用现金缴一部分：应收 {yuan(PART_FEN)}，给了 {yuan(HANDED_FEN)}，"
        f"找零 {yuan(HANDED_FEN - PART_FEN)}，这笔账单还欠 {yuan(left['due_fen'])}。"
    )
    stage.tell(f"同一个凭证号再录一次，被拒绝：{again.json['error']['message']}")
    found: dict[str, Any] = taken.json
    return found


def _transfer(stage: Stage, payer: Resident) -> None:
    bill = max(cashier.open_bills(payer), key=_due_fen)
    due_fen = bill["due_fen"]
    taken = _take(stage, bill, method="transfer", voucher="ZZ000001", part_fen=due_fen, handed_fen=due_fen)
    stage.expect("转账收款", taken.status, 201)
    stage.moved("转账收款之后", transfer=due_fen, receivable=-due_fen)
    stage.tell(f"{payer.name}用银行转账缴清 {yuan(due_fen)}。")


def _void(stage: Stage, payer: Resident) -> int:
    """A taking for the wrong bill is voided: asked for by one, approved by another, paid out with a voucher."""
    desk, bill = stage.staff["cashier"], min(cashier.open_bills(payer), key=_due_fen)
    due_fen: int = bill["due_fen"]
    taken = _take(stage, bill, method="cash", voucher="SJ000002", part_fen=due_fen, handed_fen=due_fen).json
    stage.moved("第二笔现金收款之后", cash=due_fen, receivable=-due_fen)
    asked = desk.post(f"/admin/v1/counter/vouchers/{taken['voucher_id']}/void", {"reason": "收错房号"})
    early = desk.ask("POST", f"/admin/v1/counter/refunds/{asked['refund_id']}/pay-out", {"voucher_no": "TK000001"})
    stage.expect("未审批就付出", early.status, 409)
    stage.manager.post(f"/admin/v1/approvals/{asked['approval_id']}/decision", AGREED)
    paid = desk.post(f"/admin/v1/counter/refunds/{asked['refund_id']}/pay-out", {"voucher_no": "TK000001"})
    stage.expect("作废退回的现金", (paid["method"], paid["amount_fen"]), ("cash", due_fen))
    stage.moved("作废之后", cash=-due_fen, receivable=due_fen)
    stage.tell(f"一笔 {yuan(due_fen)} 的现金收错了房号：项目经理同意作废后才能从钱箱退出，账单重新变为未缴。")
    return due_fen


def _receipt(stage: Stage, payer: Resident, order_id: str) -> None:
    desk = stage.staff["cashier"]
    receipt = desk.post(f"/admin/v1/orders/{order_id}/receipt")
    again = desk.post(f"/admin/v1/orders/{order_id}/receipt")
    stage.expect("再次开具得到的收据号", again["number"], receipt["number"])
    paper = desk.ask("GET", f"/admin/v1/receipts/{receipt['id']}/paper?size=a4").body.decode()
    stage.expect("收据网页上有号码", receipt["number"] in paper and "<html" in paper, True)
    stage.tell(f"{payer.name}拿到收据 {receipt['number']}（{yuan(receipt['amount_fen'])}），网页可直接打印。")


def _close(stage: Stage, shift_id: str, voided_fen: int) -> int:
    """Count the drawer, one yuan over; bring the takings to the bank."""
    desk, path = stage.staff["cashier"], f"/admin/v1/counter/shifts/{shift_id}"
    stage.expect("钱箱账面", desk.get(path)["drawer_fen"], FLOAT_FEN + PART_FEN)
    body = {"shift_id": shift_id, "amount_fen": PART_FEN, "deposited_on": stage.today().isoformat(), "slip_no": SLIP}
    desk.post("/admin/v1/counter/deposits", body)
    stage.moved("缴存银行之后", cash=-PART_FEN, bank=PART_FEN)
    counted = {"counted_fen": FLOAT_FEN + OVER_FEN, "note": None}
    unnamed = desk.ask("POST", f"{path}/close", counted)
    stage.expect("长款没有说明就交班", unnamed.status, 422)
    report = desk.post(f"{path}/close", {**counted, "note": "多出 1 元，原因待查"})
    stage.expect("长款", (report["over_fen"], report["deposited_fen"]), (OVER_FEN, PART_FEN))
    by_method = {each["method"]: (each["taken_fen"], each["returned_fen"]) for each in report["methods"]}
    stage.expect("班次的现金收付", by_method["cash"], (PART_FEN + voided_fen, voided_fen))
    stage.moved("交班之后", cash=OVER_FEN, cash_over=-OVER_FEN)
    stage.tell(f"现金 {yuan(PART_FEN)} 缴存银行；交班清点多出 {yuan(OVER_FEN)}，写明原因才能交班，记入现金长短款。")
    return PART_FEN
