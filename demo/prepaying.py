"""Acts 11 and 25: money paid ahead by WeChat, and next month's bill that settles by itself."""

from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any

from demo import cashier, days, people
from demo.people import Resident
from demo.stage import Stage, yuan

TOP_UP_FEN = 100_000
SETTLED_AT = time(11, 0)


@dataclass(frozen=True, slots=True)
class Saver:
    """Who has paid ahead, and for which house."""

    who: Resident
    house_id: str


def play(stage: Stage, who: Resident) -> Saver:
    """All bills are paid, then a sum on top."""
    stage.chapter("预存物业费")
    bills = cashier.open_bills(who)
    order = cashier.pay(stage, who, bills)
    stage.moved("缴清之后", clearing=order.amount_fen, receivable=-order.amount_fen)
    house_id = bills[0]["house_id"] if "house_id" in bills[0] else who.web.get("/api/v1/houses")["items"][0]["house_id"]
    body = {"house_id": house_id, "purpose": "property", "amount_fen": TOP_UP_FEN}
    top_up = cashier.placed(stage, who.web.post("/api/v1/prepaid/top-ups", body), TOP_UP_FEN)
    cashier.tap_pay(stage, top_up)
    cashier.when_paid(stage, who, top_up)
    stage.moved("预存之后", clearing=TOP_UP_FEN, prepaid=-TOP_UP_FEN)
    stage.expect("预存余额", _balances(who), [("property", TOP_UP_FEN)])
    stage.tell(f"{who.name}缴清 {len(bills)} 笔账单，又用微信预存物业费 {yuan(TOP_UP_FEN)}。")
    return Saver(who, house_id)


def _balances(who: Resident) -> list[tuple[str, int]]:
    accounts = who.web.get("/api/v1/prepaid")["items"]
    return [(account["purpose"], account["balance_fen"]) for account in accounts]


def play_next_month(stage: Stage, saver: Saver) -> None:
    """The drafts of the new month are published; the day after the last day to pay, the prepaid money pays."""
    stage.chapter("预存自动抵扣")
    runs = stage.manager.get(f"/admin/v1/billing-runs?community_id={stage.community}&state=READY&limit=100")["items"]
    first = stage.today().replace(day=1).isoformat()
    items = stage.manager.get(f"/admin/v1/fee-items?community_id={stage.community}")["items"]
    item_id = next(item["id"] for item in items if item["code"] == "WYF")
    run = next(run for run in runs if run["item_id"] == item_id and run["period_start"] == first)
    stage.manager.post(f"/admin/v1/billing-runs/{run['id']}/publish")
    stage.moved("下个月的账单发布之后", receivable=run["total_fen"], income=-run["total_fen"])
    who = people.again(stage, saver.who)
    (bill,) = cashier.open_bills(who)
    stage.tell(f"项目经理发布{run['title']}，共 {yuan(run['total_fen'])}；{who.name}的一笔是 {yuan(bill['due_fen'])}。")
    days.move(stage, date.fromisoformat(bill["due_on"]) + timedelta(days=1), SETTLED_AT)
    # All the work of the days that have passed is done by then; their statements are the last of it.
    days.caught_up(stage)
    who = people.again(stage, who)
    stage.wait("账单由预存款自动缴清", lambda: True if not cashier.open_bills(who) else None)
    stage.moved("自动抵扣之后", prepaid=bill["due_fen"], receivable=-bill["due_fen"])
    stage.expect("抵扣后的余额", _balances(who), [("property", TOP_UP_FEN - bill["due_fen"])])
    entries: list[dict[str, Any]] = _entries(who)
    stage.expect("预存明细", [each["amount_fen"] for each in entries], [-bill["due_fen"], TOP_UP_FEN])
    stage.tell(f"到期后的第二天，系统自动用预存款缴清，余额 {yuan(TOP_UP_FEN - bill['due_fen'])}，明细写明用途。")


def _entries(who: Resident) -> list[dict[str, Any]]:
    (account,) = who.web.get("/api/v1/prepaid")["items"]
    found: list[dict[str, Any]] = who.web.get(f"/api/v1/prepaid/{account['id']}/entries")["items"]
    return found
