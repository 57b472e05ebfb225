"""Act 13: statements with a difference of every class planted in them; each is found by its name, none is invented.

The sandbox tells false statements of one day, and a payout that arrives at the bank with another sum. Two mornings
later the complete list of differences is compared with what was planted.
"""

from dataclasses import dataclass
from datetime import date, time
from typing import Any

from demo import cashier, days, people
from demo.stage import Stage, yuan
from demo.web import Unexpected

EVENING, COMPARED_AT = time(18, 0), time(10, 30)
# Class and state of what each kind of plant must be found as.
KINDS = {
    "missing_line": ("missing_there", "OPEN"),
    "extra_line": ("missing_here", "OPEN"),
    "duplicate_line": ("duplicate", "OPEN"),
    "changed_amount": ("amount", "OPEN"),
    "changed_status": ("status", "OPEN"),
    "changed_fee": ("fee", "OPEN"),
    "refund_missing": ("refund", "OPEN"),
    "refund_extra": ("refund", "OPEN"),
    "refund_changed": ("refund", "OPEN"),
    "cross_day": ("cross_day", "AUTO_RESOLVED"),
    "unknown_type": ("status", "OPEN"),
}
SETTLEMENT = ("settlement", "OPEN")
FUND_FLOW = {"wechat": "unknown_type", "alipay": "changed_amount"}
NAMES = {
    "missing_there": "账单里没有的交易",
    "missing_here": "账单里多出的交易",
    "duplicate": "重复的行",
    "amount": "金额不同",
    "status": "状态不明",
    "fee": "手续费不同",
    "refund": "退款不符",
    "cross_day": "跨日入账",
    "settlement": "结算不符",
}
STATES = ("OPEN", "ESCALATED", "RESOLVED", "AUTO_RESOLVED")
SEEDS = 100
SLIP_COLUMNS = {"booked_on": "交易日期", "income": "收入金额", "expense": "支出金额", "counterparty": "对方户名"}

Difference = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Evening:
    """The day, what was planted (channel, class, state, number at the channel), and the differences known before."""

    day: date
    planted: list[Difference]
    known: frozenset[str]


def play(stage: Stage, payers: range, deposit_fen: int, slip: str) -> None:
    """From the evening of the day to the bank's file two mornings later."""
    days.pass_to(stage, stage.today(), EVENING)
    stage.chapter("对账：渠道账单里的差错")
    _neighbours_pay(stage, payers)
    evening = _plant_all(stage)
    _mornings(stage, evening)
    _resolve(stage, evening)
    _bank(stage, evening, deposit_fen, slip)
    _closing(stage, evening.day)


def _neighbours_pay(stage: Stage, payers: range) -> None:
    """Neighbours come home and pay, by WeChat and Alipay by turns; one opens Alipay and leaves."""
    paid_fen = 0
    for number in payers:
        who = people.neighbour(stage, number)
        way = {"channel": "alipay", "method": "precreate"} if number % 2 else {}
        paid_fen += cashier.pay(stage, who, cashier.open_bills(who), **way).amount_fen
    stage.moved("邻居们缴费之后", clearing=paid_fen, receivable=-paid_fen)
    hesitant = people.neighbour(stage, payers.stop)
    cashier.place(stage, hesitant, cashier.open_bills(hesitant), channel="alipay", method="precreate")
    stage.tell(f"晚上又有 {len(payers)} 位邻居用微信和支付宝缴费，共 {yuan(paid_fen)}。")


def _plant_all(stage: Stage) -> Evening:
    day, known = stage.today(), frozenset(_differences(stage))
    wechat = {"mchid": stage.data["mchid"]}
    alipay = {"app_id": stage.data["alipay_app_id"]}
    planted = [
        *_plant(stage, "wechat", "/statements/plants", wechat, day),
        *_plant(stage, "alipay", "/alipay/plants", alipay, day),
    ]
    stage.tell(f"渠道要“出错”了：微信和支付宝的账单里各埋下 {len(KINDS) + 1} 处差错，每一类至少一处。")
    return Evening(day, planted, known)


