"""Acts 1 and 4: the month's bills are checked and published, a new item gets its price by two people and its bills."""

from fractions import Fraction
from typing import Any

from demo.people import Resident
from demo.stage import Stage, yuan

PROPERTY = "WYF"
PROPERTY_RATE_MICRO = 2_350_000
LIFT_RATE_MICRO = 350_000
CM2_PER_M2 = 10_000
MICRO_PER_FEN = 10_000


def _area_fen(area_cm2: int, rate_micro: int) -> int:
    """A month's amount of a flat, rounded half up to fen: the player's own arithmetic."""
    exact = Fraction(area_cm2 * rate_micro, CM2_PER_M2 * MICRO_PER_FEN)
    return int(exact + Fraction(1, 2))


def _flats(stage: Stage) -> list[dict[str, Any]]:
    """All flats that are handed over."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = stage.manager.get(f"/admin/v1/communities/{stage.community}/houses?limit=100{cursor}")
        found += page["items"]
        if page["next_cursor"] is None:
            return [one for one in found if one["kind"] == "residence" and one["handover_on"] is not None]
        cursor = f"&cursor={page['next_cursor']}"


def _run(stage: Stage, item_id: str) -> dict[str, Any]:
    """The item's run for this month when it is READY: made now, or by the nightly scan before."""
    made = stage.manager.ask("POST", "/admin/v1/billing-runs", {"item_id": item_id, "day": stage.today().isoformat()})
    run_id = made.json["error"]["details"]["run_id"] if made.code == "run_exists" else made.json["id"]

    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = stage.manager.get(f"/admin/v1/billing-runs/{run_id}")["run"]
        return found if found["state"] == "READY" else None

    return stage.wait("账单批次生成完毕", look)


def _publish(stage: Stage, run: dict[str, Any]) -> None:
    published = stage.manager.post(f"/admin/v1/billing-runs/{run['id']}/publish")
    stage.expect(f"{run['title']}发布后的状态", published["state"], "PUBLISHED")
    stage.moved(f"{run['title']}发布之后", receivable=run["total_fen"], income=-run["total_fen"])


def _item_id(stage: Stage, code: str) -> str:
    items = stage.manager.get(f"/admin/v1/fee-items?community_id={stage.community}")["items"]
    return str(next(item["id"] for item in items if item["code"] == code))


def followers(stage: Stage) -> int:
    """How many follow the official account and have a flat: a template message for each about a run of all flats."""
    return sum(
        one["hears"] == "template" and one["role"] != "tenant" and not one["house"].startswith("商业街")
        for one in stage.data["residents"]
    )


def template_messages(stage: Stage) -> int:
    """Messages of the official account that WeChat has taken so far."""
    return len(stage.control("GET", f"/messages?appid={stage.data['official']}")["messages"])


def play_monthly(stage: Stage) -> None:
    """Check and publish the month's property fee; followers of the official account are told."""
    stage.chapter("本月物业费出账")
    before = template_messages(stage)
    run = _run(stage, _item_id(stage, PROPERTY))
    flats = _flats(stage)
    wanted_fen = sum(_area_fen(flat["gross_area_cm2"], PROPERTY_RATE_MICRO) for flat in flats)
    stage.expect("物业费的账单数", run["bill_count"], len(flats))
    stage.expect("物业费的总额", run["total_fen"], wanted_fen)
    omitted = stage.manager.get(f"/admin/v1/billing-runs/{run['id']}")["omitted"]
    stage.expect("没有出账的房屋数", sum(one["houses"] for one in omitted), run["omitted_count"])
    _publish(stage, run)
    stage.tell(f"项目经理发布了{run['title']}：{run['bill_count']} 笔，共 {yuan(run['total_fen'])}，与逐套验算一致。")
    for one in omitted:
        stage.tell(f"　没有出账的 {one['houses']} 套：{one['text']}。")
    wanted = before + followers(stage)
    stage.wait("公众号的账单消息全部发出", lambda: True if template_messages(stage) >= wanted else None)
    stage.expect("公众号的账单消息数", template_messages(stage), wanted)
    stage.tell(f"关注公众号的 {followers(stage)} 位业主和家人都收到了账单消息，其余的人在小程序里看得到。")


def play_new(stage: Stage, owner: Resident, new_flats: int) -> list[dict[str, Any]]:
    """A supplement for the new building, then a new item; returns the owner's open bills."""
    stage.chapter("补充出账和新收费项目")
    supplement = _run(stage, _item_id(stage, PROPERTY))
    stage.expect("补充批次的账单数", supplement["bill_count"], new_flats)
    _publish(stage, supplement)
    stage.tell(
        f"新楼栋补出{supplement['title']} {new_flats} 笔，共 {yuan(supplement['total_fen'])}；已有账单的房屋自动跳过。"
    )
    item_id = _new_item(stage)
    run = _run(stage, item_id)
    flats = _flats(stage)
    stage.expect("电梯维护费的账单数", run["bill_count"], len(flats))
    wanted_fen = sum(_area_fen(flat["gross_area_cm2"], LIFT_RATE_MICRO) for flat in flats)
    stage.expect("电梯维护费的总额", run["total_fen"], wanted_fen)
    stage.expect("发布之前业主看到的账单数", len(_open_bills(owner)), 2)
    _publish(stage, run)
    stage.tell(f"发布{run['title']}：{run['bill_count']} 笔，共 {yuan(run['total_fen'])}。")
    return _explain(stage, owner)


def _new_item(stage: Stage) -> str:
    first = stage.today().replace(day=1).isoformat()
    body = {
        "community_id": stage.community, "code": "DTF", "name": "电梯维护费", "type": "service", "nature": "recurring",
        "formula": "gross_area", "cycle_months": 1, "prepaid": True, "lead_days": 0, "due_days": 20,
        "house_kinds": ["residence"], "liable": "owner", "valid_from": first,
    }  # fmt: skip
    item = stage.manager.post("/admin/v1/fee-items", body)
    price = {"rate_micro": LIFT_RATE_MICRO, "effective_from": first, "reason": "业主大会第 12 号决议"}
    proposed = stage.manager.post(f"/admin/v1/fee-items/{item['id']}/prices", price)["approval_id"]
    decision = {"approve": True, "note": "与决议一致"}
    alone = stage.manager.ask("POST", f"/admin/v1/approvals/{proposed}/decision", decision)
    stage.expect("自己审批自己的定价", (alone.status, alone.code), (403, "second_person_required"))
    stage.staff["admin"].post(f"/admin/v1/approvals/{proposed}/decision", decision)
    prices = stage.manager.get(f"/admin/v1/fee-items/{item['id']}/prices")["items"]
    stage.expect("生效的单价", [one["rate_micro"] for one in prices], [LIFT_RATE_MICRO])
    stage.tell("项目经理新增“电梯维护费”并提交单价 0.35 元/m²·月；自己审批被拒绝，管理员审批后生效。")
    return str(item["id"])


def _open_bills(resident: Resident) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = resident.web.get("/api/v1/bills?state=open")["items"]
    return found


def _explain(stage: Stage, owner: Resident) -> list[dict[str, Any]]:
    bills = sorted(_open_bills(owner), key=lambda bill: (bill["title"], bill["house_label"]))
    stage.expect("业主的未缴账单数", len(bills), 4)
    told = owner.web.get(f"/api/v1/bills/{bills[0]['id']}/explanation")
    stage.expect("账单说明里各步金额之和", sum(step["amount_fen"] for step in told["steps"]), bills[0]["due_fen"])
    stage.tell(f"{owner.name}点开一笔账单，看到金额的由来：{told['summary']}")
    return bills
