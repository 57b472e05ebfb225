"""Act 15: a day at the gate, from the first car to the next day's statements."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, time, timedelta
from typing import Any

from demo import cashier, days, gate, people, plateless
from demo.cashier import Placed
from demo.gate import PLATELESS, Gate
from demo.lot import DAY_CAP_FEN, DEBTOR_PLATE, FREE_MIN, HOUR_FEN, OPENS_IN, OWNER_PLATE, SPACES, Opening
from demo.people import Resident
from demo.plateless import Driver
from demo.stage import Stage, yuan

AT_EXIT, AHEAD, SHORT = "苏E8K7M6", "浙B66F88", "皖A5T231"
ERRANDS, OFFLINE = "130m", "1h"
MINUTE = timedelta(minutes=1)
HOUR_S = 3_600
COMPARED_AT = time(10, 30)


def play(stage: Stage, opening: Opening) -> None:
    """Cars come, pay and go; at the end the spaces and the books are right."""
    there, income_fen = opening.gate, 0
    stage.advance(f"{int(OPENS_IN.total_seconds()) + 60}s")
    stage.chapter("车辆入场")
    _residents_arrive(stage, opening)
    driver = _guests_arrive(stage, there)
    stage.advance(ERRANDS)
    stage.chapter("车辆出场")
    income_fen += _pay_ahead(stage, there)
    income_fen += _pay_at_exit(stage, there)
    seen = gate.leave(stage, there, OWNER_PLATE)
    stage.expect("月租车出场", (seen.opens, seen.lines), (True, ("一路平安",)))
    stage.tell(f"{opening.owner.name}的 {OWNER_PLATE} 出场，月租卡免费，直接抬杆。")
    income_fen += _plateless_leaves(stage, there, driver)
    _spaces(stage, opening, {DEBTOR_PLATE})
    _offline(stage, opening)
    _evening(stage, opening, income_fen)


def _spaces(stage: Stage, opening: Opening, inside: set[str]) -> None:
    """Who is in, as the guard sees it, and the free spaces, as residents do."""
    found = _stays(stage, opening.gate)
    stage.expect("场内的车", sorted(each["plate_masked"] for each in found), sorted(map(_masked, inside)))
    lots = opening.owner.web.get("/api/v1/parking-lots")["items"]
    free = {each["id"]: each["free_spaces"] for each in lots}[opening.gate.lot_id]
    stage.expect("手机上看到的空余车位", free, SPACES - len(inside))


def _stays(stage: Stage, there: Gate, query: str = "inside=true") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.staff["guard"].get(f"/admin/v1/parking-lots/{there.lot_id}/stays?{query}")[
        "items"
    ]
    return found


def _masked(plate: str) -> str:
    return f"{plate[:2]}***{plate[-2:]}"


def _residents_arrive(stage: Stage, opening: Opening) -> None:
    """The one with a card comes in; the one whose house is in arrears only after she has paid her bills."""
    there, debtor = opening.gate, opening.debtor
    first, second = gate.arrive(stage, there, OWNER_PLATE, DEBTOR_PLATE)
    stage.expect("月租车入场", (first.opens, first.lines[-1]), (True, "欢迎回家"))
    stage.tell(f"{opening.owner.name}的 {OWNER_PLATE} 到了入口，屏幕显示“{first.lines[-1]}”，抬杆。")
    stage.expect("欠费业主的车入场", (second.opens, "请先缴清物业费" in second.lines), (False, True))
    _spaces(stage, opening, {OWNER_PLATE})
    bills = cashier.open_bills(debtor)
    stage.expect("欠费业主有逾期的账单", any(bill["overdue"] for bill in bills), True)
    order = cashier.pay(stage, debtor, bills)
    stage.moved("欠费缴清之后", clearing=order.amount_fen, receivable=-order.amount_fen)
    stage.tell(
        f"{debtor.name}的物业费逾期，车 {DEBTOR_PLATE} 没有放行，屏幕显示“请先缴清物业费”；"
        f"车主在车里用手机缴清 {len(bills)} 笔共 {yuan(order.amount_fen)}。"
    )


def _guests_arrive(stage: Stage, there: Gate) -> Driver:
    """The debtor again, two strangers, and a car without a plate whose driver scans the entry's code."""
    seen = gate.arrive(stage, there, DEBTOR_PLATE, AT_EXIT, AHEAD, PLATELESS)
    stage.expect("入口先后抬杆", [each.opens for each in seen], [True, True, True, False])
    stage.expect("缴清之后的显示", seen[0].lines[-1], "欢迎回家")
    stage.tell(f"缴清之后 {DEBTOR_PLATE} 再到入口，抬杆；两辆外来车 {AT_EXIT}、{AHEAD} 也进了场。")
    driver = plateless.come_in(stage, there)
    (stay,) = _stays(stage, there, "unusual=true")
    stage.expect("无牌车的标记", [each["code"] for each in stay["flags"]], ["plateless"])
    stage.tell(
        "一辆没有牌照的新车读不出车牌，道闸不动；司机扫入口的车道码，不用登录，按“进场”，道闸抬起，记为“无牌车”。"
    )
    return driver