def _plant(stage: Stage, channel: str, path: str, who: dict[str, str], day: date) -> list[Difference]:
    """One of each kind in the trades, one more in the fund flow about something else."""
    (name, number), body = next(iter(who.items())), {**who, "date": day.isoformat()}
    for seed in range(SEEDS):
        trades = stage.control("POST", path, {**body, "kinds": list(KINDS), "seed": seed})["plants"]
        flow = {**body, "kinds": [FUND_FLOW[channel]], "seed": seed, "statement": "fund_flow"}
        (moved,) = stage.control("POST", path, flow)["plants"]
        numbers = [_number(each) for each in trades]
        if _number(moved) not in numbers:
            found = [(channel, *KINDS[each["kind"]], _number(each)) for each in trades]
            return [*found, (channel, *SETTLEMENT, _number(moved))]
        stage.control("DELETE", f"{path}?{name}={number}")
    raise Unexpected("沙箱里找不到可以埋下差错的交易")


def _number(planted: dict[str, Any]) -> str:
    """The channel's number of the trade that a plant is about."""
    detail = planted["detail"]
    return str(detail.get("transaction_id") or detail.get("trade_no") or planted["subject"])


def _differences(stage: Stage) -> dict[str, dict[str, Any]]:
    """All differences that staff can see, by id."""
    found: dict[str, dict[str, Any]] = {}
    for state in STATES:
        page = stage.staff["cashier"].get(f"/admin/v1/differences?state={state}&limit=100")
        stage.expect("差异列表的其余页", page["next_cursor"], None)
        found |= {each["id"]: each for each in page["items"]}
    return found


def _new(stage: Stage, evening: Evening) -> dict[str, dict[str, Any]]:
    return {number: each for number, each in _differences(stage).items() if number not in evening.known}


def _list(stage: Stage, evening: Evening) -> list[Difference]:
    """What was found since the evening, in order."""
    channels = {stage.data["merchant_id"]: "wechat", stage.data["alipay_merchant_id"]: "alipay"}
    return sorted(
        (channels[each["merchant_id"]], each["kind"], each["state"], each["transaction_no"])
        for each in _new(stage, evening).values()
    )


def _mornings(stage: Stage, evening: Evening) -> None:
    """Two mornings: the statement of the day, and that of the next, in which the late trade turns up."""
    for number in (1, 2):
        on = evening.day + number * days.A_DAY
        days.move(stage, on, COMPARED_AT)
        days.book(stage, [on - days.A_DAY], days.compared(stage, on - days.A_DAY))
    wanted = sorted(evening.planted)

    def look() -> list[Difference] | None:
        found = _list(stage, evening)
        return found if found == wanted else None

    try:
        stage.wait("全部差错都被找到", look)
    except Unexpected:
        stage.expect("找到的差异", _list(stage, evening), wanted)
    stage.expect("找到的差异的完整清单", _list(stage, evening), wanted)
    stage.chapter("对账结果")
    stage.tell(f"两天的账单都对完了：埋下的 {len(wanted)} 处差错全部找到，名称都对，一处不多，一处不少。")
    for channel, title in (("wechat", "微信"), ("alipay", "支付宝")):
        kinds = [kind for each, kind, _, _ in wanted if each == channel]
        counts = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
        stage.tell(f"　{title}：" + "，".join(f"{NAMES[kind]} {count}" for kind, count in counts.items()) + "。")
    late = sum(state == "AUTO_RESOLVED" for _, _, state, _ in wanted)
    stage.tell(f"其中 {late} 笔跨日交易第二天出现在账单里，系统自行销案；其余等人处理，账单和余额都没有被改动。")


def _resolve(stage: Stage, evening: Evening) -> None:
    """Staff write down what the channel said about the double line."""
    desk = stage.staff["cashier"]
    (double,) = (
        each
        for each in _new(stage, evening).values()
        if (each["kind"], each["merchant_id"]) == ("duplicate", stage.data["merchant_id"])
    )
    note = {"note": "已报微信支付客服，确认账单重复列示，实际只收一次", "escalate": False}
    desk.post(f"/admin/v1/differences/{double['id']}/resolve", note)
    found = desk.get(f"/admin/v1/differences/{double['id']}")
    stage.expect("处理后的差异", (found["state"], found["note"]), ("RESOLVED", note["note"]))
    stage.tell("收费员就微信账单里重复的一行联系了客服，写明结论，这条差异销案。")


