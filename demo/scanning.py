"""Acts 9 and 12: paying by Alipay with a code on the screen, and paying for another house by the code on its paper."""

import re
from html import unescape
from urllib.parse import urlencode

from demo import cashier, refunding
from demo.cashier import PAY_BUTTON
from demo.people import Resident
from demo.stage import Stage, yuan
from demo.web import Unexpected

FIELD = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')
LEADS_TO = re.compile(r'<a class="go [^"]*" href="([^"]+)">')


def play_alipay(stage: Stage, payer: Resident) -> None:
    """A neighbour scans a code with Alipay; later one of the two bills goes back by Alipay."""
    stage.chapter("支付宝扫码")
    bills = cashier.open_bills(payer)
    order = cashier.pay(stage, payer, bills, channel="alipay", method="precreate")
    stage.moved("支付宝支付之后", clearing=order.amount_fen, receivable=-order.amount_fen)
    there = stage.control("GET", f"/alipay/orders/{stage.data['alipay_app_id']}/{order.out_trade_no}")
    stage.expect("支付宝账上的交易", (there["total_fen"], there["trade_status"]), (order.amount_fen, "TRADE_SUCCESS"))
    stage.tell(f"邻居{payer.name}用支付宝扫屏幕上的码，付 {len(bills)} 笔共 {yuan(order.amount_fen)}；通知验签后入账。")
    back_fen = 0
    people_of = ({"asker": "cashier", "approver": "manager"}, {"asker": "manager", "approver": "admin"})
    for part, two in zip(refunding.parts_of(stage, order, 2), people_of, strict=True):
        back = refunding.give_back(stage, order, "业主已由单位代缴", [part], **two)
        back_fen += back["amount_fen"]
        stage.moved("支付宝退款之后", receivable=back["amount_fen"], clearing=-back["amount_fen"])
        stage.tell(f"经两人同意，支付宝原路退回 {yuan(back['amount_fen'])}，账单重新变为未缴。")
    there = stage.control("GET", f"/alipay/orders/{stage.data['alipay_app_id']}/{order.out_trade_no}")
    stage.tell("第二笔由项目经理申请：他审批自己的申请被拒绝，管理员同意后才退。")
    stage.expect("支付宝账上的退款", sum(each["amount_fen"] for each in there["refunds"]), back_fen)


def play_paper(stage: Stage, neighbour: Resident) -> None:
    """Somebody without any login pays for a neighbour by the code on the paper."""
    stage.chapter("扫缴费码代缴")
    bills = cashier.open_bills(neighbour)
    owed_fen = sum(bill["due_fen"] for bill in bills)
    house = neighbour.web.get("/api/v1/houses")["items"][0]
    code = stage.staff["service"].get(f"/admin/v1/houses/{house['house_id']}/pay-code")["pay_code"]
    due = stage.staff["cashier"].get(f"/admin/v1/counter/due?pay_code={code}")
    stage.expect("收费窗口按缴费码查到的应收", due["total_fen"], owed_fen)
    page = stage.api.ask("GET", f"/p/{code}").body.decode()
    stage.expect("页面上没有住户姓名", neighbour.name in page, False)
    fields = dict(FIELD.findall(page.split("</form>")[0]))
    stage.expect("缴费码页面上的应缴合计", int(fields["total_fen"]), owed_fen)
    form = urlencode({**fields, "method": "wap"}).encode()
    leave = stage.api.ask("POST", f"/p/{code}/orders", raw=form).body.decode()
    found = LEADS_TO.search(leave)
    if found is None:
        raise Unexpected("缴费码页面没有给出付款页的地址")
    channel_page = stage.sandbox.ask("GET", unescape(found.group(1)).removeprefix(stage.sandbox.url))
    button = PAY_BUTTON.search(channel_page.body.decode())
    if button is None:
        raise Unexpected("支付宝的付款页没有打开")
    cashier.tap(stage, button.group(1))
    stage.wait("代缴的账单变为已缴", lambda: True if not cashier.open_bills(neighbour) else None)
    stage.moved("代缴之后", clearing=owed_fen, receivable=-owed_fen)
    stage.tell(f"{neighbour.name}的亲戚没有登录，扫门口的缴费码，页面只显示打码的房号和 {len(bills)} 笔账单。")
    stage.tell(f"他在手机浏览器里用支付宝付了 {yuan(owed_fen)}，账单随即变为已缴。")
