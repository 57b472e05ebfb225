"""Act 18: a paid repair, from the photo to the closed ticket: quoted twice, done with parts, signed, paid, rated."""

from datetime import datetime
from typing import Any

from demo import cashier, sketches
from demo.casework import Case, Home, hour
from demo.promised import Calendar
from demo.stage import Stage, yuan

CATEGORY = "有偿维修"
RESPOND_M, ARRIVE_M, FINISH_M = 30, 240, 960
TO_ACCEPT, TO_COME = "20m", "40m"
# The price list as it hangs on the wall, in fen.
PRICES = {"上门检修": 3_000, "水电安装": 6_000, "水龙头阀芯": 3_500, "角阀": 2_800, "五孔插座": 1_800}
WISH, AGREED = {"上门检修": 1, "水电安装": 2, "角阀": 2}, {"上门检修": 1, "水龙头阀芯": 2}
PARTS = {"水龙头阀芯": 2}
TIMELINE = (
    "提交", "受理", "派单", "接单", "到场", "报价", "不同意报价", "报价", "同意报价", "完工", "验收", "付款", "评价",
    "回访", "关闭",
)  # fmt: skip


def play(stage: Stage, calendar: Calendar, home: Home) -> None:
    """The whole repair; what it brought is in the books."""
    stage.chapter("有偿维修")
    case = _report(stage, calendar, home)
    _dispatch(stage, case)
    total_fen = _agree_on_price(stage, case)
    _work(stage, case, total_fen)
    _pay(stage, case, total_fen)
    _look_back(stage, case)


def _report(stage: Stage, calendar: Calendar, home: Home) -> Case:
    taken = sketches.photo()
    stage.expect("手机照片带有拍摄位置", bool(sketches.position(taken)), True)
    sent = home.resident.web.upload(f"/api/v1/houses/{home.house_id}/media", "leak.jpg", taken)
    case = home.report(stage, CATEGORY, "厨房水龙头漏水，地上全是水", place="厨房", media_ids=[sent["id"]])
    began = case.submitted_at()
    due = {
        "respond": calendar.in_minutes(began, RESPOND_M),
        "arrive": calendar.in_minutes(began, ARRIVE_M),
        "finish": calendar.in_minutes(began, FINISH_M),
    }
    case.promised(**due)
    stage.tell(
        f"{home.resident.name}拍照报修，工单 {case.no}：按工作时间承诺 {hour(due['respond'])} 前响应、"
        f"{hour(due['arrive'])} 前到场、{hour(due['finish'])} 前完工。"
    )
    return case


def _dispatch(stage: Stage, case: Case) -> None:
    """The desk gives it to the engineer, who takes it on and comes; the photo that he sees tells no place."""
    engineer = stage.staff["engineer"]
    case.staff("service", "triage", "TRIAGED")
    case.staff("service", "assign", "ASSIGNED", staff_id=engineer.get("/admin/v1/me")["member"]["id"])
    stage.advance(TO_ACCEPT)
    case.staff("engineer", "accept", "ACCEPTED")
    case.kept("respond")
    in_hand = [each["id"] for each in engineer.get("/admin/v1/ticket-work")["items"]]
    stage.expect("师傅手上有这张工单", case.id in in_hand, True)
    (photo,) = case.shown("engineer")["events"][0]["media"]
    picture = engineer.ask("GET", photo["url"].removeprefix(engineer.url))
    stage.expect("师傅看到的照片", (picture.status, photo["width"], photo["height"]), (200, *sketches.SHOT))
    stage.expect("照片里的拍摄位置", sketches.position(picture.body), {})
    stage.advance(TO_COME)
    case.staff("engineer", "arrive", "ON_SITE")
    case.kept("respond", "arrive")
    stage.tell("客服受理派单，工程师傅 20 分钟后接单、一小时到场；师傅看到的照片里，拍摄位置已被去掉。")


def _agree_on_price(stage: Stage, case: Case) -> int:
    """Quoted, declined, quoted anew, agreed to; the total in fen."""
    listed = {each["name"]: each for each in stage.manager.get("/admin/v1/ticket-prices")["items"]}
    stage.expect("价目表", {name: each["price_fen"] for name, each in listed.items()}, PRICES)
    ids = {name: str(each["id"]) for name, each in listed.items()}
    too_much_fen = _quote(stage, case, ids, WISH)
    case.resident("decline", "ON_SITE", version=1, reason="太贵了，先修水龙头，角阀以后再换")
    total_fen = _quote(stage, case, ids, AGREED)
    case.refused(None, "agree", "quote_changed", version=1)
    case.resident("agree", "AGREED", version=2)
    found = case.home.resident.web.get(f"/api/v1/tickets/{case.id}/quotes")["items"]
    stage.expect("两次报价的结果", [each["state"] for each in found], ["AGREED", "DECLINED"])
    stage.moved("同意报价之后")
    stage.tell(
        f"师傅按价目表报价 {yuan(too_much_fen)}，{case.home.resident.name}嫌贵没有同意；改报 {yuan(total_fen)}，"
        "旧报价不能再点同意，新报价住户同意了。"
    )
    return total_fen


