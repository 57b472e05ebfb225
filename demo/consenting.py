"""Act 23: a consent to subscription messages is used up, and asked for again."""

from typing import Any

from demo import notices
from demo.people import Resident
from demo.stage import Stage

MEANING = "notice"
LIFT = {"kind": "utility", "title": "电梯例行保养", "body": "今天下午电梯例行保养半小时，请您走楼梯或稍候。"}


def play(stage: Stage, subscriber: Resident) -> None:
    """As many notices arrive as were allowed; the next one stays in the inbox, until the resident allows one more."""
    stage.chapter("订阅授权")
    allowed = _allow(stage, subscriber)
    for left in reversed(range(allowed)):
        _send(stage, subscriber, 1)
        stage.expect("剩下的公告授权次数", _standing(subscriber)["credits"], left)
    stage.expect("用完之后的授权", _standing(subscriber)["standing"], "used")
    _send(stage, subscriber, 0)
    stage.expect("小程序再次询问", MEANING in _asked(subscriber), True)
    stage.expect("再次允许之后的授权次数", _allow(stage, subscriber), 1)
    _send(stage, subscriber, 1)
    stage.tell(
        f"{subscriber.name}允许了 {allowed} 次公告提醒，用完后的一条只进站内信；"
        "小程序再次询问，允许一次，又收到一条订阅消息。"
    )


def _send(stage: Stage, subscriber: Resident, arriving: int) -> None:
    """A notice to the house alone: so many subscription messages more are at WeChat."""
    path = f"/messages?appid={stage.data['miniprogram']}&openid={subscriber.openid}"
    before = len(stage.control("GET", path)["messages"])
    houses = [house["house_id"] for house in subscriber.web.get("/api/v1/houses")["items"]]
    notices.publish(stage, {**LIFT, "audience": {"only": {"house_ids": houses}}})
    stage.expect("微信收到的订阅消息", len(stage.control("GET", path)["messages"]) - before, arriving)


def _allow(stage: Stage, subscriber: Resident) -> int:
    """Tap 允许 once, in WeChat and in the mini-program; how many are allowed by now."""
    template_id = _standing(subscriber)["template_id"]
    consent = {"appid": stage.data["miniprogram"], "template_id": template_id, "answer": "accept"}
    stage.control("POST", f"/users/{subscriber.user_id}/consent", consent)
    subscriber.web.post("/api/v1/subscriptions", {"answers": {template_id: "accept"}})
    return int(_standing(subscriber)["credits"])


def _standing(subscriber: Resident) -> dict[str, Any]:
    held = subscriber.web.get("/api/v1/subscriptions")["held"]
    standing: dict[str, Any] = next(one for one in held if one["meaning"] == MEANING)
    return standing


def _asked(subscriber: Resident) -> list[str]:
    return [one["meaning"] for one in subscriber.web.get("/api/v1/subscriptions")["items"]]