def _bank(stage: Stage, evening: Evening, deposit_fen: int, slip: str) -> None:
    """The bank's file: payouts, one of them wrong, and the cash that was brought there."""
    desk, first, last = stage.staff["cashier"], stage.started, evening.day + 2 * days.A_DAY
    wrong_on = (evening.day + days.A_DAY).isoformat()
    body = {"mchid": stage.data["mchid"], "date": wrong_on, "kinds": ["settlement_off"], "statement": "bank"}
    stage.control("POST", "/statements/plants", body)
    before = frozenset(_differences(stage))
    lines, files = [], []
    for path in (f"/bank?mchid={stage.data['mchid']}", f"/alipay/bank?app_id={stage.data['alipay_app_id']}"):
        told = stage.control("GET", f"{path}&from={first}&to={last}")
        lines += told["lines"]
        files.append(told["csv"].splitlines())
    cash = f"{evening.day},16:00:00,{deposit_fen // 100}.{deposit_fen % 100:02},,现金,缴存 {slip},CASH0001"
    text = "\r\n".join([files[0][0], *files[0][1:], *files[1][1:], cash, ""])
    columns = {**SLIP_COLUMNS, "summary": "摘要", "serial": "流水号", "amount": None}
    layout = desk.post("/admin/v1/bank-layouts", {"name": "工商银行", **columns})
    sent = desk.ask("POST", f"/admin/v1/bank-files?layout_id={layout['id']}&file_name=bank.csv", raw=text.encode())
    stage.expect("导入银行流水", sent.status, 201)
    wrong = [line for line in lines if line["arrived_on"] == wrong_on][:1]
    matched = len(lines) + 1 - len(wrong)
    stage.expect("银行流水的行数和认出的行数", (sent.json["new"], sent.json["matched"]), (len(lines) + 1, matched))
    arrived_fen = sum(line["amount_fen"] for line in lines) - sum(line["amount_fen"] for line in wrong)
    ours_fen = arrived_fen - days.elsewhere(stage, evening.day + days.A_DAY, "arrived_fen")
    stage.moved("导入银行流水之后", bank=ours_fen, in_transit=-ours_fen)
    late = [each for number, each in _differences(stage).items() if number not in before]
    found = [(each["kind"], each["state"], each["transaction_no"], each["actual_fen"]) for each in late]
    wanted = [(*SETTLEMENT, line["reference"], line["amount_fen"]) for line in wrong]
    stage.expect("到账金额不对的结算款", found, wanted)
    on = stage.staff["cashier"].get(f"/admin/v1/closing-day?day={wrong_on}")["sides"]
    left = {
        side["channel"]: side["settled_fen"] - side["arrived_fen"]
        for side in on
        if side["community_id"] == stage.community
    }
    stage.expect("结算款到账：支付宝一致，微信的仍在途", (left["alipay"], left["wechat"] > 0), (0, True))
    stage.tell(
        f"导入银行流水 {len(lines) + 1} 行：{matched - 1} 笔渠道结算共 {yuan(arrived_fen)} 和 1 笔现金缴存都认出来了，"
        "到账金额不对的那一笔记为差异。"
    )


def _closing(stage: Stage, day: date) -> None:
    """Bills, ledger, channel and bank of the day."""
    told = stage.staff["cashier"].get(f"/admin/v1/closing-day?day={day}")
    stage.expect("日结：账单、账簿、渠道一致", (told["agrees"], told["moved"]), (True, []))
    books = {
        "wechat": stage.control("GET", f"/books?mchid={stage.data['mchid']}&date={day}"),
        "alipay": stage.control("GET", f"/alipay/books?app_id={stage.data['alipay_app_id']}&date={day}"),
    }
    sides = {side["channel"]: side for side in told["sides"] if side["community_id"] == stage.community}
    for channel, book in books.items():
        side = sides[channel]
        stage.expect(f"日结里{channel}的收款", side["received_fen"] + side["suspense_fen"], book["total_fen"])
        stage.expect(f"日结里{channel}的退款", side["refunded_fen"], book["refunded_fen"])
    stage.expect("日结：窗口收款与账簿一致", sides["counter"]["received_fen"], sides["counter"]["posted_fen"])
    stage.expect("日结里的现金缴存", [each["amount_fen"] - each["arrived_fen"] for each in told["deposits"]], [0])
    stage.tell(
        f"{day:%m 月 %d 日}日结：微信收款 {yuan(sides['wechat']['received_fen'])}，"
        f"支付宝收款 {yuan(sides['alipay']['received_fen'])}，窗口收款 {yuan(sides['counter']['received_fen'])}；"
        "账单、账簿、渠道三方一致。"
    )
