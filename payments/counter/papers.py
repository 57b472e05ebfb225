"""What stands on the papers of the counter (单据): a receipt, and the report of a shift."""

from datetime import datetime

from backend.kernel.clock import SHANGHAI
from backend.kernel.money import capital_text, yuan_text
from backend.kernel.papers import Paper
from payments.channels.base import Channel, Method
from payments.counter.receipts import Receipt, ReceiptState
from payments.counter.shifts import Report

METHOD_NAMES = {
    Method.CASH: "现金",
    Method.CARD: "刷卡",
    Method.TRANSFER: "银行转账",
    Method.CHEQUE: "支票",
}
CHANNEL_NAMES = {Channel.WECHAT: "微信支付", Channel.ALIPAY: "支付宝", Channel.COUNTER: "收费窗口"}


def of_receipt(receipt: Receipt) -> Paper:
    """A receipt as it was when it was issued, with what has become of it since."""
    told = receipt.snapshot
    method = METHOD_NAMES.get(told["method"]) or CHANNEL_NAMES[Channel(told["channel"])]
    facts = [
        ("小区", told["community"]),
        ("房屋", "、".join(told["houses"]) or "—"),
        ("收款方式", method),
        ("收款时间", _time(datetime.fromisoformat(told["paid_at"]))),
        ("凭证号", told["transaction_no"]),
        ("开具时间", _time(receipt.issued_at)),
    ]
    notes = []
    if told["change_fen"]:
        notes.append(f"实收 {yuan_text(told['received_fen'])} 元，找零 {yuan_text(told['change_fen'])} 元。")
    if receipt.state is ReceiptState.VOIDED:
        notes.append(f"本收据已作废：{receipt.void_reason}。")
    elif receipt.refunded_fen:
        notes.append(f"其中 {yuan_text(receipt.refunded_fen)} 元已退还。")
    return Paper(
        issuer=told["company"],
        title="收 款 收 据",
        number=f"No. {receipt.number}",
        facts=facts,
        columns=("收费项目", "本金（元）", "违约金（元）", "小计（元）"),
        rows=[
            (
                line["title"],
                yuan_text(line["principal_fen"]),
                yuan_text(line["late_fee_fen"]),
                yuan_text(line["principal_fen"] + line["late_fee_fen"]),
            )
            for line in told["lines"]
        ],
        total=f"合计（大写）{capital_text(told['amount_fen'])}　￥{yuan_text(told['amount_fen'])}",
        notes=notes,
        signs=(f"收款人：{told['cashier'] or '线上收款'}", "交款人：", "收款单位（盖章）："),
        void=receipt.state is ReceiptState.VOIDED,
    )


def of_shift(report: Report, *, company: str, community: str, cashier: str) -> Paper:
    """The closing report of a shift (交班表); of an open one, how it stands."""
    shift = report.shift
    closed = shift.closed_at is not None
    facts = [
        ("小区", community),
        ("收费员", cashier),
        ("开班", _time(shift.opened_at)),
        ("交班", _time(shift.closed_at) if shift.closed_at else "尚未交班"),
        ("备用金", f"{yuan_text(shift.float_fen)} 元"),
        ("已缴存银行", f"{yuan_text(report.deposited_fen)} 元"),
    ]
    over_fen = report.over_fen
    if closed and shift.expected_fen is not None and shift.counted_fen is not None and over_fen is not None:
        named = "相符" if over_fen == 0 else f"{'长款' if over_fen > 0 else '短款'} {yuan_text(abs(over_fen))} 元"
        total = f"应有现金 {yuan_text(shift.expected_fen)} 元，清点 {yuan_text(shift.counted_fen)} 元，{named}"
    else:
        total = f"钱箱应有现金 {yuan_text(report.drawer_fen)} 元"
    return Paper(
        issuer=company,
        title="收 费 交 班 表",
        number=shift.id.hex[-8:].upper(),
        facts=facts,
        columns=("收款方式", "收款笔数", "收款（元）", "退款笔数", "退款（元）", "净额（元）"),
        rows=[
            (
                METHOD_NAMES[each.method],
                str(each.takings),
                yuan_text(each.taken_fen),
                str(each.returns),
                yuan_text(each.returned_fen),
                yuan_text(each.taken_fen - each.returned_fen),
            )
            for each in report.methods
        ],
        total=total,
        notes=[f"说明：{shift.note}"] if shift.note else [],
        signs=("收费员：", "复核：", "财务："),
    )


def _time(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
