"""Act 21: a neighbour follows the official account, binds it by a scan, writes, asks, presses the menu, and leaves."""

from typing import Any
from urllib.parse import unquote

from demo import people
from demo.people import Resident
from demo.stage import Stage
from demo.web import Web

QUESTION, MORE = "国庆期间儿童乐园开放吗？", "几点到几点？"
OPEN, KEYWORD, MENU_KEY = "SUBMITTED", "电话", "BILLS"


def play(stage: Stage, neighbour: Resident) -> None:
    """From following to leaving; what the account says is compared with what staff have written."""
    stage.chapter("公众号")
    fan = people.again(stage, neighbour)
    replies = _prepare(stage)
    greeting = _does(stage, fan, "follow")
    stage.expect("关注时的欢迎语", greeting, replies["follow", None])
    stage.tell(f"{fan.name}关注公众号，看到欢迎语“{greeting[:12]}……”")
    _bind(stage, fan)
    stage.expect("关键词的自动回复", _does(stage, fan, "say", text=KEYWORD), replies["exact", KEYWORD])
    stage.expect("点菜单的自动回复", _does(stage, fan, "click", key=MENU_KEY), replies["click", MENU_KEY])
    stage.tell(f"发“{KEYWORD}”、点菜单，公众号按客服写好的内容自动回复。")
    _ask(stage, fan)
    _leave(stage, fan)


def _prepare(stage: Stage) -> dict[tuple[str, str | None], str]:
    """The administrator publishes the menu; what customer service has written, by kind and keyword."""
    path = f"/admin/v1/wechat-apps/{stage.data['official']}"
    pushed = stage.staff["admin"].post(f"{path}/menu/push")
    stage.expect("菜单已发布", pushed["pushed_at"] is not None, True)
    verified = stage.control("POST", f"/apps/{stage.data['official']}/verify-url", {})
    stage.expect("微信验证服务器地址", verified["verified"], True)
    items = stage.staff["service"].get(f"{path}/replies")["items"]
    return {(item["kind"], item["keyword"]): item["reply"] for item in items}


def _does(stage: Stage, fan: Resident, what: str, **how: Any) -> str:
    """What the neighbour does in WeChat, and what the account says to it."""
    official = stage.data["official"]
    done = stage.control("POST", f"/users/{fan.user_id}/{what}", {"appid": official, **how})

    def answered() -> dict[str, Any] | None:
        pushes = stage.control("GET", f"/pushes?appid={official}&openid={done['openid']}")["pushes"]
        push: dict[str, Any] = next(push for push in pushes if push["id"] == done["push"])
        return None if push["state"] == "waiting" else push

    push = stage.wait(f"公众号的应答（{what}）", answered)
    stage.expect(f"公众号收下了推送（{what}）", push["state"], "delivered")
    return str(push["reply"]["content"]) if push["reply"] else ""


def _bind(stage: Stage, fan: Resident) -> None:
    """The code of the mini-program is scanned in WeChat: good once."""
    code = fan.web.post("/api/v1/official-account/code")
    site, _, path = code["picture_url"].partition("/cgi-bin/")
    stage.expect("绑定码的图片", Web(site).ask("GET", f"/cgi-bin/{path}").body[:4], b"\x89PNG")
    ticket = unquote(path.partition("ticket=")[2])
    said = _does(stage, fan, "scan", ticket=ticket)
    stage.expect("扫码后的回复", said.startswith("绑定成功"), True)
    stage.expect("小程序里看到的绑定状态", fan.web.get("/api/v1/official-account")["bound"], True)
    again = _does(stage, fan, "scan", ticket=ticket)
    stage.expect("再扫一次的回复", "已经用过" in again or again == said, True)
    stage.tell(f"{fan.name}在小程序里取得二维码，用微信一扫就绑定好了；同一个码只能用一次。")


def _ask(stage: Stage, fan: Resident) -> None:
    """What nothing answers becomes a consultation; the second text adds to it."""
    said = _does(stage, fan, "say", text=QUESTION)
    ticket = fan.web.get("/api/v1/tickets?limit=1")["items"][0]
    stage.expect("咨询的回复里有编号", f"编号 {ticket['no']}" in said, True)
    stage.expect("补充的回复里有同一个编号", f"编号 {ticket['no']}" in _does(stage, fan, "say", text=MORE), True)
    seen = stage.staff["service"].get(f"/admin/v1/tickets/{ticket['id']}")
    stage.expect("客服看到的咨询", (seen["description"], seen["channel"], seen["state"]), (QUESTION, "official", OPEN))
    stage.expect("客服看到的补充", seen["events"][-1]["reason"], MORE)
    stage.tell(f"问“{QUESTION}”，公众号立刻回复咨询编号 {ticket['no']}；再发一句，补充到同一张工单，客服都看得到。")


def _leave(stage: Stage, fan: Resident) -> None:
    """Who unfollows is told nothing and known to the account no longer; the mini-program is as before."""
    _does(stage, fan, "unfollow")
    stage.expect("取消关注后的绑定状态", fan.web.get("/api/v1/official-account")["bound"], False)
    stage.expect("小程序里的房屋还在", bool(people.houses_of(fan)), True)
    stage.tell("取消关注后，系统不再保留这个微信和住户的对应关系，小程序照常使用。")