def _price_fen(stage: Stage, entered_at: str) -> int:
    """The player's own arithmetic: free for half an hour, then every begun hour counts from the entry on."""
    stayed_s = int((stage.now() - datetime.fromisoformat(entered_at)).total_seconds())
    if stayed_s <= FREE_MIN * 60:
        return 0
    return min(DAY_CAP_FEN, -(-stayed_s // HOUR_S) * HOUR_FEN)


def _quote(stage: Stage, asked: dict[str, Any]) -> dict[str, Any]:
    """The quote of an answer, its amount and its explanation compared."""
    quote: dict[str, Any] = asked["quote"]
    stage.expect("停车费", quote["amount_fen"], _price_fen(stage, asked["entered_at"]))
    stage.expect("停车费各行之和", sum(line["amount_fen"] for line in quote["lines"]), quote["amount_fen"])
    return quote


def _place(stage: Stage, there: Gate, driver: Resident, plate: str, **way: str) -> tuple[Placed, dict[str, Any]]:
    """Somebody asks in the mini-program what a car owes, and places an order for it."""
    asked = driver.web.post("/api/v1/parking-quotes", {"lot_id": there.lot_id, "plate": plate})
    quote = _quote(stage, asked)
    made = driver.web.post(f"/api/v1/parking-quotes/{quote['id']}/payments", way)
    return cashier.placed(stage, made, quote["amount_fen"]), quote


def _pay(stage: Stage, driver: Resident, order: Placed) -> None:
    cashier.tap_pay(stage, order)
    cashier.when_paid(stage, driver, order)
    stage.moved("停车费支付之后", clearing=order.amount_fen, parking_income=-order.amount_fen)


def _pay_ahead(stage: Stage, there: Gate) -> int:
    """Paid by WeChat before the car goes to the exit."""
    driver = people.join(stage, "江枫", "13700000201")
    order, quote = _place(stage, there, driver, AHEAD)
    _pay(stage, driver, order)
    seen = gate.leave(stage, there, AHEAD)
    stage.expect("提前缴费的车出场", (seen.opens, seen.lines), (True, ("一路平安",)))
    stage.tell(
        f"司机{driver.name}出场前在小程序里按车牌查费：“{quote['lines'][0]['label']}”，"
        f"用微信付了 {yuan(order.amount_fen)}；{AHEAD} 到出口直接抬杆。"
    )
    return order.amount_fen


def _pay_at_exit(stage: Stage, there: Gate) -> int:
    """Paid by Alipay while the car stands at the barrier, which holds its long poll."""
    driver = people.join(stage, "白露", "13700000202")
    seen = gate.leave(stage, there, AT_EXIT)
    order, _ = _place(stage, there, driver, AT_EXIT, channel="alipay", method="precreate")
    stage.expect("出口的显示", (seen.opens, seen.lines[0]), (False, f"请缴费{yuan(order.amount_fen).replace(' ', '')}"))
    with ThreadPoolExecutor(1) as waiting:
        command = waiting.submit(gate.obey, stage, there.exit)
        _pay(stage, driver, order)
        stage.expect("支付之后出口道闸的指令", command.result(), "open")
    _gone(stage, there, AT_EXIT)
    stage.tell(
        f"临时车 {AT_EXIT} 到了出口，屏幕显示“{seen.lines[0]}”；司机{driver.name}用支付宝付款，"
        "支付宝的通知一到，道闸就收到指令抬杆，车辆离场。"
    )
    return order.amount_fen


def _gone(stage: Stage, there: Gate, plate: str) -> None:
    def look() -> bool | None:
        return True if _masked(plate) not in {each["plate_masked"] for each in _stays(stage, there)} else None

    stage.wait(f"{plate} 离场", look)


def _plateless_leaves(stage: Stage, there: Gate, driver: Driver) -> int:
    """The same phone scans the exit's code, pays, and the barrier opens; nobody of the staff has to come."""
    (stay,) = (each for each in _stays(stage, there) if each["plate_masked"] == PLATELESS)
    paid_fen = plateless.go_out(stage, there, driver, stay, owed_fen=_price_fen(stage, stay["entered_at"]))
    stage.tell(
        f"无牌车出场，同一部手机扫出口的车道码，页面找到这辆车，用支付宝付了 {yuan(paid_fen)}，道闸抬起；保安不用过来。"
    )
    return paid_fen


def _offline(stage: Stage, opening: Opening) -> None:
    """For an hour the cameras decide alone; what they saw comes later, the exit before the entries."""
    there = opening.gate
    stage.advance(OFFLINE)
    stage.chapter("断网一小时")
    now = stage.now()
    seen = gate.leave(stage, there, SHORT, at=now - 30 * MINUTE)
    stage.expect("补报的出场不再开闸", (seen.opens, seen.lines), (False, ()))
    told = gate.tell_late(stage, there, now - 50 * MINUTE, OWNER_PLATE, SHORT)
    stage.expect("入口相机补传", told, "补传 2 条，剩余 0 条，抬杆 0 次。")
    stage.moved("补报之后")
    _spaces(stage, opening, {DEBTOR_PLATE, OWNER_PLATE})
    late = {each["plate_masked"]: each for each in _stays(stage, there, "inside=false&unusual=true")}
    brief, home = late[_masked(SHORT)], late[_masked(OWNER_PLATE)]
    stage.expect("先报出场、后报入场的车", (brief["state"], brief["paid_fen"]), ("OUT", 0))
    stage.expect("它停了几分钟", _minutes(brief), 20)
    stage.expect("断网时回来的月租车", (home["state"], home["by_card"]), ("IN", True))
    stage.tell("断网的一小时里，相机自己放行；网络恢复后逐条补报，补报的记录只记账，不再开闸。")
    stage.tell(f"{SHORT} 的出场比入场先报到，仍合成一条停车记录：停了 20 分钟，免费；{OWNER_PLATE} 回来了，算月租卡。")


def _minutes(stay: dict[str, Any]) -> int:
    stayed = datetime.fromisoformat(stay["left_at"]) - datetime.fromisoformat(stay["entered_at"])
    return round(stayed.total_seconds() / 60)


def _evening(stage: Stage, opening: Opening, income_fen: int) -> None:
    """Spaces, stays and income of the day; the next morning the channels' statements agree."""
    there = opening.gate
    mine = [each["state"] for each in opening.owner.web.get("/api/v1/parking-stays")["items"]]
    stage.expect(f"{opening.owner.name}手机上的停车记录", mine, ["IN", "OUT"])
    stays = _stays(stage, there, "inside=false&limit=100")
    stage.expect("这一天的停车记录数", len(stays), 7)
    stage.expect("停车记录的已收", sum(each["paid_fen"] for each in stays), income_fen)
    stage.expect("账簿里的停车收入", -stage.books["parking_income"], income_fen)
    stage.tell(
        f"一天下来 {len(stays)} 条停车记录，停车收入 {yuan(income_fen)}，与账簿一致；"
        f"场内还有 2 辆月租车，空余车位 {SPACES - 2} 个。"
    )
    days.pass_to(stage, stage.today() + days.A_DAY, COMPARED_AT)
    stage.tell("第二天早上，两个渠道的账单与停车费对账，没有一处差异。")