def _quote(stage: Stage, case: Case, ids: dict[str, str], wish: dict[str, int]) -> int:
    """The engineer quotes; the resident reads every line."""
    lines = [{"item_id": ids[name], "quantity": quantity} for name, quantity in wish.items()]
    case.staff("engineer", "quote", "QUOTED", lines=lines)
    newest = case.home.resident.web.get(f"/api/v1/tickets/{case.id}/quotes")["items"][0]
    found = {line["title"]: line["amount_fen"] for line in newest["lines"]}
    stage.expect("报价各行", found, {name: quantity * PRICES[name] for name, quantity in wish.items()})
    stage.expect("报价合计", newest["total_fen"], sum(found.values()))
    return int(newest["total_fen"])


def _carried(stage: Stage) -> dict[str, int]:
    """What the engineer has with him."""
    mine = stage.staff["engineer"].get("/admin/v1/me")["member"]["id"]
    found = stage.staff["service"].get("/admin/v1/ticket-stock")["items"]
    return {each["name"]: each["count"] for place in found if place["staff_id"] == mine for each in place["counts"]}


def _work(stage: Stage, case: Case, total_fen: int) -> None:
    """Done: the parts leave the engineer's stock; signed: the price is owed."""
    before = _carried(stage)
    case.staff("engineer", "done", "DONE", reason="更换两只阀芯，试水不漏")
    after = _carried(stage)
    used = {name: count - after[name] for name, count in before.items() if count != after[name]}
    stage.expect("师傅用掉的配件", used, PARTS)
    case.kept("respond", "arrive", "finish")
    case.refused(None, "sign-off", "signature_required")
    case.refused(None, "payments", "nothing_due")
    case.resident("sign-off", "SIGNED_OFF", signature=sketches.signature())
    stage.moved("签名验收之后", ticket_receivable=total_fen, ticket_income=-total_fen)
    stage.tell(
        f"完工时 2 个阀芯从师傅的随身库存里扣掉，剩 {after['水龙头阀芯']} 个；"
        f"{case.home.resident.name}签名验收，应收维修费 {yuan(total_fen)}记入账簿。"
    )


def _pay(stage: Stage, case: Case, total_fen: int) -> None:
    payer = case.home.resident
    made = payer.web.post(f"/api/v1/tickets/{case.id}/payments", {})
    order = cashier.placed(stage, made, total_fen)
    cashier.tap_pay(stage, order)
    cashier.when_paid(stage, payer, order)
    case.when("PAID")
    stage.moved("支付维修费之后", clearing=total_fen, ticket_receivable=-total_fen)
    (quote, _) = payer.web.get(f"/api/v1/tickets/{case.id}/quotes")["items"]
    stage.expect("报价变为已付", quote["state"], "PAID")
    stage.tell(f"{payer.name}用微信支付维修费 {yuan(total_fen)}，应收结清，维修收入 {yuan(total_fen)}。")


def _look_back(stage: Stage, case: Case) -> None:
    """Rated, called, closed; the resident reads everything that happened but the words of the call."""
    case.resident("rating", "RATED", stars=5, tags=["准时", "专业"], words="师傅很耐心，价钱也讲得明白")
    case.staff("service", "follow-up", "FOLLOWED_UP", reason="电话回访：不漏了，住户满意")
    case.staff("service", "close", "CLOSED")
    case.told(*TIMELINE)
    seen = case.seen()
    stage.expect("评价", [(each["stars"], each["tags"]) for each in seen["ratings"]], [(5, ["准时", "专业"])])
    stage.expect("住户看到的回访记录", _words(seen, "回访"), [None])
    stage.expect("客服看到的回访记录", _words(case.shown("service"), "回访"), ["电话回访：不漏了，住户满意"])
    until = datetime.fromisoformat(seen["warranty_until"])
    stage.tell(
        f"住户给了五星，回访后关闭；{len(TIMELINE)} 步进度双方看到的一致，同类维修保修到 {until:%Y 年 %m 月 %d 日}。"
    )


def _words(found: dict[str, Any], title: str) -> list[str | None]:
    return [each["reason"] for each in found["events"] if each["title"] == title]
