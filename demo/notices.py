"""Act 20: a notice to one building, counted, read and reminded of; an urgent one, which is taken back."""

from typing import Any

from demo.people import Resident
from demo.stage import Stage

WATER = {"kind": "utility", "title": "周三上午停水", "body": "因更换水泵，周三 9:00 至 12:00 停水，请提前储水。"}
DRILL = {"kind": "safety", "title": "燃气泄漏，请勿开火", "body": "中心花园燃气泄漏，正在抢修。", "urgent": True}
WHY = "经检测没有泄漏"
WAYS = ("template", "subscription", "inbox")


def play(stage: Stage, reader: Resident) -> None:
    """The manager writes; what the count promised is what was sent."""
    stage.chapter("公告")
    building = _building_of(stage, reader)
    audience = {"only": {"building_ids": [building["id"]]}}
    notice, counted = publish(stage, {**WATER, "audience": audience})
    stage.tell(
        f"项目经理给{building['name']}写停水公告，发布前统计：{counted['people']} 人、{counted['houses']} 户，"
        f"公众号 {counted['template']} 人、小程序 {counted['subscription']} 人，"
        f"其余 {counted['inbox']} 人在站内信里看。"
    )
    _read(stage, reader, notice)
    _remind(stage, notice, unread=counted["people"] - 1)
    _take_back(stage, reader, audience)


def _building_of(stage: Stage, reader: Resident) -> dict[str, Any]:
    [label] = [house["label"] for house in reader.web.get("/api/v1/houses")["items"]]
    found = stage.manager.get(f"/admin/v1/communities/{stage.community}/buildings")["items"]
    building: dict[str, Any] = next(one for one in found if label.startswith(one["name"]))
    return building


def publish(stage: Stage, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Count, write, publish; wait until all is sent, and compare. The notice's id, and what was counted."""
    community = f"/admin/v1/communities/{stage.community}"
    said = {name: body[name] for name in ("kind", "title", "body", "audience")}
    counted: dict[str, Any] = stage.manager.post(f"{community}/notice-reach", said)
    notice = stage.manager.post(f"{community}/notices", body)["id"]
    stage.manager.post(f"/admin/v1/notices/{notice}/publish", {"publish_at": None})
    sent = _sent(stage, notice, 0)
    stage.expect("公告发送的人数", sent["planned_count"], counted["people"])
    stage.expect("公告各方式送达的人数", [sent[way] for way in WAYS], [counted[way] for way in WAYS])
    stage.told += sent["template"]
    return notice, counted


def _sent(stage: Stage, notice: str, number: int) -> dict[str, Any]:
    """A round of messages, once nothing of it waits."""

    def over() -> dict[str, Any] | None:
        rounds = stage.manager.get(f"/admin/v1/notices/{notice}")["rounds"]
        return rounds[number] if rounds[number]["done_at"] and not rounds[number]["waiting"] else None

    return stage.wait("公告发送完毕", over)


def _read(stage: Stage, reader: Resident, notice: str) -> None:
    listed = reader.web.get("/api/v1/notices")
    stage.expect("住户的公告", [(one["id"], one["read"]) for one in listed["items"]], [(notice, False)])
    reader.web.post(f"/api/v1/notices/{notice}/read")
    stage.expect("住户的未读公告数", reader.web.get("/api/v1/notices")["unread"], 0)
    stage.expect("已读人数", stage.manager.get(f"/admin/v1/notices/{notice}")["read_count"], 1)


def _remind(stage: Stage, notice: str, *, unread: int) -> None:
    path = f"/admin/v1/notices/{notice}/reminders"
    stage.manager.post(path)
    stage.expect("提醒的人数", _sent(stage, notice, 1)["planned_count"], unread)
    stage.expect("同一天再提醒", stage.manager.ask("POST", path).code, "reminded_today")
    stage.tell(f"一位住户读了公告；物业提醒其余 {unread} 人，同一天不能再提醒第二次。")


def _take_back(stage: Stage, reader: Resident, audience: dict[str, Any]) -> None:
    notice, counted = publish(stage, {**DRILL, "audience": audience})
    stage.manager.post(f"/admin/v1/notices/{notice}/withdraw", {"why": WHY})
    titles = [one["title"] for one in reader.web.get("/api/v1/notices")["items"]]
    stage.expect("撤回之后住户的公告", titles, [WATER["title"]])

    def told() -> bool | None:
        letters = reader.web.get("/api/v1/messages")["items"]
        return True if any(WHY in one["body"] for one in letters) else None

    stage.wait("公告撤回的说明", told)
    stage.tell(f"一条紧急公告发给这栋楼的 {counted['people']} 人，随后撤回；站内信里写着原因“{WHY}”。")
